# SPDX-License-Identifier: Apache-2.0
"""``tflite2x why``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def why(
    spec: Annotated[
        str,
        typer.Argument(metavar="PASS", help="A pass with its options, such as 'xc-fc{threads=4}'.", show_default=False),
    ],
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    after: Annotated[
        str,
        typer.Option("--after", metavar="SPEC", help="Run these passes first, without a check.", show_default=False),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Say for every operator that a pass looks at whether it is replaced, and if not, which condition failed.

    Nothing is written. Exit code 1 when the pass refuses the model as a whole. The fields of the JSON are those of
    tflite2x.rewrite.base.Candidate.
    """
    from tflite2x.errors import PipelineError
    from tflite2x.ir import load
    from tflite2x.rewrite.pipeline import Pipeline

    passes = Pipeline.parse(spec).passes
    if len(passes) != 1:
        raise PipelineError(f"'{spec}' is {len(passes)} passes", hint="Ask for one; --after runs others first.")
    loaded = load(model)
    if after:
        Pipeline.parse(after).run(loaded)
    found = passes[0].candidates(loaded)
    if json:
        import dataclasses
        import json as encoder

        print(encoder.dumps([dataclasses.asdict(candidate) for candidate in found], indent=2))
        return
    for candidate in found:
        print(f"{'replaced   ' if candidate.replaced else 'left alone '} {candidate.where}: {candidate.reason}")
    replaced = sum(candidate.replaced for candidate in found)
    if found:
        print(f"{passes[0]}: {replaced} of {len(found)} places replaced")
        return
    # Some passes change the model as a whole, and only count.
    counts = passes[0](loaded).counts
    done = ", ".join(f"{number} {what}" for what, number in counts.items())
    print(f"{passes[0]} names no places; it would report: {done}" if done else f"{passes[0]} finds nothing to look at")

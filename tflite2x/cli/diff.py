# SPDX-License-Identifier: Apache-2.0
"""``tflite2x diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A .tflite file.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Show what changed from A to B: structure, options, quantization, weights, metadata.

    Operators and tensors are matched by meaning, not by index; things that nothing uses and ranges seen in training do
    not count. Like diff, it exits with 0 when nothing differs, 1 when something does, and 2 on trouble. The fields of
    the JSON are those of tflite2x.explain.diff.Change.
    """
    from tflite2x.explain.diff import diff as compare
    from tflite2x.ir import load

    changes = compare(load(first), load(second))
    if json:
        import dataclasses
        import json as encoder

        print(encoder.dumps([dataclasses.asdict(change) for change in changes], indent=2))
    else:
        for change in changes:
            print(f"{change.kind:<12}  {change.where}: {change.what}")
    if changes:
        raise typer.Exit(1)

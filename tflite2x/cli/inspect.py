# SPDX-License-Identifier: Apache-2.0
"""``tflite2x inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Show what a model contains: operators, tensors, quantization, sizes, signatures, metadata.

    The fields of the JSON are those of the dataclasses in tflite2x.explain.inspect, which document them.
    """
    from tflite2x.explain.inspect import inspect as look
    from tflite2x.explain.inspect import to_json
    from tflite2x.ir import load

    info = look(load(model))
    if json:
        print(to_json(info))
        return
    from tflite2x.explain.inspect_text import render

    print(render(info), end="")

# SPDX-License-Identifier: Apache-2.0
"""``tflite2x ops``."""

from __future__ import annotations

from typing import Annotated

import typer


def ops(
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: a list of {name, types, verified, custom}.")
    ] = False,
) -> None:
    """List the operators that the interpreter can run, with their types and how they were checked."""
    from tflite2x.explain.ops import operators, render, to_json

    kernels = operators()
    print(to_json(kernels) if json else render(kernels))

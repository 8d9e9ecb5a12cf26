# SPDX-License-Identifier: Apache-2.0
"""``tflite2x explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tflite2x.cli.choices import Rounding, RoundingChoice


def explain(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    op: Annotated[
        int | None,
        typer.Option("--op", metavar="N", help="Only this operator of the main subgraph.", show_default=False),
    ] = None,
    tensor: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only the operator that computes this tensor.", show_default=False),
    ] = None,
    numpy: Annotated[
        bool, typer.Option("--numpy", help="Print NumPy functions that can be pasted and run, instead.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
    rounding: Rounding = RoundingChoice.SINGLE,
) -> None:
    """Show the exact arithmetic of every operator with its numbers.

    Multipliers as the integers that are used, biases with the zero point folded in, clamps in quantized units,
    rounding, and the range that accumulators can reach. The fields of the JSON are those of the dataclasses in
    tflite2x.explain.arithmetic, which document them.
    """
    from tflite2x.errors import Tflite2xError
    from tflite2x.explain import arithmetic
    from tflite2x.ir import load
    from tflite2x.program.numpy_code import one_line

    if op is not None and tensor is not None:
        raise typer.BadParameter("give --op or --tensor, not both")
    if numpy and json:
        raise typer.BadParameter("give --numpy or --json, not both")
    loaded = load(model)
    chosen = None if op is None and tensor is None else arithmetic.find(loaded, op=op, tensor=tensor)
    if numpy:
        if chosen is not None:
            print(arithmetic.numpy_function(chosen, rounding.value), end="")
            return
        for operator in loaded.main.operators:
            try:
                print(arithmetic.numpy_function(operator, rounding.value))
            except Tflite2xError as error:
                print(f"# {one_line(f'{operator.where}: {error.what}')}\n")
        return
    found = (
        arithmetic.explain_model(loaded, rounding.value)
        if chosen is None
        else [arithmetic.explain(chosen, rounding.value)]
    )
    if json:
        print(arithmetic.to_json(found))
        return
    from tflite2x.explain.arithmetic_text import render

    print(render(found, channels=4 if chosen is None else None), end="")

# SPDX-License-Identifier: Apache-2.0
"""``tflite2x diagnose``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tflite2x.cli.choices import Rounding, RoundingChoice

if TYPE_CHECKING:
    from tflite2x.cli.arrays import Array
    from tflite2x.explain.diagnose import Diagnosis


def diagnose(
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="The .tflite file.", show_default=False)] = (
        None
    ),
    mine: Annotated[
        Path | None,
        typer.Option(
            "--mine",
            metavar="FILE",
            help="Your values: an .npz file whose arrays are named after tensors, or tensor<index>, or op<index>; or "
            "an .npy file with the output.",
            show_default=False,
        ),
    ] = None,
    input: Annotated[
        list[str],
        typer.Option("--input", "-i", metavar="[NAME=]FILE", help="The inputs, as for 'run'.", show_default=False),
    ] = [],  # noqa: B006 - typer makes a new list
    expected: Annotated[
        Path | None,
        typer.Option("--expected", metavar="FILE", help="Without a model: the right values.", show_default=False),
    ] = None,
    zero_point: Annotated[
        int | None,
        typer.Option("--zero-point", metavar="Z", help="Without a model: the tensor's zero point.", show_default=False),
    ] = None,
    batch: Annotated[
        bool,
        typer.Option("--batch", help="Arrays have one more axis in front: samples; they may lack axes of length 1."),
    ] = False,
    real: Annotated[
        bool,
        typer.Option("--real", help="Inputs are real numbers: mistakes in quantizing them are looked for, too."),
    ] = False,
    rounding: Rounding = RoundingChoice.SINGLE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Say why your own implementation of a quantized model gives other numbers; exit code 1 when it does.

    With a model, the mistakes that people make are computed and compared value by value. Give the values of as many
    tensors as you have: then the first layer that goes wrong is known. Without a model, --expected and --mine are
    compared by pattern.
    """
    from tflite2x.cli.arrays import read_arrays
    from tflite2x.errors import InputError

    if mine is None:
        raise InputError("no values of yours", hint="Give them with --mine.")
    values = read_arrays(mine)
    if model is None or expected is not None:
        result = _without_model(model, expected, values, zero_point)
    else:
        named = values if isinstance(values, dict) else {mine.stem: values}
        result = _with_model(model, input, named, batch=batch, real=real, rounding=rounding)
    if json:
        import json as encoder

        print(encoder.dumps(result.to_dict(), indent=2))
    else:
        from tflite2x.explain.diagnose_text import render

        print(render(result))
    if result.findings:
        raise typer.Exit(1)


def _without_model(model: Path | None, expected: Path | None, values: object, zero_point: int | None) -> Diagnosis:
    import numpy as np

    from tflite2x.cli.arrays import read_arrays
    from tflite2x.errors import InputError
    from tflite2x.explain.diagnose import diagnose_arrays

    if model is not None or expected is None:
        raise InputError(
            "a model is given together with --expected" if model is not None else "neither a model nor --expected",
            hint="Give MODEL and --input, or --expected; and --mine.",
        )
    right = read_arrays(expected)
    pair = [next(iter(v.values())) if isinstance(v, dict) and len(v) == 1 else v for v in (right, values)]
    if not all(isinstance(v, np.ndarray) for v in pair):
        raise InputError("--expected and --mine hold several arrays", hint="Give .npy files.")
    return diagnose_arrays(pair[0], pair[1], zero_point=zero_point)  # type: ignore[arg-type]


def _with_model(
    path: Path, files: list[str], mine: dict[str, Array], *, batch: bool, real: bool, rounding: RoundingChoice
) -> Diagnosis:
    from tflite2x.cli.traced import inputs_of
    from tflite2x.explain.diagnose import diagnose as compare
    from tflite2x.ir import load

    loaded = load(path)
    arrays, reals = inputs_of(loaded, files, batch=batch, real=real)
    return compare(loaded, arrays, mine, batched=batch, rounding=rounding.value, real_inputs=reals)

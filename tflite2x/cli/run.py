# SPDX-License-Identifier: Apache-2.0
"""``tflite2x run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tflite2x.cli.choices import Rounding, RoundingChoice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tflite2x.cli.arrays import Array
    from tflite2x.interpreter import Interpreter
    from tflite2x.ir import Tensor


def run(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    input: Annotated[
        list[str],
        typer.Option(
            "--input",
            "-i",
            metavar="[NAME=]FILE",
            help="An .npy file for one input, or an .npz file for several. Arrays go to inputs by name (of the tensor "
            "or in the signature), or in order. Repeat for more.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 - typer makes a new list
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the outputs to FILE: .npz by tensor name, or .npy if there is one. Without it, print them.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", help="Run many samples: arrays have one more axis in front, and may lack axes of length 1."
        ),
    ] = False,
    real: Annotated[
        bool, typer.Option("--real", help="Arrays hold real numbers: quantize the inputs, dequantize the outputs.")
    ] = False,
    resize: Annotated[bool, typer.Option("--resize", help="Accept other shapes than those that the file fixes.")] = (
        False
    ),
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="KEY", help="Run this signature.", show_default=False)
    ] = None,
    rounding: Rounding = RoundingChoice.SINGLE,
) -> None:
    """Run a model with the NumPy interpreter, on arrays from .npy or .npz files."""
    from tflite2x.cli.arrays import arrange, as_samples, entry, fit_type, npy_bytes, npz_bytes
    from tflite2x.errors import InputError
    from tflite2x.explain.samples import dequantize, quantize
    from tflite2x.interpreter import Interpreter
    from tflite2x.ir import load
    from tflite2x.ir.files import write_file

    if output is not None and output.suffix not in (".npz", ".npy"):
        raise InputError(f"{output} is neither .npz nor .npy", hint="Choose one of them as the name's end.")
    loaded = load(model)
    interpreter = Interpreter(loaded, rounding.value)
    graph, names = entry(loaded, signature)
    arrays = arrange(input, graph.inputs, names)
    for index, tensor in enumerate(graph.inputs):
        array = quantize(arrays[index], tensor) if real else arrays[index]
        array = fit_type(array, tensor.numpy_dtype)
        arrays[index] = as_samples(array, tensor) if batch else array
    values = _execute(interpreter, arrays, graph.inputs, batch=batch, resize=resize, signature=signature)
    if real:
        values = [dequantize(value, tensor) for value, tensor in zip(values, graph.outputs, strict=True)]
    results = _by_name(graph.outputs, values)
    if output is None:
        print(_render(results))
    elif output.suffix == ".npz":
        write_file(output, [npz_bytes(results)])
    elif len(results) == 1:
        write_file(output, [npy_bytes(values[0])])
    else:
        raise InputError(f"{len(results)} outputs do not fit into an .npy file", hint="Write an .npz file.")


def _execute(
    interpreter: Interpreter,
    arrays: Sequence[Array],
    tensors: Sequence[Tensor],
    *,
    batch: bool,
    resize: bool,
    signature: str | None,
) -> list[Array]:
    from tflite2x.cli.parts import run_in_parts
    from tflite2x.errors import InputError

    try:
        if batch:
            return _joined(run_in_parts(interpreter, arrays, 64, "running", resize=resize, signature=signature))
        return interpreter.run(list(arrays), resize=resize, signature=signature)
    except InputError as error:
        # The interpreter's hints are written for Python.
        ranks = [(array.ndim, len(tensor.shape)) for array, tensor in zip(arrays, tensors, strict=True)]
        if not batch and any(tensor.shape == array.shape[1:] for array, tensor in zip(arrays, tensors, strict=True)):
            error.hint = "Use --batch to run many samples."
        elif not batch and all(given == wanted for given, wanted in ranks) and "resize=" in error.hint:
            error.hint = "Use --batch to run many samples, or --resize to run the model with another shape."
        elif "resize=" in error.hint:
            error.hint = "Use --resize to run the model with another shape."
        raise


def _joined(parts: Iterable[list[Array]]) -> list[Array]:
    import numpy as np

    columns = zip(*parts, strict=True)
    return [column[0] if len(column) == 1 else np.concatenate(column) for column in columns]


def _by_name(tensors: Sequence[Tensor], values: Sequence[Array]) -> dict[str, Array]:
    """Name the outputs; repeated and missing names get a number."""
    results: dict[str, Array] = {}
    for index, (tensor, value) in enumerate(zip(tensors, values, strict=True)):
        name = tensor.name or f"output_{index}"
        results[name if name not in results else f"{name}_{index}"] = value
    return results


def _render(results: dict[str, Array]) -> str:
    import numpy as np

    from tflite2x.explain.plain import printable

    parts = []
    with np.printoptions(linewidth=120, threshold=200):
        for name, value in results.items():
            parts.append(f"{printable(name)}: {value.dtype} {list(value.shape)}\n{value}")
    return "\n".join(parts)

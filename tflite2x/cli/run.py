# SPDX-License-Identifier: Apache-2.0
"""``tflite2x run``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tflite2x.cli.arrays import Array
    from tflite2x.interpreter import Interpreter
    from tflite2x.ir import Tensor


class RoundingChoice(enum.StrEnum):
    """Whose integer arithmetic to follow."""

    SINGLE = "single"
    DOUBLE = "double"


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
    rounding: Annotated[
        RoundingChoice, typer.Option(help="single: LiteRT; double: TFLite Micro (gemmlowp).")
    ] = RoundingChoice.SINGLE,
) -> None:
    """Run a model with the NumPy interpreter, on arrays from .npy or .npz files."""
    from tflite2x.cli.arrays import arrange, dequantize, fit_type, npy_bytes, npz_bytes, quantize
    from tflite2x.errors import InputError
    from tflite2x.interpreter import Interpreter
    from tflite2x.ir import load
    from tflite2x.ir.files import write_file

    if output is not None and output.suffix not in (".npz", ".npy"):
        raise InputError(f"{output} is neither .npz nor .npy", hint="Choose one of them as the name's end.")
    loaded = load(model)
    interpreter = Interpreter(loaded, rounding.value)
    graph, names = _entry(loaded, signature)
    arrays = arrange(input, graph.inputs, names)
    for index, tensor in enumerate(graph.inputs):
        array = quantize(arrays[index], tensor) if real else arrays[index]
        array = fit_type(array, tensor.numpy_dtype)
        arrays[index] = _as_samples(array, tensor) if batch else array
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


def _entry(model: Any, signature: str | None) -> tuple[Any, dict[str, Tensor]]:
    """Return the subgraph to run and the names that signatures give to its inputs."""
    from tflite2x.errors import InputError

    if signature is None:
        own = [s for s in model.signatures if s.subgraph is model.main]
        return model.main, own[0].inputs if len(own) == 1 else {}
    for candidate in model.signatures:
        if candidate.key == signature:
            return candidate.subgraph, candidate.inputs
    listing = ", ".join(repr(s.key) for s in model.signatures) or "none"
    raise InputError(f"the model has no signature {signature!r}", hint=f"Signatures: {listing}.")


def _as_samples(array: Array, tensor: Tensor) -> Array:
    """Give samples [N, ...] the axes of length 1 that the model wants in each of them, such as its batch axis."""

    def lengths(shape: tuple[int, ...]) -> list[int]:
        return [n for n in shape if n != 1]

    if array.ndim and len(array) and lengths(array.shape[1:]) == lengths(tensor.shape):
        return array.reshape(len(array), *tensor.shape)
    return array


def _execute(
    interpreter: Interpreter,
    arrays: Sequence[Array],
    tensors: Sequence[Tensor],
    *,
    batch: bool,
    resize: bool,
    signature: str | None,
) -> list[Array]:
    from tflite2x.errors import InputError

    try:
        if batch:
            return _batches(interpreter, arrays, resize=resize, signature=signature)
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


def _batches(
    interpreter: Interpreter, arrays: Sequence[Array], *, resize: bool, signature: str | None, size: int = 64
) -> list[Array]:
    """Run the samples in parts, so that memory stays bounded and progress can be shown."""
    import numpy as np

    from tflite2x.cli.progress import Progress

    samples = {len(array) for array in arrays if array.ndim}
    # Every sample starts from the interpreter's state, and random numbers go on: such models run in one piece.
    if len(samples) != 1 or max(samples) <= size or not _is_pure(interpreter):
        return interpreter.run_batch(list(arrays), resize=resize, signature=signature)
    (count,) = samples
    parts = []
    with Progress("running", count) as progress:
        for start in range(0, count, size):
            chunk = [array[start : start + size] for array in arrays]
            parts.append(interpreter.run_batch(chunk, resize=resize, signature=signature))
            progress.step(len(chunk[0]))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _is_pure(interpreter: Interpreter) -> bool:
    from tflite2x.interpreter.registry import find_kernel

    graphs = interpreter.model.subgraphs
    return all(find_kernel(op).pure for graph in graphs for op in graph.operators) and not any(
        tensor.is_variable for graph in graphs for tensor in graph.tensors
    )


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

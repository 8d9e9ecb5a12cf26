# SPDX-License-Identifier: Apache-2.0
"""``tflite2x trace``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tflite2x.cli.choices import Rounding, RoundingChoice

if TYPE_CHECKING:
    from tflite2x.cli.arrays import Array
    from tflite2x.explain.trace import TensorTrace
    from tflite2x.ir import Model


def trace(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="The .tflite file, or a trace (.npz).", show_default=False)
    ],
    input: Annotated[
        list[str],
        typer.Option("--input", "-i", metavar="[NAME=]FILE", help="The inputs, as for 'run'.", show_default=False),
    ] = [],  # noqa: B006 - typer makes a new list
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write all values to this .npz file.", show_default=False),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="OTHER",
            help="Compare layer by layer: with another model (.tflite) on the same input, a trace (.npz), LiteRT "
            "('litert'), or the same network in real numbers ('real').",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        bool,
        typer.Option("--batch", help="Arrays have one more axis in front: samples; they may lack axes of length 1."),
    ] = False,
    real: Annotated[bool, typer.Option("--real", help="Inputs are real numbers: quantize them.")] = False,
    rounding: Rounding = RoundingChoice.SINGLE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Show every tensor of a run, layer by layer: type, quantization, range, share of saturated values.

    With --against, tensors are matched by meaning (name, then interface, then operator and shape), and compared as
    real numbers: signal-to-noise ratio, largest error, and the difference in LSB where both are quantized alike.
    """
    from tflite2x.cli.arrays import npz_bytes
    from tflite2x.cli.traced import inputs_of
    from tflite2x.errors import InputError
    from tflite2x.explain.trace import to_arrays
    from tflite2x.explain.trace import trace as run
    from tflite2x.ir import load
    from tflite2x.ir.files import write_file

    if output is not None and output.suffix != ".npz":
        raise InputError(f"{output} is not an .npz file", hint="Choose a name that ends with .npz.")
    if model.suffix == ".npz":
        _compare_files(model, against, json)
        return
    loaded = load(model)
    arrays, reals = inputs_of(loaded, input, batch=batch, real=real)
    tensors = run(loaded, arrays, batched=batch, rounding=rounding.value)
    if output is not None:
        write_file(output, [npz_bytes(to_arrays(tensors))])
    result: dict[str, object] = {"tensors": [t.summary() for t in tensors]}
    text = ""
    if against is not None:
        from tflite2x.explain.trace_compare import compare_traces
        from tflite2x.explain.trace_text import render_comparison

        others = _other(against, loaded, arrays, reals, tensors, batch=batch, rounding=rounding)
        comparison = compare_traces(tensors, others)
        result["comparison"] = comparison.to_dict()
        text = render_comparison(comparison, against)
    elif output is None:
        from tflite2x.explain.trace_text import render_trace

        text = render_trace(tensors)
    if json:
        import json as encoder

        print(encoder.dumps(result, indent=2))
    elif text:
        print(text)


def _compare_files(path: Path, against: str | None, json: bool) -> None:
    """Show a trace from a file, or compare it with another one."""
    from tflite2x.errors import InputError
    from tflite2x.explain.trace_compare import compare_traces
    from tflite2x.explain.trace_text import render_comparison, render_trace

    tensors = _from_file(path)
    if against is not None and not against.endswith(".npz"):
        raise InputError("a trace is compared with another trace only", hint="Give an .npz file with --against.")
    comparison = None if against is None else compare_traces(tensors, _from_file(Path(against)))
    if json:
        import json as encoder

        result: dict[str, object] = {"tensors": [t.summary() for t in tensors]}
        if comparison is not None:
            result["comparison"] = comparison.to_dict()
        print(encoder.dumps(result, indent=2))
    else:
        print(render_trace(tensors) if comparison is None else render_comparison(comparison, str(against)))


def _from_file(path: Path) -> list[TensorTrace]:
    from tflite2x.cli.arrays import read_arrays
    from tflite2x.explain.trace import from_arrays

    content = read_arrays(path)
    return from_arrays(content if isinstance(content, dict) else {})


def _other(
    against: str,
    model: Model,
    arrays: list[Array],
    reals: list[Array] | None,
    tensors: list[TensorTrace],
    *,
    batch: bool,
    rounding: RoundingChoice,
) -> list[TensorTrace]:
    """Return the trace to compare with."""
    from tflite2x.errors import InputError

    if against == "litert":
        from tflite2x.explain.trace_litert import litert_trace

        if batch:
            raise InputError("--against litert compares one sample", hint="Leave --batch out.")
        return litert_trace(model, arrays, tensors)
    if against.endswith(".npz"):
        return _from_file(Path(against))
    from tflite2x.explain.trace import trace as run
    from tflite2x.ir import load

    if against == "real":
        from tflite2x.explain.real_model import real_model

        other = real_model(model)
    else:
        other = load(against)
    return run(other, _converted(arrays, reals, model, other, batch), batched=batch, rounding=rounding.value)


def _converted(arrays: list[Array], reals: list[Array] | None, model: Model, other: Model, batch: bool) -> list[Array]:
    """Give the same real inputs to another model, in the types that it wants."""
    from tflite2x.cli.arrays import fit_type
    from tflite2x.errors import InputError
    from tflite2x.explain.samples import dequantize, quantize

    sources, targets = model.main.inputs, other.main.inputs
    if len(sources) != len(targets):
        raise InputError(
            f"one model has {len(sources)} inputs, the other {len(targets)}", hint="Compare with a trace instead."
        )
    result = []
    for array, number, source, target in zip(arrays, reals or arrays, sources, targets, strict=True):
        if reals is not None:
            value = quantize(number, target)
        else:
            same = source.dtype == target.dtype and source.quantization == target.quantization
            value = array if same else quantize(dequantize(array, source), target)
        value = fit_type(value, target.numpy_dtype)
        lead = value.shape[:1] if batch else ()
        shape = (*lead, *target.shape)
        result.append(value.reshape(shape) if value.size == math.prod(shape) else value)
    return result

# SPDX-License-Identifier: Apache-2.0
"""``tflite2x evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite2x.cli.choices import Rounding, RoundingChoice

if TYPE_CHECKING:
    from tflite2x.cli.arrays import Array
    from tflite2x.explain.evaluation import Score
    from tflite2x.interpreter import Interpreter


def evaluate(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL...", help="The .tflite files; the others are compared with the first."),
    ],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE.npz",
            help="Arrays x (inputs as real numbers, samples along the first axis), y (labels, optional) and reference "
            "(outputs to compare with instead of the first model's, optional).",
            show_default=False,
        ),
    ],
    limit: Annotated[
        int | None, typer.Option("--samples", min=1, metavar="N", help="Use the first N samples.", show_default=False)
    ] = None,
    rounding: Rounding = RoundingChoice.SINGLE,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Samples computed together.")] = 256,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """Score models on the same data: accuracy, agreement and relative error against the first, side by side.

    Inputs are quantized and outputs dequantized as each model's tensors declare.
    """
    import time

    from tflite2x.cli.arrays import read_arrays
    from tflite2x.errors import InputError
    from tflite2x.explain.evaluation import score
    from tflite2x.interpreter import Interpreter
    from tflite2x.ir import load

    content = read_arrays(data)
    arrays = content if isinstance(content, dict) else {"x": content}
    reference, labels = arrays.get("reference"), arrays.get("y")
    scores: list[Score] = []
    for path in models:
        interpreter = Interpreter(load(path), rounding.value)
        inputs = _inputs(interpreter, arrays, str(data), limit)
        count = len(inputs[0])
        interpreter.run_batch([a[:1] for a in inputs])  # the preparation is not part of the time
        interpreter.reset()
        start = time.perf_counter()
        outputs = _run(interpreter, inputs, batch, path.name)
        seconds = time.perf_counter() - start
        if reference is None:
            reference = outputs
        if len(reference) < count:
            raise InputError(f"reference has {len(reference)} samples for {count} inputs", where=str(data))
        scores.append(score(path.name, outputs, None if labels is None else labels[:count], reference[:count], seconds))
    if json:
        import dataclasses
        import json as encoder

        print(encoder.dumps([dataclasses.asdict(s) for s in scores], indent=2))
    else:
        print(render(scores))


def _inputs(interpreter: Interpreter, arrays: dict[str, Array], where: str, limit: int | None) -> list[Array]:
    """Return one array of samples per input, quantized where the model wants integers."""
    from tflite2x.cli.arrays import as_samples, fit_type
    from tflite2x.errors import InputError
    from tflite2x.explain.samples import quantize

    tensors = interpreter.model.main.inputs
    found = []
    for tensor in tensors:
        named = arrays.get(tensor.name or "")
        array = arrays.get("x") if named is None and len(tensors) == 1 else named
        if array is None:
            raise InputError(
                f"no array for input {tensor.name!r}",
                where=where,
                hint="Name the arrays like the inputs, or x for the only one.",
            )
        array = as_samples(array[:limit] if array.ndim else array, tensor)
        if not array.ndim or array.shape[1:] != tensor.shape:
            raise InputError(
                f"shape {list(array.shape)} does not fit {tensor.name!r}: [N, {', '.join(map(str, tensor.shape))}]",
                where=where,
            )
        found.append(fit_type(quantize(array, tensor), tensor.numpy_dtype))
    if not found or len({len(a) for a in found}) != 1 or not len(found[0]):
        raise InputError("the inputs have no samples, or different numbers of them", where=where)
    return found


def _run(interpreter: Interpreter, inputs: Sequence[Array], size: int, name: str) -> Array:
    """Run all samples, in parts where the model keeps no state, and return the first output as real numbers."""
    import numpy as np

    from tflite2x.cli.parts import run_in_parts
    from tflite2x.explain.samples import dequantize

    parts = [outputs[0] for outputs in run_in_parts(interpreter, inputs, size, f"evaluating {name}")]
    return dequantize(np.concatenate(parts), interpreter.model.main.outputs[0])


def render(scores: Sequence[Score]) -> str:
    """Render the scores as a table."""
    from tflite2x.explain.plain import printable, table

    def share(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.2f} %"

    def cells(s: Score) -> list[Any]:
        error = "-" if s.relative_error is None else f"{s.relative_error:.3e}"
        rate = f"{s.samples / s.seconds:,.0f}" if s.seconds > 0 else "-"
        return [printable(s.name, 50), share(s.accuracy), share(s.agreement), error, rate]

    header = ("model", "accuracy", "agreement", "relative error", "samples/s")
    lines = table(header, [cells(s) for s in scores], right=(1, 2, 3, 4))
    return f"{lines}\n{scores[0].samples:,} samples"

# SPDX-License-Identifier: Apache-2.0
"""Test vectors: inputs, and what the interpreter makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import UnsupportedError
from tflite2x.export import numpy_file
from tflite2x.interpreter import Interpreter
from tflite2x.interpreter.kernel import Rounding
from tflite2x.program import Const, Value
from tflite2x.program.steps import ArgMax, QuantizeFloat
from tflite2x.program.steps_detection import DetectionChoice
from tflite2x.program.steps_float import Float, FloatUnary
from tflite2x.program.steps_hybrid import QuantizeRows
from tflite2x.program.steps_plain import Cast, Plain
from tflite2x.verification.samples import generate_all

if TYPE_CHECKING:
    from tflite2x.export.writing import Source
    from tflite2x.ir import Model
    from tflite2x.program import Program

Array = NDArray[Any]
_BATCH = 64
#: How many inputs are tried for each one that is wanted.
_CANDIDATES = 4


def make(
    model: Model, program: Program, source: Source, count: int, seed: int, rounding: Rounding
) -> tuple[list[Array], list[Array]]:
    """Make test vectors.

    Where float32 results are rounded to integers inside of the model, a difference in the last place can become one of
    a whole step: inputs on which the interpreter and the code differ by such a step are left out, and others taken.

    Args:
        model: The model.
        program: What is exported.
        source: Where it comes from.
        count: Number of vectors.
        seed: The same seed gives the same vectors.
        rounding: Rounding contract of the interpreter.

    Returns:
        Inputs and outputs, each [count, ...] (fewer where that many agreeing ones are not found), in model order.

    Raises:
        UnsupportedError: All inputs that were tried are such inputs.
    """
    if program.states:
        inputs = [np.asarray(a) for a in generate_all(model.main, count, seed)]
        interpreter = Interpreter(model, rounding)
        # Every run starts from what the last one kept, as in the program that checks.
        singles = [interpreter.run([a[i] for a in inputs]) for i in range(count)]
        return inputs, [np.stack(column) for column in zip(*singles, strict=True)]
    if not is_sensitive(program):
        inputs = [np.asarray(a) for a in generate_all(model.main, count, seed)]
        return inputs, _run(model, inputs, rounding)
    inputs = [np.asarray(a) for a in generate_all(model.main, _CANDIDATES * count, seed)]
    outputs = _run(model, inputs, rounding)
    code = numpy_file.load(program, source)
    agreeing: list[int] = []
    for number in range(len(inputs[0])):
        results = code["run"](*(a[number] for a in inputs))
        if not any(code["differs"](r, o[number]) for r, o in zip(results, outputs, strict=True)):
            agreeing.append(number)
        if len(agreeing) == count:
            break
    if not agreeing:
        raise UnsupportedError(
            f"on none of {len(inputs[0])} inputs do interpreter and code agree: float32 results are rounded to "
            "integers inside of the model, where the last place decides about whole steps",
            where=source.model, hint="Nothing was written. Export without test vectors (--vectors 0).",
        )  # fmt: skip
    return [a[agreeing] for a in inputs], [a[agreeing] for a in outputs]


def _run(model: Model, inputs: list[Array], rounding: Rounding) -> list[Array]:
    interpreter, count = Interpreter(model, rounding), len(inputs[0])
    parts = [interpreter.run_batch([a[start : start + _BATCH] for a in inputs]) for start in range(0, count, _BATCH)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


_ROUNDING = (QuantizeFloat, QuantizeRows, ArgMax, Plain, Cast, DetectionChoice)
_ROUNDED = ("floor", "ceil", "round", "sign")


def is_sensitive(program: Program) -> bool:
    """Whether integers inside of a program hang on the last place of float32 results that languages may disagree on."""
    doubtful: set[Value | Const] = set()
    for step in program.steps:
        reads = any(v in doubtful for v in step.inputs)
        rounds = isinstance(step, _ROUNDING) or (isinstance(step, FloatUnary) and step.operation in _ROUNDED)
        if reads and rounds:
            return True
        if reads or (isinstance(step, Float) and (step.reordered or step.inexact)):
            doubtful.add(step.output)
    return False


def pack(inputs: list[Array], outputs: list[Array]) -> bytes:
    """Return test vectors as bytes: per vector all inputs, then all outputs, little-endian, without gaps."""
    count = len(inputs[0])
    columns = [
        np.ascontiguousarray(a.astype(a.dtype.newbyteorder("<"))).reshape(count, -1).view(np.uint8)
        for a in (*inputs, *outputs)
    ]
    return np.concatenate(columns, axis=1).tobytes()

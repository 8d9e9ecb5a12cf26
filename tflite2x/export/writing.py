# SPDX-License-Identifier: Apache-2.0
"""What the writers of all languages share: comments, numbers, functions per type."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from tflite2x import __version__
from tflite2x.program import Const, Program, Value
from tflite2x.program.numpy_code import one_line
from tflite2x.program.steps import Step, Weighted
from tflite2x.program.steps_float import Float

#: Element types that C, Rust and NumPy code can hold.
TYPES = ("int8", "uint8", "int16", "int32", "int64", "float32", "bool")

#: How far one float32 operator may be from the interpreter's, in parts of its largest magnitude.
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Source:
    """Where generated code comes from.

    Attributes:
        model: File name of the model.
        sha256: Checksum of its bytes.
    """

    model: str
    sha256: str


def subject(program: Program) -> str:
    """Return what the generated code is, in a line."""
    floats = sorted({_operator(s) for s in program.steps if isinstance(s, Float)})
    kinds = {
        "integer": "an integer reference implementation of a neural network.",
        "interface": "an integer reference implementation of a neural network with a float32 interface.",
        "float": "a float32 reference implementation of a neural network.",
    }
    if floats and any(isinstance(s, Weighted) for s in program.steps):
        return f"{program.name}: a reference implementation of a neural network, integer but for {', '.join(floats)}."
    return f"{program.name}: {kinds[program.arithmetic]}"


def _operator(step: Step) -> str:
    return step.origin.split(" (")[0]


def about(program: Program, source: Source, what: str) -> list[str]:
    """Return the lines at the head of every file."""
    contract = (
        "LiteRT's reference kernels (rounding=single)"
        if program.rounding == "single"
        else "TFLite Micro (rounding=double)"
    )
    lines = [what, "", f"Made from {one_line(source.model)} (sha256 {source.sha256})", f"by tflite2x {__version__}."]
    if program.arithmetic != "float":
        lines[-1] += f" Results equal those of {contract} bit for bit."
        return lines
    lines[-1] += f" Integer operators equal {contract} bit for bit."
    return [*lines, *_float_promise(program)]


def _float_promise(program: Program) -> list[str]:
    """Return what holds for the float32 operators of a program."""
    inexact = sorted({_operator(s) for s in program.steps if isinstance(s, Float) and s.inexact})
    lines = [
        "float32 operators round every product and every sum, and add in the order of LiteRT's reference kernels:",
    ]
    if not inexact:
        return [*lines, "they equal them bit for bit."]
    names = ", ".join(inexact)
    return [
        *lines,
        f"they equal them bit for bit, but for {names}:",
        "their functions are computed in float64 and rounded once, which C libraries do not always do.",
    ]


def tolerance(program: Program) -> float | None:
    """Return how far a checking program lets float32 outputs be from the interpreter's, or None: equal bit for bit.

    In parts of the largest magnitude of the output: one millionth for each operator whose short sums the interpreter
    leaves to BLAS, or whose functions NumPy may round differently. 0 where there is none.
    """
    if program.arithmetic != "float":
        return None
    return TOLERANCE * sum(isinstance(s, Float) and (s.reordered or s.inexact) for s in program.steps)


def allowance(program: Program) -> str:
    """Return in words how a checking program compares."""
    part = tolerance(program)
    if part is None:
        return "every output byte"
    return f"every output: float32 up to {part:g} of the largest magnitude, all others exactly"


def unread(program: Program) -> list[str]:
    """Return the names of inputs that nothing reads, which compilers warn of."""
    read = {v for s in program.steps for v in s.inputs} | {*program.outputs}
    return [v.name for v in program.inputs if v not in read]


def describe(value: Value | Const) -> str:
    """Return type, shape and quantization of a value in a few words."""
    text = f"{value.dtype} {list(value.shape)}"
    spec = value.spec if isinstance(value, Value) else None
    if spec is not None and spec.scale.size == 1:
        text += f", real = {spec.s:.9g} * (q - {spec.z})" if spec.z >= 0 else f", real = {spec.s:.9g} * (q + {-spec.z})"
    return text


def step_comment(step: Step) -> str:
    """Return one line about a step."""
    inputs = "; ".join(f"{v.name}: {describe(v)}" for v in step.inputs)
    return one_line(f"{step.origin}: {inputs} -> {describe(step.output)}")


def variant(step: Step) -> str:
    """Return the name of the function for the types of a step."""
    types = [v.dtype for v in step.inputs]
    if step.output.dtype not in types or len(set(types)) > 1:
        types.append(step.output.dtype)
    return "_".join([step.function, *dict.fromkeys(types)])


def float32_text(value: float) -> str:
    """Return a float32 as the shortest decimal number that reads back the same."""
    text = np.format_float_scientific(np.float32(value), unique=True, trim="0")
    return str(text)


def rows_of_numbers(numbers: Iterable[str], width: int = 116) -> str:
    """Put numbers into lines, separated by commas."""
    lines: list[str] = []
    line: list[str] = []
    length = 0
    for number in numbers:
        if length + len(number) + 2 > width and line:
            lines.append("    " + ", ".join(line))
            line, length = [], 0
        line.append(number)
        length += len(number) + 2
    if line:
        lines.append("    " + ", ".join(line))
    return ",\n".join(lines)

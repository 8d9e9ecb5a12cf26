# SPDX-License-Identifier: Apache-2.0
"""Lowering of operators that compute element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite2x.interpreter.elementwise import option, per_tensor
from tflite2x.interpreter.fixedpoint import activation_range, quantize_multiplier
from tflite2x.interpreter.kernels.activations import is_micro_relu6, prelu_multipliers, relu_range
from tflite2x.interpreter.kernels.arithmetic import sum_multipliers
from tflite2x.ir.dtypes import integer_range
from tflite2x.program.lowering import Work, lowers, run_kernel
from tflite2x.program.steps import (
    Add,
    Copy,
    DequantizeFloat,
    Elementwise,
    Lookup,
    Maximum,
    Minimum,
    Multiply,
    Prelu,
    QuantizeFloat,
    Requantize,
    SquaredDifference,
    Step,
)
from tflite2x.program.values import Array, fits

_QUANTIZED = ("INT8", "UINT8", "INT16")


def quantized_type(work: Work, *allowed: str) -> str:
    """Refuse the operator unless its first input is of an integer type that counts steps of a scale."""
    name = work.ctx.input(0).type.name
    if name not in (allowed or _QUANTIZED):
        raise work.ctx.unsupported(f"{work.op.name} of {name} has no form here")
    return name


def multiplier(real: float) -> tuple[int, int]:
    """Split a real multiplier into mantissa and shift."""
    mantissa, shift = quantize_multiplier(real, "double")
    return int(mantissa), int(shift)


def loops(work: Work) -> dict[str, Any]:
    """Return the loops over two inputs that broadcast, with as few dimensions as possible."""
    out = work.output().shape
    shapes = [work.input(i).shape for i in (0, 1)]
    if np.broadcast_shapes(*shapes) != out:
        raise work.ctx.unsupported(
            f"the output's shape is {np.broadcast_shapes(*shapes)} at run time, {out} in the model"
        )
    views = [np.broadcast_to(np.arange(np.prod(s, dtype=int)).reshape(s), out) for s in shapes]
    strides = [[s // v.itemsize for s in v.strides] for v in views]
    count, steps = merge(list(out), strides)
    return {
        "rank": len(count),
        "count": work.const("count", count, dtype=np.int32),
        "a_stride": work.const("a_stride", steps[0], dtype=np.int32),
        "b_stride": work.const("b_stride", steps[1], dtype=np.int32),
    }


def merge(count: list[int], strides: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """Merge neighbouring loops that run through memory as one; drop loops of length 1."""
    merged: list[int] = []
    result: list[list[int]] = [[] for _ in strides]
    for axis, length in enumerate(count):
        if length == 1:
            continue
        if merged and all(r[-1] == s[axis] * length for r, s in zip(result, strides, strict=True)):
            merged[-1] *= length
            for r, s in zip(result, strides, strict=True):
                r[-1] = s[axis]
            continue
        merged.append(length)
        for r, s in zip(result, strides, strict=True):
            r.append(s[axis])
    return (merged, result) if merged else ([1], [[1] for _ in strides])


@lowers("ADD", "SUB")
def add(work: Work) -> list[Step]:
    """Quantized ADD and SUB."""
    name = quantized_type(work)
    ctx = work.ctx
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    per_tensor(ctx, a, b, out)
    low, high = activation_range(int(option(ctx, "fused_activation_function", 0)), out)
    left_shift = 15 if name == "INT16" else 20
    sign = 1 if work.op.name == "ADD" else -1
    (am, ash), (bm, bsh), (ym, ysh) = map(multiplier, sum_multipliers(ctx, a.s, b.s, out.s, left_shift))
    if sign < 0 and not -31 <= ysh <= 0:
        raise ctx.unsupported("a multiplier for which LiteRT's SUB is undefined")
    return [
        Add(
            **work.common(0, 1), **loops(work), a_zero=a.z, b_zero=b.z, y_zero=out.z, left_shift=left_shift,
            a_mantissa=am, a_shift=ash, b_mantissa=bm, b_shift=bsh, b_sign=sign, y_mantissa=ym, y_shift=ysh,
            low=low, high=high,
        )
    ]  # fmt: skip


@lowers("MUL")
def multiply(work: Work) -> list[Step]:
    """Quantized MUL."""
    quantized_type(work)
    ctx = work.ctx
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    if out.type != a.type:
        raise ctx.unsupported(f"MUL from {a.type.name} to {out.type.name}")
    per_tensor(ctx, a, b, out)
    low, high = activation_range(int(option(ctx, "fused_activation_function", 0)), out)
    real = float(np.float32(a.s) * np.float32(b.s) / np.float32(out.s))
    mantissa, shift = multiplier(a.s * b.s / out.s if ctx.rounding == "double" else real)
    return [
        Multiply(
            **work.common(0, 1), **loops(work), a_zero=a.z, b_zero=b.z, y_zero=out.z,
            mantissa=mantissa, shift=shift, low=low, high=high,
        )
    ]  # fmt: skip


@lowers("SQUARED_DIFFERENCE")
def squared_difference(work: Work) -> list[Step]:
    """Quantized SQUARED_DIFFERENCE."""
    quantized_type(work, "INT8")
    a, b, out = work.ctx.input(0), work.ctx.input(1), work.ctx.outputs[0]
    twice = 2 * max(a.s, b.s)
    (am, ash), (bm, bsh) = multiplier(a.s / twice), multiplier(b.s / twice)
    ym, ysh = multiplier(twice * twice / ((1 << 14) * out.s))
    return [
        SquaredDifference(
            **work.common(0, 1), **loops(work), a_zero=a.z, b_zero=b.z, y_zero=out.z, a_mantissa=am, a_shift=ash,
            b_mantissa=bm, b_shift=bsh, y_mantissa=ym, y_shift=ysh, low=-128, high=127,
        )
    ]  # fmt: skip


@lowers("PRELU")
def prelu(work: Work) -> list[Step]:
    """Quantized PRELU."""
    quantized_type(work)
    a, b, out = work.ctx.input(0), work.ctx.input(1), work.ctx.outputs[0]
    (mantissa, shift), (below, below_shift) = map(multiplier, prelu_multipliers(work.ctx))
    low, high = fits(out.dtype.name)
    return [
        Prelu(
            **work.common(0, 1), **loops(work), a_zero=a.z, b_zero=b.z, y_zero=out.z, mantissa=mantissa, shift=shift,
            negative_mantissa=below, negative_shift=below_shift, low=low, high=high,
        )
    ]  # fmt: skip


@lowers("MAXIMUM", "MINIMUM")
def extreme(work: Work) -> list[Step]:
    """MAXIMUM and MINIMUM of integers."""
    quantized_type(work, *_QUANTIZED, "INT32")
    step: type[Elementwise] = Maximum if work.op.name == "MAXIMUM" else Minimum
    return [step(**work.common(0, 1), **loops(work))]


@lowers("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
def relu(work: Work) -> list[Step]:
    """The RELU family: requantized, then clamped."""
    quantized_type(work)
    source, out = work.ctx.input(0), work.ctx.outputs[0]
    micro = is_micro_relu6(work.ctx)  # takes the output's scale and zero point for the input's
    target = source if micro else out
    low, high = relu_range(work.op.name, target)
    mantissa, shift = multiplier(1.0 if micro else float(np.float32(source.s) / np.float32(out.s)))
    return [
        Requantize(
            **work.common(0), size=work.output().size, x_zero=source.z, mantissa=mantissa, shift=shift,
            y_zero=target.z, low=low, high=high,
        )
    ]  # fmt: skip


@lowers("QUANTIZE")
def quantize(work: Work) -> list[Step]:
    """QUANTIZE from float32 (per tensor) and between integers."""
    source, out = work.ctx.input(0), work.ctx.outputs[0]
    if out.type.name not in (*_QUANTIZED, "INT32"):
        raise work.ctx.unsupported(f"QUANTIZE to {out.type.name}")
    per_tensor(work.ctx, out)
    low, high = integer_range(out.type)
    size = work.output().size
    if source.type.name == "FLOAT32":
        return [QuantizeFloat(**work.common(0), size=size, scale=out.s, y_zero=out.z, low=low, high=high)]
    quantized_type(work, *_QUANTIZED, "INT32")
    per_tensor(work.ctx, source)
    mantissa, shift = multiplier(source.s / out.s)
    return [
        Requantize(
            **work.common(0), size=size, x_zero=source.z, mantissa=mantissa, shift=shift, y_zero=out.z,
            low=low, high=high,
        )
    ]  # fmt: skip


@lowers("DEQUANTIZE")
def dequantize(work: Work) -> list[Step]:
    """DEQUANTIZE to float32, per tensor."""
    source = work.ctx.input(0)
    quantized_type(work)
    per_tensor(work.ctx, source)
    return [DequantizeFloat(**work.common(0), size=work.output().size, scale=source.s, x_zero=source.z)]


#: Functions of one number: what they compute.
FUNCTIONS = {
    "LOGISTIC": "1 / (1 + exp(-x))", "TANH": "tanh(x)", "ELU": "x < 0 ? exp(x) - 1 : x", "GELU": "x * normal_cdf(x)",
    "HARD_SWISH": "x * relu6(x + 3) / 6", "LEAKY_RELU": "x < 0 ? alpha * x : x", "ABS": "abs(x)",
    "RSQRT": "1 / sqrt(x)",
    "SQRT": "sqrt(x)", "EXP": "exp(x)", "LOG": "log(x)", "SIN": "sin(x)", "COS": "cos(x)", "SQUARE": "x * x",
    "NEG": "-x",
}  # fmt: skip


def table_of(work: Work, rank_shape: tuple[int, ...] = (1,)) -> Array:
    """Return a unary operator's result for each value of its 8-bit input, from the interpreter's kernel."""
    spec = work.ctx.input(0)
    low, high = fits(spec.dtype.name)
    values = np.arange(low, high + 1).astype(spec.dtype).reshape(-1, *rank_shape)
    return run_kernel(work.lowering.prepare(work.op, work.ctx), [values])[0].reshape(-1)


@lowers(*FUNCTIONS)
def table(work: Work) -> list[Step]:
    """Functions of one 8-bit value: the table of all 256 results."""
    quantized_type(work, "INT8", "UINT8")
    low, _ = fits(work.ctx.input(0).dtype.name)
    return [
        Lookup(
            **work.common(0), size=work.output().size, x_min=low,
            table=work.const("table", table_of(work), f"{FUNCTIONS[work.op.name]} in quantized steps"),
            meaning=FUNCTIONS[work.op.name],
        )
    ]  # fmt: skip


@lowers("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def reshape(work: Work) -> list[Step]:
    """Operators that keep all elements in their order."""
    if work.input(0).size != work.output().size:
        raise work.ctx.unsupported(f"the shapes {work.input(0).shape} and {work.output().shape} differ in size")
    return [Copy(**work.common(0), size=work.output().size)]

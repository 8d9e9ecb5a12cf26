# SPDX-License-Identifier: Apache-2.0
"""Lowering of operators whose int16 arithmetic is not that of 8 bits."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter.elementwise import option, per_tensor, symmetric
from tflite2x.interpreter.fixedpoint import activation_range
from tflite2x.interpreter.kernels.arithmetic import log2_of, powers_of_two
from tflite2x.interpreter.kernels.softmax import int16_parameters
from tflite2x.interpreter.lookup import interpolate as interpolated
from tflite2x.interpreter.lookup import sigmoid_table
from tflite2x.program.elementwise import FUNCTIONS, add, loops, multiplier, table_of
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import AddPowers, Interpolate, Prelu, Sigmoid16, Softmax16, Step
from tflite2x.program.values import Array, fits

_INT16 = ("INT16",)


@lowers("ADD", "SUB", types=_INT16)
def add_powers(work: Work) -> list[Step]:
    """ADD and SUB: where all scales are powers of two, one input is shifted to the output's scale."""
    ctx = work.ctx
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    if not out.is_quantized:
        raise ctx.unsupported(f"{work.op.name} of plain int16")
    per_tensor(ctx, a, b, out)
    powers = powers_of_two(ctx)
    if powers is None:
        return add(work)
    low, high = activation_range(int(option(ctx, "fused_activation_function", 0)), out)
    return [
        AddPowers(
            **work.common(0, 1), **loops(work), a_shift=powers[2] - powers[0], b_shift=powers[2] - powers[1],
            b_sign=1 if work.op.name == "ADD" else -1, low=low, high=high,
        )
    ]  # fmt: skip


def scaling(work: Work, exponents: tuple[int, ...]) -> tuple[int, int]:
    """Return multiplier and shift that bring the input to steps of 1 / (3 * 4096) (LiteRT activations.cc)."""
    source = work.ctx.input(0)
    exponent = log2_of(source.s)
    left_shift = None if exponent is None else 12 + exponent
    if left_shift in exponents:
        return 3 << left_shift, 0
    real, shift = source.s * 4096 * 3, 0
    while real <= 32767 / 2 and shift <= 30:
        real, shift = real * 2, shift + 1
    return int(real), shift


@lowers("LOGISTIC", "TANH", types=_INT16)
def sigmoid(work: Work) -> list[Step]:
    """LOGISTIC and TANH: both interpolate the table of the logistic function."""
    symmetric(work.ctx, work.ctx.input(0), work.ctx.outputs[0])
    logistic = work.op.name == "LOGISTIC"
    factor, shift = scaling(work, (0,) if logistic else (0, 1))
    bits = 9 if logistic else 8
    return [
        Sigmoid16(
            **work.common(0), size=work.output().size, multiplier=factor, rounding=(1 << shift) >> 1, shift=shift,
            bits=bits, beyond=0x7FFF << 10 if logistic else 0xFFFF << 8, offset=0 if logistic else 1 << 23,
            mirror=1 << 25 if logistic else 0, half=1 << bits if logistic else 1 << (bits - 1),
            down=10 if logistic else 8,
            table=work.const("table", sigmoid_table(), "the logistic function in steps of 1/24, 2**16", np.int32),
            meaning=FUNCTIONS[work.op.name],
        )
    ]  # fmt: skip


@lowers("EXP", "LOG", "GELU", "RSQRT", types=_INT16)
def function(work: Work) -> list[Step]:
    """Functions that LiteRT interpolates between 513 values, which are read off the interpreter's kernel."""
    values = table_of(work).astype(np.int64)
    table = _table(values)
    if not np.array_equal(interpolated(table, np.arange(-32768, 32768)), values):
        raise work.ctx.unsupported(f"int16 {work.op.name} is no interpolation here")
    return [
        Interpolate(
            **work.common(0), size=work.output().size, meaning=FUNCTIONS[work.op.name],
            table=work.const("table", table, f"{FUNCTIONS[work.op.name]} in quantized steps", np.int16),
        )
    ]  # fmt: skip


@lowers("SOFTMAX", types=_INT16)
def softmax(work: Work) -> list[Step]:
    """SOFTMAX: two tables, of exp(x) and of 1 / (1 + x)."""
    mantissa, shift, exponential, reciprocal = int16_parameters(work.ctx, float(np.float32(work.ctx.options.beta)))
    depth = work.input(0).shape[-1]
    return [
        Softmax16(
            **work.common(0), rows=work.input(0).size // depth, depth=depth, mantissa=int(mantissa), shift=int(shift),
            exponential=work.const("exponential", exponential, "exp(x) for x from -10 to 0", np.int16),
            reciprocal=work.const("reciprocal", reciprocal, "1 / (1 + x) for x from 0 to 1", np.int16),
        )
    ]  # fmt: skip


def _table(values: Array) -> Array:
    """Return the 513 values between which 65,536 values are interpolated; the last from the slope at the end."""
    base = values[::128]
    slopes = np.arange(-32768, 32768)
    ends = base[-1] + ((slopes * 127 + 64) >> 7)
    last = slopes[int(np.argmin(np.abs(ends - values[-1])))]
    return np.append(base, base[-1] + last)


@lowers("LEAKY_RELU", types=_INT16)
def leaky_relu(work: Work) -> list[Step]:
    """LEAKY_RELU: as PRELU with one slope of 1 and the multiplier of the negative side."""
    source, out = work.ctx.input(0), work.ctx.outputs[0]
    symmetric(work.ctx, source, out)
    alpha = np.float32(option(work.ctx, "alpha", 0.0))
    if alpha < 0:
        raise work.ctx.unsupported("int16 LEAKY_RELU with a negative slope")
    scale = np.float32(source.s) / np.float32(out.s)
    mantissa, shift = multiplier(float(scale))
    below, below_shift = multiplier(float(np.float32(source.s) * alpha / np.float32(out.s)))
    low, high = fits("int16")
    size = work.output().size
    return [
        Prelu(
            inputs=(work.input(0), work.const("slope", [1], "the slope is in the multiplier", np.int8)),
            output=work.output(), origin=work.origin, rank=1, count=work.const("count", [size], dtype=np.int32),
            a_stride=work.const("a_stride", [1], dtype=np.int32), b_stride=work.const("b_stride", [0], dtype=np.int32),
            a_zero=0, b_zero=0, y_zero=0, mantissa=mantissa, shift=shift, negative_mantissa=below,
            negative_shift=below_shift, low=low, high=high,
        )
    ]  # fmt: skip

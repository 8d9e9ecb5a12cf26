# SPDX-License-Identifier: Apache-2.0
"""DIV, FLOOR_DIV and FLOOR_MOD."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite2x.interpreter import gemmlowp, lookup
from tflite2x.interpreter.elementwise import QUANTIZED, check_types, option, per_tensor, quiet, shift_right, two
from tflite2x.interpreter.fixedpoint import (
    activation_range,
    quantize_multiplier,
    saturating_rounding_doubling_high_mul,
    wrap_int32,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.arithmetic import clamp
from tflite2x.interpreter.registry import kernel


def no_zero(ctx: KernelContext, divisor: Array, zero: int = 0) -> None:
    """Raise an error when a divisor is zero, as LiteRT does."""
    if np.any(divisor == zero):
        raise ctx.execution_error("division by zero", "The second input must have no element that stands for 0.")


def checked(ctx: KernelContext, function: Callable[[Array, Array], Array], zero: int = 0) -> Run:
    """Divide after a look for zeros in the second input."""

    def values(a: Array, b: Array) -> Array:
        no_zero(ctx, b, zero)
        return function(a, b)

    return two(ctx, values)


@kernel("DIV", types=("float32", "int32", "int8 x int8 -> int8", "uint8 x uint8 -> uint8", "int16 x int16 -> int16"))
def div(ctx: KernelContext) -> Run:
    """DIV (LiteRT div.cc, reference/div.h).

    Integers truncate toward zero. Quantized: the divisor's reciprocal in fixed point (itself an approximation), then
    two roundings; where small quotients need a shift of 32 bits or more, LiteRT's own result is far off (see
    ``shift_right``), and this follows it. A zero divisor is an error for integers, an infinity (clamped to the finite
    range) for floats.
    """
    name = check_types(ctx, ("float32", "int32", *QUANTIZED), inputs=2)
    if name == "float32":
        return two(ctx, clamp(ctx, np.divide))
    if name == "int32":
        return checked(ctx, clamp(ctx, _truncated))
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    per_tensor(ctx, a, b, out)
    low, high = activation_range(int(option(ctx, "fused_activation_function", 0)), out)
    real = float(np.float32(a.s) / (np.float32(b.s) * np.float32(out.s)))
    mantissa, shift = quantize_multiplier(real, "double")

    def values(x: Array, y: Array) -> Array:
        divisor = y - b.z
        # The divisor must be positive. Pairs that divide by zero are refused beforehand; here they must only not fail.
        dividend = np.where(divisor < 0, -1, 1) * (x - a.z)
        inverse, bits = gemmlowp.reciprocal(np.maximum(np.abs(divisor), 1), 31)
        headroom = gemmlowp.count_leading_zeros(np.where(dividend < 0, ~dividend, dividend)) - 1
        quotient = saturating_rounding_doubling_high_mul(wrap_int32(dividend << headroom), inverse)
        scaled = saturating_rounding_doubling_high_mul(quotient, mantissa)
        return np.clip(shift_right(scaled, bits + headroom - shift) + out.z, low, high)

    return checked(ctx, lookup.binary(values, a.dtype, out.dtype), b.z)


def _truncated(a: Array, b: Array) -> Array:
    """C's integer division."""
    wide_a, wide_b = a.astype(np.int64), b.astype(np.int64)
    quotient = np.abs(wide_a) // np.abs(wide_b)
    result: Array = np.where((wide_a < 0) == (wide_b < 0), quotient, -quotient).astype(a.dtype)
    return result


@kernel("FLOOR_DIV", types=("float32", "int8 (plain)", "int16 (plain)", "int32"))
def floor_div(ctx: KernelContext) -> Run:
    """FLOOR_DIV (LiteRT floor_div.cc, reference/floor_div.h): the floor of the float64 quotient. Zero is an error."""
    name = check_types(ctx, ("float32", "int8", "int16", "int32"), inputs=2)
    dtype = ctx.outputs[0].dtype

    def values(a: Array, b: Array) -> Array:
        quotient = np.floor(a.astype(np.float64) / b)
        # The one integer overflow, lowest / -1, wraps.
        return quotient.astype(dtype) if name == "float32" else quotient.astype(np.int64).astype(dtype)

    return checked(ctx, quiet(values))


@kernel("FLOOR_MOD", types=("float32", "int8 (plain)", "int16 (plain)", "int32", "int64"))
def floor_mod(ctx: KernelContext) -> Run:
    """FLOOR_MOD (LiteRT floor_mod.cc, reference/floor_mod.h): the remainder has the divisor's sign.

    Zero is an error for integers; floats give NaN.
    """
    name = check_types(ctx, ("float32", "int8", "int16", "int32", "int64"), inputs=2)
    if name != "float32":
        return checked(ctx, quiet(np.mod))

    def values(a: Array, b: Array) -> Array:
        remainder = np.fmod(a, b)
        wrong_sign = (remainder != 0) & ((b < 0) != (remainder < 0))
        return np.where(wrong_sign, remainder + b, remainder)

    return two(ctx, quiet(values))

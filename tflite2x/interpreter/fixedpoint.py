# SPDX-License-Identifier: Apache-2.0
"""The fixed-point arithmetic of TFLite, on arrays.

A real multiplier ``M`` is held as ``mantissa * 2 ** (shift - 31)`` with ``2**30 <= mantissa < 2**31``. Accumulators are
multiplied by it and rounded in one of two ways, and the two differ by one on a few values in a million:

* ``single``: one rounding, half up: ``(x * mantissa + 2**(30 - shift)) >> (31 - shift)``. TFLite computes this in
  builds with ``TFLITE_SINGLE_ROUNDING``, and its optimized kernels do.
* ``double``: gemmlowp's two roundings: a doubling high multiplication (half up), then a division by a power
  of two (half away from zero). The reference kernels of LiteRT 2.3 as distributed, and TFLite Micro, compute this.

So the kernels of this interpreter take ``double`` under either contract, and FULLY_CONNECTED under LiteRT's takes
neither, but a float64 multiplier (:mod:`tflite2x.interpreter.real_stage`). ``single`` is what others may compute.

Everything here takes and returns int64 arrays that hold int32 values, and broadcasts.
Formulas: LiteRT ``internal/common.cc``, ``internal/quantization_util.cc`` and ``kernel_util.cc``; gemmlowp
``fixedpoint.h``.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tflite2x.errors import UnsupportedError

if TYPE_CHECKING:
    from tflite2x.interpreter.kernel import Array, Rounding, TensorSpec

Int64 = NDArray[np.int64]

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
# Values of ActivationFunctionType in schema.fbs.
_RELU, _RELU_N1_TO_1, _RELU6 = 1, 2, 3


def quantize_multiplier(real: ArrayLike, rounding: Rounding = "single") -> tuple[Int64, Int64]:
    """Split positive real multipliers into ``mantissa * 2 ** (shift - 31)``.

    Multipliers below about 2**-32 become 0, as in LiteRT. Under ``single`` rounding a shift above 30 saturates.

    Args:
        real: Multipliers; float64 arithmetic, any shape.
        rounding: The contract of the later multiplication.

    Returns:
        Mantissas and shifts, int64, shaped as ``real``.
    """
    values = np.asarray(real, np.float64)
    if not np.all(np.isfinite(values)):
        raise UnsupportedError(
            "a quantized multiplier is not finite",
            hint="Check the scales of the operator's tensors for 0, inf and NaN.",
        )
    fraction, exponent = np.frexp(values)
    mantissa = round_half_away(fraction * float(1 << 31)).astype(np.int64)
    shift = exponent.astype(np.int64)
    carried = mantissa == 1 << 31  # the fraction rounded up to 1
    mantissa = np.where(carried, mantissa >> 1, mantissa)
    shift = np.where(carried, shift + 1, shift)
    vanished = (shift < -31) | (mantissa == 0)
    mantissa, shift = np.where(vanished, 0, mantissa), np.where(vanished, 0, shift)
    if rounding == "single":
        mantissa, shift = np.where(shift > 30, INT32_MAX, mantissa), np.minimum(shift, 30)
    return mantissa.astype(np.int64), shift.astype(np.int64)


def requantize(x: ArrayLike, mantissa: ArrayLike, shift: ArrayLike, rounding: Rounding = "single") -> Int64:
    """Multiply int32 accumulators by a quantized multiplier (MultiplyByQuantizedMultiplier, 32-bit version).

    Args:
        x: Accumulators, within int32.
        mantissa: From :func:`quantize_multiplier`; broadcasts against ``x``.
        shift: From :func:`quantize_multiplier`; positive means to the left.
        rounding: ``single`` or ``double``.

    Returns:
        int64 array. Results that leave int32 wrap, as the C++ casts do.
    """
    value, m, s = np.asarray(x, np.int64), np.asarray(mantissa, np.int64), np.asarray(shift, np.int64)
    left, total = np.maximum(s, 0), 31 - s
    if rounding == "double" and np.any(left):
        value, total = wrap_int32(value << left), np.maximum(total, 31)
    result: Int64 = np.asarray(value * m)
    half = np.int64(1) << (total - 1)
    if rounding == "double" and np.any(s < 0):
        # Both roundings in one: nested floors add up, and a half in front of the second one goes away from zero.
        tie = np.where(s < 0, np.int64(1) << 30, 0)
        half = half + np.where(result < 0, -tie, tie)
    result += half
    result >>= total
    return wrap_int32(result) if np.any(left) else result


def requantize_int64(x: ArrayLike, mantissa: ArrayLike, shift: ArrayLike, rounding: Rounding = "single") -> Int64:
    """Multiply 64-bit accumulators by a quantized multiplier (the version for 16x8 kernels).

    The mantissa is first reduced to 16 bits; there is one rounding, half up, under both contracts.

    Args:
        x: Accumulators, within 48 bits.
        mantissa: From :func:`quantize_multiplier`; broadcasts against ``x``.
        shift: Below 8 by TFLite's own precondition; up to 14 works here.
        rounding: Without effect; it is here so that callers can treat both widths alike.

    Returns:
        int64 array. Results that leave int32 wrap, as the C++ casts do.
    """
    m, total = reduced_multiplier(mantissa), 15 - np.asarray(shift, np.int64)
    result: Int64 = np.asarray(x, np.int64) * m
    result += np.int64(1) << (total - 1)
    result >>= total
    return wrap_int32(result)


def reduced_multiplier(mantissa: ArrayLike) -> Int64:
    """Round 31-bit mantissas to the 15 bits that the 64-bit multiplication uses."""
    m = np.asarray(mantissa, np.int64)
    return np.where(m < 0x7FFF0000, (m + (1 << 15)) >> 16, 0x7FFF)


def saturating_rounding_doubling_high_mul(a: ArrayLike, b: ArrayLike, bits: int = 32) -> Int64:
    """Return ``a * b / 2**(bits - 1)``, rounded half up; the only overflow (-1 times -1) saturates.

    gemmlowp's SaturatingRoundingDoublingHighMul, for 32-bit or 16-bit operands.
    """
    product: Int64 = np.multiply(np.asarray(a, np.int64), np.asarray(b, np.int64))
    # gemmlowp adds a nudge that depends on the sign and truncates; together that is half up for both signs.
    result: Int64 = (product + (1 << (bits - 2))) >> (bits - 1)
    # Only the lowest value times itself leaves the type.
    return np.minimum(result, (1 << (bits - 1)) - 1)


def rounding_divide_by_pot(x: ArrayLike, exponent: ArrayLike) -> Int64:
    """Return ``x / 2**exponent``, rounded half away from zero (gemmlowp's RoundingDivideByPOT)."""
    value = np.asarray(x, np.int64)
    e = exponent if isinstance(exponent, int) else np.asarray(exponent, np.int64)
    mask = (1 << e) - 1
    threshold = (mask >> 1) + (value < 0)
    return np.asarray((value >> e) + ((value & mask) > threshold), np.int64)


def saturating_left_shift(x: ArrayLike, exponent: ArrayLike, bits: int = 32) -> Int64:
    """Return ``x * 2**exponent``, saturated to ``bits`` bits (gemmlowp's SaturatingRoundingMultiplyByPOT, left)."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    # A shift by 31 already saturates every value but zero, and keeps the product within 63 bits.
    most = min(exponent, 31) if isinstance(exponent, int) else np.minimum(np.asarray(exponent, np.int64), 31)
    shifted: Int64 = np.asarray(x, np.int64) << most
    # Two calls take half the time of np.clip on short arrays.
    return np.asarray(np.minimum(np.maximum(shifted, low), high))


def wrap_int32(x: ArrayLike) -> Int64:
    """Wrap int64 values to 32 bits (two's complement), as the C++ kernels' int32 variables do."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def saturate(x: Array, dtype: Any) -> Array:
    """Clamp integers to the range of an integer type and cast."""
    low, high = integer_limits(np.dtype(dtype))
    return np.asarray(np.minimum(np.maximum(x, low), high).astype(dtype))


@functools.cache
def integer_limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the lowest and highest value of an integer type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def round_half_away(x: ArrayLike) -> Any:
    """Round to the nearest integer, halves away from zero (TfLiteRound, C's ``round``); keeps the float type."""
    value = np.asarray(x)
    whole = np.trunc(value)
    step = np.where(np.abs(value - whole) >= 0.5, np.copysign(value.dtype.type(1), value), value.dtype.type(0))
    return np.copysign(whole + step, value)


def activation_range(activation: int, spec: TensorSpec) -> tuple[int, int]:
    """Return the clamp of a fused activation in quantized units (CalculateActivationRangeQuantized).

    Args:
        activation: An ``ActivationFunctionType``; what is neither RELU, RELU6 nor RELU_N1_TO_1 clamps to the type only.
        spec: The output: int8, uint8 or int16, with its per-tensor scale and zero point.

    Returns:
        Lowest and highest quantized value.
    """

    def quantize(value: float) -> int:
        steps = float(np.float32(value) / np.float32(spec.s))
        if not INT32_MIN <= steps <= INT32_MAX:
            raise UnsupportedError(
                f"the fused activation's bound {value} leaves int32 at scale {spec.s}",
                where=spec.name,
                hint="The output's scale is too small.",
            )
        # Halves away from zero; exact, because a float32 below 2**31 and one half fit in a float64 together.
        return spec.z + int(math.copysign(math.floor(abs(steps) + 0.5), steps))

    low, high = integer_limits(spec.dtype)
    if activation == _RELU:
        return max(low, quantize(0.0)), high
    if activation == _RELU6:
        return max(low, quantize(0.0)), min(high, quantize(6.0))
    if activation == _RELU_N1_TO_1:
        return max(low, quantize(-1.0)), min(high, quantize(1.0))
    return low, high


def activation_range_float(activation: int) -> tuple[np.float32, np.float32]:
    """Return the clamp of a fused activation on floats; without one, the finite range (infinities are clamped too)."""
    largest = np.finfo(np.float32).max
    if activation == _RELU:
        return np.float32(0), largest
    if activation == _RELU6:
        return np.float32(0), np.float32(6)
    if activation == _RELU_N1_TO_1:
        return np.float32(-1), np.float32(1)
    return -largest, largest

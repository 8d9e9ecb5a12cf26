# SPDX-License-Identifier: Apache-2.0
"""Transcendental functions in gemmlowp's fixed point, on arrays.

A fixed-point number with *n integer bits* is an int32 that counts units of ``2 ** (n - 31)``. Everything here takes and
returns int64 arrays that hold such int32 values. The polynomials, the order of the operations and every rounding are
those of gemmlowp's ``fixedpoint.h`` and LiteRT's ``internal/common.h``: the results equal the C++ bit for bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tflite2x.interpreter.fixedpoint import (
    INT32_MAX,
    INT32_MIN,
    rounding_divide_by_pot,
    saturating_left_shift,
    wrap_int32,
)
from tflite2x.interpreter.fixedpoint import saturating_rounding_doubling_high_mul as multiply

Int64 = NDArray[np.int64]


def _constant(value: float, integer_bits: int = 0) -> int:
    """Return a real constant as a raw fixed-point number."""
    return round(value * 2.0 ** (31 - integer_bits))


def _rescale(x: Int64, source_bits: int, target_bits: int) -> Int64:
    """Change the number of integer bits (gemmlowp's Rescale): left saturates, right rounds half away from zero."""
    exponent = source_bits - target_bits
    if exponent > 0:
        return saturating_left_shift(x, exponent)
    return rounding_divide_by_pot(x, -exponent)


def _half_sum(a: Int64, b: int) -> Int64:
    """Return ``(a + b) / 2``, halves away from zero (gemmlowp's RoundingHalfSum)."""
    total = a + b
    return np.asarray(np.sign(total) * ((np.abs(total) + 1) >> 1), np.int64)


def count_leading_zeros(x: ArrayLike) -> Int64:
    """Return the number of leading zeros of int32 values seen as uint32; 32 for zero."""
    value = np.asarray(x, np.int64) & 0xFFFFFFFF
    # frexp is exact for integers below 2**53: its exponent is the position of the highest bit plus one.
    return 32 - np.frexp(value.astype(np.float64))[1].astype(np.int64)


def exp_on_negative_values(a: ArrayLike, integer_bits: int) -> Int64:
    """Return ``exp(a)`` for ``a <= 0``.

    Args:
        a: Raw values with ``integer_bits`` integer bits.
        integer_bits: At most 5.

    Returns:
        Raw values with 0 integer bits; exp(0) is the largest of them.
    """
    value = np.asarray(a, np.int64)
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    reduced = (value & (quarter - 1)) - quarter  # in [-1/4, 0)
    result = _exp_between_minus_quarter_and_zero(_rescale(reduced, integer_bits, 0))
    remainder = reduced - value  # a multiple of 1/4: one factor for each of its bits
    for exponent in range(-2, integer_bits):
        bit = (remainder >> (fractional_bits + exponent)) & 1
        factor = _constant(math.exp(-(2.0**exponent)))
        result = np.where(bit != 0, multiply(result, factor), result)
    return np.where(value == 0, INT32_MAX, result)


def _exp_between_minus_quarter_and_zero(a: Int64) -> Int64:
    """Taylor polynomial of exp around -1/8; ``a`` and the result have 0 integer bits."""
    center = _constant(math.exp(-1 / 8))
    x = a + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4 = multiply(x2, x2)
    fourth = rounding_divide_by_pot(x4, 2)
    third = multiply(fourth + x3, _constant(1 / 3))
    higher = rounding_divide_by_pot(third + x2, 1)
    return center + multiply(x + higher, center)


def _reciprocal_of_half_denominator(half: Int64) -> Int64:
    """Newton-Raphson for 1 / half, half in [1/2, 1]; the result has 2 integer bits."""
    x = _constant(48 / 17, 2) + multiply(half, _constant(-32 / 17, 2))
    for _ in range(3):
        error = (1 << 29) - multiply(half, x)
        x = x + _rescale(multiply(x, error), 4, 2)
    return x


def one_over_one_plus_x(a: ArrayLike) -> Int64:
    """Return ``1 / (1 + a)`` for ``a`` in [0, 1]; both with 0 integer bits."""
    half = _half_sum(np.asarray(a, np.int64), INT32_MAX)
    # x is 2 / (1 + a) with 2 integer bits: the same bits read with 1 integer bit are half of it.
    return _rescale(_reciprocal_of_half_denominator(half), 1, 0)


def one_minus_x_over_one_plus_x(a: ArrayLike) -> Int64:
    """Return ``(1 - a) / (1 + a)`` for ``a`` in [0, 1]; both with 0 integer bits."""
    half = _half_sum(np.asarray(a, np.int64), INT32_MAX)
    return _rescale(_reciprocal_of_half_denominator(half) - (1 << 29), 2, 0)


def logistic(a: ArrayLike, integer_bits: int) -> Int64:
    """Return ``1 / (1 + exp(-a))`` with 0 integer bits."""
    value = np.asarray(a, np.int64)
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(value), integer_bits))
    return np.where(value == 0, 1 << 30, np.where(value > 0, positive, INT32_MAX - positive))


def tanh(a: ArrayLike, integer_bits: int) -> Int64:
    """Return ``tanh(a)`` with 0 integer bits."""
    value = np.asarray(a, np.int64)
    # exp(-2 |a|): the same bits with one more integer bit are twice the value.
    positive = one_minus_x_over_one_plus_x(exp_on_negative_values(-np.abs(value), integer_bits + 1))
    return np.sign(value) * positive


def reciprocal(x: ArrayLike, integer_bits: int) -> tuple[Int64, Int64]:
    """Return 1 / x as a fraction and a power of two (LiteRT's GetReciprocal).

    Args:
        x: Positive raw values with ``integer_bits`` integer bits.
        integer_bits: Number of integer bits.

    Returns:
        The raw reciprocal of x scaled into [1, 2), with 0 integer bits, and the number of bits that x was above that.
    """
    value = np.asarray(x, np.int64)
    headroom_plus_one = count_leading_zeros(value)
    shifted = ((value << headroom_plus_one) & 0xFFFFFFFF) - (1 << 31)
    return one_over_one_plus_x(wrap_int32(shifted)), integer_bits - headroom_plus_one


def inverse_sqrt(x: ArrayLike) -> tuple[Int64, Int64]:
    """Return 1 / sqrt(x) of integers as a quantized multiplier (LiteRT's GetInvSqrtQuantizedMultiplierExp).

    Args:
        x: Non-negative integers below 2**31; 0 counts as 1.

    Returns:
        Mantissa and left shift (never positive), as for a quantized multiplier.
    """
    value = np.asarray(x, np.int64)
    shift = np.full(value.shape, 11, np.int64)
    scaled = np.maximum(value, 2)
    large = scaled >= 1 << 29  # at most one division by 4 brings an int32 below 2**29
    scaled, shift = np.where(large, scaled >> 2, scaled), shift + large
    pairs = (count_leading_zeros(scaled) - 1) // 2 - 1
    shift, scaled = shift - pairs, scaled << (2 * pairs)
    half_input = rounding_divide_by_pot(scaled >> 1, 1)
    three_halves = (1 << 28) + (1 << 27)
    result = np.full(value.shape, 1 << 28, np.int64)
    for _ in range(5):  # Newton-Raphson with 3 integer bits
        cube = _rescale(multiply(multiply(result, result), result), 9, 3)
        result = _rescale(wrap_int32(multiply(three_halves, result) - multiply(half_input, cube)), 6, 3)
    result = multiply(result, _constant(math.sqrt(2) / 2))
    left = np.maximum(-shift, 0)
    result, shift = wrap_int32(result << left), np.maximum(shift, 0)
    trivial = value <= 1
    return np.where(trivial, INT32_MAX, result), np.where(trivial, 0, -shift)


def log_of_at_least_one(x: ArrayLike, input_bits: int, output_bits: int) -> Int64:
    """Return ``log(x)`` for ``x >= 1`` (LiteRT's log_x_for_x_greater_than_or_equal_to_1).

    Args:
        x: Raw values with ``input_bits`` integer bits.
        input_bits: Integer bits of ``x``.
        output_bits: Integer bits of the result.

    Returns:
        Raw values with ``output_bits`` integer bits.
    """
    value = np.asarray(x, np.int64)
    root2, root4 = math.sqrt(2), math.sqrt(math.sqrt(2))
    accumulator_bits = output_bits + 1
    unit = 31 - accumulator_bits
    quarter = _rescale(np.asarray(1 << 29, np.int64), 0, accumulator_bits)

    # Two ways to write x as r * 2**k, r near sqrt(1/sqrt(2)): take the smaller r (and the larger exponent).
    headroom_a = count_leading_zeros(value)
    normalized = saturating_left_shift(value, headroom_a - 1)
    r_a = saturating_left_shift(multiply(normalized, _constant(1 / root2)), 1)
    power_a = np.clip(saturating_left_shift(input_bits - headroom_a, unit) + quarter, INT32_MIN, INT32_MAX)
    headroom_b = count_leading_zeros(multiply(value, _constant(1 / root2))) - 1
    r_b = saturating_left_shift(value, headroom_b)
    power_b = np.clip(saturating_left_shift(input_bits - headroom_b, unit) - quarter, INT32_MIN, INT32_MAX)
    r, power = np.minimum(r_a, r_b), np.maximum(power_a, power_b)

    p = _half_sum(r, _constant(1 / root4))
    q = 2 * (r - _constant(1 / root4))
    square = multiply(q, q)
    numerator = multiply(q, r) + multiply(multiply(q, square), _constant(11 / 240 * root4))
    inner = _constant(2 / root4 - root4) + q + multiply(_constant(1 / 20 * root4), square)
    denominator_minus_one = multiply(p, inner) + multiply(_constant(1 / 4 * root4), q)
    fraction = multiply(_rescale(numerator, 0, accumulator_bits), one_over_one_plus_x(denominator_minus_one))
    return _rescale(multiply(power, _constant(math.log(2))) + fraction, accumulator_bits, output_bits)

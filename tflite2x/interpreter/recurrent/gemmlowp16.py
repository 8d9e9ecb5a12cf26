# SPDX-License-Identifier: Apache-2.0
"""gemmlowp's fixed-point ``logistic`` and ``tanh`` on int16, as tables of all 65536 inputs.

A number with *n integer bits* is an int16 that counts units of ``2 ** (n - 15)``. Polynomials, the order of the
operations and every rounding follow gemmlowp's ``fixedpoint.h``, which LiteRT's integer LSTM calls
(``internal/reference/portable_tensor_utils.cc``, ApplySigmoid and ApplyTanh).
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.fixedpoint import rounding_divide_by_pot, saturating_left_shift
from tflite2x.interpreter.fixedpoint import saturating_rounding_doubling_high_mul as _high_mul

Int64 = NDArray[np.int64]

_ONE = 32767


def _multiply(a: Int64 | int, b: Int64 | int) -> Int64:
    return _high_mul(a, b, bits=16)


def _constant(raw: int) -> int:
    """Return gemmlowp's 32-bit constant, rounded to 16 bits."""
    return int(rounding_divide_by_pot(raw, 16))


#: exp(-2**e) for e = -2 ... 4, with 0 integer bits.
_EXP_FACTORS = tuple(_constant(raw) for raw in (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242))
_EXP_OF_MINUS_EIGHTH = _constant(1895147668)
_ONE_THIRD = _constant(715827883)
_48_OVER_17 = _constant(1515870810)  # 2 integer bits
_MINUS_32_OVER_17 = _constant(-1010580540)  # 2 integer bits


def _exp_between_minus_quarter_and_zero(a: Int64) -> Int64:
    x = a + (1 << 12)
    x2 = _multiply(x, x)
    x3 = _multiply(x2, x)
    x4 = _multiply(x2, x2)
    fourth = rounding_divide_by_pot(x4, 2)
    higher = rounding_divide_by_pot(_multiply(fourth + x3, _ONE_THIRD) + x2, 1)
    result = _EXP_OF_MINUS_EIGHTH + _multiply(_EXP_OF_MINUS_EIGHTH, x + higher)
    return np.clip(result, -32768, 32767)


def _exp_on_negative_values(a: Int64, integer_bits: int) -> Int64:
    fractional_bits = 15 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    reduced = (a & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(saturating_left_shift(reduced, integer_bits, bits=16))
    remainder = reduced - a
    for exponent, factor in zip(range(-2, min(integer_bits, 5)), _EXP_FACTORS, strict=False):
        bit = (remainder >> (fractional_bits + exponent)) & 1
        result = np.where(bit != 0, _multiply(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (fractional_bits + 5)), 0, result)
    return np.where(a == 0, _ONE, result)


def _newton(a: Int64) -> Int64:
    """Return 2 / (1 + a) with 2 integer bits, for a in [0, 1] with 0 integer bits."""
    half = (a + _ONE + 1) >> 1  # both summands are positive: halves round up
    x = _48_OVER_17 + _multiply(half, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 13) - _multiply(half, x)
        x = x + saturating_left_shift(_multiply(x, error), 2, bits=16)
    return x


@functools.cache
def logistic_table(integer_bits: int) -> NDArray[np.int16]:
    """Return ``1 / (1 + exp(-a))`` with 0 integer bits for every int16 ``a``; index with ``a + 32768``."""
    a = np.arange(-32768, 32768, dtype=np.int64)
    positive = saturating_left_shift(_newton(_exp_on_negative_values(-np.abs(a), integer_bits)), 1, bits=16)
    result = np.where(a == 0, 1 << 14, np.where(a > 0, positive, _ONE - positive))
    return result.astype(np.int16)


@functools.cache
def tanh_table(integer_bits: int) -> NDArray[np.int16]:
    """Return ``tanh(a)`` with 0 integer bits for every int16 ``a``; index with ``a + 32768``."""
    a = np.arange(-32768, 32768, dtype=np.int64)
    # exp(-2 |a|): the same bits with one more integer bit are twice the value.
    x = _newton(_exp_on_negative_values(-np.abs(a), integer_bits + 1))
    positive = saturating_left_shift(x - (1 << 13), 2, bits=16)
    return (np.sign(a) * positive).astype(np.int16)

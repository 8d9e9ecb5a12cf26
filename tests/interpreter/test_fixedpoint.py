# SPDX-License-Identifier: Apache-2.0
"""Fixed-point arithmetic against exact Python integers and fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter import fixedpoint as fp

INT32 = st.integers(-(2**31), 2**31 - 1)
EDGES = [0, 1, -1, 2, -2, 3, -3, 2**30, -(2**30), 2**31 - 1, -(2**31), -(2**31) + 1]
VALUES = st.one_of(INT32, st.sampled_from(EDGES))


def half_away(value: Fraction) -> int:
    magnitude = math.floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@given(st.floats(2.0**-31, 2.0**30, exclude_max=True))
def test_multiplier_is_the_nearest_with_31_bits(real: float) -> None:
    mantissa, shift = (int(v) for v in fp.quantize_multiplier(real))
    assert 2**30 <= mantissa < 2**31
    exact = Fraction(mantissa) * Fraction(2) ** (shift - 31)
    assert abs(exact - Fraction(real)) <= Fraction(real) / 2**31


@pytest.mark.parametrize(
    ("real", "mantissa", "shift"),
    [
        (1.0, 2**30, 1),
        (0.5, 2**30, 0),
        (1 - 2.0**-40, 2**30, 1),
        (0.0, 0, 0),
        (2.0**-40, 0, 0),
        (2.0**-32, 2**30, -31),
        (2.0**-33, 0, 0),
    ],
)
def test_multiplier_special_values(real: float, mantissa: int, shift: int) -> None:
    assert tuple(int(v) for v in fp.quantize_multiplier(real)) == (mantissa, shift)


def test_multiplier_saturates_only_under_single_rounding() -> None:
    assert tuple(int(v) for v in fp.quantize_multiplier(2.0**33)) == (2**31 - 1, 30)
    assert tuple(int(v) for v in fp.quantize_multiplier(2.0**33, "double")) == (2**30, 34)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_multiplier_refuses_non_finite(bad: float) -> None:
    with pytest.raises(UnsupportedError, match="not finite"):
        fp.quantize_multiplier([0.5, bad])


@given(st.lists(VALUES, min_size=1, max_size=8), st.integers(2**30, 2**31 - 1), st.integers(-31, 30))
def test_single_rounding_is_half_up(values: list[int], mantissa: int, shift: int) -> None:
    got = fp.requantize(np.array(values), mantissa, shift, "single")
    exact = [wrap(math.floor(Fraction(v * mantissa, 2 ** (31 - shift)) + Fraction(1, 2))) for v in values]
    assert got.tolist() == exact


@given(
    st.lists(VALUES, min_size=1, max_size=8),
    st.integers(2**30, 2**31 - 1),
    st.integers(-31, 30),
    st.sampled_from([1, -1]),
)
def test_double_rounding_is_gemmlowps(values: list[int], magnitude: int, shift: int, sign: int) -> None:
    mantissa = sign * magnitude
    got = fp.requantize(np.array(values), mantissa, shift, "double")
    for value, result in zip(values, got.tolist(), strict=True):
        shifted = wrap(value << max(shift, 0))
        product = shifted * mantissa
        # As in the C++: a nudge by sign, then a division that truncates.
        nudged = product + (2**30 if product >= 0 else 1 - 2**30)
        high = nudged // 2**31 if nudged >= 0 else -(-nudged // 2**31)
        assert result == half_away(Fraction(high, 2 ** max(-shift, 0)))


def test_double_rounding_equals_its_two_steps() -> None:
    x = np.concatenate([np.arange(-3000, 3000), np.array(EDGES)])[:, None]
    for shift in range(-31, 1):
        mantissa = np.array([2**30, 2**30 + 1, 3 * 2**29, 2**31 - 1])
        steps = fp.rounding_divide_by_pot(fp.saturating_rounding_doubling_high_mul(x, mantissa), -shift)
        np.testing.assert_array_equal(fp.requantize(x, mantissa, shift, "double"), steps)


def test_the_two_contracts_differ_where_they_should() -> None:
    values = np.arange(-200000, 200000)
    mantissa, shift = fp.quantize_multiplier(0.00217)
    single, double = (fp.requantize(values, mantissa, shift, r) for r in ("single", "double"))
    assert np.abs(single - double).max() == 1


@given(
    st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=8), st.integers(2**30, 2**31 - 1), st.integers(-31, 7)
)
def test_64_bit_version(values: list[int], mantissa: int, shift: int) -> None:
    reduced = (mantissa + 2**15) >> 16 if mantissa < 0x7FFF0000 else 0x7FFF
    exact = [wrap(math.floor(Fraction(v * reduced, 2 ** (15 - shift)) + Fraction(1, 2))) for v in values]
    for rounding in ("single", "double"):
        assert fp.requantize_int64(np.array(values), mantissa, shift, rounding).tolist() == exact


@given(VALUES, VALUES)
def test_doubling_high_multiplication(a: int, b: int) -> None:
    got = int(fp.saturating_rounding_doubling_high_mul(a, b))
    if a == b == -(2**31):
        assert got == 2**31 - 1
    else:
        assert abs(Fraction(a * b, 2**31) - got) <= Fraction(1, 2)


def test_doubling_high_multiplication_of_16_bits() -> None:
    a = np.array([-(2**15), 2**14, -(2**14)])
    assert fp.saturating_rounding_doubling_high_mul(a, a, bits=16).tolist() == [2**15 - 1, 2**13, 2**13]


@given(VALUES, st.integers(0, 31))
def test_division_by_a_power_of_two(x: int, exponent: int) -> None:
    assert int(fp.rounding_divide_by_pot(x, exponent)) == half_away(Fraction(x, 2**exponent))


@given(VALUES, st.integers(0, 40))
def test_saturating_left_shift(x: int, exponent: int) -> None:
    assert int(fp.saturating_left_shift(x, exponent)) == min(max(x << exponent, -(2**31)), 2**31 - 1)


def test_broadcasts_per_channel() -> None:
    mantissa, shift = fp.quantize_multiplier([0.5, 0.25, 2.0])
    got = fp.requantize(np.array([[8, 8, 8], [-3, -3, -3]]), mantissa, shift)
    assert got.tolist() == [[4, 2, 16], [-1, -1, -6]]


def test_round_half_away() -> None:
    values = np.array([0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, -0.2])
    assert fp.round_half_away(values).tolist() == [1, -1, 2, 3, -3, 0, 0]
    assert fp.round_half_away(np.float32(2.5)).dtype == np.float32


def test_saturate() -> None:
    got = fp.saturate(np.array([-1000, -128, 5, 127, 400]), np.int8)
    assert got.dtype == np.int8
    assert got.tolist() == [-128, -128, 5, 127, 127]


def output_spec(dtype: type, scale: float, zero_point: int) -> SimpleNamespace:
    return SimpleNamespace(name="y", dtype=np.dtype(dtype), s=float(np.float32(scale)), z=zero_point)


@pytest.mark.parametrize(
    ("activation", "dtype", "scale", "zero_point", "expected"),
    [
        (0, np.int8, 0.1, 3, (-128, 127)),
        (1, np.int8, 0.1, 3, (3, 127)),
        (3, np.int8, 0.1, -128, (-128, -68)),
        (2, np.int8, 0.1, 3, (-7, 13)),
        (3, np.uint8, 0.05, 0, (0, 120)),
        (1, np.int16, 0.001, 0, (0, 32767)),
        (2, np.int16, 0.4, 0, (-3, 3)),  # 1 / float32(0.4) rounds to 2.5, then away from zero
    ],
)
def test_activation_range(
    activation: int, dtype: type, scale: float, zero_point: int, expected: tuple[int, int]
) -> None:
    assert fp.activation_range(activation, output_spec(dtype, scale, zero_point)) == expected


def test_activation_range_refuses_overflow() -> None:
    with pytest.raises(UnsupportedError, match="leaves int32"):
        fp.activation_range(3, output_spec(np.int8, 1e-30, 0))


def test_activation_range_float() -> None:
    largest = np.finfo(np.float32).max
    assert [fp.activation_range_float(a) for a in range(4)] == [(-largest, largest), (0, largest), (-1, 1), (0, 6)]

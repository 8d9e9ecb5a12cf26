# SPDX-License-Identifier: Apache-2.0
"""The fast last steps against the definition on integers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize, requantize_int64
from tflite2x.interpreter.output_stage import FixedPointStage
from tflite2x.interpreter.real_stage import RealStage

TYPES = {np.int8: (-128, 127), np.uint8: (0, 255), np.int16: (-32768, 32767)}


def accumulators(rng: np.random.Generator, bound: float, multiplier: float, count: int) -> np.ndarray:
    """Random values, and values whose results lie at and beside the roundings' ties."""
    limit = int(bound)
    ties = np.rint((np.arange(-300, 300) + 0.5) / multiplier)
    near = np.concatenate([ties - 1, ties, ties + 1])
    near = near[np.abs(near) <= limit].astype(np.int64)
    spread = rng.integers(-limit, limit, count, endpoint=True)
    small = np.rint(rng.normal(0, min(limit, 100 / multiplier), count)).clip(-limit, limit).astype(np.int64)
    return np.concatenate([near, spread, small, [limit, -limit, 0]])


@given(
    dtype=st.sampled_from(list(TYPES)),
    exponent=st.floats(-30, 4),
    bits=st.integers(4, 34),
    zero=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
    wide=st.booleans(),
    relu=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_fixed_point_equals_its_definition(
    dtype: Any, exponent: float, bits: int, zero: float, seed: int, wide: bool, relu: bool
) -> None:
    rng = np.random.default_rng(seed)
    channels = 3
    real = 2.0**exponent * rng.uniform(0.5, 1, channels)
    mantissa, shift = quantize_multiplier(real, "double")
    low, high = TYPES[dtype]
    zero_point = int(low + zero * (high - low))
    low = zero_point if relu else low
    bound = 2.0**bits
    bias = rng.integers(-int(bound), int(bound), channels)
    acc = accumulators(rng, bound, float(real.max()), 2000)[:, None].repeat(channels, 1)
    stage = FixedPointStage(
        mantissa=mantissa, shift=shift, bias=bias, bound=np.full(channels, bound), zero_point=zero_point,
        low=low, high=high, dtype=np.dtype(dtype), wide=wide,
    )  # fmt: skip
    out = np.empty(acc.shape, dtype)
    stage(acc.astype(np.float64), out)
    total = acc + bias
    if wide:
        scaled = requantize_int64(total, mantissa, shift)
    else:
        scaled = requantize(total.astype(np.int32), mantissa, shift, "double")
    expected = np.clip((scaled + zero_point).astype(np.int32), low, high)
    np.testing.assert_array_equal(out, expected)


def test_every_path_is_reached() -> None:
    def path(real: float, bound: float, dtype: Any = np.int8, low: int | None = None) -> str:
        mantissa, shift = quantize_multiplier([real], "double")
        return FixedPointStage(
            mantissa=mantissa, shift=shift, bias=np.zeros(1, np.int64), bound=np.array([bound]), zero_point=0,
            low=TYPES[dtype][0] if low is None else low, high=TYPES[dtype][1], dtype=np.dtype(dtype),
        ).path  # fmt: skip

    assert path(2**-9.5, 2**20) == "float32"
    assert path(2**-9.5, 2**28, low=0) == "float32"
    assert path(2**-3.5, 2**20) == "float64"  # too many results near ties
    assert path(2**-3.5, 2**20, low=0) == "float32"
    assert path(2**-20.5, 2**28) == "float32"
    assert path(2**-9.5, 2**33) == "integer"
    assert path(2**-3.5, 2**28, np.int16) == "float64"
    assert path(2**-20.5, 2**28, np.int16) == "float64"
    assert path(2**1.5, 2**29.9) == "integer"


def test_channels_with_almost_no_scale_and_a_huge_bias() -> None:
    # Converters write such channels for filters of zeros.
    mantissa, shift = quantize_multiplier([2.0**-28.3, 2.0**-8.3], "double")
    bias = np.array([1_100_000_000, -77])
    stage = FixedPointStage(
        mantissa=mantissa, shift=shift, bias=bias, bound=np.full(2, 2.0**18), zero_point=3, low=-128, high=127,
        dtype=np.dtype(np.int8),
    )  # fmt: skip
    assert stage.path == "float32"
    acc = np.random.default_rng(0).integers(-(2**18), 2**18, (30000, 2))
    out = np.empty(acc.shape, np.int8)
    stage(acc.astype(np.float32), out)
    np.testing.assert_array_equal(out, np.clip(requantize(acc + bias, mantissa, shift, "double") + 3, -128, 127))


@given(
    dtype=st.sampled_from(list(TYPES)),
    exponent=st.floats(-30, 3),
    bits=st.integers(4, 40),
    seed=st.integers(0, 2**32 - 1),
    wide=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_real_multiplier_equals_its_definition(dtype: Any, exponent: float, bits: int, seed: int, wide: bool) -> None:
    rng = np.random.default_rng(seed)
    low, high = TYPES[dtype]
    zero_point = int(rng.integers(low, high))
    real = np.array([2.0**exponent, 2.0**exponent * 0.73])
    bound = 2.0**bits
    bias = rng.integers(-int(bound), int(bound), 2)
    acc = accumulators(rng, bound, float(real[0]), 100)[:, None].repeat(2, 1)
    stage = RealStage(
        multiplier=real, bias=bias, bound=np.full(2, bound), zero_point=zero_point, low=low, high=high,
        dtype=np.dtype(dtype), wide=wide,
    )  # fmt: skip
    out = np.empty(acc.shape, dtype)
    stage(acc.astype(np.float64), out)
    for (row, channel), value in np.ndenumerate(out):
        total = int(acc[row, channel] + bias[channel])
        total = total if wide else (total + 2**31) % 2**32 - 2**31
        product = float(total) * float(real[channel])
        magnitude = int(abs(product))
        magnitude += abs(product) - magnitude >= 0.5
        scaled = magnitude if product >= 0 else -magnitude
        scaled = scaled if -(2**31) <= scaled < 2**31 else -(2**31)
        wrapped = (scaled + zero_point + 2**31) % 2**32 - 2**31
        assert value == min(max(wrapped, low), high)


@pytest.mark.parametrize(("bits", "groups"), list(itertools.product((8, 12, 16, 30), (None, 2))))
def test_products_are_exact(bits: int, groups: int | None) -> None:
    rng = np.random.default_rng(bits)
    shape = (400, 5) if groups is None else (groups, 400, 5)
    weights = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)
    for magnitude in (3, 128, 32768):
        gemm = ExactGemm(weights, magnitude)
        x = rng.integers(-magnitude, magnitude, (*shape[:-2], 7, 400), endpoint=True)
        x[..., 0, :] = magnitude * np.sign(weights[..., 0])  # the largest sum there is
        got = gemm(x.astype(gemm.dtype))
        np.testing.assert_array_equal(got.astype(np.int64), x @ weights)
        assert np.all(np.abs(x @ weights).max(axis=-2) <= gemm.bound)


def test_products_use_float32_in_pieces() -> None:
    weights = np.full((1000, 2), 127)
    assert ExactGemm(weights[:100], 128).dtype == np.float32
    assert ExactGemm(weights, 255).dtype == np.float32  # above 2**24 in one piece, below in each of two
    assert ExactGemm(weights, 32768).dtype == np.float64
    assert ExactGemm(weights * 2**31, 2**15).dtype == np.int64

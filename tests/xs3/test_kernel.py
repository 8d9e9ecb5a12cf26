# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.xs3.golden import cases
from tflite2x.errors import InputError
from tflite2x.xs3.kernel import Accumulator, accumulator_range, fully_connected_8, fully_connected_16, requantize
from tflite2x.xs3.layout import Parameters, pack, unpack

KERNEL_CASES = list(cases("xc_fc_kernel"))


def test_there_are_golden_cases():
    assert len(KERNEL_CASES) == 25


@pytest.mark.parametrize("case", KERNEL_CASES)
def test_golden_vectors(case):
    x, w, bso = case["X"], case["W"], case["BSO"]
    np.testing.assert_array_equal(fully_connected_8(x, w, bso), case["Y"])
    np.testing.assert_array_equal(fully_connected_8(x, w, bso, symmetric=True), case["Ysym"])
    np.testing.assert_array_equal(fully_connected_16(x, w, bso), case["Y16"])


def test_pack_and_unpack_are_inverse():
    for case in KERNEL_CASES:
        np.testing.assert_array_equal(pack(unpack(case["BSO"])), case["BSO"])


def test_leading_axes_and_narrow_inputs():
    case = KERNEL_CASES[4]
    w, bso = case["W"], case["BSO"]
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, w.shape[1]), np.int8)
    out = fully_connected_8(x, w, bso)
    assert out.shape == (2, 3, w.shape[0])
    np.testing.assert_array_equal(out[1, 2], fully_connected_8(x[1, 2], w, bso))
    narrow = x[..., :-2]
    padded = np.concatenate([narrow, np.zeros((2, 3, 2), np.int8)], axis=-1)
    np.testing.assert_array_equal(fully_connected_8(narrow, w, bso), fully_connected_8(padded, w, bso))


@pytest.mark.parametrize("columns", [1, 3, 1024, 1025, 8192])
def test_sums_are_exact_at_the_ends_of_the_range(columns):
    w = np.full((3, columns), -128, np.int8)
    w[1], w[2, ::2] = 127, 127
    rng = np.random.default_rng(columns)
    x = np.stack([np.full(columns, -128), np.full(columns, 127), rng.integers(-128, 128, columns)]).astype(np.int8)
    expected = x.astype(object) @ w.T.astype(object)
    np.testing.assert_array_equal(Accumulator(w)(x), expected.astype(np.int64))


def test_accumulator_range_is_reached():
    w = np.random.default_rng(1).integers(-128, 128, (5, 40), np.int8)
    low, high = accumulator_range(w)
    sums = Accumulator(w)
    for row in range(5):
        lowest = np.where(w[row] > 0, -128, 127).astype(np.int8)
        highest = np.where(w[row] > 0, 127, -128).astype(np.int8)
        assert sums(lowest[None])[0, row] == low[row]
        assert sums(highest[None])[0, row] == high[row]


def test_the_batch_is_computed_in_blocks(monkeypatch):
    case = KERNEL_CASES[4]
    x = np.random.default_rng(2).integers(-128, 128, (37, case["W"].shape[1]), np.int8)
    whole = fully_connected_8(x, case["W"], case["BSO"])
    monkeypatch.setattr("tflite2x.xs3.kernel.BLOCK", 200)
    np.testing.assert_array_equal(fully_connected_8(x, case["W"], case["BSO"]), whole)


@pytest.mark.parametrize(
    ("x", "w", "bso", "words"),
    [
        (np.zeros(4, np.int16), np.zeros((2, 4), np.int8), np.zeros((1, 7, 16), np.int16), "the input is int16"),
        (np.zeros(5, np.int8), np.zeros((2, 4), np.int8), np.zeros((1, 7, 16), np.int16), "C_in <= 4"),
        (np.zeros(4, np.int8), np.zeros((2, 4), np.uint8), np.zeros((1, 7, 16), np.int16), "the weights are uint8"),
        (np.zeros(4, np.int8), np.zeros((17, 4), np.int8), np.zeros((1, 7, 16), np.int16), "17 are needed"),
        (np.zeros(4, np.int8), np.zeros((2, 4), np.int8), np.zeros((1, 5, 16), np.int16), "G, 7, 16"),
        (np.zeros(4, np.int8), np.zeros((2, 4), np.int8), np.full((1, 7, 16), -1, np.int16), "shift1 of channel 0"),
    ],
)
def test_wrong_arguments_are_refused(x, w, bso, words):
    with pytest.raises(InputError, match=words):
        fully_connected_8(x, w, bso)


def test_values_that_do_not_fit_are_not_packed():
    zero = np.zeros(3, np.int64)
    with pytest.raises(InputError, match="scale of channel 1 is 32768"):
        pack(Parameters(zero, zero, np.array([0, 32768, 0]), zero, zero, zero))


def test_float64_gives_the_integers_of_the_definition_also_beyond_the_domain():
    rng = np.random.default_rng(3)
    for _ in range(30):
        channels, columns = 48, int(rng.integers(1, 200))
        w = rng.integers(-128, 128, (channels, columns)).astype(np.int8)
        x = rng.choice([-128, -1, 0, 1, 127], (40, columns)).astype(np.int8)
        ends = np.array([-(2**31), -(2**31) + 1, -1, 0, 2**31 - 1])
        numbers = rng.integers(-32768, 32768, (3, channels))
        p = Parameters(
            rng.choice(ends, channels), rng.integers(0, 32, channels), *numbers, rng.integers(0, 32, channels)
        )
        acc = np.clip(Accumulator(w)(x) + p.bias, -(2**31) + 1, 2**31 - 1)
        bso = pack(p)
        np.testing.assert_array_equal(fully_connected_8(x, w, bso), requantize(acc, p))
        np.testing.assert_array_equal(fully_connected_16(x, w, bso), requantize(acc, p, -32767, 32767))

# SPDX-License-Identifier: Apache-2.0
"""Comparing arrays: bits, LSB, relative, NaN, infinities."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.verification.build import chain
from tflite2x import Claim
from tflite2x.rewrite.interface import Rebatch
from tflite2x.rewrite.report import Report, Size, Verdict
from tflite2x.verification.adapt import rebatch
from tflite2x.verification.compare import Comparison, compare


def test_integers() -> None:
    found = compare(np.array([-128, 0, 5, 7], np.int8), np.array([127, 0, 6, 7], np.int8))
    assert (found.worst_lsb, found.share, found.worst_relative) == (255, 0.5, None)
    assert found.distribution == {"0": 2, "1": 1, ">16": 1}
    assert not found.equal


def test_wide_integers_do_not_overflow() -> None:
    info = np.iinfo(np.uint64)
    assert compare(np.array([0], np.uint64), np.array([info.max], np.uint64)).worst_lsb == float(info.max)
    low = np.iinfo(np.int64).min
    assert compare(np.array([low], np.int64), np.array([low + 3], np.int64)).worst_lsb == 3


def test_floats_are_compared_by_bits() -> None:
    nan = np.array([np.nan, 1.0, -np.inf], np.float32)
    assert compare(nan, nan.copy()).equal
    zero = compare(np.array([0.0], np.float32), np.array([-0.0], np.float32))
    assert (zero.equal, zero.worst_relative, zero.share) == (False, 0.0, 1.0)
    assert not zero.within(0, 0.0)
    assert zero.within(0, 1e-9)
    assert compare(np.array([np.nan], np.float32), np.array([1.0], np.float32)).worst_relative == np.inf
    assert compare(np.array([1e-30, 4.0], np.float32), np.array([2e-30, 4.0], np.float32)).within(0, 1e-6)


def test_scalars() -> None:
    assert compare(np.array(1.0, np.float32), np.array(1.5, np.float32)).worst_relative == 0.5
    assert compare(np.array(3, np.int8), np.array(5, np.int8)).worst_lsb == 2
    assert compare(np.array(np.nan), np.array(1.0)).worst_relative == np.inf


def test_an_array_equals_itself() -> None:
    for values in ([1, 2], [1.0, np.nan], [b"a", b"b"]):
        array = np.array(values, object if isinstance(values[0], bytes) else None)
        assert compare(array, array) == compare(array, array.copy())
    assert compare(np.array([1, 5]), np.array([1, 2]), distribution=False).distribution == {}


def test_strings_and_booleans() -> None:
    assert compare(np.array([b"a", b"b"], object), np.array([b"a", b"c"], object)).worst_lsb == 1
    assert compare(np.array([True, False]), np.array([True, True])).share == 0.5


def test_shapes_and_types_count_as_different() -> None:
    found = compare(np.zeros((1, 2), np.int8), np.zeros((2, 1), np.int8))
    assert found.shapes == "int8[1, 2] against int8[2, 1]"
    assert not found.within(1000, 1.0)
    assert not compare(np.zeros(2, np.int8), np.zeros(2, np.uint8)).equal


def test_comparisons_add_up() -> None:
    total = Comparison()
    total.add(compare(np.zeros(3, np.int8), np.ones(3, np.int8)))
    total.add(compare(np.zeros(1, np.float32), np.zeros(1, np.float32)))
    assert (total.worst_lsb, total.worst_relative, total.share) == (1, 0.0, 0.75)


@pytest.mark.parametrize("axis", [0, 1])
def test_rebatch(axis: int) -> None:
    samples = np.arange(24).reshape(6, 2, 2)
    grouped = rebatch(samples, Rebatch(3, axis))
    assert grouped.shape == ((2, 6, 2) if axis == 0 else (2, 2, 6))
    np.testing.assert_array_equal(np.concatenate(list(samples[:3]), axis=axis), grouped[0])
    assert len(rebatch(samples[:2], Rebatch(3, axis))) == 1


def test_claims_combine_to_the_weaker() -> None:
    assert Claim(1, "a").combine(Claim(2, "b")).lsb == 2
    assert Claim().combine(Claim(1, "b")) == Claim(1, "b")
    assert Claim(None, "x").combine(Claim(3)).lsb is None
    assert Claim(1).combine(Claim(0, "f", relative=1e-6)).relative == 1e-6
    assert str(Claim(2, "why")) == "at most 2 LSB per operator (why)"
    assert str(Claim(0, "sums", relative=1e-6)) == "floats within 1e-06 per operator (sums)"


def test_report_with_infinities_is_json() -> None:
    size = Size.of(chain())
    report = Report("x", total=Verdict(worst_relative=float("inf"), share=float("nan")), before=size, after=size)
    found = json.loads(report.to_json())["total"]["verification"]
    assert (found["worst_relative"], found["share"]) == ("inf", "nan")

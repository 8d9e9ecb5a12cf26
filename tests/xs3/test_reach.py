# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import numpy as np
import pytest

from tflite2x.xs3.kernel import accumulator_range
from tflite2x.xs3.reach import BUDGET, Reachable, steps


def every_sum(row: np.ndarray) -> set[int]:
    sums = np.zeros(1, np.int64)
    for weight in row[row != 0].tolist():
        sums = np.unique(sums[:, None] + weight * np.arange(-128, 128))
    return set(sums.tolist())


ROWS = [
    [5], [-7, 0], [3, 5], [2, 3], [-128, 127], [127, 126, 0], [6, 10, 15], [2, 2, 127], [4, 6, 128],
    [60, -84, 126], [1, 128], [100, 101], [64, 96, 128], [126, 127, -128], [128, 128, 3],
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_members_equal_those_found_by_trying_all(row):
    weights = np.array(row).clip(-128, 127).astype(np.int8)
    progression = steps(weights[None])
    low = int(accumulator_range(weights[None])[0][0])
    step = int(progression.step[0])
    expected = {(s - low) // step for s in every_sum(weights.astype(int))}
    found = Reachable(weights)
    assert found.known
    assert found.top == progression.count[0] - 1
    assert {k for k in range(found.top + 1) if k in found} == expected
    assert bool(progression.full[0]) <= (len(expected) == found.top + 1)
    rng = np.random.default_rng(0)
    every = np.array(sorted(expected))
    for _ in range(50):
        a, b = sorted(rng.integers(-3, found.top + 5, 2).tolist())
        inside = every[(every >= a) & (every < b)]
        assert found.count(a, b) == inside.size
        if b - a < 2000:
            near = found.nearest(int(rng.integers(0, found.top + 1)), a, b)
            assert (near is None) == (not inside.size)
            assert near is None or near in inside
    members = sorted(expected)
    some = {*members[:40], *members[-40:], *rng.choice(members, 40).tolist()}
    for k in some:
        x = found.find_input(k)
        assert x.dtype == np.int8
        assert int(weights.astype(int) @ x) == low + step * k
        assert not x[weights == 0].any()


@pytest.mark.parametrize("seed", range(5))
def test_inputs_for_rows_of_many_weights(seed):
    rng = np.random.default_rng(seed)
    smallest = int(rng.integers(2, 60))
    size = rng.integers(smallest, 128, 300)
    weights = (size * rng.choice([-1, 1], 300)).astype(np.int8)
    low = int(accumulator_range(weights[None])[0][0])
    step = int(steps(weights[None]).step[0])
    found = Reachable(weights)
    assert found.known
    assert found.count(0, found.top + 1) > found.top - 20000
    for k in itertools.chain(
        range(0, 3000, 7), rng.integers(0, found.top, 100).tolist(), range(found.top - 500, found.top + 1)
    ):
        assert (k in found) == ((found.top - k) in found)
        if k in found:
            assert int(weights.astype(int) @ found.find_input(k)) == low + step * k


def test_rows_of_zeros_have_one_sum():
    found = Reachable(np.zeros(4, np.int8))
    assert (found.top, found.count(0, 1), 0 in found, 1 in found) == (0, 1, True, False)
    assert not found.find_input(0).any()


def test_too_much_work_is_declined(monkeypatch):
    monkeypatch.setattr("tflite2x.xs3.reach.BUDGET", 1000)
    assert not Reachable(np.array([3, 5], np.int8)).known
    assert BUDGET > 1000

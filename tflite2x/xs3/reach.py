# SPDX-License-Identifier: Apache-2.0
"""Which accumulators an int8 input can produce, and an input that produces a given one.

For weights ``w`` of one channel the sums ``w @ x`` over all int8 ``x`` are ``low + g * k``: ``g`` is the greatest
common divisor of the weights, and ``k`` a sum of multiples 0..255 of each ``|w| / g``. When the smallest of these is 1,
every ``k`` from 0 to the top is reached: each further weight is at most 128, and one weight of 1 alone already covers
0..255. Otherwise some ``k`` near the ends are missed; which, a bit set tells (one bit per ``k``, a Python integer).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tflite2x.xs3.layout import Int8, Int64

#: Steps of an int8 input above -128.
LEVELS = 255
#: Work allowed for one bit set: bits times shifts (about a tenth of a second).
BUDGET = 1 << 32


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The arithmetic progression that holds all accumulators of each channel.

    Attributes:
        step: Greatest common divisor of the channel's weights; 1 for a row of zeros.
        count: Number of members: ``k`` runs from 0 to ``count - 1``.
        full: Whether every member is reached.
    """

    step: Int64
    count: Int64
    full: NDArray[np.bool_]


def steps(weights: Int8) -> Steps:
    """Analyse the rows of int8 ``[C, C_in]`` weights."""
    size = np.abs(weights.astype(np.int16))
    step = np.maximum(np.gcd.reduce(size, axis=1), 1).astype(np.int64)
    smallest = np.where(size > 0, size, 1 << 14).min(axis=1, initial=1 << 14)
    total = size.sum(axis=1, dtype=np.int64)
    return Steps(step, LEVELS * (total // step) + 1, (smallest == step) | (total == 0))


def reachable_set(row: Int8) -> list[int] | None:
    """Return the bit sets of the reachable ``k`` of one row, or None when that is too much work.

    The first is for no weight at all; each further one adds the next value of :func:`_values`.
    """
    values = _values(row)
    shifts = sum((LEVELS * count).bit_length() for _, count in values)
    if (sum(value * count for value, count in values) * LEVELS + 1) * shifts > BUDGET:
        return None
    sets = [1]
    for value, count in values:
        bits, covered, top = sets[-1], 0, LEVELS * count
        while covered < top:
            more = min(covered + 1, top - covered)
            bits |= bits << (value * more)
            covered += more
        sets.append(bits)
    return sets


def find_input(row: Int8, k: int, sets: list[int] | None = None) -> Int8:
    """Construct an input whose accumulator is the ``k``-th of its progression.

    Args:
        row: int8 weights of one channel.
        k: A reachable member.
        sets: Result of :func:`reachable_set` for rows whose progression is not known to be full.

    Returns:
        int8 ``[C_in]``; 0 where the weight is 0.
    """
    values = _values(row)
    step = int(np.gcd.reduce(np.abs(row.astype(np.int16)))) or 1
    amount = np.zeros(row.shape, np.int64)
    size = np.abs(row.astype(np.int64)) // step
    for index in range(len(values) - 1, -1, -1):
        value, count = values[index]
        taken = min(LEVELS * count, k // value)
        if sets is not None:
            while not sets[index] >> (k - taken * value) & 1:
                taken -= 1
        k -= taken * value
        columns = np.flatnonzero(size == value)
        amount[columns] = np.clip(taken - LEVELS * np.arange(count), 0, LEVELS)
    x = np.where(row > 0, amount - 128, 127 - amount)
    return np.where(row == 0, 0, x).astype(np.int8)


def _values(row: Int8) -> list[tuple[int, int]]:
    """Return the distinct nonzero sizes ``|w| / g``, ascending, with how often each occurs."""
    size = np.abs(row.astype(np.int16))
    step = int(np.gcd.reduce(size)) or 1
    values, counts = np.unique(size[size > 0] // step, return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))

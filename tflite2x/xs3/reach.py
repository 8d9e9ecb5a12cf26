# SPDX-License-Identifier: Apache-2.0
"""Which accumulators an int8 input can produce, and an input that produces a given one.

For weights ``w`` of one channel the sums ``w @ x`` over all int8 ``x`` are ``low + g * k``: ``g`` is the greatest
common divisor of the weights, and ``k`` a sum of multiples 0..255 of each ``|w| / g``. When the smallest of these is 1,
every ``k`` from 0 to the top is reached: each further weight is at most 128, and one weight of 1 alone already covers
0..255. Otherwise some ``k`` near both ends are missed, and :class:`Reachable` knows which.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from tflite2x.xs3.layout import Int8, Int64

#: Steps of an int8 input above -128.
LEVELS = 255
#: Work allowed for one row: bits times shifts (about a tenth of a second).
BUDGET = 1 << 31


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


class Rows:
    """What inputs reach in each row of a layer, for several questions; rows are analysed when they are asked for.

    Args:
        weights: int8 ``[C, C_in]``.

    Attributes:
        steps: The progressions.
    """

    def __init__(self, weights: Int8) -> None:
        self.steps = steps(weights)
        self._weights = weights
        self._rows: dict[int, Reachable] = {}

    def __getitem__(self, channel: int) -> Reachable:
        found = self._rows.get(channel)
        if found is None:
            found = self._rows[channel] = Reachable(self._weights[channel])
        return found


class Reachable:
    """The members of one row's progression that inputs reach.

    Sets of members are Python integers with one bit per member. Values are added in ascending order until their sums
    reach everything from ``edge`` up to as far below their top. From then on each further value, which is no larger
    than that run is long, only makes the run longer; and because every multiple can be counted from its end, the
    members missed at the top mirror those missed at the bottom. So only the sums of few values, and the members below
    ``edge``, have to be known one by one.

    Args:
        row: int8 weights of one channel.

    Attributes:
        known: Whether the work stayed within ``BUDGET``; if not, nothing else can be asked.
        top: The last member.
    """

    def __init__(self, row: Int8) -> None:
        size = np.abs(row.astype(np.int16))
        self._row = row
        self._size = size // (int(np.gcd.reduce(size)) or 1)
        values, counts = np.unique(self._size[self._size > 0], return_counts=True)
        self._values: list[tuple[int, int]] = list(zip(values.tolist(), counts.tolist(), strict=True))
        self.top = LEVELS * sum(value * count for value, count in self._values)
        largest = self._values[-1][0] if self._values else 0
        self.known = False
        self._prefix, spent, total = [1], 0, 0
        self._edge = 0
        for value, count in self._values:
            if self._edge + largest <= total - self._edge + 1 and len(self._prefix) > 1:
                break
            total += LEVELS * value * count
            spent += total * (LEVELS * count).bit_length()
            if spent > BUDGET:
                return
            self._prefix.append(_add(self._prefix[-1], value, LEVELS * count))
            missing = ~self._prefix[-1] & ((1 << (total // 2 + 1)) - 1)
            self._edge = missing.bit_length()
        below = (1 << self._edge) - 1
        self._low = [1 & below]
        for value, count in self._values:
            self._low.append(_add(self._low[-1], value, min(LEVELS * count, self._edge // value)) & below)
        self.known = True

    def __contains__(self, k: int) -> bool:
        if not 0 <= k <= self.top:
            return False
        k = min(k, self.top - k)
        return k >= self._edge or bool(self._low[-1] >> k & 1)

    def count(self, start: Int64, end: Int64) -> Int64:
        """Return how many members of ``start .. end - 1`` are reached, for arrays of intervals."""
        below = self._below(np.array([start, end]))
        found: Int64 = below[1] - below[0]
        return found

    def _below(self, k: Int64) -> Int64:
        """Return how many members below ``k`` are reached."""
        edge, top, counts = self._edge, self.top, self._counts
        if 2 * edge > top:  # nothing between the ends
            return counts[_within(k, top + 1)]
        at_bottom, above = counts[_within(k, edge)], counts[_within(top - k + 1, edge)]
        found: Int64 = at_bottom + _within(k - edge, top + 1 - 2 * edge) + counts[-1] - above
        return found

    @functools.cached_property
    def _counts(self) -> Int64:
        """How many members below each place are reached: up to the edge, or of all where there is no run."""
        bits, length = (self._low[-1], self._edge) if 2 * self._edge <= self.top else (self._prefix[-1], self.top + 1)
        data = np.frombuffer(bits.to_bytes(-(-length // 8) or 1, "little"), np.uint8)
        counts = np.zeros(length + 1, np.int64)
        np.cumsum(np.unpackbits(data, count=length, bitorder="little"), out=counts[1:])
        return counts

    def nearest(self, k: int, start: int, end: int) -> int | None:
        """Return the reached member of ``start .. end - 1`` that is nearest to ``k``, or None."""
        k = min(max(k, start), end - 1)
        for distance in range(max(k - start, end - 1 - k) + 1):
            for candidate in (k - distance, k + distance):
                if start <= candidate < end and candidate in self:
                    return candidate
        return None

    def find_input(self, k: int) -> Int8:
        """Construct an input whose accumulator is the ``k``-th of the progression.

        Args:
            k: A reached member.

        Returns:
            int8 ``[C_in]``; 0 where the weight is 0.
        """
        mirrored = k > self.top - k
        taken = self._multiples(self.top - k if mirrored else k)
        amount = np.zeros(self._row.shape, np.int64)
        for (value, count), multiple in zip(self._values, taken, strict=True):
            given = LEVELS * count - multiple if mirrored else multiple
            amount[self._size == value] = np.clip(given - LEVELS * np.arange(count), 0, LEVELS)
        x = np.where(self._row > 0, amount - 128, 127 - amount)
        return np.where(self._row == 0, 0, x).astype(np.int8)

    def _multiples(self, k: int) -> list[int]:
        """Return how often each value is taken to make ``k``, which lies in the lower half."""
        taken = [0] * len(self._values)
        index, sets = len(self._values), self._low
        if k >= self._edge:
            # Inside of the run: keep the rest within the run of the smaller values.
            rest, sets = self.top, self._prefix
            while index >= len(self._prefix):
                index -= 1
                value, count = self._values[index]
                rest -= LEVELS * value * count
                taken[index] = max(0, -(-(k - rest + self._edge) // value))
                k -= taken[index] * value
        while index > 0:
            index -= 1
            value, count = self._values[index]
            multiple = min(LEVELS * count, k // value)
            while not sets[index] >> (k - multiple * value) & 1:
                multiple -= 1
            taken[index] = multiple
            k -= multiple * value
        return taken


def _within(k: Int64, most: int) -> Int64:
    """Return ``k`` between 0 and ``most``; two calls are faster than np.clip on short arrays."""
    found: Int64 = np.minimum(np.maximum(k, 0), most)
    return found


def _add(bits: int, value: int, most: int) -> int:
    """Return the set with 0 to ``most`` times ``value`` added to every member."""
    covered = 0
    while covered < most:
        more = min(covered + 1, most - covered)
        bits |= bits << (value * more)
        covered += more
    return bits

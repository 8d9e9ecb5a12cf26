# SPDX-License-Identifier: Apache-2.0
"""What the difference of two arrays says when nothing else is known: patterns, not proofs."""

from __future__ import annotations

import dataclasses

import numpy as np

from tflite2x.explain.diagnosis.matching import permutations
from tflite2x.interpreter.kernel import Array


@dataclasses.dataclass(frozen=True)
class Pattern:
    """One thing that the values could have in common.

    Attributes:
        keys: Names of the mistakes, as in :mod:`tflite2x.explain.diagnosis.mistakes`.
        title: What would have been done, as a clause.
        explained: Number of values that fit.
        fixed: How many of them differ from the expected ones.
        determined: Number of differing values that the pattern predicts, rather than allows.
    """

    keys: tuple[str, ...]
    title: str
    explained: int
    fixed: int
    determined: int


def patterns(expected: Array, mine: Array, zero_point: int | None = None, dtype: np.dtype[np.generic] | None = None):  # type: ignore[no-untyped-def]
    """Return the patterns that fit at least one value that differs; those that fit most come first.

    Args:
        expected: The right values.
        mine: The others, in the same shape.
        zero_point: Zero point of the tensor, where it is known.
        dtype: Integer type of the tensor, where the expected array does not say it.
    """
    kind = np.dtype(expected.dtype if dtype is None else dtype)
    e, m = expected.astype(np.float64).reshape(-1), mine.astype(np.float64).reshape(-1)
    if not np.all(np.abs(m) < 2.0**53):
        return []  # no numbers, or so large ones that differences of them say nothing
    different = e != m
    found: list[Pattern] = []

    def add(key: str, title: str, predicted: Array, allowed: Array | None = None, second: str = "") -> None:
        """``predicted``: values the pattern leads to; ``allowed``: where it leaves the value open, and mine fits."""
        hit = predicted == m
        open_ = np.zeros(hit.shape, bool) if allowed is None else allowed & ~hit
        good = hit | open_
        fixed = int(np.count_nonzero(good & different))
        if fixed:
            names = tuple(sorted({key, second} - {""}))
            determined = int(np.count_nonzero(hit & different))
            found.append(Pattern(names, title, int(np.count_nonzero(good)), fixed, determined))

    if kind.kind in "iu":
        info = np.iinfo(kind)
        _integer_patterns(add, e, m, info, zero_point)
    add("sign", "the sign is changed", -e)
    delta = m - e
    if different.all() and np.ptp(delta) == 0 and m.size > 1:
        add("constant", f"everything is {delta[0]:+g} off", e + delta[0])
    _linear_pattern(add, e, m)
    if expected.ndim >= 3:
        for order, moved in permutations(expected, expected):
            if order != tuple(range(len(order))):
                add("NCHW" if _is_channel_move(order) else "axes permuted",
                    f"the axes are in the order {list(order)}", moved.reshape(-1).astype(np.float64))  # fmt: skip
        moved = np.moveaxis(expected, -1, 1 if expected.ndim > 3 else 0).reshape(-1).astype(np.float64)
        add("NCHW", "the memory is in NCHW order", moved)
    elif expected.ndim == 2:
        add("axes permuted", "the memory is transposed", expected.T.reshape(-1).astype(np.float64))
    return sorted(found, key=lambda p: (-p.explained, len(p.keys), -p.determined))


def _is_channel_move(order: tuple[int, ...]) -> bool:
    rest = [i for i in order if i != len(order) - 1]
    return rest == sorted(rest)


def _integer_patterns(add, e: Array, m: Array, info: np.iinfo[np.signedinteger], zero: int | None) -> None:  # type: ignore[no-untyped-def]
    span = info.max - info.min + 1
    bound = (e == info.min) | (e == info.max)
    # A value beyond the bound comes back from the other side; how far is not known without the sums.
    middle = 0 if info.min < 0 else span // 2
    wrapped = np.where(e == info.min, m >= middle, m < middle)
    add("wrap-around", "values beyond the type's range wrap around to its other end", e, bound & wrapped)
    relu = np.maximum(e, 0)
    if info.min < 0:
        add("relu at zero", "clamped from below at the integer 0", relu)
        add("wrap-around", "values wrap around, and are then clamped from below at the integer 0", relu,
            bound & wrapped, second="relu at zero")  # fmt: skip
        add("shift by 128", "128 too high (uint8 where int8 is meant)", e + 128)
        add("shift by 128", "the bits are read as the unsigned type", np.where(e < 0, e + span, e))
        add("clamp bounds", "clamped to -127 ... 127", np.clip(e, -127, 127))
    else:
        add("shift by 128", "128 too low (int8 where uint8 is meant)", e - 128)
        add("shift by 128", "the bits are read as the signed type", np.where(e > span // 2 - 1, e - span, e))
    low, high = m.min(), m.max()
    if (low, high) != (e.min(), e.max()):
        add("clamp bounds", f"clamped to {low:g} ... {high:g}", np.clip(e, low, high))
    floor = e.min()
    if np.count_nonzero(e == floor) > 1:
        add("activation forgotten", f"the clamp at {floor:g} (a fused activation) is left out", e,
            (e == floor) & (m < floor))  # fmt: skip
    if zero:
        add("output zero point forgotten", "the zero point is not added", e - zero)
        add("output zero point subtracted", "the zero point is subtracted instead of added", e - 2 * zero)
        add("truncation", "truncated towards real zero instead of rounded", e,
            np.where(e > zero, m == e - 1, (e < zero) & (m == e + 1)))  # fmt: skip
    add("floor", "rounded down instead of to the nearest", e, m == e - 1)
    add("ceil", "rounded up instead of to the nearest", e, m == e + 1)


def _linear_pattern(add, e: Array, m: Array) -> None:  # type: ignore[no-untyped-def]
    """Values that are all a * expected + b: another scale and zero point."""
    if np.unique(e).size < 3 or np.unique(m).size < 3 or not np.isfinite(m).all():
        return
    slope, offset = np.polyfit(e, m, 1)
    if slope in (0.0, 1.0) or abs(slope - 1) < 1e-6:
        return
    predicted = slope * e + offset
    close = np.abs(predicted - m) <= 1e-5 * max(1.0, float(np.abs(m).max()))
    add("other scale", f"the values are {slope:.6g} * expected {offset:+.6g} (another scale or zero point)",
        np.where(close, m, predicted))  # fmt: skip

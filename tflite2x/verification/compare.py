# SPDX-License-Identifier: Apache-2.0
"""Comparing arrays: in LSB for integers, relative for floats, and how many values differ."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Upper ends of the bins of the distribution; the last bin has none.
_BINS = (0, 1, 2, 4, 8, 16)


@dataclasses.dataclass(slots=True)
class Comparison:
    """How two arrays differ, or several pairs of arrays together.

    Attributes:
        worst_lsb: Largest difference of integers; None when no integers were compared.
        worst_relative: Largest difference of floats relative to the largest magnitude of the expected array; None when
            no floats were compared. Infinite where only one side is a number.
        values: Number of values compared.
        differing: Number of values that differ (for floats: whose bits differ, all NaN being equal).
        distribution: Number of integers by difference in LSB: ``0``, ``1``, ``2``, ``3-4``, ... ``>16``.
        shapes: Shapes that do not agree, as text; empty when all do.
    """

    worst_lsb: float | None = None
    worst_relative: float | None = None
    values: int = 0
    differing: int = 0
    distribution: dict[str, int] = dataclasses.field(default_factory=dict)
    shapes: str = ""

    @property
    def share(self) -> float:
        """Share of values that differ, 0 to 1."""
        return self.differing / self.values if self.values else 0.0

    @property
    def equal(self) -> bool:
        """Whether everything is equal bit for bit."""
        return not self.differing and not self.shapes

    def within(self, lsb: float, relative: float) -> bool:
        """Whether integers differ by at most ``lsb`` and floats by at most ``relative`` of the largest magnitude."""
        return (
            not self.shapes
            and (self.worst_lsb is None or self.worst_lsb <= lsb)
            and (self.worst_relative is None or self.worst_relative <= relative)
            and (lsb > 0 or relative > 0 or self.equal)
        )

    def summary(self) -> dict[str, Any]:
        """Return what reports say of it, under the names that they have for it."""
        names = ("worst_lsb", "worst_relative", "share", "distribution")
        return {name: getattr(self, name) for name in names}

    def add(self, other: Comparison) -> None:
        """Take in another comparison."""
        self.worst_lsb = _larger(self.worst_lsb, other.worst_lsb)
        self.worst_relative = _larger(self.worst_relative, other.worst_relative)
        self.values += other.values
        self.differing += other.differing
        for name, number in other.distribution.items():
            self.distribution[name] = self.distribution.get(name, 0) + number
        self.shapes = self.shapes or other.shapes


def _larger(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


def differs(expected: Array, actual: Array) -> NDArray[np.bool_]:
    """Return where two arrays of one shape and type differ in their bits; all NaN are equal."""
    if expected.dtype.kind in "fc" or expected.dtype.name.startswith(("bfloat", "float8")):
        bits = np.dtype(f"u{expected.dtype.itemsize}") if expected.dtype.itemsize <= 8 else None
        if bits is None or expected.dtype.kind == "c":
            both_nan = (expected != expected) & (actual != actual)
            return np.asarray((expected != actual) & ~both_nan, np.bool_)
        a, b = np.ascontiguousarray(expected).view(bits), np.ascontiguousarray(actual).view(bits)
        nan = (expected != expected) & (actual != actual)
        return np.asarray((a != b) & ~nan, np.bool_)
    return np.asarray(expected != actual, np.bool_)


def distance(expected: Array, actual: Array) -> Array:
    """Return how far the values are from each other, as float64: in LSB for integers, absolute for floats."""
    if expected.dtype.kind in "iub":
        a, b = expected, actual
        if a.dtype.kind == "b":
            return np.asarray(a != b, np.float64)
        if a.dtype.itemsize < 8:
            return np.abs(a.astype(np.int64) - b.astype(np.int64)).astype(np.float64)
        return np.where(a > b, a - b, b - a).astype(np.uint64).astype(np.float64)
    if expected.dtype.kind == "O":
        return differs(expected, actual).astype(np.float64)
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    with np.errstate(all="ignore"):
        gap = np.asarray(np.abs(actual.astype(wide) - expected.astype(wide)))  # an array also for scalars
    gap = np.where(differs(expected, actual), gap, 0.0)
    gap[np.isnan(gap)] = np.inf
    return np.asarray(gap, np.float64)


def is_discrete(array: Array) -> bool:
    """Whether values are compared in steps (integers, booleans, strings) and not relative to a magnitude."""
    return array.dtype.kind in "iubO"


def equal(expected: Array, actual: Array) -> bool:
    """Whether two arrays are equal bit for bit, all NaN being equal."""
    if expected is actual:
        return True
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return False
    return not differs(expected, actual).any()


def compare(expected: Array, actual: Array, *, distribution: bool = True) -> Comparison:
    """Compare two arrays of one type; other shapes or types are a difference of everything.

    Args:
        expected: What was expected.
        actual: What came out.
        distribution: Count integers by difference.
    """
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return Comparison(
            values=actual.size,
            differing=actual.size,
            shapes=f"{expected.dtype}{list(expected.shape)} against {actual.dtype}{list(actual.shape)}",
        )
    result = Comparison(values=expected.size)
    if expected is not actual:
        different = differs(expected, actual)
        result.differing = int(np.count_nonzero(different))
    if is_discrete(expected):
        result.worst_lsb = 0.0
        if result.differing:
            gap = distance(expected[different], actual[different])  # few values, as a rule
            result.worst_lsb = float(gap.max())
            if distribution:
                equal_values = expected.size - result.differing
                result.distribution = {**({"0": equal_values} if equal_values else {}), **_histogram(gap)}
        elif expected.size and distribution:
            result.distribution = {"0": expected.size}
        return result
    result.worst_relative = 0.0
    if result.differing:
        result.worst_relative = float(relative(expected, distance(expected, actual)).max())
    return result


def relative(expected: Array, gap: Array) -> Array:
    """Express distances of floats relative to the largest finite magnitude of the expected array."""
    with np.errstate(all="ignore"):
        size = np.asarray(np.abs(expected.astype(np.complex128 if expected.dtype.kind == "c" else np.float64)))
    finite = size[np.isfinite(size)]
    largest = float(finite.max()) if finite.size else 0.0
    return np.asarray(gap / largest if largest > 0 else gap, np.float64)


def _histogram(gap: Array) -> dict[str, int]:
    names = [str(b) if b - a <= 1 else f"{a + 1}-{b}" for a, b in zip((-1, *_BINS), _BINS, strict=False)]
    names.append(f">{_BINS[-1]}")
    counts = np.bincount(np.searchsorted(_BINS, gap.ravel()), minlength=len(names))
    return {name: int(number) for name, number in zip(names, counts, strict=True) if number}

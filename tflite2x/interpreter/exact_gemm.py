# SPDX-License-Identifier: Apache-2.0
"""Exact integer matrix products through floating-point BLAS.

A sum of integer products is exact in floating point, in any order, when every partial sum stays below ``2**24``
(float32) or ``2**53`` (float64). The sum of the weights' magnitudes in a column, times the largest magnitude of the
inputs, bounds all partial sums of that column. float32 runs about three times as fast as float64, and float64 about
fifty times as fast as NumPy's int64 product, which has no BLAS behind it.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.kernel import Array

FLOAT32_EXACT, FLOAT64_EXACT = float(1 << 24), float(1 << 53)
#: With shorter pieces than this, one float64 product is faster than adding up several float32 products.
_SHORTEST_PIECE = 48


def exact_dtype(bound: float) -> np.dtype[Any]:
    """Return the fastest type that holds all integers up to ``bound`` exactly."""
    if bound < FLOAT32_EXACT:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if bound < FLOAT64_EXACT else np.int64)


class ExactGemm:
    """The product of integer rows with constant integer weights.

    Args:
        weights: [K, O], or [G, K, O] for a product per group.
        magnitude: Largest magnitude of the inputs.

    Attributes:
        dtype: Type that the inputs must have.
        limit: No accumulator is larger in magnitude; from the types alone where these say enough.
    """

    def __init__(self, weights: Array, magnitude: int) -> None:
        self._magnitude = magnitude
        self._bound: NDArray[np.float64] | None = None
        self._bytes: Array | None = None
        self.limit = float(weights.shape[-2] * 256 * magnitude)
        if weights.dtype.itemsize == 1 and self.limit < FLOAT32_EXACT:
            self._bytes = weights  # nobody may ask for more
        else:
            self._bound = self._sums(weights)
            self.limit = float(self._bound.max(initial=0))
        self.dtype = exact_dtype(self.limit)
        cuts = [0, weights.shape[-2]]
        if self.dtype == np.float64:
            cuts = _float32_cuts(_magnitudes(weights), magnitude)
            if cuts:
                self.dtype = np.dtype(np.float32)
            else:
                cuts = [0, weights.shape[-2]]
        self._pieces = [
            (slice(start, stop), np.ascontiguousarray(weights[..., start:stop, :], self.dtype))
            for start, stop in itertools.pairwise(cuts)
        ]

    @property
    def bound(self) -> NDArray[np.float64]:
        """Per output column ([O] or [G, O]): no accumulator is larger in magnitude."""
        if self._bound is None:
            assert self._bytes is not None
            self._bound, self._bytes = self._sums(self._bytes), None
        return self._bound

    def _sums(self, weights: Array) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = _magnitudes(weights).sum(axis=-2, dtype=np.int64).astype(np.float64)
        return sums * self._magnitude

    def __call__(self, rows: Array) -> Array:
        """Multiply ``rows`` ([..., R, K], of type :attr:`dtype`) with the weights.

        Returns:
            [..., R, O]: integers, in float32, float64 or int64.
        """
        first: Array = np.matmul(rows[..., self._pieces[0][0]], self._pieces[0][1])
        if len(self._pieces) > 1:
            first = first.astype(np.float64)
            for columns, piece in self._pieces[1:]:
                first += np.matmul(rows[..., columns], piece)
        return first


def _magnitudes(weights: Array) -> Array:
    """Return absolute values in a narrow type: what large arrays of wide numbers cost is the memory."""
    if weights.dtype == np.int8:
        sizes: Array = np.abs(weights).view(np.uint8)  # that of -128 is 128 without its sign bit
        return sizes
    if weights.dtype.itemsize > 1:
        small = weights.size and -(1 << 15) < weights.min() <= weights.max() < 1 << 15
        weights = np.abs(weights.astype(np.int16 if small else np.int64, copy=False))
    return weights


def _float32_cuts(sizes: Array, magnitude: int) -> list[int]:
    """Cut the K axis into pieces in which no column's bound reaches 2**24; nothing when that does not pay.

    Args:
        sizes: Magnitudes of the weights, [..., K, O].
        magnitude: Largest magnitude of the inputs.
    """
    length = sizes.shape[-2]
    # One bound for all columns and groups: pieces hold every column.
    kind = np.int32 if sizes.dtype.itemsize <= 2 and length < 1 << 16 else np.float64
    running = np.zeros((*sizes.shape[:-2], length + 1, sizes.shape[-1]), kind)
    np.cumsum(sizes, axis=-2, dtype=kind, out=running[..., 1:, :])
    limit = FLOAT32_EXACT / max(1, magnitude)
    cuts = [0]
    while cuts[-1] < length:
        start = cuts[-1]
        reached = running[..., start + 1 :, :] - running[..., start : start + 1, :]
        within = np.all(reached < limit, axis=(*range(reached.ndim - 2), reached.ndim - 1))
        cuts.append(start + int(np.count_nonzero(within)))
        if cuts[-1] == start or (len(cuts) - 1) * _SHORTEST_PIECE > length:
            return []
    return cuts

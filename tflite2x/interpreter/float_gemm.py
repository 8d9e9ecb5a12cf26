# SPDX-License-Identifier: Apache-2.0
"""Float matrix products that stay near the reference kernels.

The reference adds the products of an output one after the other in float32. The rounding errors of that grow with the
number of products, and no better sum comes nearer to it than these errors: above a few hundred products, BLAS (and an
exact sum just as well) differs by more than 1e-6 of the largest output. Long sums are therefore added here in the
reference's order, which gives its bits; short ones go through BLAS.

Measured against LiteRT BUILTIN_REF, relative to the largest output: BLAS is mostly below 3e-7 for convolutions of up to
576 products (1.9e-6 in the worst layer of a corpus, of 8 products that cancel; in order, that takes ten times as long),
but 1.7e-6 for a fully connected layer of 784 and 2.2e-6 for a single output of 108 products that cancel. A
fully connected layer has few outputs, so no large one hides the difference: there, all sums are added in order, and
are equal bit for bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tflite2x.interpreter.kernel import Array

#: Longer sums are added in order.
CONVOLUTION_LIMIT = 576
FULLY_CONNECTED_LIMIT = 1
#: Float32 elements of a block of sums: two of them stay in the second-level cache.
_BLOCK = 1 << 15
#: Float32 elements of rows that are turned at a time.
_TURNED = 1 << 21
#: NumPy fills buffers with what it broadcasts when whole rows fit into them, and is three times as slow for it.
_BUFFER = 16
#: With fewer sums than this, one reduction over all products takes less time than one call per product.
_FEW = 1 << 9


def float_product(matrix: Array, limit: int) -> Callable[[Array], Array]:
    """Return a function that multiplies float32 rows [..., R, K] with ``matrix`` [K, O] to [..., R, O].

    Args:
        matrix: Weights, float32.
        limit: Largest K for which the product may be added in any order.
    """
    if len(matrix) <= limit:
        return lambda rows: np.asarray(np.matmul(rows, matrix))
    return lambda rows: product_in_order(rows, matrix)


def product_in_order(rows: Array, matrix: Array) -> Array:
    """Multiply [..., R, K] with [K, O]; each sum adds its products in the order of K, rounded to float32 each time.

    Source of the order: LiteRT ``internal/reference/fully_connected.h`` and ``conv.h``.
    """
    depth, columns = matrix.shape
    flat = rows.reshape(-1, depth)
    out = np.zeros((len(flat), columns), np.float32)
    if len(flat) * columns < _FEW:
        # A reduction along the last axis would add in pairs; beside a second column it goes row by row.
        wide = matrix if columns > 1 else np.repeat(matrix, 2, axis=1)
        for total, row in zip(out, flat, strict=True):
            total[:] = np.add.reduce(row[:, None] * wide, axis=0)[:columns]
        return out.reshape(*rows.shape[:-1], columns)
    step = max(1, min(_BLOCK // columns, _TURNED // depth))
    for first in range(0, len(flat), step):
        target = out[first : first + step]
        by_depth = np.ascontiguousarray(flat[first : first + step].T)
        # The longer side of the block goes last: short inner loops cost more than the additions.
        if columns >= len(target):
            accumulate(by_depth[:, :, None], matrix[:, None, :], target)
        else:
            total = np.zeros(target.shape[::-1], np.float32)
            accumulate(matrix[:, :, None], by_depth[:, None, :], total)
            target[:] = total.T
    return out.reshape(*rows.shape[:-1], columns)


def accumulate(left: Iterable[Array], right: Iterable[Array], total: Array) -> None:
    """Add the products of ``left[k]`` and ``right[k]``, which broadcast, to ``total``, one k after the other."""
    products = np.empty_like(total)
    with _unbuffered():
        for a, b in zip(left, right, strict=True):
            np.multiply(a, b, out=products)
            np.add(total, products, out=total)


@contextlib.contextmanager
def _unbuffered() -> Iterator[None]:
    before = np.setbufsize(_BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)

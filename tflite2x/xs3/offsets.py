# SPDX-License-Identifier: Apache-2.0
"""The offset of XC_fc is the product of two int16 numbers: find the pair nearest to a wanted value."""

from __future__ import annotations

import numpy as np

from tflite2x.xs3.layout import Int64

#: Factors tried per value. The remainder of a division by ``a`` is spread over ``a`` values, and the smallest of so
#: many remainders is within a few units of 0 for every offset that the lowering meets.
TRIED = 256
LARGEST = 32767


def nearest_product(wanted: Int64) -> tuple[Int64, Int64]:
    """Return int16 factors ``a > 0`` and ``b`` whose product is near ``wanted`` (exact for ``|wanted| <= 32767``).

    Args:
        wanted: int64 ``[C]``, within ``+-32767**2``.
    """
    size = np.abs(wanted)
    smallest = np.clip(-(-size // LARGEST), 1, LARGEST)
    a = np.minimum(smallest[:, None] + np.arange(TRIED), LARGEST)
    b = np.minimum((2 * size[:, None] + a) // (2 * a), LARGEST)
    pick = np.abs(a * b - size[:, None]).argmin(axis=1)[:, None]
    factor, other = (np.take_along_axis(x, pick, axis=1)[:, 0] for x in (a, b))
    return factor, np.sign(wanted) * other

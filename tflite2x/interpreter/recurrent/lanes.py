# SPDX-License-Identifier: Apache-2.0
"""Float sums in the order of LiteRT's vector code, bit for bit: four at a time, then what is left.

LiteRT's x86 build translates its Neon code to SSE. Four sums run beside each other, are added in their order, and the
elements behind the last group of four are added to that.

Source: LiteRT ``internal/optimized/neon_tensor_utils.cc`` (MatrixBatchVectorMultiplyAccumulate, VectorVectorDotProduct,
ReductionSumVector).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.float_gemm import product_in_order
from tflite2x.interpreter.kernel import Array

Float = NDArray[np.float32]
_LANES = 4


def lane_sum(x: Float) -> Float:
    """Add along the last axis."""
    whole = x.shape[-1] // _LANES * _LANES
    groups = x[..., :whole].reshape(*x.shape[:-1], whole // _LANES, _LANES)
    total = np.zeros(x.shape[:-1], np.float32)
    if whole:
        lanes = np.cumsum(groups, axis=-2, dtype=np.float32)[..., -1, :]
        total = total + np.cumsum(lanes, axis=-1, dtype=np.float32)[..., -1]
    for k in range(whole, x.shape[-1]):
        total = total + x[..., k]
    return total


class LaneMatrix:
    """Rows times the transposed weights.

    Args:
        weights: [outputs, inputs] float32.
    """

    def __init__(self, weights: Array) -> None:
        self._weights = np.ascontiguousarray(weights.T, np.float32)

    def add(self, total: Float, rows: Float) -> Float:
        """Return ``total`` [..., outputs], which broadcasts, plus the product of [..., inputs] rows."""
        depth = len(self._weights)
        whole = depth // _LANES * _LANES
        if whole:
            lanes = [product_in_order(rows[..., k:whole:_LANES], self._weights[k:whole:_LANES]) for k in range(_LANES)]
            total = total + (lanes[0] + lanes[1] + lanes[2] + lanes[3])
        for k in range(whole, depth):
            total = total + rows[..., k, None] * self._weights[k]
        return total

# SPDX-License-Identifier: Apache-2.0
"""Float rows times int8 weights: every row is quantized on the fly, the sum is an integer, the result a float again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array

Float = NDArray[np.float32]


def quantize_rows(rows: Float, *, asymmetric: bool) -> tuple[Float, Float, Float]:
    """Quantize each row to int8 (LiteRT internal/reference/portable_tensor_utils.cc).

    Args:
        rows: [..., K] float32.
        asymmetric: Use the whole range of the row and a zero point, instead of its largest magnitude.

    Returns:
        Whole numbers [..., K], scales [..., 1] and zero points [..., 1], all float32.
    """
    one = np.float32(1)
    if not asymmetric:
        largest = np.abs(rows).max(axis=-1, keepdims=True, initial=0)
        empty = largest == 0
        scale = np.where(empty, one, largest / np.float32(127))
        inverse = np.where(empty, one, np.float32(127) / np.where(empty, one, largest))
        whole = np.clip(round_half_away(rows * inverse), -127, 127)
        return np.where(empty, np.float32(0), whole), scale, np.zeros_like(scale)
    low = np.minimum(rows.min(axis=-1, keepdims=True, initial=0), 0).astype(np.float64)
    high = np.maximum(rows.max(axis=-1, keepdims=True, initial=0), 0).astype(np.float64)
    empty = low == high
    step = np.where(empty, 1.0, (high - low) / 255.0)
    from_low, from_high = -128 - low / step, 127 - high / step
    point = np.where(128 + np.abs(low / step) < 127 + np.abs(high / step), from_low, from_high)
    zero = np.where(empty, 0, round_half_away(np.clip(point, -128, 127))).astype(np.float32)
    scale = np.where(empty, 1.0, step).astype(np.float32)
    whole = np.clip(round_half_away(zero + rows * (one / scale)), -128, 127).astype(np.float32)
    return np.where(empty, np.float32(0), whole), scale, zero


class HybridMatrix:
    """Rows times the transposed int8 weights.

    Args:
        weights: [outputs, inputs] int8, or uint8 with the same bits.
        scale: Scale of the weights.
        asymmetric: See ``quantize_rows``.
    """

    def __init__(self, weights: Array, scale: float, *, asymmetric: bool) -> None:
        signed = weights.view(np.int8)
        self._gemm = ExactGemm(np.ascontiguousarray(signed.T), 128)
        self._sums = signed.sum(axis=1, dtype=np.int64).astype(np.float64)
        self._scale = np.float32(scale)
        self._asymmetric = asymmetric

    def __call__(self, rows: Float) -> Float:
        """Multiply [..., inputs] float32 rows."""
        whole, scale, zero = quantize_rows(rows, asymmetric=self._asymmetric)
        total = self._gemm(whole.astype(self._gemm.dtype))
        if self._asymmetric:
            total = total - zero * self._sums
        return np.asarray(total, np.float32) * (self._scale * scale)

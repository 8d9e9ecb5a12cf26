# SPDX-License-Identifier: Apache-2.0
"""Float rows times int8 weights: every row is quantized on the fly, the sum is an integer, the result a float again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.hybrid import quantize_asymmetric, quantize_symmetric
from tflite2x.interpreter.kernel import Array

Float = NDArray[np.float32]


def quantize_rows(rows: Float, *, asymmetric: bool) -> tuple[Float, Float, Float]:
    """Quantize each row to int8.

    Args:
        rows: [..., K] float32.
        asymmetric: Use the whole range of the row and a zero point, instead of its largest magnitude.

    Returns:
        Whole numbers [..., K], scales [..., 1] and zero points [..., 1], all float32.
    """
    flat, ends = rows.reshape(-1, rows.shape[-1]), (*rows.shape[:-1], 1)
    if asymmetric:
        whole, scale, zero_point = quantize_asymmetric(flat)
        zero = zero_point.astype(np.float32)
    else:
        whole, scale = quantize_symmetric(flat)
        zero = np.zeros_like(scale)
    return whole.reshape(rows.shape), scale.reshape(ends), zero.reshape(ends)


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

    def add(self, total: Float, rows: Float) -> Float:
        """Return ``total``, which broadcasts, plus the product."""
        return total + self(rows)

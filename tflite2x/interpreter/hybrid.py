# SPDX-License-Identifier: Apache-2.0
"""Dynamic quantization: float activations are quantized row by row at run time to meet int8 weights.

LiteRT's x86 code computes some products of the weight -128 with the wrong sign (``internal/optimized/
sse_tensor_utils.cc`` negates it in int8); converters do not write that weight. Here such products are right.

Formulas: LiteRT ``internal/optimized/neon_tensor_utils.cc`` (SymmetricQuantizeFloats, AsymmetricQuantizeFloats), which
its x86 build translates to SSE. It differs from the portable code in the last bits: the range of a row is subtracted in
float32, the zero point is added behind the rounding, and elements in groups of eight are rounded by adding a half in
float32 and truncating.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array

Float32 = NDArray[np.float32]

#: LiteRT quantizes so many elements at a time.
_GROUP = 8


def quantize_symmetric(rows: Array) -> tuple[Float32, Float32]:
    """Quantize every row to -127..127 with a scale of its own.

    Args:
        rows: [R, n] float32.

    Returns:
        The integers as float32 [R, n], and the scales [R]. A row of zeros has scale 1.
    """
    extent = np.abs(rows).max(axis=1, initial=0).astype(np.float32)
    zero = extent == 0
    safe = np.where(zero, np.float32(1), extent)
    inverse = np.float32(127) / safe
    quantized = np.clip(_round(rows * inverse[:, None]), -127, 127)
    return quantized, np.where(zero, np.float32(1), safe / np.float32(127))


def quantize_asymmetric(rows: Array) -> tuple[Float32, Float32, NDArray[np.int64]]:
    """Quantize every row to -128..127 with a scale and a zero point of its own.

    Args:
        rows: [R, n] float32.

    Returns:
        The integers as float32 [R, n], the scales [R] and the zero points [R]. A row of zeros has scale 1 and zero
        point 0.
    """
    low, high = rows.min(axis=1, initial=0), rows.max(axis=1, initial=0)
    flat = low == high
    wide = np.where(flat, 1.0, (high - low).astype(np.float64) / 255.0)
    from_low, from_high = -128.0 - low / wide, 127.0 - high / wide
    nearer_low = 128.0 + np.abs(low / wide) < 127.0 + np.abs(high / wide)
    zero_point = np.clip(round_half_away(np.where(nearer_low, from_low, from_high)), -128, 127)
    zero_point = np.where(flat, 0.0, zero_point)
    scale = np.where(flat, 1.0, wide).astype(np.float32)
    inverse = np.float32(1) / scale
    quantized = _round(rows * inverse[:, None]) + zero_point.astype(np.float32)[:, None]
    quantized = np.clip(quantized, -128, 127)
    quantized[flat] = 0
    return quantized, scale, zero_point.astype(np.int64)


def _round(rows: Array) -> Array:
    """Round halves away from zero; only the largest float below a half tells the two ways apart."""
    whole = rows.shape[1] // _GROUP * _GROUP
    result = np.trunc(rows + np.copysign(np.float32(0.5), rows))
    result[:, whole:] = round_half_away(rows[:, whole:])
    return np.asarray(result)

# SPDX-License-Identifier: Apache-2.0
"""Real numbers as integers of a quantized tensor, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import InputError
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array

if TYPE_CHECKING:
    from tflite2x.ir import Tensor


def quantize(array: Array, tensor: Tensor) -> Array:
    """Turn real numbers into the integers of a quantized input, as the operator QUANTIZE would.

    Formula: clamp(round(x / scale) + zero_point) in float32, halves away from zero (LiteRT
    reference/quantize.h, AffineQuantize). Inputs that are not quantized stay as they are.

    Raises:
        InputError: A number is NaN, which no integer stands for.
    """
    scale = _one_scale(tensor)
    if scale is None or array.dtype.kind not in "biuf":
        return array
    limits = np.iinfo(tensor.numpy_dtype)
    with np.errstate(all="ignore"):
        steps = round_half_away(array.astype(np.float32) / scale[0]).astype(np.float64) + scale[1]
    if np.isnan(steps).any():
        raise InputError("a value is NaN, which cannot be quantized", where=f"input {tensor.name!r}")
    integers: Array = np.clip(steps, limits.min, limits.max).astype(tensor.numpy_dtype)
    return integers


def dequantize(array: Array, tensor: Tensor) -> Array:
    """Turn the integers of a quantized output into real numbers: scale * (integer - zero_point), float32."""
    scale = _one_scale(tensor)
    if scale is None or array.dtype.kind not in "iu":
        return array
    real: Array = ((array.astype(np.float64) - scale[1]) * scale[0]).astype(np.float32)
    return real


def _one_scale(tensor: Tensor) -> tuple[np.float32, int] | None:
    """Return scale and zero point of an integer tensor that has one of each, or None."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale.size != 1 or tensor.numpy_dtype.kind not in "iu":
        return None
    zero_point = int(quantization.zero_point[0]) if quantization.zero_point.size else 0
    return quantization.scale[0], zero_point

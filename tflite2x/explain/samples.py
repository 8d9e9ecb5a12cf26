# SPDX-License-Identifier: Apache-2.0
"""Real numbers as inputs of a model, whatever type it takes, and its outputs as real numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import InputError
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.specs import tensor_spec

if TYPE_CHECKING:
    from tflite2x.ir import Tensor


def real_samples(x: Array, tensor: Tensor) -> Array:
    """Return samples as real numbers: integers of a quantized input stand for some, floats are some."""
    spec = tensor_spec(tensor)
    if x.dtype.kind == "f" or spec.scale.size != 1 or x.dtype != spec.dtype:
        return x
    return np.asarray((x.astype(np.float64) - spec.z) * spec.s)


def input_samples(x: Array, tensor: Tensor) -> Array:
    """Return real samples [N, ...] in type and shape of an input.

    Quantized inputs get what QUANTIZE makes of the samples (LiteRT reference/quantize.h).

    Raises:
        InputError: The samples are no real numbers, or an integer input would get NaN.
    """
    spec = tensor_spec(tensor)
    if x.dtype.kind not in "biuf":
        raise InputError(f"samples of type {x.dtype} are no real numbers", where=tensor.where)
    if spec.dtype.kind in "iu" and x.dtype.kind == "f" and np.isnan(x).any():
        raise InputError("a sample is NaN, which cannot be quantized", where=tensor.where)
    x = quantize(x, tensor).astype(spec.dtype)
    shape = (len(x), *tensor.shape)
    return x.reshape(shape) if x.size == math.prod(shape) else x


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

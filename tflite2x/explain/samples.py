# SPDX-License-Identifier: Apache-2.0
"""Real numbers as inputs of a model, whatever type it takes, and its outputs as real numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import InputError
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.real import dequantize, quantize
from tflite2x.interpreter.specs import tensor_spec

if TYPE_CHECKING:
    from tflite2x.ir import Tensor

__all__ = ["dequantize", "input_samples", "quantize", "real_samples"]


def real_samples(x: Array, tensor: Tensor) -> Array:
    """Return samples as real numbers: integers of a quantized input stand for some, floats are some."""
    spec = tensor_spec(tensor)
    if x.dtype.kind not in "biuf":
        raise InputError(f"samples of type {x.dtype} are no real numbers", where=tensor.where)
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

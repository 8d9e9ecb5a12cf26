# SPDX-License-Identifier: Apache-2.0
"""From tensors of the graph to what kernels know about them before the model runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.kernel import Array, TensorSpec
from tflite2x.ir.dtypes import numpy_dtype
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Tensor

_NO_SCALE: NDArray[np.float32] = np.zeros(0, np.float32)
_NO_ZERO_POINT: NDArray[np.int64] = np.zeros(0, np.int64)

#: Operators whose output has a type of its own, and options that name it.
_OWN_TYPES = {
    TensorType.INT32: "RANK",
    TensorType.INT64: "WHERE",
    TensorType.FLOAT32: "DEQUANTIZE",
    TensorType.BOOL: "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL LOGICAL_AND LOGICAL_OR",
}
_OWN_TYPE = {name: dtype for dtype, names in _OWN_TYPES.items() for name in names.split()}
_TYPE_OPTIONS = {"SHAPE": "out_type", "ARG_MAX": "output_type", "ARG_MIN": "output_type"}


def run_time_type(tensor: Tensor) -> TensorType:
    """Return the type of a tensor's values: that of the file, but for operators that set the type themselves.

    LiteRT does that when it prepares them: RANK gives int32 whatever the file says of its output, for example.
    """
    producer = tensor.producer
    if producer is None or producer.custom_code is not None:
        return tensor.dtype
    name = producer.name
    named = getattr(producer.options, _TYPE_OPTIONS[name], None) if name in _TYPE_OPTIONS else None
    if named in (TensorType.INT32, TensorType.INT64):
        return TensorType(named)
    own = _OWN_TYPE.get(name, tensor.dtype)
    if name == "DEQUANTIZE" and tensor.dtype in (TensorType.FLOAT16, TensorType.BFLOAT16):
        return tensor.dtype
    return own


def constant_value(tensor: Tensor) -> Array | None:
    """Return the read-only value that the file gives to ``tensor``, in its run-time type, or None."""
    if tensor.is_variable:
        return None
    data = tensor.data
    if data is None:
        # A tensor without elements needs no buffer to have a value.
        return np.zeros(tensor.shape, numpy_dtype(tensor.dtype)) if 0 in tensor.shape else None
    value = data.view()
    value.flags.writeable = False
    return value


def tensor_spec(tensor: Tensor, const: Array | None = None) -> TensorSpec:
    """Describe ``tensor`` to kernels; ``const`` is its value where it is known before the model runs."""
    quantization = tensor.quantization
    scale, zero_point, axis = _NO_SCALE, _NO_ZERO_POINT, 0
    if quantization is not None and quantization.scale.size:
        scale = quantization.scale
        axis = quantization.quantized_dimension
        # Files may leave the zero points out, or give one for all channels.
        if quantization.zero_point.shape == scale.shape:
            zero_point = quantization.zero_point.copy()
        else:
            zero_point = np.full(scale.shape, quantization.zero_point[0] if quantization.zero_point.size else 0)
    type_ = run_time_type(tensor)
    return TensorSpec(
        name=tensor.name or f"tensor {tensor.index}",
        type=type_,
        dtype=numpy_dtype(type_),
        shape=tensor.shape,
        scale=scale,
        zero_point=zero_point,
        axis=axis,
        const=const,
        is_variable=tensor.is_variable,
        quantization=quantization,
    )

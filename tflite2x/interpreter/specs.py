# SPDX-License-Identifier: Apache-2.0
"""From tensors of the graph to what kernels know about them before the model runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.kernel import Array, TensorSpec
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Tensor

#: Run-time array types. INT4, UINT4 and INT2 are unpacked, one element per byte. Strings and variants are objects;
#: a resource is the int32 number that LiteRT uses as well.
_DTYPES: dict[TensorType, np.dtype[Any]] = {
    TensorType.FLOAT32: np.dtype(np.float32),
    TensorType.FLOAT16: np.dtype(np.float16),
    TensorType.FLOAT64: np.dtype(np.float64),
    TensorType.INT8: np.dtype(np.int8),
    TensorType.INT16: np.dtype(np.int16),
    TensorType.INT32: np.dtype(np.int32),
    TensorType.INT64: np.dtype(np.int64),
    TensorType.UINT8: np.dtype(np.uint8),
    TensorType.UINT16: np.dtype(np.uint16),
    TensorType.UINT32: np.dtype(np.uint32),
    TensorType.UINT64: np.dtype(np.uint64),
    TensorType.BOOL: np.dtype(np.bool_),
    TensorType.COMPLEX64: np.dtype(np.complex64),
    TensorType.COMPLEX128: np.dtype(np.complex128),
    TensorType.STRING: np.dtype(object),
    TensorType.RESOURCE: np.dtype(np.int32),
    TensorType.VARIANT: np.dtype(object),
    TensorType.INT4: np.dtype(np.int8),
    TensorType.UINT4: np.dtype(np.uint8),
    TensorType.INT2: np.dtype(np.int8),
}

#: Types that only ml_dtypes knows.
_EXTENDED = {
    TensorType.BFLOAT16: "bfloat16",
    TensorType.FLOAT8_E4M3FN: "float8_e4m3fn",
    TensorType.FLOAT8_E5M2: "float8_e5m2",
}

_NO_SCALE: NDArray[np.float32] = np.zeros(0, np.float32)
_NO_ZERO_POINT: NDArray[np.int64] = np.zeros(0, np.int64)


def run_time_dtype(tensor_type: TensorType) -> np.dtype[Any]:
    """Return the NumPy type of the arrays that hold values of ``tensor_type`` while a model runs.

    Raises:
        UnsupportedError: The type needs ``ml_dtypes``, which is not installed.
    """
    dtype = _DTYPES.get(tensor_type)
    if dtype is None:
        try:
            import ml_dtypes
        except ImportError as error:
            raise UnsupportedError(
                f"values of type {tensor_type.name} need the package ml_dtypes",
                hint="Install it with: pip install 'tflite2x[dtypes]'.",
            ) from error
        dtype = np.dtype(getattr(ml_dtypes, _EXTENDED[tensor_type]))
        _DTYPES[tensor_type] = dtype
    return dtype


def constant_value(tensor: Tensor) -> Array | None:
    """Return the read-only value that the file gives to ``tensor``, in its run-time type, or None."""
    if tensor.is_variable:
        return None
    data = tensor.data
    dtype = run_time_dtype(tensor.dtype)
    if data is None:
        # A tensor without elements needs no buffer to have a value.
        return np.zeros(tensor.shape, dtype) if 0 in tensor.shape else None
    value = np.asarray(data)
    if value.dtype != dtype:
        value = value.view(dtype) if value.dtype.itemsize == dtype.itemsize else value.astype(dtype)
    if value.flags.writeable:
        value = value.view()
        value.flags.writeable = False
    return value


def tensor_spec(tensor: Tensor, const: Array | None = None) -> TensorSpec:
    """Describe ``tensor`` to kernels; ``const`` is its value where it is known before the model runs."""
    quantization = tensor.quantization
    scale, zero_point, axis = _NO_SCALE, _NO_ZERO_POINT, 0
    if quantization is not None and quantization.scale is not None and len(quantization.scale):
        scale = np.asarray(quantization.scale, np.float32)
        axis = int(quantization.quantized_dimension)
        points = quantization.zero_point
        # Files may leave the zero points out, or give one for all channels.
        zero_point = np.zeros(scale.shape, np.int64)
        if points is not None and len(points):
            zero_point[...] = points if len(points) in (1, len(scale)) else points[0]
    return TensorSpec(
        name=tensor.name,
        type=tensor.dtype,
        dtype=run_time_dtype(tensor.dtype),
        shape=tuple(tensor.shape),
        scale=scale,
        zero_point=zero_point,
        axis=axis,
        const=const,
        is_variable=tensor.is_variable,
        quantization=quantization,
    )

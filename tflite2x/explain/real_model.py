# SPDX-License-Identifier: Apache-2.0
"""A quantized model as the real arithmetic that it approximates: the same graph on floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.specs import tensor_spec
from tflite2x.ir.dtypes import type_name
from tflite2x.schema.enums import BuiltinOperator, TensorType
from tflite2x.schema.tables import CastOptions

if TYPE_CHECKING:
    from tflite2x.ir import Model, Tensor

_INTEGERS = ("INT8", "UINT8", "INT16", "INT32", "INT64", "INT4")


def real_model(model: Model) -> Model:
    """Return a copy in which every quantized tensor holds real numbers.

    Constants become the numbers that they stand for, and nothing is rounded or clamped to integer types any more. What
    a quantized model computes differently from it is the error of quantizing the activations. Names, shapes and order
    of tensors and operators stay; QUANTIZE and DEQUANTIZE become a CAST that changes nothing.

    Args:
        model: The model; it is not changed.
    """
    copy = model.clone()
    for graph in copy.subgraphs:
        for tensor in graph.tensors:
            quantization = tensor.quantization
            if quantization is not None and quantization.scale.size and type_name(tensor.dtype).upper() in _INTEGERS:
                _to_float(tensor)
        for op in graph.operators:
            source = op.inputs[0] if op.name in ("QUANTIZE", "DEQUANTIZE") and op.inputs and op.outputs else None
            if source is not None and source.dtype == op.outputs[0].dtype == TensorType.FLOAT32:
                op.set_code(BuiltinOperator.CAST)
                op.options = CastOptions(TensorType.FLOAT32, TensorType.FLOAT32)
    return copy


def _to_float(tensor: Tensor) -> None:
    data, spec = tensor.data, tensor_spec(tensor)
    if data is not None:
        scale, zero = spec.scale.astype(np.float64), spec.zero_point
        shape = [1] * data.ndim
        if scale.size > 1 and (not 0 <= spec.axis < data.ndim or data.shape[spec.axis] != scale.size):
            raise UnsupportedError(
                f"{scale.size} scales along axis {spec.axis} do not fit shape {list(data.shape)}", where=tensor.where
            )
        if scale.size > 1:
            shape[spec.axis] = scale.size
        real = (data.astype(np.float64) - zero.reshape(shape)) * scale.reshape(shape)
        # A buffer of its own: other tensors may share the old one.
        tensor.buffer = tensor.subgraph.model.add_buffer(np.ascontiguousarray(real, np.float32).tobytes())
    tensor.quantization = None
    tensor.dtype = TensorType.FLOAT32

# SPDX-License-Identifier: Apache-2.0
"""From an operator of a model to a :class:`~tflite2x.xs3.layer.Layer`, or to the reason why there is none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.fixedpoint import activation_range
from tflite2x.interpreter.specs import tensor_spec
from tflite2x.ir.dtypes import type_name
from tflite2x.schema.enums import ActivationFunctionType, TensorType
from tflite2x.xs3.layer import Float64, Layer

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Quantization, Tensor

_CLAMPS = (
    ActivationFunctionType.NONE,
    ActivationFunctionType.RELU,
    ActivationFunctionType.RELU6,
    ActivationFunctionType.RELU_N1_TO_1,
)


def layer_of(op: Operator) -> Layer:
    """Return the layer that a FULLY_CONNECTED computes.

    Raises:
        UnsupportedError: The operator is none that XC_fc can replace; the message is the reason.
    """
    reason = obstacle(op)
    if reason:
        raise UnsupportedError(reason, where=op.where)
    x, weights, bias, out = tensors(op)
    assert x is not None
    assert weights is not None
    options = op.options
    activation = ActivationFunctionType.NONE if options is None else options.fused_activation_function
    data = weights.data
    assert data is not None
    bias_data = None if bias is None else bias.data
    return Layer(
        weights=np.ascontiguousarray(data),
        bias=None if bias_data is None else bias_data.reshape(-1),
        input_scale=_scale(x),
        input_zero_point=_zero_point(x),
        weight_scales=_scales(weights.quantization),
        output_scale=_scale(out),
        output_zero_point=_zero_point(out),
        bias_scales=None if bias is None or not _has_scale(bias) else _scales(bias.quantization),
        activation=activation_range(int(activation), tensor_spec(out)),
        name=op.where,
    )


def tensors(op: Operator) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor]:
    """Return input, weights, bias and output; what is absent is None."""
    x, weights, bias = (*op.inputs, None, None, None)[:3]
    return x, weights, bias, op.outputs[0]


def obstacle(op: Operator) -> str:
    """Say why XC_fc cannot replace an operator; empty when it can."""
    if op.name != "FULLY_CONNECTED":
        return f"{op.name} is no FULLY_CONNECTED"
    if len(op.outputs) != 1 or not 2 <= len(op.inputs) <= 3:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    x, weights, bias, out = tensors(op)
    if x is None or weights is None:
        return "its input or its weights are absent"
    return _types(x, weights, bias, out) or _options(op) or _shapes(x, weights, bias, out) or _scales_fit(op)


def _types(x: Tensor, weights: Tensor, bias: Tensor | None, out: Tensor) -> str:
    for what, tensor in (("input", x), ("weights", weights), ("output", out)):
        if tensor.dtype != TensorType.INT8:
            return f"the {what} {'are' if what == 'weights' else 'is'} {type_name(tensor.dtype)}, not int8"
    if bias is not None and bias.dtype != TensorType.INT32:
        return f"the bias is {type_name(bias.dtype)}, not int32"
    for what, constant in (("weights are", weights), ("bias is", bias)):
        if constant is not None and not constant.is_constant:
            return f"the {what} computed, not constant"
    if weights.sparsity is not None:
        return "the weights are stored as a sparse tensor, which LiteRT rounds differently"
    return ""


def _name(activation: int) -> str:
    return activation.name if isinstance(activation, ActivationFunctionType) else str(activation)


def _options(op: Operator) -> str:
    options = op.options
    if options is None:
        return ""
    if int(options.weights_format):
        return "the weights are shuffled"
    if options.fused_activation_function not in _CLAMPS:
        return f"the fused activation {_name(options.fused_activation_function)} is no clamp"
    return ""


def _shapes(x: Tensor, weights: Tensor, bias: Tensor | None, out: Tensor) -> str:
    if len(weights.shape) != 2 or not all(weights.shape):
        return f"the weights have shape {list(weights.shape)}"
    channels, columns = weights.shape
    if bias is not None and bias.num_elements != channels:
        return f"the bias has {bias.num_elements} values for {channels} channels"
    rows = math.prod(x.shape) / columns
    if rows != 1:
        return f"it computes {rows:g} rows ({list(x.shape)} by {columns} columns), XC_fc computes one"
    if out.num_elements != channels:
        return f"the output has shape {list(out.shape)} for {channels} channels"
    return ""


def _scales_fit(op: Operator) -> str:
    x, weights, _, out = tensors(op)
    assert x is not None
    assert weights is not None
    for what, tensor in (("input", x), ("output", out)):
        if not _has_scale(tensor) or _scales(tensor.quantization).size != 1:
            return f"the {what} has no single scale"
        if not -128 <= _zero_point(tensor) <= 127:
            return f"the {what} has the zero point {_zero_point(tensor)}, outside of int8"
    if not _has_scale(weights):
        return "the weights have no scale"
    scales = _scales(weights.quantization)
    if scales.size not in (1, weights.shape[0]):
        return f"the weights have {scales.size} scales for {weights.shape[0]} channels"
    quantization = weights.quantization
    assert quantization is not None
    if quantization.details is not None:
        return "the weights are quantized by blocks"
    if scales.size > 1 and quantization.quantized_dimension != 0:
        return f"the weights' scales lie along axis {quantization.quantized_dimension}, not 0"
    if quantization.zero_point.any():
        return "the weights have a zero point other than 0"
    values = [_scale(x), _scale(out), *scales.tolist()]
    if not all(math.isfinite(v) and v > 0 for v in values):
        return "a scale is not a positive number"
    return ""


def _has_scale(tensor: Tensor) -> bool:
    return tensor.quantization is not None and bool(tensor.quantization.scale.size)


def _scales(quantization: Quantization | None) -> Float64:
    assert quantization is not None
    return quantization.scale.astype(np.float64)


def _scale(tensor: Tensor) -> float:
    return float(_scales(tensor.quantization)[0])


def _zero_point(tensor: Tensor) -> int:
    assert tensor.quantization is not None
    zero_point = tensor.quantization.zero_point
    return int(zero_point[0]) if zero_point.size else 0

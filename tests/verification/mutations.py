# SPDX-License-Identifier: Apache-2.0
"""Automatically broken passes: each breaks one thing at one place of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tflite2x.rewrite import Pass, PassResult
from tflite2x.schema.enums import ActivationFunctionType, Padding

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Tensor

KINDS = (
    "weight", "bias", "weight scale", "output scale", "output zero point", "swap inputs", "drop operator", "axis",
    "padding", "stride", "activation", "shape",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Break(Pass):
    """Breaks operator ``index`` in the way ``kind`` says and claims to have changed nothing that counts."""

    name: ClassVar[str] = "test-break"
    kind: str = "weight"
    index: int = 0

    def run(self, model: Model) -> PassResult:
        result = PassResult()
        op = model.main.operators[self.index]
        result.replace(op, self.kind)
        apply(op, self.kind)
        return result


def possible(model: Model) -> Iterator[Break]:
    """Yield every way to break a model."""
    for index, op in enumerate(model.main.operators):
        for kind in KINDS:
            if applies(op, kind):
                yield Break(kind, index)


def _weights(op: Operator) -> Tensor | None:
    if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    weights = op.inputs[1]
    return weights if weights is not None and weights.is_constant and weights.numpy_dtype.itemsize in (1, 4) else None


def _bias(op: Operator) -> Tensor | None:
    return op.inputs[2] if _weights(op) is not None and len(op.inputs) > 2 else None


def _computed(op: Operator) -> list[int]:
    return [i for i, t in enumerate(op.inputs) if t is not None and not t.is_constant]


def applies(op: Operator, kind: str) -> bool:
    """Whether an operator can be broken in this way."""
    weights, out = _weights(op), op.outputs[0]
    quantized = out.quantization is not None and out.quantization.scale.size == 1 and out.dtype.name == "INT8"
    if kind == "weight":
        return weights is not None
    if kind == "bias":
        return _bias(op) is not None
    if kind == "weight scale":
        return weights is not None and weights.quantization is not None and weights.quantization.scale.size > 0
    if kind in ("output scale", "output zero point"):
        return quantized and op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "QUANTIZE", "MUL")
    if kind == "swap inputs":
        return op.name in ("SUB", "DIV", "CONCATENATION") and len(_computed(op)) >= 2
    if kind == "drop operator":
        source = op.inputs[_computed(op)[0]] if _computed(op) else None
        return (
            source is not None
            and source.dtype == out.dtype
            and tuple(source.shape) == tuple(out.shape)
            and not (source.is_input and out.is_output)
            and not out.is_output
        )
    if kind == "axis":
        return op.name == "CONCATENATION" and len({tuple(t.shape) for t in op.inputs if t is not None}) == 1
    if kind == "padding":
        return op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D")
    if kind == "stride":
        return op.name in ("CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D")
    if kind == "activation":
        return op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD")
    return op.name == "RESHAPE" and len(op.inputs) > 1 and op.inputs[1] is not None and op.inputs[1].is_constant


def apply(op: Operator, kind: str) -> None:
    """Break an operator."""
    weights, bias, out = _weights(op), _bias(op), op.outputs[0]
    if kind == "weight" and weights is not None:
        data = np.array(weights.data)
        place = np.unravel_index(np.argmax(np.abs(data.astype(np.float64))), data.shape)
        data[place] = ~data[place] if data.dtype.kind in "iu" else -data[place]
        weights.data = data
    elif kind == "bias" and bias is not None:
        data = np.array(bias.data)
        step = min(float(np.abs(data.astype(np.float64)).max()) + 1, 1e6)
        data[0] += np.asarray(step if data[0] <= 0 else -step).astype(data.dtype)
        bias.data = data
    elif kind == "weight scale" and weights is not None and weights.quantization is not None:
        weights.quantization.scale = weights.quantization.scale * np.float32(1.5)
    elif kind == "output scale" and out.quantization is not None:
        out.quantization.scale = out.quantization.scale * np.float32(1.25)
    elif kind == "output zero point" and out.quantization is not None:
        out.quantization.zero_point = out.quantization.zero_point + np.where(out.quantization.zero_point > 0, -3, 3)
    elif kind == "swap inputs":
        first, second = _computed(op)[:2]
        inputs = list(op.inputs)
        inputs[first], inputs[second] = inputs[second], inputs[first]
        op.set_inputs(inputs)
    elif kind == "drop operator":
        source = op.inputs[_computed(op)[0]]
        assert source is not None
        op.subgraph.replace_all_uses(out, source)
        op.subgraph.remove_operator(op)
    elif kind == "axis":
        op.options.axis = op.options.axis - 1 if op.options.axis else len(out.shape) - 1
    elif kind == "padding":
        op.options.padding = Padding.VALID if op.options.padding == Padding.SAME else Padding.SAME
    elif kind == "stride":
        op.options.stride_w += 1
    elif kind == "activation":
        none, relu = ActivationFunctionType.NONE, ActivationFunctionType.RELU
        op.options.fused_activation_function = relu if op.options.fused_activation_function == none else none
    elif kind == "shape":
        shape = op.inputs[1]
        assert shape is not None
        values = np.array(shape.data)
        values[-1] = values[-1] + 1 if values[-1] != -1 else 3
        op.set_input(1, op.subgraph.add_constant("broken shape", values))

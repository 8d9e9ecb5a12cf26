# SPDX-License-Identifier: Apache-2.0
"""Automatically broken passes: each breaks one thing at one place of a model and claims to have changed nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tflite2x.rewrite import Pass, PassResult, sites
from tflite2x.rewrite.interface import InterfaceChange
from tflite2x.schema.enums import ActivationFunctionType, Padding

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Tensor

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_POOLS = ("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D")
_BINARY = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU")
_ORDERED = (
    "SUB", "DIV", "CONCATENATION", "POW", "PACK", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "FLOOR_DIV",
    "FLOOR_MOD", "ATAN2",
)  # fmt: skip
#: Inputs that say which axes are meant.
_AXES = {
    "MEAN": 1, "SUM": 1, "REDUCE_PROD": 1, "REDUCE_MAX": 1, "REDUCE_MIN": 1, "ARG_MAX": 1, "ARG_MIN": 1, "TRANSPOSE": 1,
    "SPLIT": 0, "SPLIT_V": 2, "REVERSE_V2": 1, "CUMSUM": 1,
}  # fmt: skip
#: Inputs that say which lengths, beginnings or ends are meant.
_LENGTHS = {
    "RESHAPE": (1,), "SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3), "PAD": (1,), "PADV2": (1,), "MIRROR_PAD": (1,),
    "RESIZE_BILINEAR": (1,), "RESIZE_NEAREST_NEIGHBOR": (1,), "TILE": (1,), "BROADCAST_TO": (1,), "SPLIT_V": (1,),
    "TRANSPOSE_CONV": (0,), "SPACE_TO_BATCH_ND": (1, 2), "BATCH_TO_SPACE_ND": (1, 2), "GATHER": (1,), "TOPK_V2": (1,),
}  # fmt: skip
#: Numbers among the options that change what is computed.
_NUMBERS = {
    "SOFTMAX": "beta", "LEAKY_RELU": "alpha", "SPACE_TO_DEPTH": "block_size", "DEPTH_TO_SPACE": "block_size",
    "MAX_POOL_2D": "filter_width", "AVERAGE_POOL_2D": "filter_height", "RESIZE_BILINEAR": "align_corners",
    "RESIZE_NEAREST_NEIGHBOR": "half_pixel_centers", "STRIDED_SLICE": "begin_mask",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Break(Pass):
    """Breaks operator ``index`` in the way ``kind`` says and claims to have changed nothing that counts."""

    name: ClassVar[str] = "test-break"
    kind: str = "weight"
    index: int = 0

    def run(self, model: Model) -> PassResult:
        result = PassResult()
        op = model.main.operators[self.index]
        if sites.allowed(op):
            result.replace(op, self.kind)
            # Says of every output that it means what it meant: a silent change is refused before anything runs.
            source = op.inputs[_computed(op)[0]] if self.kind == "drop operator" else None
            result.interface += [InterfaceChange("output", t, source or t) for t in op.outputs if t.is_output]
            _KINDS[self.kind][1](op)
        return result

    def culprits(self, model: Model) -> set[str]:
        """Return the places of all operators of the model before that compute something else afterwards."""
        op = model.main.operators[self.index]
        found = {op.where}
        if self.kind.startswith("output"):
            found |= {user.where for user in op.outputs[0].consumers}
        tensors = [_constant(op)] if self.kind in ("weight", "weight scale", "weight zero point", "constant") else []
        tensors += [_bias(op)] if self.kind == "bias" else []
        return found | {user.where for t in tensors if t is not None for user in t.consumers}


def possible(model: Model) -> Iterator[Break]:
    """Yield every way to break a model."""
    for index, op in enumerate(model.main.operators):
        for kind, (applies, _) in _KINDS.items():
            if op.outputs and applies(op):
                yield Break(kind, index)


def _numeric(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.is_constant and tensor.dtype.name in ("FLOAT32", "INT8", "UINT8", "INT16")


def _constant(op: Operator) -> Tensor | None:
    """Return the constant that an operator computes with: weights, or one operand."""
    if op.name in _WEIGHTED:
        return op.inputs[1] if _numeric(op.inputs[1]) else None
    return next((t for t in op.inputs if _numeric(t)), None) if op.name in _BINARY else None


def _weights(op: Operator) -> Tensor | None:
    return _constant(op) if op.name in _WEIGHTED else None


def _quantized_weights(op: Operator) -> Tensor | None:
    weights = _constant(op)
    return weights if weights is not None and weights.quantization and weights.quantization.scale.size else None


def _bias(op: Operator) -> Tensor | None:
    place = 3 if op.name == "TRANSPOSE_CONV" else 2
    return op.inputs[place] if op.name in _WEIGHTED and len(op.inputs) > place else None


def _computed(op: Operator) -> list[int]:
    return [i for i, t in enumerate(op.inputs) if t is not None and not t.is_constant]


def _requantizes(op: Operator) -> bool:
    quantization = op.outputs[0].quantization
    return (
        quantization is not None
        and quantization.scale.size == 1
        and op.outputs[0].dtype.name in ("INT8", "UINT8", "INT16")
        and op.name in (*_WEIGHTED, "ADD", "SUB", "MUL", "QUANTIZE", "MEAN", "LEAKY_RELU", "HARD_SWISH", "PRELU")
    )


def _change_weight(op: Operator) -> None:
    weights = _constant(op)
    assert weights is not None
    data = np.array(weights.data)
    place = np.unravel_index(np.argmax(np.abs(data.astype(np.float64))), data.shape)
    data[place] = ~data[place] if data.dtype.kind in "iu" else -data[place]
    weights.data = data


def _change_bias(op: Operator) -> None:
    bias = _bias(op)
    assert bias is not None
    data = np.array(bias.data)
    step = min(float(np.abs(data.astype(np.float64)).max()) + 1, 1e6)
    data[0] += np.asarray(step if data[0] <= 0 else -step).astype(data.dtype)
    bias.data = data


def _scale_weights(op: Operator) -> None:
    weights = _quantized_weights(op)
    assert weights is not None
    assert weights.quantization is not None
    weights.quantization.scale = weights.quantization.scale * np.float32(1.5)


def _shift_weights(op: Operator) -> None:
    weights = _quantized_weights(op)
    assert weights is not None
    assert weights.quantization is not None
    weights.quantization.zero_point = weights.quantization.zero_point + 1


def _scale_output(op: Operator) -> None:
    quantization = op.outputs[0].quantization
    assert quantization is not None
    quantization.scale = quantization.scale * np.float32(1.25)


def _shift_output(op: Operator) -> None:
    quantization = op.outputs[0].quantization
    assert quantization is not None
    quantization.zero_point = quantization.zero_point + np.where(quantization.zero_point > 0, -3, 3)


def _swap(op: Operator) -> None:
    first, second = _computed(op)[:2]
    inputs = list(op.inputs)
    inputs[first], inputs[second] = inputs[second], inputs[first]
    op.set_inputs(inputs)


def _can_drop(op: Operator) -> bool:
    source = op.inputs[_computed(op)[0]] if _computed(op) else None
    out = op.outputs[0]
    return (
        source is not None
        and len(op.outputs) == 1
        and source.dtype == out.dtype
        and tuple(source.shape) == tuple(out.shape)
        and not (source.is_input and out.is_output)
    )


def _drop(op: Operator) -> None:
    source = op.inputs[_computed(op)[0]]
    assert source is not None
    op.subgraph.replace_all_uses(op.outputs[0], source)
    op.subgraph.remove_operator(op)


def _axis_input(op: Operator) -> Tensor | None:
    place = _AXES.get(op.name, len(op.inputs))
    return op.inputs[place] if place < len(op.inputs) else None


def _can_turn(op: Operator) -> bool:
    axes = _axis_input(op)
    if axes is not None:
        return axes.is_constant
    return hasattr(op.options, "axis") and op.name in ("CONCATENATION", "PACK", "UNPACK", "GATHER")


def _turn(op: Operator) -> None:
    axes = _axis_input(op)
    if axes is None:
        op.options.axis = op.options.axis - 1 if op.options.axis else len(op.outputs[0].shape) - 1
        return
    values = np.array(axes.data)
    values = np.roll(values, 1) if op.name == "TRANSPOSE" else np.where(values > 0, values - 1, values + 1)
    op.set_input(_AXES[op.name], op.subgraph.add_constant("broken axes", values))


def _length_inputs(op: Operator) -> list[int]:
    places = [i for i in _LENGTHS.get(op.name, ()) if i < len(op.inputs)]
    return [i for i in places if (t := op.inputs[i]) is not None and t.is_constant and np.prod(t.shape)]


def _change_length(op: Operator, place: int) -> None:
    tensor = op.inputs[_length_inputs(op)[place]]
    assert tensor is not None
    values = np.array(tensor.data)
    values.flat[-1] = values.flat[-1] + 1 if values.flat[-1] != -1 else 3
    op.set_input(_length_inputs(op)[place], op.subgraph.add_constant("broken shape", values))


def _options(op: Operator, field: str) -> bool:
    return getattr(op.options, field, None) is not None and op.name in (*_WEIGHTED, *_POOLS)


def _add(op: Operator, field: str) -> None:
    setattr(op.options, field, getattr(op.options, field) + 1)


def _pad(op: Operator) -> None:
    op.options.padding = Padding.VALID if op.options.padding == Padding.SAME else Padding.SAME


def _activate(op: Operator) -> None:
    none, relu = ActivationFunctionType.NONE, ActivationFunctionType.RELU
    op.options.fused_activation_function = relu if op.options.fused_activation_function == none else none


def _change_number(op: Operator) -> None:
    field = _NUMBERS[op.name]
    value = getattr(op.options, field)
    setattr(op.options, field, not value if isinstance(value, bool) else value + type(value)(1))


#: Every kind of mutation: where it applies, and what it does.
_KINDS: dict[str, tuple[Callable[[Operator], bool], Callable[[Operator], None]]] = {
    "weight": (lambda op: _weights(op) is not None, _change_weight),
    "constant": (lambda op: _weights(op) is None and _constant(op) is not None, _change_weight),
    "bias": (lambda op: _bias(op) is not None, _change_bias),
    "weight scale": (lambda op: _quantized_weights(op) is not None, _scale_weights),
    "weight zero point": (
        lambda op: (w := _quantized_weights(op)) is not None and w.dtype.name == "UINT8",
        _shift_weights,
    ),
    "output scale": (_requantizes, _scale_output),
    "output zero point": (lambda op: _requantizes(op) and op.outputs[0].dtype.name != "INT16", _shift_output),
    "swap inputs": (lambda op: op.name in _ORDERED and len(_computed(op)) >= 2, _swap),
    "drop operator": (_can_drop, _drop),
    "axis": (_can_turn, _turn),
    "padding": (lambda op: _options(op, "padding"), _pad),
    "stride": (lambda op: _options(op, "stride_w"), lambda op: _add(op, "stride_w")),
    "stride of height": (lambda op: _options(op, "stride_h"), lambda op: _add(op, "stride_h")),
    "dilation": (lambda op: _options(op, "dilation_w_factor"), lambda op: _add(op, "dilation_w_factor")),
    "activation": (
        lambda op: (
            getattr(op.options, "fused_activation_function", None) is not None
            and op.name in (*_WEIGHTED, *_POOLS, "ADD", "SUB", "MUL")
        ),
        _activate,
    ),
    "off by one in a shape": (lambda op: bool(_length_inputs(op)), lambda op: _change_length(op, 0)),
    "off by one in an end": (lambda op: len(_length_inputs(op)) > 1, lambda op: _change_length(op, 1)),
    "number in options": (lambda op: op.name in _NUMBERS and op.options is not None, _change_number),
}
KINDS = tuple(_KINDS)

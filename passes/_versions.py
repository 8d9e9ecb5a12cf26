# SPDX-License-Identifier: Apache-2.0
"""The smallest version of each operator that knows what an operator uses.

Source: the rules by which LiteRT's converter chooses versions (tools/versioning/op_version.cc), as data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tflite2x.schema.enums import ActivationFunctionType, FullyConnectedOptionsWeightsFormat, LSTMKernelType, TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Operator

Rule = tuple[int, Callable[["Operator"], bool]]
_FLOAT8 = {"FLOAT8_E4M3FN", "FLOAT8_E5M2"}


def kind(op: Operator, index: int, *, output: bool = False) -> str:
    """Return the name of the type of an input or output; empty when it is absent."""
    tensors = op.outputs if output else op.inputs
    tensor = tensors[index] if index < len(tensors) else None
    return tensor.dtype.name if tensor is not None and isinstance(tensor.dtype, TensorType) else ""


def _reads(index: int, *names: str) -> Callable[[Operator], bool]:
    return lambda op: kind(op, index) in names


def _either(*names: str) -> Callable[[Operator], bool]:
    return lambda op: kind(op, 0) in names or kind(op, 0, output=True) in names


def _rank(op: Operator, index: int = 0) -> int:
    tensor = op.inputs[index] if index < len(op.inputs) else None
    return len(tensor.shape) if tensor is not None else 0


def _option(op: Operator, name: str) -> int:
    return int(getattr(op.options, name, 0) or 0)


def _per_channel(op: Operator, index: int) -> bool:
    tensor = op.inputs[index] if index < len(op.inputs) else None
    return tensor is not None and tensor.quantization is not None and tensor.quantization.scale.size > 1


def _quantized(op: Operator) -> bool:
    tensor = op.inputs[0]
    return tensor is not None and tensor.quantization is not None and tensor.quantization.scale.size > 0


def _hybrid(op: Operator, weights: int = 1) -> bool:
    return kind(op, 0) == "FLOAT32" and kind(op, weights) == "INT8" and kind(op, 0, output=True) == "FLOAT32"


def _int8_weights(op: Operator) -> bool:
    return kind(op, 1) == "INT8" and kind(op, 0, output=True) == "FLOAT32"


def _types(op: Operator, first: str, second: str) -> bool:
    return kind(op, 0) == first and kind(op, 1) == second


def _broadcasts(op: Operator) -> bool:
    a, b = op.inputs[0], op.inputs[1]
    return a is not None and b is not None and tuple(a.shape) != tuple(b.shape)


def _large_multiplier(op: Operator) -> bool:
    scales = []
    for tensor in (op.inputs[0], op.inputs[1], op.outputs[0]):
        if tensor is None or tensor.quantization is None or not tensor.quantization.scale.size:
            return False
        scales.append(float(tensor.quantization.scale[0]))
    return scales[0] * scales[1] / scales[2] >= 1.0 if scales[2] else False


def _int8_or_int16(index: int = 0) -> tuple[Rule, ...]:
    return (3, _reads(index, "INT16")), (2, _reads(index, "INT8"))


_GROUPED: Callable[[Operator], bool] = lambda op: (  # noqa: E731
    op.inputs[0] is not None and op.inputs[1] is not None and op.inputs[0].shape[-1] != op.inputs[1].shape[-1]
)
_BIAS_TYPE: Callable[[Operator], bool] = lambda op: (  # noqa: E731
    _types(op, "INT16", "INT8") and _option(op, "quantized_bias_type") != 0
)
_SHUFFLED = FullyConnectedOptionsWeightsFormat.SHUFFLED4x16INT8
_ASYMMETRIC = "asymmetric_quantize_inputs"

#: Operator -> rules; the first that holds decides, otherwise it is version 1.
RULES: dict[str, tuple[Rule, ...]] = {
    "CONV_2D": (
        (8, _BIAS_TYPE),
        (6, _GROUPED),
        (4, lambda op: _types(op, "INT16", "INT16")),
        (7, lambda op: _types(op, "INT8", "INT4")),
        (3, lambda op: _types(op, "INT8", "INT8")),
        (5, lambda op: _hybrid(op) and _per_channel(op, 1)),
        (2, _hybrid),
    ),
    "DEPTHWISE_CONV_2D": (
        (5, lambda op: _types(op, "INT16", "INT16")),
        (6, lambda op: _hybrid(op) and _per_channel(op, 1)),
        (4, _hybrid),
        (7, lambda op: _types(op, "INT8", "INT4")),
        (3, lambda op: _types(op, "INT8", "INT8")),
        (2, lambda op: _option(op, "dilation_w_factor") != 1 or _option(op, "dilation_h_factor") != 1),
    ),
    "FULLY_CONNECTED": (
        (14, _reads(1, "INT2")),
        (13, lambda op: _types(op, "INT16", "INT4")),
        (12, lambda op: _hybrid(op) and _per_channel(op, 1)),
        (11, _BIAS_TYPE),
        (8, lambda op: op.inputs[1] is not None and op.inputs[1].sparsity is not None),
        (7, lambda op: _types(op, "INT16", "INT16") or _types(op, "INT16", "INT8")),
        (6, lambda op: len(op.inputs) == 2),
        (10, lambda op: _types(op, "INT8", "INT4")),
        (5, lambda op: bool(_option(op, "keep_num_dims"))),
        (4, lambda op: _types(op, "INT8", "INT8")),
        (9, lambda op: _hybrid(op) and bool(_option(op, _ASYMMETRIC))),
        (3, _hybrid),
        (2, lambda op: getattr(op.options, "weights_format", 0) == _SHUFFLED),
    ),
    "TRANSPOSE_CONV": (
        (5, lambda op: kind(op, 2) == "INT16" and _option(op, "quantized_bias_type") != 0),
        (4, lambda op: getattr(op.options, "fused_activation_function", 0) != ActivationFunctionType.NONE),
        (3, lambda op: len(op.inputs) == 4 and op.inputs[3] is not None),
        (2, _reads(1, "INT8")),
    ),
    "ADD": (
        (6, _reads(0, "FLOAT16")),
        (5, lambda op: kind(op, 0) == "INT16" and not _quantized(op)),
        (4, _reads(0, "INT64")),
        (3, lambda op: kind(op, 0) == "INT16" and not _option(op, "pot_scale_int16")),
        (2, _reads(0, "INT8")),
    ),
    "SUB": (
        (5, lambda op: kind(op, 0) == "INT16" and not _option(op, "pot_scale_int16")),
        (4, _reads(0, "INT64")),
        (3, lambda op: _broadcasts(op) and max(_rank(op), _rank(op, 1)) > 4),
        (2, _reads(0, "INT8")),
    ),
    "MUL": (
        (8, _reads(0, "FLOAT16")),
        (7, lambda op: kind(op, 0) == "UINT32" or (kind(op, 0) == "INT16" and not _quantized(op))),
        (6, _reads(0, "COMPLEX64")),
        (5, _reads(0, "INT64")),
        (4, _reads(0, "INT16")),
        (3, _large_multiplier),
        (2, _reads(0, "INT8")),
    ),
    "DIV": ((2, lambda op: _broadcasts(op) and max(_rank(op), _rank(op, 1)) > 4),),
    "MAXIMUM": (
        (4, _reads(0, "INT16")),
        (3, lambda op: _broadcasts(op) and max(_rank(op), _rank(op, 1)) > 4),
        (2, _reads(0, "INT8")),
    ),
    "QUANTIZE": (
        (5, _either("UINT4")),
        (4, _either("INT4")),
        (3, lambda op: _per_channel(op, 0) or ((q := op.outputs[0].quantization) is not None and q.scale.size > 1)),
        (2, lambda op: kind(op, 0, output=True) == "INT16"),
    ),
    "DEQUANTIZE": (
        (9, _reads(0, *_FLOAT8)),
        (8, _reads(0, "UINT4")),
        (7, _reads(0, "INT2")),
        (6, _reads(0, "INT4")),
        (3, _reads(0, "INT16", "FLOAT16")),
        (5, lambda op: kind(op, 0) == "INT8" and _per_channel(op, 0)),
        (2, _reads(0, "INT8")),
    ),
    "PAD": (
        (6, _reads(0, *_FLOAT8)),
        (5, _reads(0, "BOOL")),
        (4, lambda op: _rank(op) > 4),
        (3, _reads(0, "INT16")),
        (2, _reads(0, "INT8")),
    ),
    "TRANSPOSE": (
        (9, _reads(0, "FLOAT16")),
        (8, lambda op: _rank(op) > 6 or kind(op, 0) == "BFLOAT16"),
        (7, _reads(0, "INT4")),
        (6, lambda op: _rank(op) > 5),
        (5, _reads(0, "INT16")),
        (4, lambda op: _rank(op) > 4),
        (3, _reads(0, "BOOL")),
        (2, _reads(0, "INT8")),
    ),
    "SLICE": (
        (8, _reads(0, "FLOAT16")),
        (7, _reads(0, "INT4")),
        (6, _reads(0, "UINT32")),
        (5, lambda op: _rank(op) > 4),
        (4, _reads(0, "INT16")),
        (3, _reads(0, "STRING")),
        (2, _reads(0, "INT8")),
    ),
    "STRIDED_SLICE": (
        (8, lambda op: bool(_option(op, "offset"))),
        (7, _reads(0, "UINT32")),
        (6, lambda op: bool(_option(op, "ellipsis_mask") or _option(op, "new_axis_mask"))),
        (5, _reads(0, "STRING")),
        (4, lambda op: _rank(op) > 4),
        (3, _reads(0, "BOOL")),
        (2, _reads(0, "INT8")),
    ),
    "GATHER": (
        (8, _reads(0, *_FLOAT8)),
        (7, _reads(0, "INT4")),
        (6, _reads(1, "INT16")),
        (5, lambda op: _option(op, "batch_dims") != 0),
        (4, _reads(0, "INT16")),
        (3, _reads(0, "BOOL")),
        (2, _reads(0, "INT8")),
    ),
    "SPLIT": (
        (5, _reads(1, *_FLOAT8)),
        (4, _reads(1, "INT16")),
        (3, _reads(1, "INT32")),
        (2, _reads(1, "INT8")),
    ),
    "CONCATENATION": (
        (7, _reads(0, *_FLOAT8)),
        (6, _reads(0, "FLOAT16")),
        (5, _reads(0, "INT4")),
        (4, _reads(0, "UINT32")),
        *_int8_or_int16(),
    ),
    "PACK": ((5, _reads(0, *_FLOAT8)), (4, _reads(0, "UINT32")), *_int8_or_int16()),
    "SOFTMAX": ((4, _reads(0, "FLOAT16")), *_int8_or_int16()),
    "RELU": ((3, _reads(0, "INT16")), (2, _reads(0, "INT8", "UINT8"))),
    "LEAKY_RELU": ((2, _reads(0, "INT16")),),
    "BATCH_MATMUL": (*_int8_or_int16(), (4, lambda op: _hybrid(op) and bool(_option(op, _ASYMMETRIC)))),
    "ARG_MAX": ((3, _reads(0, "BOOL")), (2, _reads(0, "INT8"))),
    "RESIZE_BILINEAR": (
        (4, _reads(0, "INT16")),
        (3, lambda op: bool(_option(op, "half_pixel_centers"))),
        (2, _reads(0, "INT8")),
    ),
    "RESIZE_NEAREST_NEIGHBOR": (
        (4, _reads(0, "INT16")),
        (3, lambda op: bool(_option(op, "half_pixel_centers") or _option(op, "align_corners"))),
        (2, _reads(0, "INT8")),
    ),
    "SPACE_TO_BATCH_ND": (
        (4, _reads(0, "INT16")),
        (3, lambda op: _rank(op) != 4),
        (2, _reads(0, "INT8")),
    ),
    "SVDF": ((3, _reads(0, "INT8")), (4, lambda op: _hybrid(op) and bool(_option(op, _ASYMMETRIC))), (2, _hybrid)),
    "LSTM": (
        (2, lambda op: getattr(op.options, "kernel_type", 0) == LSTMKernelType.BASIC),
        (5, lambda op: kind(op, 0) == "INT16" and kind(op, 2) == "INT8"),
        (4, lambda op: _hybrid(op, 2) and bool(_option(op, _ASYMMETRIC))),
        (3, lambda op: _hybrid(op, 2)),
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        (5, lambda op: kind(op, 0) == "INT16" and kind(op, 2) == "INT8"),
        (4, lambda op: bool(_option(op, "diagonal_recurrent_tensors"))),
        (3, lambda op: _hybrid(op, 2) and bool(_option(op, _ASYMMETRIC))),
        (2, lambda op: _hybrid(op, 2)),
    ),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D", "TANH", "LOGISTIC"), _int8_or_int16()),
    **dict.fromkeys(("MEAN", "MIRROR_PAD", "REDUCE_MAX", "REDUCE_MIN", "RELU6", "RSQRT"), _int8_or_int16()),
    **dict.fromkeys(
        ("SPACE_TO_DEPTH", "SUM", "LOG_SOFTMAX", "GREATER", "LESS_EQUAL", "SQUARED_DIFFERENCE", "DEPTH_TO_SPACE"),
        ((2, _reads(0, "INT8")),),
    ),
    "LESS": _int8_or_int16(),
    "EMBEDDING_LOOKUP": ((4, lambda op: kind(op, 1) == "INT4" or _per_channel(op, 1)), (5, _reads(1, "INT2"))),
    "FAKE_QUANT": ((2, lambda op: bool(_option(op, "narrow_range"))),),
    "SIGN": ((2, _reads(0, "INT32")),),
    "SPARSE_TO_DENSE": ((3, _reads(2, "INT8", "UINT8")), (2, _reads(2, "INT64"))),
    "UNPACK": (
        (6, _reads(0, *_FLOAT8)),
        (2, _reads(0, "INT8", "UINT8")),
        (3, _reads(0, "BOOL")),
        (4, _reads(0, "INT16")),
        (5, _reads(0, "FLOAT16", "BFLOAT16")),
    ),
    "FLOOR_DIV": ((3, _reads(0, "INT16", "INT8")), (2, _reads(0, "FLOAT32"))),
    "FLOOR_MOD": ((2, _reads(0, "INT16", "INT8")),),
    "ABS": (
        (5, _reads(0, "INT32")),
        (3, lambda op: kind(op, 0) == "INT16" and _quantized(op)),
        (4, _reads(0, "INT16")),
        (2, _reads(0, "INT8", "UINT8")),
    ),
    "REVERSE_V2": ((4, _reads(0, *_FLOAT8)), (3, _reads(0, "INT8")), (2, _reads(0, "BOOL"))),
    "TILE": ((3, _reads(0, "INT8")), (2, _reads(0, "STRING"))),
    "SQUEEZE": ((2, _reads(0, "STRING")),),
    "GATHER_ND": (
        (6, _reads(0, *_FLOAT8)),
        (5, _reads(0, "BOOL")),
        (4, _reads(1, "INT16")),
        (3, _reads(0, "INT16")),
        (2, _reads(0, "STRING")),
    ),
    "FILL": (
        (5, _reads(1, *_FLOAT8)),
        (4, _reads(1, "FLOAT16")),
        (3, _reads(1, "INT8", "INT16")),
        (2, _reads(1, "BOOL", "STRING")),
    ),
    "EQUAL": ((5, _reads(0, "INT16")), (3, _reads(0, "STRING")), (2, _reads(0, "INT8"))),
    "NOT_EQUAL": ((4, _reads(0, "INT16")), (3, _reads(0, "STRING")), (2, _reads(0, "INT8"))),
    "RANGE": ((2, _reads(0, "INT64")),),
    **dict.fromkeys(
        (
            "RNN",
            "UNIDIRECTIONAL_SEQUENCE_RNN",
            "BIDIRECTIONAL_SEQUENCE_RNN",
            "BIDIRECTIONAL_SEQUENCE_LSTM",
        ),
        (
            (3, lambda op: _int8_weights(op) and bool(_option(op, _ASYMMETRIC))),
            (2, lambda op: _int8_weights(op)),
        ),
    ),
    "SELECT": (
        (4, _reads(0, "UINT32")),
        (3, lambda op: 5 in (_rank(op), _rank(op, 1), _rank(op, 2))),
        (2, _reads(0, "INT8")),
    ),
    "SELECT_V2": ((2, _reads(0, "UINT32")),),
    "SPLIT_V": ((3, _reads(0, *_FLOAT8)), (2, _reads(0, "INT8"))),
    "TOPK_V2": (
        (3, lambda op: "INT16" in (kind(op, 0), kind(op, 1), kind(op, 1, output=True))),
        (2, _reads(0, "INT8")),
    ),
    "DYNAMIC_UPDATE_SLICE": (
        (6, _reads(0, "BFLOAT16")),
        (5, _reads(0, "INT4")),
        (4, _reads(0, "INT16")),
        (3, _reads(0, "FLOAT16")),
        (2, _reads(2, "INT64")),
    ),
    # Its first version had another operator code, and is gone.
    "BROADCAST_TO": ((4, _reads(0, *_FLOAT8)), (3, _reads(0, "INT8", "INT16")), (2, lambda op: True)),
    "CAST": (
        (9, _either(*_FLOAT8)),
        (8, _either("INT2", "UINT4")),
        (7, _either("BFLOAT16")),
        (6, lambda op: kind(op, 0) == "INT4" and kind(op, 0, output=True) == "FLOAT32"),
        (5, _either("FLOAT64", "FLOAT16")),
        (4, _either("UINT16")),
        (3, _either("INT8")),
        (2, _either("UINT32")),
    ),
    "WHERE": ((2, lambda op: kind(op, 0) != "BOOL"),),
    "GELU": ((3, _reads(0, "FLOAT16")), (2, _reads(0, "INT8", "UINT8"))),
    **dict.fromkeys(("SIN", "COS"), ((2, _reads(0, "FLOAT16")),)),
    **dict.fromkeys(("EXP", "LOG", "REDUCE_PROD", "SQRT"), ((2, _reads(0, "INT8", "INT16")),)),
    "L2_NORMALIZATION": ((2, lambda op: kind(op, 0, output=True) == "INT8"),),
    **dict.fromkeys(("RESHAPE", "EXPAND_DIMS", "FLOOR", "ELU", "HARD_SWISH", "PRELU", "SHAPE", "NEG"), ()),
}
RULES["MINIMUM"] = RULES["MAXIMUM"]
RULES["PADV2"] = RULES["PAD"]
RULES["ARG_MIN"] = RULES["ARG_MAX"]
RULES["BATCH_TO_SPACE_ND"] = RULES["SPACE_TO_BATCH_ND"]
RULES["GREATER_EQUAL"] = RULES["LESS"]


def smallest_version(op: Operator) -> int | None:
    """Return the smallest version that knows what an operator uses; None when the rules of its kind are not known."""
    rules = RULES.get(op.name)
    if rules is None or op.custom_code is not None:
        return None
    return next((version for version, holds in rules if holds(op)), 1)

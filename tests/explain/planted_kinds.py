# SPDX-License-Identifier: Apache-2.0
"""Which function computes which kind of operator, and what can be planted in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.explain import planted_curves, planted_layers, planted_sums
from tests.explain.planted import (
    Array,
    Function,
    NotPossible,
    Plants,
    average_pool,
    convolution,
    fully_connected,
    quantize,
)

if TYPE_CHECKING:
    from tflite2x.ir import Operator

_OUTPUT = (
    "wrap", "clamp -127", "relu at 0", "relu forgotten", "output zero point forgotten", "output zero point subtracted",
)  # fmt: skip
_ZEROS = ("input zero point forgotten", "input zero point added")
_LINEAR = (
    *_OUTPUT, *_ZEROS, "clamp -100 to 90", "input zero point of the output", "output zero point of the input",
    "multiplier added", "multiplier forgotten", "multiplier without output scale", "multiplier without input scale",
    "multiplier without weights scale", "multiplier upside down", "scale of the first channel", "mean of the scales",
    "largest scale", "truncate", "floor", "half to even", "single rounding", "bias forgotten",
    "bias after the multiplier", "bias with the weights' scale", "input 128 too high", "output 128 too high",
)  # fmt: skip
_IMAGES = ("weights flipped", "weights in another layout", "input read as NCHW", "output written as NCHW")
_CONV = (*_LINEAR, *_IMAGES, "pad with 0")
#: int16 activations have no zero points.
_SHORT = (
    "wrap", "clamp -32767", "relu forgotten", "multiplier added", "multiplier without output scale",
    "multiplier without input scale", "multiplier without weights scale", "multiplier upside down", "truncate", "floor",
    "bias forgotten", "bias after the multiplier", "bias with the weights' scale", "sums wrap in 32 bits",
    "sums saturate in 32 bits",
)  # fmt: skip
_UNSIGNED = (
    "wrap", "relu forgotten", *_ZEROS, "output zero point forgotten", "multiplier without output scale",
    "multiplier without input scale", "multiplier without weights scale", "truncate", "floor", "bias forgotten",
    "bias after the multiplier", "weights zero point forgotten", "weights zero point added", "weights minus 128",
)  # fmt: skip
_HYBRID = (
    "activations stay floats", "other symmetry", "one scale for all rows", "activations truncated", "bias forgotten",
    "relu forgotten", "multiplier without weights scale", "scale of the first channel",
)  # fmt: skip
_ADD = (
    *_OUTPUT, *_ZEROS, "first zero point for both", "left shift forgotten", "left shift not taken back",
    "first multiplier for both", "scales of the inputs swapped", "multiplier without output scale", "truncate", "floor",
    "single rounding",
)  # fmt: skip
_ONE = (*_ZEROS, "output zero point forgotten", "output zero point subtracted", "wrap", "clamp -127")
_RESCALED = (*_ONE, "multiplier forgotten", "truncate", "floor", "half to even", "single rounding")

#: Kind of operator -> (function, what can be planted in it).
OPERATORS: dict[str, tuple[Function, tuple[str, ...]]] = {
    "FULLY_CONNECTED": (fully_connected, (*_LINEAR, "weights read transposed", "double rounding")),
    "CONV_2D": (convolution, _CONV),
    "DEPTHWISE_CONV_2D": (convolution, _CONV),
    "TRANSPOSE_CONV": (planted_layers.transpose_conv, (*_LINEAR, "weights flipped", "input read as NCHW",
                                                       "output written as NCHW")),
    "FULLY_CONNECTED int16": (fully_connected, (*_SHORT, "multiplier of 16 bits")),
    "CONV_2D int16": (convolution, (*_SHORT, *_IMAGES, "multiplier of 31 bits")),
    "DEPTHWISE_CONV_2D int16": (convolution, (*_SHORT, *_IMAGES, "multiplier of 31 bits")),
    "FULLY_CONNECTED uint8": (fully_connected, _UNSIGNED),
    "CONV_2D uint8": (convolution, (*_UNSIGNED, "pad with 0")),
    "DEPTHWISE_CONV_2D uint8": (convolution, (*_UNSIGNED, "pad with 0")),
    "FULLY_CONNECTED hybrid": (planted_layers.hybrid, _HYBRID),
    "CONV_2D hybrid": (planted_layers.hybrid, (*_HYBRID, "weights flipped")),
    "DEPTHWISE_CONV_2D hybrid": (planted_layers.hybrid, (*_HYBRID, "weights flipped")),
    "XC_fc": (planted_layers.xc_fc, (
        "wrap", "clamp -127", "bias forgotten", "first shift floors", "second shift floors", "no saturation to 16 bits",
        "offset forgotten", "low half signed", "zero point added again", "rows without padding", "input 128 too high",
    )),
    "AVERAGE_POOL_2D": (average_pool, (
        "average truncated", "average floored", "average half to even", "relu at 0", "input read as NCHW",
        "output written as NCHW", "clamp -127",
    )),
    "MAX_POOL_2D": (planted_sums.max_pool, ("pad with 0", "relu at 0", "input read as NCHW", "output written as NCHW",
                                            "clamp -127")),
    "ADD": (planted_sums.add, _ADD),
    "ADD int16": (planted_sums.add, (
        "left shift forgotten", "left shift not taken back", "first multiplier for both",
        "scales of the inputs swapped", "floor", "wrap", "clamp -32767", "relu forgotten",
    )),
    "SUB": (planted_sums.add, (*_ADD, "order reversed")),
    "MUL": (planted_sums.multiply, (*_OUTPUT, *_ZEROS, "multiplier without output scale", "multiplier forgotten",
                                    "truncate", "floor", "half to even", "single rounding",
                                    "first zero point for both")),
    "MEAN": (planted_sums.mean, (*_ZEROS, "output zero point forgotten", "output zero point subtracted",
                                 "sum not divided", "average truncated", "average floored", "average half to even",
                                 "average an integer first", "multiplier forgotten", "wrap")),
    "PAD": (planted_sums.pad, ("pad with 0",)),
    "CONCATENATION": (planted_sums.concatenation, ("order reversed", "joined along the first axis")),
    "CONCATENATION uint8": (planted_sums.concatenation, (
        "inputs not rescaled", "only zero points corrected", "first multiplier for both", "truncate", "floor", "wrap",
        "order reversed", "joined along the first axis",
    )),
    "SOFTMAX": (planted_curves.softmax, (
        "curve truncated", "one step less than the scale says", "output zero point forgotten",
        "beta forgotten", "multiplier forgotten", "over everything",
    )),
    # With 8 bits, floats give the same integers.
    "SOFTMAX int16": (planted_curves.softmax, ("float softmax", "curve truncated", "one step less than the scale says",
                                               "over everything")),
    "LOGISTIC": (planted_curves.curve, (*_ZEROS, "output zero point forgotten", "output zero point subtracted",
                                        "curve truncated", "one step less than the scale says",
                                        "multiplier forgotten")),
    "TANH": (planted_curves.curve, (*_ZEROS, "curve truncated", "one step less than the scale says",
                                    "multiplier forgotten")),
    "RELU": (planted_curves.relu, (*_RESCALED[:-1], "relu at 0", "relu forgotten")),
    "RELU6": (planted_curves.relu, (*_RESCALED[:-1], "relu at 0", "relu forgotten")),
    "LEAKY_RELU": (planted_curves.slope, (*_ONE, "slope forgotten", "slope everywhere", "sign of the integer",
                                          "truncate", "floor", "single rounding")),
    "PRELU": (planted_curves.slope, (*_ONE, "slope forgotten", "slope everywhere", "slope without its scale",
                                     "slope without its zero point", "sign of the integer", "truncate", "floor")),
    "QUANTIZE": (quantize, (
        "not rounded", "quantized by truncation", "half to even", "output zero point forgotten",
        "output zero point subtracted", "wrap",
    )),
    "QUANTIZE integers": (planted_curves.requantize, _RESCALED),
    "DEQUANTIZE": (planted_curves.dequantize, (*_ZEROS, "multiplier forgotten")),
}  # fmt: skip


def kind_of(op: Operator) -> str:
    """Return the kind of an operator, which may be one of OPERATORS."""
    data = op.inputs[2] if op.name == "TRANSPOSE_CONV" else op.inputs[0]
    if data is None:
        return op.name
    if op.name == "QUANTIZE":
        return "QUANTIZE" if data.dtype.name == "FLOAT32" else "QUANTIZE integers"
    if data.dtype.name == "INT8" or op.name == "DEQUANTIZE":
        return op.name
    second = op.inputs[1] if len(op.inputs) > 1 else None
    mixed = data.dtype.name == "FLOAT32" and second is not None and second.dtype.name == "INT8"
    return f"{op.name} {'hybrid' if mixed else data.dtype.name.lower()}"


def compute(op: Operator, values: list[Any], plants: Plants) -> Array:
    """Compute an operator with mistakes.

    Args:
        op: The operator.
        values: Its inputs, without a sample axis; None where one is absent.
        plants: Keys of PLANTS.

    Raises:
        NotPossible: The operator has no place for one of them.
    """
    function, possible = OPERATORS[kind_of(op)]
    if not plants <= set(possible):
        raise NotPossible
    return function(op, values, plants)

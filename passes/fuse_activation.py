# SPDX-License-Identifier: Apache-2.0
"""Fuse RELU, RELU6 and RELU_N1_TO_1 into the operator in front of them.

::

    x -> CONV_2D (no activation) -> t -> RELU -> y     ==>     x -> CONV_2D (RELU) -> y

The operator in front is CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, ADD, SUB, MUL, AVERAGE_POOL_2D or MAX_POOL_2D.

Claim: exact. With integers both tensors must have the same scale and zero point: the activation only clamps, and the
fused one clamps to the same bounds. With another scale there are two roundings, and the operators are left alone.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from tflite2x.passes._common import QUANTIZED, same_quantization
from tflite2x.rewrite import sites
from tflite2x.rewrite.interface import describe_type
from tflite2x.rewrite.rule import PatternPass
from tflite2x.schema.enums import ActivationFunctionType, TensorType

if TYPE_CHECKING:
    from tflite2x.rewrite.builder import Builder
    from tflite2x.rewrite.matcher import Match

_PRODUCERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL", "AVERAGE_POOL_2D", "MAX_POOL_2D")
_ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1")


@dataclasses.dataclass(frozen=True)
class FuseActivation(PatternPass):
    """Fuse RELU, RELU6 and RELU_N1_TO_1 into the operator in front of them."""

    name: ClassVar[str] = "fuse-activation"

    def pattern(self, p: Any, inputs: Any) -> Any:
        """An operator without an activation, and an activation."""
        none = ActivationFunctionType.NONE
        before = p.any_of(*_PRODUCERS)(p.rest(inputs), op="producer", out="t", fused_activation_function=none)
        return p.any_of(*_ACTIVATIONS)(before, op="activation", out="y")

    def check(self, m: Match) -> None:
        """Refuse where the activation does more than clamp."""
        kinds = QUANTIZED | {TensorType.FLOAT32}
        m.require(m.t.dtype == m.y.dtype and m.t.dtype in kinds, f"'{m.t.name}' is {describe_type(m.t)}")
        m.require(
            same_quantization(m.t.quantization, m.y.quantization),
            f"the activation requantizes from {describe_type(m.t)} to {describe_type(m.y)}",
        )

    def describe(self, m: Match) -> str:
        """Name the activation."""
        return f"fused into {sites.place(m.producer)}"

    def rewrite(self, m: Match, b: Builder) -> Any:
        """Repeat the operator with the activation."""
        return b.copy(m.producer, like=m.y, fused_activation_function=ActivationFunctionType[m.activation.name])

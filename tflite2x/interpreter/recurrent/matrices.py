# SPDX-License-Identifier: Apache-2.0
"""Weights of recurrent operators as functions on rows, made once where the weights are constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tflite2x.interpreter.kernel import Array, KernelContext, uniform
from tflite2x.interpreter.recurrent.hybrid import HybridMatrix
from tflite2x.interpreter.recurrent.lanes import LaneMatrix
from tflite2x.schema.enums import TensorType

Matrix = LaneMatrix | HybridMatrix
MakeMatrix = Callable[[Sequence[Array | None]], Matrix]


def weights_input(ctx: KernelContext, index: int, *, asymmetric: bool) -> MakeMatrix:
    """Return a function from the operator's inputs to the product with the weights at ``index``."""
    spec = ctx.input(index)
    if spec.type not in (TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8):
        raise ctx.unsupported(f"weights of type {spec.type.name}")

    def make(weights: Array) -> Matrix:
        if spec.type == TensorType.FLOAT32:
            return LaneMatrix(weights)
        return HybridMatrix(weights, spec.s if spec.is_quantized else 0.0, asymmetric=asymmetric)

    if spec.const is not None:
        constant = make(spec.const)
        return lambda inputs: constant
    return lambda inputs: make(uniform(required(inputs, index)))


def required(inputs: Sequence[Array | None], index: int) -> Array:
    """Return an input that ``prepare`` has found to be there."""
    array = inputs[index]
    assert array is not None
    return array

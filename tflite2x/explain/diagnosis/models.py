# SPDX-License-Identifier: Apache-2.0
"""Which model of an operator knows how people go wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tflite2x.errors import Tflite2xError
from tflite2x.explain.diagnosis.curves import Curve
from tflite2x.explain.diagnosis.exact import ExactOperator
from tflite2x.explain.diagnosis.hybrid import Hybrid
from tflite2x.explain.diagnosis.joined import Joined
from tflite2x.explain.diagnosis.linear import Linear
from tflite2x.explain.diagnosis.mistakes import MISTAKES, Mistake
from tflite2x.explain.diagnosis.output import Steps
from tflite2x.explain.diagnosis.real_linear import RealLinear
from tflite2x.explain.diagnosis.recipe import EXACT, Recipe
from tflite2x.explain.diagnosis.simple import Convert, Dequantize, Pad, Pool, Simple
from tflite2x.explain.diagnosis.slopes import Slope
from tflite2x.explain.diagnosis.sums import Mean, Sum, is_power_of_two_sum
from tflite2x.explain.diagnosis.transposed import Transposed
from tflite2x.explain.diagnosis.vector import Vector
from tflite2x.interpreter.kernel import Array


class OperatorModel(Protocol):
    """An operator that can be computed by recipe."""

    exact: ExactOperator
    fields: frozenset[str]

    @property
    def cost(self) -> int:
        """Multiplications of one evaluation."""
        ...

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        ...

    def run(self, inputs: Sequence[Array | None], recipe: Recipe) -> Array:
        """Return the output [N, ...] as float64."""
        ...

    def steps(self, inputs: Sequence[Array | None], recipe: Recipe, select: Array | None = None) -> Steps:
        """Return all steps."""
        ...


_BYTES = ("INT8", "UINT8")
_INTEGERS = (*_BYTES, "INT16")
_LINEAR = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_FAMILIES: dict[str, type[Linear] | type[Simple]] = {
    "FULLY_CONNECTED": Linear,
    "CONV_2D": Linear,
    "DEPTHWISE_CONV_2D": Linear,
    "TRANSPOSE_CONV": Transposed,
    "AVERAGE_POOL_2D": Pool,
    "MAX_POOL_2D": Pool,
    "MEAN": Mean,
    "SUM": Mean,
    "ADD": Sum,
    "SUB": Sum,
    "MUL": Sum,
    "QUANTIZE": Convert,
    "DEQUANTIZE": Dequantize,
    "PAD": Pad,
    "PADV2": Pad,
    "SOFTMAX": Curve,
    "LOGISTIC": Curve,
    "TANH": Curve,
    "ELU": Curve,
    "HARD_SWISH": Curve,
    "RELU": Slope,
    "RELU6": Slope,
    "RELU_N1_TO_1": Slope,
    "LEAKY_RELU": Slope,
    "PRELU": Slope,
    "CONCATENATION": Joined,
    "XC_fc": Vector,
}


def model_of(exact: ExactOperator, inputs: Sequence[Array | None]) -> OperatorModel:
    """Return the model of an operator; the general one where a special one does not reproduce it.

    Args:
        exact: The operator.
        inputs: Values of its inputs: a special model must equal the kernel on them before anybody relies on it.
    """
    family = _family(exact)
    if family is None:
        return Simple(exact)
    try:
        model: OperatorModel = family(exact)
        # This order is the exact one, too; but no short cut to the kernel is taken for it.
        result = model.run(inputs, EXACT.changed(order="activation first"))
    except (Tflite2xError, ValueError, IndexError):  # shapes at run time that the special model does not expect
        return Simple(exact)
    right = np.asarray(exact.run(inputs)[0], np.float64)
    allowed = 2e-6 * float(np.max(np.abs(right), initial=0.0)) if family in (RealLinear, Hybrid) else 0.0
    if result.shape != right.shape or np.any(np.abs(result - right) > allowed):
        return Simple(exact)
    return model


def _family(exact: ExactOperator) -> type[Linear] | type[Simple] | None:
    """Return the special model that is written for an operator's types."""
    context, name = exact.context, exact.op.name
    family = _FAMILIES.get(name)
    if family is None:
        return None
    specs = [*context.inputs, context.outputs[0]]
    floats = [s is None or s.type.name == "FLOAT32" for s in specs]
    if family is Linear and context.options is not None and floats[0] and floats[-1]:
        if all(floats):
            return RealLinear
        w = context.inputs[1]
        whole = w is not None and w.dtype.kind in "iu" and w.is_quantized and all(floats[2:])
        return Hybrid if whole and w is not None and getattr(w.quantization, "details", None) is None else None
    return family if _suits(exact) else None


def _suits(exact: ExactOperator) -> bool:
    """Whether the types are those that the special models are written for."""
    context, name = exact.context, exact.op.name
    x, y = context.inputs[0], context.outputs[0]
    if name == "TRANSPOSE_CONV":
        x = context.optional(2)
    if x is None:
        return False
    alike = x.type.name == y.type.name and x.scale.size == 1 and y.scale.size == 1
    if name in _LINEAR:
        w = context.inputs[1]
        return (
            alike and x.type.name in _INTEGERS and w is not None and w.dtype.kind in "iu" and w.dtype.itemsize == 1
            and w.is_quantized and context.options is not None and not getattr(context.options, "weights_format", 0)
        )  # fmt: skip
    if name == "QUANTIZE":
        return y.type.name in _INTEGERS and y.scale.size == 1 and x.dtype.kind in "iuf"
    if name == "DEQUANTIZE":
        return x.dtype.kind in "iu" and x.scale.size == 1
    if name == "XC_fc":
        return x.type.name == y.type.name == "INT8"
    if name == "CONCATENATION":
        return y.type.name in _INTEGERS and all(s is not None and s.type == y.type for s in context.inputs)
    if name in ("ADD", "SUB", "MUL"):
        other = context.optional(1)
        pair = other is not None and other.type == x.type and other.scale.size == 1
        return alike and pair and x.type.name in _INTEGERS and not is_power_of_two_sum(exact)
    if name == "PRELU":
        alpha = context.optional(1)
        return alike and x.type.name in _INTEGERS and alpha is not None and alpha.scale.size == 1
    return alike and x.type.name in _INTEGERS


def candidates(model: OperatorModel) -> list[Mistake]:
    """Return the mistakes that somebody could make with this operator."""
    found = []
    for mistake in MISTAKES:
        changes = [(name, value) for name, value in mistake.changes]
        if mistake.fields <= model.fields and all(model.applies(name, value) for name, value in changes):
            found.append(mistake)
    return found

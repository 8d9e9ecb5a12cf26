# SPDX-License-Identifier: Apache-2.0
"""Which model of an operator knows how people go wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tflite2x.explain.diagnosis.exact import ExactOperator
from tflite2x.explain.diagnosis.linear import Linear
from tflite2x.explain.diagnosis.mistakes import MISTAKES, Mistake
from tflite2x.explain.diagnosis.output import Steps
from tflite2x.explain.diagnosis.real_linear import RealLinear
from tflite2x.explain.diagnosis.recipe import EXACT, Recipe
from tflite2x.explain.diagnosis.simple import Convert, Dequantize, Mean, Pad, Pool, Simple, Sum
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
_FAMILIES: dict[str, type[Linear] | type[Simple]] = {
    "FULLY_CONNECTED": Linear,
    "CONV_2D": Linear,
    "DEPTHWISE_CONV_2D": Linear,
    "AVERAGE_POOL_2D": Pool,
    "MAX_POOL_2D": Pool,
    "MEAN": Mean,
    "ADD": Sum,
    "SUB": Sum,
    "MUL": Sum,
    "QUANTIZE": Convert,
    "DEQUANTIZE": Dequantize,
    "PAD": Pad,
    "PADV2": Pad,
}


def model_of(exact: ExactOperator, inputs: Sequence[Array | None]) -> OperatorModel:
    """Return the model of an operator; the general one where a special one does not reproduce it.

    Args:
        exact: The operator.
        inputs: Values of its inputs: a special model must equal the kernel on them before anybody relies on it.
    """
    family = _FAMILIES.get(exact.op.name)
    real = family is Linear and _is_real(exact)
    if family is None or not (real or _suits(exact)):
        return Simple(exact)
    model = RealLinear(exact) if real else family(exact)
    if isinstance(model, Linear):
        result, right = model.run(inputs, EXACT), np.asarray(exact.run(inputs)[0], np.float64)
        allowed = 2e-6 * float(np.max(np.abs(right), initial=0.0)) if real else 0.0
        if result.shape != right.shape or np.any(np.abs(result - right) > allowed):
            return Simple(exact)
    return model


def _is_real(exact: ExactOperator) -> bool:
    specs = [*exact.context.inputs, exact.context.outputs[0]]
    return exact.context.options is not None and all(s is None or s.type.name == "FLOAT32" for s in specs)


def _suits(exact: ExactOperator) -> bool:
    """Whether the types are those that the special models are written for."""
    context, name = exact.context, exact.op.name
    x, y = context.inputs[0], context.outputs[0]
    if x is None:
        return False
    if name in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"):
        w = context.inputs[1]
        return (
            x.type.name in _BYTES and y.type.name in _BYTES and w is not None and w.dtype.kind in "iu"
            and w.is_quantized and x.scale.size == 1 and y.scale.size == 1 and context.options is not None
            and not getattr(context.options, "weights_format", 0)
        )  # fmt: skip
    if name == "QUANTIZE":
        return y.type.name in (*_BYTES, "INT16") and y.scale.size == 1 and x.dtype.kind in "iuf"
    if name == "DEQUANTIZE":
        return x.dtype.kind in "iu" and x.scale.size == 1
    others = [s for s in context.inputs[1:] if s is not None] if name in ("ADD", "SUB", "MUL") else []
    return all(s.type.name in _BYTES and s.scale.size == 1 for s in (x, y, *others))


def candidates(model: OperatorModel) -> list[Mistake]:
    """Return the mistakes that somebody could make with this operator."""
    found = []
    for mistake in MISTAKES:
        changes = [(name, value) for name, value in mistake.changes]
        if mistake.fields <= model.fields and all(model.applies(name, value) for name, value in changes):
            found.append(mistake)
    return found

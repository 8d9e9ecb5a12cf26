# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED, CONV_2D and DEPTHWISE_CONV_2D on floats by recipe: layouts, bias and activation can go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.linear import Linear
from tflite2x.explain.diagnosis.output import Steps, Target
from tflite2x.explain.diagnosis.recipe import OWN, Recipe
from tflite2x.interpreter.fixedpoint import activation_range_float
from tflite2x.interpreter.kernel import Array

if TYPE_CHECKING:
    from tflite2x.explain.diagnosis.exact import ExactOperator


class RealTarget(Target):
    """The last step of a float operator: the activation."""

    def finish(self, total: Array, multiplier: Array | float, recipe: Recipe, after: Array | float = 0.0) -> Steps:
        """Clamp to the activation's range."""
        low, high = activation_range_float(0 if recipe.activation == "none" else self.activation)
        return Steps({"sum": total}, np.clip(total, float(low), float(high)))


class RealLinear(Linear):
    """A float operator with float weights, computed in float64: it equals the kernel within float32's precision.

    Args:
        exact: The operator.
    """

    fields = frozenset(("input_layout", "weights_layout", "bias", "activation", "output_layout"))

    def __init__(self, exact: ExactOperator) -> None:
        super().__init__(exact)
        self.target = RealTarget(self.y, 0, self.target.activation, self._definition)

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field == "activation":
            return value == "none" and self.target.activation != 0
        if field == "bias":
            return value in ("none", "subtracted") and super().applies(field, value)
        return super().applies(field, value)

    def _multiplier(self, recipe: Recipe) -> Array:
        return np.ones(self.channels)

    def _bias(self, bias: Array, recipe: Recipe) -> Array:
        return np.asarray(bias * {OWN: 1.0, "none": 0.0, "subtracted": -1.0}[recipe.bias])

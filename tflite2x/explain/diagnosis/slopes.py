# SPDX-License-Identifier: Apache-2.0
"""RELU, RELU6, RELU_N1_TO_1, LEAKY_RELU and PRELU of integers by recipe.

Sources: LiteRT ``activations.cc``, ``reference/reference_ops.h`` (ReluX), ``reference/leaky_relu.h``,
``reference/prelu.h``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.output import Steps, Target, fixed_point
from tflite2x.explain.diagnosis.recipe import OUTPUT_FIELDS, OWN, Recipe
from tflite2x.explain.diagnosis.simple import Simple
from tflite2x.interpreter.elementwise import option
from tflite2x.interpreter.kernel import Array, align_ranks

if TYPE_CHECKING:
    from tflite2x.explain.diagnosis.exact import ExactOperator

_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


class Slope(Simple):
    """Operators that treat what is below zero in their own way, and requantize."""

    fields = OUTPUT_FIELDS | {"input_zero", "input_shift", "multiplier", "slope"}

    def __init__(self, exact: ExactOperator) -> None:
        super().__init__(exact)
        self.target = Target(
            self.y, self.input_zero, _ACTIVATIONS.get(self.name, 0), lambda total, m: fixed_point(total, m, "double")
        )

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field == "slope":
            if self.name not in ("LEAKY_RELU", "PRELU"):
                return False
            return self.name == "PRELU" or value not in ("unscaled", "zero point")
        if field == "multiplier":
            return value in ("none", "swapped", "no output", "no input")
        if field == "input_zero":
            return value != "first"
        if field == "rounding":
            return value not in ("double", "wide", "narrow single", "narrow double")
        return super().applies(field, value)

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        x = inputs[0]
        assert x is not None
        source = self._input(0)
        zero = {OWN: source.z, "none": 0, "added": -source.z, "output": self.y.z}[recipe.input_zero]
        value = x.astype(np.float64) + recipe.input_shift - zero
        s_x, s_y = source.s, self.y.s
        positive = {
            OWN: float(np.float32(s_x) / np.float32(s_y)), "none": 1.0, "swapped": s_y / s_x, "no output": s_x,
            "no input": 1 / s_y,
        }[recipe.multiplier]  # fmt: skip
        if self.name in _ACTIVATIONS:
            return self.target.finish(value, positive, recipe)
        return self._with_slope(value, zero, positive, inputs, recipe)

    def _with_slope(
        self, value: Array, zero: int, positive: float, inputs: Sequence[Array | None], recipe: Recipe
    ) -> Steps:
        alpha, real = self._alpha(inputs, recipe)
        value, alpha = align_ranks(value, alpha) if alpha.ndim else (value, alpha)
        own = float(np.float32(self._input(0).s) * np.float32(real) / np.float32(self.y.s))
        negative = own if recipe.multiplier == OWN else positive * real
        sign = value + zero if recipe.slope == "integer" else value
        below = np.ones(value.shape, bool) if recipe.slope == "everywhere" else sign < 0
        if recipe.slope in ("none", "identity"):
            total = np.where(below, 0.0, value) if recipe.slope == "none" else value
            below = np.zeros(value.shape, bool)
        else:
            total = np.where(below, value * alpha, value)
        return self.target.finish(total, np.where(np.broadcast_to(below, total.shape), negative, positive), recipe)

    def _alpha(self, inputs: Sequence[Array | None], recipe: Recipe) -> tuple[Array, float]:
        """Return the factor of integers below zero, and the real factor that goes into the multiplier."""
        if self.name == "LEAKY_RELU":
            return np.ones(()), float(np.float32(option(self.exact.context, "alpha", 0.0)))
        spec, alpha = self._input(1), inputs[1]
        assert alpha is not None
        whole = alpha.astype(np.float64) - (0 if recipe.slope == "zero point" else spec.z)
        return whole, 1.0 if recipe.slope == "unscaled" else spec.s

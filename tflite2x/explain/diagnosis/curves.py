# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX, LOGISTIC, TANH, ELU and HARD_SWISH of integers by recipe.

What is computed with other scales or zero points runs through the interpreter's own kernel, prepared with them; what is
rounded in another way is computed in float64, as somebody does who has only floating point.
Sources: LiteRT ``activations.cc``, ``reference/softmax.h``, ``reference/hard_swish.h``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tflite2x.errors import Tflite2xError
from tflite2x.explain.diagnosis.exact import ExactOperator
from tflite2x.explain.diagnosis.output import Steps, Target
from tflite2x.explain.diagnosis.recipe import OUTPUT_FIELDS, OWN, Recipe
from tflite2x.explain.diagnosis.simple import Simple
from tflite2x.interpreter.elementwise import option
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array, KernelContext, TensorSpec

_CURVES: dict[str, Callable[[Array], Any]] = {
    "LOGISTIC": lambda x: 1 / (1 + np.exp(-x)),
    "TANH": np.tanh,
    "ELU": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    "HARD_SWISH": lambda x: x * np.clip(x + 3, 0, 6) / 6,
}
_ROUNDINGS = ("floor", "truncate", "truncate sum", "even", "even sum", "up", "ceil", "none")


class Curve(Simple):
    """A function of real numbers between two quantizations."""

    fields = OUTPUT_FIELDS | {"input_zero", "multiplier", "input_shift", "curve", "unit", "beta", "axis"}

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        softmax = self.name == "SOFTMAX"
        if field == "rounding":
            return value in _ROUNDINGS
        if field == "multiplier":
            return value == "none"
        if field == "input_zero":  # only differences matter to SOFTMAX
            return not softmax and value != "first"
        if field == "input_shift" and softmax:
            return False
        if field == "curve":
            return value == "real" or (self.name in ("LOGISTIC", "TANH") and self.y.dtype == np.int8)
        if field == "unit":
            short = self._one() > 256
            return self.name not in ("ELU", "HARD_SWISH") and value == (32767.0 if short else self._one() - 1)
        if field == "beta":
            return softmax and option(self.exact.context, "beta", 1.0) != 1.0
        if field == "axis":
            return softmax and value == "all" and int(np.prod(self.y.shape[:-1])) > 1
        return super().applies(field, value)

    def _one(self) -> float:
        """Return the number of steps from real 0 to real 1."""
        return float(round_half_away(1 / self.y.s))

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        x = inputs[0]
        assert x is not None
        source = self._input(0)
        # Values that nobody rounded before are taken as they are.
        whole = np.all(x == np.rint(x))
        by_floats = recipe.curve == "real" or recipe.rounding != OWN or recipe.unit or recipe.axis != OWN
        if by_floats or recipe.cast != "saturate" or not whole:
            return self._real(x, recipe)
        zero = {OWN: source.z, "none": 0, "added": -source.z, "output": self.y.z}[recipe.input_zero]
        zero -= recipe.input_shift
        changed = _with(source, zero, 1.0 if recipe.multiplier == "none" else source.s)
        options = self.op.options
        if recipe.beta == "none":
            options = dataclasses.replace(options, beta=1.0)
        rounding = self.exact.context.rounding
        if recipe.curve == "other":
            rounding = "double" if rounding == "single" else "single"
        try:
            run = _prepared(self.exact.context, changed, rounding, options)
            values = np.asarray(run.run([x.astype(source.dtype)])[0], np.float64)
        except Tflite2xError:
            return self._real(x, recipe)
        # The fixed-point arithmetic has no steps that say much: what it stands for.
        about = {k: v for k, v in self._real(x, recipe).values.items() if k.startswith("real")}
        return Steps(about, self.target.bound(values + self.target.moved(recipe), recipe))

    def _real(self, x: Array, recipe: Recipe) -> Steps:
        source = self._input(0)
        zero = {OWN: source.z, "none": 0, "added": -source.z, "output": self.y.z}[recipe.input_zero]
        scale = 1.0 if recipe.multiplier == "none" else source.s
        real = (x.astype(np.float64) + recipe.input_shift - zero) * scale
        with np.errstate(over="ignore"):
            values = self._softmax(real, recipe) if self.name == "SOFTMAX" else _CURVES[self.name](real)
        factor = recipe.unit or 1 / self.y.s
        target = Target(self.y, source.z, 0, lambda total, m: np.asarray(round_half_away(total * m), np.float64))
        found = target.finish(np.asarray(values), float(factor), recipe.changed(multiplier=OWN))
        return Steps({"real input": real, "real result": found.values.pop("sum"), **found.values}, found.result)

    def _softmax(self, real: Array, recipe: Recipe) -> Array:
        beta = 1.0 if recipe.beta == "none" else float(option(self.exact.context, "beta", 1.0))
        axes: Any = -1 if recipe.axis == OWN else tuple(range(1, real.ndim))
        raised = np.exp((real - real.max(axis=axes, keepdims=True)) * beta)
        return np.asarray(raised / raised.sum(axis=axes, keepdims=True))


def _with(spec: TensorSpec, zero: int, scale: float) -> TensorSpec:
    return dataclasses.replace(
        spec, zero_point=np.array([zero], np.int64), scale=np.array([scale], np.float32), const=None, quantization=None
    )


def _prepared(context: KernelContext, x: TensorSpec, rounding: Any, options: Any) -> ExactOperator:
    """Prepare the operator's kernel for another quantization of its input."""
    return ExactOperator(context.op, rounding, first=x, options=options)

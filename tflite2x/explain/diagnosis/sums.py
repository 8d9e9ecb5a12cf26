# SPDX-License-Identifier: Apache-2.0
"""ADD, SUB, MUL, MEAN and SUM of quantized integers by recipe.

Sources of the exact forms: LiteRT ``reference/add.h``, ``reference/sub.h``, ``integer_ops/mul.h``, and
``reference/reduce.h`` (QuantizedMeanOrSum).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.output import Steps, Target, fixed_point
from tflite2x.explain.diagnosis.recipe import OUTPUT_FIELDS, OWN, Recipe
from tflite2x.explain.diagnosis.simple import AFTER, Simple
from tflite2x.interpreter.elementwise import right_scaler, scaler
from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.kernels.arithmetic import powers_of_two, sum_multipliers

if TYPE_CHECKING:
    from tflite2x.explain.diagnosis.exact import ExactOperator

_FIXED = ("single", "double", "fixed floor")


class Sum(Simple):
    """ADD, SUB and MUL of integers."""

    fields = OUTPUT_FIELDS | {"input_zero", "multiplier", "input_shift", "headroom", "operands"}

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        product = self.name == "MUL"
        if field == "multiplier":
            both = ("inputs swapped", "first input")
            return value in ("none", "no output", "no input", "added") or (value in both and not product)
        if field == "headroom":
            return not product
        if field == "operands":
            return self.name == "SUB"
        if field == "rounding":
            if value in ("double", "float32"):
                return product
            return value not in ("wide", "narrow single", "narrow double")
        return super().applies(field, value)

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        a, b, y = self._input(0), self._input(1), self.y
        zeros = {OWN: (a.z, b.z), "none": (0, 0), "added": (-a.z, -b.z), "output": (y.z, y.z), "first": (a.z, a.z)}
        left, right = (
            np.rint(np.asarray(v, np.float64) + recipe.input_shift).astype(np.int64) - zero
            for v, zero in zip(inputs[:2], zeros[recipe.input_zero], strict=True)
            if v is not None
        )
        left, right = _aligned(left, right)
        s_a, s_b = (b.s, a.s) if recipe.multiplier == "inputs swapped" else (a.s, b.s)
        s_b = a.s if recipe.multiplier == "first input" else s_b
        if recipe.operands == "reversed":
            left, right, s_a, s_b = right, left, s_b, s_a
        sign = -1 if self.name == "SUB" else 1
        if self.name == "MUL":
            total, units = (left * right).astype(np.float64), s_a * s_b
            factor = {"none": 1.0, "no output": units, "no input": 1 / y.s}.get(recipe.multiplier, units / y.s)
            return Target(y, a.z, self.target.activation, self._multiplied).finish(total, float(factor), recipe)
        if recipe.multiplier in ("none", "no input"):
            s_a = s_b = 1.0
        total = s_a * left + sign * (s_b * right)
        factor = 1.0 if recipe.multiplier in ("none", "no output") else 1 / y.s
        steps = {"left": s_a * left, "right": s_b * right}

        def definition(_: Array, inverse: Array) -> Array:
            return self._added(left, right, s_a, s_b, 1 / float(inverse), sign, recipe)

        target = Target(y, a.z, self.target.activation, definition)
        # Every multiplication in fixed point rounds, and not only the last one.
        fixed = recipe.changed(rounding=OWN) if recipe.rounding in _FIXED else recipe
        found = target.finish(total, float(factor), fixed)
        shape = found.result.shape
        return Steps({**{k: np.broadcast_to(v, shape) for k, v in steps.items()}, **found.values}, found.result)

    def _added(self, left: Array, right: Array, s_a: float, s_b: float, s_y: float, sign: int, recipe: Recipe) -> Array:
        bits = 15 if self.short else 20
        before = 0 if recipe.headroom in ("none", "output") else bits
        after = 0 if recipe.headroom in ("none", "inputs") else bits
        real_a, real_b, real_y = sum_multipliers(self.exact.context, s_a, s_b, s_y, after)
        first, last = self._scalers(recipe, sign)
        raised = first(real_a)(left << before) + sign * first(real_b)(right << before)
        return last(real_y)(raised).astype(np.float64)

    @staticmethod
    def _scalers(recipe: Recipe, sign: int) -> tuple[Callable[[float], Callable[[Array], Array]], ...]:
        """Return the multiplications of the inputs and of the sum."""
        mode = recipe.rounding
        if mode in _FIXED:

            def other(real: float) -> Callable[[Array], Array]:
                return lambda x: fixed_point(x.astype(np.float64), np.asarray(real), mode).astype(np.int64)

            return other, other
        return scaler, scaler if sign > 0 or recipe.headroom != OWN else right_scaler

    def _multiplied(self, total: Array, factor: Array) -> Array:
        real = float(np.float32(self._input(0).s) * np.float32(self._input(1).s) / np.float32(self.y.s))
        exact = self._input(0).s * self._input(1).s / self.y.s
        own = self.exact.context.rounding == "single" and np.isclose(float(factor), exact, rtol=1e-12)
        return scaler(real if own else float(factor))(total.astype(np.int64)).astype(np.float64)


def is_power_of_two_sum(exact: ExactOperator) -> bool:
    """Whether an int16 ADD or SUB shifts instead of multiplying."""
    context = exact.context
    specs = [*context.inputs[:2], context.outputs[0]]
    short = exact.op.name in ("ADD", "SUB") and context.outputs[0].dtype.itemsize == 2
    return short and all(s is not None and s.is_quantized for s in specs) and powers_of_two(context) is not None


def _aligned(left: Array, right: Array) -> tuple[Array, Array]:
    rank = max(left.ndim, right.ndim)
    a, b = (v.reshape(v.shape[:1] + (1,) * (rank - v.ndim) + v.shape[1:]) for v in (left, right))
    return a, b


class Mean(Simple):
    """MEAN and SUM of integers: one multiplier for scales and count."""

    fields = AFTER | {"average", "rounding", "count", "input_zero", "multiplier", "input_shift", "input_layout"}

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field in ("average", "count"):
            return self.name == "MEAN" and (field == "average" or value == "none")
        if field == "rounding":
            if self.name == "MEAN":  # the others are ways to round an average
                return value in ("single", "none")
            return value not in ("double", "wide", "narrow single", "narrow double")
        if field == "input_zero":
            return value != "first"
        if field == "multiplier":
            return value in ("none", "no output", "no input", "swapped", "added")
        return super().applies(field, value)

    def _reads_images(self) -> bool:
        return True

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        x, axes = inputs[0], inputs[1]
        assert x is not None
        assert axes is not None
        rank = x.ndim - 1
        where = tuple(sorted({1 + int(a) % rank for a in axes[0].reshape(-1)}))
        source = self._input(0)
        zero = {OWN: source.z, "none": 0, "added": -source.z, "output": self.y.z}[recipe.input_zero]
        total = (x.astype(np.float64) + recipe.input_shift - zero).sum(axis=where).reshape(len(x), *self.y.shape)
        divided = self.name == "MEAN" and recipe.count == OWN
        count = int(np.prod([x.shape[a] for a in where])) if divided else 1
        ratio = source.s / self.y.s
        factor = {OWN: ratio, "added": ratio, "none": 1.0, "no output": source.s, "no input": 1 / self.y.s,
                  "swapped": 1 / ratio}[recipe.multiplier]  # fmt: skip
        if recipe.average == "twice":
            total, count = np.sign(total) * np.floor(np.abs(total) / count + 0.5), 1
        elif recipe.average != OWN:
            recipe = recipe.changed(rounding=recipe.average)

        def definition(values: Array, _: Array) -> Array:
            mantissa, shift = (int(v) for v in quantize_multiplier(factor, "double"))
            bits = min(count.bit_length() - 1, 32, 31 + shift)
            whole = np.rint(values).astype(np.int64)
            return requantize(whole, (mantissa << bits) // count, shift - bits, "double").astype(np.float64)

        target = Target(self.y, source.z, self.target.activation, definition)
        if recipe.multiplier == "added":
            return target.finish(total / count, float(factor), recipe)
        return target.finish(total, float(factor) / count, recipe)

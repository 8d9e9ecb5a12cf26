# SPDX-License-Identifier: Apache-2.0
"""The last steps of a quantized operator, made rightly or wrongly: multiply, round, zero point, activation, cast.

Sources of the exact form: LiteRT ``internal/common.cc`` (MultiplyByQuantizedMultiplier), ``kernel_util.cc``
(CalculateActivationRangeQuantized), ``reference/integer_ops/fully_connected.h``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tflite2x.explain.diagnosis.recipe import OWN, Recipe
from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize, requantize_int64, round_half_away
from tflite2x.interpreter.kernel import Array, TensorSpec

_BOUNDS: dict[int, tuple[float, float]] = {1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
#: Ways to round that multiply by a quantized multiplier.
_FIXED = ("single", "double", "fixed floor", "wide", "narrow single", "narrow double")
#: Largest accumulator that the fixed-point functions take.
_LIMIT = float(2**31 - 1)


@dataclasses.dataclass(frozen=True)
class Steps:
    """Values on their way to the output, one array per step, all shaped alike (float64).

    Attributes:
        values: Name of a step, such as ``sum`` or ``rounded``, and its values.
        result: What the operator returns.
    """

    values: dict[str, Array]
    result: Array


@dataclasses.dataclass(frozen=True)
class Target:
    """What the last steps need to know about the output.

    Attributes:
        spec: The output.
        input_zero: Zero point of the input, for those who take the wrong one.
        activation: The fused activation.
        definition: ``definition(sum, multiplier)``: the operator's own multiplication and rounding.
    """

    spec: TensorSpec
    input_zero: int
    activation: int
    definition: Callable[[Array, Array], Array]

    def finish(self, total: Array, multiplier: Array | float, recipe: Recipe, after: Array | float = 0.0) -> Steps:
        """Make the last steps.

        Args:
            total: The sums, float64.
            multiplier: Real multipliers; broadcasts against ``total``.
            recipe: The choices.
            after: Added after the rounding (a bias in the wrong place).
        """
        multiplier = np.asarray(multiplier, np.float64)
        real = total + multiplier if recipe.multiplier == "added" else total * multiplier
        zero = self.spec.z + self.moved(recipe)
        values = {"sum": total, "times multiplier": real}
        if recipe.multiplier == "added":
            values["plus multiplier"] = values.pop("times multiplier")
        rounded = self._round(total, multiplier, real, recipe, zero) + after
        values["rounded"] = rounded
        whole = rounded + zero
        values["plus zero point"] = whole
        result = self.bound(whole, recipe)
        return Steps(values, result)

    def moved(self, recipe: Recipe) -> int:
        """Return how far the zero point that is added is from the output's."""
        z = self.spec.z
        return {OWN: 0, "none": -z, "subtracted": -2 * z, "input": self.input_zero - z, "high": 1, "low": -1}[
            recipe.output_zero
        ]

    def _round(self, total: Array, multiplier: Array, real: Array, recipe: Recipe, zero: int) -> Array:
        mode = recipe.rounding
        if mode == OWN:
            return round_half_away(real) if recipe.multiplier == "added" else self.definition(total, multiplier)
        if mode in _FIXED:
            return fixed_point(total, multiplier, mode.removeprefix("narrow "))
        if mode == "float32":
            return np.asarray(np.rint(total.astype(np.float32) * np.asarray(multiplier, np.float32)), np.float64)
        return round_real(real, mode, zero)

    def bound(self, whole: Array, recipe: Recipe) -> Array:
        """Apply activation, cast, and shift to values that have their zero point."""
        if recipe.order == "cast first":
            return self.activate(self.cast(whole, recipe), recipe) + recipe.output_shift
        result = self.cast(self.activate(whole, recipe), recipe)
        if recipe.output_shift == 256:
            return np.where(result < 0, result + 256, result)
        return result + recipe.output_shift

    def activate(self, whole: Array, recipe: Recipe) -> Array:
        """Clamp to the fused activation's range, or to what the recipe takes for it."""
        low, high = self.limits(recipe)
        return np.clip(whole, low, high) if low > -np.inf or high < np.inf else whole

    def limits(self, recipe: Recipe) -> tuple[float, float]:
        """Return the clamp that ``recipe`` uses for the activation."""
        if recipe.activation == "none" or self.activation not in _BOUNDS:
            return (0.0, np.inf) if recipe.activation == "zero" else (-np.inf, np.inf)
        low, high = _BOUNDS[self.activation]
        steps = [v if np.isinf(v) else float(round_half_away(np.float32(v) / np.float32(self.spec.s)))
                 for v in (low, high)]  # fmt: skip
        if recipe.activation == "zero":
            return max(steps[0], 0.0), np.inf
        if recipe.activation == "zero6":
            return low, high
        # Who has the zero point off by one clamps there, too.
        shift = self.spec.z + (self.moved(recipe) if recipe.output_zero in ("high", "low") else 0)
        shift = 0 if recipe.activation == "unshifted" else shift
        lowest, highest = steps[0] + shift, steps[1] + shift
        if recipe.activation == "inside":
            info = np.iinfo(self.spec.dtype)
            return -np.inf if lowest <= info.min else lowest, np.inf if highest >= info.max else highest
        return lowest, highest

    def knows(self, activation: object) -> bool:
        """Whether a mistake in the activation can be made with this one."""
        if activation in ("zero6", "unshifted"):
            return self.activation in (2, 3)
        return activation == "zero" or self.activation != 0

    def cast(self, whole: Array, recipe: Recipe) -> Array:
        """Bring integers into the type: saturated, wrapped, or not at all."""
        if recipe.bounds is not None:
            whole = np.clip(whole, *recipe.bounds)
        if recipe.cast == "none":
            return whole
        info = np.iinfo(self.spec.dtype)
        if recipe.cast == "wrap":
            span = float(info.max) - float(info.min) + 1
            return np.floor(whole) - span * np.floor((np.floor(whole) - info.min) / span)
        return np.clip(whole, info.min, info.max)


def round_real(real: Array, mode: str, zero: int = 0) -> Array:
    """Round real numbers in one of the ways that people use; ``... sum`` rounds with the zero point in."""
    functions: dict[str, Callable[[Array], Any]] = {
        "floor": np.floor,
        "truncate": np.trunc,
        "even": np.rint,
        "away": round_half_away,
        "up": lambda v: np.floor(v + 0.5),
        "ceil": np.ceil,
        "truncate sum": lambda v: np.trunc(v + zero) - zero,
        "even sum": lambda v: np.rint(v + zero) - zero,
        "none": lambda v: v,
    }
    return np.asarray(functions[mode](real), np.float64)


def fixed_point(total: Array, multiplier: Array, mode: str) -> Array:
    """Multiply by a quantized multiplier: ``single``, ``double``, ``wide``, or ``fixed floor`` without any rounding."""
    if mode == "wide":
        return _wide(total, multiplier)
    whole = np.clip(np.rint(total), -_LIMIT, _LIMIT).astype(np.int64)
    mantissa, shift = quantize_multiplier(multiplier, "single" if mode == "single" else "double")
    if mode == "fixed floor":
        return ((whole * mantissa) >> np.clip(31 - shift, 0, 62)).astype(np.float64)
    result = requantize(whole, mantissa, shift, "single" if mode == "single" else "double").astype(np.float64)
    # Only wrong multipliers lead beyond int32, and only some languages wrap around there.
    real = total * multiplier
    result = np.where(np.abs(real) >= _LIMIT / 8, np.rint(real), result)
    # Sums of more than 32 bits: the rounded multiplier still counts.
    exact = np.floor(total * np.ldexp(mantissa.astype(np.float64), shift - 31) + 0.5)
    return np.where(np.abs(total) > _LIMIT, exact, result)


def _wide(total: Array, multiplier: Array) -> Array:
    """Multiply 64-bit sums by multipliers of 16 bits."""
    mantissa, shift = quantize_multiplier(multiplier, "double")
    whole = np.clip(np.rint(total), -(2.0**47), 2.0**47).astype(np.int64)
    result = requantize_int64(whole, mantissa, np.minimum(shift, 14)).astype(np.float64)
    real = total * multiplier
    return np.where((np.abs(real) >= _LIMIT / 8) | (shift > 14), np.rint(real), result)


def as_nchw(values: Array) -> Array:
    """Return values [..., H, W, C] whose memory is in the order [..., C, H, W], under the old shape."""
    return np.moveaxis(values, -1, -3).reshape(values.shape)

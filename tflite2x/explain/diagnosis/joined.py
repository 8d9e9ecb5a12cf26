# SPDX-License-Identifier: Apache-2.0
"""CONCATENATION of integers by recipe. Source: LiteRT ``reference/concatenation.h`` (ConcatenationWithScaling)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.explain.diagnosis.output import Steps, Target
from tflite2x.explain.diagnosis.recipe import OUTPUT_FIELDS, OWN, Recipe
from tflite2x.explain.diagnosis.simple import Simple
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array, TensorSpec
from tflite2x.interpreter.kernels.layout import over_samples


class Joined(Simple):
    """CONCATENATION: uint8 inputs may have other scales than the output."""

    fields = (OUTPUT_FIELDS - {"activation", "order"}) | {"rescale", "operands", "axis"}

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field in ("rescale", "rounding", "output_zero"):
            other = any(self._changes(s) for s in self._specs())
            if field == "rounding":
                return other and value in (
                    "truncate",
                    "floor",
                    "even",
                    "up",
                    "ceil",
                    "none",
                    "truncate sum",
                    "even sum",
                )
            return other or field == "output_zero"
        if field == "axis":
            return value == "first" and self._axis() != 0 and int(np.prod(self.y.shape[: self._axis()])) > 1
        return super().applies(field, value)

    def _specs(self) -> list[TensorSpec]:
        return [s for s in self.specs if s is not None]

    def _changes(self, spec: TensorSpec) -> bool:
        return spec.is_quantized and (spec.s, spec.z) != (self.y.s, self.y.z)

    def _axis(self) -> int:
        axis = int(getattr(self.exact.context.options, "axis", 0))
        return axis % max(1, len(self.y.shape))

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        pairs = [(a, s) for a, s in zip(inputs, self.specs, strict=True) if a is not None and s is not None]
        count = max(len(a) for a, _ in pairs)
        parts = [(over_samples(a, count).astype(np.float64), s) for a, s in pairs]
        first = parts[0][1]
        if recipe.operands == "reversed":
            parts.reverse()
        rescaled = any(self._changes(s) for s in self._specs())
        totals, reals, wholes = [], [], []
        for array, spec in parts:
            chosen = first if recipe.rescale == "first" else spec
            total = array - chosen.z
            if not rescaled or recipe.rescale in ("none", "zero points") or not self._changes(chosen):
                # Integers that keep their meaning: as they are, or moved to the output's zero point.
                real = whole = array - (self.y.z if recipe.rescale == "none" or not rescaled else chosen.z)
            else:
                scale = np.float32(chosen.s) * (np.float32(1) / np.float32(self.y.s))
                steps = array.astype(np.float32) * scale + np.float32(-chosen.z) * scale
                whole = np.asarray(round_half_away(steps.astype(np.float64)), np.float64)
                real = total * (chosen.s / self.y.s)
            totals.append(total)
            reals.append(real)
            wholes.append(whole)
        joined = self._join(wholes, recipe)

        def definition(_total: Array, _multiplier: Array) -> Array:
            return joined

        target = Target(self.y, first.z, 0, definition)
        found = target.finish(self._join(reals, recipe), 1.0, recipe)
        steps_shown = {"minus zero point": self._join(totals, recipe), "times scales": found.values["sum"]}
        rest = {k: v for k, v in found.values.items() if k in ("rounded", "plus zero point")}
        return Steps({**steps_shown, **rest}, found.result)

    def _join(self, parts: Sequence[Array], recipe: Recipe) -> Array:
        if recipe.axis == OWN:
            return np.concatenate(parts, axis=1 + self._axis())
        return np.concatenate([p.reshape(len(p), -1) for p in parts], axis=1).reshape(len(parts[0]), *self.y.shape)

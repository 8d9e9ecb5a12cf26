# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV by recipe: every input element is spread over the output.

Sources: LiteRT ``reference/integer_ops/transpose_conv.h``, ``transpose_conv.cc``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tflite2x.explain.diagnosis.linear import Linear
from tflite2x.explain.diagnosis.recipe import OWN, Recipe
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.windows import Axis, tap_views, window_axes


class Transposed(Linear):
    """TRANSPOSE_CONV of integers; its inputs are the output's shape, weights, activations and bias."""

    places = (2, 1, 3)

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field == "sum_bits":
            return value == 16
        if field == "weights_layout" and value in ("HWIO", "CHW"):
            return False
        return super().applies(field, value)

    @property
    def padded(self) -> bool:
        """What lies outside of the output is dropped: nothing is padded with."""
        return False

    @property
    def cost(self) -> int:
        """Multiplications of one evaluation."""
        return int(np.prod(self.w.shape)) * int(np.prod(self.x.shape[:3]))

    def _compute(self, x: Array, w: Array, recipe: Recipe) -> Array:
        values, weights, zero = self._operands(x, w, recipe)
        return self._add_up(values - zero, weights, recipe)

    def _operands(self, x: Array, w: Array, recipe: Recipe) -> tuple[Array, Array, int]:
        own = self.weights_zero
        weights_zero = {OWN: own, "none": 0, "input": self.x.z, "added": -own, "128": 128, "bits": 0}
        if recipe.weights_zero == "bits":
            w = w.view(np.int8)
        weights = self._weights(w, recipe.weights_layout).astype(np.float64) - weights_zero[recipe.weights_zero]
        zero = {OWN: self.x.z, "none": 0, "added": -self.x.z, "output": self.y.z}[recipe.input_zero]
        return self._images(x, recipe), weights, zero

    def _images(self, x: Array, recipe: Recipe) -> Array:
        values = x.astype(np.float64) + recipe.input_shift
        return self._arranged(values.reshape(-1, *x.shape[2:]), recipe.input_layout)

    def _add_up(self, values: Array, weights: Array, recipe: Recipe) -> Array:
        """Return [N, images, *out, O]."""
        axes = self._spread()
        sizes = values.shape[1:3]
        placed = tuple(dataclasses.replace(a, out=n) for a, n in zip(axes, sizes, strict=True))
        room = (max(a.reach, a.before + a.size) for a in placed)
        canvas = np.zeros((len(values), *room, len(weights)))
        for (i, j), view in tap_views(canvas, placed):
            view += values @ weights[:, i, j].T
        inside = tuple(slice(a.before, a.before + a.size) for a in placed)
        total = canvas[(slice(None), *inside)]
        if recipe.sum_bits == 16:
            total = np.mod(total + 2.0**15, 2.0**16) - 2.0**15
        return np.ascontiguousarray(total).reshape(-1, self.y.shape[0], *total.shape[1:])

    def _spread(self) -> tuple[Axis, ...]:
        o = self.exact.context.options
        return window_axes(o.padding, self.y.shape[1:3], self.w.shape[1:3], (o.stride_h, o.stride_w), (1, 1))

    def _axes(self, sizes: Sequence[int]) -> tuple[Axis, ...]:
        return self._spread()

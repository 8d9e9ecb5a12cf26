# SPDX-License-Identifier: Apache-2.0
"""XC_fc by recipe: shifts, saturation and offset of the XS3 vector unit. The exact form is in :mod:`tflite2x.xs3`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.explain.diagnosis.output import Steps
from tflite2x.explain.diagnosis.recipe import Recipe
from tflite2x.explain.diagnosis.simple import Simple
from tflite2x.interpreter.kernel import Array


class Vector(Simple):
    """XC_fc with 8-bit outputs."""

    fields = frozenset(
        (
            "shifts",
            "middle",
            "offset",
            "halves",
            "folded",
            "columns",
            "cast",
            "bounds",
            "input_shift",
            "output_shift",
            "sum_bits",
            "bias",
        )
    )

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field == "columns":
            return int(np.prod(self._input(0).shape)) != self._input(1).shape[1]
        if field == "input_shift":  # zero points are folded into the parameters
            return value in (-128, 128)
        if field == "bias":
            return value in ("none", "subtracted")
        if field == "sum_bits":
            return value == 16
        return super().applies(field, value)

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        x, w, bso = inputs[0], inputs[1], inputs[2]
        assert x is not None
        assert w is not None
        assert bso is not None
        weights = w[0].astype(np.float64)
        channels = len(weights)
        rows = bso[0].transpose(1, 0, 2).reshape(7, -1)[:, :channels].astype(np.int64)
        high, low, shift1, scale, offset_scale, offset, shift2 = rows
        high, low = (low, high) if recipe.halves == "swapped" else (high, low)
        bias = high * 65536 + (low if recipe.halves == "signed" else low & 0xFFFF)
        bias = bias * {"none": 0, "subtracted": -1}.get(recipe.bias, 1)
        values = x.reshape(len(x), -1).astype(np.float64) + recipe.input_shift
        values = values - (self.input_zero if recipe.folded == "input" else 0)
        columns = values.shape[1]
        if recipe.columns == "unpadded":
            weights = weights.reshape(-1)[: channels * columns].reshape(channels, columns)
        products = values @ weights[:, :columns].T
        if recipe.sum_bits == 16:
            products = np.mod(products + 2.0**15, 2.0**16) - 2.0**15
        total = np.clip(products + bias, -(2.0**31 - 1), 2.0**31 - 1)
        shifted = _shift(total, shift1, recipe.shifts not in ("first", "both"))
        if recipe.middle == "wrap":
            narrow = np.mod(shifted + 2.0**15, 2.0**16) - 2.0**15
        else:
            narrow = shifted if recipe.middle == "none" else np.clip(shifted, -32767, 32767)
        product = narrow * scale + (0 if recipe.offset == "none" else offset_scale * offset)
        rounded = _shift(product, shift2, recipe.shifts not in ("second", "both"))
        whole = rounded + (self.y.z if recipe.folded == "output" else 0)
        result = self.target.bound(whole, recipe).reshape(len(x), *self.y.shape)
        names = ("sum", "after the first shift", "times scale plus offset", "after the second shift")
        steps = (total, shifted, product, rounded)
        return Steps({k: v.reshape(result.shape) for k, v in zip(names, steps, strict=True)}, result)


def _shift(values: Array, bits: Array, nearest: bool) -> Array:
    """Shift right; exact in float64, where everything is below 2**53."""
    half = np.where(bits > 0, np.exp2(bits - 1.0), 0.0) if nearest else 0.0
    return np.asarray(np.floor((values + half) / np.exp2(bits)))

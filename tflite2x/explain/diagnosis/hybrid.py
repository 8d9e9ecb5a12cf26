# SPDX-License-Identifier: Apache-2.0
"""Float activations with integer weights by recipe (dynamic quantization): how the activations become integers.

Sources: LiteRT ``fully_connected.cc``, ``conv.cc``, ``depthwise_conv.cc`` (EvalHybrid), and
``internal/reference/portable_tensor_utils.cc``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.linear import Linear
from tflite2x.explain.diagnosis.output import Steps, as_nchw, round_real
from tflite2x.explain.diagnosis.recipe import OWN, Recipe
from tflite2x.interpreter.fixedpoint import activation_range_float
from tflite2x.interpreter.hybrid import quantize_asymmetric, quantize_symmetric
from tflite2x.interpreter.kernel import Array

if TYPE_CHECKING:
    from tflite2x.explain.diagnosis.exact import ExactOperator


class Hybrid(Linear):
    """A float operator with int8 weights; it equals the kernel within float32's precision.

    Args:
        exact: The operator.
    """

    fields = frozenset(
        (
            "activations",
            "row_scale",
            "input_layout",
            "weights_layout",
            "bias",
            "activation",
            "multiplier",
            "channels",
            "output_layout",
        )
    )

    def __init__(self, exact: ExactOperator) -> None:
        super().__init__(exact)
        self.weights_zero = 0  # ignored by the kernels
        if self.name == "FULLY_CONNECTED":
            self.asymmetric = bool(getattr(exact.context.options, "asymmetric_quantize_inputs", False))
        else:  # DEPTHWISE_CONV_2D has as many groups as channels
            grouped = self.name == "DEPTHWISE_CONV_2D" or self.x.shape[3] != self.w.shape[3]
            self.asymmetric = grouped or bool(np.any(self.scales != self.scales[0]))

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field == "activation":
            return value == "none" and self.target.activation != 0
        if field == "bias":
            return value in ("none", "subtracted") and super().applies(field, value)
        if field == "multiplier":
            return value in ("no weights", "no input") or (value == "zero" and self.w.scale.size > 1)
        if field == "row_scale":
            return self._rows() > 1
        return super().applies(field, value)

    def _rows(self) -> int:
        depth = self.w.shape[1] if self.name == "FULLY_CONNECTED" else int(np.prod(self.x.shape[1:]))
        return int(np.prod(self.x.shape)) // max(1, depth)

    def steps(self, inputs: Sequence[Array | None], recipe: Recipe, select: Array | None = None) -> Steps:
        """Return all steps; with ``select`` (flat indices into one output) as flat arrays of those values only."""
        x, w, b = (*inputs, None)[:3]
        assert x is not None
        assert w is not None
        rows = x.reshape(-1, self.w.shape[1] if self.name == "FULLY_CONNECTED" else int(np.prod(x.shape[2:])))
        whole, scale = self._quantized(rows.astype(np.float32), recipe)
        exact = recipe.changed(bias=OWN, activation=OWN, multiplier=OWN, channels=OWN, output_layout=OWN)
        total = self._compute(whole.reshape(x.shape), w[0].view(np.int8), exact)
        factor = self._factors(recipe)
        shape = (len(x), -1, *(1,) * (total.ndim - 2)) if self.name != "FULLY_CONNECTED" else (*total.shape[:-1], 1)
        row = np.ones_like(scale) if recipe.multiplier == "no input" else scale
        real = total * factor * row.astype(np.float64).reshape(shape)
        values = {"sum": total, "times scales": real}
        if b is not None and recipe.bias != "none":
            real = real + b[0].reshape(-1).astype(np.float64) * (-1 if recipe.bias == "subtracted" else 1)
            values["plus bias"] = real
        low, high = activation_range_float(0 if recipe.activation == "none" else self.target.activation)
        result = np.clip(real, float(low), float(high))
        if recipe.output_layout != OWN:
            values, result = {k: as_nchw(v) for k, v in values.items()}, as_nchw(result)
        if select is None:
            return Steps(values, result)
        return Steps({k: v.reshape(-1)[select] for k, v in values.items()}, result.reshape(-1)[select])

    def _factors(self, recipe: Recipe) -> Array:
        """Return the weights' scale of every channel."""
        s = self.scales
        if recipe.multiplier in ("no weights", "zero"):
            return np.full_like(s, float(recipe.multiplier == "no weights"))
        one = {"first": s[0], "last": s[-1], "mean": s.mean(), "max": s.max()}.get(recipe.channels)
        return s if one is None else np.full_like(s, one)

    def _quantized(self, rows: Array, recipe: Recipe) -> tuple[Array, Array]:
        """Return rows as integers without their zero point, and one scale per row."""
        choice = recipe.activations
        if choice == "real":
            return rows, np.ones(len(rows))
        if recipe.row_scale == "tensor":
            whole, scale = self._quantized(rows.reshape(1, -1), recipe.changed(row_scale=OWN))
            return whole.reshape(rows.shape), np.full(len(rows), scale[0])
        asymmetric = self.asymmetric != (choice == "other")
        if choice in (OWN, "other"):
            if not asymmetric:
                return quantize_symmetric(rows)
            whole, scale, zero = quantize_asymmetric(rows)
            return whole - zero[:, None], scale
        _, scale, *zeros = quantize_asymmetric(rows) if asymmetric else quantize_symmetric(rows)
        zero_points = zeros[0][:, None] if zeros else 0.0
        limit = 128.0 if asymmetric else 127.0
        mode = choice.removesuffix(" quotient")
        if choice == "128":
            scale = scale * (255 / 256) if asymmetric else scale * (127 / 128)
            steps = round_real(rows / scale[:, None], "away")
        elif choice == mode:  # multiplied by the inverse in float32, as the kernels do
            extent = np.abs(rows).max(axis=1, initial=0).astype(np.float32)
            inverse = 1 / scale if asymmetric else np.float32(127) / np.where(extent == 0, np.float32(127), extent)
            steps = round_real(zero_points + rows * inverse[:, None].astype(np.float32), mode) - zero_points
        else:
            steps = round_real(zero_points + rows / scale[:, None], mode) - zero_points
        return np.clip(steps + zero_points, -limit, 127.0) - zero_points, scale

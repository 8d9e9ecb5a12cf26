# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED, CONV_2D and DEPTHWISE_CONV_2D by recipe: int8, uint8, and int16 activations with 8-bit weights.

Everything is computed in float64, in which sums of products are exact, so that values that somebody forgot to
round can be tried as well. Sources: LiteRT ``reference/integer_ops/conv.h``, ``depthwise_conv.h``,
``fully_connected.h``; the exact recipe equals the interpreter's kernels, which is checked before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.output import Steps, Target, as_nchw, fixed_point
from tflite2x.explain.diagnosis.recipe import OUTPUT_FIELDS, OWN, SUM_FIELDS, Recipe
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.windows import Axis, pad_windows, tap_views, window_axes, window_view

if TYPE_CHECKING:
    from tflite2x.explain.diagnosis.exact import ExactOperator

_KEPT = 64


class Linear:
    """A quantized operator with weights.

    Args:
        exact: The operator; its activations are int8, uint8 or int16.
    """

    fields = frozenset((*SUM_FIELDS, "accumulator", "bias", "multiplier", "channels")) | OUTPUT_FIELDS
    #: Positions of activations, weights and bias among the operator's inputs.
    places = (0, 1, 2)

    def __init__(self, exact: ExactOperator) -> None:
        self.exact, self.op = exact, exact.op
        context = exact.context
        x, w, y = context.input(self.places[0]), context.input(self.places[1]), context.outputs[0]
        bias = context.optional(self.places[2])
        self.x, self.w, self.y, self.bias = x, w, y, bias
        #: int16 activations, and whether their sums have 64 bits.
        self.short = x.type.name == "INT16"
        narrow = (
            getattr(context.options, "quantized_bias_type", None) == 2 if bias is None else bias.type.name == "INT32"
        )
        self.wide = self.short and not narrow
        self.name = exact.op.name
        #: Sums by what makes them; the input is kept with them, so that its identity stays its own.
        self._kept: dict[tuple[object, ...], tuple[Array, Array]] = {}
        self._multipliers: dict[tuple[str, str], Array] = {}
        activation = int(getattr(context.options, "fused_activation_function", 0))
        self.target = Target(y, x.z, activation, self._definition)
        channels = w.shape[3] if self.name == "DEPTHWISE_CONV_2D" else w.shape[0]
        self.channels = channels
        self.scales = np.broadcast_to(w.scale.astype(np.float64), (channels,)) if w.scale.size else np.ones(channels)
        # One zero point for all weights; kernels ignore those of int8 weights except per tensor in FULLY_CONNECTED.
        own = w.scale.size == 1 and (w.type.name == "UINT8" or self.name == "FULLY_CONNECTED")
        self.weights_zero = w.z if own else 0

    @property
    def cost(self) -> int:
        """Multiplications of one evaluation."""
        depth = self.w.shape[1] if self.name == "FULLY_CONNECTED" else int(np.prod(self.w.shape[1:3]))
        if self.name == "CONV_2D":
            depth *= self.w.shape[3]
        return depth * int(np.prod(self.y.shape))

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        image, padded = self.name != "FULLY_CONNECTED", self.padded
        if field == "padding":
            return padded
        if field == "rounding":
            return self._rounds(value)
        if field in ("accumulator", "bounds") or value == "int32":
            wide = value in ("wrap", "clamp", "int32")
            return self.wide if wide else value is None or self.short == (value == (-32767, 32767))
        if field in ("input_shift", "output_shift") and self.short:
            return False
        if field == "sum_bits" and self.short:
            return value == 16
        if field == "channels":
            return self.w.scale.size > 1
        if field == "weights_layout":
            if self.name == "FULLY_CONNECTED":
                return value == "transposed"
            if value == "HWOI":
                return self.name == "TRANSPOSE_CONV"
            if value == "swapped":
                return self.w.shape[1] == self.w.shape[2] > 1
            if value == "flipped":
                return self.w.shape[1] * self.w.shape[2] > 1
            return value in (("CHW",) if self.name == "DEPTHWISE_CONV_2D" else ("HWIO", "OIHW"))
        if field == "input_layout":
            square = len(self.x.shape) == 4 and self.x.shape[1] == self.x.shape[2] > 1
            return image and (square if value == "swapped" else self.x.shape[3] > 1)
        if field == "output_layout":
            return image and self.channels > 1
        if field == "activation":
            return self.target.knows(value)
        if field == "weights_zero":
            unsigned = self.w.type.name == "UINT8"
            return value == "input" or unsigned or (value in ("none", "added") and self.weights_zero != 0)
        if field == "multiplier":
            return self.w.scale.size > 1 if value == "zero" else value not in ("inputs swapped", "first input")
        if field == "input_zero":
            return value != "first"
        if field == "bias":
            return self.bias is not None
        return True

    def _rounds(self, value: object) -> bool:
        """Whether a way of rounding differs from the operator's own."""
        real = self.name == "FULLY_CONNECTED" and self.exact.context.rounding == "single"
        if value == "wide":
            return self.short and (real or not self.wide)
        narrow = value in ("narrow single", "narrow double")
        return narrow == (self.wide and not real) if narrow or value in ("single", "double") else True

    @property
    def padded(self) -> bool:
        """Whether windows reach over the border."""
        return self.name != "FULLY_CONNECTED" and any(
            a.before or a.reach - a.before > a.size for a in self._axes(self.x.shape[1:3])
        )

    def run(self, inputs: Sequence[Array | None], recipe: Recipe) -> Array:
        """Return the output [N, ...] as float64."""
        return self.steps(inputs, recipe).result

    def steps(self, inputs: Sequence[Array | None], recipe: Recipe, select: Array | None = None) -> Steps:
        """Return all steps; with ``select`` (flat indices into one output) as flat arrays of those values only."""
        x, w, b = ((*inputs, None, None, None)[i] for i in self.places)
        assert x is not None
        assert w is not None
        total = self._sum(x, w[0], recipe)
        shape = total.shape
        channel = np.arange(self.channels)
        if select is not None and recipe.output_layout == OWN:
            channel, total = select % self.channels, total.reshape(-1)[select]
        bias = None if b is None else b[0].astype(np.float64).reshape(-1)
        multiplier = self.multiplier(recipe)
        after: Array | float = 0.0
        if bias is not None and recipe.bias == "after":
            after = bias[channel]
        elif bias is not None:
            total = total + self._bias(bias, recipe)[channel]
        if recipe.accumulator != OWN:
            low, span = -(2.0**31), 2.0**32
            wrapped = np.mod(total - low, span) + low
            total = wrapped if recipe.accumulator == "wrap" else np.clip(total, low, -low - 1)
        steps = self.target.finish(total, multiplier[channel], recipe, after)
        if select is None and recipe.output_layout == OWN:
            return steps
        if recipe.output_layout != OWN:
            steps = Steps(
                {k: as_nchw(np.broadcast_to(v, shape)) for k, v in steps.values.items()}, as_nchw(steps.result)
            )
            if select is not None:
                flat = {k: v.reshape(-1)[select] for k, v in steps.values.items()}
                return Steps(flat, steps.result.reshape(-1)[select])
        return steps

    def multiplier(self, recipe: Recipe) -> Array:
        """Return the real multiplier of every channel."""
        key = (recipe.multiplier, recipe.channels)
        if key not in self._multipliers:
            self._multipliers[key] = self._multiplier(recipe)
        return self._multipliers[key]

    def _multiplier(self, recipe: Recipe) -> Array:
        s_w, s_x, s_y = self.scales, self.x.s, self.y.s
        if recipe.channels != OWN:
            one = {"first": s_w[0], "last": s_w[-1], "mean": s_w.mean(), "max": s_w.max()}[recipe.channels]
            s_w = np.full_like(s_w, one)
        choices = {
            OWN: self._product(s_w) / s_y,
            "added": s_x * s_w / s_y,
            "none": np.ones_like(s_w),
            "no output": s_x * s_w,
            "no input": s_w / s_y,
            "no weights": np.full_like(s_w, s_x / s_y),
            "inverse": s_y / (s_x * s_w),
            "swapped": s_y * s_w / s_x,
            "zero": np.zeros_like(s_w),
        }
        return choices[recipe.multiplier]

    def _product(self, s_w: Array) -> Array:
        """Return input scale times weights' scales; in float32 where kernel_util.cc does so.

        That is in uint8 convolutions, and per tensor in TFLite Micro's FULLY_CONNECTED.
        """
        dense = self.name == "FULLY_CONNECTED"
        micro = self.exact.context.rounding == "double" and self.w.scale.size == 1
        if micro if dense else self.x.type.name == "UINT8":
            return np.asarray(np.float32(self.x.s) * s_w.astype(np.float32), np.float64)
        return np.asarray(self.x.s * s_w)

    def _definition(self, total: Array, multiplier: Array) -> Array:
        contract = self.exact.context.rounding
        if self.name == "FULLY_CONNECTED" and contract == "single":
            return np.asarray(round_half_away(total * multiplier), np.float64)
        return fixed_point(total, multiplier, "wide" if self.wide else "double")

    def _bias(self, bias: Array, recipe: Recipe) -> Array:
        factor = {
            OWN: 1.0,
            "none": 0.0,
            "subtracted": -1.0,
            "input": 1.0 / self.scales,
            "weights": 1.0 / self.x.s,
            "real": 1.0 / (self.x.s * self.scales),
            "int32": 1.0,
        }[recipe.bias]
        if recipe.bias == "int32":
            bias = np.mod(bias + 2.0**31, 2.0**32) - 2.0**31
        return np.asarray(bias * factor)

    def _sum(self, x: Array, w: Array, recipe: Recipe) -> Array:
        """Sums of products [N, ..., O], kept for the next recipe that needs the same ones."""
        key = (id(x), *(getattr(recipe, name) for name in SUM_FIELDS))
        if key not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (x, self._compute(x, w, recipe))
        return self._kept[key][1]

    def _compute(self, x: Array, w: Array, recipe: Recipe) -> Array:
        zero = {OWN: self.x.z, "none": 0, "added": -self.x.z, "output": self.y.z}[recipe.input_zero]
        own = self.weights_zero
        weights_zero = {OWN: own, "none": 0, "input": self.x.z, "added": -own, "128": 128, "bits": 0}
        if recipe.weights_zero == "bits":
            w = w.view(np.int8)
        weights = self._weights(w, recipe.weights_layout).astype(np.float64) - weights_zero[recipe.weights_zero]
        values = x.astype(np.float64) + recipe.input_shift
        if self.name == "FULLY_CONNECTED":
            rows = values.reshape(len(x), -1, weights.shape[1])
            products = self._matmul(rows, weights.T, zero, recipe)
            return products.reshape(len(x), *self.y.shape) if products[0].size == np.prod(self.y.shape) else products
        values = self._arranged(values.reshape(-1, *x.shape[2:]), recipe.input_layout)
        axes = self._axes(values.shape[1:3])
        outside = {"skip": zero, "zero point": self.x.z, "zero": 0}[recipe.padding]
        total = self._convolve(values, axes, weights, zero, outside, recipe)
        return total.reshape(len(x), -1, *total.shape[1:])

    @staticmethod
    def _arranged(values: Array, layout: str) -> Array:
        """Return images [N, H, W, C] as somebody reads them who takes their memory for another order."""
        if layout == "NCHW":
            n, h, wide, c = values.shape
            return values.reshape(n, c, h, wide).transpose(0, 2, 3, 1)
        if layout == "is NCHW":
            return values.transpose(0, 3, 1, 2).reshape(values.shape)
        return values.transpose(0, 2, 1, 3) if layout == "swapped" else values

    def _convolve(
        self, x: Array, axes: tuple[Axis, ...], weights: Array, zero: int, outside: int, recipe: Recipe
    ) -> Array:
        if self.name == "DEPTHWISE_CONV_2D":
            padded = pad_windows(x, axes, outside, np.dtype(np.float64))
            channels = x.shape[-1]
            multiplier = weights.shape[-1] // channels
            total = 0.0
            raw = 0.0
            for (i, j), view in tap_views(padded, axes):
                tap = weights[0, i, j].reshape(channels, multiplier)
                total = total + ((view - zero)[..., None] * tap)
                if recipe.sum_bits == 8:
                    raw = raw + view[..., None] * tap
            shape = (len(x), axes[0].out, axes[1].out, channels * multiplier)
            summed = np.asarray(total).reshape(shape)
            return _narrow(summed, np.asarray(raw).reshape(shape) if recipe.sum_bits == 8 else None, recipe)
        padded = pad_windows(x, axes, outside, np.dtype(np.float64))
        windows = window_view(padded, axes)
        n, h, w = windows.shape[:3]
        groups = x.shape[-1] // weights.shape[-1]
        if groups == 1:
            matrix = weights.reshape(len(weights), -1).T
            return self._matmul(windows.reshape(n, h * w, -1), matrix, zero, recipe).reshape(n, h, w, -1)
        split = windows.reshape(*windows.shape[:-1], groups, -1)
        parts = weights.reshape(groups, len(weights) // groups, -1)
        results = [
            self._matmul(split[..., g, :].reshape(n, h * w, -1), parts[g].T, zero, recipe) for g in range(groups)
        ]
        return np.concatenate(results, axis=-1).reshape(n, h, w, -1)

    @staticmethod
    def _matmul(rows: Array, matrix: Array, zero: int, recipe: Recipe) -> Array:
        raw = np.matmul(rows, matrix)
        return _narrow(raw - zero * matrix.sum(axis=0), raw, recipe)

    def _weights(self, w: Array, layout: str) -> Array:
        if layout == "transposed":
            return w.reshape(w.shape[::-1]).T
        o, h, wide, i = w.shape if w.ndim == 4 else (0, 0, 0, 0)
        if layout == "HWIO":
            return w.reshape(h, wide, i, o).transpose(3, 0, 1, 2)
        if layout == "HWOI":
            return w.reshape(h, wide, o, i).transpose(2, 0, 1, 3)
        if layout == "OIHW":
            return w.reshape(o, i, h, wide).transpose(0, 2, 3, 1)
        if layout == "CHW":
            return w.reshape(i, h, wide).transpose(1, 2, 0)[None]
        if layout == "flipped":
            return w[:, ::-1, ::-1]
        return w.transpose(0, 2, 1, 3) if layout == "swapped" else w

    def _axes(self, sizes: Sequence[int]) -> tuple[Axis, ...]:
        o = self.exact.context.options
        return window_axes(
            o.padding, sizes, self.w.shape[1:3], (o.stride_h, o.stride_w), (o.dilation_h_factor, o.dilation_w_factor)
        )


def _narrow(total: Array, raw: Array | None, recipe: Recipe) -> Array:
    """Wrap sums as narrow integers do; ``raw`` are the sums before the zero point is taken off."""
    if recipe.sum_bits == 16:
        return np.asarray(np.mod(total + 2.0**15, 2.0**16) - 2.0**15)
    if recipe.sum_bits == 8 and raw is not None:
        return np.asarray(np.mod(raw + 128.0, 256.0) - 128.0 + (total - raw))
    return total

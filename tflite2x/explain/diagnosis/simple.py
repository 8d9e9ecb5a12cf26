# SPDX-License-Identifier: Apache-2.0
"""Pooling, padding, conversions, and all operators without a model of their own by recipe.

Sources of the exact forms: LiteRT ``reference/integer_ops/pooling.h``, ``reference/quantize.h``,
``reference/dequantize.h``. Whatever a recipe leaves alone is the interpreter's own value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.output import Steps, Target, as_nchw, round_real
from tflite2x.explain.diagnosis.recipe import EXACT, OUTPUT_FIELDS, OWN, Recipe
from tflite2x.interpreter.elementwise import scaler
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array, TensorSpec
from tflite2x.interpreter.windows import Axis, pad_windows, tap_views, window_axes

if TYPE_CHECKING:
    from tflite2x.explain.diagnosis.exact import ExactOperator

#: Choices about quantized outputs that need no sum.
AFTER = frozenset(("output_zero", "activation", "output_shift", "output_layout", "bounds", "cast"))


class Simple:
    """Any operator: exact, with mistakes in what goes in and in what comes out.

    Args:
        exact: The operator.
    """

    fields: frozenset[str] = frozenset(("output_zero", "output_shift", "output_layout", "input_layout", "activation"))

    def __init__(self, exact: ExactOperator) -> None:
        self.exact, self.op, self.name = exact, exact.op, exact.op.name
        self.specs = exact.context.inputs
        self.y = exact.context.outputs[0]
        activation = int(getattr(exact.context.options, "fused_activation_function", 0) or 0)
        self.input_zero = self._input(0).z if self.specs and self.specs[0] is not None else 0
        self.target = Target(self.y, self.input_zero, activation, lambda total, multiplier: total * multiplier)

    #: Evaluations are cheap.
    cost = 0

    def _input(self, index: int) -> TensorSpec:
        return self.exact.context.input(index)

    @property
    def quantized(self) -> bool:
        """Whether the output holds quantized integers."""
        return self.y.dtype.kind in "iu" and self.y.is_quantized

    @property
    def short(self) -> bool:
        """Whether the output has 16 bits."""
        return self.y.dtype.itemsize == 2

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field in ("output_zero", "output_shift", "bounds", "cast", "activation") and not self.quantized:
            return False
        if field == "activation":
            return self.target.knows(value)
        if field in ("input_shift", "output_shift") and self.short:
            return False
        if field == "bounds":
            return value is None or self.short == (value == (-32767, 32767))
        shape = self._input(0).shape if self.specs and self.specs[0] is not None else ()
        if field == "input_layout":
            return self._reads_images() and len(shape) == 4 and value != "swapped" and shape[3] > 1
        if field == "output_layout":
            return len(self.y.shape) == 4 and self.y.shape[3] > 1 and int(np.prod(self.y.shape[1:3])) > 1
        return True

    def _reads_images(self) -> bool:
        return self.name == "RESHAPE"

    def run(self, inputs: Sequence[Array | None], recipe: Recipe) -> Array:
        """Return the output [N, ...] as float64."""
        return self.steps(inputs, recipe).result

    def steps(self, inputs: Sequence[Array | None], recipe: Recipe, select: Array | None = None) -> Steps:
        """Return all steps; with ``select`` (flat indices into one output) as flat arrays of those values only."""
        arranged = self._arrange(inputs, recipe)
        if recipe.changed(input_layout=OWN) == EXACT:
            steps = Steps({}, self._exact(arranged))
        else:
            steps = self._compute(arranged, recipe)
        if recipe.output_layout == "NCHW" and steps.result.ndim >= 4:
            values = {k: as_nchw(v) for k, v in steps.values.items() if v.shape == steps.result.shape}
            steps = Steps(values, as_nchw(steps.result))
        if select is None:
            return steps
        full = {k: v for k, v in steps.values.items() if v.size == steps.result.size}
        return Steps({k: v.reshape(-1)[select] for k, v in full.items()}, steps.result.reshape(-1)[select])

    def _exact(self, inputs: Sequence[Array | None]) -> Array:
        """Run the kernel; values that nobody rounded go in only where no arithmetic is done on them."""
        typed: list[Array | None] = []
        for array, spec in zip(inputs, self.specs, strict=True):
            if array is not None and spec is not None and array.dtype != spec.dtype and array.dtype.kind == "f":
                if np.any(array != np.rint(array)) and self.name == "RESHAPE":
                    return array.reshape(len(array), *self.y.shape)
                if spec.dtype.kind in "iu":
                    info = np.iinfo(spec.dtype)
                    array = np.clip(np.rint(array), info.min, info.max)
                array = array.astype(spec.dtype)
            typed.append(array)
        return np.asarray(self.exact.run(typed)[0], np.float64)

    def _arrange(self, inputs: Sequence[Array | None], recipe: Recipe) -> Sequence[Array | None]:
        x = inputs[0] if inputs else None
        if recipe.input_layout == OWN or x is None:
            return inputs
        if recipe.input_layout == "is NCHW":
            return [as_nchw(x), *inputs[1:]]
        read = x.reshape(*x.shape[:-3], x.shape[-1], *x.shape[-3:-1])
        return [np.ascontiguousarray(np.moveaxis(read, -3, -1)), *inputs[1:]]

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        whole = self._exact(inputs)
        if self.quantized:
            whole = whole + self.target.moved(recipe)
            whole = self.target.bound(whole, recipe)
        return Steps({}, whole)


class Pad(Simple):
    """PAD and PADV2: what lies outside of the input."""

    fields = Simple.fields | {"padding"}

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        return (value == "zero" and self.quantized) if field == "padding" else super().applies(field, value)

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        steps = super()._compute(inputs, recipe.changed(padding="skip"))
        x = inputs[0]
        if recipe.padding == "skip" or x is None:
            return steps
        inside = self.exact.run([np.full_like(x, self.y.z - 1 if self.y.z > 0 else self.y.z + 1), *inputs[1:]])[0]
        return Steps({}, np.where(inside == self.y.z, 0.0, steps.result))


class Pool(Simple):
    """AVERAGE_POOL_2D and MAX_POOL_2D of integers."""

    fields = AFTER | {"average", "count", "padding", "input_layout", "input_shift"}

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        if field in ("average", "count"):
            known = value != "twice" if field == "average" else value == "all" and self._padded()
            return self.name == "AVERAGE_POOL_2D" and known
        if field == "padding":
            return self._padded() and (self.name == "AVERAGE_POOL_2D" or value == "zero")
        if field == "input_shift":  # there is no zero point in the arithmetic
            return abs(int(str(value))) == 128 and super().applies(field, value)
        return super().applies(field, value)

    def _reads_images(self) -> bool:
        return True

    def _axes(self) -> tuple[Axis, ...]:
        o = self.exact.context.options
        sizes = self._input(0).shape[1:3]
        return window_axes(o.padding, sizes, (o.filter_height, o.filter_width), (o.stride_h, o.stride_w), (1, 1))

    def _padded(self) -> bool:
        return any(a.before or a.reach > a.size for a in self._axes())

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        x = inputs[0]
        assert x is not None
        values = x.reshape(-1, *x.shape[2:]).astype(np.float64) + recipe.input_shift
        maximum = self.name == "MAX_POOL_2D"
        lowest = -np.inf if maximum else 0.0
        outside = {"skip": lowest, "zero": 0.0, "zero point": float(self.input_zero)}[recipe.padding]
        axes = self._axes()
        views = [v for _, v in tap_views(pad_windows(values, axes, outside, np.dtype(np.float64)), axes)]
        if maximum:
            whole, steps = np.maximum.reduce(views), {}
        else:
            ones = pad_windows(np.ones_like(values[:1]), axes, 0.0, np.dtype(np.float64))
            count = sum(v for _, v in tap_views(ones, axes))
            if recipe.count == "all":
                count = np.full_like(count, axes[0].filter * axes[1].filter)
            total = np.add.reduce(views)
            mode = "away" if recipe.average == OWN else recipe.average.removesuffix(" sum")
            whole = round_real(total / count, mode)
            steps = {"sum": total, "divided by the count": total / count, "rounded": whole}
        result = self.target.bound(whole + self.target.moved(recipe), recipe)
        shape = (len(x), -1, *result.shape[1:])
        return Steps({k: v.reshape(shape) for k, v in steps.items()}, result.reshape(shape))


class Convert(Simple):
    """QUANTIZE from floats or integers, and the way of real numbers into a quantized input."""

    fields = OUTPUT_FIELDS | {"input_zero", "multiplier", "input_shift"}

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        integers = self._input(0).dtype.kind in "iu"
        if field == "input_zero":
            return integers
        if field == "input_shift":
            return integers
        if field == "multiplier":
            return value in (("none", "swapped") if integers else ("none", "inverse"))
        if field == "output_zero":
            return value != "input" or integers
        if field == "rounding":
            wide = ("double", "wide", "narrow single", "narrow double")
            return value not in wide and (integers or value not in ("single", "fixed floor", "float32", "away"))
        return super().applies(field, value)

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        x = inputs[0]
        assert x is not None
        source, y = self._input(0), self.y
        if source.dtype.kind not in "iu":
            scale = y.s if recipe.multiplier == "inverse" else 1 / y.s
            quotient = x.astype(np.float32) / np.float32(y.s) if recipe.multiplier == OWN else x.astype(np.float64)
            factor = 1.0 if recipe.multiplier in (OWN, "none") else scale
            target = Target(y, 0, 0, lambda total, m: np.asarray(round_half_away(total * m), np.float64))
            return target.finish(quotient.astype(np.float64), float(factor), recipe)
        zero = {OWN: source.z, "none": 0, "added": -source.z, "output": y.z}.get(recipe.input_zero, source.z)
        total = x.astype(np.float64) + recipe.input_shift - zero
        factor = {"none": 1.0, "swapped": y.s / source.s}.get(recipe.multiplier, source.s / y.s)
        target = Target(y, source.z, 0, lambda t, m: scaler(float(m))(np.rint(t).astype(np.int64)).astype(np.float64))
        return target.finish(total, float(factor), recipe)


class Dequantize(Simple):
    """DEQUANTIZE per tensor."""

    fields = frozenset(("input_zero", "multiplier", "input_shift"))

    def applies(self, field: str, value: object) -> bool:
        """Whether a choice is one for this operator."""
        return value in ("none", "added") if field != "input_shift" else True

    def _compute(self, inputs: Sequence[Array | None], recipe: Recipe) -> Steps:
        x = inputs[0]
        assert x is not None
        source = self._input(0)
        zero = {OWN: source.z, "none": 0, "added": -source.z}[recipe.input_zero]
        total = x.astype(np.float64) + recipe.input_shift - zero
        factor = 1.0 if recipe.multiplier == "none" else source.s
        real = total + factor if recipe.multiplier == "added" else total * factor
        return Steps({"minus zero point": total, "times scale": real}, real.astype(np.float32).astype(np.float64))

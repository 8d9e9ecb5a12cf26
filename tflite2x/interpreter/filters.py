# SPDX-License-Identifier: Apache-2.0
"""Convolutions in one normal form: filters [O, *filter, C / groups], groups, and the arithmetic of the types.

CONV_2D, DEPTHWISE_CONV_2D (groups = input channels) and CONV_3D differ in layout and in rules for their types only.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from tflite2x.interpreter.affine import (
    Apply,
    Quantized,
    as_finish,
    effective_bias,
    float_finish,
    hybrid_finish,
)
from tflite2x.interpreter.convolve import Finish, convolve
from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.float_gemm import CONVOLUTION_LIMIT, float_product
from tflite2x.interpreter.hybrid import quantize_asymmetric, quantize_symmetric
from tflite2x.interpreter.kernel import Array, KernelContext
from tflite2x.interpreter.ordered_convolution import MANY_WINDOWS, OrderedConvolution
from tflite2x.interpreter.tap_convolution import TapConvolution
from tflite2x.interpreter.windows import Axis, window_axes


@dataclasses.dataclass(frozen=True, slots=True)
class Geometry:
    """Padding, and one entry per spatial axis for strides and dilations."""

    padding: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Filters:
    """The weights of a convolution.

    Attributes:
        ctx: The operator, for messages and its rounding contract.
        geometry: Padding, strides, dilations.
        weights: [O, *filter, C / groups]: floats, or integers with the zero point still in.
        groups: Number of groups of channels.
        activation: The fused activation.
    """

    ctx: KernelContext
    geometry: Geometry
    weights: Array
    groups: int
    activation: int

    def floats(self, bias: Array | None) -> Apply:
        """Convolve float32 with float32."""
        weights = self.weights.astype(np.float32, copy=False)
        if self._tapwise:
            run = self._by_taps(TapConvolution(self._per_tap(weights)))
        elif self.groups == 1:
            run = self._in_one_group(weights)
        else:
            matrix = np.ascontiguousarray(self._matrix(weights))
            run = self._by_products(lambda x: np.matmul(x, matrix), np.dtype(np.float32), merge=False)
        finish = float_finish(self.activation, bias)
        return lambda x: run(x, 0.0, finish, np.dtype(np.float32))

    def _in_one_group(self, weights: Array) -> _Engine:
        """Return an engine for float weights that chooses how to add up."""
        matrix = np.ascontiguousarray(self._matrix(weights))
        whole = self._by_products(float_product(matrix, CONVOLUTION_LIMIT), np.dtype(np.float32), merge=False)
        if len(matrix) <= CONVOLUTION_LIMIT or math.prod(weights.shape[1:-1]) == 1:
            return whole
        wide = self._by_taps(OrderedConvolution(weights))

        def run(x: Array, pad_value: float, finish: Finish, dtype: np.dtype[np.generic]) -> Array:
            points = math.prod(a.out for a in self._axes(x))
            return (wide if points >= MANY_WINDOWS else whole)(x, pad_value, finish, dtype)

        return run

    def integers(self, q: Quantized, bias: Array | None) -> Apply:
        """Convolve integers with integers, exactly."""
        weights = self.weights.astype(np.int64) - q.filter_zero_point
        depth = math.prod(weights.shape[1:])
        matrix = weights.reshape(len(weights), depth).T
        # Outside of the input TFLite adds nothing: there, the input's zero point cancels its share of the bias.
        folded = effective_bias(q, matrix, bias)
        gemm, bound = self._exact(weights, q.magnitude)
        finish = as_finish(q.fixed_point(bound, folded))
        return lambda x: gemm(x, q.input_zero_point, finish, q.output.dtype)

    def hybrid(
        self, mode: Literal["symmetric", "asymmetric"], channel_scale: Array, bias: Array | None,
        *, joined: bool = False,
    ) -> Apply:  # fmt: skip
        """Quantize every image at run time, convolve integers, and scale back; ``joined`` as in ``hybrid_finish``."""
        # Subtracting the zero point beforehand makes padding with 0 right for every image.
        magnitude = 127 if mode == "symmetric" else 255
        run, _ = self._exact(self.weights.astype(np.int64), magnitude)

        def apply(x: Array) -> Array:
            rows = x.reshape(len(x), math.prod(x.shape[1:]))
            if mode == "symmetric":
                quantized, scale = quantize_symmetric(rows)
                finish = hybrid_finish(self.activation, bias, scale * channel_scale[0], None)
            else:
                quantized, scale, zero_point = quantize_asymmetric(rows)
                quantized -= zero_point.astype(np.float32)[:, None]
                finish = hybrid_finish(self.activation, bias, scale, channel_scale, joined=joined)
            return run(quantized.reshape(x.shape), 0.0, finish, np.dtype(np.float32))

        return apply

    def _exact(self, weights: Array, magnitude: int) -> tuple[_Engine, Array]:
        """Return an engine for integer weights, and the bound on its accumulators per output channel."""
        if self._tapwise:
            taps = TapConvolution(self._per_tap(weights), magnitude)
            return self._by_taps(taps), taps.bound
        gemm = ExactGemm(self._matrix(weights), magnitude)
        return self._by_products(gemm, gemm.dtype, merge=True), gemm.bound.reshape(-1)

    @property
    def _tapwise(self) -> bool:
        return self.groups > 1 and self.weights.shape[-1] == 1 and self.weights.ndim == 4

    def _per_tap(self, weights: Array) -> Array:
        """Return [kh, kw, C, M]."""
        split = weights[..., 0].reshape(self.groups, len(weights) // self.groups, *weights.shape[1:-1])
        return split.transpose(2, 3, 0, 1)

    def _matrix(self, weights: Array) -> Array:
        """Return [K, O], or [G, K, O / G]."""
        if self.groups == 1:
            return weights.reshape(len(weights), -1).T
        return weights.reshape(self.groups, len(weights) // self.groups, -1).transpose(0, 2, 1)

    def _by_taps(self, taps: TapConvolution | OrderedConvolution) -> _Engine:
        def run(x: Array, pad_value: float, finish: Finish, dtype: np.dtype[np.generic]) -> Array:
            axes, out = self._place(x, dtype)
            taps(x, axes, finish, out, pad_value)
            return out

        return run

    def _by_products(self, product: Callable[[Array], Array], dtype: np.dtype[Any], *, merge: bool) -> _Engine:
        def run(x: Array, pad_value: float, finish: Finish, out_dtype: np.dtype[np.generic]) -> Array:
            axes, out = self._place(x, out_dtype)
            convolve(x, axes, product, dtype, finish, out, pad_value=pad_value, groups=self.groups, merge=merge)
            return out

        return run

    def _place(self, x: Array, dtype: np.dtype[np.generic]) -> tuple[tuple[Axis, ...], Array]:
        """Return the geometry for an input, and the array for the output."""
        axes = self._axes(x)
        return axes, np.empty((len(x), *(a.out for a in axes), len(self.weights)), dtype)

    def _axes(self, x: Array) -> tuple[Axis, ...]:
        weights, geometry = self.weights, self.geometry
        if x.shape[-1] != self.groups * weights.shape[-1]:
            raise self.ctx.execution_error(
                f"{x.shape[-1]} input channels do not fit filters of {weights.shape[-1]} in {self.groups} groups"
            )
        axes = window_axes(geometry.padding, x.shape[1:-1], weights.shape[1:-1], geometry.strides, geometry.dilations)
        if any(a.out < 0 for a in axes):
            raise self.ctx.execution_error(f"the filter does not fit into the input of shape {x.shape}")
        return axes


_Engine = Callable[[Array, float, Finish, "np.dtype[np.generic]"], Array]

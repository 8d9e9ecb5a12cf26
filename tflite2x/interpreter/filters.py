# SPDX-License-Identifier: Apache-2.0
"""Convolutions in one normal form: filters [O, *filter, C / groups], groups, and the arithmetic of the types.

CONV_2D, DEPTHWISE_CONV_2D (groups = input channels) and CONV_3D differ in layout and in rules for their types only.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from tflite2x.interpreter.affine import (
    Apply,
    Quantized,
    as_finish,
    effective_bias,
    float_finish,
    hybrid_finish,
)
from tflite2x.interpreter.convolve import Finish, convolve, depthwise, repeat_along_lines
from tflite2x.interpreter.exact_gemm import ExactGemm, exact_dtype
from tflite2x.interpreter.hybrid import quantize_asymmetric, quantize_symmetric
from tflite2x.interpreter.kernel import Array, KernelContext
from tflite2x.interpreter.windows import window_axes


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
        run = self._engine(self.weights.astype(np.float32, copy=False), np.dtype(np.float32), merge=False)
        finish = float_finish(self.activation, bias)
        return lambda x: run(x, 0.0, finish, np.dtype(np.float32))

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

    def hybrid(self, mode: Literal["symmetric", "asymmetric"], channel_scale: Array, bias: Array | None) -> Apply:
        """Quantize every image at run time, convolve integers, and scale back to float32."""
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
                finish = hybrid_finish(self.activation, bias, scale, channel_scale)
            return run(quantized.reshape(x.shape), 0.0, finish, np.dtype(np.float32))

        return apply

    def _exact(self, weights: Array, magnitude: int) -> tuple[_Engine, Array]:
        """Return an engine for integer weights, and the bound on its accumulators per output channel."""
        if self._tapwise:
            bound = np.abs(weights.astype(np.float64)).reshape(len(weights), -1).sum(axis=1) * magnitude
            dtype = exact_dtype(float(bound.max(initial=0)))
            return self._engine(weights.astype(dtype), dtype), bound
        gemm = ExactGemm(self._matrix(weights), magnitude)
        return self._engine(weights, gemm.dtype, gemm), gemm.bound.reshape(-1)

    @property
    def _tapwise(self) -> bool:
        return self.groups > 1 and self.weights.shape[-1] == 1 and self.weights.ndim == 4

    def _matrix(self, weights: Array) -> Array:
        """Return [K, O], or [G, K, O / G]."""
        if self.groups == 1:
            return weights.reshape(len(weights), -1).T
        return weights.reshape(self.groups, len(weights) // self.groups, -1).transpose(0, 2, 1)

    def _engine(
        self,
        weights: Array,
        dtype: np.dtype[np.generic],
        product: Callable[[Array], Array] | None = None,
        *,
        merge: bool = True,
    ) -> _Engine:
        channels, taps = len(weights), weights.shape[1:-1]
        tap_weights = (
            np.ascontiguousarray(weights[..., 0].reshape(self.groups, -1, *taps).transpose(2, 3, 0, 1))
            if self._tapwise
            else None
        )
        if product is None and tap_weights is None:
            matrix = np.ascontiguousarray(self._matrix(weights))

            def multiply(rows: Array) -> Array:
                return np.asarray(np.matmul(rows, matrix))

            product = multiply

        lines: dict[int, Array] = {}

        def run(x: Array, pad_value: float, finish: Finish, out_dtype: np.dtype[np.generic]) -> Array:
            if x.shape[-1] != self.groups * weights.shape[-1]:
                raise self.ctx.execution_error(
                    f"{x.shape[-1]} input channels do not fit filters of {weights.shape[-1]} in {self.groups} groups"
                )
            axes = window_axes(
                self.geometry.padding, x.shape[1:-1], taps, self.geometry.strides, self.geometry.dilations
            )
            if any(a.out < 0 for a in axes):
                raise self.ctx.execution_error(f"the filter does not fit into the input of shape {x.shape}")
            out = np.empty((len(x), *(a.out for a in axes), channels), out_dtype)
            if tap_weights is not None:
                wide = axes[1].out
                if wide not in lines:
                    lines.clear()  # inputs of one size are the rule; keep one
                    lines[wide] = repeat_along_lines(tap_weights, wide)
                depthwise(x, axes, tap_weights, finish, out, pad_value=pad_value, repeated=lines[wide])
            elif product is not None:
                convolve(x, axes, product, dtype, finish, out, pad_value=pad_value, groups=self.groups, merge=merge)
            return out

        return run


_Engine = Callable[[Array, float, Finish, "np.dtype[np.generic]"], Array]

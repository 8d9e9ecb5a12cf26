# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV and CONV_3D_TRANSPOSE.

Sources: LiteRT ``kernels/transpose_conv.cc``, ``internal/reference/transpose_conv.h``,
``internal/reference/integer_ops/transpose_conv.h``, ``kernels/conv3d_transpose.cc``,
``internal/reference/conv3d_transpose.h``.

Every input element is multiplied with all filters in one matrix product, and the products are added into the output
where the filter's taps lie. Types as CONV_2D; the zero point of int8 weights is ignored. In 16x8 layers the bias's type
chooses the accumulator (LiteRT asks the option ``quantized_bias_type`` and reads an int32 bias wrongly without it).
Hybrid (float32 with int8 weights): per image, always asymmetric; LiteRT scales every product before it adds them up,
here exact sums are scaled, so that results differ by the roundings of float32.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tflite2x.interpreter.affine import (
    as_finish,
    channel_scales,
    constant_or_uniform,
    float_finish,
    hybrid_finish,
    quantized,
    require,
)
from tflite2x.interpreter.convolve import Finish
from tflite2x.interpreter.exact_gemm import ExactGemm, exact_dtype
from tflite2x.interpreter.hybrid import quantize_asymmetric
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec, uniform
from tflite2x.interpreter.registry import kernel
from tflite2x.interpreter.windows import Axis, tap_views, window_axes

#: Elements of the products of one block of images: 2 MiB of float32.
_BLOCK = 1 << 19


#: Takes [batch, *in, C] and the output's shape behind the batch axis.
Apply = Callable[[Array, tuple[int, ...]], Array]


class _Scatter:
    """The geometry and weights of a transposed convolution.

    Args:
        padding: ``Padding``.
        strides: One per spatial axis.
        dilations: One per spatial axis.
        weights: [O, *filter, C]: float32, or int64 without zero point.
        magnitude: Largest magnitude of integer inputs; None for floats.

    Attributes:
        bound: [O] float64: no integer accumulator is larger in magnitude.
    """

    def __init__(
        self,
        padding: int,
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        weights: Array,
        magnitude: int | None = None,
    ) -> None:
        self._padding, self._strides, self._dilations = padding, strides, dilations
        self._channels, self._taps = len(weights), weights.shape[1:-1]
        # [C, *filter * O]: one product gives the share of every tap.
        matrix = np.ascontiguousarray(np.moveaxis(weights, 0, -2).reshape(-1, weights.shape[-1]).T)
        self._width = matrix.shape[1]
        self.bound = np.zeros(self._channels)
        self._product: Callable[[Array], Array]
        if magnitude is None:
            self._total = self._dtype = np.dtype(np.float32)
            self._product = lambda rows: np.asarray(np.matmul(rows, matrix))
            return
        gemm = ExactGemm(matrix, magnitude)
        self._product, self._dtype = gemm, gemm.dtype
        self.bound = np.abs(weights.astype(np.float64)).reshape(self._channels, -1).sum(axis=1) * magnitude
        self._total = exact_dtype(float(self.bound.max(initial=0)))

    def __call__(self, x: Array, shape: tuple[int, ...], finish: Finish, dtype: np.dtype[Any]) -> Array:
        """Compute [batch, *shape] from ``x`` [batch, *in, C]."""
        axes = window_axes(self._padding, shape[:-1], self._taps, self._strides, self._dilations)
        out = np.empty((len(x), *shape), dtype)
        points = math.prod(x.shape[1:-1])
        images = max(1, _BLOCK // max(1, points * self._width))
        for first in range(0, len(x), images):
            block = x[first : first + images]
            rows = block.reshape(len(block), points, x.shape[-1]).astype(self._dtype, copy=False)
            shares = self._product(rows).reshape(*block.shape[:-1], *self._taps, self._channels)
            acc = self._add_up(shares, axes)
            target = out[first : first + len(block)].reshape(len(block), -1, self._channels)
            finish(acc.reshape(target.shape), target, first)
        return out

    def _add_up(self, shares: Array, axes: Sequence[Axis]) -> Array:
        """Add [n, *in, *filter, O] into [n, *out, O]."""
        rank = len(axes)
        sizes = shares.shape[1 : 1 + rank]
        placed = tuple(dataclasses.replace(a, out=size) for a, size in zip(axes, sizes, strict=True))
        # A canvas that holds everything, of which the output is a part.
        room = (max(a.reach, a.before + a.size) for a in placed)
        canvas = np.zeros((len(shares), *room, self._channels), self._total)
        for index, view in tap_views(canvas, placed):
            view += shares[(slice(None),) * (1 + rank) + index]
        inside = tuple(slice(a.before, a.before + a.size) for a in placed)
        return np.ascontiguousarray(canvas[(slice(None), *inside)])


def _float_scatter(scatter: _Scatter, activation: int, bias: Array | None) -> Apply:
    finish = float_finish(activation, bias)
    return lambda x, shape: scatter(x, shape, finish, np.dtype(np.float32))


def _prepared(ctx: KernelContext, build: Callable[[Array, Array | None], Apply], channel_axis: int) -> Run:
    """Make ``run``; constant weights are built once, here."""
    filter_, bias_spec = ctx.input(1), ctx.optional(3)
    ready = None
    if filter_.const is not None and (bias_spec is None or bias_spec.const is not None):
        ready = build(filter_.const, None if bias_spec is None else bias_spec.const)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        weights, x = constant_or_uniform(filter_, inputs[1]), inputs[2]
        assert weights is not None
        assert x is not None
        if x.shape[-1] != weights.shape[-1]:
            raise ctx.execution_error(f"{x.shape[-1]} input channels do not fit filters of shape {weights.shape}")
        shape = _output_shape(ctx, inputs[0], x, weights.shape[channel_axis])
        bias = inputs[3] if len(inputs) > 3 else None
        apply = ready or build(weights, constant_or_uniform(bias_spec, bias))
        merged = np.ascontiguousarray(x).reshape(len(x) * x.shape[1], *x.shape[2:])
        return [apply(merged, shape).reshape(*x.shape[:2], *shape)]

    return run


def _output_shape(ctx: KernelContext, value: Array | None, x: Array, channels: int) -> tuple[int, ...]:
    assert value is not None
    shape = tuple(int(n) for n in uniform(value))
    if len(shape) != x.ndim - 1 or min(shape) < 0 or shape[-1] != channels or shape[0] != x.shape[1]:
        raise ctx.execution_error(
            f"the output shape {shape} does not fit the input of shape {x.shape[1:]} and {channels} filters"
        )
    return shape[1:]


def _check_shapes(ctx: KernelContext, shape: TensorSpec, rank: int, *specs: TensorSpec) -> None:
    require(ctx, shape, "INT32")
    for spec in specs:
        if len(spec.shape) != rank:
            raise ctx.unsupported(f"tensor {spec.name!r} of shape {spec.shape} must have {rank} dimensions")


@kernel(
    "TRANSPOSE_CONV",
    types=(
        "float32 x float32 -> float32", "int8 x int8 -> int8", "uint8 x uint8 -> uint8", "int16 x int8 -> int16",
        "float32 x int8 -> float32",
    ),
)  # fmt: skip
def transpose_conv(ctx: KernelContext) -> Run:
    """Prepare TRANSPOSE_CONV: inputs are output shape, filters [O, H, W, C], NHWC input, bias.

    With float32 activations and int8 filters, LiteRT scales every product to float32 before it adds it; here the
    integers are added exactly and scaled once. The difference is LiteRT's rounding errors: 1e-6 of the largest product.
    """
    filter_, x_spec, bias_spec, o = ctx.input(1), ctx.input(2), ctx.optional(3), ctx.options
    _check_shapes(ctx, ctx.input(0), 4, filter_, x_spec)
    kind = x_spec.type.name
    require(ctx, x_spec, "FLOAT32", "INT8", "UINT8", "INT16")
    require(ctx, ctx.outputs[0], kind)
    require(ctx, filter_, *{"FLOAT32": ("FLOAT32", "INT8"), "UINT8": ("UINT8",)}.get(kind, ("INT8",)))
    if bias_spec is not None:
        require(ctx, bias_spec, *{"FLOAT32": ("FLOAT32",), "INT16": ("INT32", "INT64")}.get(kind, ("INT32",)))
    if o is None or min(o.stride_h, o.stride_w) < 1:
        raise ctx.unsupported("strides must be at least 1")
    activation = int(o.fused_activation_function)

    def build(weights: Array, bias: Array | None) -> Apply:
        geometry = (o.padding, (o.stride_h, o.stride_w), (1, 1))
        if kind == "FLOAT32" and filter_.type.name == "FLOAT32":
            return _float_scatter(_Scatter(*geometry, weights), activation, bias)
        if kind == "FLOAT32":
            scales = channel_scales(ctx, filter_, len(weights))
            return _hybrid(_Scatter(*geometry, weights.astype(np.int64), 255), activation, scales, bias)
        old = kind == "UINT8"
        q = quantized(
            ctx, x_spec, filter_, bias_spec, len(weights), activation,
            float32_product=old, filter_zero_point=filter_.z if old else 0,
        )  # fmt: skip
        # Unlike in a convolution, every output sees another part of the filter: centre the input, not the bias.
        magnitude = q.magnitude + abs(q.input_zero_point)
        scatter = _Scatter(*geometry, weights.astype(np.int64) - q.filter_zero_point, magnitude)
        extra = np.zeros(len(weights), np.int64) if bias is None else bias.astype(np.int64).reshape(-1)
        finish = as_finish(q.fixed_point(scatter.bound, extra))
        return lambda x, shape: scatter(x.astype(np.int32) - q.input_zero_point, shape, finish, q.output.dtype)

    return _prepared(ctx, build, 0)


def _hybrid(scatter: _Scatter, activation: int, scales: Array, bias: Array | None) -> Apply:
    def apply(x: Array, shape: tuple[int, ...]) -> Array:
        centred, scale, zero_point = quantize_asymmetric(x.reshape(len(x), math.prod(x.shape[1:])))
        centred -= zero_point.astype(np.float32)[:, None]
        return scatter(
            centred.reshape(x.shape), shape, hybrid_finish(activation, bias, scale, scales), np.dtype(np.float32)
        )

    return apply


@kernel("CONV_3D_TRANSPOSE", types=("float32 x float32 -> float32",))
def conv_3d_transpose(ctx: KernelContext) -> Run:
    """Prepare CONV_3D_TRANSPOSE: inputs are output shape, filters [D, H, W, O, C], NDHWC input, bias."""
    filter_, x_spec, o = ctx.input(1), ctx.input(2), ctx.options
    _check_shapes(ctx, ctx.input(0), 5, filter_, x_spec)
    for spec in (filter_, x_spec, ctx.outputs[0]):
        require(ctx, spec, "FLOAT32")
    if o is None or min(o.stride_d, o.stride_h, o.stride_w) < 1:
        raise ctx.unsupported("strides must be at least 1")
    strides = (o.stride_d, o.stride_h, o.stride_w)
    dilations = (o.dilation_d_factor, o.dilation_h_factor, o.dilation_w_factor)

    def build(weights: Array, bias: Array | None) -> Apply:
        scatter = _Scatter(o.padding, strides, dilations, np.moveaxis(weights, 3, 0))
        plain = _float_scatter(scatter, int(o.fused_activation_function), bias)

        def apply(x: Array, shape: tuple[int, ...]) -> Array:
            axes = window_axes(o.padding, shape[:3], weights.shape[:3], strides, dilations)
            if tuple(a.out for a in axes) != x.shape[1:4]:
                raise ctx.execution_error(f"the output shape {shape} does not lead to the input shape {x.shape[1:]}")
            return plain(x, shape)

        return apply

    return _prepared(ctx, build, 3)

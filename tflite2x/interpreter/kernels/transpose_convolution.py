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
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.affine import (
    Quantized,
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Scatter:
    """The geometry and weights of a transposed convolution.

    Attributes:
        ctx: The operator, for messages.
        padding: ``Padding``.
        strides: One per spatial axis.
        dilations: One per spatial axis.
        weights: [O, *filter, C]: floats or integers.
        activation: The fused activation.
    """

    ctx: KernelContext
    padding: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    weights: Array
    activation: int

    def run(
        self, x: Array, shape: Sequence[int], bias: Array | None, q: Quantized | None, hybrid: Array | None
    ) -> Array:
        """Compute [batch, *shape]; ``hybrid`` is the filter scale per channel of a hybrid operator."""
        if q is not None:
            weights = self.weights.astype(np.int64) - q.filter_zero_point
            magnitude = q.magnitude + abs(q.input_zero_point)
            bound = np.abs(weights.astype(np.float64)).reshape(len(weights), -1).sum(axis=1) * magnitude
            extra = np.zeros(len(weights), np.int64) if bias is None else bias.astype(np.int64).reshape(-1)
            # Unlike in a convolution, every output sees a different part of the filter: centre the input, not the bias.
            x = x.astype(np.int32) - q.input_zero_point
            stage = q.fixed_point(bound, extra)
            return self._blocks(x, shape, weights, magnitude, as_finish(stage), q.output.dtype)
        out_dtype = np.dtype(np.float32)
        if hybrid is None:
            return self._blocks(x, shape, self.weights, None, float_finish(self.activation, bias), out_dtype)
        centred, scale, zero_point = quantize_asymmetric(x.reshape(len(x), math.prod(x.shape[1:])))
        centred -= zero_point.astype(np.float32)[:, None]
        finish = hybrid_finish(self.activation, bias, scale, hybrid)
        return self._blocks(centred.reshape(x.shape), shape, self.weights.astype(np.int64), 255, finish, out_dtype)

    def _blocks(
        self,
        x: Array,
        shape: Sequence[int],
        weights: Array,
        magnitude: int | None,
        finish: Finish,
        dtype: np.dtype[np.generic],
    ) -> Array:
        channels, taps = len(weights), weights.shape[1:-1]
        axes = window_axes(self.padding, tuple(shape[:-1]), taps, self.strides, self.dilations)
        # [C, *filter * O]: one product gives the share of every tap.
        matrix = np.moveaxis(weights, 0, -2).reshape(-1, weights.shape[-1]).T
        if magnitude is None:
            total, product = np.dtype(np.float32), None
            plain = np.ascontiguousarray(matrix)
        else:
            product = ExactGemm(matrix, magnitude)
            sums = np.abs(weights.astype(np.float64)).reshape(channels, -1).sum(axis=1) * magnitude
            total = exact_dtype(float(sums.max(initial=0)))
        out = np.empty((len(x), *shape), dtype)
        points = math.prod(x.shape[1:-1])
        images = max(1, _BLOCK // max(1, points * matrix.shape[1]))
        for first in range(0, len(x), images):
            rows = x[first : first + images].reshape(min(images, len(x) - first), points, x.shape[-1])
            shares = np.matmul(rows, plain) if product is None else product(rows.astype(product.dtype, copy=False))
            shares = shares.reshape(len(rows), *x.shape[1:-1], *taps, channels)
            acc = self._scatter(shares, shape, axes, total)
            target = out[first : first + len(rows)].reshape(len(rows), -1, channels)
            finish(acc.reshape(target.shape), target, first)
        return out

    def _scatter(self, shares: Array, shape: Sequence[int], axes: Sequence[Axis], dtype: np.dtype[np.generic]) -> Array:
        """Add [n, *in, *filter, O] into [n, *shape]."""
        rank = len(axes)
        sizes = shares.shape[1 : 1 + rank]
        placed = tuple(dataclasses.replace(a, out=size) for a, size in zip(axes, sizes, strict=True))
        # A canvas that holds everything, of which the output is a part.
        canvas = np.zeros((len(shares), *(max(a.reach, a.before + a.size) for a in placed), shares.shape[-1]), dtype)
        for index, view in tap_views(canvas, placed):
            view += shares[(slice(None),) * (1 + rank) + index]
        inside = tuple(slice(a.before, a.before + a.size) for a in placed)
        return np.ascontiguousarray(canvas[(slice(None), *inside)])


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
    """Prepare TRANSPOSE_CONV: inputs are output shape, filters [O, H, W, C], NHWC input, bias."""
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

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        weights, x = constant_or_uniform(filter_, inputs[1]), inputs[2]
        assert weights is not None
        assert x is not None
        bias = constant_or_uniform(bias_spec, inputs[3] if len(inputs) > 3 else None)
        if x.shape[-1] != weights.shape[-1]:
            raise ctx.execution_error(f"{x.shape[-1]} input channels do not fit filters of shape {weights.shape}")
        shape = _output_shape(ctx, inputs[0], x, len(weights))
        old = kind == "UINT8"
        q = hybrid = None
        if kind != "FLOAT32":
            q = quantized(
                ctx, x_spec, filter_, bias_spec, len(weights), activation,
                float32_product=old, filter_zero_point=filter_.z if old else 0,
            )  # fmt: skip
        elif filter_.type.name == "INT8":
            hybrid = channel_scales(ctx, filter_, len(weights))
        scatter = _Scatter(ctx, o.padding, (o.stride_h, o.stride_w), (1, 1), weights, activation)
        merged = np.ascontiguousarray(x).reshape(len(x) * x.shape[1], *x.shape[2:])
        out = scatter.run(merged, shape, bias, q, hybrid)
        return [out.reshape(*x.shape[:2], *shape)]

    return run


@kernel("CONV_3D_TRANSPOSE", types=("float32 x float32 -> float32",))
def conv_3d_transpose(ctx: KernelContext) -> Run:
    """Prepare CONV_3D_TRANSPOSE: inputs are output shape, filters [D, H, W, O, C], NDHWC input, bias."""
    filter_, x_spec, bias_spec, o = ctx.input(1), ctx.input(2), ctx.optional(3), ctx.options
    _check_shapes(ctx, ctx.input(0), 5, filter_, x_spec)
    for spec in (filter_, x_spec, ctx.outputs[0]):
        require(ctx, spec, "FLOAT32")
    if o is None or min(o.stride_d, o.stride_h, o.stride_w) < 1:
        raise ctx.unsupported("strides must be at least 1")
    strides = (o.stride_d, o.stride_h, o.stride_w)
    dilations = (o.dilation_d_factor, o.dilation_h_factor, o.dilation_w_factor)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        weights, x = constant_or_uniform(filter_, inputs[1]), inputs[2]
        assert weights is not None
        assert x is not None
        bias = constant_or_uniform(bias_spec, inputs[3] if len(inputs) > 3 else None)
        if x.shape[-1] != weights.shape[-1]:
            raise ctx.execution_error(f"{x.shape[-1]} input channels do not fit filters of shape {weights.shape}")
        shape = _output_shape(ctx, inputs[0], x, weights.shape[3])
        axes = window_axes(o.padding, shape[:3], weights.shape[:3], strides, dilations)
        if tuple(a.out for a in axes) != x.shape[2:5]:
            raise ctx.execution_error(f"the output shape {shape} does not lead to the input shape {x.shape[1:]}")
        filters = np.moveaxis(weights, 3, 0)
        scatter = _Scatter(ctx, o.padding, strides, dilations, filters, int(o.fused_activation_function))
        merged = np.ascontiguousarray(x).reshape(len(x) * x.shape[1], *x.shape[2:])
        return [scatter.run(merged, shape, bias, None, None).reshape(*x.shape[:2], *shape)]

    return run

# SPDX-License-Identifier: Apache-2.0
"""CONV_2D and CONV_3D.

Sources: LiteRT ``kernels/conv.cc``, ``internal/reference/conv.h``, ``internal/reference/integer_ops/conv.h``,
``kernels/conv3d.cc``.

* int8, uint8: exact sums modulo 2**32, bias, quantized multiplier per channel, zero point, clamp.
* 16x8: with an int64 bias (or none) 64-bit sums and the 16-bit multiplier; with an int32 bias 32-bit sums and the
  31-bit multiplier. LiteRT decides by the option ``quantized_bias_type``, and where a file has an int32 bias without
  that option, it reads the int32 values as int64, which gives garbage: here the bias's type decides.
* Hybrid (float32 with int8 or int4 weights): per image, symmetric when the filter's scales all agree and there is one
  group, otherwise asymmetric.
* float32: BLAS adds up in blocks, the reference loops one after the other, and both round at every addition. Measured
  against LiteRT, relative to the largest output: below 3e-7 up to 576 products per output, 1e-6 at 1,152, 1e-6 to 3e-6
  from 2,304 to 4,608. There exact sums differ from LiteRT by as much (its own rounding), and so do its optimized
  kernels.
"""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter.affine import Apply, channel_scales, check_bias, quantized, require, with_weights
from tflite2x.interpreter.filters import Filters, Geometry
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.registry import kernel


def conv_geometry(ctx: KernelContext) -> Geometry:
    """Read padding, strides and dilations of a 2-D convolution; refuse what LiteRT refuses."""
    o = ctx.options
    if o is None:
        raise ctx.unsupported("the operator has no options")
    geometry = Geometry(o.padding, (o.stride_h, o.stride_w), (o.dilation_h_factor, o.dilation_w_factor))
    if min(geometry.strides + geometry.dilations) < 1:
        raise ctx.unsupported(f"strides {geometry.strides} and dilations {geometry.dilations} must be at least 1")
    return geometry


@kernel(
    "CONV_2D",
    types=(
        "float32 x float32 -> float32", "int8 x int8 -> int8", "int8 x int4 -> int8", "uint8 x uint8 -> uint8",
        "int16 x int8 -> int16", "int16 x int4 -> int16", "float32 x int8 -> float32", "float32 x int4 -> float32",
    ),
)  # fmt: skip
def conv_2d(ctx: KernelContext) -> Run:
    """Prepare CONV_2D: NHWC input, filters [O, H, W, C / groups]."""
    x, filter_ = ctx.input(0), ctx.input(1)
    bias_spec = ctx.optional(2)
    require(ctx, x, "FLOAT32", "INT8", "UINT8", "INT16")
    require(ctx, ctx.outputs[0], x.type.name)
    weight_types = {
        "FLOAT32": ("FLOAT32", "INT8", "UINT8", "INT4"), "INT8": ("INT8", "INT4"),
        "UINT8": ("UINT8",), "INT16": ("INT8", "INT4"),
    }  # fmt: skip
    require(ctx, filter_, *weight_types[x.type.name])
    if len(x.shape) != 4 or len(filter_.shape) != 4:
        raise ctx.unsupported(f"input of shape {x.shape} and filter of shape {filter_.shape} must have 4 dimensions")
    if x.type.name in ("INT8", "INT16") and np.any(filter_.zero_point):
        raise ctx.unsupported("the filter has a zero point other than 0")
    bias_types = {"FLOAT32": ("FLOAT32",), "INT16": ("INT32", "INT64")}.get(x.type.name, ("INT32",))
    check_bias(ctx, filter_.shape[0], *bias_types)
    geometry, activation = conv_geometry(ctx), ctx.options.fused_activation_function

    def build(weights: Array, bias: Array | None, channels: int) -> Apply:
        groups, rest = divmod(channels, max(1, weights.shape[3]))
        if rest or not groups or len(weights) % groups:
            raise ctx.unsupported(f"{channels} input channels do not fit filters of shape {weights.shape}")
        filters = Filters(ctx, geometry, weights, groups, activation)
        if x.type.name != "FLOAT32":
            old = x.type.name == "UINT8"
            q = quantized(
                ctx, x, filter_, bias_spec, len(weights), activation,
                float32_product=old, filter_zero_point=filter_.z if old else 0,
            )  # fmt: skip
            return filters.integers(q, bias)
        if filter_.type.name == "FLOAT32":
            return filters.floats(bias)
        scales = channel_scales(ctx, filter_, len(weights))
        mode = "symmetric" if groups == 1 and np.all(scales == scales[0]) else "asymmetric"
        signed = Filters(ctx, geometry, weights.view(np.int8), groups, activation)
        return signed.hybrid("symmetric" if mode == "symmetric" else "asymmetric", scales, bias)

    return with_weights(ctx, build)


@kernel("CONV_3D", types=("float32 x float32 -> float32",))
def conv_3d(ctx: KernelContext) -> Run:
    """Prepare CONV_3D: NDHWC input, filters [D, H, W, C, O]."""
    x, filter_ = ctx.input(0), ctx.input(1)
    for spec in (x, filter_, ctx.outputs[0]):
        require(ctx, spec, "FLOAT32")
        if len(spec.shape) != 5:
            raise ctx.unsupported(f"tensor {spec.name!r} of shape {spec.shape} must have 5 dimensions")
    check_bias(ctx, filter_.shape[4], "FLOAT32")
    o = ctx.options
    if o is None:
        raise ctx.unsupported("the operator has no options")
    geometry = Geometry(
        o.padding,
        (o.stride_d, o.stride_h, o.stride_w),
        (o.dilation_d_factor, o.dilation_h_factor, o.dilation_w_factor),
    )
    if min(geometry.strides + geometry.dilations) < 1:
        raise ctx.unsupported(f"strides {geometry.strides} and dilations {geometry.dilations} must be at least 1")

    def build(weights: Array, bias: Array | None, channels: int) -> Apply:
        if channels != weights.shape[3]:
            raise ctx.unsupported(f"{channels} input channels do not fit filters of shape {weights.shape}")
        return Filters(ctx, geometry, np.moveaxis(weights, 4, 0), 1, o.fused_activation_function).floats(bias)

    return with_weights(ctx, build)

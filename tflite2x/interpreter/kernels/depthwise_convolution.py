# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D.

Sources: LiteRT ``kernels/depthwise_conv.cc``, ``internal/reference/depthwiseconv_float.h`` and
``depthwiseconv_uint8.h``, ``internal/reference/integer_ops/depthwise_conv.h``.

* int8, uint8, int4 weights: as CONV_2D. A zero point of int8 weights is ignored, as LiteRT does.
* 16x8: an int64 bias (or none), 64-bit sums and the 16-bit multiplier.
* Hybrid (float32 with int8 weights): per image, always asymmetric, one scale per output channel.
* float32: tap by tap in the order of the reference loops, so that every rounding agrees.
"""

from __future__ import annotations

from tflite2x.interpreter.affine import Apply, channel_scales, check_bias, quantized, require, with_weights
from tflite2x.interpreter.filters import Filters
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.convolution import conv_geometry
from tflite2x.interpreter.registry import kernel


@kernel(
    "DEPTHWISE_CONV_2D",
    types=(
        "float32 x float32 -> float32", "int8 x int8 -> int8", "int8 x int4 -> int8", "uint8 x uint8 -> uint8",
        "int16 x int8 -> int16", "float32 x int8 -> float32",
    ),
)  # fmt: skip
def depthwise_conv_2d(ctx: KernelContext) -> Run:
    """Prepare DEPTHWISE_CONV_2D: NHWC input, filters [1, H, W, C * multiplier]."""
    x, filter_ = ctx.input(0), ctx.input(1)
    bias_spec = ctx.optional(2)
    require(ctx, x, "FLOAT32", "INT8", "UINT8", "INT16")
    require(ctx, ctx.outputs[0], x.type.name)
    weight_types = {
        "FLOAT32": ("FLOAT32", "INT8"), "INT8": ("INT8", "INT4"), "UINT8": ("UINT8",), "INT16": ("INT8",),
    }  # fmt: skip
    require(ctx, filter_, *weight_types[x.type.name])
    if len(x.shape) != 4 or len(filter_.shape) != 4 or filter_.shape[0] != 1:
        raise ctx.unsupported(f"input of shape {x.shape} and filter of shape {filter_.shape}, expected NHWC and 1HWC")
    bias_types = {"FLOAT32": ("FLOAT32",), "INT16": ("INT64",)}.get(x.type.name, ("INT32",))
    check_bias(ctx, filter_.shape[3], *bias_types)
    geometry, activation = conv_geometry(ctx), ctx.options.fused_activation_function

    def build(weights: Array, bias: Array | None, channels: int) -> Apply:
        if channels < 1 or weights.shape[3] % channels:
            raise ctx.unsupported(f"{channels} input channels do not fit filters of shape {weights.shape}")
        filters = Filters(ctx, geometry, weights.transpose(3, 1, 2, 0), channels, activation)
        if x.type.name != "FLOAT32":
            old = x.type.name == "UINT8"
            q = quantized(
                ctx, x, filter_, bias_spec, weights.shape[3], activation,
                float32_product=old, filter_zero_point=filter_.z if old else 0,
            )  # fmt: skip
            return filters.integers(q, bias)
        if filter_.type.name == "FLOAT32":
            return filters.floats(bias)
        return filters.hybrid("asymmetric", channel_scales(ctx, filter_, weights.shape[3]), bias, joined=True)

    return with_weights(ctx, build)

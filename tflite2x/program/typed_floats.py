# SPDX-License-Identifier: Apache-2.0
"""Lowering of float32 operators to steps that every language has, for exports.

The steps add in the order of LiteRT's reference kernels; :mod:`tflite2x.program.floats` prints the order of the
interpreter's NumPy calls instead, which is the same but for short sums of convolutions (see
:mod:`tflite2x.interpreter.float_gemm`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tflite2x.interpreter.elementwise import option
from tflite2x.interpreter.fixedpoint import activation_range_float
from tflite2x.interpreter.kernels.convolution import conv_geometry
from tflite2x.interpreter.windows import window_axes
from tflite2x.program.elementwise import loops
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import Step
from tflite2x.program.steps_float import (
    FloatAveragePool,
    FloatBatchMatmul,
    FloatConv2d,
    FloatDepthwiseConv2d,
    FloatElementwise,
    FloatFullyConnected,
    FloatMaxPool,
    FloatTransposeConv,
)

_FLOAT = ("FLOAT32",)


def bounds(work: Work) -> dict[str, Any]:
    """Return the clamp of the fused activation; without one, the finite range."""
    low, high = activation_range_float(int(option(work.ctx, "fused_activation_function", 0)))
    return {"low": float(low), "high": float(high)}


def same_shape(work: Work, shape: tuple[int, ...]) -> None:
    """Refuse the operator when its output has another shape at run time than in the file."""
    if tuple(shape) != work.output().shape:
        raise work.ctx.unsupported(f"the output's shape is {shape} at run time, {work.output().shape} in the model")


def _weighted(work: Work, weights: int, units_axis: int, bias: int) -> dict[str, Any]:
    if work.ctx.input(weights).type.name != "FLOAT32":
        raise work.ctx.unsupported("float32 activations with integer weights: quantized at run time, row by row")
    values = work.constant(weights, "the weights")
    added = np.zeros(values.shape[units_axis], np.float32)
    if work.ctx.optional(bias) is not None:
        added = work.constant(bias, "the bias").reshape(-1)
    return {"weights": work.const("weights", values), "bias": work.const("bias", added), **bounds(work)}


@lowers("FULLY_CONNECTED", exported=_FLOAT)
def fully_connected(work: Work) -> list[Step]:
    """FULLY_CONNECTED in float32."""
    fields = _weighted(work, 1, 0, 2)
    units, depth = fields["weights"].shape
    rows = work.input(0).size // depth
    if rows * depth != work.input(0).size or work.output().size != rows * units:
        raise work.ctx.unsupported(f"input {work.input(0).shape}, weights {(units, depth)}: not {work.output().shape}")
    return [FloatFullyConnected(**work.common(0), **fields, rows=rows, depth=depth, units=units)]


@lowers("CONV_2D", "DEPTHWISE_CONV_2D", exported=_FLOAT)
def convolution(work: Work) -> list[Step]:
    """CONV_2D and DEPTHWISE_CONV_2D in float32."""
    depthwise = work.op.name == "DEPTHWISE_CONV_2D"
    fields, x = _weighted(work, 1, 3 if depthwise else 0, 2), work.input(0)
    weights = fields["weights"]
    units = weights.shape[3 if depthwise else 0]
    geometry = conv_geometry(work.ctx)
    high, wide = window_axes(
        geometry.padding, x.shape[1:3], weights.shape[1:3], geometry.strides, geometry.dilations
    )  # fmt: skip
    same_shape(work, (x.shape[0], high.out, wide.out, units))
    step = FloatDepthwiseConv2d if depthwise else FloatConv2d
    return [
        step(
            **work.common(0), **fields, batch=x.shape[0], in_h=high.size, in_w=wide.size, in_c=x.shape[3],
            out_h=high.out, out_w=wide.out, out_c=units, kernel_h=high.filter, kernel_w=wide.filter,
            stride_h=high.stride, stride_w=wide.stride, dilation_h=high.dilation, dilation_w=wide.dilation,
            pad_top=high.before, pad_left=wide.before,
            groups=x.shape[3] if depthwise else x.shape[3] // weights.shape[3],
        )
    ]  # fmt: skip


@lowers("TRANSPOSE_CONV", exported=_FLOAT)
def transpose_conv(work: Work) -> list[Step]:
    """TRANSPOSE_CONV in float32."""
    fields, x, o = _weighted(work, 1, 0, 3), work.input(2), work.ctx.options
    shape = tuple(int(n) for n in work.constant(0, "the output's shape").reshape(-1))
    same_shape(work, shape)
    units, kernel_h, kernel_w, _ = fields["weights"].shape
    high, wide = window_axes(o.padding, shape[1:3], (kernel_h, kernel_w), (o.stride_h, o.stride_w), (1, 1))
    return [
        FloatTransposeConv(
            **work.common(2), **fields, batch=x.shape[0], in_h=x.shape[1], in_w=x.shape[2], in_c=x.shape[3],
            out_h=shape[1], out_w=shape[2], out_c=units, kernel_h=kernel_h, kernel_w=kernel_w,
            stride_h=o.stride_h, stride_w=o.stride_w, dilation_h=1, dilation_w=1, pad_top=high.before,
            pad_left=wide.before, groups=1,
        )
    ]  # fmt: skip


@lowers("MAX_POOL_2D", "AVERAGE_POOL_2D", exported=_FLOAT)
def pool(work: Work) -> list[Step]:
    """Pooling in float32."""
    o, x = work.ctx.options, work.input(0)
    high, wide = window_axes(
        o.padding, x.shape[1:3], (o.filter_height, o.filter_width), (o.stride_h, o.stride_w), (1, 1)
    )  # fmt: skip
    same_shape(work, (x.shape[0], high.out, wide.out, x.shape[3]))
    step = FloatMaxPool if work.op.name == "MAX_POOL_2D" else FloatAveragePool
    return [
        step(
            **work.common(0), batch=x.shape[0], in_h=x.shape[1], in_w=x.shape[2], channels=x.shape[3],
            out_h=high.out, out_w=wide.out, kernel_h=high.filter, kernel_w=wide.filter, stride_h=high.stride,
            stride_w=wide.stride, pad_top=high.before, pad_left=wide.before, **bounds(work),
        )
    ]  # fmt: skip


_CLAMPED = {"ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div"}
_UNCLAMPED = {
    "MAXIMUM": "maximum", "MINIMUM": "minimum", "SQUARED_DIFFERENCE": "squared_difference", "PRELU": "prelu",
    "POW": "pow",
}  # fmt: skip


@lowers(*_CLAMPED, *_UNCLAMPED, exported=_FLOAT)
def elementwise(work: Work) -> list[Step]:
    """Functions of two float32 inputs."""
    name = work.op.name
    if name in _CLAMPED:
        return [FloatElementwise(**work.common(0, 1), **loops(work), operation=_CLAMPED[name], **bounds(work))]
    return [
        FloatElementwise(**work.common(0, 1), **loops(work), operation=_UNCLAMPED[name], low=None, high=None)
    ]  # fmt: skip


@lowers("BATCH_MATMUL", exported=_FLOAT)
def batch_matmul(work: Work) -> list[Step]:
    """BATCH_MATMUL in float32; batch dimensions broadcast."""
    if any(work.ctx.input(i).type.name != "FLOAT32" for i in (0, 1)):
        raise work.ctx.unsupported("float32 with integers: quantized at run time, row by row")
    o = work.ctx.options
    adj_x, adj_y = bool(getattr(o, "adj_x", False)), bool(getattr(o, "adj_y", False))
    a, b = work.input(0).shape, work.input(1).shape
    rows, depth = (a[-1], a[-2]) if adj_x else (a[-2], a[-1])
    columns = b[-2] if adj_y else b[-1]
    batch = np.broadcast_shapes(a[:-2], b[:-2])
    same_shape(work, (*batch, rows, columns))
    at = [
        np.broadcast_to(np.arange(math.prod(s[:-2])).reshape(s[:-2]), batch).reshape(-1) for s in (a, b)
    ]  # fmt: skip
    return [
        FloatBatchMatmul(
            **work.common(0, 1), matrices=math.prod(batch), rows=rows, depth=depth, columns=columns,
            a_at=work.const("a_at", at[0], "which matrix of a", np.int32),
            b_at=work.const("b_at", at[1], "which matrix of b", np.int32),
            a_row=1 if adj_x else depth, a_depth=rows if adj_x else 1,
            b_depth=1 if adj_y else columns, b_column=depth if adj_y else 1,
        )
    ]  # fmt: skip

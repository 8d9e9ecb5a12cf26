# SPDX-License-Identifier: Apache-2.0
"""Lowering of float32 operators to steps that every language has, for exports.

The steps add in the order of LiteRT's reference kernels; :mod:`tflite2x.program.floats` prints the order of the
interpreter's NumPy calls instead, which is the same but for short sums of convolutions (see
:mod:`tflite2x.interpreter.float_gemm`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite2x.interpreter.elementwise import option
from tflite2x.interpreter.fixedpoint import activation_range_float
from tflite2x.interpreter.kernels.convolution import conv_geometry
from tflite2x.interpreter.windows import window_axes
from tflite2x.program import hybrid
from tflite2x.program.elementwise import loops
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.matrices import layout
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
from tflite2x.program.values import Const

_FLOAT = ("FLOAT32",)


def bounds(work: Work) -> dict[str, Any]:
    """Return the clamp of the fused activation; without one, the finite range."""
    low, high = activation_range_float(int(option(work.ctx, "fused_activation_function", 0)))
    return {"low": float(low), "high": float(high)}


def same_shape(work: Work, shape: tuple[int, ...]) -> None:
    """Refuse the operator when its output has another shape at run time than in the file."""
    if tuple(shape) != work.output().shape:
        raise work.ctx.unsupported(f"the output's shape is {shape} at run time, {work.output().shape} in the model")


def _bias(work: Work, index: int, units: int) -> Const:
    added = np.zeros(units, np.float32)
    if work.ctx.optional(index) is not None:
        added = work.constant(index, "the bias").reshape(-1)
    return work.const("bias", added)


@lowers("FULLY_CONNECTED", exported=_FLOAT)
def fully_connected(work: Work) -> list[Step]:
    """FULLY_CONNECTED in float32."""
    weights = work.constant(1, "the weights")
    units, depth = weights.shape
    rows = work.input(0).size // depth
    if rows * depth != work.input(0).size or work.output().size != rows * units:
        raise work.ctx.unsupported(f"input {work.input(0).shape}, weights {(units, depth)}: not {work.output().shape}")
    bias = _bias(work, 2, units)
    if work.ctx.input(1).type.name != "FLOAT32":
        asymmetric = bool(option(work.ctx, "asymmetric_quantize_inputs", False))
        return hybrid.fully_connected(work, rows, units, depth, bias, bounds(work), asymmetric=asymmetric)
    return [
        FloatFullyConnected(
            **work.common(0), weights=work.const("weights", weights), bias=bias, **bounds(work), rows=rows,
            depth=depth, units=units,
        )
    ]  # fmt: skip


@lowers("CONV_2D", "DEPTHWISE_CONV_2D", exported=_FLOAT)
def convolution(work: Work) -> list[Step]:
    """CONV_2D and DEPTHWISE_CONV_2D in float32."""
    depthwise = work.op.name == "DEPTHWISE_CONV_2D"
    weights, x = work.constant(1, "the weights"), work.input(0)
    units = weights.shape[3 if depthwise else 0]
    geometry = conv_geometry(work.ctx)
    high, wide = window_axes(
        geometry.padding, x.shape[1:3], weights.shape[1:3], geometry.strides, geometry.dilations
    )  # fmt: skip
    same_shape(work, (x.shape[0], high.out, wide.out, units))
    fields = {
        "batch": x.shape[0], "in_h": high.size, "in_w": wide.size, "in_c": x.shape[3], "out_h": high.out,
        "out_w": wide.out, "out_c": units, "kernel_h": high.filter, "kernel_w": wide.filter,
        "stride_h": high.stride, "stride_w": wide.stride, "dilation_h": high.dilation, "dilation_w": wide.dilation,
        "pad_top": high.before, "pad_left": wide.before,
        "groups": x.shape[3] if depthwise else x.shape[3] // weights.shape[3],
    }  # fmt: skip
    bias = _bias(work, 2, units)
    if work.ctx.input(1).type.name != "FLOAT32":
        return hybrid.convolution(work, fields, bias, bounds(work))
    step = FloatDepthwiseConv2d if depthwise else FloatConv2d
    constants: dict[str, Any] = {"weights": work.const("weights", weights), "bias": bias, **bounds(work)}
    return [step(**work.common(0), **constants, **fields)]


@lowers("TRANSPOSE_CONV", exported=_FLOAT)
def transpose_conv(work: Work) -> list[Step]:
    """TRANSPOSE_CONV in float32."""
    if work.ctx.input(1).type.name != "FLOAT32":
        raise work.ctx.unsupported("float32 activations with integer weights")
    weights, x, o = work.constant(1, "the weights"), work.input(2), work.ctx.options
    shape = tuple(int(n) for n in work.constant(0, "the output's shape").reshape(-1))
    same_shape(work, shape)
    units, kernel_h, kernel_w, _ = weights.shape
    high, wide = window_axes(o.padding, shape[1:3], (kernel_h, kernel_w), (o.stride_h, o.stride_w), (1, 1))
    return [
        FloatTransposeConv(
            **work.common(2), weights=work.const("weights", weights), bias=_bias(work, 3, units), **bounds(work),
            batch=x.shape[0], in_h=x.shape[1], in_w=x.shape[2], in_c=x.shape[3],
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
    return [FloatBatchMatmul(**work.common(0, 1), **layout(work))]

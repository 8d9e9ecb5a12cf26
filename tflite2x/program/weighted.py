# SPDX-License-Identifier: Apache-2.0
"""Lowering of the operators with weights: convolutions, FULLY_CONNECTED and XC_fc."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tflite2x.interpreter.affine import Quantized, effective_bias, quantized
from tflite2x.interpreter.fixedpoint import quantize_multiplier, reduced_multiplier
from tflite2x.interpreter.kernels.convolution import conv_geometry
from tflite2x.interpreter.windows import window_axes
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.rescale import integer_multiplier
from tflite2x.program.steps import Conv2d, DepthwiseConv2d, FullyConnected, Step, TransposeConv, XcFc
from tflite2x.program.values import Array, fits
from tflite2x.schema.tables import FullyConnectedOptions


def _integer(work: Work, data: int = 0) -> None:
    x = work.ctx.input(data)
    if x.type.name not in ("INT8", "UINT8", "INT16"):
        raise work.ctx.unsupported(f"{work.op.name} of {x.type.name} has no form here")


def _weighted(
    work: Work, q: Quantized, matrix: Array, bias: Array | None, *, real: bool, data: int = 0
) -> dict[str, Any]:
    """Return the fields of ``Weighted``; ``matrix`` is [K, O] with the filter's zero point taken off."""
    x = work.ctx.input(data)
    units = matrix.shape[1]
    if bias is not None and bias.size != units:
        raise work.ctx.unsupported(f"a bias of {bias.size} values for {units} channels")
    folded = effective_bias(q, matrix, bias)
    reach = _reach(matrix, folded, x.dtype.name)
    bound = np.abs(reach).max(axis=0)
    wide = q.wide and not real  # with a float64 multiplier, sums that fit are kept in int32
    if not wide and np.any(bound >= 1 << 31):
        raise work.ctx.unsupported(
            f"an accumulator can reach {int(bound.max())}, which int32 does not hold", "Its wrap-around is not printed."
        )
    if np.any(bound * np.broadcast_to(q.multiplier, bound.shape) >= (1 << 31) - (1 << 17)):
        raise work.ctx.unsupported("a result that int32 does not hold before the clamp")
    mantissa, shift, rescaling = _multipliers(work, q, bound, real=real)
    raw = np.zeros(units, np.int64) if bias is None else bias.reshape(-1)
    return {
        "weights": work.const("weights", work.constant(1, "the weights"), _scale_note(work, 1)),
        "bias": work.const("bias", raw, "scale = input scale * weight scale", np.int64 if wide else np.int32),
        "mantissa": work.const("mantissa", mantissa, dtype=np.int64 if rescaling == "real" else np.int32),
        "shift": work.const("shift", shift, dtype=np.int32),
        "x_zero": q.input_zero_point,
        "w_zero": q.filter_zero_point,
        "y_zero": q.output.z,
        "low": q.low,
        "high": q.high,
        "rescaling": rescaling,
        "multiplier": np.broadcast_to(q.multiplier, (units,)),
        "folded": folded,
        "reach": reach,
        "weight_sum": matrix.sum(axis=0),
        "weights_scale": work.ctx.input(1).scale,
    }


def _scale_note(work: Work, index: int) -> str:
    spec = work.ctx.input(index)
    if spec.scale.size > 1:
        return f"{spec.scale.size} scales along axis {spec.axis}"
    return f"scale {spec.s:.9g}, zero point {spec.z}" if spec.is_quantized else ""


def _reach(matrix: Array, folded: Array, dtype: str) -> Array:
    """Return the smallest and largest accumulator per channel, [2, O], over all inputs of a type."""
    low, high = fits(dtype)
    positive = np.maximum(matrix, 0).sum(axis=0)
    negative = matrix.sum(axis=0) - positive
    return np.stack([low * positive + high * negative, high * positive + low * negative]) + folded


def _multipliers(work: Work, q: Quantized, bound: Array, *, real: bool) -> tuple[Array, Array, str]:
    real_values = np.broadcast_to(q.multiplier, bound.shape)
    mantissa, shift = quantize_multiplier(real_values, "double")
    if not real:
        if q.wide:
            return reduced_multiplier(mantissa), 15 - shift, "wide"
        return mantissa, shift, "double"
    top = max(q.high - q.output.z, q.output.z - q.low) + 1
    pairs = {
        (float(m), int(b)): integer_multiplier(float(m), int(b), top)
        for m, b in set(zip(real_values.tolist(), bound.tolist(), strict=True))
    }
    found = [pairs[float(m), int(b)] for m, b in zip(real_values, bound, strict=True)]
    if any(f is None for f in found):
        raise work.ctx.unsupported("no integer multiplier gives what LiteRT's float64 multiplier gives")
    columns = np.asarray([f for f in found if f is not None], np.int64)
    return columns[:, 0], columns[:, 1], "real"


@lowers("FULLY_CONNECTED")
def fully_connected(work: Work) -> list[Step]:
    """FULLY_CONNECTED with integer activations and constant weights."""
    _integer(work)
    ctx, x, filter_ = work.ctx, work.ctx.input(0), work.ctx.input(1)
    options = ctx.options_or_default(FullyConnectedOptions)
    if options.weights_format or len(work.op.outputs) > 1:
        raise ctx.unsupported("shuffled weights")
    weights, bias_spec = work.constant(1, "the weights"), ctx.optional(2)
    bias = None if bias_spec is None else work.constant(2, "the bias")
    # The choices of the interpreter's kernel.
    per_channel, sparse = filter_.scale.size > 1, getattr(work.op.inputs[1], "sparsity", None) is not None
    fixed_point = ctx.rounding == "double" or filter_.type.name == "INT16" or sparse
    if filter_.type.name == "INT16":
        raise ctx.unsupported("int16 weights")
    q = quantized(
        ctx, x, filter_, bias_spec, len(weights), int(options.fused_activation_function),
        float32_product=fixed_point and not per_channel, filter_zero_point=0 if per_channel else filter_.z,
    )  # fmt: skip
    units, depth = weights.shape
    matrix = (weights.astype(np.int64) - q.filter_zero_point).T
    fields = _weighted(work, q, matrix, bias, real=not fixed_point)
    rows = math.prod(x.shape) // depth
    return [FullyConnected(**work.common(0), **fields, rows=rows, depth=depth, units=units)]


@lowers("CONV_2D", "DEPTHWISE_CONV_2D")
def convolution(work: Work) -> list[Step]:
    """CONV_2D and DEPTHWISE_CONV_2D with integer activations and constant filters."""
    _integer(work)
    ctx, x, filter_, bias_spec = work.ctx, work.ctx.input(0), work.ctx.input(1), work.ctx.optional(2)
    weights = work.constant(1, "the filters")
    bias = None if bias_spec is None else work.constant(2, "the bias")
    depthwise = work.op.name == "DEPTHWISE_CONV_2D"
    units = weights.shape[3 if depthwise else 0]
    old = x.type.name == "UINT8"
    q = quantized(
        ctx, x, filter_, bias_spec, units, int(ctx.options.fused_activation_function),
        float32_product=old, filter_zero_point=filter_.z if old else 0,
    )  # fmt: skip
    plain = weights.astype(np.int64) - q.filter_zero_point
    matrix = plain.reshape(-1, units) if depthwise else plain.reshape(units, -1).T
    geometry = conv_geometry(ctx)
    axes = window_axes(
        geometry.padding, x.shape[1:3], weights.shape[1:3], geometry.strides, geometry.dilations
    )  # fmt: skip
    shape = (x.shape[0], axes[0].out, axes[1].out, units)
    if shape != work.output().shape:
        raise ctx.unsupported(f"the output's shape is {shape} at run time, {work.output().shape} in the model")
    high, wide = axes
    step = DepthwiseConv2d if depthwise else Conv2d
    return [
        step(
            **work.common(0), **_weighted(work, q, matrix, bias, real=False),
            batch=x.shape[0], in_h=high.size, in_w=wide.size, in_c=x.shape[3], out_h=high.out, out_w=wide.out,
            out_c=units, kernel_h=high.filter, kernel_w=wide.filter, stride_h=high.stride, stride_w=wide.stride,
            dilation_h=high.dilation, dilation_w=wide.dilation, pad_top=high.before, pad_left=wide.before,
            groups=x.shape[3] if depthwise else x.shape[3] // weights.shape[3],
        )
    ]  # fmt: skip


@lowers("TRANSPOSE_CONV")
def transpose_conv(work: Work) -> list[Step]:
    """TRANSPOSE_CONV with integer activations and constant filters."""
    _integer(work, 2)
    ctx, x, filter_, bias_spec, o = (
        work.ctx,
        work.ctx.input(2),
        work.ctx.input(1),
        work.ctx.optional(3),
        work.ctx.options,
    )
    shape = tuple(int(n) for n in work.constant(0, "the output's shape").reshape(-1))
    if shape != work.output().shape:
        raise ctx.unsupported(f"the output's shape is {shape} at run time, {work.output().shape} in the model")
    weights = work.constant(1, "the filters")
    bias = None if bias_spec is None else work.constant(3, "the bias")
    units, kernel_h, kernel_w, _ = weights.shape
    old = x.type.name == "UINT8"
    q = quantized(
        ctx, x, filter_, bias_spec, units, int(o.fused_activation_function),
        float32_product=old, filter_zero_point=filter_.z if old else 0,
    )  # fmt: skip
    matrix = (weights.astype(np.int64) - q.filter_zero_point).reshape(units, -1).T
    high, wide = window_axes(o.padding, shape[1:3], (kernel_h, kernel_w), (o.stride_h, o.stride_w), (1, 1))
    return [
        TransposeConv(
            **work.common(2), **_weighted(work, q, matrix, bias, real=False, data=2),
            batch=x.shape[0], in_h=x.shape[1], in_w=x.shape[2], in_c=x.shape[3], out_h=shape[1], out_w=shape[2],
            out_c=units, kernel_h=kernel_h, kernel_w=kernel_w, stride_h=o.stride_h, stride_w=o.stride_w,
            pad_top=high.before, pad_left=wide.before,
        )
    ]  # fmt: skip


@lowers("XC_fc")
def xc_fc(work: Work) -> list[Step]:
    """XC_fc: the constants as the runtime reads them."""
    weights, bso = work.constant(1, "the weights"), work.constant(2, "the BSO block")
    units, width = weights.shape
    return [
        XcFc(
            **work.common(0),
            weights=work.const("weights", weights, "padded with zero columns to a multiple of 4"),
            bso=work.const("bso", bso, "bias high, bias low, shift1, scale, offset scale, offset, shift2"),
            depth=math.prod(work.ctx.input(0).shape), width=width, units=units,
        )
    ]  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Lowering of pooling, MEAN, SUM, SOFTMAX, ARG_MAX and RESIZE_BILINEAR."""

from __future__ import annotations

import math

import numpy as np

from tflite2x.interpreter.fixedpoint import activation_range
from tflite2x.interpreter.kernels.resizing import float_positions, integer_positions
from tflite2x.interpreter.kernels.softmax import difference_scaling, rescaled_differences
from tflite2x.interpreter.windows import window_axes
from tflite2x.program.elementwise import merge, multiplier, quantized_type
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import ArgMax, AveragePool, Extreme, MaxPool, Mean, Pool, ResizeBilinear, Softmax, Step
from tflite2x.program.values import Array, fits


@lowers("MAX_POOL_2D", "AVERAGE_POOL_2D")
def pool(work: Work) -> list[Step]:
    """Pooling of quantized values."""
    quantized_type(work)
    ctx, o = work.ctx, work.ctx.options
    x = ctx.input(0)
    low, high = activation_range(o.fused_activation_function, ctx.outputs[0])
    axes = window_axes(o.padding, x.shape[1:3], (o.filter_height, o.filter_width), (o.stride_h, o.stride_w), (1, 1))
    shape = (x.shape[0], axes[0].out, axes[1].out, x.shape[3])
    if shape != work.output().shape:
        raise ctx.unsupported(f"the output's shape is {shape} at run time, {work.output().shape} in the model")
    step: type[Pool] = MaxPool if work.op.name == "MAX_POOL_2D" else AveragePool
    return [
        step(
            **work.common(0), batch=x.shape[0], in_h=x.shape[1], in_w=x.shape[2], channels=x.shape[3],
            out_h=axes[0].out, out_w=axes[1].out, kernel_h=axes[0].filter, kernel_w=axes[1].filter,
            stride_h=axes[0].stride, stride_w=axes[1].stride, pad_top=axes[0].before, pad_left=axes[1].before,
            low=low, high=high,
        )
    ]  # fmt: skip


@lowers("MEAN", "SUM")
def mean(work: Work) -> list[Step]:
    """MEAN and SUM of quantized values over constant axes."""
    quantized_type(work)
    ctx, x, out = work.ctx, work.ctx.input(0), work.ctx.outputs[0]
    rank = len(x.shape)
    axes = sorted({int(a) % rank for a in work.constant(1, "the axes").reshape(-1)}) if rank else []
    strides = [math.prod(x.shape[i + 1 :]) for i in range(rank)]
    kept = [i for i in range(rank) if i not in axes]
    outer_count, outer = merge([x.shape[i] for i in kept], [[strides[i] for i in kept]])
    inner_count, inner = merge([x.shape[i] for i in axes], [[strides[i] for i in axes]])
    elements = math.prod(x.shape[i] for i in axes)
    mantissa, shift = multiplier(x.s / out.s)
    if work.op.name == "MEAN":
        # The multiplier is divided by the number of elements, with as many bits as fit (LiteRT reference/reduce.h).
        bits = min(elements.bit_length() - 1, 32, 31 + shift)
        mantissa, shift = (mantissa << bits) // elements, shift - bits
    low, high = fits(x.dtype.name)
    if elements * max(high - x.z, x.z - low) >= 1 << 31:
        raise ctx.unsupported("a sum that int32 may not hold")
    return [
        Mean(
            **work.common(0),
            kept_rank=len(outer_count), kept=work.const("kept", [outer_count, *outer], dtype=np.int32),
            reduced_rank=len(inner_count), reduced=work.const("reduced", [inner_count, *inner], dtype=np.int32),
            elements=elements, x_zero=x.z, mantissa=mantissa, shift=shift, y_zero=out.z, low=low, high=high,
            axes=tuple(axes),
        )
    ]  # fmt: skip


@lowers("REDUCE_MAX", "REDUCE_MIN")
def extreme(work: Work) -> list[Step]:
    """REDUCE_MAX and REDUCE_MIN of integers over constant axes."""
    quantized_type(work, "INT8", "UINT8", "INT16", "INT32")
    shape = work.ctx.input(0).shape
    rank = len(shape)
    axes = sorted({int(a) % rank for a in work.constant(1, "the axes").reshape(-1)}) if rank else []
    strides = [math.prod(shape[i + 1 :]) for i in range(rank)]
    kept = [i for i in range(rank) if i not in axes]
    outer_count, outer = merge([shape[i] for i in kept], [[strides[i] for i in kept]])
    inner_count, inner = merge([shape[i] for i in axes], [[strides[i] for i in axes]])
    return [
        Extreme(
            **work.common(0),
            kept_rank=len(outer_count), kept=work.const("kept", [outer_count, *outer], dtype=np.int32),
            reduced_rank=len(inner_count), reduced=work.const("reduced", [inner_count, *inner], dtype=np.int32),
            sign=1 if work.op.name == "REDUCE_MAX" else -1, axes=tuple(axes),
        )
    ]  # fmt: skip


@lowers("SOFTMAX")
def softmax(work: Work) -> list[Step]:
    """SOFTMAX of 8-bit values."""
    quantized_type(work, "INT8", "UINT8")
    ctx, x, out = work.ctx, work.ctx.input(0), work.ctx.outputs[0]
    mantissa, shift, lowest = difference_scaling(ctx, float(np.float32(ctx.options.beta)))
    _, exponentials = rescaled_differences(mantissa, shift, lowest)
    low, high = fits(out.dtype.name)
    depth = x.shape[-1]
    return [
        Softmax(
            **work.common(0), rows=math.prod(x.shape) // depth, depth=depth, reach=-lowest,
            out_bits=8 * out.dtype.itemsize, low=low, high=high,
            exponentials=work.const("exponentials", exponentials, "exp(-d * beta * scale) * 2**31", np.int32),
        )
    ]  # fmt: skip


@lowers("ARG_MAX", "ARG_MIN")
def arg_max(work: Work) -> list[Step]:
    """ARG_MAX and ARG_MIN along a constant axis."""
    quantized_type(work, "INT8", "UINT8", "INT16", "INT32")
    shape = work.ctx.input(0).shape
    axis = int(work.constant(1, "the axis").reshape(-1)[0]) % len(shape)
    return [
        ArgMax(
            **work.common(0), outer=math.prod(shape[:axis]), length=shape[axis], inner=math.prod(shape[axis + 1 :]),
            sign=1 if work.op.name == "ARG_MAX" else -1,
        )
    ]  # fmt: skip


@lowers("RESIZE_BILINEAR")
def resize_bilinear(work: Work) -> list[Step]:
    """RESIZE_BILINEAR of int8 and int16, and of uint8 where LiteRT's float32 arithmetic has nothing to round."""
    name = quantized_type(work)
    x, out, o = work.ctx.input(0).shape, work.output().shape, work.ctx.options
    if tuple(int(v) for v in work.constant(1, "the size").reshape(-1)) != out[1:3]:
        raise work.ctx.unsupported("the output's shape in the model is not the size asked for")
    align, half = bool(o.align_corners), bool(o.half_pixel_centers)
    places: list[Array] | None = [
        np.stack(integer_positions(n, m, align, half)) for n, m in zip(x[1:3], out[1:3], strict=True)
    ]
    if name == "UINT8":
        places = exact_positions([float_positions(n, m, align, half) for n, m in zip(x[1:3], out[1:3], strict=True)])
    if places is None:
        raise work.ctx.unsupported("RESIZE_BILINEAR of uint8 with weights that float32 rounds is no integer arithmetic")
    return [
        ResizeBilinear(
            **work.common(0), batch=x[0], in_h=x[1], in_w=x[2], channels=x[3], out_h=out[1], out_w=out[2],
            rows=work.const("rows", places[0], dtype=np.int32),
            columns=work.const("columns", places[1], dtype=np.int32),
        )
    ]  # fmt: skip


#: Two weights of so many bits and a byte fit into a float32, so that nothing is rounded.
_EXACT_BITS = 7


def exact_positions(axes: list[tuple[Array, Array, Array]]) -> list[Array] | None:
    """Return float positions in 1024ths, or None where float32 would round products of weights and bytes.

    Where every pixel is alone (nothing to interpolate on either axis), the weights do not matter.
    """
    if all(np.array_equal(lower, upper) for lower, upper, _ in axes):
        axes = [(lower, upper, np.zeros_like(distance)) for lower, upper, distance in axes]
    steps = [distance * np.float32(1 << _EXACT_BITS) for _, _, distance in axes]
    if any(np.any(v != np.rint(v)) or np.any(np.abs(v) > 1 << _EXACT_BITS) for v in steps):
        return None
    return [
        np.stack([lower, upper, v.astype(np.int64) << (10 - _EXACT_BITS)])
        for (lower, upper, _), v in zip(axes, steps, strict=True)
    ]

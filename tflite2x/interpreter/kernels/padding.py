# SPDX-License-Identifier: Apache-2.0
"""Operators that put values around a tensor: PAD, PADV2, MIRROR_PAD.

Sources: LiteRT kernels pad.cc, internal/reference/pad.h, mirror_pad.cc.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, room, uniform
from tflite2x.interpreter.kernels.layout import (
    MOVED,
    given,
    legacy_quantization,
    one_element,
    require_same_quantization,
    sample_count,
    zeros,
)
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import MirrorPadMode, TensorType


@kernel("PAD", "PADV2", types=MOVED)
def pad(ctx: KernelContext) -> Run:
    """PAD and PADV2: surround with the value of input 2, or with what stands for zero.

    Zero is the output's zero point for uint8 and for quantized int8 and int16, and plain 0 otherwise.
    """
    spec, output = ctx.input(0), ctx.outputs[0]
    value_spec = ctx.optional(2)
    quantized = spec.type == TensorType.UINT8 or (
        spec.type in (TensorType.INT8, TensorType.INT16) and spec.is_quantized
    )
    if quantized and value_spec is not None:
        require_same_quantization(ctx, output, value_spec)
    fill = legacy_quantization(output)[1] if quantized else 0
    if quantized and not np.iinfo(output.dtype).min <= fill <= np.iinfo(output.dtype).max:
        raise ctx.unsupported(f"zero point {fill} is no {output.dtype} value")

    constant = ctx.input(1).const
    known = None if constant is None or constant.ndim != 2 else paddings(ctx, constant[None], len(constant))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        before, after = known or paddings(ctx, given(inputs[1]), x.ndim - 1)
        if len(before) != x.ndim - 1:
            raise ctx.execution_error(f"paddings of {len(before)} dimensions for a tensor of rank {x.ndim - 1}")
        value = given(inputs[2]) if value_spec is not None else None
        count = len(x) if value is None else sample_count(x, value)
        shape = (count, *(n + a + b for n, a, b in zip(x.shape[1:], before, after, strict=True)))
        if value is not None:
            result = np.empty(room(shape, x.dtype), x.dtype)
            result[...] = one_element(ctx, value, "pad value").reshape(-1, *(1,) * (x.ndim - 1))
        elif fill:
            result = np.full(room(shape, x.dtype), fill, x.dtype)
        else:
            result = zeros(shape, x)
        inside = tuple(slice(a, a + n) for a, n in zip(before, x.shape[1:], strict=True))
        result[:, *inside] = x
        return [result]

    return run


@kernel("MIRROR_PAD", types=MOVED)
def mirror_pad(ctx: KernelContext) -> Run:
    """MIRROR_PAD: surround with the tensor's own reflection, with (SYMMETRIC) or without (REFLECT) the border."""
    mode = getattr(ctx.options, "mode", 0)
    if mode not in (MirrorPadMode.REFLECT, MirrorPadMode.SYMMETRIC):
        raise ctx.unsupported(f"unknown mode {mode!r}")
    offset = 1 if mode == MirrorPadMode.REFLECT else 0
    spec = ctx.input(0)
    if spec.type in (TensorType.UINT8, TensorType.INT8, TensorType.INT16):
        require_same_quantization(ctx, spec, ctx.outputs[0])
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        before, after = paddings(ctx, given(inputs[1]), x.ndim - 1)
        for axis, (a, b) in enumerate(zip(before, after, strict=True), start=1):
            size = x.shape[axis]
            if max(a, b) > max(size - offset, 0):
                raise ctx.execution_error(
                    f"padding {a}, {b} is more than length {size} of dimension {axis - 1} mirrors"
                )
            if a or b:
                inside = np.arange(size)
                index = [inside[offset : offset + a][::-1], inside, inside[::-1][offset : offset + b]]
                x = np.take(x, np.concatenate(index), axis)
        return [x if x is not inputs[0] else np.array(x)]

    return run


def paddings(ctx: KernelContext, array: Array, rank: int) -> tuple[list[int], list[int]]:
    """Return how many values go before and after each dimension, from a [rank, 2] input."""
    values = uniform(array)
    if values.shape != (rank, 2):
        raise ctx.execution_error(f"paddings of shape {list(values.shape)} for a tensor of rank {rank}")
    if values.size and int(values.min()) < 0:
        raise ctx.execution_error(f"paddings {values.tolist()} are negative")
    return [int(v) for v in values[:, 0]], [int(v) for v in values[:, 1]]

# SPDX-License-Identifier: Apache-2.0
"""Operators that move blocks between space and depth or batch.

SPACE_TO_DEPTH, DEPTH_TO_SPACE, SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND. Sources: LiteRT kernels of these names and
internal/reference/{space_to_depth,depth_to_space,space_to_batch_nd,batch_to_space_nd}.h. Elements are copied, so every
type passes, also those that LiteRT refuses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, room, uniform
from tflite2x.interpreter.kernels.layout import (
    MOVED,
    given,
    integers,
    legacy_quantization,
    require_same_quantization,
    zeros,
)
from tflite2x.interpreter.kernels.padding import paddings
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import TensorType

_QUANTIZED = (TensorType.UINT8, TensorType.INT8, TensorType.INT16)


@kernel("SPACE_TO_DEPTH", types=("float32", "int8", "uint8", "int32", "int64"))
def space_to_depth(ctx: KernelContext) -> Run:
    """SPACE_TO_DEPTH: [B, H*b, W*b, C] to [B, H, W, b*b*C]; channels are ordered by row, column, old channel."""
    block = _block_size(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        n, batch, height, width, depth = _image(ctx, x)
        if height % block or width % block:
            raise ctx.execution_error(f"{height} x {width} pixels are not made of blocks of {block} x {block}")
        split = x.reshape(n, batch, height // block, block, width // block, block, depth)
        return [split.swapaxes(3, 4).reshape(n, batch, height // block, width // block, block * block * depth)]

    return run


@kernel("DEPTH_TO_SPACE", types=("float32", "int8", "uint8", "int32", "int64"))
def depth_to_space(ctx: KernelContext) -> Run:
    """DEPTH_TO_SPACE: [B, H, W, b*b*C] to [B, H*b, W*b, C], the inverse of SPACE_TO_DEPTH."""
    block = _block_size(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        n, batch, height, width, depth = _image(ctx, x)
        if depth % (block * block):
            raise ctx.execution_error(f"{depth} channels are not made of blocks of {block} x {block}")
        channels = depth // (block * block)
        split = x.reshape(n, batch, height, width, block, block, channels)
        return [split.swapaxes(3, 4).reshape(n, batch, height * block, width * block, channels)]

    return run


def _block_size(ctx: KernelContext) -> int:
    ctx.input(0)
    block = int(getattr(ctx.options, "block_size", 0))
    if block <= 0:
        raise ctx.unsupported(f"block size {block}")
    return block


def _image(ctx: KernelContext, x: Array) -> tuple[int, ...]:
    if x.ndim != 5:
        raise ctx.execution_error(f"an image has 4 dimensions (batch, height, width, channels), not {x.ndim - 1}")
    return x.shape


@kernel("SPACE_TO_BATCH_ND", types=MOVED)
def space_to_batch_nd(ctx: KernelContext) -> Run:
    """SPACE_TO_BATCH_ND: pad the dimensions behind the first and move their blocks into the first.

    8-bit types are padded with the output's zero point, others with 0. The first dimension of the output is ordered by
    place in the block, then by old batch. LiteRT takes tensors of rank 3 and 4.
    """
    _prepare_blocks(ctx)
    output = ctx.outputs[0]
    fill = legacy_quantization(output)[1] if output.dtype.itemsize == 1 and output.type in _QUANTIZED else 0

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        blocks = _blocks(ctx, x, given(inputs[1]))
        before, after = paddings(ctx, given(inputs[2]), len(blocks))
        n, batch, *space = x.shape[: 2 + len(blocks)]
        rest = x.shape[2 + len(blocks) :]
        padded = [s + a + b for s, a, b in zip(space, before, after, strict=True)]
        if any(p % b for p, b in zip(padded, blocks, strict=True)):
            raise ctx.execution_error(f"padded size {padded} is not made of blocks of {blocks}")
        if padded != space:
            shape = room((n, batch, *padded, *rest), x.dtype)
            wide = np.full(shape, fill, x.dtype) if fill else zeros(shape, x)
            wide[:, :, *(slice(a, a + s) for a, s in zip(before, space, strict=True))] = x
            x = wide
        small = [p // b for p, b in zip(padded, blocks, strict=True)]
        split = x.reshape(n, batch, *(v for pair in zip(small, blocks, strict=True) for v in pair), *rest)
        m = len(blocks)
        order = [0, *(3 + 2 * i for i in range(m)), 1, *(2 + 2 * i for i in range(m)), *range(2 + 2 * m, split.ndim)]
        return [split.transpose(order).reshape(n, batch * math.prod(blocks), *small, *rest)]

    return run


@kernel("BATCH_TO_SPACE_ND", types=MOVED)
def batch_to_space_nd(ctx: KernelContext) -> Run:
    """BATCH_TO_SPACE_ND: the inverse of SPACE_TO_BATCH_ND, then crop. LiteRT takes tensors of rank 3 and 4."""
    _prepare_blocks(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        blocks = _blocks(ctx, x, given(inputs[1]))
        before, after = paddings(ctx, given(inputs[2]), len(blocks))
        n, total, *space = x.shape[: 2 + len(blocks)]
        rest = x.shape[2 + len(blocks) :]
        if total % math.prod(blocks):
            raise ctx.execution_error(f"a first dimension of {total} does not hold blocks of {blocks}")
        batch = total // math.prod(blocks)
        large = [s * b for s, b in zip(space, blocks, strict=True)]
        if any(a + b > s for s, a, b in zip(large, before, after, strict=True)):
            raise ctx.execution_error(f"crops {before} and {after} are more than the size {large}")
        m = len(blocks)
        split = x.reshape(n, *blocks, batch, *space, *rest)
        order = [0, m + 1, *(v for i in range(m) for v in (m + 2 + i, 1 + i)), *range(2 + 2 * m, split.ndim)]
        result = split.transpose(order).reshape(n, batch, *large, *rest)
        return [result[:, :, *(slice(a, s - b) for s, a, b in zip(large, before, after, strict=True))]]

    return run


def _prepare_blocks(ctx: KernelContext) -> None:
    for i in range(3):
        ctx.input(i)
    if ctx.input(0).type in _QUANTIZED:
        require_same_quantization(ctx, ctx.input(0), ctx.outputs[0])


def _blocks(ctx: KernelContext, x: Array, array: Array) -> list[int]:
    blocks = integers(array)
    if uniform(array).ndim != 1 or len(blocks) > x.ndim - 2 or any(b <= 0 for b in blocks):
        raise ctx.execution_error(f"block shape {blocks} for a tensor of shape {list(x.shape[1:])}")
    return blocks

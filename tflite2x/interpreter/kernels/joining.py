# SPDX-License-Identifier: Apache-2.0
"""Operators that join tensors or take one apart along an axis.

PACK, UNPACK, CONCATENATION, SPLIT, SPLIT_V. Sources: LiteRT kernels pack.cc, unpack.cc, concatenation.cc, split.cc,
split_v.cc and internal/reference/concatenation.h. Elements are copied, so every type passes, also those that LiteRT
refuses; only uint8 CONCATENATION computes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec
from tflite2x.interpreter.kernels.layout import (
    MOVED,
    PLAIN,
    at,
    find_axis,
    given,
    integer,
    integers,
    legacy_quantization,
    over_samples,
    owned,
    require_same_quantization,
    sample_count,
)
from tflite2x.interpreter.lookup import lookup
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import ActivationFunctionType, TensorType


@kernel("PACK", types=(*PLAIN, "uint32"))
def pack(ctx: KernelContext) -> Run:
    """PACK: join tensors of one shape along a new axis."""
    specs = [ctx.input(i) for i in range(len(ctx.inputs))]
    require_same_quantization(ctx, ctx.outputs[0], *specs)
    axis = int(getattr(ctx.options, "axis", 0))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        arrays = [given(a) for a in inputs]
        _require_equal_shapes(ctx, arrays, None)
        count = sample_count(*arrays)
        where = find_axis(ctx, axis, arrays[0].ndim)
        return [np.stack([over_samples(a, count) for a in arrays], where + 1)]

    return run


@kernel("UNPACK", types=("float32", "float16", "int8", "uint8", "int16", "int32", "bool"))
def unpack(ctx: KernelContext) -> Run:
    """UNPACK: one output per index along an axis, which disappears."""
    require_same_quantization(ctx, ctx.input(0), *ctx.outputs)
    axis = int(getattr(ctx.options, "axis", 0))
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        rank = x.ndim - 1
        where = find_axis(ctx, axis, rank)
        if x.shape[where + 1] != len(ctx.outputs):
            raise ctx.execution_error(f"{len(ctx.outputs)} outputs for {x.shape[where + 1]} entries along axis {axis}")
        return [own(x[at(where, i, rank)]) for i in range(len(ctx.outputs))]  # type: ignore[index]

    return run


@kernel("CONCATENATION", types=(*MOVED, "uint32", "uint8 with different scales", "int4"))
def concatenation(ctx: KernelContext) -> Run:
    """CONCATENATION: join tensors along an existing axis; scalars become a vector.

    uint8 inputs whose scale or zero point differs from the output's are requantized in float32 arithmetic, as
    LiteRT's ``ConcatenationWithScaling`` does. LiteRT refuses other integer types that would need it, and scalars that
    are not constants.
    """
    specs = [ctx.input(i) for i in range(len(ctx.inputs))]
    output = ctx.outputs[0]
    if not specs:
        raise ctx.unsupported("nothing to concatenate")
    activation = getattr(ctx.options, "fused_activation_function", 0)
    if activation != ActivationFunctionType.NONE:
        raise ctx.unsupported(f"fused activation {activation!r}: LiteRT's CONCATENATION has none")
    axis = int(getattr(ctx.options, "axis", 0))
    tables: list[Array | None] = [None] * len(specs)
    if output.type == TensorType.UINT8:
        tables = [_requantize_table(spec, output) for spec in specs]
    elif output.type == TensorType.INT8:
        require_same_quantization(ctx, output, *specs)
    elif output.type == TensorType.INT16 and any(legacy_quantization(s)[1] for s in (output, *specs)):
        raise ctx.unsupported("int16 CONCATENATION needs zero points of 0")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        arrays = [given(a) for a in inputs]
        count = sample_count(*arrays)
        if arrays[0].ndim == 1:  # scalars: LiteRT copies them without requantizing
            find_axis(ctx, axis, 1)
            _require_equal_shapes(ctx, arrays, None)
            return [np.stack([over_samples(a, count) for a in arrays], 1)]
        where = find_axis(ctx, axis, arrays[0].ndim - 1)
        _require_equal_shapes(ctx, arrays, where)
        parts = [a if t is None else lookup(t, a) for a, t in zip(arrays, tables, strict=True)]
        return [np.concatenate([over_samples(a, count) for a in parts], where + 1)]

    return run


def _requantize_table(spec: TensorSpec, output: TensorSpec) -> Array | None:
    """Return the output value for each of the 256 stored values, or None when values stay as they are.

    All in float32: round(q * scale + bias) + output zero point, with scale = input scale * (1 / output scale) and
    bias = -(input zero point) * scale; halves are rounded away from zero.
    """
    (scale_in, zero_in), (scale_out, zero_out) = legacy_quantization(spec), legacy_quantization(output)
    if (scale_in, zero_in) == (scale_out, zero_out):
        return None
    with np.errstate(all="ignore"):
        scale = np.float32(scale_in) * (np.float32(1) / np.float32(scale_out))
        bias = np.float32(-zero_in) * scale
        real = np.arange(256, dtype=np.float32) * scale + bias
        rounded = np.copysign(np.floor(np.abs(real.astype(np.float64)) + 0.5), real)
        return np.asarray(np.clip(np.nan_to_num(rounded) + zero_out, 0, 255), np.uint8)


@kernel("SPLIT", types=PLAIN)
def split(ctx: KernelContext) -> Run:
    """SPLIT: equal parts along an axis; input 0 is the axis."""
    ctx.input(0)
    ctx.input(1)
    own = owned(ctx, 1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[1])
        rank, parts = x.ndim - 1, len(ctx.outputs)
        axis = find_axis(ctx, integer(ctx, given(inputs[0]), "axis"), rank)
        length = x.shape[axis + 1]
        if length % parts:
            raise ctx.execution_error(f"length {length} along axis {axis} cannot be split into {parts} equal parts")
        size = length // parts
        return [own(x[at(axis, slice(i * size, (i + 1) * size), rank)]) for i in range(parts)]  # type: ignore[index]

    return run


@kernel("SPLIT_V", types=PLAIN)
def split_v(ctx: KernelContext) -> Run:
    """SPLIT_V: parts of given sizes along an axis; one size may be -1 and takes what is left."""
    for i in range(3):
        ctx.input(i)
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, sizes = given(inputs[0]), integers(given(inputs[1]))
        rank = x.ndim - 1
        axis = find_axis(ctx, integer(ctx, given(inputs[2]), "axis"), rank)
        length = x.shape[axis + 1]
        if len(sizes) != len(ctx.outputs):
            raise ctx.execution_error(f"{len(sizes)} sizes for {len(ctx.outputs)} outputs")
        if sizes.count(-1) == 1:
            sizes[sizes.index(-1)] = length - (sum(sizes) + 1)
        if min(sizes) < 0 or sum(sizes) != length:
            raise ctx.execution_error(f"sizes {integers(given(inputs[1]))} do not make up length {length}")
        bounds = [0, *itertools.accumulate(sizes)]
        return [own(x[at(axis, slice(a, b), rank)]) for a, b in itertools.pairwise(bounds)]  # type: ignore[index]

    return run


def _require_equal_shapes(ctx: KernelContext, arrays: Sequence[Array], except_axis: int | None) -> None:
    def key(a: Array) -> tuple[int, ...]:
        return tuple(n for d, n in enumerate(a.shape[1:]) if d != except_axis)

    for a in arrays[1:]:
        if a.ndim != arrays[0].ndim or key(a) != key(arrays[0]):
            raise ctx.execution_error(f"shapes {list(arrays[0].shape[1:])} and {list(a.shape[1:])} cannot be joined")

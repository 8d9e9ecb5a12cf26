# SPDX-License-Identifier: Apache-2.0
"""Operators that give the same elements another shape or order, or tell the shape.

RESHAPE, SQUEEZE, EXPAND_DIMS, SHAPE, RANK, TRANSPOSE, DENSIFY. Sources of the rules: LiteRT kernels reshape.cc,
squeeze.cc, expand_dims.cc, shape.cc, rank.cc, transpose.cc, densify.cc. Elements are never looked at, so every type
passes, also those that LiteRT refuses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.kernels.layout import (
    MOVED,
    find_axis,
    given,
    integer,
    integers,
    owned,
    require_same_quantization,
)
from tflite2x.interpreter.registry import kernel


def resolve_shape(ctx: KernelContext, source: Sequence[int], target: Sequence[int]) -> list[int]:
    """Return ``target`` with its -1 replaced, for ``source`` elements (LiteRT internal/reshape_utils.h).

    Raises:
        ExecutionError: The element counts differ, or ``target`` holds two -1 or another negative value.
    """
    shape = list(target)
    if any(d < -1 for d in shape) or shape.count(-1) > 1:
        raise ctx.execution_error(f"{shape} is no shape: one dimension at most may be -1, others not negative")
    count = math.prod(source)
    if -1 in shape:
        known = math.prod(d for d in shape if d != -1)
        if count == 0 and known != 0:
            inferred = 0
        else:
            # LiteRT leaves out zeros on both sides, so that (0, 6) reshapes to (0, -1) as (0, 6).
            inferred = math.prod(d for d in source if d) // math.prod(d for d in shape if d not in (0, -1))
        shape[shape.index(-1)] = inferred
    if math.prod(shape) != count:
        raise ctx.execution_error(
            f"{count} elements of shape {list(source)} do not fit into shape {list(target)}",
            hint="A fixed shape in a RESHAPE prevents other input sizes; a -1 in it would allow them.",
        )
    return shape


@kernel("RESHAPE", types=(*MOVED, "string", "int4"))
def reshape(ctx: KernelContext) -> Run:
    """RESHAPE: the shape comes from a rank 1 int32 input, otherwise from the option ``new_shape``.

    With neither, LiteRT makes a scalar, and so does this kernel.
    """
    shape_spec = ctx.optional(1)
    fixed: list[int] | None = None
    if shape_spec is None or shape_spec.dtype != np.int32 or len(shape_spec.shape) != 1:
        new_shape = getattr(ctx.options, "new_shape", None)
        fixed = [] if new_shape is None else [int(d) for d in new_shape]
        if fixed == [0]:
            fixed = []  # how old converters wrote a scalar
    ctx.input(0)
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        target = fixed if fixed is not None else integers(given(inputs[1]))
        return [own(x.reshape(len(x), *resolve_shape(ctx, x.shape[1:], target)))]

    return run


@kernel("SQUEEZE", types=(*MOVED, "string", "int4"))
def squeeze(ctx: KernelContext) -> Run:
    """SQUEEZE: drop the named dimensions of length 1, or all of them when none is named."""
    squeezed = getattr(ctx.options, "squeeze_dims", None)
    named = [] if squeezed is None else [int(d) for d in squeezed]
    ctx.input(0)
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        rank = x.ndim - 1
        drop = {find_axis(ctx, d, rank, "squeezed dimension") for d in named}
        for d in drop:
            if x.shape[d + 1] != 1:
                raise ctx.execution_error(f"dimension {d} cannot be squeezed: its length is {x.shape[d + 1]}")
        if not named:
            drop = {d for d in range(rank) if x.shape[d + 1] == 1}
        return [own(x.reshape(len(x), *(n for d, n in enumerate(x.shape[1:]) if d not in drop)))]

    return run


@kernel("EXPAND_DIMS", types=(*MOVED, "string", "int4"))
def expand_dims(ctx: KernelContext) -> Run:
    """EXPAND_DIMS: insert a dimension of length 1; a negative axis counts from behind the last dimension."""
    require_same_quantization(ctx, ctx.input(0), ctx.outputs[0])
    ctx.input(1)
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        axis = find_axis(ctx, integer(ctx, given(inputs[1]), "axis"), x.ndim)
        return [own(np.expand_dims(x, axis + 1))]

    return run


@kernel("SHAPE", types=("any -> int32", "any -> int64"))
def shape(ctx: KernelContext) -> Run:
    """SHAPE: the run-time shape of the input, as int32 or int64 (``out_type``; without options the output's type)."""
    ctx.input(0)
    dtype = ctx.outputs[0].dtype
    if dtype not in (np.int32, np.int64):
        raise ctx.unsupported(f"a shape of type {dtype}", "SHAPE gives int32 or int64.")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        return [np.array([given(inputs[0]).shape[1:]], dtype)]

    return run


@kernel("RANK", types=("any -> int32",))
def rank(ctx: KernelContext) -> Run:
    """RANK: the number of dimensions, a scalar."""
    ctx.input(0)
    dtype = ctx.outputs[0].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        return [np.array([given(inputs[0]).ndim - 1], dtype)]

    return run


@kernel("TRANSPOSE", types=(*MOVED, "int4"))
def transpose(ctx: KernelContext) -> Run:
    """TRANSPOSE: dimension i of the output is dimension perm[i] of the input; perm may count from the end.

    LiteRT reads the four bytes of each element of perm as int32 whatever its type, so this kernel does too.
    """
    ctx.input(0)
    ctx.input(1)
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, perm = given(inputs[0]), uniform(given(inputs[1]))
        axes = [int(a) for a in (perm if perm.dtype.itemsize != 4 else perm.view(np.int32)).reshape(-1)]
        rank = x.ndim - 1
        order = [find_axis(ctx, a, rank, "permuted dimension") for a in axes]
        if sorted(order) != list(range(rank)):
            raise ctx.execution_error(f"{axes} is no permutation of the {rank} dimensions")
        # A view would make whatever comes next walk through memory in large steps, more than once.
        return [own(np.ascontiguousarray(x.transpose(0, *(a + 1 for a in order))))]

    return run


@kernel("DENSIFY", types=("float32", "float16", "int8"))
def densify(ctx: KernelContext) -> Run:
    """DENSIFY: a sparse constant with all its zeros. The graph fills up sparse constants, so nothing is left to do."""
    if ctx.input(0).const is None:
        raise ctx.unsupported("DENSIFY needs a constant")
    return lambda inputs: [given(inputs[0])]

# SPDX-License-Identifier: Apache-2.0
"""Operators that make tensors from sizes and positions.

WHERE, ONE_HOT, FILL, RANGE, MATRIX_DIAG, MATRIX_SET_DIAG. Sources: LiteRT kernels where.cc, one_hot.cc, fill.cc,
range.cc, matrix_diag.cc, matrix_set_diag.cc.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.elementwise import option
from tflite2x.interpreter.kernel import Array, KernelContext, Run, room, uniform
from tflite2x.interpreter.kernels.layout import (
    MOVED,
    PLAIN,
    given,
    integer,
    integers,
    one_element,
    over_samples,
    require_same_quantization,
    sample_count,
    single_sample,
    zeros,
)
from tflite2x.interpreter.registry import kernel


@kernel("WHERE", types=("bool", "float32", "int64", "int32", "int8", "uint8", "uint32"))
def where(ctx: KernelContext) -> Run:
    """WHERE: the coordinates of the elements that are not zero, int64 [count, rank] in row-major order."""
    ctx.input(0)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        single_sample(x)
        if x.ndim == 1:
            raise ctx.execution_error("WHERE needs a condition of rank 1 or more")
        return [np.argwhere(x[0] != 0).astype(np.int64)[None]]

    return run


@kernel(
    "ONE_HOT",
    types=tuple(f"int32|int64 indices -> {t}" for t in ("float32", "int8", "uint8", "int32", "int64", "bool")),
)
def one_hot(ctx: KernelContext) -> Run:
    """ONE_HOT: ``on`` where the position along a new axis equals the index, ``off`` elsewhere.

    Indices outside of [0, depth) give ``off`` everywhere. LiteRT looks at the low 32 bits of an int64 index.
    """
    for i in range(4):
        ctx.input(i)
    axis = int(option(ctx, "axis", 0))
    dtype = ctx.outputs[0].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        indices = given(inputs[0])
        depth = integer(ctx, given(inputs[1]), "depth")
        rank = indices.ndim - 1
        place = rank if axis == -1 else axis
        if depth < 0 or not 0 <= place <= rank:
            raise ctx.execution_error(f"depth {depth} along axis {axis} for indices of rank {rank}")
        room((*indices.shape, depth), dtype)
        shape = [1] * (rank + 2)
        shape[place + 1] = depth
        hit = np.expand_dims(indices.astype(np.int32), place + 1) == np.arange(depth, dtype=np.int32).reshape(shape)
        on, off = (
            one_element(ctx, given(inputs[i]), name).reshape(-1, *(1,) * (rank + 1))
            for i, name in ((2, "on value"), (3, "off value"))
        )
        return [np.where(hit, on, off).astype(dtype, copy=False)]

    return run


@kernel("FILL", types=(*MOVED, "string"))
def fill(ctx: KernelContext) -> Run:
    """FILL: a tensor of a given shape with one value everywhere."""
    ctx.input(0)
    require_same_quantization(ctx, ctx.input(1), ctx.outputs[0])

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        dims = integers(given(inputs[0]))
        if any(d < 0 for d in dims):
            raise ctx.execution_error(f"{dims} is no shape: dimensions must not be negative")
        value = one_element(ctx, given(inputs[1]), "value")
        result = np.empty(room((len(value), *dims), value.dtype), value.dtype)
        result[...] = value.reshape(-1, *(1,) * len(dims))
        return [result]

    return run


@kernel("RANGE", types=("int32", "int64", "float32"))
def range_(ctx: KernelContext) -> Run:
    """RANGE: from ``start`` in steps of ``delta`` up to, not including, ``limit``.

    float32 values are running sums, each rounded to float32, as LiteRT computes them.
    """
    for i in range(3):
        ctx.input(i)
    dtype = ctx.outputs[0].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        start, limit, delta = (uniform(given(a)).reshape(-1)[0] for a in inputs)
        ahead = (start >= limit and delta < 0) or (start <= limit and delta > 0)
        if not ahead:
            raise ctx.execution_error(f"steps of {delta} do not lead from {start} to {limit}")
        if dtype.kind == "f":
            with np.errstate(all="ignore"):
                size = np.ceil(np.abs((limit - start) / delta))
            if not np.isfinite(size):
                raise ctx.execution_error(f"the number of steps of {delta} from {start} to {limit} is not finite")
            steps = np.full(room((int(size),), dtype), delta, dtype)
            steps[:1] = start
            return [np.add.accumulate(steps, dtype=dtype)[None]]
        size = -(-abs(int(limit) - int(start)) // abs(int(delta)))
        room((size,), np.dtype(np.int64))
        return [(int(start) + int(delta) * np.arange(size, dtype=np.int64)).astype(dtype)[None]]

    return run


@kernel("MATRIX_DIAG", types=PLAIN)
def matrix_diag(ctx: KernelContext) -> Run:
    """MATRIX_DIAG: put the last dimension on the diagonal of square matrices, zeros elsewhere."""
    ctx.input(0)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        if x.ndim < 2:
            raise ctx.execution_error("MATRIX_DIAG needs a tensor of rank 1 or more")
        result = zeros((*x.shape, x.shape[-1]), x)
        place = np.arange(x.shape[-1])
        result[..., place, place] = x
        return [result]

    return run


@kernel("MATRIX_SET_DIAG", types=PLAIN)
def matrix_set_diag(ctx: KernelContext) -> Run:
    """MATRIX_SET_DIAG: matrices with their main diagonal replaced."""
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, diagonal = given(inputs[0]), given(inputs[1])
        size = min(x.shape[-2:]) if x.ndim > 2 else 0
        if x.ndim < 3 or diagonal.shape[1:] != (*x.shape[1:-2], size):
            raise ctx.execution_error(
                f"diagonal of shape {list(diagonal.shape[1:])} for matrices of shape {list(x.shape[1:])}"
            )
        result = np.array(over_samples(x, sample_count(x, diagonal)))
        place = np.arange(size)
        result[..., place, place] = diagonal
        return [result]

    return run

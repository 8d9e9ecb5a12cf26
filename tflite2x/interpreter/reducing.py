# SPDX-License-Identifier: Apache-2.0
"""Sums in the order of the C++ kernels, and the axes of reductions."""

from __future__ import annotations

import math

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, uniform


def sequential_sum(x: Array, axes: int | tuple[int, ...], keepdims: bool = True) -> Array:
    """Add floats one by one in memory order, as LiteRT's reference kernels do.

    NumPy's own sum adds pairwise along contiguous dimensions: more accurate, but up to a few units in 1e-6 away from a
    float32 accumulator that thousands of values were added to.

    Args:
        x: Float array.
        axes: Dimensions to reduce.
        keepdims: Keep them with length 1.
    """
    reduced = tuple(sorted({a % x.ndim for a in ((axes,) if isinstance(axes, int) else axes)}))
    kept = tuple(i for i in range(x.ndim) if i not in reduced)
    count, columns = math.prod(x.shape[i] for i in reduced), math.prod(x.shape[i] for i in kept)
    rows = np.ascontiguousarray(x.transpose(reduced + kept)).reshape(count, columns)
    if count == 0:
        total = np.zeros(columns, x.dtype)
    elif columns < 8:
        # Over few columns NumPy might reorder a reduction; an accumulation has one order only.
        total = np.add.accumulate(rows, axis=0)[-1]
    else:
        total = np.add.reduce(rows, axis=0)  # row after row
    shape = [1 if i in reduced else n for i, n in enumerate(x.shape)] if keepdims else [x.shape[i] for i in kept]
    return total.reshape(shape)


def reduction_axes(ctx: KernelContext, axis: Array, rank: int) -> tuple[int, ...]:
    """Return the dimensions to reduce, sorted, without repeats, counted with the sample axis.

    Args:
        ctx: The operator.
        axis: The axis input, with its sample axis.
        rank: Rank of the reduced array, with its sample axis.
    """
    values = [int(v) for v in uniform(axis).reshape(-1)]
    if rank == 1:
        return ()  # scalars: LiteRT ignores the axes
    return tuple(sorted({normalized_axis(ctx, v, rank) for v in values}))


def normalized_axis(ctx: KernelContext, axis: int, rank: int) -> int:
    """Return one dimension counted with the sample axis."""
    if not -(rank - 1) <= axis < rank - 1:
        raise ctx.execution_error(f"axis {axis} is outside of an input of rank {rank - 1}")
    return axis % (rank - 1) + 1

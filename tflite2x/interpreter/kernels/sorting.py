# SPDX-License-Identifier: Apache-2.0
"""Operators that order values: TOPK_V2, UNIQUE. Sources: LiteRT kernels topk_v2.cc, unique.cc."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.layout import given, integer, single_sample
from tflite2x.interpreter.registry import kernel

_SELECTED = 64  # rows this many times longer than k are not sorted whole


@kernel("TOPK_V2", types=("float32", "int8", "uint8", "int16", "int32", "int64"))
def top_k(ctx: KernelContext) -> Run:
    """TOPK_V2: the k largest values of the last dimension, largest first, and their places (int32 or int16).

    Of equal values the one that comes first wins; NaN counts as smaller than every number.
    """
    ctx.input(0)
    ctx.input(1)
    index_type = ctx.outputs[1].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, k = given(inputs[0]), integer(ctx, given(inputs[1]), "k")
        if x.ndim < 2 or k > x.shape[-1]:
            raise ctx.execution_error(f"the largest {k} of a tensor of shape {list(x.shape[1:])}")
        # In ascending order of the negated values; for integers ~x, which cannot overflow. NumPy puts NaN last.
        order = _first_places(-x if x.dtype.kind == "f" else ~x, max(k, 0))
        return [np.take_along_axis(x, order, -1), order.astype(index_type)]

    return run


def _first_places(x: Array, k: int) -> Array:
    """Return the places of the k smallest values of each row, smallest first, the first of equal ones first."""
    if 0 < k <= x.shape[-1] // _SELECTED:
        # Long rows: only what is not above the k-th value needs sorting.
        rows = x.reshape(-1, x.shape[-1])
        last = np.partition(rows, k - 1, axis=-1)[:, k - 1 : k]
        if not (last != last).any():  # NaN is among the first k
            candidates = [np.flatnonzero(part) for part in rows <= last]
            places = [c[np.argsort(row[c], kind="stable")[:k]] for row, c in zip(rows, candidates, strict=True)]
            return np.reshape(places, (*x.shape[:-1], k))
    return np.argsort(x, axis=-1, kind="stable")[..., :k]


@kernel("UNIQUE", types=("float32", "int8", "uint8", "int16", "int32", "int64"))
def unique(ctx: KernelContext) -> Run:
    """UNIQUE: the different values of a vector in order of first appearance, and for each element which one it is.

    NaN is refused: LiteRT looks values up in an ordered map, whose answer for NaN is arbitrary.
    """
    ctx.input(0)
    index_type = ctx.outputs[1].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        single_sample(x)
        if x.ndim != 2:
            raise ctx.execution_error(f"UNIQUE needs a vector, not shape {list(x.shape[1:])}")
        if x.dtype.kind == "f" and np.isnan(x).any():
            raise ctx.execution_error("UNIQUE has no defined result for NaN")
        _, first, inverse = np.unique(x[0], return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return [x[0][first[order]][None], place[inverse].astype(index_type)[None]]

    return run

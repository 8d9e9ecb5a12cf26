# SPDX-License-Identifier: Apache-2.0
"""Operators that read or write at computed positions.

GATHER, GATHER_ND, SCATTER_ND, SPARSE_TO_DENSE, HASHTABLE_LOOKUP. Sources: LiteRT kernels gather.cc, gather_nd.cc,
scatter_nd.cc, sparse_to_dense.cc, hashtable_lookup.cc and internal/reference/{gather,reference_ops}.h. As in LiteRT, an
index outside of its dimension is an error, and negative indices do not count from the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, room, uniform
from tflite2x.interpreter.kernels.layout import (
    MOVED,
    check_in_range,
    find_axis,
    given,
    integers,
    one_element,
    over_samples,
    sample_count,
    zeros,
)
from tflite2x.interpreter.kernels.scattering import combine_at
from tflite2x.interpreter.registry import kernel


@kernel("GATHER", types=(*(f"{t}, int16|int32|int64 indices" for t in MOVED), "string", "int4"))
def gather(ctx: KernelContext) -> Run:
    """GATHER: take entries along ``axis``; the first ``batch_dims`` dimensions of data and indices go together.

    LiteRT gathers int4 by whole bytes, which is right only for an even number of elements per entry; this kernel has no
    such limit. Strings of rank 2 and more, which LiteRT refuses, are gathered too.
    """
    ctx.input(0)
    ctx.input(1)
    axis_option = int(getattr(ctx.options, "axis", 0))
    batch_option = int(getattr(ctx.options, "batch_dims", 0))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, indices = given(inputs[0]), given(inputs[1])
        rank = x.ndim - 1
        axis = find_axis(ctx, axis_option, rank)
        batch = batch_option + (indices.ndim - 1 if batch_option < 0 else 0)
        if not 0 <= batch <= min(axis, indices.ndim - 1) or x.shape[1 : batch + 1] != indices.shape[1 : batch + 1]:
            raise ctx.execution_error(
                f"batch_dims {batch_option} with axis {axis}: data of shape {list(x.shape[1:])} and indices of shape "
                f"{list(indices.shape[1:])} have no {batch} leading dimensions in common"
            )
        check_in_range(ctx, indices, x.shape[axis + 1])
        if batch == 0 and len(indices) == 1:
            return [np.take(x, indices[0], axis + 1)]
        if batch == 0 and len(x) == 1:  # one table, indices per sample
            return [np.moveaxis(np.take(x[0], indices, axis), axis, 0)]
        return [_gather_in_batches(x, indices, axis, batch)]

    return run


def _gather_in_batches(x: Array, indices: Array, axis: int, batch: int) -> Array:
    """Gather where sample and batch dimensions of data and indices go together.

    With B the product of the batch dimensions, data is [N, B, outer, size, inner] and indices [N, B, count].
    """
    count = sample_count(x, indices)
    shape, places = x.shape[1:], indices.shape[1 + batch :]
    batches = math.prod(shape[:batch])
    flat = x.reshape(len(x), batches, math.prod(shape[batch:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    index = indices.reshape(len(indices), batches, math.prod(places))
    rows = np.arange(count)[:, None, None] if len(x) > 1 else np.zeros((1, 1, 1), np.intp)
    taken = flat[rows, np.arange(batches)[:, None], :, index]  # [N, B, count, outer, inner]
    return taken.swapaxes(2, 3).reshape(count, *shape[:axis], *places, *shape[axis + 1 :])


@kernel("GATHER_ND", types=(*(f"{t}, int16|int32|int64 indices" for t in MOVED), "string"))
def gather_nd(ctx: KernelContext) -> Run:
    """GATHER_ND: the last dimension of the indices names a place, or the beginning of a slice, in the data."""
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, indices = given(inputs[0]), given(inputs[1])
        depth = indices.shape[-1] if indices.ndim > 1 else -1
        if not 0 <= depth <= x.ndim - 1:
            raise ctx.execution_error(
                f"indices of shape {list(indices.shape[1:])} name no places in data of shape {list(x.shape[1:])}"
            )
        columns = [indices[..., i] for i in range(depth)]
        for i, column in enumerate(columns):
            check_in_range(ctx, column, x.shape[i + 1], f"index of dimension {i}")
        if len(indices) == 1 and depth:
            return [x[:, *(c[0] for c in columns)]]
        outer = indices.ndim - 2
        rows = np.arange(len(x)).reshape(-1, *(1,) * outer)  # length 1 broadcasts over the samples of the indices
        return [x[np.broadcast_to(rows, (sample_count(x, indices), *indices.shape[1:-1])), *columns]]

    return run


@kernel("SCATTER_ND", types=("float32", "int8", "uint8", "int32", "int64", "bool"))
def scatter_nd(ctx: KernelContext) -> Run:
    """SCATTER_ND: zeros with updates added at the places that the indices name, in order; integers wrap around."""
    for i in range(3):
        ctx.input(i)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        indices, updates, shape = given(inputs[0]), given(inputs[1]), integers(given(inputs[2]))
        depth = indices.shape[-1] if indices.ndim > 1 else -1
        outer = indices.shape[1:-1]
        if not 0 <= depth <= len(shape) or updates.shape[1:] != (*outer, *shape[depth:]) or updates.ndim < 2:
            raise ctx.execution_error(
                f"indices of shape {list(indices.shape[1:])} and updates of shape {list(updates.shape[1:])} do not fit "
                f"the output shape {shape}"
            )
        places = _flat_places(ctx, indices, shape[:depth])
        count = sample_count(indices, updates)
        result = zeros((count, math.prod(shape[:depth]), *shape[depth:]), updates)
        rows = np.arange(count)[:, None]
        places = places.reshape(len(places), -1)
        index = (rows, over_samples(places, count))
        values = over_samples(updates.reshape(len(updates), places.shape[1], *shape[depth:]), count)
        ordered = np.sort(places, axis=1)
        if np.any(ordered[:, 1:] == ordered[:, :-1]):
            combine_at(np.add, result, places, values)
        else:  # every place once, which is much faster; the addition turns -0.0 into 0.0
            result[index] += values
        return [result.reshape(count, *shape)]

    return run


@kernel("SPARSE_TO_DENSE", types=("float32", "int8", "uint8", "int32", "int64"))
def sparse_to_dense(ctx: KernelContext) -> Run:
    """SPARSE_TO_DENSE: a default value with values written at the places that the indices name; the last one counts."""
    for i in range(4):
        ctx.input(i)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        indices, shape = given(inputs[0]), integers(given(inputs[1]))
        values, default = given(inputs[2]), one_element(ctx, given(inputs[3]), "default value")
        if indices.ndim < 3:  # scalar or vector: places along the only dimension
            indices = indices.reshape(len(indices), -1, 1)
        number = indices.shape[1]
        if indices.ndim > 3 or indices.shape[2] != len(shape) or values.shape[1:] not in ((), (number,)):
            raise ctx.execution_error(
                f"indices of shape {list(indices.shape[1:])} and values of shape {list(values.shape[1:])} do not fit "
                f"the output shape {shape}"
            )
        places = _flat_places(ctx, indices, shape)
        count = sample_count(indices, values, default)
        result = np.empty(room((count, math.prod(shape)), values.dtype), values.dtype)
        result[...] = default[:, None]
        rows = np.arange(count)[:, None]
        result[rows, over_samples(places, count)] = values if values.ndim > 1 else values[:, None]
        return [result.reshape(count, *shape)]

    return run


def _flat_places(ctx: KernelContext, indices: Array, shape: Sequence[int]) -> Array:
    """Return row-major places from indices [..., len(shape)], after checking them against ``shape``."""
    places = np.zeros(indices.shape[:-1], np.int64)
    for i, size in enumerate(shape):
        check_in_range(ctx, indices[..., i], size, f"index of dimension {i}")
        places = places * size + indices[..., i]
    return places


@kernel("HASHTABLE_LOOKUP", types=(*(f"int32 x int32 x {t}" for t in MOVED), "int32 x int32 x string"))
def hashtable_lookup(ctx: KernelContext) -> Run:
    """HASHTABLE_LOOKUP: rows of a table by key, and 1 or 0 for found or not; rows of unknown keys are zero.

    Keys must be sorted. The search is C's ``bsearch``, so that repeated keys give the row that LiteRT gives.
    """
    for i in range(3):
        ctx.input(i)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        wanted, keys, values = given(inputs[0]), uniform(given(inputs[1])), given(inputs[2])
        rows = values.shape[1] if values.ndim > 1 else 0
        if rows == 0 or keys.shape != (rows,):
            raise ctx.execution_error(
                f"{keys.size} keys for values of shape {list(values.shape[1:])}: one or more rows, one key each"
            )
        place, found = _binary_search(keys, wanted)
        count = sample_count(wanted, values)
        samples = np.arange(count)[:, None] if len(values) > 1 else np.zeros((1, 1), np.intp)
        result = values[samples, over_samples(place, count)]
        result[~over_samples(found, count)] = b"" if values.dtype == object else 0
        return [result, found.astype(np.uint8)]

    return run


def _binary_search(keys: Array, wanted: Array) -> tuple[Array, Array]:
    """Return for each wanted key its place and whether it is there, halving [low, high) as glibc's ``bsearch``."""
    low = np.zeros(wanted.shape, np.intp)
    high = np.full(wanted.shape, len(keys))
    place = np.zeros(wanted.shape, np.intp)
    found = np.zeros(wanted.shape, np.bool_)
    while np.any(low < high):
        middle = (low + high) // 2
        key = keys[np.minimum(middle, len(keys) - 1)]
        open_ = low < high
        hit = open_ & (wanted == key)
        place[hit], found[hit] = middle[hit], True
        high = np.where(open_ & (wanted < key), middle, high)
        low = np.where(hit, high, np.where(open_ & (wanted > key), middle + 1, low))
    return place, found

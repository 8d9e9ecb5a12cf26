# SPDX-License-Identifier: Apache-2.0
"""STABLEHLO_GATHER and STABLEHLO_SCATTER. Sources: LiteRT ``stablehlo_gather.cc``, ``stablehlo_scatter.cc``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.layout import given, over_samples, sample_count
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import TensorType

Int64 = NDArray[np.int64]
_TYPES = ("any", "indices int32 or int64")


def _list(values: Sequence[int] | None) -> list[int]:
    return [int(v) for v in values or ()]


def _starts(indices: Array, vector_axis: int, where: Sequence[int], rank: int) -> Int64:
    """Return where each slice begins: [N, batch..., rank], 0 along dimensions that no index component addresses."""
    if vector_axis == indices.ndim - 1:
        indices = indices[..., None]
    vectors = np.moveaxis(indices, vector_axis + 1, -1).astype(np.int64)
    starts = np.zeros((*vectors.shape[:-1], rank), np.int64)
    starts[..., list(where)] = vectors
    return starts


def _check_index_type(ctx: KernelContext) -> None:
    if ctx.input(1).type not in (TensorType.INT32, TensorType.INT64):
        raise ctx.unsupported(f"indices of type {ctx.input(1).type.name}")


@kernel("STABLEHLO_GATHER", types=_TYPES)
def gather(ctx: KernelContext) -> Run:
    """STABLEHLO_GATHER: slices of a tensor; a slice that would leave the tensor is moved back into it."""
    options = ctx.options
    offset_dims, collapsed = _list(options.offset_dims), _list(options.collapsed_slice_dims)
    sizes, where = _list(options.slice_sizes), _list(options.start_index_map)
    vector_axis = int(options.index_vector_dim)
    ctx.input(0)
    _check_index_type(ctx)
    kept = [d for d in range(len(sizes)) if d not in collapsed]
    if len(kept) != len(offset_dims):
        raise ctx.unsupported(f"{len(offset_dims)} offset_dims for {len(kept)} dimensions that the slices keep")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        operand, indices = given(inputs[0]), given(inputs[1])
        rank = operand.ndim - 1
        if len(sizes) != rank or vector_axis > indices.ndim - 1:
            raise ctx.execution_error(f"slice_sizes {sizes} for a tensor of shape {list(operand.shape[1:])}")
        room = np.asarray(operand.shape[1:], np.int64) - sizes
        if min(room, default=0) < 0:
            raise ctx.execution_error(f"slices of {sizes} do not fit into shape {list(operand.shape[1:])}")
        starts = np.clip(_starts(indices, vector_axis, where, rank), 0, room)
        count, batch = sample_count(operand, indices), starts.ndim - 2
        index: list[Any] = [np.arange(count).reshape(-1, *(1,) * (batch + len(kept)))]
        for axis in range(rank):
            position = starts[..., axis].reshape(starts.shape[:-1] + (1,) * len(kept))
            if axis in kept:
                behind = len(kept) - kept.index(axis) - 1
                position = position + np.arange(sizes[axis]).reshape(-1, *(1,) * behind)
            index.append(position)
        result: Array = over_samples(operand, count)[tuple(index)]
        # So far the batch dimensions come first; offset_dims say where the others belong.
        return [np.moveaxis(result, range(batch + 1, result.ndim), [d + 1 for d in sorted(offset_dims)])]

    return run


#: Operator in the body -> ufunc that combines old and new; None overwrites.
_COMBINE: dict[str, np.ufunc] = {
    "STABLEHLO_ADD": np.add,
    "STABLEHLO_MULTIPLY": np.multiply,
    "STABLEHLO_MAXIMUM": np.maximum,
    "STABLEHLO_MINIMUM": np.minimum,
}


@kernel("STABLEHLO_SCATTER", types=_TYPES)
def scatter(ctx: KernelContext) -> Run:
    """STABLEHLO_SCATTER: overwrite, add, multiply, or take extremes at indices; what lies outside is ignored."""
    options = ctx.options
    windows, inserted = _list(options.update_window_dims), _list(options.inserted_window_dims)
    where, vector_axis = _list(options.scatter_dims_to_operand_dims), int(options.index_vector_dim)
    _check_index_type(ctx)
    body = ctx.op.calls.get("update_computation_subgraph_index")
    names = [op.name for op in body.operators] if body is not None else ["nothing"]
    if len(names) > 1 or (names and names[0] not in _COMBINE):
        raise ctx.unsupported(f"the body computes {', '.join(names)}; LiteRT knows one of {', '.join(_COMBINE)}")
    combine = _COMBINE[names[0]] if names else None

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        operand, indices, updates = (given(a) for a in inputs[:3])
        rank, count = operand.ndim - 1, sample_count(operand, indices, updates)
        if len(windows) + len(inserted) != rank or max(windows, default=-1) > updates.ndim - 2:
            raise ctx.execution_error(f"update_window_dims {windows} do not fit shape {list(operand.shape[1:])}")
        starts = _starts(indices, vector_axis, where, rank)
        # Updates with the scatter dimensions first, then the windows.
        order = [d for d in range(updates.ndim - 1) if d not in windows] + windows
        shape = updates.shape[1:]
        batch, sizes = len(shape) - len(windows), [shape[d] for d in windows]
        if starts.shape[1:-1] != tuple(shape[d] for d in order[:batch]):
            raise ctx.execution_error(f"indices {list(indices.shape[1:])} do not fit updates {list(shape)}")
        kept = [d for d in range(rank) if d not in inserted]
        full = (count, *(shape[d] for d in order))
        position = [np.broadcast_to(np.arange(count).reshape(-1, *(1,) * (batch + len(kept))), full)]
        inside = np.ones(full, np.bool_)
        for axis in range(rank):
            at = starts[..., axis].reshape(starts.shape[:-1] + (1,) * len(kept))
            if axis in kept:
                number = kept.index(axis)
                at = at + np.arange(sizes[number]).reshape(-1, *(1,) * (len(kept) - number - 1))
            position.append(np.broadcast_to(at, full))
            inside = inside & (position[-1] >= 0) & (position[-1] < operand.shape[axis + 1])
        # Equal indices take effect in the order of the updates as they are stored.
        storage = np.argsort([0, *(d + 1 for d in order)])

        def flat(array: Array) -> Array:
            return np.broadcast_to(array, full).transpose(storage).reshape(-1)

        chosen = flat(inside)
        target = tuple(flat(p)[chosen] for p in position)
        values = over_samples(updates, count).reshape(-1)[chosen]
        result = np.array(over_samples(operand, count))
        if combine is None:
            result[target] = values
        else:
            combine.at(result, target, values)
        return [result]

    return run

# SPDX-License-Identifier: Apache-2.0
"""Operators that take, replace or reverse parts of a tensor.

SLICE, STRIDED_SLICE, DYNAMIC_UPDATE_SLICE, REVERSE_V2, REVERSE_SEQUENCE. Sources: LiteRT kernels slice.cc,
strided_slice.cc with internal/reference/strided_slice.h, dynamic_update_slice.cc, reverse.cc, reverse_sequence.cc.
Elements are copied, so every type passes, also those that LiteRT refuses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.layout import (
    MOVED,
    find_axis,
    given,
    integers,
    over_samples,
    owned,
    sample_count,
)
from tflite2x.interpreter.registry import kernel


@kernel("SLICE", types=(*MOVED, "string", "int4"))
def slice_(ctx: KernelContext) -> Run:
    """SLICE: the box that begins at ``begin`` and has ``size``; size -1 reaches to the end."""
    for i in range(3):
        ctx.input(i)
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, begin, size = given(inputs[0]), integers(given(inputs[1])), integers(given(inputs[2]))
        if not len(begin) == len(size) == x.ndim - 1:
            raise ctx.execution_error(f"begin {begin} and size {size} for a tensor of rank {x.ndim - 1}")
        box = []
        for length, start, count in zip(x.shape[1:], begin, size, strict=True):
            stop = length if count == -1 else start + count
            if not 0 <= start <= stop <= length:
                raise ctx.execution_error(f"begin {begin} and size {size} leave the shape {list(x.shape[1:])}")
            box.append(slice(start, stop))
        return [own(x[:, *box])]

    return run


Index = tuple[slice | int | None, ...]
_KNOWN = 16  # shapes for which one operator keeps its index


@dataclasses.dataclass(frozen=True, slots=True)
class _Spec:
    """One entry of STRIDED_SLICE's begin, end and strides after ellipsis and new axes are laid out."""

    begin: int | None
    end: int | None
    stride: int
    shrink: bool
    length: int | None  # what the offset flag says about the number of positions, before the stride


@kernel("STRIDED_SLICE", types=(*MOVED, "string"))
def strided_slice(ctx: KernelContext) -> Run:
    """STRIDED_SLICE with begin, end, ellipsis, new axis and shrink axis masks and the ``offset`` flag.

    Positions outside of a dimension are moved to its border, except a shrunk one behind the end: for that LiteRT
    leaves the output unwritten, and this kernel raises an error. The same holds for a shrunk dimension with a negative
    stride, and where the ``offset`` flag promises more positions than there are.
    """
    ctx.input(0)
    own = owned(ctx)
    # Streaming models run dozens of small slices per step: with constants, the index follows from the shape alone.
    constant = all(ctx.input(i).const is not None for i in (1, 2, 3))
    known: dict[tuple[int, ...], Index] = {}

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        index = known.get(x.shape[1:])
        if index is None:
            index = _strided_index(ctx, x.shape[1:], *(integers(given(inputs[i])) for i in (1, 2, 3)))
            if constant and len(known) < _KNOWN:
                known[x.shape[1:]] = index
        return [own(x[index])]

    return run


def _strided_index(
    ctx: KernelContext, shape: tuple[int, ...], begin: list[int], end: list[int], strides: list[int]
) -> Index:
    """Return the NumPy index, with the sample axis, for a tensor of ``shape``."""
    if not len(begin) == len(end) == len(strides):
        raise ctx.execution_error(f"begin {begin}, end {end} and strides {strides} differ in length")
    offset = bool(getattr(ctx.options, "offset", False))
    index: list[slice | int | None] = [slice(None)]
    axis = 0
    for spec in _lay_out(ctx, len(shape), begin, end, strides, ctx.options, offset):
        if spec is None:
            index.append(None)
        else:
            index.append(_positions(ctx, spec, shape[axis], offset))
            axis += 1
    return tuple(index)


def _lay_out(
    ctx: KernelContext,
    rank: int,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int],
    masks: object,
    offset: bool,
) -> list[_Spec | None]:
    """Return one entry per dimension after new axes were added; None stands for a new axis.

    LiteRT's ``BuildStridedSliceParams``: an ellipsis takes what the other entries leave; new_axis has no effect on the
    ellipsis itself; dimensions behind the last entry are taken whole.
    """
    bits = {
        name: int(getattr(masks, f"{name}_mask", 0)) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    count = len(begin)
    if bits["ellipsis"].bit_count() > 1:
        raise ctx.execution_error("more than one ellipsis")
    added = sum((bits["new_axis"] & ~bits["ellipsis"]) >> i & 1 for i in range(count))
    total = rank + added
    whole = _Spec(None, None, 1, False, None)
    entries: list[_Spec | None] = []
    i = 0
    while len(entries) < total:
        if i < count and bits["ellipsis"] >> i & 1:
            entries += [whole] * max(1, min(1 + total - count, total - len(entries)))
        elif i < count and bits["new_axis"] >> i & 1:
            entries.append(None)
        elif i < count:
            if strides[i] == 0:
                raise ctx.execution_error(f"stride 0 in entry {i}")
            # With the offset flag LiteRT takes the number of positions from the entry of the *laid out* index.
            place = len(entries)
            length = end[place] if offset and place < count else None
            entries.append(
                _Spec(
                    None if bits["begin"] >> i & 1 else begin[i],
                    None if bits["end"] >> i & 1 else end[i],
                    strides[i],
                    bool(bits["shrink_axis"] >> i & 1),
                    length,
                )
            )
        else:
            entries.append(whole)
        i += 1
    taken = sum(e is not None for e in entries)
    if taken != rank:
        raise ctx.execution_error(f"{count} entries and their masks do not fit a tensor of rank {rank}")
    return entries


def _positions(ctx: KernelContext, spec: _Spec, size: int, offset: bool) -> slice | int:
    """Return the index of one dimension of length ``size`` (LiteRT ``StartForAxis``, ``EndForAxis``)."""
    low, high = (0, size) if spec.stride > 0 else (-1, size - 1)

    def clamp(position: int) -> int:
        return min(max(position + size if position < 0 else position, low), high)

    first, last = (0, size) if spec.stride > 0 else (size - 1, -1)
    start = first if spec.begin is None else clamp(spec.begin)
    if spec.shrink:
        if spec.stride < 0 or not 0 <= start < size:
            raise ctx.execution_error(f"index {spec.begin} with stride {spec.stride} is outside of length {size}")
        return start
    stop = last if spec.end is None else clamp(spec.end + start if offset else spec.end)
    count = len(range(start, stop, spec.stride))
    if spec.length is not None:
        promised = max(0, -(-spec.length // spec.stride)) if spec.length * spec.stride > 0 else 0
        if promised != count:
            raise ctx.execution_error(f"{promised} positions from {start} on are not inside of length {size}")
    if count == 0:
        return slice(0, 0)
    return slice(start, None if stop < 0 else stop, spec.stride)


@kernel("DYNAMIC_UPDATE_SLICE", types=(*MOVED, "int4"))
def dynamic_update_slice(ctx: KernelContext) -> Run:
    """DYNAMIC_UPDATE_SLICE: the operand with a box replaced; the start moves inwards until the box fits."""
    for i in range(3):
        ctx.input(i)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, update, start = given(inputs[0]), given(inputs[1]), integers(given(inputs[2]))
        sizes = list(zip(x.shape[1:], update.shape[1:], strict=False))
        if not x.ndim == update.ndim == len(start) + 1 or any(u > n for n, u in sizes):
            raise ctx.execution_error(
                f"update of shape {list(update.shape[1:])} at {start} does not fit shape {list(x.shape[1:])}"
            )
        places = [min(max(s, 0), n - u) for s, (n, u) in zip(start, sizes, strict=True)]
        result = np.array(over_samples(x, sample_count(x, update)))
        result[:, *(slice(p, p + u) for p, (_, u) in zip(places, sizes, strict=True))] = update
        return [result]

    return run


@kernel("REVERSE_V2", types=MOVED)
def reverse(ctx: KernelContext) -> Run:
    """REVERSE_V2: reverse the order along some axes. LiteRT refuses axes that are not next to each other."""
    ctx.input(0)
    ctx.input(1)
    own = owned(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, named = given(inputs[0]), integers(given(inputs[1]))
        axes = [find_axis(ctx, a, x.ndim - 1) + 1 for a in named]
        if len(set(axes)) != len(axes):
            raise ctx.execution_error(f"axes {named} name one axis twice")
        return [own(np.flip(x, tuple(axes)))]

    return run


@kernel("REVERSE_SEQUENCE", types=("float32", "uint8", "int16", "int32", "int64"))
def reverse_sequence(ctx: KernelContext) -> Run:
    """REVERSE_SEQUENCE: reverse the first ``seq_lengths[b]`` entries along one axis, for each b along another."""
    ctx.input(0)
    ctx.input(1)
    seq_dim, batch_dim = int(getattr(ctx.options, "seq_dim", 0)), int(getattr(ctx.options, "batch_dim", 0))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, lengths = given(inputs[0]), given(inputs[1])
        rank = x.ndim - 1
        if not (0 <= seq_dim < rank and 0 <= batch_dim < rank) or seq_dim == batch_dim:
            raise ctx.execution_error(f"seq_dim {seq_dim} and batch_dim {batch_dim} for a tensor of rank {rank}")
        size, batch = x.shape[seq_dim + 1], x.shape[batch_dim + 1]
        if lengths.shape[1:] != (batch,) or (lengths.size and int(lengths.max()) > size):
            raise ctx.execution_error(
                f"lengths {lengths[0].tolist()} do not fit dimensions of {batch} (batch) and {size} (sequence)"
            )
        place = np.arange(size)
        index = np.where(place < lengths[..., None], lengths[..., None].astype(np.intp) - 1 - place, place)
        shape = [len(index), *(1,) * rank]
        shape[batch_dim + 1], shape[seq_dim + 1] = batch, size
        index = (index if batch_dim < seq_dim else index.swapaxes(1, 2)).reshape(shape)
        count = sample_count(x, lengths)
        return [np.take_along_axis(over_samples(x, count), over_samples(index, count), seq_dim + 1)]

    return run

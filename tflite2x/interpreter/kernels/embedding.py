# SPDX-License-Identifier: Apache-2.0
"""EMBEDDING_LOOKUP and EMBEDDING_LOOKUP_SPARSE.

Sources: LiteRT ``kernels/embedding_lookup.cc``, ``kernels/embedding_lookup_sparse.cc``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.affine import require
from tflite2x.interpreter.blockwise import block_scales
from tflite2x.interpreter.kernel import Array, KernelContext, Run, SampleDependent, uniform
from tflite2x.interpreter.registry import kernel

_SMALL = ("INT8", "UINT8", "INT4", "INT2")
_MEAN, _SQRTN = 1, 2  # values of CombinerType in schema.fbs


def _check_rows(ctx: KernelContext, rows: Array, count: int) -> None:
    if rows.size and (rows.min() < 0 or rows.max() >= count):
        raise ctx.execution_error(
            f"row {int(rows.max() if rows.max() >= count else rows.min())} is looked up in a table of {count} rows"
        )


@kernel(
    "EMBEDDING_LOOKUP",
    types=(
        "any type", "int8 -> float32", "uint8 -> float32", "int4 -> float32", "int2 -> float32",
        "int4 (blockwise) -> float32", "int8 -> float16", "int4 -> float16",
    ),
)  # fmt: skip
def embedding_lookup(ctx: KernelContext) -> Run:
    """Prepare EMBEDDING_LOOKUP: inputs are row numbers [L] and a table [rows, ...]; integers become floats on the way.

    A table of another type than the float output is multiplied by its scale (one, one per row, or one per block).
    uint8 values are read as int8, as LiteRT does. Its rows of int4 and int2 begin with a whole byte, so that every
    second row of odd length begins one element early; that is followed, too.
    """
    lookup, table = ctx.input(0), ctx.input(1)
    output = ctx.outputs[0]
    require(ctx, lookup, "INT32")
    if len(table.shape) < 2:
        raise ctx.unsupported(f"the table of shape {table.shape} must have at least 2 dimensions")
    hybrid = table.type is not output.type and output.type.name in ("FLOAT32", "FLOAT16")
    blocks = block_scales(ctx, table) if hybrid else None
    packed = {"INT4": 2, "INT2": 4}.get(table.type.name, 1)
    if hybrid:
        require(ctx, table, *_SMALL)
        if np.any(table.zero_point):
            raise ctx.unsupported("the table has a zero point other than 0")
        if blocks is None and table.scale.size not in (1, table.shape[0]):
            raise ctx.unsupported(f"the table has {table.scale.size} scales for {table.shape[0]} rows")
    elif table.type is not output.type:
        raise ctx.unsupported(f"a table of type {table.type.name} for an output of type {output.type.name}")

    def scaled(values: Array, rows: Array) -> Array:
        """Multiply integers [..., *row] with the scales of their rows."""
        integers = (values.view(np.int8) if values.dtype == np.uint8 else values).astype(np.float32)
        if blocks is not None:
            split = integers.reshape(*rows.shape, blocks.shape[1], -1) * blocks[rows][..., None]
            return split.reshape(values.shape).astype(output.dtype)
        scale = table.scale[rows] if table.scale.size > 1 else np.broadcast_to(table.scale[0], rows.shape)
        product = integers * scale.reshape(rows.shape + (1,) * (values.ndim - rows.ndim))
        return np.asarray(product, output.dtype)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        rows, values = inputs[0], inputs[1]
        assert rows is not None
        assert values is not None
        _check_rows(ctx, rows, values.shape[1])
        if hybrid and math.prod(values.shape[2:]) % packed:
            found = _from_whole_bytes(values, rows, packed)
        else:
            found = values[0][rows] if len(values) == 1 else values[np.arange(len(values))[:, None], rows]
        return [scaled(found, np.broadcast_to(rows, found.shape[:2])) if hybrid else found]

    return run


def _from_whole_bytes(values: Array, rows: Array, packed: int) -> Array:
    """Return rows as LiteRT reads them: from the byte on, of ``packed`` elements, that holds the first one."""
    width = math.prod(values.shape[2:])
    begin = rows.astype(np.int64) * width // packed * packed
    flat = values.reshape(len(values), -1)
    places = begin[..., None] + np.arange(width)
    found = flat[0][places] if len(flat) == 1 else flat[np.arange(len(flat))[:, None, None], places]
    return np.asarray(found.reshape(*found.shape[:2], *values.shape[2:]))


@kernel("EMBEDDING_LOOKUP_SPARSE", types=("float32",))
def embedding_lookup_sparse(ctx: KernelContext) -> Run:
    """Prepare EMBEDDING_LOOKUP_SPARSE: weighted sums, means or root-weighted sums of rows of a table.

    Inputs: row numbers [L], their indices [L, rank] in a sparse tensor, that tensor's shape [rank], weights [L] and the
    table [rows, ...]. Entries of one bucket must follow one another; a bucket that comes again later is combined as
    LiteRT does it, added to what is there and divided once more.
    """
    for index, names in enumerate((("INT32",), ("INT32",), ("INT32",), ("FLOAT32",), ("FLOAT32",))):
        require(ctx, ctx.input(index), *names)
    require(ctx, ctx.outputs[0], "FLOAT32")
    combiner = 0 if ctx.options is None else int(ctx.options.combiner)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        arrays = [a for a in inputs if a is not None]
        if len(arrays) != 5:
            raise ctx.execution_error("one of the five inputs is missing")
        if max(len(a) for a in arrays[:2]) > 1:
            raise SampleDependent
        rows, indices, shape = (uniform(a) for a in arrays[:3])
        weights, table = arrays[3], arrays[4]
        _check_rows(ctx, rows, table.shape[1])
        outer = tuple(int(n) for n in shape[:-1])
        if len(shape) != indices.shape[1] or len(rows) != len(indices) or len(rows) != weights.shape[1]:
            raise ctx.execution_error("the numbers of rows, indices and weights do not agree")
        buckets = np.zeros(len(rows), np.int64)
        for axis, length in enumerate(outer):
            buckets = buckets * length + indices[:, axis]
        if buckets.size and (buckets.min() < 0 or buckets.max() >= math.prod(outer)):
            raise ctx.execution_error(f"an index lies outside of the shape {tuple(int(n) for n in shape)}")
        samples = max(len(weights), len(table))
        out = np.zeros((samples, math.prod(outer), math.prod(table.shape[2:])), np.float32)
        flat = table.reshape(len(table), table.shape[1], -1)
        starts = np.flatnonzero(np.diff(buckets, prepend=-1)).tolist()
        for start, stop in zip(starts, [*starts[1:], len(buckets)], strict=True):
            _combine(out[:, buckets[start]], flat[:, rows[start:stop]], weights[:, start:stop], combiner)
        return [out.reshape(samples, *outer, *table.shape[2:])]

    return run


def _combine(target: Array, found: Array, weights: Array, combiner: int) -> None:
    """Add the rows of one bucket ([N, n, width]) into ``target`` [N, width], in their order."""
    products = found * weights[..., None]
    np.add(target, products[:, 0], out=target)
    for i in range(1, products.shape[1]):
        np.add(target, products[:, i], out=target)
    if combiner == _MEAN:
        target /= _ordered_sum(weights)[:, None]
    elif combiner == _SQRTN:
        target /= np.sqrt(_ordered_sum(np.square(weights)))[:, None]


def _ordered_sum(values: Array) -> Array:
    """Add up float32 values [N, n] along n, one after the other."""
    return np.asarray(np.cumsum(values, axis=1, dtype=np.float32)[:, -1])

# SPDX-License-Identifier: Apache-2.0
"""Sparse constants: the stored values of a traversal in which dimensions are dense or compressed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import GraphError
from tflite2x.ir import dtypes
from tflite2x.schema.enums import DimensionType, TensorType
from tflite2x.schema.tables import SparsityParameters

#: Bytes of the largest tensor without its zeros: what a TFLite file could store.
_LARGEST = 1 << 31


def densify(data: memoryview, type_: TensorType, shape: tuple[int, ...], sparsity: SparsityParameters) -> NDArray[Any]:
    """Return a sparse constant with its zeros.

    The traversal order lists the dimensions of the tensor and, behind them, the inner dimensions of blocks. Each
    dimension maps a set of prefixes to longer ones: a dense dimension repeats each prefix for every index, a
    compressed one (CSR) lists, for each prefix, the indices that are present. What is left in the end are the
    coordinates of the stored values in order (TFLite "sparsity" format, LiteRT format_converter.cc).

    Args:
        data: The stored values.
        type_: Element type.
        shape: Dense shape.
        sparsity: The layout.

    Raises:
        GraphError: The layout contradicts itself, the shape or the data.
    """
    order = list(sparsity.traversal_order or ())
    block_map = list(sparsity.block_map or ())
    metadata = sparsity.dim_metadata or []
    rank, count = len(shape), len(order)
    if sorted(order) != list(range(rank + len(block_map))) or len(metadata) != count:
        raise GraphError(f"sparsity with traversal order {order} for a tensor of rank {rank}")
    if not count:
        raise GraphError("a sparse scalar", hint="Remove its sparsity.")
    if any(not 0 <= b < rank for b in block_map):
        raise GraphError(f"sparsity with block map {block_map} for a tensor of rank {rank}")
    coordinates: list[NDArray[np.int64]] = []
    prefixes = 1
    sizes = [0] * count
    for level, (dimension, meta) in enumerate(zip(order, metadata, strict=True)):
        # Outer dimensions may have rows without values; only the last one counts stored values.
        most = len(data) * 8 // max(1, _bits(type_)) if level == count - 1 else math.prod(shape)
        if meta.format == DimensionType.DENSE:
            size = meta.dense_size
            if size < 0:
                raise GraphError(f"sparsity: dense size {size} of dimension {level}")
            sizes[dimension] = size
            _limit(size * prefixes, most, data)  # before it takes memory
            indices = np.tile(np.arange(size, dtype=np.int64), prefixes)
            repeats = np.full(prefixes, size)
        else:
            segments, indices = _index_vector(meta.array_segments), _index_vector(meta.array_indices)
            repeats = np.diff(segments)
            if len(segments) != prefixes + 1 or (repeats < 0).any() or (len(segments) and segments[-1] != len(indices)):
                raise GraphError(f"sparsity: the segments of dimension {level} do not fit its {len(indices)} indices")
            _limit(len(indices), most, data)
        coordinates = [np.repeat(c, repeats) for c in coordinates]
        coordinates.append(indices)
        prefixes = len(indices)
    values = dtypes.unpack(data, type_, (prefixes,))
    where: list[NDArray[np.int64]] = [np.zeros(prefixes, np.int64) for _ in range(rank)]
    for level, dimension in enumerate(order):
        if dimension < rank:
            where[dimension] = where[dimension] + coordinates[level] * _block(dimension, rank, block_map, sizes)
        else:
            target = block_map[dimension - rank]
            where[target] = where[target] + coordinates[level]
    for axis, (found, size) in enumerate(zip(where, shape, strict=True)):
        if len(found) and not (found.min() >= 0 and found.max() < size):
            raise GraphError(f"sparsity: index {int(found.max())} in dimension {axis} of length {size}")
    if math.prod(shape) * values.dtype.itemsize > _LARGEST:
        raise GraphError(f"a sparse tensor of shape {list(shape)} has more than 2 GB", hint="Its shape is wrong.")
    dense: NDArray[Any] = np.zeros(shape, values.dtype)
    dense[tuple(where)] = values
    dense.flags.writeable = False
    return dense


def _limit(count: int, most: int, data: memoryview) -> None:
    if count > most:
        raise GraphError(f"sparsity: more values than the {len(data)} bytes of data hold")


def _bits(type_: TensorType) -> int:
    return 8 * (dtypes.byte_size(type_, 8) or 8) // 8


def _block(dimension: int, rank: int, block_map: list[int], sizes: list[int]) -> int:
    """Return the block size along a dimension; the blocks' own dimensions are dense."""
    return max(1, sizes[rank + block_map.index(dimension)]) if dimension in block_map else 1


def _index_vector(table: Any) -> NDArray[np.int64]:
    values = getattr(table, "values", None)
    return np.zeros(0, np.int64) if values is None else np.asarray(values, np.int64)

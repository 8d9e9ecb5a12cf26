# SPDX-License-Identifier: Apache-2.0
"""Hash tables as resources, from int64 to string or from string to int64. Source: LiteRT ``hashtable*.cc``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.kernels.layout import given
from tflite2x.interpreter.kernels.variables import resource_id
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import TensorType

_VERIFIED = "LiteRT BUILTIN (BUILTIN_REF has none)"
_PAIRS = ((TensorType.INT64, TensorType.STRING), (TensorType.STRING, TensorType.INT64))
#: Sorted keys and their values.
Table = tuple[Array, Array]


def _key(number: int) -> tuple[str, int]:
    return ("table", number)


@kernel("HASHTABLE", types=("-> resource",), verified=_VERIFIED, pure=False)
def hashtable(ctx: KernelContext) -> Run:
    """HASHTABLE: the number of a table, which begins empty."""
    pair = ctx.options.key_dtype, ctx.options.value_dtype
    if pair not in _PAIRS:
        raise ctx.unsupported(f"a table from {pair[0].name} to {pair[1].name}; LiteRT has INT64 to STRING and back")
    number = int(ctx.options.table_id)
    value = np.full((1, 1), number, np.int32)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        ctx.runtime.resources.setdefault(_key(number), None)
        return [value]

    return run


def _table(ctx: KernelContext, resource: Array | None) -> Table | None:
    number = resource_id(resource, ctx)
    if _key(number) not in ctx.runtime.resources:
        raise ctx.execution_error(f"there is no hash table {number}")
    table: Table | None = ctx.runtime.resources[_key(number)]
    return table


@kernel(
    "HASHTABLE_IMPORT", types=("resource x int64 x string", "resource x string x int64"), verified=_VERIFIED, pure=False
)
def hashtable_import(ctx: KernelContext) -> Run:
    """HASHTABLE_IMPORT: fill the table, once; of equal keys the first counts."""
    if (ctx.input(1).type, ctx.input(2).type) not in _PAIRS:
        raise ctx.unsupported(f"keys {ctx.input(1).type.name} and values {ctx.input(2).type.name}")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        number = resource_id(inputs[0], ctx)
        if _table(ctx, inputs[0]) is None:
            keys, values = uniform(given(inputs[1])).reshape(-1), uniform(given(inputs[2])).reshape(-1)
            if keys.shape != values.shape:
                raise ctx.execution_error(f"{keys.size} keys for {values.size} values")
            unique, first = np.unique(keys, return_index=True)
            ctx.runtime.resources[_key(number)] = (unique, values[first])
        return []

    return run


@kernel(
    "HASHTABLE_FIND", types=("resource x int64 -> string", "resource x string -> int64"), verified=_VERIFIED, pure=False
)
def hashtable_find(ctx: KernelContext) -> Run:
    """HASHTABLE_FIND: the values of keys, or the default."""
    if (ctx.input(1).type, ctx.outputs[0].type) not in _PAIRS:
        raise ctx.unsupported(f"keys {ctx.input(1).type.name} and values {ctx.outputs[0].type.name}")
    dtype = ctx.outputs[0].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        table, keys = _table(ctx, inputs[0]), given(inputs[1])
        default: Any = uniform(given(inputs[2])).reshape(-1)[0]
        result = np.empty(keys.shape, dtype)
        result[...] = default
        if table is not None and len(table[0]):
            names, values = table
            place = np.minimum(np.searchsorted(names, keys), len(names) - 1)
            found = names[place] == keys
            result[found] = values[place[found]]
        return [result]

    return run


@kernel("HASHTABLE_SIZE", types=("resource -> int64",), verified=_VERIFIED, pure=False)
def hashtable_size(ctx: KernelContext) -> Run:
    """HASHTABLE_SIZE: the number of keys."""
    ctx.input(0)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        table = _table(ctx, inputs[0])
        return [np.full((1, 1), 0 if table is None else len(table[0]), np.int64)]

    return run

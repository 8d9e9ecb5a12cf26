# SPDX-License-Identifier: Apache-2.0
"""Operators that move int4 values, between a cast to int4 and a cast back, against LiteRT."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import CASES, assert_same, cases, rngs, run_litert, shapes
from tflite2x.schema.enums import TensorType
from tflite2x.schema.tables import (
    CastOptions,
    ConcatenationOptions,
    DynamicUpdateSliceOptions,
    ExpandDimsOptions,
    GatherOptions,
    ReshapeOptions,
    SliceOptions,
    TransposeOptions,
)

TO_INT4 = CastOptions(in_data_type=TensorType.FLOAT32, out_data_type=TensorType.INT4)
TO_FLOAT = CastOptions(in_data_type=TensorType.INT4, out_data_type=TensorType.FLOAT32)


def compare(rng, op, options, moved, steers, shape):
    """Run ``op`` on int4 tensors of the shapes ``moved`` and on constants; ``shape`` is that of the result."""
    model = tflite2x.Model.new()
    graph = model.main
    inputs, arrays = [], []
    for i, size in enumerate(moved):
        x = graph.add_input(f"x{i}", size, "float32")
        q = graph.add_tensor(f"q{i}", size, "int4")
        graph.add_operator("CAST", [x], [q], TO_INT4)
        inputs.append(q)
        arrays.append(rng.integers(-8, 8, size).astype(np.float32))
    inputs += [graph.add_constant(f"c{i}", np.array(v, np.int32)) for i, v in enumerate(steers)]
    result, out = graph.add_tensor("r", shape, "int4"), graph.add_tensor("y", shape, "float32")
    graph.add_operator(op, inputs, [result], options)
    graph.add_operator("CAST", [result], [out], TO_FLOAT)
    graph.set_outputs([out])
    expected = run_litert(tflite2x.dumps(model), arrays, "BUILTIN_REF")
    assert_same(tflite2x.Interpreter(model).run(arrays)[0], expected[0])
    CASES[op] += 1


@cases
@drawn(rngs, shapes(1, 4, 5), st.data())
def test_int4(rng, shape, data):
    rank = len(shape)
    axis = data.draw(st.integers(0, rank - 1))
    compare(rng, "RESHAPE", ReshapeOptions(), [shape], [[math.prod(shape)]], (math.prod(shape),))
    compare(rng, "EXPAND_DIMS", ExpandDimsOptions(), [shape], [axis], (*shape[:axis], 1, *shape[axis:]))
    perm = data.draw(st.permutations(range(rank)))
    compare(rng, "TRANSPOSE", TransposeOptions(), [shape], [perm], tuple(shape[p] for p in perm))
    begin = [data.draw(st.integers(0, n - 1)) for n in shape]
    size = [data.draw(st.integers(1, n - b)) for n, b in zip(shape, begin, strict=True)]
    compare(rng, "SLICE", SliceOptions(), [shape], [begin, size], tuple(size))
    both = tuple(2 * n if i == axis else n for i, n in enumerate(shape))
    compare(rng, "CONCATENATION", ConcatenationOptions(axis=axis), [shape, shape], [], both)
    update = [data.draw(st.integers(1, n)) for n in shape]
    start = [data.draw(st.integers(0, n)) for n in shape]
    compare(rng, "DYNAMIC_UPDATE_SLICE", DynamicUpdateSliceOptions(), [shape, tuple(update)], [start], shape)
    even = (*shape[:-1], 2 * shape[-1]) if rank > 1 else (shape[0], 2)  # LiteRT gathers whole bytes
    axis = data.draw(st.integers(0, len(even) - 2))
    places = rng.integers(0, even[axis], 3)
    compare(rng, "GATHER", GatherOptions(axis=axis), [even], [places], (*even[:axis], 3, *even[axis + 1 :]))

# SPDX-License-Identifier: Apache-2.0
"""EMBEDDING_LOOKUP, EMBEDDING_LOOKUP_SPARSE and DENSIFY against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs
from tests.oracle import litert_run
from tflite2x.errors import ExecutionError
from tflite2x.schema.enums import CombinerType, DimensionType, SparseIndexVector
from tflite2x.schema.tables import (
    DensifyOptions,
    DimensionMetadata,
    EmbeddingLookupSparseOptions,
    FullyConnectedOptions,
    Int32Vector,
    SparsityParameters,
)

ROW = st.lists(st.integers(1, 4), min_size=1, max_size=2)


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int16", "int32", "int64", "bool"])
@cases
@drawn(rngs, st.integers(1, 6), st.integers(0, 5), ROW, st.booleans())
def test_lookup(dtype, rng, rows, count, row, constant):
    inputs = [
        Value(rng.integers(0, rows, count).astype(np.int32), steers=not constant),
        Value(random_array(rng, (rows, *row), dtype), constant),
    ]
    check("EMBEDDING_LOOKUP", None, inputs, [(dtype, (count, *row))], batch=bool(count))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int4", "int2"])
@cases
@drawn(rngs, st.integers(2, 6), st.integers(1, 5), st.integers(1, 13), st.booleans())
def test_lookup_hybrid(dtype, rng, rows, count, width, per_row):
    low, high = {"int4": (-8, 7), "int2": (-2, 1)}.get(dtype, (-128, 127))
    table = rng.integers(low, high, (rows, width), endpoint=True).astype(np.int8)
    inputs = [
        Value(rng.integers(0, rows, count).astype(np.int32)),
        Value(
            table.view(np.uint8) if dtype == "uint8" else table,
            constant=True,
            quantization={"scale": list(rng.uniform(0.01, 0.2, rows)) if per_row else 0.07},
            type=dtype,
        ),
    ]
    check("EMBEDDING_LOOKUP", None, inputs, [("float32", (count, width))], version=4)


def test_rows_outside_of_the_table_are_named() -> None:
    inputs = [Value(np.array([0, 3], np.int32)), Value(np.zeros((3, 2), np.float32), constant=True)]
    model = one_operator("EMBEDDING_LOOKUP", None, inputs, [("float32", (2, 2))])
    for row in (3, -1):
        with pytest.raises(ExecutionError, match=f"row {row} is looked up in a table of 3 rows"):
            tflite2x.Interpreter(model).run([np.array([0, row], np.int32)])


@cases
@drawn(rngs, st.integers(1, 5), st.lists(st.integers(1, 3), min_size=1, max_size=2), st.integers(1, 8), ROW,
       st.sampled_from(list(CombinerType)), st.booleans())  # fmt: skip
def test_lookup_sparse(rng, rows, outer, count, row, combiner, ordered):
    indices = np.stack([rng.integers(0, n, count) for n in (*outer, 9)], axis=1).astype(np.int32)
    if ordered:
        indices = indices[np.lexsort(indices.T[::-1])]
    inputs = [
        Value(rng.integers(0, rows, count).astype(np.int32), steers=True),
        Value(indices, steers=True),
        Value(np.array([*outer, 9], np.int32), steers=True),
        Value(rng.uniform(0.1, 2, count).astype(np.float32)),
        Value(random_array(rng, (rows, *row), "float32")),
    ]
    options = EmbeddingLookupSparseOptions(combiner=combiner)
    check("EMBEDDING_LOOKUP_SPARSE", options, inputs, [("float32", (*outer, *row))], tolerance=1e-6)


def test_densify_and_sparse_weights() -> None:
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((6, 8)) < 0.4, rng.integers(-64, 64, (6, 8)) / 8, 0).astype(np.float32)
    rows, columns = np.nonzero(dense)
    segments = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=6))]).astype(np.int32)
    sparsity = SparsityParameters(
        traversal_order=[0, 1],
        dim_metadata=[
            DimensionMetadata(format=DimensionType.DENSE, dense_size=6),
            DimensionMetadata(
                format=DimensionType.SPARSE_CSR,
                array_segments_type=SparseIndexVector.Int32Vector,
                array_segments=Int32Vector(values=segments.tolist()),
                array_indices_type=SparseIndexVector.Int32Vector,
                array_indices=Int32Vector(values=columns.tolist()),
            ),
        ],
    )
    x = np.arange(16, dtype=np.float32).reshape(2, 8)
    for through_densify in (False, True):
        model = tflite2x.Model.new()
        graph = model.main
        source = graph.add_input("x", (2, 8), "float32")
        weights = graph.add_tensor("w", (6, 8), "float32")
        weights.buffer = model.add_buffer(dense[rows, columns].tobytes())
        weights.sparsity = sparsity
        y = graph.add_tensor("y", (2, 6), "float32")
        if through_densify:
            full = graph.add_tensor("full", (6, 8), "float32")
            graph.add_operator("DENSIFY", [weights], [full], DensifyOptions())
            weights = full
        graph.add_operator("FULLY_CONNECTED", [source, weights, None], [y], FullyConnectedOptions(), version=8)
        graph.set_outputs([y])
        expected = litert_run(tflite2x.dumps(model), [x])[0]
        np.testing.assert_array_equal(expected, x @ dense.T)
        np.testing.assert_array_equal(tflite2x.Interpreter(model).run([x])[0], expected)

# SPDX-License-Identifier: Apache-2.0
"""GATHER, GATHER_ND, SCATTER_ND, SPARSE_TO_DENSE, HASHTABLE_LOOKUP and segments against LiteRT."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes, steering
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import (
    GatherNdOptions,
    GatherOptions,
    ScatterNdOptions,
    SegmentSumOptions,
    SparseToDenseOptions,
)

MOVED = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")
INDICES = st.sampled_from([np.int16, np.int32, np.int64])


@cases
@drawn(rngs, shapes(1, 4, 5), st.data(), st.sampled_from(MOVED), INDICES)
def test_gather(rng, shape, data, dtype, kind):
    axis = data.draw(st.integers(0, len(shape) - 1))
    batch = data.draw(st.integers(0, axis))
    rest = data.draw(shapes(0, 2, 4, least=0))
    indices = rng.integers(0, shape[axis], (*shape[:batch], *rest)).astype(kind)
    inputs = [
        Value(random_array(rng, shape, dtype), data.draw(st.booleans())),
        Value(indices, data.draw(st.booleans()) and indices.size > 0),
    ]
    if data.draw(st.booleans()):
        axis -= len(shape)
    if batch and data.draw(st.booleans()):
        batch -= indices.ndim
    if batch < 0 and batch + indices.ndim == 0:
        batch = 0
    check("GATHER", GatherOptions(axis=axis, batch_dims=batch), inputs, [(dtype, ())])


@cases
@drawn(rngs, st.integers(1, 5), shapes(0, 2, 4), INDICES)
def test_gather_strings(rng, size, places, kind):
    inputs = [Value(random_array(rng, (size,), "string")), Value(rng.integers(0, size, places).astype(kind))]
    check("GATHER", GatherOptions(), inputs, [("string", ())])


@cases
@drawn(rngs, shapes(1, 4, 5), st.data(), st.sampled_from((*MOVED, "string")), INDICES)
def test_gather_nd(rng, shape, data, dtype, kind):
    depth = data.draw(st.integers(1, len(shape)))  # LiteRT fails on indices without elements
    outer = data.draw(shapes(0, 2, 4))
    indices = np.zeros((*outer, depth), kind)
    for i in range(depth):
        indices[..., i] = rng.integers(0, shape[i], outer)
    # Reversing the elements of the indices must leave them inside of the data.
    steers = len(set(shape[:depth])) > 1
    inputs = [Value(random_array(rng, shape, dtype)), Value(indices, data.draw(st.booleans()) and depth > 0, steers)]
    check("GATHER_ND", GatherNdOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(1, 4, 5), st.data(), st.sampled_from(("float32", "int8", "uint8", "int32", "int64", "bool")))
def test_scatter_nd(rng, shape, data, dtype):
    depth = data.draw(st.integers(1, len(shape)))
    outer = data.draw(shapes(1 if depth == len(shape) else 0, 2, 4))
    indices = np.stack([rng.integers(0, n, outer) for n in shape[:depth]], -1).astype(np.int32)
    inputs = [
        Value(indices, data.draw(st.booleans()), len(set(shape[:depth])) > 1),
        Value(random_array(rng, (*outer, *shape[depth:]), dtype)),
        steering(shape, data.draw(st.booleans())),
    ]
    check("SCATTER_ND", ScatterNdOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(1, 4, 5), st.data(), st.sampled_from(("float32", "int8", "uint8", "int32", "int64")))
def test_sparse_to_dense(rng, shape, data, dtype):
    kind = data.draw(st.sampled_from([np.int32, np.int64]))
    number = data.draw(st.integers(1, 6))
    if len(shape) == 1 and data.draw(st.booleans()):
        indices = rng.integers(0, shape[0], () if data.draw(st.booleans()) else number)
        number = indices.size
    else:
        indices = np.stack([rng.integers(0, n, number) for n in shape], -1)
    scalar = data.draw(st.booleans())
    inputs = [
        Value(indices.astype(kind), data.draw(st.booleans()), len(set(shape)) > 1),
        steering(shape, data.draw(st.booleans()), kind),
        Value(random_array(rng, () if scalar else (number,), dtype)),
        Value(random_array(rng, (), dtype), data.draw(st.booleans())),
    ]
    check("SPARSE_TO_DENSE", SparseToDenseOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(1, 3, 6), st.integers(0, 6), st.sampled_from(("float32", "int8", "int32", "string")))
def test_hashtable_lookup(rng, shape, number, dtype):
    shape = shape[:1] if dtype == "string" else shape
    number = max(number, 1)
    keys = np.sort(rng.integers(-5, 6, shape[0])).astype(np.int32)  # some keys come twice
    inputs = [
        Value(rng.integers(-7, 8, number).astype(np.int32)),
        Value(keys, True),
        Value(random_array(rng, shape, dtype), True),
    ]
    check("HASHTABLE_LOOKUP", None, inputs, [(dtype, ()), ("uint8", ())])


def _outside(op, options, *arrays, message):
    return pytest.param(op, options, [np.asarray(a) for a in arrays], message, id=f"{op}-{message}")


@pytest.mark.parametrize(
    ("op", "options", "arrays", "message"),
    [
        _outside(
            "GATHER", GatherOptions(), np.zeros(3, np.float32), np.array([0, 3], np.int32), message="index 3 is outside"
        ),
        _outside(
            "GATHER", GatherOptions(), np.zeros(3, np.float32), np.array([-1], np.int32), message="index -1 is outside"
        ),
        _outside(
            "GATHER_ND",
            GatherNdOptions(),
            np.zeros((2, 3), np.float32),
            np.array([[1, 3]], np.int32),
            message="index of dimension 1 3",
        ),
        _outside(
            "SCATTER_ND",
            ScatterNdOptions(),
            np.array([[4]], np.int32),
            np.ones(1, np.float32),
            np.array([4], np.int32),
            message="index of dimension 0 4",
        ),
        _outside(
            "SPARSE_TO_DENSE",
            SparseToDenseOptions(),
            np.array([4], np.int32),
            np.array([4], np.int32),
            np.float32(1),
            np.float32(0),
            message="index of dimension 0 4",
        ),
    ],
)
def test_indices_outside(op, options, arrays, message):
    values = [Value(a) for a in arrays]
    model = one_operator(op, options, values, [("float32", (1,))])
    with pytest.raises(ExecutionError, match=message):
        tflite2x.Interpreter(model).run(arrays)


@cases
@drawn(rngs, shapes(1, 3, 5), st.data(), st.sampled_from(("float32", "int32")))
def test_segment_sum(rng, shape, data, dtype):
    ids = np.cumsum([0, *rng.integers(0, 2, shape[0] - 1)]).astype(np.int32)
    inputs = [Value(random_array(rng, shape, dtype)), Value(ids, data.draw(st.booleans()), True)]
    check("SEGMENT_SUM", SegmentSumOptions(), inputs, [(dtype, ())], resolver="BUILTIN")


def test_segment_sum_refuses_gaps():
    values = [Value(np.zeros(3, np.float32)), Value(np.array([0, 2, 2], np.int32))]
    model = one_operator("SEGMENT_SUM", SegmentSumOptions(), values, [("float32", (1,))])
    with pytest.raises(ExecutionError, match=r"\[0, 2, 2\] do not begin at 0"):
        tflite2x.Interpreter(model).run([v.array for v in values])


@cases
@drawn(
    rngs,
    shapes(1, 3, 5),
    st.data(),
    st.sampled_from(("float32", "int32")),
    st.sampled_from(("SUM", "PROD", "MAX", "MIN")),
)
def test_unsorted_segments(rng, shape, data, dtype, kind):
    number = data.draw(st.integers(1, 5))
    rank = data.draw(st.integers(1, len(shape)))
    ids = rng.integers(-1, number, shape[:rank]).astype(np.int32)
    values = random_array(rng, shape, dtype)
    if dtype == "float32":
        values.ravel()[rng.integers(0, math.prod(shape))] = np.nan if kind in ("MAX", "MIN") else 1
    inputs = [
        Value(values),
        Value(ids, data.draw(st.booleans())),
        steering(number, data.draw(st.booleans())),
    ]
    check(f"UNSORTED_SEGMENT_{kind}", None, inputs, [(dtype, ())])

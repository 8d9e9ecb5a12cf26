# SPDX-License-Identifier: Apache-2.0
"""PACK, UNPACK, CONCATENATION, SPLIT, SPLIT_V, TILE, BROADCAST_TO, BROADCAST_ARGS against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes, steering
from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.schema.tables import (
    BroadcastToOptions,
    ConcatenationOptions,
    PackOptions,
    SplitOptions,
    SplitVOptions,
    TileOptions,
    UnpackOptions,
)

PACKED = ("float32", "int8", "uint8", "int16", "int32", "int64")


@cases
@drawn(rngs, shapes(0, 3), st.integers(1, 4), st.data(), st.sampled_from((*PACKED, "uint32")))
def test_pack(rng, shape, count, data, dtype):
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    inputs = [Value(random_array(rng, shape, dtype), data.draw(st.booleans())) for _ in range(count)]
    check("PACK", PackOptions(values_count=count, axis=axis), inputs, [(dtype, ())])


@cases
@drawn(
    rngs, shapes(1, 4), st.data(), st.sampled_from(("float32", "float16", "int8", "uint8", "int16", "int32", "bool"))
)
def test_unpack(rng, shape, data, dtype):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    inputs = [Value(random_array(rng, shape, dtype))]
    outputs = [(dtype, ())] * shape[axis]
    check("UNPACK", UnpackOptions(num=shape[axis], axis=axis), inputs, outputs)


@cases
@drawn(
    rngs,
    shapes(1, 4),
    st.integers(1, 4),
    st.data(),
    st.sampled_from(("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool", "uint32")),
)
def test_concatenation(rng, shape, count, data, dtype):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    inputs = []
    for _ in range(count):
        own = list(shape)
        own[axis] = data.draw(st.integers(0, 4))
        inputs.append(Value(random_array(rng, own, dtype), data.draw(st.booleans()) and 0 not in own))
    check("CONCATENATION", ConcatenationOptions(axis=axis), inputs, [(dtype, ())])


scales = st.floats(2**-13, 128, width=32)


@cases
@drawn(rngs, st.lists(st.tuples(scales, st.integers(0, 255)), min_size=2, max_size=4), scales, st.integers(0, 255))
def test_concatenation_requantizes_uint8(rng, quantizations, scale, zero_point):
    quantizations.append((scale, zero_point))  # one input that is copied
    inputs = [
        Value(rng.permutation(256).astype(np.uint8).reshape(4, 64), quantization={"scale": s, "zero_point": z})
        for s, z in quantizations
    ]
    output = ("uint8", (), {"scale": scale, "zero_point": zero_point})
    check("CONCATENATION", ConcatenationOptions(axis=1), inputs, [output])


def test_concatenation_of_constant_scalars_is_a_vector():
    inputs = [Value(np.array(v, np.int32), True) for v in (3, 1, 2)]
    assert check("CONCATENATION", ConcatenationOptions(), inputs, [("int32", ())])[0].tolist() == [3, 1, 2]


def test_concatenation_refuses_int8_that_needs_requantizing():
    inputs = [Value(np.zeros((1, 2), np.int8), quantization={"scale": s, "zero_point": 0}) for s in (0.1, 0.2)]
    model = one_operator(
        "CONCATENATION", ConcatenationOptions(), inputs, [("int8", (2, 2), {"scale": 0.1, "zero_point": 0})]
    )
    with pytest.raises(UnsupportedError, match=r"'out0' and 'in1' differ in scale"):
        tflite2x.Interpreter(model).run([v.array for v in inputs])


def test_concatenation_refuses_other_shapes():
    inputs = [Value(np.zeros((1, 2), np.int8)), Value(np.zeros((1, 3), np.int8))]
    model = one_operator("CONCATENATION", ConcatenationOptions(axis=0), inputs, [("int8", (2, 2))])
    with pytest.raises(ExecutionError, match=r"\[1, 2\] and \[1, 3\] cannot be joined"):
        tflite2x.Interpreter(model).run([v.array for v in inputs])


@cases
@drawn(rngs, shapes(1, 4), st.integers(1, 4), st.data(), st.sampled_from(PACKED), st.booleans())
def test_split(rng, shape, parts, data, dtype, constant):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    full = list(shape)
    full[axis] *= parts
    inputs = [steering(axis, constant), Value(random_array(rng, full, dtype))]
    check("SPLIT", SplitOptions(num_splits=parts), inputs, [(dtype, ())] * parts)


@cases
@drawn(rngs, shapes(1, 4), st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data(), st.sampled_from(PACKED))
def test_split_v(rng, shape, sizes, data, dtype):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    full = list(shape)
    full[axis] = sum(sizes)
    if data.draw(st.booleans()):
        sizes[data.draw(st.integers(0, len(sizes) - 1))] = -1
    constant = data.draw(st.booleans())
    kind = data.draw(st.sampled_from([np.int32, np.int64]))
    # LiteRT's evaluation does not count a negative axis from the end when the shapes are known before.
    axis %= len(shape)
    inputs = [Value(random_array(rng, full, dtype)), steering(sizes, constant, kind), steering(axis, constant)]
    check("SPLIT_V", SplitVOptions(num_splits=len(sizes)), inputs, [(dtype, ())] * len(sizes))


@cases
@drawn(
    rngs,
    shapes(0, 4, 4, least=0),
    st.data(),
    st.sampled_from((*PACKED, "float16", "bool", "string")),
    st.booleans(),
)
def test_tile(rng, shape, data, dtype, constant):
    multiples = data.draw(st.lists(st.integers(0, 3), min_size=len(shape), max_size=len(shape)))
    if dtype == "string" and not shape:
        dtype = "int8"
    if dtype == "string":
        shape, multiples = tuple(max(n, 1) for n in shape), [max(m, 1) for m in multiples]
    kind = data.draw(st.sampled_from([np.int32, np.int64]))
    inputs = [Value(random_array(rng, shape, dtype)), steering(multiples, constant, kind)]
    check("TILE", TileOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(0, 5, 4), st.data(), st.sampled_from((*PACKED, "bool", "float16")), st.booleans())
def test_broadcast_to(rng, target, data, dtype, constant):
    rank = data.draw(st.integers(0, len(target)))
    source = [n if data.draw(st.booleans()) else 1 for n in target[len(target) - rank :]]
    kind = data.draw(st.sampled_from([np.int32, np.int64]))
    inputs = [Value(random_array(rng, source, dtype)), steering(np.array(target, kind), constant, kind)]
    check("BROADCAST_TO", BroadcastToOptions(), inputs, [(dtype, ())], version=2)


@cases
@drawn(shapes(0, 5), st.data(), st.sampled_from([np.int32, np.int64]))
def test_broadcast_args(target, data, kind):
    def side():
        rank = data.draw(st.integers(0, len(target)))
        return np.array([n if data.draw(st.booleans()) else 1 for n in target[len(target) - rank :]], kind)

    inputs = [Value(side(), steers=True), Value(side(), steers=True)]
    check("BROADCAST_ARGS", None, inputs, [(np.dtype(kind).name, ())])

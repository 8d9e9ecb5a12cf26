# SPDX-License-Identifier: Apache-2.0
"""WHERE, ONE_HOT, FILL, RANGE, MATRIX_DIAG, MATRIX_SET_DIAG, SELECT, SELECT_V2 against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes, steering
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import (
    FillOptions,
    MatrixDiagOptions,
    MatrixSetDiagOptions,
    OneHotOptions,
    RangeOptions,
    SelectOptions,
    SelectV2Options,
    WhereOptions,
)

TYPES = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool")


@cases
@drawn(
    rngs,
    shapes(1, 4, 4, least=0),
    st.sampled_from(("bool", "float32", "int64", "int32", "int8", "uint8", "uint32")),
    st.booleans(),
)
def test_where(rng, shape, dtype, constant):
    x = (rng.integers(0, 2, shape) * rng.integers(1, 5, shape)).astype(dtype)
    check("WHERE", WhereOptions(), [Value(x, constant and x.size > 0)], [("int64", ())])


@cases
@drawn(rngs, shapes(0, 3, 4), st.data(), st.sampled_from(("float32", "int8", "uint8", "int32", "int64", "bool")))
def test_one_hot(rng, shape, data, dtype):
    depth = data.draw(st.integers(0, 6))
    axis = data.draw(st.integers(-1, len(shape)))
    kind = data.draw(st.sampled_from([np.int32, np.int64]))
    inputs = [
        Value(rng.integers(-2, 8, shape).astype(kind)),
        steering(depth, data.draw(st.booleans())),
        Value(random_array(rng, (), dtype), data.draw(st.booleans())),
        Value(random_array(rng, (), dtype), data.draw(st.booleans())),
    ]
    check("ONE_HOT", OneHotOptions(axis=axis), inputs, [(dtype, ())])


def test_one_hot_looks_at_32_bits():
    inputs = [
        Value(np.array([2**32 + 1, -(2**32), 2**40], np.int64)),
        steering(2, True),
        *(Value(np.array(v, np.float32), True) for v in (1, 0)),
    ]
    assert check("ONE_HOT", OneHotOptions(axis=-1), inputs, [("float32", ())])[0].tolist() == [[0, 1], [1, 0], [1, 0]]


@cases
@drawn(rngs, shapes(0, 4, 4, least=0), st.sampled_from((*TYPES, "float16", "string")), st.booleans(), st.booleans())
def test_fill(rng, shape, dtype, constant, long):
    value = random_array(rng, (), dtype)
    constant = constant or dtype == "string"  # LiteRT's Python interface cannot set strings of rank 0
    inputs = [
        steering(np.array(shape, np.int64), constant, np.int64 if long else np.int32),
        Value(value, dtype == "string"),
    ]
    if dtype == "string" and 0 in shape:
        return
    check("FILL", FillOptions(), inputs, [(dtype, ())])


@cases
@drawn(st.sampled_from(("float32", "int32", "int64")), st.data(), st.booleans())
def test_range(dtype, data, constant):
    if dtype == "float32":
        number = st.floats(-50, 50, width=32)
        start, limit = data.draw(number), data.draw(number)
        delta = data.draw(st.floats(0.125, 10, width=32))
    else:
        start, limit = data.draw(st.integers(-99, 99)), data.draw(st.integers(-99, 99))
        delta = data.draw(st.integers(1, 9))
    delta = delta if limit >= start else -delta
    inputs = [steering(v, constant, dtype) for v in (start, limit, delta)]
    check("RANGE", RangeOptions(), inputs, [(dtype, ())])


def test_range_refuses_steps_that_lead_away():
    inputs = [steering(v, False) for v in (0, 5, -1)]
    model = one_operator("RANGE", RangeOptions(), inputs, [("int32", (5,))])
    with pytest.raises(ExecutionError, match="steps of -1 do not lead from 0 to 5"):
        tflite2x.Interpreter(model).run([v.array for v in inputs])


@cases
@drawn(rngs, shapes(1, 4, 4), st.sampled_from(("float32", "int8", "uint8", "int16", "int32", "int64")))
def test_matrix_diag(rng, shape, dtype):
    check("MATRIX_DIAG", MatrixDiagOptions(), [Value(random_array(rng, shape, dtype))], [(dtype, ())])


@cases
@drawn(rngs, shapes(2, 4, 4), st.sampled_from(("float32", "int8", "uint8", "int16", "int32", "int64")), st.booleans())
def test_matrix_set_diag(rng, shape, dtype, constant):
    inputs = [
        Value(random_array(rng, shape, dtype)),
        Value(random_array(rng, (*shape[:-2], min(shape[-2:])), dtype), constant),
    ]
    check("MATRIX_SET_DIAG", MatrixSetDiagOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(0, 4, 4), st.data(), st.sampled_from((*TYPES, "float16")))
def test_select(rng, shape, data, dtype):
    chosen = data.draw(st.sampled_from([shape, (), shape[:1]] if shape else [()]))
    inputs = [
        Value(random_array(rng, chosen, "bool"), data.draw(st.booleans())),
        Value(random_array(rng, shape, dtype)),
        Value(random_array(rng, shape, dtype), data.draw(st.booleans())),
    ]
    # Where everything has one element, LiteRT leaves the shape of the file.
    check("SELECT", SelectOptions(), inputs, [(dtype, shape if max((1, *shape)) == 1 else ())])


@cases
@drawn(rngs, shapes(0, 5, 4), st.data(), st.sampled_from((*TYPES, "float16")))
def test_select_v2(rng, target, data, dtype):
    def side(kind):
        rank = data.draw(st.integers(0, len(target)))
        shape = [n if data.draw(st.booleans()) else 1 for n in target[len(target) - rank :]]
        return Value(random_array(rng, shape, kind), data.draw(st.booleans()))

    check("SELECT_V2", SelectV2Options(), [side("bool"), side(dtype), side(dtype)], [(dtype, ())])

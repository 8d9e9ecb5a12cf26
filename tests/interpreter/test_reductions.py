# SPDX-License-Identifier: Apache-2.0
"""Reductions, ARG_MAX and CUMSUM against LiteRT's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import (
    CASES,
    Value,
    cases,
    check,
    one_operator,
    random_array,
    rngs,
    shapes,
    steering,
)
from tests.interpreter.quantizations import quantizations
from tests.oracle import litert_run
from tflite2x.errors import ExecutionError
from tflite2x.interpreter.reducing import sequential_sum
from tflite2x.schema.enums import TensorType
from tflite2x.schema.tables import ArgMaxOptions, ArgMinOptions, CumsumOptions, ReducerOptions


@st.composite
def reductions(draw: st.DrawFn, rank: int = 5, size: int = 6) -> tuple[Any, list[int], bool, tuple[int, ...]]:
    """Draw a shape, axes (some negative, some twice), keep_dims, and the shape of the result."""
    shape = draw(shapes(1, rank, size))
    axes = draw(st.lists(st.integers(-len(shape), len(shape) - 1), min_size=0, max_size=len(shape) + 1))
    keep = draw(st.booleans())
    reduced = {a % len(shape) for a in axes}
    kept = tuple(1 if i in reduced else n for i, n in enumerate(shape))
    return shape, axes, keep, kept if keep else tuple(n for i, n in enumerate(shape) if i not in reduced)


@pytest.mark.parametrize("op", ["MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
@cases
@given(case=reductions(), rng=rngs, constant=st.booleans())
def test_plain(op: str, dtype: str, case: Any, rng: Any, constant: bool) -> None:
    shape, axes, keep, result = case
    check(op, ReducerOptions(keep_dims=keep), [Value(random_array(rng, shape, dtype)), steering(axes, constant)],
          [(dtype, result)])  # fmt: skip


@pytest.mark.parametrize("op", ["MEAN", "SUM"])
@cases
@given(rows=st.integers(1, 20), columns=st.integers(1, 3000), rng=rngs, axis=st.integers(0, 1))
def test_long_float_sums(op: str, rows: int, columns: int, rng: Any, axis: int) -> None:
    value = random_array(rng, (rows, columns), "float32")
    result = (columns,) if axis == 0 else (rows,)
    check(op, ReducerOptions(), [Value(value), steering([axis], True)], [("float32", result)])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@cases
@given(case=reductions(), rng=rngs, data=st.data(), constant=st.booleans())
def test_quantized_mean(dtype: str, case: Any, rng: Any, data: st.DataObject, constant: bool) -> None:
    shape, axes, keep, result = case
    value = Value(random_array(rng, shape, dtype), quantization=data.draw(quantizations(dtype)))
    out = data.draw(quantizations(dtype))
    check("MEAN", ReducerOptions(keep_dims=keep), [value, steering(axes, constant)], [(dtype, result, out)])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@cases
@given(height=st.integers(1, 40), width=st.integers(1, 40), rng=rngs, data=st.data())
def test_quantized_mean_of_images(dtype: str, height: int, width: int, rng: Any, data: st.DataObject) -> None:
    shape = (1, height, width, 3)
    value = Value(random_array(rng, shape, dtype), quantization=data.draw(quantizations(dtype)))
    out = data.draw(quantizations(dtype))
    check("MEAN", ReducerOptions(keep_dims=True), [value, steering([1, 2], True)], [(dtype, (1, 1, 1, 3), out)])


@cases
@given(case=reductions(), rng=rngs, data=st.data())
def test_quantized_sum(case: Any, rng: Any, data: st.DataObject) -> None:
    # BUILTIN_REF reads every type as uint8: only there it is right.
    shape, axes, keep, result = case
    value = Value(random_array(rng, shape, "uint8"), quantization=data.draw(quantizations("uint8")))
    out = data.draw(quantizations("uint8"))
    check("SUM", ReducerOptions(keep_dims=keep), [value, steering(axes, True)], [("uint8", result, out)])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@cases
@given(case=reductions(), rng=rngs, data=st.data())
def test_signed_sums_stay_within_one_of_the_optimized_kernel(
    dtype: str, case: Any, rng: Any, data: st.DataObject
) -> None:
    # BUILTIN_REF is wrong here, and the optimized kernel multiplies in float32.
    shape, axes, keep, result = case
    source, out = data.draw(quantizations(dtype, -9, 0)), data.draw(quantizations(dtype, -6, 1))
    inputs = [Value(random_array(rng, shape, dtype), quantization=source), steering(axes, True)]
    model = one_operator("SUM", ReducerOptions(keep_dims=keep), inputs, [(dtype, result, out)])
    expected = litert_run(tflite2x.dumps(model), [inputs[0].array], resolver="BUILTIN_WITHOUT_DEFAULT_DELEGATES")[0]
    got = tflite2x.Interpreter(model).run([inputs[0].array])[0]
    assert got.dtype == expected.dtype
    assert np.max(np.abs(got.astype(np.int64) - expected)) <= 1
    CASES["SUM"] += 1


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@cases
@given(case=reductions(), rng=rngs, data=st.data())
def test_quantized_product(dtype: str, case: Any, rng: Any, data: st.DataObject) -> None:
    shape, axes, keep, result = case
    source, out = data.draw(quantizations(dtype, -12, -1)), data.draw(quantizations(dtype, -6, 1))
    assume(source["scale"] <= out["scale"])  # products that leave int32 are undefined
    value = Value(random_array(rng, shape, dtype), quantization=source)
    check("REDUCE_PROD", ReducerOptions(keep_dims=keep), [value, steering(axes, True)], [(dtype, result, out)])


@pytest.mark.parametrize("op", ["REDUCE_MAX", "REDUCE_MIN"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@cases
@given(case=reductions(), rng=rngs, data=st.data(), constant=st.booleans())
def test_quantized_extreme(op: str, dtype: str, case: Any, rng: Any, data: st.DataObject, constant: bool) -> None:
    shape, axes, keep, result = case
    q = data.draw(quantizations(dtype))
    value = Value(random_array(rng, shape, dtype), quantization=q)
    check(op, ReducerOptions(keep_dims=keep), [value, steering(axes, constant)], [(dtype, result, q)])


@pytest.mark.parametrize("op", ["REDUCE_ANY", "REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM"])
@cases
@given(case=reductions(), rng=rngs, constant=st.booleans())
def test_truth(op: str, case: Any, rng: Any, constant: bool) -> None:
    shape, axes, keep, result = case
    value = Value(random_array(rng, shape, "bool"))
    check(op, ReducerOptions(keep_dims=keep), [value, steering(axes, constant)], [("bool", result)])


@pytest.mark.parametrize("op", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_PROD"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int8"])
@pytest.mark.parametrize("axes", [[1], [0], [0, 1, 2]])
def test_reductions_of_nothing(op: str, dtype: str, axes: list[int]) -> None:
    if (op, dtype) in (("SUM", "int8"), ("REDUCE_PROD", "int8")):
        pytest.skip("LiteRT reads or leaves memory that it did not write")
    q = {"scale": 0.5, "zero_point": 3} if dtype == "int8" else {}
    result = tuple(n for i, n in enumerate((2, 0, 3)) if i not in axes)
    inputs = [Value(np.zeros((2, 0, 3), dtype), quantization=q), steering(axes, True)]
    check(op, ReducerOptions(), inputs, [(dtype, result, q)])


@pytest.mark.parametrize(("op", "options"), [("ARG_MAX", ArgMaxOptions), ("ARG_MIN", ArgMinOptions)])
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int32", "bool"])
@cases
@given(shape=shapes(1, 5, 6), rng=rngs, data=st.data(), constant=st.booleans(), wide=st.booleans())
def test_arg_extreme(
    op: str, options: Any, dtype: str, shape: Any, rng: Any, data: st.DataObject, constant: bool, wide: bool
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    value = random_array(rng, shape, dtype)
    if dtype != "bool" and rng.random() < 0.5:
        value = np.asarray(np.rint(value % 3)).astype(dtype)  # ties
    result = tuple(n for i, n in enumerate(shape) if i != axis % len(shape))
    target = "int64" if wide else "int32"
    check(op, options(output_type=TensorType[target.upper()]),
          [Value(value), steering(axis, constant, np.int64 if wide else np.int32)], [(target, result)])  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
@cases
@given(shape=shapes(1, 4, 6), rng=rngs, data=st.data(), exclusive=st.booleans(), reverse=st.booleans())
def test_cumsum(dtype: str, shape: Any, rng: Any, data: st.DataObject, exclusive: bool, reverse: bool) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    value = Value(random_array(rng, shape, dtype))
    check(
        "CUMSUM", CumsumOptions(exclusive=exclusive, reverse=reverse), [value, steering(axis, True)], [(dtype, shape)]
    )


@pytest.mark.parametrize("columns", [1, 7, 8, 9, 64, 1000])
def test_sums_run_in_order(columns: int) -> None:
    value = np.random.default_rng(0).standard_normal((3000, columns)).astype(np.float32)
    total = np.zeros(columns, np.float32)
    for row in value:
        total = total + row
    np.testing.assert_array_equal(sequential_sum(value, 0)[0], total)
    np.testing.assert_array_equal(sequential_sum(np.ascontiguousarray(value.T), 1)[:, 0], total)


def test_axis_outside_of_the_input_is_refused() -> None:
    value, axis = Value(np.float32([[1]])), steering([2], False)
    model = one_operator("SUM", ReducerOptions(), [value, axis], [("float32", (1,))])
    with pytest.raises(ExecutionError, match="axis 2"):
        tflite2x.Interpreter(model).run([value.array, axis.array])

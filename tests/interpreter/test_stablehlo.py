# SPDX-License-Identifier: Apache-2.0
"""StableHLO operators that LiteRT executes, and REDUCE_WINDOW, against LiteRT."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import CASES, Value, assert_same, cases, check, random_array, rngs, shapes
from tests.interpreter.stateful import run_litert
from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.schema.enums import ReduceWindowFunction
from tflite2x.schema.tables import (
    ReduceWindowOptions,
    StablehloGatherOptions,
    StablehloPadOptions,
    StablehloReduceWindowOptions,
    StablehloScatterOptions,
)

NUMBERS = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
TYPES = st.sampled_from(NUMBERS)


def nothing_but_numbers(array):
    """Keep sums and products of floats finite and of one size, so that every order gives nearly the same."""
    return np.clip(array, -4, 4) if array.dtype.kind == "f" else array


@cases
@given(rngs, shapes(0, 4), TYPES, st.sampled_from(["ADD", "MULTIPLY", "MAXIMUM", "MINIMUM"]))
def test_elementwise(rng, shape, dtype, name):
    inputs = [Value(random_array(rng, shape, dtype)) for _ in range(2)]
    check(f"STABLEHLO_{name}", None, inputs, [(dtype, shape)])


@cases
@given(rngs, shapes(0, 3), st.sampled_from(["ADD", "MULTIPLY", "MAXIMUM", "MINIMUM"]))
def test_elementwise_on_booleans(rng, shape, name):
    inputs = [Value(random_array(rng, shape, "bool")) for _ in range(2)]
    check(f"STABLEHLO_{name}", None, inputs, [("bool", shape)])


@cases
@given(rngs, shapes(0, 3), st.sampled_from([*NUMBERS[2:], "bool"]))
def test_and(rng, shape, dtype):
    inputs = [Value(random_array(rng, shape, dtype)) for _ in range(2)]
    check("STABLEHLO_AND", None, inputs, [(dtype, shape)], resolver="BUILTIN")


@cases
@given(rngs, shapes(0, 3), st.sampled_from(["int8", "int16", "int32"]))
def test_shift_left(rng, shape, dtype):
    distance = rng.integers(0, 31, shape).astype(dtype)
    inputs = [Value(random_array(rng, shape, dtype)), Value(distance)]
    check("STABLEHLO_SHIFT_LEFT", None, inputs, [(dtype, shape)], resolver="BUILTIN")


def test_elementwise_refuses_other_shapes():
    model = tflite2x.Model.new()
    a, b = model.main.add_input("a", (2,), "float32"), model.main.add_input("b", (1,), "float32")
    y = model.main.add_tensor("y", (2,), "float32")
    model.main.add_operator("STABLEHLO_ADD", [a, b], [y])
    model.main.set_outputs([y])
    engine = tflite2x.Interpreter(model)
    with pytest.raises(ExecutionError, match=r"shapes \[2\] and \[1\] differ"):
        engine.run([np.zeros(2, np.float32), np.zeros(1, np.float32)])


@cases
@given(rngs, shapes(1, 4), TYPES, st.data())
def test_pad(rng, shape, dtype, data):
    rank = len(shape)
    edges = st.lists(st.integers(-3, 3), min_size=rank, max_size=rank)
    low, high = data.draw(edges), data.draw(edges)
    interior = data.draw(st.lists(st.integers(0, 2), min_size=rank, max_size=rank))
    result = [n + (n - 1) * i + a + b for n, i, a, b in zip(shape, interior, low, high, strict=True)]
    if min(result) <= 0:
        result = [0] * rank
    options = StablehloPadOptions(edge_padding_low=low, edge_padding_high=high, interior_padding=interior)
    inputs = [Value(random_array(rng, shape, dtype)), Value(random_array(rng, (), dtype))]
    check("STABLEHLO_PAD", options, inputs, [(dtype, result)])


@cases
@given(rngs, shapes(1, 3, 5), st.data(), st.sampled_from(["float32", "int8", "int64", "uint16"]))
def test_gather(rng, shape, data, dtype):
    rank = len(shape)
    sizes = [data.draw(st.integers(1, n)) for n in shape]
    collapsed = [d for d in range(rank) if sizes[d] == 1 and data.draw(st.booleans())]
    where = data.draw(st.permutations(range(rank)))[: data.draw(st.integers(1, rank))]
    batch = list(data.draw(shapes(0, 2, 3)))
    kept = [sizes[d] for d in range(rank) if d not in collapsed]
    vector_axis = data.draw(st.integers(0, len(batch)))
    index_shape = [*batch[:vector_axis], len(where), *batch[vector_axis:]]
    total = len(batch) + len(kept)
    offset_dims = sorted(data.draw(st.permutations(range(total)))[: len(kept)])
    rest, slices = iter(batch), iter(kept)
    result = [next(slices if d in offset_dims else rest) for d in range(total)]
    indices = rng.integers(-2, max(shape) + 2, index_shape).astype(data.draw(st.sampled_from([np.int32, np.int64])))
    options = StablehloGatherOptions(
        offset_dims=offset_dims, collapsed_slice_dims=collapsed, start_index_map=list(where),
        index_vector_dim=vector_axis, slice_sizes=sizes,
    )  # fmt: skip
    check("STABLEHLO_GATHER", options, [Value(random_array(rng, shape, dtype)), Value(indices)], [(dtype, result)])


def test_gather_with_scalar_indices():
    """Indices without a vector dimension, on which LiteRT crashes, mean vectors of length 1."""
    results = []
    for shape, axis in (((4,), 1), ((4, 1), 1)):
        model = tflite2x.Model.new()
        graph = model.main
        x, i = graph.add_input("x", (5, 2), "float32"), graph.add_input("i", shape, "int32")
        y = graph.add_tensor("y", (4, 2), "float32")
        options = StablehloGatherOptions(
            offset_dims=[1], collapsed_slice_dims=[0], start_index_map=[0], index_vector_dim=axis, slice_sizes=[1, 2]
        )
        graph.add_operator("STABLEHLO_GATHER", [x, i], [y], options)
        graph.set_outputs([y])
        value = np.arange(10, dtype=np.float32).reshape(5, 2)
        results.append(tflite2x.Interpreter(model).run([value, np.array([3, 0, 9, -1], np.int32).reshape(shape)])[0])
    np.testing.assert_array_equal(results[0], value[[3, 0, 4, 0]])
    np.testing.assert_array_equal(results[0], results[1])


BODIES = {"": None, "ADD": np.add, "MULTIPLY": np.multiply, "MAXIMUM": np.maximum, "MINIMUM": np.minimum}


SCATTERED = st.sampled_from(["float32", "int8", "int32", "uint16"])


def add_body(model, name, dtype, prefix="STABLEHLO_"):
    body = model.add_subgraph("body")
    a, b = body.add_input("a", (), dtype), body.add_input("b", (), dtype)
    if not name:
        body.set_outputs([b])
        return body
    y = body.add_tensor("y", (), dtype)
    body.add_operator(prefix + name, [a, b], [y])
    body.set_outputs([y])
    return body


def compare(model, arrays, tolerance=0.0):
    """Compare one run with LiteRT, and a batch with single runs."""
    expected = run_litert(tflite2x.dumps(model), [arrays])[0]
    engine = tflite2x.Interpreter(model)
    got = engine.run(arrays)
    for a, b in zip(got, expected, strict=True):
        assert_same(a, b, tolerance)
    CASES[model.main.operators[0].name] += 1
    mirrored = [a.reshape(-1)[::-1].reshape(a.shape) for a in arrays]
    together = engine.run_batch([np.stack(pair) for pair in zip(arrays, mirrored, strict=True)])
    for i, inputs in enumerate((arrays, mirrored)):
        for a, b in zip(together, engine.run(inputs), strict=True):
            assert_same(a[i], b)


@cases
@given(
    rngs,
    shapes(1, 3, 5),
    st.data(),
    st.sampled_from(["float32", "int8", "int32", "uint16"]),
    st.sampled_from(list(BODIES)),
)
def test_scatter(rng, shape, data, dtype, name):
    rank = len(shape)
    inserted = [d for d in range(rank) if data.draw(st.booleans())]
    sizes = [data.draw(st.integers(1, shape[d])) for d in range(rank) if d not in inserted]
    where = data.draw(st.permutations(range(rank)))[: data.draw(st.integers(1, rank))]
    batch = list(data.draw(shapes(0, 2, 3)))
    vector_axis = data.draw(st.integers(0, len(batch)))
    index_shape = [*batch[:vector_axis], len(where), *batch[vector_axis:]]
    total = len(batch) + len(sizes)
    windows = sorted(data.draw(st.permutations(range(total)))[: len(sizes)])
    rest, slices = iter(batch), iter(sizes)
    updates = [next(slices if d in windows else rest) for d in range(total)]
    model = tflite2x.Model.new()
    body = add_body(model, name, dtype)
    graph = model.main
    inputs = [
        graph.add_input("x", shape, dtype),
        graph.add_input("indices", index_shape, "int32"),
        graph.add_input("updates", updates, dtype),
    ]
    y = graph.add_tensor("y", shape, dtype)
    options = StablehloScatterOptions(
        update_window_dims=windows, inserted_window_dims=inserted, scatter_dims_to_operand_dims=list(where),
        index_vector_dim=vector_axis, update_computation_subgraph_index=body.index,
    )  # fmt: skip
    graph.add_operator("STABLEHLO_SCATTER", inputs, [y], options)
    graph.set_outputs([y])
    arrays = [
        random_array(rng, shape, dtype),
        rng.integers(-1, max(shape) + 1, index_shape).astype(np.int32),
        random_array(rng, updates, dtype),
    ]
    compare(model, arrays)


def test_scatter_refuses_other_bodies():
    model = tflite2x.Model.new()
    body = add_body(model, "SUB", "float32", prefix="")
    graph = model.main
    x, i = graph.add_input("x", (2,), "float32"), graph.add_input("i", (1, 1), "int32")
    u, y = graph.add_input("u", (1,), "float32"), graph.add_tensor("y", (2,), "float32")
    options = StablehloScatterOptions(
        inserted_window_dims=[0], scatter_dims_to_operand_dims=[0], index_vector_dim=1,
        update_computation_subgraph_index=body.index,
    )  # fmt: skip
    graph.add_operator("STABLEHLO_SCATTER", [x, i, u], [y], options)
    graph.set_outputs([y])
    with pytest.raises(UnsupportedError, match="the body computes SUB"):
        tflite2x.Interpreter(model).run([np.zeros(2, np.float32), np.zeros((1, 1), np.int32), np.zeros(1, np.float32)])


REDUCTIONS = ("ADD", "MUL", "MINIMUM", "MAXIMUM", "ALL", "ANY")
REDUCED = st.sampled_from(["float32", "float64", "int8", "int16", "int32", "int64", "uint8"])


def window_length(n, size, stride, dilation):
    reach = (size - 1) * dilation + 1
    return (n - reach) // stride + 1 if n >= reach else 0


@cases
@given(rngs, shapes(1, 4, 6), st.data(), REDUCED, st.sampled_from(REDUCTIONS))
def test_reduce_window(rng, shape, data, dtype, name):
    rank = len(shape)

    def vector(low, high):
        return data.draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    dilation = vector(1, 2)
    size = [data.draw(st.integers(1, (n - 1) // d + 1)) for n, d in zip(shape, dilation, strict=True)]
    stride = vector(1, 3)
    result = [window_length(*v) for v in zip(shape, size, stride, dilation, strict=True)]
    model = tflite2x.Model.new()
    graph = model.main
    inputs = [graph.add_input("x", shape, dtype), graph.add_input("start", (), dtype)]
    inputs += [
        graph.add_constant(n, np.array(v, np.int64)) for n, v in zip("wsd", (size, stride, dilation), strict=True)
    ]
    y = graph.add_tensor("y", result, dtype)
    graph.add_operator("REDUCE_WINDOW", inputs, [y], ReduceWindowOptions(reduce_function=ReduceWindowFunction[name]))
    graph.set_outputs([y])
    arrays = [nothing_but_numbers(random_array(rng, s, dtype)) for s in (shape, ())]
    compare(model, arrays)


@cases
@given(
    rngs, shapes(1, 3, 5), st.data(), REDUCED, st.sampled_from(["ADD", "MUL", "MAXIMUM", "MINIMUM", "MULTIPLY"])
)  # fmt: skip
def test_stablehlo_reduce_window(rng, shape, data, dtype, name):
    rank = len(shape)

    def vector(low, high):
        return data.draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    spacing, dilation, stride = vector(1, 3), vector(1, 2), vector(1, 3)
    # LiteRT crops by reading outside of the tensor when more is cut off than there is.
    edges = [data.draw(st.integers(-((n - 1) * s) // 2, 2)) for n, s in zip(shape, spacing, strict=True) for _ in "lh"]
    full = [
        (n - 1) * s + 1 + low + high for n, s, low, high in zip(shape, spacing, edges[0::2], edges[1::2], strict=True)
    ]
    if min(full) < 1:
        return
    size = [data.draw(st.integers(1, (n - 1) // d + 1)) for n, d in zip(full, dilation, strict=True)]
    result = [window_length(*v) for v in zip(full, size, stride, dilation, strict=True)]
    model = tflite2x.Model.new()
    prefix = "STABLEHLO_" if name in ("MULTIPLY", "ADD", "MAXIMUM", "MINIMUM") else ""
    body = add_body(model, name, dtype, prefix)
    graph = model.main
    inputs = [graph.add_input("x", shape, dtype), graph.add_input("start", (), dtype)]
    y = graph.add_tensor("y", result, dtype)
    options = StablehloReduceWindowOptions(
        window_dimensions=size, window_strides=stride, base_dilations=spacing, window_dilations=dilation,
        padding=edges, body_subgraph_index=body.index,
    )  # fmt: skip
    graph.add_operator("STABLEHLO_REDUCE_WINDOW", inputs, [y], options)
    graph.set_outputs([y])
    arrays = [nothing_but_numbers(random_array(rng, s, dtype)) for s in (shape, ())]
    compare(model, arrays)


def test_reductions_of_booleans():
    values = np.array(list(itertools.product([False, True], repeat=3)))
    for function, expected in (("ALL", values.all(axis=1)), ("ANY", values.any(axis=1))):
        model = tflite2x.Model.new()
        graph = model.main
        x = graph.add_input("x", values.shape, "bool")
        start = graph.add_constant("start", np.array(function == "ALL"))
        window = [
            graph.add_constant(n, np.array(v, np.int64)) for n, v in (("w", [1, 3]), ("s", [1, 1]), ("d", [1, 1]))
        ]
        y = graph.add_tensor("y", (8, 1), "bool")
        options = ReduceWindowOptions(reduce_function=ReduceWindowFunction[function])
        graph.add_operator("REDUCE_WINDOW", [x, start, *window], [y], options)
        graph.set_outputs([y])
        compare(model, [values])
        np.testing.assert_array_equal(tflite2x.Interpreter(model).run([values])[0][:, 0], expected)

# SPDX-License-Identifier: Apache-2.0
"""RESHAPE, SQUEEZE, EXPAND_DIMS, SHAPE, RANK, TRANSPOSE, and BITCAST between types of all widths, against LiteRT."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import (
    CASES,
    Value,
    assert_same,
    cases,
    check,
    one_operator,
    random_array,
    rngs,
    run_litert,
    shapes,
    steering,
)
from tflite2x.errors import ExecutionError
from tflite2x.interpreter.kernel import KernelContext
from tflite2x.interpreter.registry import find_kernel
from tflite2x.interpreter.specs import tensor_spec
from tflite2x.schema.enums import DimensionType, SparseIndexVector, TensorType
from tflite2x.schema.tables import (
    DensifyOptions,
    DimensionMetadata,
    ExpandDimsOptions,
    Int32Vector,
    ReshapeOptions,
    ShapeOptions,
    SparsityParameters,
    SqueezeOptions,
    TransposeOptions,
)

TYPES = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")


@st.composite
def reshapes(draw):
    source = draw(shapes(0, 4, least=draw(st.sampled_from([0, 1, 1]))))
    count = math.prod(source)
    if count == 0:
        return source, draw(st.sampled_from([[0, 3], [0, 1], [2, 0], [-1], [3, -1], list(source)]))
    target = []
    rest = count
    for _ in range(draw(st.integers(0, 3))):
        divisor = draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
        target.append(divisor)
        rest //= divisor
    if rest != 1:
        target.insert(draw(st.integers(0, len(target))), rest)
    if target and draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return source, target


@cases
@drawn(rngs, reshapes(), st.sampled_from((*TYPES, "string")), st.sampled_from(["constant", "live", "option"]))
def test_reshape(rng, both, dtype, how):
    source, target = both
    if dtype == "string" and (0 in source or not source):
        dtype = "int8"
    if target == [0] and how == "option":
        return  # the option [0] stands for a scalar
    inputs = [Value(random_array(rng, source, dtype))]
    if how != "option":
        inputs.append(steering(np.array(target, np.int32), how == "constant"))
    options = ReshapeOptions(new_shape=np.array(target or [0], np.int32)) if how == "option" else ReshapeOptions()
    got = check("RESHAPE", options, inputs, [(dtype, ())])
    assert got[0].ravel().tolist() == inputs[0].array.ravel().tolist()


def test_reshape_refuses_other_counts():
    model = one_operator(
        "RESHAPE", ReshapeOptions(), [Value(np.zeros((2, 3), np.int8)), steering([4], True)], [("int8", (4,))]
    )
    with pytest.raises(ExecutionError, match=r"operators\[0\] \(RESHAPE\).*6 elements.*\[2, 3\].*\[4\]"):
        tflite2x.Interpreter(model).run([np.zeros((2, 3), np.int8)])


@cases
@drawn(rngs, st.lists(st.sampled_from([1, 1, 2, 3]), max_size=5), st.data(), st.sampled_from((*TYPES, "string")))
def test_squeeze(rng, shape, data, dtype):
    ones = [i for i, n in enumerate(shape) if n == 1]
    if not shape and dtype == "string":
        dtype = "int8"
    named = data.draw(st.lists(st.sampled_from(ones), unique=True)) if ones else []
    named = [i - len(shape) if data.draw(st.booleans()) else i for i in named]
    inputs = [Value(random_array(rng, shape, dtype))]
    check("SQUEEZE", SqueezeOptions(squeeze_dims=np.array(named, np.int32)), inputs, [(dtype, ())])


@cases
@drawn(
    rngs,
    shapes(0, 4, least=0),
    st.data(),
    st.sampled_from(TYPES),
    st.booleans(),
    st.sampled_from([np.int32, np.int64]),
)
def test_expand_dims(rng, shape, data, dtype, constant, axis_type):
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    inputs = [Value(random_array(rng, shape, dtype)), steering(axis, constant, axis_type)]
    check("EXPAND_DIMS", ExpandDimsOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(0, 5, least=0), st.sampled_from(TYPES), st.sampled_from(["int32", "int64"]))
def test_shape_and_rank(rng, shape, dtype, out_type):
    inputs = [Value(random_array(rng, shape, dtype))]
    check("SHAPE", ShapeOptions(out_type=TensorType[out_type.upper()]), inputs, [(out_type, (len(shape),))])
    check("RANK", None, inputs, [("int32", ())])


@cases
@drawn(rngs, shapes(1, 6, 4, least=0), st.data(), st.sampled_from(TYPES), st.booleans())
def test_transpose(rng, shape, data, dtype, constant):
    perm = data.draw(st.permutations(range(len(shape))))
    perm = [p - len(shape) if data.draw(st.booleans()) else p for p in perm]
    inputs = [Value(random_array(rng, shape, dtype)), steering(perm, constant)]
    check("TRANSPOSE", TransposeOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(0, 3), st.sampled_from(TYPES[:-1]), st.sampled_from(TYPES[:-1]))
def test_bitcast(rng, shape, source, target):
    a, b = np.dtype(source).itemsize, np.dtype(target).itemsize
    if a < b:
        shape = (*shape, b // a)
    if source.startswith("float"):
        x = random_array(rng, shape, source)
    else:  # small patterns are ordinary float numbers
        x = np.abs(random_array(rng, shape, source)) & np.array(0x3F, source)
    check("BITCAST", None, [Value(x)], [(target, ())])


@cases
@drawn(rngs, st.integers(1, 6), st.integers(1, 6), st.sampled_from(("float32", "float16", "int8")))
def test_densify(rng, rows, columns, dtype):
    dense = random_array(rng, (rows, columns), dtype) * rng.integers(0, 2, (rows, columns)).astype(dtype)
    dense[0, 0] = 1  # a tensor without stored values would be no constant
    row, column = np.nonzero(dense)
    segments = np.searchsorted(row, np.arange(rows + 1))
    model = tflite2x.Model.new()
    graph = model.main
    sparse, y = graph.add_tensor("sparse", (rows, columns), dtype), graph.add_tensor("y", (rows, columns), dtype)
    sparse.buffer = model.add_buffer(dense[row, column].tobytes())
    sparse.sparsity = SparsityParameters(
        traversal_order=[0, 1],
        dim_metadata=[
            DimensionMetadata(dense_size=rows),
            DimensionMetadata(
                format=DimensionType.SPARSE_CSR,
                array_segments_type=SparseIndexVector.Int32Vector,
                array_segments=Int32Vector(values=segments.tolist()),
                array_indices_type=SparseIndexVector.Int32Vector,
                array_indices=Int32Vector(values=column.tolist()),
            ),
        ],
    )
    graph.add_operator("DENSIFY", [sparse], [y], DensifyOptions())
    graph.set_outputs([y])
    expected = run_litert(tflite2x.dumps(model), [], "BUILTIN_REF")[0]
    got = tflite2x.Interpreter(model).run([])[0]
    assert_same(got, expected)
    assert_same(got, dense)
    CASES["DENSIFY"] += 1


@pytest.mark.parametrize("is_variable", [True, False])
def test_only_what_comes_from_a_variable_is_copied(is_variable):
    """Variables change in place later; a view of one would change with it."""
    model = one_operator(
        "RESHAPE",
        ReshapeOptions(),
        [Value(np.zeros((1, 4), np.float32)), steering([2, 2], True)],
        [("float32", (2, 2))],
    )
    op = model.main.operators[0]
    state, shape = (tensor_spec(t) for t in op.inputs)
    context = KernelContext(
        op=op,
        inputs=(dataclasses.replace(state, is_variable=is_variable), shape),
        outputs=(tensor_spec(op.outputs[0]),),
        intermediates=(),
        rounding="single",
        runtime=None,
    )
    value = np.zeros((1, 1, 4), np.float32)
    result = find_kernel(op).prepare(context)([value, np.array([[2, 2]], np.int32)])[0]
    assert np.shares_memory(result, value) is not is_variable

# SPDX-License-Identifier: Apache-2.0
"""BATCH_MATMUL against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs
from tests.interpreter.quantities import quantization_of
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import BatchMatMulOptions


@st.composite
def operands(draw, batch_rank=3):
    """Draw the shapes of both operands, with broadcasting batch axes, and whether they are transposed."""
    rows, depth, columns = (draw(st.integers(1, n)) for n in (5, 40, 5))
    batch = draw(st.lists(st.integers(1, 3), max_size=batch_rank))

    def side(matrix):
        kept = batch[draw(st.integers(0, len(batch))) :]
        return [draw(st.sampled_from([n, 1])) for n in kept] + matrix

    adj_x, adj_y = draw(st.booleans()), draw(st.booleans())
    left = side([depth, rows] if adj_x else [rows, depth])
    right = side([columns, depth] if adj_y else [depth, columns])
    return left, right, adj_x, adj_y


@pytest.mark.parametrize(
    "types",
    [
        ("float32", "float32", "float32"), ("int8", "int8", "int8"), ("int8", "int8", "int32"),
        ("int16", "int16", "int16"), ("int16", "int8", "int16"),
    ],
)  # fmt: skip
@cases
@drawn(rngs, operands(), st.booleans())
def test_batch_matmul(types, rng, shapes, constant):
    left, right, adj_x, adj_y = shapes
    kinds = [random_array(rng, s, t) for s, t in zip((left, right), types, strict=False)]
    xq = yq = zq = {}
    if types[0] != "float32":
        xq, yq = quantization_of(rng, types[0]), quantization_of(rng, types[1])
        if types[0] == "int16":
            yq["zero_point"] = 0
        depth = left[-2] if adj_x else left[-1]
        spread = np.sqrt(depth) * np.iinfo(types[0]).max * np.iinfo(types[1]).max / 3
        zq = quantization_of(rng, types[2] if types[2] != "int32" else "int16")
        zq["scale"] = xq["scale"] * yq["scale"] * spread / np.iinfo(types[0]).max * 2
        if types[2] == "int32":
            xq["zero_point"] = yq["zero_point"] = 0
    inputs = [Value(kinds[0], quantization=xq), Value(kinds[1], constant, quantization=yq)]
    options = BatchMatMulOptions(adj_x=adj_x, adj_y=adj_y)
    rank = max(len(left), len(right))
    check("BATCH_MATMUL", options, inputs, [(types[2], (1,) * rank, zq)], tolerance=1e-6, version=4)


@cases
@drawn(rngs, operands(), st.booleans(), st.booleans())
def test_hybrid(rng, shapes, asymmetric, per_channel):
    left, right, adj_x, adj_y = shapes
    # There LiteRT takes sums of weights that it did not compute.
    assume(not asymmetric or (sum(n > 1 for n in right[:-2]) < 2 and not (len(right) == 5 and right[0] > 1)))
    w = rng.integers(-127, 127, right).astype(np.int8)
    wq = {"scale": float(rng.uniform(0.001, 0.1))}
    columns_axis = len(right) - (2 if adj_y else 1)
    if per_channel and right[columns_axis] > 1:
        wq = {"scale": list(rng.uniform(0.001, 0.1, right[columns_axis])), "quantized_dimension": columns_axis}
    inputs = [
        Value(rng.standard_normal(left).astype(np.float32)),
        Value(w, constant=True, quantization=wq),
    ]
    options = BatchMatMulOptions(adj_x=adj_x, adj_y=adj_y, asymmetric_quantize_inputs=asymmetric)
    rank = max(len(left), len(right))
    check("BATCH_MATMUL", options, inputs, [("float32", (1,) * rank)], version=4)


def test_names_shapes_that_do_not_fit() -> None:
    inputs = [Value(np.zeros((2, 3), np.float32)), Value(np.zeros((4, 2), np.float32))]
    model = one_operator("BATCH_MATMUL", BatchMatMulOptions(), inputs, [("float32", (2, 2))])
    with pytest.raises(ExecutionError, match=r"matrices \(2, 3\) and \(4, 2\) do not fit"):
        tflite2x.Interpreter(model).run([v.array for v in inputs])

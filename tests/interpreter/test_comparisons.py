# SPDX-License-Identifier: Apache-2.0
"""Comparisons and logical operators against LiteRT's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.interpreter.one_operator import Value, cases, check, random_array, rngs, shapes
from tests.interpreter.quantizations import all_pairs, broadcast_shapes, quantizations
from tflite2x.schema.tables import (
    EqualOptions,
    GreaterEqualOptions,
    GreaterOptions,
    LessEqualOptions,
    LessOptions,
    LogicalAndOptions,
    LogicalNotOptions,
    LogicalOrOptions,
    NotEqualOptions,
)

OPTIONS: dict[str, Any] = {
    "EQUAL": EqualOptions, "NOT_EQUAL": NotEqualOptions, "LESS": LessOptions, "LESS_EQUAL": LessEqualOptions,
    "GREATER": GreaterOptions, "GREATER_EQUAL": GreaterEqualOptions,
}  # fmt: skip
NAMES = list(OPTIONS)


@pytest.mark.parametrize("op", NAMES)
@cases
@given(data=st.data(), dtype=st.sampled_from(["int8", "uint8"]), close=st.booleans())
def test_all_pairs_of_bytes(op: str, data: st.DataObject, dtype: str, close: bool) -> None:
    a, b = (data.draw(quantizations(dtype, -12, 3)) for _ in range(2))
    assume(a["scale"] != 1 and b["scale"] != 1)  # LiteRT aborts
    if close:
        b["scale"] = a["scale"]
    check(op, OPTIONS[op](), all_pairs(dtype, a, b), [("bool", (256, 256))])


@pytest.mark.parametrize(
    ("op", "dtype"),
    [(op, dtype) for op in NAMES for dtype in ("float32", "int16", "int32", "int64")
     if (op, dtype) != ("NOT_EQUAL", "int16")],  # there LiteRT writes nothing
)  # fmt: skip
@cases
@given(shape=broadcast_shapes(), rng=rngs, small=st.booleans())
def test_plain(op: str, dtype: str, shape: Any, rng: Any, small: bool) -> None:
    arrays = [random_array(rng, s, dtype) for s in shape[:2]]
    if small:
        arrays = [np.asarray(np.rint(a % 3)).astype(dtype) for a in arrays]
    elif dtype == "float32":
        arrays = [np.where(rng.random(a.shape) < 0.3, np.float32("nan"), a) for a in arrays]
    check(op, OPTIONS[op](), [Value(np.asarray(a)) for a in arrays], [("bool", shape[2])])


@pytest.mark.parametrize("op", ["EQUAL", "NOT_EQUAL"])
@cases
@given(data=st.data(), shape=broadcast_shapes(), rng=rngs)
def test_quantized_int16(op: str, data: st.DataObject, shape: Any, rng: Any) -> None:
    a, b = (data.draw(quantizations("int16", -15, -1)) for _ in range(2))
    arrays = [(random_array(rng, s, "int16") % 5).astype(np.int16) for s in shape[:2]]
    inputs = [Value(x, quantization=q) for x, q in zip(arrays, (a, b), strict=True)]
    check(op, OPTIONS[op](), inputs, [("bool", shape[2])])


@pytest.mark.parametrize("op", ["EQUAL", "NOT_EQUAL"])
@pytest.mark.parametrize("dtype", ["bool", "string"])
@cases
@given(shape=broadcast_shapes(4), rng=rngs)
def test_truth_and_text(op: str, dtype: str, shape: Any, rng: Any) -> None:
    assume(dtype == "bool" or () not in shape)  # LiteRT's Python interface takes no scalar strings
    arrays = [random_array(rng, s, dtype) for s in shape[:2]]
    if dtype == "string" and rng.random() < 0.5 and arrays[1].size == arrays[0].size:
        arrays[1] = arrays[0].reshape(arrays[1].shape)
    check(op, OPTIONS[op](), [Value(a) for a in arrays], [("bool", shape[2])])


@pytest.mark.parametrize(("op", "options"), [("LOGICAL_AND", LogicalAndOptions), ("LOGICAL_OR", LogicalOrOptions)])
@cases
@given(shape=broadcast_shapes(), rng=rngs)
def test_logical(op: str, options: Any, shape: Any, rng: Any) -> None:
    check(op, options(), [Value(random_array(rng, s, "bool")) for s in shape[:2]], [("bool", shape[2])])


@cases
@given(shape=shapes(), rng=rngs)
def test_logical_not(shape: Any, rng: Any) -> None:
    check("LOGICAL_NOT", LogicalNotOptions(), [Value(random_array(rng, shape, "bool"))], [("bool", shape)])

# SPDX-License-Identifier: Apache-2.0
"""Operators that set the type of their output, whatever the file says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.interpreter.one_operator import Value, check, steering
from tflite2x.errors import UnsupportedError
from tflite2x.schema.enums import TensorType
from tflite2x.schema.tables import ArgMaxOptions, ShapeOptions

_FLOATS = np.array([[1, 0, 2], [0, 4, 5]], np.float32)
_BOOLS = _FLOATS > 0
_BYTES = Value(np.array([[1, -2, 3]], np.int8), quantization={"scale": 0.5, "zero_point": 1})


@pytest.mark.parametrize("declared", ["int32", "int64", "float32", "uint8", "bool"])
@pytest.mark.parametrize(
    ("op", "options", "inputs", "wanted"),
    [
        ("RANK", None, [Value(_FLOATS)], np.int32),
        ("SHAPE", ShapeOptions(out_type=TensorType.INT32), [Value(_FLOATS)], np.int32),
        ("SHAPE", ShapeOptions(out_type=TensorType.INT64), [Value(_FLOATS)], np.int64),
        ("WHERE", None, [Value(_BOOLS)], np.int64),
        ("EQUAL", None, [Value(_FLOATS), Value(np.float32([0]))], np.bool_),
        ("LOGICAL_AND", None, [Value(_BOOLS), Value(_BOOLS)], np.bool_),
        ("DEQUANTIZE", None, [_BYTES], np.float32),
        ("ARG_MAX", ArgMaxOptions(output_type=TensorType.INT64), [Value(_FLOATS), steering(1, True)], np.int64),
    ],
)
def test_wrong_declarations(op: str, options: Any, inputs: Any, wanted: Any, declared: str) -> None:
    (got,) = check(op, options, inputs, [(declared, (1,))])
    assert got.dtype == wanted


def test_a_wrong_declaration_reaches_the_next_operator() -> None:
    """CAST sees int32 and not the float32 that the file says."""
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (2, 3), "float32")
    rank = graph.add_tensor("rank", (), "float32")
    graph.add_operator("RANK", [x], [rank])
    y = graph.add_tensor("y", (), "int64")
    graph.add_operator("CAST", [rank], [y])
    graph.set_outputs([y])
    (got,) = tflite2x.Interpreter(model).run([np.zeros((2, 3), np.float32)])
    assert got.dtype == np.int64
    assert got == 2


def test_a_shape_is_an_integer() -> None:
    """LiteRT refuses a type other than int32 and int64, too."""
    model = tflite2x.Model.build("SHAPE", [np.zeros((2, 3), np.float32)], [{"shape": (2,), "dtype": "float32"}])
    with pytest.raises(UnsupportedError, match="gives int32 or int64"):
        tflite2x.Interpreter(model).run([])

# SPDX-License-Identifier: Apache-2.0
"""HASHTABLE, HASHTABLE_IMPORT, HASHTABLE_FIND and HASHTABLE_SIZE against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.interpreter.stateful import compare
from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.schema.enums import TensorType
from tflite2x.schema.tables import CallOnceOptions, HashtableOptions


def strings(*values: bytes):
    result = np.empty(len(values), object)
    result[:] = values
    return result


def table_model(keys, values, default, key_type, value_type, *, fill=True) -> tflite2x.Model:
    """Make a model that fills a table once and then looks keys up."""
    model = tflite2x.Model.new()
    options = HashtableOptions(
        table_id=4, key_dtype=TensorType[key_type.upper()], value_dtype=TensorType[value_type.upper()]
    )
    start = model.add_subgraph("start")
    handle = start.add_tensor("handle", (1,), "resource")
    start.add_operator("HASHTABLE", [], [handle], options)
    if fill:
        inputs = [handle, start.add_constant("keys", keys), start.add_constant("values", values)]
        start.add_operator("HASHTABLE_IMPORT", inputs, [])
    graph = model.main
    graph.add_operator("CALL_ONCE", [], [], CallOnceOptions(init_subgraph_index=start.index))
    asked = graph.add_input("asked", (3,), key_type)
    handle = graph.add_tensor("handle", (1,), "resource")
    found, size = graph.add_tensor("found", (3,), value_type), graph.add_tensor("size", (1,), "int64")
    graph.add_operator("HASHTABLE", [], [handle], options)
    graph.add_operator("HASHTABLE_FIND", [handle, asked, graph.add_constant("default", default)], [found])
    graph.add_operator("HASHTABLE_SIZE", [handle], [size])
    graph.set_outputs([found, size])
    return model


NUMBERS = np.array([5, -7, 5, 2**40], np.int64)
WORDS = strings(b"five", b"minus", b"again", b"")


def test_numbers_to_strings():
    model = table_model(NUMBERS, WORDS, strings(b"none"), "int64", "string")
    runs = [[np.array(values, np.int64)] for values in ([5, -7, 2**40], [0, 1, 5])]
    results = compare(model, runs, resolver="BUILTIN")
    assert results[0][0].tolist() == [b"five", b"minus", b""]
    assert results[1][0].tolist() == [b"none", b"none", b"five"]
    assert results[0][1].tolist() == [3]


def test_strings_to_numbers():
    keys = strings(b"a", b"bc", b"a", b"zz")
    model = table_model(keys, np.array([1, 2, 3, 4], np.int64), np.array([-1], np.int64), "string", "int64")
    results = compare(model, [[strings(b"a", b"zz", b"")], [strings(b"bc", b"b", b"zzz")]], resolver="BUILTIN")
    assert results[0][0].tolist() == [1, 4, -1]
    assert results[1][0].tolist() == [2, -1, -1]


def test_empty_table_and_reset():
    model = table_model(NUMBERS, WORDS, strings(b"none"), "int64", "string", fill=False)
    engine = tflite2x.Interpreter(model)
    for _ in range(2):
        found, size = engine.run([np.array([5, 6, 7], np.int64)])
        assert found.tolist() == [b"none"] * 3
        assert size.tolist() == [0]
        engine.reset()


def test_refusals():
    model = table_model(NUMBERS, NUMBERS, NUMBERS[:1], "int64", "int64")
    with pytest.raises(UnsupportedError, match="a table from INT64 to INT64"):
        tflite2x.Interpreter(model).run([np.zeros(3, np.int64)])
    model = table_model(NUMBERS, WORDS[:2], strings(b"none"), "int64", "string")
    with pytest.raises(ExecutionError, match="4 keys for 2 values"):
        tflite2x.Interpreter(model).run([np.zeros(3, np.int64)])
    other = table_model(NUMBERS, WORDS, strings(b"none"), "int64", "string")
    other.main.remove_operator(other.main.operators[0])
    number = other.main.add_input("number", (1,), "resource")
    for op in other.main.operators[1:]:
        op.set_input(0, number)
    with pytest.raises(ExecutionError, match="no hash table 9"):
        tflite2x.Interpreter(other).run([np.zeros(3, np.int64), np.array([9], np.int32)])

# SPDX-License-Identifier: Apache-2.0
"""IF, WHILE, CALL_ONCE, composites, cases, and resource variables against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.interpreter.stateful import compare, run_litert
from tflite2x.errors import ExecutionError, InputError, UnsupportedError
from tflite2x.schema.tables import (
    AddOptions,
    AssignVariableOptions,
    CallOnceOptions,
    ConcatenationOptions,
    IfOptions,
    LessOptions,
    MulOptions,
    ReadVariableOptions,
    ReshapeOptions,
    StablehloCaseOptions,
    StableHLOCompositeOptions,
    VarHandleOptions,
    WhileOptions,
)

f32 = np.float32


def binary_subgraph(model, name, op, options, shape=(2,), constant=None):
    """Add a subgraph that combines its two inputs, or its input and a constant."""
    graph = model.add_subgraph(name)
    a = graph.add_input("a", shape, "float32")
    b = (
        graph.add_input("b", shape, "float32")
        if constant is None
        else graph.add_constant("b", np.asarray(constant, f32))
    )
    y = graph.add_tensor("y", shape, "float32")
    graph.add_operator(op, [a, b], [y], options)
    graph.set_outputs([y])
    return graph


def if_model() -> tflite2x.Model:
    model = tflite2x.Model.new()
    graph = model.main
    condition = graph.add_input("condition", (), "bool")
    a, b = graph.add_input("a", (2,), "float32"), graph.add_input("b", (2,), "float32")
    y = graph.add_tensor("y", (2,), "float32")
    then = binary_subgraph(model, "then", "ADD", AddOptions())
    otherwise = binary_subgraph(model, "else", "MUL", MulOptions())
    options = IfOptions(then_subgraph_index=then.index, else_subgraph_index=otherwise.index)
    graph.add_operator("IF", [condition, a, b], [y], options)
    graph.set_outputs([y])
    return model


def test_if():
    a, b = np.array([1, 2], f32), np.array([3, 5], f32)
    results = compare(if_model(), [[np.array(True), a, b], [np.array(False), a, b]])
    assert results[0][0].tolist() == [4, 7]
    assert results[1][0].tolist() == [3, 10]


def test_if_with_several_elements_is_refused():
    model = if_model()
    model.main.inputs[0].shape = (2,)
    with pytest.raises(ExecutionError, match="the condition has 2 elements"):
        tflite2x.Interpreter(model).run([np.array([True, False]), np.zeros(2, f32), np.zeros(2, f32)])


def test_calls_must_fit():
    model = if_model()
    model.main.operators[0].set_inputs(model.main.inputs[:2])
    with pytest.raises(UnsupportedError, match="has 2 inputs and 1 outputs, not 1 and 1"):
        tflite2x.Interpreter(model).run([np.array(True), np.zeros(2, f32), np.zeros(2, f32)])


LOOP = (("i", (), "int32"), ("n", (), "int32"), ("x", (2,), "float32"))


def while_model() -> tflite2x.Model:
    """Make a loop that doubles x until its counter reaches the limit."""
    model = tflite2x.Model.new()
    condition = model.add_subgraph("condition")
    i, limit, _ = (
        condition.add_input(n, s, t) for n, s, t in (("i", (), "int32"), ("n", (), "int32"), ("x", (2,), "float32"))
    )
    go = condition.add_tensor("go", (), "bool")
    condition.add_operator("LESS", [i, limit], [go], LessOptions())
    condition.set_outputs([go])
    body = model.add_subgraph("body")
    i, limit, x = (
        body.add_input(n, s, t) for n, s, t in (("i", (), "int32"), ("n", (), "int32"), ("x", (2,), "float32"))
    )
    one = body.add_constant("one", np.int32(1))
    following, doubled = body.add_tensor("i1", (), "int32"), body.add_tensor("x1", (2,), "float32")
    body.add_operator("ADD", [i, one], [following], AddOptions())
    body.add_operator("ADD", [x, x], [doubled], AddOptions())
    body.set_outputs([following, limit, doubled])
    graph = model.main
    inputs = [graph.add_input(*v) for v in LOOP]
    outputs = [graph.add_tensor(f"o{i}", t.shape, t.dtype) for i, t in enumerate(inputs)]
    options = WhileOptions(cond_subgraph_index=condition.index, body_subgraph_index=body.index)
    graph.add_operator("WHILE", inputs, outputs, options)
    graph.set_outputs([outputs[0], outputs[2]])
    return model


def test_while():
    runs = [[np.int32(0), np.int32(n), np.array([1, 3], f32)] for n in (3, 0, 5)]
    results = compare(while_model(), [[np.asarray(v) for v in run] for run in runs])
    assert [r[1].tolist() for r in results] == [[8, 24], [1, 3], [32, 96]]


def growing_loop() -> tflite2x.Model:
    """Make a loop whose value gets longer with every turn."""
    model = while_model()
    body = model.subgraphs[2]
    body.operators[1].set_code("CONCATENATION")
    body.operators[1].options = ConcatenationOptions(axis=0)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.dtype.name == "FLOAT32":
                tensor.shape_signature = (-1,)
    return model


def test_loop_with_growing_shape():
    model = growing_loop()
    engine = tflite2x.Interpreter(model)
    inputs = [np.array(0, np.int32), np.array(2, np.int32), np.array([1, 3], f32)]
    expected = run_litert(tflite2x.dumps(model), [inputs])[0]
    for got, want in zip(engine.run(inputs), expected, strict=True):
        np.testing.assert_array_equal(got, want)
    together = engine.run_batch([np.zeros(2, np.int32), np.full(2, 1, np.int32), np.ones((2, 2), f32)])
    assert together[1].shape == (2, 4)
    with pytest.raises(ExecutionError, match="output 1 has different shapes"):
        engine.run_batch([np.zeros(2, np.int32), np.array([1, 2], np.int32), np.ones((2, 2), f32)])


def test_trace_of_a_batch_goes_through_called_subgraphs():
    model = while_model()
    batch = [np.zeros(3, np.int32), np.array([1, 2, 3], np.int32), np.ones((3, 2), f32)]
    trace = tflite2x.Interpreter(model).trace(batch, batched=True)
    assert trace[model.main.outputs[1]].tolist() == [[2, 2], [4, 4], [8, 8]]
    body = model.subgraphs[2]
    assert trace[body.outputs[0]].tolist() == [1, 2, 3]


def test_composite():
    model = tflite2x.Model.new()
    body = binary_subgraph(model, "body", "MUL", MulOptions(), constant=[2, 3])
    graph = model.main
    x, y = graph.add_input("x", (2,), "float32"), graph.add_tensor("y", (2,), "float32")
    options = StableHLOCompositeOptions(
        name="my.op", decomposition_subgraph_index=body.index, composite_attributes=b"\x00\x00\x01"
    )
    graph.add_operator("STABLEHLO_COMPOSITE", [x], [y], options)
    graph.set_outputs([y])
    results = compare(model, [[np.array([1, 2], f32)], [np.array([-1, 4], f32)]])
    assert results[1][0].tolist() == [-2, 12]


def test_case():
    model = tflite2x.Model.new()
    graph = model.main
    number = graph.add_input("number", (), "int32")
    x, y = graph.add_input("x", (2,), "float32"), graph.add_tensor("y", (2,), "float32")
    branches = [binary_subgraph(model, f"b{i}", "ADD", AddOptions(), constant=[i, i]) for i in (10, 20, 30)]
    options = StablehloCaseOptions(branch_subgraph_indices=[b.index for b in branches])
    graph.add_operator("STABLEHLO_CASE", [number, x], [y], options)
    graph.set_outputs([y])
    runs = [[np.array(i, np.int32), np.array([1, 2], f32)] for i in (0, 2, 1)]
    results = compare(model, runs, resolver="BUILTIN")
    assert [r[0][0] for r in results] == [11, 31, 21]
    assert tflite2x.Interpreter(model).run([np.int32(-1), np.zeros(2, f32)])[0][0] == 30


def variable_model(initial=None) -> tflite2x.Model:
    """Make a model that adds its input to a resource variable and returns the sum."""
    model = tflite2x.Model.new()
    graph = model.main
    if initial is not None:
        start = model.add_subgraph("start")
        handle = start.add_tensor("handle", (1,), "resource")
        start.add_operator("VAR_HANDLE", [], [handle], VarHandleOptions(container="", shared_name="sum"))
        value = start.add_constant("value", np.asarray(initial, f32))
        start.add_operator("ASSIGN_VARIABLE", [handle, value], [], AssignVariableOptions())
        graph.add_operator("CALL_ONCE", [], [], CallOnceOptions(init_subgraph_index=start.index))
    x = graph.add_input("x", (2,), "float32")
    other = graph.add_tensor("other", (1,), "resource")
    graph.add_operator("VAR_HANDLE", [], [other], VarHandleOptions(container="", shared_name="unused"))
    handle = graph.add_tensor("handle", (1,), "resource")
    graph.add_operator("VAR_HANDLE", [], [handle], VarHandleOptions(container="", shared_name="sum"))
    old, new = graph.add_tensor("old", (2,), "float32"), graph.add_tensor("new", (2,), "float32")
    graph.add_operator("READ_VARIABLE", [handle], [old], ReadVariableOptions())
    graph.add_operator("ADD", [old, x], [new], AddOptions())
    graph.add_operator("ASSIGN_VARIABLE", [handle, new], [], AssignVariableOptions())
    graph.set_outputs([new])
    return model


def test_resource_variables():
    results = compare(variable_model([10, 20]), [[np.array([i, 1], f32)] for i in range(4)])
    assert [r[0].tolist() for r in results] == [[10, 21], [11, 22], [13, 23], [16, 24]]


def test_resource_variables_of_batches():
    engine = tflite2x.Interpreter(variable_model([0, 0]))
    batch = np.array([[1, 2], [3, 4]], f32)
    engine.run_batch([batch])
    np.testing.assert_array_equal(engine.run_batch([batch])[0], 2 * batch)
    with pytest.raises(InputError, match="batch of 2 samples"):
        engine.run([batch[0]])
    engine.reset()
    np.testing.assert_array_equal(engine.run([batch[0]])[0], batch[0])


def test_reading_before_assigning():
    with pytest.raises(ExecutionError, match="variable 1 is read before it has a value"):
        tflite2x.Interpreter(variable_model()).run([np.zeros(2, f32)])


def test_reading_in_the_shape_of_the_tensor():
    model = variable_model([[1, 2]])
    engine = tflite2x.Interpreter(model)
    assert engine.run([np.array([1, 1], f32)])[0].tolist() == [2, 3]


def test_a_failed_batch_leaves_the_state_alone():
    """Samples that decide differently run again one by one, from the state before."""
    model = variable_model([0, 0])
    graph = model.main
    condition = graph.add_input("condition", (), "bool")
    then = binary_subgraph(model, "then", "ADD", AddOptions(), constant=[100, 100])
    otherwise = binary_subgraph(model, "else", "ADD", AddOptions(), constant=[200, 200])
    total = graph.outputs[0]
    y = graph.add_tensor("y", (2,), "float32")
    options = IfOptions(then_subgraph_index=then.index, else_subgraph_index=otherwise.index)
    graph.add_operator("IF", [condition, total], [y], options)
    graph.set_outputs([y])
    engine = tflite2x.Interpreter(model)
    batch = [np.array([[1, 2], [3, 4]], f32), np.array([True, False])]
    assert engine.run_batch(batch)[0].tolist() == [[101, 102], [203, 204]]
    assert engine.run_batch(batch)[0].tolist() == [[102, 104], [206, 208]]


def test_variables_inside_of_branches():
    """A variable that only some samples change keeps one value per sample."""
    model = variable_model([0, 0])
    inner = model.main
    outer = model.add_subgraph("outer")
    condition, x = outer.add_input("condition", (), "bool"), outer.add_input("x", (2,), "float32")
    y = outer.add_tensor("y", (2,), "float32")
    keep = model.add_subgraph("keep")
    a, b = keep.add_input("a", (2,), "float32"), keep.add_tensor("b", (2,), "float32")
    shape = keep.add_constant("shape", np.array([2], np.int32))
    keep.add_operator("RESHAPE", [a, shape], [b], ReshapeOptions())
    keep.set_outputs([b])
    options = IfOptions(then_subgraph_index=inner.index, else_subgraph_index=keep.index)
    outer.add_operator("IF", [condition, x], [y], options)
    outer.set_outputs([y])
    engine = tflite2x.Interpreter(model)
    batch = [np.array([True, True, True]), np.ones((3, 2), f32)]
    engine.run_batch(batch, subgraph=outer)
    mixed = [np.array([True, False, True]), np.ones((3, 2), f32)]
    assert engine.run_batch(mixed, subgraph=outer)[0].tolist() == [[2, 2], [1, 1], [2, 2]]
    assert engine.run_batch(batch, subgraph=outer)[0].tolist() == [[3, 3], [2, 2], [3, 3]]

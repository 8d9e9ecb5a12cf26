# SPDX-License-Identifier: Apache-2.0
"""cleanup and its four parts: what nothing uses goes, what has effects stays."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain
from tflite2x import Pipeline, Verify
from tflite2x.ir import Model
from tflite2x.schema.tables import AssignVariableOptions, CallOnceOptions, VarHandleOptions


def messy() -> Model:
    model = chain(float_io=False)
    graph = model.main
    x = graph.inputs[0]
    one = graph.add_tensor("one", x.shape, "int8", scale=0.1)
    two = graph.add_tensor("two", x.shape, "int8", scale=0.1)
    graph.add_operator("QUANTIZE", [x], [one])
    graph.add_operator("QUANTIZE", [one], [two], version=2)
    graph.add_constant("orphan", np.arange(1000, dtype=np.int32))
    model.add_buffer(b"used by nothing")
    model.add_metadata("note", b"kept")
    model.operator_code("CONV_2D")
    return model


def test_cleanup() -> None:
    want = tflite2x.dumps(chain(float_io=False))
    model = messy()
    report = Pipeline.parse("cleanup").run(model, Verify())
    counts = {what: n for row in report.passes for what, n in row.result.counts.items()}
    assert counts == {
        "operators removed": 2,
        "tensors removed": 3,
        "buffers removed": 2,
        "bytes freed": 4015,
        "operator codes removed": 3,
    }
    assert [bytes(m.data) for m in model.metadata] == [b"kept"]
    for entry in model.metadata:
        model.remove_metadata(entry)
    Pipeline.parse("remove-unused-buffers").run(model)
    assert len(tflite2x.dumps(model)) <= len(want) + 16
    assert [op.name for op in model.main.operators] == ["FULLY_CONNECTED"] * 3
    assert model.buffers[0].data is None
    assert all(row.verdict.method == "same computation" for row in report.passes if row.verdict)


def test_idempotent() -> None:
    model = messy()
    Pipeline.parse("cleanup").run(model)
    once = tflite2x.dumps(model)
    assert not Pipeline.parse("cleanup").run(model).modified
    assert tflite2x.dumps(model) == once


def stateful() -> Model:
    model = Model.new()
    graph = model.main
    start = model.add_subgraph("init")
    x = graph.add_input("x", (1, 2), "float32")
    graph.add_operator("CALL_ONCE", [], [], CallOnceOptions(init_subgraph_index=1))
    for g, value in ((start, start.add_constant("zero", np.zeros((1, 2), np.float32))), (graph, x)):
        handle = g.add_tensor("handle", (), "resource")
        g.add_operator("VAR_HANDLE", [], [handle], VarHandleOptions(container="", shared_name="v"))
        g.add_operator("ASSIGN_VARIABLE", [handle, value], [], AssignVariableOptions())
    dead = graph.add_tensor("dead handle", (), "resource")
    graph.add_operator("VAR_HANDLE", [], [dead], VarHandleOptions(container="", shared_name="other"))
    custom = graph.add_tensor("custom", (1, 2), "float32")
    graph.add_operator("SOMETHING", [x], [custom])
    random = graph.add_tensor("random", (2,), "float32")
    shape = graph.add_constant("shape", np.array([2], np.int32))
    graph.add_operator("RANDOM_UNIFORM", [shape], [random])
    y = graph.add_tensor("y", (1, 2), "float32")
    graph.add_operator("NEG", [x], [y])
    graph.set_outputs([y])
    return model


def test_effects_stay() -> None:
    model = stateful()
    report = Pipeline.parse("remove-dead-operators").run(model, Verify())
    assert [op.name for op in model.main.operators] == [
        "CALL_ONCE",
        "VAR_HANDLE",
        "ASSIGN_VARIABLE",
        "SOMETHING",
        "RANDOM_UNIFORM",
        "NEG",
    ]
    assert [op.name for op in model.subgraphs[1].operators] == ["VAR_HANDLE", "ASSIGN_VARIABLE"]
    assert [reason for _, _, reason in report.left_alone()] == [
        "nothing reads its outputs, but it draws random numbers",
        "nothing reads its outputs, but a custom operator may have effects",
    ]


def test_variables_stay() -> None:
    model = chain(float_io=False)
    graph = model.main
    graph.add_tensor("state", (1, 4), "float32", is_variable=True)
    report = Pipeline.parse("remove-unused-tensors").run(model)
    assert [t.name for t in graph.tensors if t.is_variable] == ["state"]
    assert report.left_alone()[0][2] == "nothing uses it, but it is a variable"


def test_buffers_that_are_shared_or_metadata_stay() -> None:
    model = chain(float_io=False)
    shared = model.add_buffer(np.arange(4, dtype=np.int8).tobytes())
    graph = model.main
    for name in ("p", "q"):
        graph.add_tensor(name, (4,), "int8").buffer = shared
    graph.remove_tensor(graph.tensors[-1])
    model.metadata_buffer.append(model.add_buffer(b"old style"))
    count = len(model.buffers)
    Pipeline.parse("remove-unused-buffers").run(model)
    assert len(model.buffers) == count


def test_outputs_of_called_subgraphs_are_alive() -> None:
    from tflite2x.schema.tables import IfOptions

    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 2), "float32")
    flag = graph.add_input("flag", (), "bool")
    for name in ("NEG", "ABS"):
        inner = model.add_subgraph(name.lower())
        a = inner.add_input("a", (1, 2), "float32")
        b, c = (inner.add_tensor(n, (1, 2), "float32") for n in "bc")
        inner.add_operator(name, [a], [b])
        inner.add_operator("EXP", [a], [c])
        inner.set_outputs([b])
    y = graph.add_tensor("y", (1, 2), "float32")
    graph.add_operator("IF", [flag, x], [y], IfOptions(then_subgraph_index=1, else_subgraph_index=2))
    graph.set_outputs([y])
    Pipeline.parse("cleanup").run(model, Verify())
    assert [[op.name for op in g.operators] for g in model.subgraphs] == [["IF"], ["NEG"], ["ABS"]]


@pytest.mark.parametrize("name", ["remove-unused-opcodes", "remove-unused-buffers", "remove-unused-tensors"])
def test_nothing_to_do(name: str) -> None:
    assert not Pipeline.parse(name).run(chain(), Verify()).modified

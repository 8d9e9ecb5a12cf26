# SPDX-License-Identifier: Apache-2.0
"""Many rewrites in one graph."""

from __future__ import annotations

import time

import numpy as np

import tflite2x
from tflite2x.schema.tables import ReshapeOptions


def _chain(operators: int) -> tflite2x.Model:
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "float32")
    for i in range(operators):
        shape = graph.add_constant(f"shape{i}", np.array([1, 4], np.int32))
        y = graph.add_tensor(f"t{i}", (1, 4), "float32")
        x = graph.add_operator("RESHAPE", [x, shape], [y], ReshapeOptions(new_shape=[1, 4])).outputs[0]
    y = graph.add_tensor("y", (1, 4), "float32")
    graph.add_operator("RELU", [x], [y])
    graph.set_outputs([y])
    return model


def _seconds(operators: int) -> float:
    model = _chain(operators)
    before = time.process_time()
    tflite2x.Pipeline.parse("remove-identities").run(model, verify=None)
    assert [op.name for op in model.main.operators] == ["RELU"]
    # The tensors that lost their producers are gone; unused constants are the work of another pass.
    assert {t.name for t in model.main.tensors if not t.is_constant} == {"x", "y"}
    return time.process_time() - before


def test_many_rewrites_cost_about_the_same_each():
    _seconds(10)
    assert _seconds(1600) < 30 * _seconds(200) + 0.1


def _edits(operators: int) -> float:
    """Insert an operator in front of each one and take each one away, one by one; returns the seconds."""
    graph = _chain(operators).main
    before = time.process_time()
    chain = graph.operators[:-1]
    for op in chain:
        y = graph.add_tensor(None, (1, 4), "float32")
        graph.add_operator("NEG", [op.inputs[0]], [y], before=op)
        op.set_input(0, y)
        assert graph.operators[op.index] is op
    for op in chain:
        graph.replace_all_uses(op.outputs[0], op.inputs[0])
        graph.remove_operator(op)
    seconds = time.process_time() - before
    graph.model.check()
    assert [op.name for op in graph.operators] == ["NEG"] * operators + ["RELU"]
    return seconds


def test_edits_cost_about_the_same_each():
    _edits(10)
    assert _edits(4000) < 30 * _edits(400) + 0.2

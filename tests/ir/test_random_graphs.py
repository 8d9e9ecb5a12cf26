# SPDX-License-Identifier: Apache-2.0
"""Random graphs survive a round trip, and random edits never leave a broken graph."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import tflite2x
from tests.ir.object_api import differences, read
from tests.ir.random_graphs import BINARY, UNARY, graphs
from tflite2x.errors import GraphError

#: Edit sequences; more with TFLITE2X_EXAMPLES for long runs.
EXAMPLES = int(os.environ.get("TFLITE2X_EXAMPLES", "150"))


@given(graphs())
def test_round_trip(model: tflite2x.Model) -> None:
    model.check()
    data = tflite2x.dumps(model)
    again = tflite2x.loads(data)
    again.check()
    assert tflite2x.dumps(again) == data
    assert tflite2x.dumps(model.clone()) == data
    assert not list(differences(read(data), read(tflite2x.dumps(again))))


def edit(model: tflite2x.Model, draw: Any) -> str:
    """Try one random edit, sensible or not; return its name."""
    graph = draw(st.sampled_from(model.subgraphs))
    kind = draw(st.sampled_from([
        "add", "remove operator", "remove operators", "remove tensor", "replace uses", "set input", "set inputs",
        "set output", "set graph inputs", "set graph outputs", "replace graph input", "replace graph output", "sort",
        "remove buffer", "remove code", "constant", "data", "foreign",
    ]))  # fmt: skip
    tensors, operators = list(graph.tensors), list(graph.operators)

    def tensor() -> tflite2x.Tensor:
        return draw(st.sampled_from(tensors))

    def operator() -> tflite2x.Operator:
        return draw(st.sampled_from(operators))

    if kind == "constant" or not tensors:
        graph.add_constant("k", [[1.0, 2.0, 3.0, 4.0]], dtype=None) if draw(st.booleans()) else graph.add_tensor(
            "n", (1, 4), "float32"
        )
    elif kind == "add":
        out = graph.add_tensor("new", (1, 4), "float32") if draw(st.booleans()) else tensor()
        index = draw(st.none() | st.integers(0, len(operators)))
        name = draw(st.sampled_from(UNARY + BINARY))
        graph.add_operator(name, [tensor(), tensor()], [out], index=index)
    elif kind == "remove tensor":
        graph.remove_tensor(tensor())
    elif kind == "replace uses":
        graph.replace_all_uses(tensor(), tensor())
    elif kind == "set graph inputs":
        graph.set_inputs(draw(st.lists(st.sampled_from(tensors), max_size=3)))
    elif kind == "set graph outputs":
        graph.set_outputs(draw(st.lists(st.sampled_from(tensors), max_size=3)))
    elif kind == "replace graph input":
        graph.replace_input(tensor(), tensor())
    elif kind == "replace graph output":
        graph.replace_output(tensor(), tensor())
    elif kind == "sort":
        graph.sort()
    elif kind == "remove buffer":
        model.remove_buffer(draw(st.sampled_from(model.buffers)))
    elif kind == "remove code" and model.operator_codes:
        model.remove_operator_code(draw(st.sampled_from(model.operator_codes)))
    elif kind == "data":
        t = tensor()
        t.data = (t.data if t.data is not None else 0) + 1  # type: ignore[assignment]
    elif kind == "foreign":
        stranger = tflite2x.Model.new().main.add_tensor("stranger", (1, 4), "float32")
        graph.replace_all_uses(tensor(), stranger)
    elif operators:
        op = operator()
        if kind == "remove operator":
            graph.remove_operator(op)
        elif kind == "remove operators":
            graph.remove_operators(draw(st.lists(st.sampled_from(operators), max_size=4)))
        elif kind == "set input":
            op.set_input(draw(st.integers(0, 2)), tensor())
        elif kind == "set inputs":
            op.set_inputs(draw(st.lists(st.sampled_from([*tensors, None]), max_size=3)))
        elif kind == "set output":
            op.set_output(draw(st.integers(0, 1)), tensor())
    return kind


def state(model: tflite2x.Model) -> list[Any]:
    """Everything that a refused edit must leave alone."""
    return [
        [
            (s.inputs, s.outputs, s.tensors, s.operators),
            [(o.inputs, o.outputs, o.code) for o in s.operators],
            [(t.producer, t.uses, t.buffer) for t in s.tensors],
        ]
        for s in model.subgraphs
    ] + [[(e.name, e.tensor) for e in (*s.input_entries, *s.output_entries)] for s in model.signatures]


@given(graphs(), st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_edits_keep_every_invariant(model: tflite2x.Model, data: Any) -> None:
    for _ in range(data.draw(st.integers(1, 8))):
        before = state(model)
        try:
            edit(model, data.draw)
        except GraphError as e:
            assert str(e)  # noqa: PT017 - a refusal is fine when it changed nothing
            after = state(model)
            # add and foreign make a loose tensor before the edit that is refused.
            assert [a[1] for a in after if len(a) == 3] == [b[1] for b in before if len(b) == 3]
        model.check()
        saved = tflite2x.dumps(model)
        assert tflite2x.dumps(tflite2x.loads(saved)) == saved

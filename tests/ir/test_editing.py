# SPDX-License-Identifier: Apache-2.0
"""The editing methods one by one: what they do, and what they refuse before anything changes."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tflite2x
from tflite2x.errors import GraphError
from tflite2x.ir import BlockQuantization, Quantization
from tflite2x.schema.enums import BuiltinOperator, TensorType
from tflite2x.schema.tables import FullyConnectedOptions, IfOptions, WhileOptions


@pytest.fixture
def chain() -> tflite2x.Model:
    """X -> RELU -> a -> TANH -> b -> LOGISTIC -> y, with a signature."""
    model = tflite2x.Model.new()
    g = model.main
    x = g.add_input("x", (1, 4), "float32")
    a, b, y = (g.add_tensor(n, (1, 4), "float32") for n in "aby")
    g.add_operator("RELU", [x], [a])
    g.add_operator("TANH", [a], [b])
    g.add_operator("LOGISTIC", [b], [y])
    g.set_outputs([y])
    model.add_signature("serve", g, inputs={"image": x}, outputs={"scores": y})
    return model


def names(model: tflite2x.Model) -> list[str]:
    return [op.name for op in model.main.operators]


def test_a_model_from_nothing() -> None:
    model = tflite2x.Model.new("text")
    assert model.buffers[0].data is None
    assert model.main.tensors == ()
    assert tflite2x.loads(tflite2x.dumps(model)).description == "text"


def test_a_model_of_one_operator() -> None:
    q = {"shape": (1, 4), "dtype": "int8", "scale": 0.5}
    model = tflite2x.Model.build(
        "FULLY_CONNECTED",
        [q, {"data": np.ones((2, 4), np.int8), "scale": 0.25, "name": "weights"}, None],
        [{"shape": (1, 2), "dtype": "int8", "scale": 1.0}],
        FullyConnectedOptions(),
        version=4,
    )
    assert repr(model.main.operators[0]) == "<Operator FULLY_CONNECTED -> 'output_0'>"
    assert [t.name for t in model.main.tensors] == ["input_0", "weights", "output_0"]
    assert tflite2x.Interpreter(model).run([np.full((1, 4), 4, np.int8)])[0].tolist() == [[2, 2]]


def test_custom_values() -> None:
    model = tflite2x.Model.build("Mine", [np.zeros(1, np.float32)], [{"shape": (1,), "dtype": "float32"}])
    op = model.main.operators[0]
    assert (op.custom_code, op.opcode, op.custom_values) == ("Mine", BuiltinOperator.CUSTOM, None)
    op.custom_values = {"par": {"th": 1, "cg": [[0, 15]]}}
    again = tflite2x.loads(tflite2x.dumps(model)).main.operators[0]
    assert again.custom_values == {"par": {"th": 1, "cg": [[0, 15]]}}
    again.custom_options = b"\x06beagle\xff\x30"
    with pytest.raises(tflite2x.errors.FormatError, match=r"operators\[0\] \(Mine\).custom_options: 9 bytes"):
        _ = again.custom_values


def test_def_use(chain: tflite2x.Model) -> None:
    g = chain.main
    x, a, b, y = g.tensors
    relu, tanh, _ = g.operators
    assert (a.producer, a.consumers, a.uses) == (relu, (tanh,), ((tanh, 0),))
    assert (x.producer, x.is_input, x.is_output) == (None, True, False)
    assert (y.consumers, y.is_output) == ((), True)
    assert (relu.index, b.index, relu.where) == (0, 2, "subgraphs[0].operators[0] (RELU)")
    assert g.tensor("b") is b
    with pytest.raises(GraphError, match="no tensor is called 'q'"):
        g.tensor("q")


def test_a_subgraph_holds_what_was_not_removed(chain: tflite2x.Model) -> None:
    g = chain.main
    first, *_, last = g.operators
    last_output = last.outputs[0]
    other = chain.add_subgraph("other")
    assert g.holds(first)
    assert g.holds(last_output)
    assert not other.holds(first)
    g.set_outputs(last.inputs)
    g.remove_operator(last)
    assert not g.holds(last)
    g.remove_tensor(last_output)
    assert not g.holds(last_output)


def test_bypass_and_remove(chain: tflite2x.Model) -> None:
    g = chain.main
    _, a, b, _ = g.tensors
    tanh = g.operators[1]
    with pytest.raises(GraphError, match=r"output 'b' is used by subgraphs\[0\].operators\[2\]"):
        g.remove_operator(tanh)
    g.replace_all_uses(b, a)
    g.remove_operator(tanh)
    assert names(chain) == ["RELU", "LOGISTIC"]
    g.remove_tensor(b)
    chain.check()
    with pytest.raises(GraphError, match="was removed"):
        _ = tanh.subgraph


def test_outputs_are_protected(chain: tflite2x.Model) -> None:
    g = chain.main
    with pytest.raises(GraphError, match="is an output of the graph"):
        g.remove_operator(g.operators[2])
    with pytest.raises(GraphError, match="used as output of operators"):
        g.remove_tensor(g.tensors[3])
    g.set_outputs([g.tensors[2]])
    # The signature's entry of the old output is gone, the new one is named after its tensor.
    assert list(chain.signatures[0].outputs) == ["b"]


def test_replaced_outputs_keep_their_names_in_signatures(chain: tflite2x.Model) -> None:
    g = chain.main
    g.replace_output(g.tensors[3], g.tensors[2])
    assert chain.signatures[0].outputs == {"scores": g.tensors[2]}
    new = g.add_tensor("x8", (1, 4), "float32")
    g.operators[0].set_input(0, new)
    g.replace_input(g.tensors[0], new)
    assert chain.signatures[0].inputs == {"image": new}
    assert g.inputs == (new,)


def test_insertion_finds_its_place(chain: tflite2x.Model) -> None:
    g = chain.main
    a = g.tensor("a")
    new = g.add_tensor("new", (1, 4), "float32")
    g.replace_all_uses(a, new)
    g.add_operator("ABS", [a], [new])
    assert names(chain) == ["RELU", "ABS", "TANH", "LOGISTIC"]
    chain.check()
    g.add_operator("NEG", [a], [g.add_tensor("n", (1, 4), "float32")], before=g.operators[0])
    # It reads what RELU computes, so it cannot stand before it.
    assert names(chain) == ["RELU", "NEG", "ABS", "TANH", "LOGISTIC"]
    chain.check()


def test_cycles_are_refused(chain: tflite2x.Model) -> None:
    g = chain.main
    before = [(o.inputs, o.outputs) for o in g.operators]
    with pytest.raises(GraphError, match="cycle: operators"):
        g.operators[0].set_input(0, g.tensor("b"))
    with pytest.raises(GraphError, match="cycle"):
        g.replace_all_uses(g.tensor("x"), g.tensor("y"))
    with pytest.raises(GraphError, match="cycle"):
        g.operators[0].set_inputs([g.tensor("a")])
    assert [(o.inputs, o.outputs) for o in g.operators] == before
    chain.check()


def test_keep_lets_the_inserted_operator_read_the_old_tensor(chain: tflite2x.Model) -> None:
    g = chain.main
    a = g.tensor("a")
    new = g.add_tensor("new", (1, 4), "float32")
    op = g.add_operator("ABS", [a], [new])
    with pytest.raises(GraphError, match="cycle"):
        g.replace_all_uses(a, new)
    g.replace_all_uses(a, new, keep=[op])
    assert names(chain) == ["RELU", "ABS", "TANH", "LOGISTIC"]
    chain.check()


def test_one_producer(chain: tflite2x.Model) -> None:
    g = chain.main
    x, a, _, _ = g.tensors
    with pytest.raises(GraphError, match="already computed by"):
        g.add_operator("ABS", [x], [a])
    with pytest.raises(GraphError, match="is an input of the graph"):
        g.add_operator("ABS", [a], [x])
    with pytest.raises(GraphError, match="is a constant"):
        g.add_operator("ABS", [a], [g.add_constant("c", np.zeros((1, 4), np.float32))])
    with pytest.raises(GraphError, match="computes it"):
        g.set_inputs([a])
    other = tflite2x.Model.new().main.add_tensor("o", (1,), "int8")
    with pytest.raises(GraphError, match="not in this subgraph"):
        g.add_operator("ABS", [other], [g.add_tensor("n", (1, 4), "float32")])


def test_loops_see_the_graph_as_it_was(chain: tflite2x.Model) -> None:
    g = chain.main
    seen = []
    for op in g.operators:
        seen.append(op.name)
        out = g.add_tensor("extra", (1, 4), "float32")
        g.add_operator("ABS", [op.outputs[0]], [out])
    assert seen == ["RELU", "TANH", "LOGISTIC"]
    assert len(g.operators) == 6


def test_set_output_moves_the_producer(chain: tflite2x.Model) -> None:
    g = chain.main
    b = g.tensor("b")
    new = g.add_tensor("b2", (1, 4), "float32")
    g.operators[1].set_output(0, new)
    assert b.producer is None
    assert new.producer is g.operators[1]
    with pytest.raises(GraphError, match="no output 3"):
        g.operators[1].set_output(3, b)
    with pytest.raises(GraphError, match="no input 7"):
        g.operators[1].set_input(7, b)
    chain.check()


def test_operator_codes_are_shared_by_kind(chain: tflite2x.Model) -> None:
    g = chain.main
    code = chain.operator_code("RELU")
    assert code is g.operators[0].code
    assert chain.operator_code("RELU", 2) is not code
    assert chain.operator_code("XC_fc").name == "XC_fc"
    assert chain.operator_code("XC_fc").opcode == BuiltinOperator.CUSTOM
    with pytest.raises(GraphError, match="still used"):
        chain.remove_operator_code(code)
    with pytest.raises(GraphError, match="needs its name"):
        chain.operator_code(BuiltinOperator.CUSTOM)
    assert chain.operator_code(BuiltinOperator.CUMSUM).deprecated_builtin_code == 127


def test_constants_are_written_without_touching_others() -> None:
    model = tflite2x.Model.new()
    g = model.main
    a = g.add_constant("a", np.array([1, 2], np.int32))
    b = g.add_tensor("b", (2,), "int32")
    b.buffer = a.buffer
    assert b.data is not None
    assert b.data.tolist() == [1, 2]
    b.data = np.array([3, 4], np.int32)
    assert a.data is not None
    assert (a.data.tolist(), b.data.tolist()) == ([1, 2], [3, 4])
    with pytest.raises(ValueError, match="read-only"):
        a.data[0] = 9
    with pytest.raises(GraphError, match="shape"):
        a.data = np.array([1], np.int32)
    with pytest.raises(GraphError, match="astype"):
        a.data = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int4", np.array([[-8, 7, 0], [1, -1, 3]], np.int8)),
        ("uint4", np.array([0, 15, 7], np.uint8)),
        ("int2", np.array([-2, 1, 0, -1, 1], np.int8)),
        ("bool", np.array([True, False])),
        ("float16", np.array([0.5, -np.inf], np.float16)),
        ("complex64", np.array([1 + 2j], np.complex64)),
        ("uint64", np.array([2**63], np.uint64)),
        ("string", np.array([b"", b"a\0b", "grüße".encode()], object)),
        ("int32", np.zeros((0, 3), np.int32)),
        ("float32", np.array(2.5, np.float32)),
    ],
)
def test_constants_of_every_kind_survive(dtype: str, values: np.ndarray) -> None:
    model = tflite2x.Model.new()
    model.main.add_constant("c", values, dtype=dtype)
    again = tflite2x.loads(tflite2x.dumps(model)).main.tensors[0]
    assert again.dtype == TensorType[dtype.upper()]
    assert again.data is not None
    assert again.data.shape == values.shape
    assert again.data.tolist() == values.tolist()


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_types_of_ml_dtypes(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([0.5, -2.0], getattr(ml_dtypes, name))
    model = tflite2x.Model.new()
    model.main.add_constant("c", values)
    again = tflite2x.loads(tflite2x.dumps(model)).main.tensors[0]
    assert again.dtype.name == name.upper()
    assert again.data is not None
    assert again.data.astype(np.float32).tolist() == [0.5, -2.0]


def test_values_that_do_not_fit() -> None:
    g = tflite2x.Model.new().main
    with pytest.raises(GraphError, match="do not fit into INT4"):
        g.add_constant("c", np.array([8], np.int8), dtype="int4")
    with pytest.raises(GraphError, match="no element type for"):
        g.add_constant("c", np.array(["2020"], "datetime64[D]"))
    with pytest.raises(GraphError, match="no element type 'int9'"):
        g.add_tensor("t", (1,), "int9")
    assert g.tensors == ()


def test_quantization_keeps_every_bit() -> None:
    scale = np.float32(0.25315744)
    model = tflite2x.Model.new()
    model.main.add_tensor("t", (2, 3), "int8", scale=[scale, 0.1, 1e-30], zero_point=[1, 2, -3], quantized_dimension=1)
    q = tflite2x.loads(tflite2x.dumps(model)).main.tensors[0].quantization
    assert q is not None
    assert q.scale.tobytes() == np.array([scale, 0.1, 1e-30], np.float32).tobytes()
    assert (q.zero_point.tolist(), q.quantized_dimension, q.is_per_channel) == ([1, 2, -3], 1, True)
    assert q == Quantization([scale, 0.1, 1e-30], [1, 2, -3], 1)
    assert q != Quantization([scale, 0.1, 1e-30], [1, 2, -3], 0)


def with_subgraphs() -> tflite2x.Model:
    model = tflite2x.Model.new()
    for name in ("then", "else", "spare"):
        model.add_subgraph(name)
    g = model.main
    c = g.add_input("c", (), "bool")
    y = g.add_tensor("y", (1,), "float32")
    g.add_operator("IF", [c], [y], IfOptions(1, 2))
    g.set_outputs([y])
    return model


def test_called_subgraphs_are_objects() -> None:
    model = with_subgraphs()
    op = model.main.operators[0]
    main, then, other, spare = model.subgraphs
    assert op.calls == {"then_subgraph_index": then, "else_subgraph_index": other}
    with pytest.raises(GraphError, match="still called"):
        model.remove_subgraph(then)
    model.set_subgraphs([main, spare, other, then])
    assert op.calls == {"then_subgraph_index": then, "else_subgraph_index": other}
    model.remove_subgraph(spare)
    assert op.calls == {"then_subgraph_index": then, "else_subgraph_index": other}
    assert op.options == IfOptions(2, 1)
    model.check()
    with pytest.raises(GraphError, match="would go"):
        model.set_subgraphs([main, then])


def test_check_finds_bad_subgraph_indices() -> None:
    model = with_subgraphs()
    model.main.operators[0].options = WhileOptions(1, 9)
    with pytest.raises(GraphError, match="body_subgraph_index: subgraph index 9, 4 subgraphs"):
        model.check()


def test_buffers_and_metadata() -> None:
    model = tflite2x.Model.new()
    entry = model.add_metadata("note", b"hello")
    with pytest.raises(GraphError, match="still used"):
        model.remove_buffer(entry.buffer)
    model.remove_metadata(entry)
    model.remove_buffer(entry.buffer)
    with pytest.raises(GraphError, match="first buffer stays"):
        model.remove_buffer(model.buffers[0])
    assert len(model.buffers) == 1


def test_clone_shares_bytes_and_nothing_else(chain: tflite2x.Model) -> None:
    constant = chain.main.add_constant("c", np.zeros(1000, np.float32))
    copy = chain.clone()
    twin = copy.main.tensor("c")
    assert np.shares_memory(np.frombuffer(twin.buffer.data, np.uint8), np.frombuffer(constant.buffer.data, np.uint8))
    before = tflite2x.dumps(chain)
    twin.data = np.ones(1000, np.float32)
    copy.main.tensor("a").name = "renamed"
    copy.main.remove_operators(())
    copy.main.replace_all_uses(copy.main.tensor("b"), copy.main.tensor("renamed"))
    copy.signatures[0].key = "other"
    assert tflite2x.dumps(chain) == before
    copy.check()


def test_networkx_view(chain: tflite2x.Model) -> None:
    networkx = pytest.importorskip("networkx")
    g = chain.main
    view = g.to_networkx()
    assert networkx.is_directed_acyclic_graph(view)
    assert view.number_of_nodes() == 7
    assert networkx.has_path(view, g.tensor("x"), g.tensor("y"))
    assert view.nodes[g.operators[0]] == {"kind": "operator", "label": "RELU"}


def test_loading_imports_no_networkx() -> None:
    import subprocess
    import sys

    code = (
        "import sys, tflite2x; tflite2x.Model.new().clone(); print('networkx' in sys.modules, 'tflite' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False False\n"


def test_building_costs_the_same_per_operator_in_large_graphs():
    def seconds(operators: int) -> float:
        before = time.process_time()
        graph = tflite2x.Model.new().main
        x = graph.add_input("x", (1, 4), "float32")
        for i in range(operators):
            y = graph.add_tensor(f"t{i}", (1, 4), "float32")
            x = graph.add_operator("RELU", [x], [y]).outputs[0]
        return time.process_time() - before

    # Eight times the operators; 64 times the time would be quadratic.
    assert seconds(8000) < 30 * seconds(1000) + 0.1


def test_new_outputs_are_put_in_order_only_where_readers_stand_before():
    graph = tflite2x.Model.new().main
    x = graph.add_input("x", (4,), "float32")
    a, b, c = (graph.add_tensor(n, (4,), "float32") for n in "abc")
    reader = graph.add_operator("RELU", [a], [b])
    writer = graph.add_operator("TANH", [x], [c])
    assert graph.operators == (reader, writer)
    writer.set_outputs([a])
    assert graph.operators == (writer, reader)
    assert [op.index for op in graph.operators] == [0, 1]
    with pytest.raises(GraphError, match="cycle"):
        reader.set_inputs([b])
    assert graph.operators == (writer, reader)
    graph.model.check()


def test_unreferenced_tensors():
    graph = tflite2x.Model.new().main
    x = graph.add_input("x", (4,), "float32")
    y, loose, scratch = (graph.add_tensor(n, (4,), "float32") for n in ("y", "loose", "scratch"))
    op = graph.add_operator("RELU", [x], [y])
    op.intermediates = (scratch,)
    graph.set_outputs([y])
    assert graph.unreferenced_tensors(graph.tensors) == [loose]
    graph.remove_tensors(graph.unreferenced_tensors(graph.tensors))
    with pytest.raises(GraphError, match="used as intermediate"):
        graph.remove_tensor(scratch)


def test_removing_tensors_one_by_one_costs_about_the_same_in_graphs_of_any_size():
    def seconds(number: int) -> float:
        graph = tflite2x.Model.new().main
        x = graph.add_input("x", (1, 4), "float32")
        for i in range(number):
            x = graph.add_operator("RELU", [x], [graph.add_tensor(f"t{i}", (1, 4), "float32")]).outputs[0]
        graph.set_outputs([x])
        loose = [graph.add_tensor(f"loose{i}", (1, 4), "float32") for i in range(number)]
        before = time.process_time()
        for tensor in loose:
            graph.remove_tensor(tensor)
        after = time.process_time()
        assert len(graph.tensors) == number + 1
        return after - before

    # Eight times the tensors; 64 times the time would be quadratic.
    assert seconds(8000) < 30 * seconds(1000) + 0.1


@pytest.mark.parametrize("way", ["built", "cloned", "loaded", "list"])
def test_scratch_tensors_are_kept_however_they_came(way):
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (4,), "float32")
    y, scratch = (graph.add_tensor(n, (4,), "float32") for n in ("y", "scratch"))
    op = graph.add_operator("RELU", [x], [y])
    op.intermediates = [None, scratch] if way == "list" else (None, scratch)
    assert op.intermediates == (None, scratch)
    graph.set_outputs([y])
    graph = {"cloned": model.clone(), "loaded": tflite2x.loads(tflite2x.dumps(model))}.get(way, model).main
    scratch = graph.tensor("scratch")
    with pytest.raises(GraphError, match="used as intermediate"):
        graph.remove_tensor(scratch)
    graph.operators[0].intermediates = ()
    graph.remove_tensor(scratch)
    assert [t.name for t in graph.tensors] == ["x", "y"]


@pytest.mark.parametrize("way", ["built", "assigned", "cloned", "loaded"])
@pytest.mark.parametrize("field", ["scales", "zero_points"])
def test_scales_of_blocks_are_kept_however_they_came(way, field):
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (4,), "int8")
    numbers = {name: graph.add_constant(name, np.ones(2, np.float32)) for name in ("scales", "zero_points")}
    details = BlockQuantization(**numbers, block_size=2)
    if way == "assigned":
        details = BlockQuantization(-1, -1, 2)
        details.scales, details.zero_points = numbers.values()
    x.quantization = Quantization(details=details)
    graph.set_outputs([x])
    graph = {"cloned": model.clone(), "loaded": tflite2x.loads(tflite2x.dumps(model))}.get(way, model).main
    tensor = graph.tensor(field)
    with pytest.raises(GraphError, match="scales or zero points of 'x'"):
        graph.remove_tensor(tensor)
    graph.tensor("x").quantization = None
    graph.remove_tensor(tensor)
    assert [t.name for t in graph.tensors if t.name == field] == []

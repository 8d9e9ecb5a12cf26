# SPDX-License-Identifier: Apache-2.0
"""strip-float-io: what goes, what stays, and that the interface keeps its order and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.verification.build import chain
from tflite2x import Pipeline, Verify
from tflite2x.ir import Model, Subgraph, Tensor
from tflite2x.passes.strip_float_io import StripFloatIO
from tflite2x.schema.tables import AddOptions


def quantize(graph: Subgraph, source: Tensor, *, scale: float = 0.1, zero_point: int = 0, name: str = "q") -> Tensor:
    target = graph.add_tensor(name, source.shape, "int8", scale=scale, zero_point=zero_point)
    graph.add_operator("QUANTIZE", [source], [target])
    return target


def dequantize(graph: Subgraph, source: Tensor, name: str) -> Tensor:
    target = graph.add_tensor(name, source.shape, "float32")
    graph.add_operator("DEQUANTIZE", [source], [target])
    return target


def add(graph: Subgraph, a: Tensor, b: Tensor, name: str = "sum") -> Tensor:
    target = graph.add_tensor(name, a.shape, "int8", scale=0.2, zero_point=1)
    graph.add_operator("ADD", [a, b], [target], AddOptions(), version=2)
    return target


def many() -> Model:
    """Two float inputs that are quantized in the other order, an integer input between them, two outputs."""
    model = Model.new()
    graph = model.main
    a = graph.add_input("a", (1, 4), "float32")
    b = graph.add_input("b", (1, 4), "int8", scale=0.1, zero_point=0)
    c = graph.add_input("c", (1, 4), "float32")
    qc = quantize(graph, c, name="qc")
    qa = quantize(graph, a, zero_point=3, name="qa")
    first = add(graph, qa, b, "first")
    second = add(graph, first, qc, "second")
    y2 = dequantize(graph, second, "y2")
    y1 = dequantize(graph, first, "y1")
    graph.set_outputs([y1, y2])
    model.add_signature("s", graph, inputs={"A": a, "C": c, "B": b}, outputs={"Y2": y2, "Y1": y1})
    return model


def run(model: Model) -> tflite2x.Report:
    return Pipeline([StripFloatIO()]).run(model, Verify(samples=16))


def test_order_names_and_signatures_stay() -> None:
    model = many()
    original = tflite2x.dumps(model)
    report = run(model)
    graph = model.main
    assert [(t.name, t.dtype.name) for t in graph.inputs] == [("a", "INT8"), ("b", "INT8"), ("c", "INT8")]
    assert [(t.name, t.dtype.name) for t in graph.outputs] == [("y1", "INT8"), ("y2", "INT8")]
    (signature,) = model.signatures
    assert list(signature.inputs.values()) == [graph.inputs[0], graph.inputs[2], graph.inputs[1]]
    assert list(signature.outputs.values()) == [graph.outputs[1], graph.outputs[0]]
    assert list(signature.inputs) == ["A", "C", "B"]
    assert [op.name for op in graph.operators] == ["ADD", "ADD"]
    assert report.total is not None
    assert report.total.worst_lsb == 0
    # The oracle agrees: quantize by hand, run the stripped model, compare integers.
    rng = np.random.default_rng(1)
    a, c = (rng.uniform(-20, 20, (1, 4)).astype(np.float32) for _ in "ac")
    b = rng.integers(-128, 128, (1, 4)).astype(np.int8)
    want = litert_run(original, [a, b, c])
    integers = [np.clip(np.round(x / np.float32(0.1)) + z, -128, 127).astype(np.int8) for x, z in ((a, 3), (c, 0))]
    got = litert_run(tflite2x.dumps(model), [integers[0], b, integers[1]])
    for w, g in zip(want, got, strict=True):
        np.testing.assert_array_equal((g.astype(np.float32) - 1) * np.float32(0.2), w)


def test_quantized_input_that_is_an_output() -> None:
    model = Model.new()
    graph = model.main
    q = quantize(graph, graph.add_input("x", (1, 4), "float32"))
    graph.set_outputs([q])
    assert left_alone(model) == ["the quantized values 'q' are an output; they would be input and output"]


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_one_side_only(side: str) -> None:
    model = chain()
    Pipeline.parse(f"strip-float-io{{{'outputs' if side == 'inputs' else 'inputs'}=false}}").run(model, Verify(8))
    kinds = [model.main.inputs[0].dtype.name, model.main.outputs[0].dtype.name]
    assert kinds == (["INT8", "FLOAT32"] if side == "inputs" else ["FLOAT32", "INT8"])


def test_idempotent() -> None:
    model = chain()
    run(model)
    once = tflite2x.dumps(model)
    assert not run(model).modified
    assert tflite2x.dumps(model) == once


def test_two_quantized_copies_become_one() -> None:
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "float32")
    y = add(graph, quantize(graph, x, name="one"), quantize(graph, x, name="two"))
    graph.set_outputs([y])
    run(model)
    (op,) = graph.operators
    assert op.inputs == (graph.inputs[0],) * 2
    assert graph.inputs[0].name == "x"


def left_alone(model: Model) -> list[str]:
    before = tflite2x.dumps(model)
    report = run(model)
    assert tflite2x.dumps(model) == before
    return [reason for _, _, reason in report.left_alone()]


def test_float_input_with_other_readers() -> None:
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "float32")
    q = quantize(graph, x)
    y = graph.add_tensor("y", (1, 4), "float32")
    graph.add_operator("NEG", [x], [y])
    graph.set_outputs([add(graph, q, q), y])
    assert left_alone(model) == [
        "subgraphs[0].operators[1] (NEG) reads the float values as well as QUANTIZE",
        "subgraphs[0].operators[1] (NEG) computes it, not DEQUANTIZE",
    ]


def test_two_quantizations_of_one_input() -> None:
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "float32")
    graph.set_outputs([quantize(graph, x, name="one"), quantize(graph, x, scale=0.5, name="two")])
    assert left_alone(model) == ["several QUANTIZE with different parameters read it"]


def test_outputs_that_cannot_be_stripped() -> None:
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "int8", scale=0.1)
    s = add(graph, x, x)
    constant = graph.add_constant("k", np.zeros((1, 4), np.int8), scale=0.1)
    read = dequantize(graph, add(graph, x, x, "t"), "read")
    half = graph.add_constant("h", np.zeros((1, 4), np.float16))
    neg = graph.add_tensor("n", (1, 4), "float32")
    graph.add_operator("NEG", [read], [neg])
    outs = [dequantize(graph, t, f"y{i}") for i, t in enumerate((x, constant, half))]
    graph.set_outputs([*outs, read, s, dequantize(graph, s, "ys")])
    assert left_alone(model) == [
        "DEQUANTIZE reads the input 'x'; it would be input and output",
        "DEQUANTIZE reads the constant 'k'",
        "DEQUANTIZE reads float16 values without a single scale for the tensor",
        "subgraphs[0].operators[3] (NEG) reads the float values as well",
        "DEQUANTIZE reads 'sum', which is an output already",
    ]


def test_unused_float_input() -> None:
    model = Model.new()
    model.main.add_input("x", (1, 4), "float32")
    x = model.main.add_input("i", (1, 4), "int8", scale=0.1)
    model.main.set_outputs([add(model.main, x, x)])
    assert left_alone(model) == ["no operator reads the float input"]


def test_two_signatures_of_one_subgraph() -> None:
    model = chain()
    graph = model.main
    model.add_signature("second", graph, inputs={"u": graph.inputs[0]}, outputs={"v": graph.outputs[0]})
    run(model)
    for signature in model.signatures:
        assert list(signature.inputs.values()) == [graph.inputs[0]]
        assert list(signature.outputs.values()) == [graph.outputs[0]]


@pytest.mark.parametrize("name", ["logistic_int8", "kws_int8"])
def test_own_models_against_the_oracle(models: Path, name: str) -> None:
    path = models / f"{name}.tflite"
    model = tflite2x.load(path)
    shape = model.main.inputs[0].shape
    names = model.main.inputs[0].name, model.main.outputs[0].name
    quantized = next(op.outputs[0].quantization for op in model.main.operators if op.name == "QUANTIZE")
    real = [op.inputs[0].quantization for op in model.main.operators if op.name == "DEQUANTIZE"][-1]
    assert quantized is not None
    assert real is not None
    Pipeline.parse("strip-float-io,cleanup").run(model, Verify())
    assert (model.main.inputs[0].name, model.main.outputs[0].name) == names
    stripped = tflite2x.dumps(model)
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.uniform(0, 1, shape).astype(np.float32)
        q = np.clip(np.round(x / quantized.scale[0]) + quantized.zero_point[0], -128, 127).astype(np.int8)
        (want,), (got,) = litert_run(path, [x]), litert_run(stripped, [q])
        np.testing.assert_array_equal((got.astype(np.float32) - np.float32(real.zero_point[0])) * real.scale[0], want)

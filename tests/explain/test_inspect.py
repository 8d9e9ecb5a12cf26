# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_interpreter
from tflite2x.explain.inspect import inspect, to_json
from tflite2x.explain.inspect_text import render
from tflite2x.schema.flexbuffers import encode
from tflite2x.schema.tables import FullyConnectedOptions

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*.tflite"))


def small() -> tflite2x.Model:
    model = tflite2x.Model.new("made by hand")
    graph = model.main
    x = graph.add_input("x", (1, 16), "int8", scale=0.5, zero_point=3, shape_signature=(-1, 16))
    w = graph.add_constant("w", np.ones((8, 16), np.int8), scale=[0.25 * (i + 1) for i in range(8)])
    y = graph.add_tensor("y", (1, 8), "int8", scale=2.0, zero_point=-1)
    graph.add_tensor("left over", (3,), "float32")
    graph.add_operator("FULLY_CONNECTED", [x, w, None], [y], FullyConnectedOptions())
    z = graph.add_tensor("z", (1, 8), "int8")
    graph.add_operator("Mine", [y], [z], custom_options=b"12345")
    graph.set_outputs([z])
    model.add_signature("serve", graph, inputs={"image": x}, outputs={"scores": z})
    model.add_metadata("note", b"hello")
    return model


def test_it_says_what_the_model_has() -> None:
    info = inspect(small())
    (graph,) = info.subgraphs
    x, w, y, left_over, z = graph.tensors
    assert [t.kind for t in graph.tensors] == ["input", "constant", "computed", "unused", "output"]
    assert (x.shape, x.shape_signature, x.bytes, x.type) == ([1, 16], [-1, 16], 16, "int8")
    assert x.quantization is not None
    assert (x.quantization.scales, x.quantization.zero_points, x.quantization.axis) == ([0.5], [3], None)
    assert w.quantization is not None
    assert (w.quantization.scales[7], w.quantization.axis, w.bytes) == (2.0, 0, 128)
    assert (y.producer, y.consumers) == (0, [1])
    assert left_over.quantization is None
    dense, mine = graph.operators
    assert (dense.name, dense.inputs, dense.outputs, dense.custom) == ("FULLY_CONNECTED", [0, 1, None], [2], False)
    assert dense.options["fused_activation_function"] == "NONE"
    assert (mine.name, mine.custom, mine.custom_options_bytes, mine.options) == ("Mine", True, 5, {})
    assert (graph.inputs, graph.outputs, z.index) == ([0], [4], 4)
    assert (info.constant_bytes, info.buffer_bytes, info.description) == (128, 133, "made by hand")
    assert info.operator_counts == {"FULLY_CONNECTED": 1, "Mine": 1}
    assert [dataclasses.astuple(s) for s in info.signatures] == [("serve", 0, {"image": 0}, {"scores": 4})]
    assert [(m.name, m.bytes) for m in info.metadata] == [("note", 5)]


def test_custom_options_are_decoded_where_they_are_a_flexbuffer() -> None:
    model = small()
    mine = model.main.operators[1]
    mine.custom_options = encode({"alpha": 0.5, "names": ["a", "b"]})
    operator = inspect(model).subgraphs[0].operators[1]
    assert operator.custom_options == {"alpha": 0.5, "names": ["a", "b"]}
    assert "alpha=0.5 names=['a', 'b']" in render(inspect(model))
    mine.custom_options = encode([1, 2])
    assert inspect(model).subgraphs[0].operators[1].custom_options is None


def test_text_has_what_people_look_for() -> None:
    text = render(inspect(small()))
    for part in (
        "description  made by hand", "2: FULLY_CONNECTED 1, Mine 1", "128 bytes", "int8 [?, 16]", "Mine (custom)",
        "5 bytes of custom options", "scale 0.5 zero point 3", "8 channels on axis 0, scales 0.25 to 2", "left over",
        "image = tensor 0 int8 [?, 16]", "note",
    ):  # fmt: skip
        assert part in text
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_it_agrees_with_litert(path: Path) -> None:
    interpreter = litert_interpreter(path)
    (graph,) = inspect(tflite2x.load(path)).subgraphs
    for detail in interpreter.get_tensor_details():
        if detail["index"] >= len(graph.tensors):
            continue  # scratch tensors of LiteRT's kernels
        tensor = graph.tensors[detail["index"]]
        assert tensor.name == detail["name"]
        assert tensor.type == np.dtype(detail["dtype"]).name
        assert tensor.shape == detail["shape"].tolist()
        found = tensor.quantization
        scales = detail["quantization_parameters"]["scales"].tolist()
        assert (found.scales if found else []) == scales
        assert (found.zero_points if found else []) == detail["quantization_parameters"]["zero_points"].tolist()
        if found and found.axis is not None:
            assert found.axis == detail["quantization_parameters"]["quantized_dimension"]
    operators = interpreter._get_ops_details()
    assert [op.name for op in graph.operators] == [op["op_name"] for op in operators]
    assert [op.outputs for op in graph.operators] == [op["outputs"].tolist() for op in operators]
    assert graph.inputs == [d["index"] for d in interpreter.get_input_details()]
    assert graph.outputs == [d["index"] for d in interpreter.get_output_details()]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_json_is_the_data(path: Path) -> None:
    info = inspect(tflite2x.load(path))
    assert json.loads(to_json(info)) == dataclasses.asdict(info)
    assert info.file_bytes == path.stat().st_size


def test_json_has_no_nan() -> None:
    model = small()
    model.main.tensors[0].quantization = tflite2x.Quantization([math.nan], [0], max=[math.inf])
    quantization = json.loads(to_json(inspect(model)))["subgraphs"][0]["tensors"][0]["quantization"]
    assert (quantization["scales"], quantization["max"]) == (["nan"], ["inf"])


def test_a_file_that_moved_away_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    tflite2x.save(small(), path)
    model = tflite2x.load(path)
    path.unlink()
    info = inspect(model)
    assert (info.path, info.file_bytes) == (str(path), None)
    assert render(info).startswith(str(path) + ", schema version 3")


def test_an_empty_model() -> None:
    text = render(inspect(tflite2x.Model.new()))
    assert "operators    0: none" in text
    assert "inputs   none" in text


@pytest.mark.sweep
def test_every_model_of_the_corpus(corpus: Path) -> None:
    paths = sorted(corpus.rglob("*.tflite"))
    assert paths
    for path in paths:
        info = inspect(tflite2x.load(path))
        text = render(info)
        assert "\x1b" not in text
        data = json.loads(to_json(info))
        assert sum(data["operator_counts"].values()) == sum(len(g["operators"]) for g in data["subgraphs"])

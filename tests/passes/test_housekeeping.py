# SPDX-License-Identifier: Apache-2.0
"""fold-constants, dedupe-buffers, strip-debug and rename-tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.passes.helpers import names, oracle_agrees, reasons, run
from tests.verification.build import chain
from tflite2x import Pipeline, Verify
from tflite2x.errors import PassError, PipelineError
from tflite2x.ir import Model
from tflite2x.schema.tables import (
    AddOptions,
    FillOptions,
    FullyConnectedOptions,
    PackOptions,
    ReshapeOptions,
    ShapeOptions,
)


def computed_shape() -> Model:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (2, 6), "float32")
    one = g.add_constant("one", np.array(3, np.int32))
    two = g.add_constant("two", np.array(1, np.int32))
    total = g.add_tensor("total", (), "int32")
    g.add_operator("ADD", [one, two], [total], AddOptions())
    shape = g.add_tensor("shape", (2,), "int32")
    three = g.add_constant("three", np.array(3, np.int32))
    g.add_operator("PACK", [three, total], [shape], PackOptions(values_count=2, axis=0))
    y = g.add_tensor("y", (3, 4), "float32")
    g.add_operator("RESHAPE", [x, shape], [y], ReshapeOptions())
    g.set_outputs([y])
    return model


def test_fold_constants() -> None:
    model = computed_shape()
    before = tflite2x.dumps(model)
    run(model, "fold-constants,cleanup")
    assert names(model) == ["RESHAPE"]
    shape = model.main.operators[0].inputs[1]
    assert shape is not None
    assert shape.name == "shape"
    np.testing.assert_array_equal(shape.data, [3, 4])
    oracle_agrees(before, tflite2x.dumps(model))


def test_growth_is_limited() -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 64), "float32")
    half = g.add_constant("half", np.ones((64, 64), np.float16))
    wide = g.add_tensor("wide", (64, 64), "float32")
    g.add_operator("DEQUANTIZE", [half], [wide], version=3)
    y = g.add_tensor("y", (1, 64), "float32")
    g.add_operator("FULLY_CONNECTED", [x, wide, None], [y], FullyConnectedOptions())
    g.set_outputs([y])
    before = tflite2x.dumps(model)
    report = run(model, "fold-constants")
    assert reasons(report) == ["all inputs are constant, but the result would be 8,192 bytes larger (growth is 1,024)"]
    run(model, "fold-constants{growth=10000},cleanup")
    assert names(model) == ["FULLY_CONNECTED"]
    oracle_agrees(before, tflite2x.dumps(model))


def test_random_numbers_and_outputs_are_not_folded() -> None:
    model = Model.new()
    g = model.main
    shape = g.add_constant("shape", np.array([3], np.int32))
    random, copy = g.add_tensor("random", (3,), "float32"), g.add_tensor("copy", (1,), "int32")
    g.add_operator("RANDOM_UNIFORM", [shape], [random])
    g.add_operator("SHAPE", [shape], [copy], ShapeOptions(out_type=tflite2x.TensorType.INT32))
    g.set_outputs([random, copy])
    assert reasons(run(model, "fold-constants")) == [
        "all inputs are constant, but it draws random numbers",
        "all inputs are constant, but 'copy' is an output of the graph",
    ]


def test_dedupe_buffers() -> None:
    model = chain(2, float_io=False)
    g = model.main
    first, second = (op.inputs[1] for op in g.operators)
    assert first is not None
    assert second is not None
    second.data = np.array(first.data)
    size = len(tflite2x.dumps(model))
    before = tflite2x.dumps(model)
    report = run(model, "dedupe-buffers")
    assert first.buffer is second.buffer
    assert report.passes[0].result.counts["bytes freed"] == 256
    after = tflite2x.dumps(model)
    assert len(after) <= size - 256
    oracle_agrees(before, after)
    # Sharing ends when one of them changes.
    second.data = np.array(second.data) * 0
    assert np.asarray(first.data).any()


@pytest.mark.parametrize("name", ["cnn_int8", "kws_int8"])
def test_strip_debug(models: Path, name: str) -> None:
    model = tflite2x.load(models / f"{name}.tflite")
    model.add_metadata("TFLITE_METADATA", b"labels")
    before = tflite2x.dumps(model)
    interface = [t.name for t in (*model.main.inputs, *model.main.outputs)]
    report = run(model, "strip-debug")
    after = tflite2x.dumps(model)
    assert len(after) < len(before) - report.passes[0].result.counts["bytes of names removed"]
    assert [t.name for t in (*model.main.inputs, *model.main.outputs)] == interface
    assert [m.name for m in model.metadata] == ["TFLITE_METADATA"]
    assert reasons(report) == ["a program may read it"]
    oracle_agrees(before, after, count=2)


def test_rename(models: Path) -> None:
    model = tflite2x.load(models / "logistic_int8.tflite")
    run(model, "rename-tensors{signature short}")
    assert [t.name for t in (*model.main.inputs, *model.main.outputs)] == ["image", "output_0"]
    assert all(t.name == f"t{i}" for i, t in enumerate(model.main.tensors) if not (t.is_input or t.is_output))
    run(model, "rename-tensors{old=[image output_0] new=[in out]}")
    assert [t.name for t in (*model.main.inputs, *model.main.outputs)] == ["in", "out"]
    assert list(model.signatures[0].inputs) == ["image"]


def test_rename_refuses() -> None:
    with pytest.raises(PipelineError, match="1 old names and 0 new ones"):
        Pipeline.parse("rename-tensors{old=[a]}")
    with pytest.raises(PassError, match="no tensor is called 'nobody'"):
        Pipeline.parse("rename-tensors{old=[nobody] new=[b]}").run(chain(), Verify())


def test_rename_refuses_a_name_twice() -> None:
    with pytest.raises(PipelineError, match="'a' stands twice"):
        Pipeline.parse("rename-tensors{old=[a a] new=[b c]}")


def test_growth_is_measured_where_the_file_leaves_the_shape_open() -> None:
    """The declared shape [1] says nothing about a result of 40,000 bytes."""
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1,), "int32")
    filled = g.add_tensor("filled", (1,), "int32", shape_signature=(-1,))
    dims, value = g.add_constant("dims", np.array([10_000], np.int32)), g.add_constant("value", np.array(7, np.int32))
    g.add_operator("FILL", [dims, value], [filled], FillOptions())
    y = g.add_tensor("y", (1,), "int32", shape_signature=(-1,))
    g.add_operator("ADD", [x, filled], [y], AddOptions())
    g.set_outputs([y])
    other = model.clone()
    report = run(model, "fold-constants")
    assert names(model) == ["FILL", "ADD"]
    assert "39,992 bytes larger (growth is 1,024)" in reasons(report)[0]
    run(other, "fold-constants{growth=40000}")
    assert names(other) == ["ADD"]


def test_names_stay_different() -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("t1", (1, 4), "float32")
    a, y = g.add_tensor("a", (1, 4), "float32"), g.add_tensor("y", (1, 4), "float32")
    g.add_operator("NEG", [x], [a])
    g.add_operator("NEG", [a], [y])
    g.set_outputs([y])
    with pytest.raises(PassError, match="'a' cannot be called 'y': there is another tensor of that name"):
        Pipeline.parse("rename-tensors{old=[a] new=[y]}").run(model)
    g = model.main
    run(model, "rename-tensors{short}")
    assert [t.name for t in g.tensors] == ["t1", "t1_", "y"]
    Pipeline.parse("rename-tensors{old=[t1 y] new=[y t1]}").run(model)
    assert [t.name for t in g.tensors] == ["y", "t1_", "t1"]

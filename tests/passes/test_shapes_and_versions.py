# SPDX-License-Identifier: Apache-2.0
"""set-batch, set-shape and lower-op-versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.passes.helpers import conv, names, oracle_agrees, run
from tests.passes.test_cleanup import stateful
from tflite2x import Pipeline, Verify
from tflite2x.errors import PassError, PipelineError
from tflite2x.ir import Model
from tflite2x.passes._versions import smallest_version
from tflite2x.schema.tables import FullyConnectedOptions, IfOptions, ReshapeOptions


@pytest.mark.parametrize("name", ["logistic_int8", "mlp_uint8", "cnn_int8", "kws_int8", "dscnn_int8", "dense_3d_int8"])
@pytest.mark.parametrize("n", [4, 3])
def test_set_batch(models: Path, name: str, n: int) -> None:
    path = models / f"{name}.tflite"
    model = tflite2x.load(path)
    report = run(model, f"set-batch{{n={n}}}", samples=12)
    assert report.total is not None
    assert report.total.passed
    source = model.main.inputs[0]
    assert source.shape[0] == n
    assert model.main.outputs[0].shape[0] == n
    rng = np.random.default_rng(0)
    if source.numpy_dtype.kind == "f":
        x = rng.uniform(0, 1, source.shape).astype(np.float32)
    else:
        x = rng.integers(-100, 100, source.shape).astype(source.numpy_dtype)
    (got,) = litert_run(tflite2x.dumps(model), [x])
    want = np.concatenate([litert_run(path, [sample[None]])[0] for sample in x])
    np.testing.assert_array_equal(got, want)


def test_batch_back_to_one_is_not_compared(models: Path) -> None:
    model = tflite2x.load(models / "cnn_int8.tflite")
    for every in ("pass", "end"):
        copy = model.clone()
        report = Pipeline.parse("set-batch{n=4},set-batch{n=1}").run(copy, Verify(samples=8, every=every))
        assert copy.main.inputs[0].shape[0] == 1
        assert report.total is not None
        assert report.total.worst_lsb is None  # nothing was compared
        assert any("no counterpart in the first model" in note for note in report.total.notes)


def test_fixed_reshape_is_opened() -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 2, 4), "float32")
    flat, y = g.add_tensor("flat", (1, 8), "float32"), g.add_tensor("y", (1, 3), "float32")
    g.add_operator("RESHAPE", [x], [flat], ReshapeOptions(new_shape=[1, 8]))
    w = g.add_constant("w", np.arange(24, dtype=np.float32).reshape(3, 8))
    g.add_operator("FULLY_CONNECTED", [flat, w, None], [y], FullyConnectedOptions())
    g.set_outputs([y])
    report = run(model, "set-batch{n=5}", samples=10)
    assert report.passes[0].result.replaced[0].what == "shape [1, 8] opened to [-1, 8]"
    assert g.outputs[0].shape == (5, 3)


def test_set_batch_refuses() -> None:
    with pytest.raises(PipelineError, match="n is 0 and must be positive"):
        Pipeline.parse("set-batch{n=0}")
    one = stateful()
    with pytest.raises(PassError, match="the model has 2 subgraphs"):
        Pipeline.parse("set-batch{n=2}").run(one)
    two = conv()
    extra = two.main.add_input("more", (3, 1), "float32")
    two.main.set_outputs([*two.main.outputs, extra])
    with pytest.raises(PassError, match="not one batch size"):
        Pipeline.parse("set-batch{n=2}").run(two)
    with pytest.raises(PassError, match="GiB in the trial run"):
        Pipeline.parse("set-batch{n=1000000000}").run(conv())


def test_set_shape() -> None:
    model = conv(quantized=True)
    before = tflite2x.dumps(model)
    report = run(model, "set-shape{shape=[1 10 12 3]}")
    assert report.total is not None
    assert report.total.passed
    assert model.main.outputs[0].shape == (1, 8, 10, 4)
    x = np.random.default_rng(0).integers(-128, 128, (1, 10, 12, 3)).astype(np.int8)
    np.testing.assert_array_equal(litert_run(before, [x])[0], litert_run(tflite2x.dumps(model), [x])[0])


def test_set_shape_fixes_an_open_dimension(models: Path) -> None:
    model = tflite2x.load(models / "cnn_int8.tflite")
    assert model.main.inputs[0].shape_signature == (-1, 28, 28, 1)
    run(model, "set-shape{input=image shape=[1 28 28 1]}")
    assert all(t.shape_signature is None for t in model.main.tensors if not t.is_constant)


def test_set_shape_refuses(models: Path) -> None:
    model = tflite2x.load(models / "cnn_int8.tflite")
    for text, message in (
        ("set-shape{shape=[1 30 30 1]}", "does not run with that shape"),
        ("set-shape{shape=[1 28 28]}", "which has 4 dimensions"),
        ("set-shape{input=nobody shape=[1]}", "no input is called 'nobody'"),
    ):
        before = tflite2x.dumps(model)
        with pytest.raises(PassError, match=message):
            Pipeline.parse(text).run(model)
        assert tflite2x.dumps(model) == before
    with pytest.raises(PipelineError, match="neither positive nor -1"):
        Pipeline.parse("set-shape{shape=[0 1]}")


@pytest.mark.parametrize("name", ["logistic_int8", "mlp_uint8", "cnn_int8", "kws_int8", "dscnn_int8", "cnn_float"])
def test_lower_op_versions(models: Path, name: str) -> None:
    model = tflite2x.load(models / f"{name}.tflite")
    original = {op: op.version for op in model.main.operators}
    run(model, "lower-op-versions")
    lowered = tflite2x.dumps(model)
    for op in model.main.operators:
        op.set_code(op.opcode, original[op] + 3)
    raised = tflite2x.dumps(model)
    report = run(model, "lower-op-versions")
    assert all(op.version <= version for op, version in original.items())
    assert report.passes[0].verdict is not None
    assert report.passes[0].verdict.method == "same computation"
    oracle_agrees(lowered, tflite2x.dumps(model), count=2)
    assert [op.version for op in tflite2x.loads(lowered).main.operators] == [op.version for op in original]
    assert len(raised) > 0


def test_versions_that_features_need() -> None:
    model = conv(depthwise=True, kernel=(1, 3, 3, 3), out=(1, 6, 6, 3))
    model.main.operators[0].set_code("DEPTHWISE_CONV_2D", 7)
    report = run(model, "lower-op-versions")
    assert report.passes[0].result.replaced[0].what == "version 7 became 3"
    model.main.operators[0].set_code("UNIQUE", 2)
    result = Pipeline.parse("lower-op-versions").run(model)
    assert result.left_alone()[0][2] == "version 2; what UNIQUE needs is not known"
    assert names(model) == ["UNIQUE"]


@pytest.mark.parametrize(
    ("opcode", "types", "version"),
    [
        ("TILE", ("int8", "int32", "int8"), 3),
        ("TILE", ("float32", "int32", "float32"), 1),
        ("EXP", ("int8", "int8"), 2),
        ("LOG", ("float32", "float32"), 1),
        ("GELU", ("float32", "float32"), 1),
        ("EQUAL", ("int16", "int16", "bool"), 5),
        ("NOT_EQUAL", ("int16", "int16", "bool"), 4),
        ("BROADCAST_TO", ("float32", "int32", "float32"), 2),
        ("BROADCAST_TO", ("int8", "int32", "int8"), 3),
        ("CAST", ("int8", "float32"), 3),
        ("CAST", ("float32", "float16"), 5),
        ("CAST", ("int32", "float32"), 1),
        ("WHERE", ("bool", "int64"), 1),
        ("WHERE", ("float32", "int64"), 2),
        ("FLOOR_DIV", ("float32", "float32", "float32"), 2),
        ("FLOOR_DIV", ("int32", "int32", "int32"), 1),
        ("ABS", ("int32", "int32"), 5),
        ("ABS", ("int16", "int16"), 4),
        ("FILL", ("int32", "bool", "bool"), 2),
        ("GATHER_ND", ("float32", "int16", "float32"), 4),
        ("TOPK_V2", ("float32", "int16", "float32"), 3),
        ("RNN", ("float32", "int8", "float32"), 2),
        ("UNPACK", ("uint8", "uint8"), 2),
        ("REVERSE_V2", ("bool", "int32", "bool"), 2),
    ],
)
def test_the_versions_of_the_converter(opcode: str, types: tuple[str, ...], version: int) -> None:
    model = Model.new()
    *inputs, output = (model.main.add_tensor(f"t{i}", (2, 2), name) for i, name in enumerate(types))
    op = model.main.add_operator(opcode, inputs, [output], version=9)
    assert smallest_version(op) == version


def test_set_batch_refuses_an_output_that_is_a_constant() -> None:
    model = Model.new()
    g = model.main
    x, y = g.add_input("x", (1, 4), "float32"), g.add_tensor("y", (1, 4), "float32")
    g.add_operator("NEG", [x], [y])
    g.set_outputs([y, g.add_constant("k", np.ones((1, 4), np.float32))])
    with pytest.raises(PassError, match=r"output 'k' would have shape \[1, 4\]"):
        Pipeline.parse("set-batch{n=2}").run(model)


def test_set_batch_where_the_shape_of_reshape_is_a_matrix() -> None:
    """Old converters wrote such tensors; runtimes then take the options."""
    model = Model.new()
    g = model.main
    x, y = g.add_input("x", (1, 2, 3), "float32"), g.add_tensor("y", (1, 6), "float32")
    shape = g.add_constant("shape", np.array([[1, 6]], np.int32))
    g.add_operator("RESHAPE", [x, shape], [y], ReshapeOptions(new_shape=[1, 6]))
    g.set_outputs([y])
    run(model, "set-batch{n=2}")
    (op,) = model.main.operators
    assert list(op.options.new_shape) == [-1, 6]
    (out,) = litert_run(tflite2x.dumps(model), [np.arange(12, dtype=np.float32).reshape(2, 2, 3)])
    assert out.shape == (2, 6)


def test_set_shape_reaches_the_subgraphs_that_operators_call() -> None:
    model = Model.new()
    g = model.main
    branches = []
    for i, kind in enumerate(("NEG", "ABS")):
        branch = model.add_subgraph(f"branch{i}")
        a, b = branch.add_input("a", (1, 4), "float32"), branch.add_tensor("b", (1, 4), "float32")
        branch.add_operator(kind, [a], [b])
        branch.set_outputs([b])
        branches.append(branch)
    c, x = g.add_input("c", (1,), "bool"), g.add_input("x", (1, 4), "float32")
    y = g.add_tensor("y", (1, 4), "float32")
    g.add_operator("IF", [c, x], [y], IfOptions(then_subgraph_index=1, else_subgraph_index=2))
    g.set_outputs([y])
    run(model, "set-shape{input=x shape=[3 4]}")
    assert {t.shape for t in (x, y, *(t for branch in branches for t in branch.tensors))} == {(3, 4)}
    for condition in (True, False):
        (out,) = litert_run(tflite2x.dumps(model), [np.array([condition]), np.ones((3, 4), np.float32)])
        np.testing.assert_array_equal(out, np.full((3, 4), -1 if condition else 1))

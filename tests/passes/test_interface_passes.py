# SPDX-License-Identifier: Apache-2.0
"""remove-output-softmax and add-output-argmax: the interface changes, the meaning does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.passes.helpers import names, reasons, run
from tflite2x import Pipeline
from tflite2x.errors import PassError, PipelineError
from tflite2x.schema.tables import SoftmaxOptions


@pytest.mark.parametrize("name", ["logistic_float", "logistic_int8", "cnn_int8", "mlp_uint8"])
def test_softmax_goes(models: Path, name: str) -> None:
    path = models / f"{name}.tflite"
    model = tflite2x.load(path)
    had = "SOFTMAX" in names(model)
    output = model.main.outputs[0]
    label = output.name
    report = run(model, "remove-output-softmax,cleanup")
    assert "SOFTMAX" not in names(model)
    assert model.main.outputs[0].name == label
    assert report.modified == had
    rng = np.random.default_rng(0)
    source = model.main.inputs[0]
    after = tflite2x.dumps(model)
    for _ in range(5):
        if source.numpy_dtype.kind == "f":
            x = rng.uniform(0, 1, source.shape).astype(np.float32)
        else:
            x = rng.integers(-100, 100, source.shape).astype(source.numpy_dtype)
        (scores,), (logits,) = litert_run(path, [x]), litert_run(after, [x])
        # SOFTMAX keeps the order, up to ties of the coarser scores.
        assert scores.ravel()[logits.argmax()] == scores.max()


@pytest.mark.parametrize("name", ["logistic_float", "logistic_int8", "cnn_int8", "mlp_uint8"])
@pytest.mark.parametrize("kind", ["int32", "int64"])
def test_argmax(models: Path, name: str, kind: str) -> None:
    path = models / f"{name}.tflite"
    model = tflite2x.load(path)
    run(model, f"add-output-argmax{{index-type={kind}}},cleanup")
    assert names(model)[-1] == "ARG_MAX"
    after = tflite2x.dumps(model)
    rng = np.random.default_rng(0)
    source = model.main.inputs[0]
    for _ in range(5):
        x = rng.uniform(0, 1, source.shape)
        x = (x if source.numpy_dtype.kind == "f" else x * 100).astype(source.numpy_dtype)
        (scores,), (index,) = litert_run(path, [x]), litert_run(after, [x])
        assert index.dtype == kind
        np.testing.assert_array_equal(index, scores.argmax(-1))


def test_softmax_then_argmax_is_one_index(models: Path) -> None:
    model = tflite2x.load(models / "logistic_int8.tflite")
    report = run(model, "strip-float-io,remove-output-softmax,add-output-argmax,cleanup")
    assert names(model)[-1] == "ARG_MAX"
    assert report.total is not None
    assert "compared pass by pass" in report.total.notes[0]


def test_left_alone(models: Path) -> None:
    model = tflite2x.load(models / "logistic_float.tflite")
    g = model.main
    g.set_outputs([*g.outputs, g.operators[-1].inputs[0]])
    report = run(model, "remove-output-softmax")
    assert reasons(report)[0].endswith("which SOFTMAX reads, is an output already")


def test_argmax_of_an_output_that_is_not_there(models: Path) -> None:
    model = tflite2x.load(models / "logistic_int8.tflite")
    with pytest.raises(PassError, match=r"there is no output 5. The model has 1"):
        Pipeline.parse("add-output-argmax{output=5}").run(model)
    with pytest.raises(PipelineError, match="output is -2"):
        Pipeline.parse("add-output-argmax{output=-2}")


@pytest.mark.parametrize(("beta", "kept"), [(1.0, False), (2.5, False), (0.0, True), (-1.0, True)])
def test_softmax_that_turns_the_order_around_stays(beta: float, kept: bool) -> None:
    model = tflite2x.Model.new()
    g = model.main
    x = g.add_input("x", (1, 4), "float32")
    logits, y = g.add_tensor("logits", (1, 4), "float32"), g.add_tensor("y", (1, 4), "float32")
    g.add_operator("NEG", [x], [logits])
    g.add_operator("SOFTMAX", [logits], [y], SoftmaxOptions(beta=beta))
    g.set_outputs([y])
    report = run(model, "remove-output-softmax")
    assert names(model) == (["NEG", "SOFTMAX"] if kept else ["NEG"])
    assert reasons(report) == ([f"beta of SOFTMAX is {beta:g}: the order of the logits is another one"] if kept else [])

# SPDX-License-Identifier: Apache-2.0
"""set-io-type: every change between float32, int8, uint8 and int16 interfaces."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.passes.helpers import names, reasons, run
from tflite2x import Pipeline, Verify
from tflite2x.ir import Model
from tflite2x.schema.tables import AddOptions

KINDS = ["float32", "int8", "uint8", "int16"]
NUMPY = {"float32": np.float32, "int8": np.int8, "uint8": np.uint8, "int16": np.int16}


def core(kind: str) -> Model:
    """Make x + x in integers."""
    model = Model.new()
    g = model.main
    zero = {"int8": 5, "uint8": 133, "int16": 0}[kind]
    scale = 0.1 if kind != "int16" else 0.001
    x = g.add_input("x", (1, 16), kind, scale=scale, zero_point=zero)
    y = g.add_tensor("y", (1, 16), kind, scale=2 * scale, zero_point=zero)
    g.add_operator("ADD", [x, x], [y], AddOptions(pot_scale_int16=False), version=3 if kind == "int16" else 2)
    g.set_outputs([y])
    model.add_signature("s", g, inputs={"in": x}, outputs={"out": y})
    return model


def reals(array: np.ndarray, tensor: tflite2x.Tensor) -> np.ndarray:
    q = tensor.quantization
    if array.dtype == np.float32 or q is None:
        return array.astype(np.float64)
    return (array.astype(np.float64) - int(q.zero_point[0])) * float(q.scale[0])


@pytest.mark.parametrize("integers", ["int8", "uint8", "int16"])
@pytest.mark.parametrize(("inputs", "outputs"), list(itertools.product(KINDS, KINDS)))
def test_every_interface(integers: str, inputs: str, outputs: str) -> None:
    model = core(integers)
    original = tflite2x.dumps(model)
    report = run(model, f"set-io-type{{inputs={inputs} outputs={outputs}}}")
    left = reasons(report)
    g = model.main
    impossible = {("int16", "uint8")} if integers == "int16" else {("uint8", "int16")}
    expected_input = inputs if not (integers == "uint8" and inputs == "int16") else integers
    expected_output = outputs if not (integers == "int16" and outputs == "uint8") else integers
    assert [g.inputs[0].dtype.name.lower(), g.outputs[0].dtype.name.lower()] == [expected_input, expected_output]
    assert bool(left) == ((expected_input, expected_output) != (inputs, outputs)), impossible
    assert [g.inputs[0].name, g.outputs[0].name] == ["x", "y"]
    assert list(model.signatures[0].inputs.values()) == [g.inputs[0]]
    # The integer core is the same in LiteRT: feed what the new interface can express to both.
    rng = np.random.default_rng(0)
    old, new = tflite2x.loads(original).main, g
    after = tflite2x.dumps(model)
    for _ in range(3):
        coarse = (
            rng.integers(-100, 20, (1, 16)) * 0.1 if integers != "int16" else rng.integers(-100, 100, (1, 16)) * 0.256
        )
        fed = []
        for graph in (old, new):
            t = graph.inputs[0]
            q = t.quantization
            if q is None or t.dtype.name == "FLOAT32":
                fed.append(coarse.astype(np.float32))
            else:
                fed.append((np.round(coarse / float(q.scale[0])) + int(q.zero_point[0])).astype(t.numpy_dtype))
        (want,), (got,) = litert_run(original, [fed[0]]), litert_run(after, [fed[1]])
        step = float(new.outputs[0].quantization.scale[0]) if new.outputs[0].quantization else 1e-6
        limit = step / 2 if integers == "int16" and outputs == "int8" else 1e-5
        assert np.abs(reals(want, old.outputs[0]) - reals(got, new.outputs[0])).max() <= limit + 1e-6


@pytest.mark.parametrize("name", ["logistic_int8", "mlp_uint8", "cnn_int8"])
@pytest.mark.parametrize(("inputs", "outputs"), list(itertools.product(KINDS, KINDS)))
def test_own_models(models: Path, name: str, inputs: str, outputs: str) -> None:
    model = tflite2x.load(models / f"{name}.tflite")
    report = run(model, f"set-io-type{{inputs={inputs} outputs={outputs}}},cleanup", samples=8)
    assert not reasons(report)
    assert [model.main.inputs[0].dtype.name, model.main.outputs[0].dtype.name] == [inputs.upper(), outputs.upper()]
    assert report.total is not None
    assert report.total.passed


def test_boundary_operators_are_replaced_not_stacked(models: Path) -> None:
    model = tflite2x.load(models / "mlp_uint8.tflite")
    assert names(model)[0] == "QUANTIZE"
    count = len(names(model))
    run(model, "set-io-type{inputs=int8 outputs=int8},cleanup")
    assert len(names(model)) == count - 2
    run(model, "set-io-type{inputs=float32 outputs=float32},cleanup")
    assert len(names(model)) == count
    run(model, "strip-float-io,cleanup")
    assert len(names(model)) == count - 2


def test_float_models_are_left_alone(models: Path) -> None:
    model = tflite2x.load(models / "logistic_float.tflite")
    report = run(model, "set-io-type{inputs=int8 outputs=int8}")
    assert [r.split(" ", 1)[1] for r in reasons(report)] == [
        "(RESHAPE) reads the float values",
        "(SOFTMAX) computes the float values",
    ]


def test_end_to_end_with_coarser_inputs() -> None:
    model = core("int16")
    report = Pipeline.parse("set-io-type{inputs=float32},set-io-type{inputs=int8},cleanup").run(
        model, Verify(every="end")
    )
    assert report.total is not None
    assert report.total.passed


@pytest.mark.parametrize("last", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("name", ["cnn_int8", "logistic_int8", "mlp_uint8"])
def test_by_way_of_int16_is_the_same_as_straight(models: Path, name: str, last: str) -> None:
    """An int16 interface in front of 8 bits is a boundary: 8 bits would otherwise get 256 times its scale."""
    original = tflite2x.load(models / f"{name}.tflite")
    straight, around = original.clone(), original.clone()
    spec = f"set-io-type{{inputs={last} outputs={last}}}"
    run(straight, spec)
    report = Pipeline.parse(f"set-io-type{{inputs=int16 outputs=int16}},{spec}").run(around, Verify(samples=8))
    assert report.total is not None
    assert report.total.passed
    assert [op.name for op in around.main.operators] == [op.name for op in straight.main.operators]
    for a, b in zip(
        (*around.main.inputs, *around.main.outputs), (*straight.main.inputs, *straight.main.outputs), strict=True
    ):
        assert a.dtype == b.dtype
        assert last == "float32" or a.quantization == b.quantization

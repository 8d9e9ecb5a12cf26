# SPDX-License-Identifier: Apache-2.0
"""Explanations hold the numbers with which the arithmetic can be redone by hand."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tflite2x
import tflite2x.explain.inspect
from tests.export.zoo import zoo
from tflite2x.cli import main
from tflite2x.errors import InputError, UnsupportedError
from tflite2x.explain.arithmetic import explain_model, find, numpy_function, to_json
from tflite2x.explain.arithmetic_text import render
from tflite2x.interpreter import Interpreter
from tflite2x.program.formulas import DOUBLE, REAL
from tflite2x.xs3 import unpack

ALL = sorted(p.name for p in (Path(__file__).parents[2] / "models").glob("*.tflite"))


def run(model: Path, *arguments: str) -> int:
    return main(["explain", str(model), *arguments])


def test_the_package_is_a_function_too(models: Path) -> None:
    op = tflite2x.load(models / "mlp_uint8.tflite").main.operators[2]
    assert tflite2x.explain(op) == tflite2x.explain.arithmetic.explain(op)
    assert tflite2x.explain.inspect.inspect(op.subgraph.model)
    code = "import sys, tflite2x; print(callable(tflite2x.explain), 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_a_dense_layer_can_be_redone_from_the_table(models: Path) -> None:
    model = tflite2x.load(models / "mlp_uint8.tflite")
    op = model.main.operators[2]
    step = tflite2x.explain(op).steps[0]
    assert step.rounding == REAL
    assert step.clamp == [-128, 127]
    x_spec, w_spec, y_spec = (t.quantization for t in (op.inputs[0], op.inputs[1], op.outputs[0]))
    weights = op.inputs[1].data.astype(int)
    image = np.random.default_rng(0).integers(0, 256, model.main.inputs[0].shape, dtype=np.uint8)
    trace = Interpreter(model).trace([image])
    x, y = trace[op.inputs[0]].reshape(-1).astype(int), trace[op.outputs[0]].reshape(-1)
    zero = int(y_spec.zero_point[0])
    for channel, row in zip(step.channels, weights, strict=True):
        acc = channel.folded_bias + int(row @ x)
        assert channel.lowest <= acc <= channel.highest
        assert channel.folded_bias == channel.bias - int(x_spec.zero_point[0]) * channel.weight_sum
        assert channel.weight_sum == row.sum()
        assert channel.multiplier == float(x_spec.scale[0]) * float(w_spec.scale[0]) / float(y_spec.scale[0])
        magnitude = abs(acc) * channel.mantissa + (1 << channel.shift - 1) >> channel.shift
        result = min(max((magnitude if acc >= 0 else -magnitude) + zero, *step.clamp[:1]), step.clamp[1])
        assert result == y[channel.channel]


def test_a_convolution_per_channel(models: Path) -> None:
    op = tflite2x.load(models / "cnn_int8.tflite").main.operators[0]
    found = tflite2x.explain(op)
    assert found.inputs[1].quantization is not None
    assert len(found.inputs[1].quantization.scales) == len(found.steps[0].channels) == 32
    assert found.steps[0].rounding == DOUBLE
    weights = op.inputs[1].data.reshape(32, -1).astype(int)
    for channel, row in zip(found.steps[0].channels, weights, strict=True):
        assert channel.weight_scale == found.inputs[1].quantization.scales[channel.channel]
        assert channel.multiplier == pytest.approx(channel.mantissa * 2.0 ** (channel.shift - 31), rel=1e-9)
        assert 1 << 30 <= channel.mantissa < 1 << 31
        extremes = [channel.folded_bias + int(np.where((row > 0) == high, 127, -128) @ row) for high in (False, True)]
        assert extremes == [channel.lowest, channel.highest]
    lowest, highest = (
        f(getattr(c, n) for c in found.steps[0].channels) for f, n in ((min, "lowest"), (max, "highest"))
    )
    assert found.steps[0].accumulator == [lowest, highest]


def test_xc_fc_shows_the_parameters_of_its_block(models: Path) -> None:
    model = tflite2x.load(models / "logistic_int8.tflite")
    tflite2x.Pipeline.parse("strip-float-io,bypass-reshape,xc-fc").run(model)
    (op,) = (op for op in model.main.operators if op.custom_code == "XC_fc")
    step = tflite2x.explain(op).steps[0]
    parameters = unpack(op.inputs[2].data, 10)
    assert step.numbers["shift1"] == parameters.shift1.tolist()
    assert step.numbers["bias"] == parameters.bias.tolist()
    assert "offset_scale[o] * offset[o]" in " ".join(step.formulas)


def test_fused_relu_is_told_from_zero(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models / "mlp_uint8.tflite", "--op", "2") == 0
    text = capsys.readouterr().out
    assert "RELU clamps at real 0, and real 0 is the zero point -128, not 0" in text
    assert "scale 0.00392156886, zero point -128" in text
    assert len([line for line in text.splitlines() if line.lstrip()[:2].strip().isdigit()]) == 28


@pytest.mark.parametrize("name", ALL)
def test_every_model_in_every_form(models: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = tflite2x.load(models / name)
    for rounding in ("single", "double"):
        assert run(models / name, "--rounding", rounding) == 0
        text = capsys.readouterr().out
        for op in model.main.operators:
            assert f"operator {op.index}: {op.name}\n" in text
        assert "no integer form" not in text
    assert run(models / name, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert [e["operator"] for e in data] == [op.name for op in model.main.operators]
    assert all(e["steps"] and e["reason"] is None for e in data)


def test_every_operator_of_the_zoo_can_be_rendered() -> None:
    found = explain_model(zoo())
    assert all(e.steps for e in found)
    text = render(found)
    assert text.count("operator ") >= len(found)
    json.loads(to_json(found))


def test_numpy_can_be_pasted_and_run(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tflite2x.load(models / "mlp_uint8.tflite")
    assert run(models / "mlp_uint8.tflite", "--op", "3", "--numpy") == 0
    printed = capsys.readouterr().out
    assert printed == numpy_function(model.main.operators[3])
    assert "tflite2x" not in printed
    assert "int8 [1, 28] scale" in printed
    image = np.random.default_rng(1).integers(0, 256, model.main.inputs[0].shape, dtype=np.uint8)
    trace = Interpreter(model).trace([image])
    x, y = (trace[t] for t in (model.main.operators[3].inputs[0], model.main.operators[3].outputs[0]))
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "paste.py").write_text(
        f"{printed}\nprint(fully_connected_3_numpy(np.load('x.npy')).ravel().tolist())\n"
    )
    done = subprocess.run([sys.executable, "-I", "paste.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == y.ravel().tolist()


def test_numpy_of_a_whole_model_says_what_it_leaves_out(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models / "kws_int8.tflite", "--numpy") == 0
    text = capsys.readouterr().out
    assert text.count("\ndef conv_2d_") == 3
    compile(text, "all", "exec")


def test_operators_are_found_by_tensor(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tflite2x.load(models / "mlp_uint8.tflite")
    hidden = model.main.operators[2].outputs[0]
    assert hidden is not None
    assert find(model, tensor=hidden.name) is model.main.operators[2]
    assert find(model, tensor=str(hidden.index)) is model.main.operators[2]
    assert find(model, tensor=model.main.inputs[0].name) is model.main.operators[0]
    with pytest.raises(InputError, match="Did you mean"):
        find(model, tensor=f"{hidden.name}x")
    with pytest.raises(InputError, match="operators 0 to 4"):
        find(model, op=5)
    assert run(models / "mlp_uint8.tflite", "--tensor", "nothing like it") == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert run(models / "mlp_uint8.tflite", "--op", "1", "--tensor", "x") == 2


def test_what_has_no_integer_form_says_why() -> None:
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (4,), "bool")
    y = graph.add_tensor("y", (4, 1), "int64")
    graph.add_operator("WHERE", [x], [y])
    graph.set_outputs([y])
    found = tflite2x.explain(graph.operators[0])
    assert found.steps == []
    assert found.reason == "WHERE has no integer form here"
    assert "no integer form: WHERE" in render([found])
    with pytest.raises(UnsupportedError):
        numpy_function(graph.operators[0])


@pytest.mark.parametrize("seed", range(12))
def test_damaged_models_end_in_one_error(
    seed: int, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    content = bytearray((models / "kws_int8.tflite").read_bytes())
    for _ in range(rng.randrange(1, 12)):
        content[-rng.randrange(1, 3000)] = rng.randrange(256)
    path = tmp_path / "damaged.tflite"
    path.write_bytes(content)
    for arguments in (
        ["explain", str(path)],
        ["explain", str(path), "--numpy"],
        ["export", str(path), "-o", str(tmp_path)],
    ):
        assert main(arguments) in (0, 2)
        assert "should not happen" not in capsys.readouterr().err


@pytest.mark.sweep
def test_the_whole_corpus_can_be_explained(corpus: Path) -> None:
    index = json.loads((corpus / "index.json").read_text())
    explained = 0
    for entry in index:
        if entry["size"] > 3e6:
            continue
        try:
            model = tflite2x.load(corpus / entry["path"])
        except tflite2x.Tflite2xError:
            continue
        found = explain_model(model)
        json.loads(to_json(found))
        render(found)
        explained += 1
    assert explained > 400

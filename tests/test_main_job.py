# SPDX-License-Identifier: Apache-2.0
"""The main job on every model of models/, judged by LiteRT: load, strip, substitute, check, write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_interpreter

MODELS = Path(__file__).parent.parent / "models"
NAMES = sorted(p.stem for p in MODELS.glob("*.tflite"))
QUANTIZED = [n for n in NAMES if not n.endswith("_float")]
SAMPLES = 1000


def litert_batch(model: bytes, inputs: list[Any]) -> list[Any]:
    """Run samples one by one in LiteRT's reference kernels; arrays have a leading sample axis."""
    interpreter = litert_interpreter(model)
    details, results = interpreter.get_input_details(), []
    outputs = interpreter.get_output_details()
    for sample in zip(*inputs, strict=True):
        for detail, value in zip(details, sample, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        results.append([interpreter.get_tensor(d["index"]) for d in outputs])
    return [np.stack(column) for column in zip(*results, strict=True)]


def random_inputs(model: tflite2x.Model, count: int, seed: int = 7) -> list[Any]:
    rng = np.random.default_rng(seed)
    arrays = []
    for t in model.main.inputs:
        shape = (count, *(max(1, d) for d in t.shape))
        if t.numpy_dtype.kind == "f":
            arrays.append(rng.uniform(0, 1, shape).astype(t.numpy_dtype))
        else:
            limits = np.iinfo(t.numpy_dtype)
            arrays.append(rng.integers(limits.min, limits.max, shape, t.numpy_dtype, endpoint=True))
    return arrays


@pytest.mark.parametrize("name", NAMES)
def test_the_interpreter_equals_litert(name: str) -> None:
    data = (MODELS / f"{name}.tflite").read_bytes()
    model = tflite2x.loads(data)
    inputs = random_inputs(model, SAMPLES)
    ours = tflite2x.Interpreter(model).run_batch(inputs)
    for a, b in zip(ours, litert_batch(data, inputs), strict=True):
        assert a.dtype == b.dtype
        if name in QUANTIZED:
            assert (a == b).all()
        else:
            assert np.abs(a - b).max() <= 1e-6 * np.abs(b).max()


def through_quantize(tensor: tflite2x.Tensor, values: Any) -> Any:
    """Apply the QUANTIZE that a stripped input lost, in LiteRT."""
    model = tflite2x.Model.new()
    x = model.main.add_input("x", values.shape[1:], "float32")
    q = model.main.add_tensor("q", values.shape[1:], tensor.dtype, quantization=tensor.quantization)
    model.main.add_operator("QUANTIZE", [x], [q])
    model.main.set_outputs([q])
    return litert_batch(tflite2x.dumps(model), [values])[0]


def through_dequantize(tensor: tflite2x.Tensor, values: Any) -> Any:
    """Apply the DEQUANTIZE that a stripped output lost, in LiteRT."""
    model = tflite2x.Model.new()
    q = model.main.add_input("q", values.shape[1:], tensor.dtype, quantization=tensor.quantization)
    x = model.main.add_tensor("x", values.shape[1:], "float32")
    model.main.add_operator("DEQUANTIZE", [q], [x])
    model.main.set_outputs([x])
    return litert_batch(tflite2x.dumps(model), [values])[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_tflite_target_keeps_the_integer_core(name: str, tmp_path: Path) -> None:
    source, target = MODELS / f"{name}.tflite", tmp_path / "out.tflite"
    command = [sys.executable, "-m", "tflite2x", "optimize", str(source), "-o", str(target), "--target", "tflite", "-q"]
    subprocess.run(command, check=True)
    before, after = tflite2x.load(source), tflite2x.load(target)
    inputs = random_inputs(before, SAMPLES)
    expected = litert_batch(source.read_bytes(), inputs)
    fed = [
        through_quantize(new, x) if (old.dtype, new.dtype) != (old.dtype, old.dtype) else x
        for old, new, x in zip(before.main.inputs, after.main.inputs, inputs, strict=True)
    ]
    found = litert_batch(target.read_bytes(), fed)
    for old, new, a, b in zip(before.main.outputs, after.main.outputs, found, expected, strict=True):
        assert ((through_dequantize(new, a) if new.dtype != old.dtype else a) == b).all()
    if name in ("logistic_int8", "kws_int8"):
        assert [t.dtype.name for t in (*after.main.inputs, *after.main.outputs)] == ["INT8", "INT8"]
        assert not {"QUANTIZE", "DEQUANTIZE"} & {op.name for op in after.main.operators}


@pytest.mark.parametrize("name", NAMES)
def test_the_xcore_target(name: str, tmp_path: Path) -> None:
    source, target, report = MODELS / f"{name}.tflite", tmp_path / "out.tflite", tmp_path / "report.json"
    command = [sys.executable, "-m", "tflite2x", "optimize", str(source), "-o", str(target), "-q"]
    subprocess.run([*command, "--report", str(report)], check=True)
    after = tflite2x.load(target)
    replaced = [op for op in after.main.operators if op.name == "XC_fc"]
    expected = {"logistic_int8": 1, "mlp_uint8": 2, "cnn_int8": 2, "dscnn_int8": 1, "kws_int8": 1}.get(name, 0)
    assert len(replaced) == expected
    if name == "dense_3d_int8":
        # 16 rows: the kernel computes one, so the operator stays, with the reason.
        assert "rows" in report.read_text()
    assert json.loads(report.read_text())


@pytest.mark.parametrize("name", ["logistic", "mlp", "cnn", "dscnn", "kws"])
def test_accuracy_survives(name: str, tmp_path: Path) -> None:
    """Correct answers of the float, the quantized and the XC_fc model on the evaluation set."""
    manifest = json.loads((MODELS / "MANIFEST.json").read_text())["models"]
    quantized = f"{name}_uint8" if name == "mlp" else f"{name}_int8"
    data = np.load(MODELS / manifest[f"{quantized}.tflite"]["evaluation"])
    correct = {}
    for kind in (f"{name}_float", quantized, "xcore"):
        model = tflite2x.load(MODELS / f"{quantized if kind == 'xcore' else kind}.tflite")
        if kind == "xcore":
            tflite2x.optimize(model, target="xcore")
        x = data["x"].reshape(len(data["x"]), *(max(1, d) for d in model.main.inputs[0].shape))
        tensor = model.main.inputs[0]
        if tensor.numpy_dtype.kind != "f":
            q = tensor.quantization
            assert q is not None
            limits = np.iinfo(tensor.numpy_dtype)
            x = np.clip(np.rint(x / q.scale[0]) + q.zero_point[0], limits.min, limits.max).astype(tensor.numpy_dtype)
        scores = tflite2x.Interpreter(model).run_batch([x])[0].reshape(len(x), -1)
        correct[kind] = int((scores.argmax(1) == data["y"]).sum())
    assert abs(correct[quantized] - manifest[f"{quantized}.tflite"]["correct_in_litert_reference_kernels"]) <= 1
    # One LSB here and there may move a close call.
    assert abs(correct["xcore"] - correct[quantized]) <= 0.01 * len(data["y"])
    print(name, correct, len(data["y"]))

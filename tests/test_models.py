# SPDX-License-Identifier: Apache-2.0
"""The committed models are the ones that the manifest describes, and LiteRT runs them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle import Array, litert_interpreter

MODELS = Path(__file__).parent.parent / "models"
MANIFEST = json.loads((MODELS / "MANIFEST.json").read_text())
REQUIRED = {
    "logistic_float", "logistic_int8", "mlp_uint8", "cnn_int8", "dense_3d_int8", "dscnn_int8", "kws_int8",
}  # fmt: skip
#: Operators by model, as the persons whose problems they come from printed them.
OPERATORS = {
    "logistic_int8": ["QUANTIZE", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE"],
    "mlp_uint8": ["QUANTIZE", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "QUANTIZE"],
    "cnn_int8": [
        "CONV_2D", "MAX_POOL_2D", "CONV_2D", "MAX_POOL_2D", "CONV_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED",
    ],
    "dense_3d_int8": ["FULLY_CONNECTED"],
}  # fmt: skip
EVERY_MODEL = pytest.mark.parametrize("name", sorted(MANIFEST["models"]))


def predict(interpreter: Any, samples: Array) -> Array:
    """Real-valued outputs for real-valued samples: quantized at the way in, dequantized at the way out."""
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = source["quantization"]
    if scale:
        limits = np.iinfo(source["dtype"])
        samples = np.clip(np.rint(samples.astype(np.float64) / scale) + zero_point, limits.min, limits.max)
    outputs = []
    for row in samples.astype(source["dtype"]).reshape(-1, *source["shape"]):
        interpreter.set_tensor(source["index"], row)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(sink["index"])[0].astype(np.float64))
    scale, zero_point = sink["quantization"]
    real: Array = (np.stack(outputs) - zero_point) * (scale or 1.0)
    return real


def test_the_manifest_lists_exactly_the_files_in_the_folder() -> None:
    listed = set(MANIFEST["models"]) | set(MANIFEST["evaluation_sets"]) | {"MANIFEST.json"}
    assert {path.name for path in MODELS.iterdir()} == listed
    assert {f"{name}.tflite" for name in REQUIRED} <= set(MANIFEST["models"])


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.iterdir()) < 2_000_000


@pytest.mark.parametrize("name", sorted(MANIFEST["models"]) + sorted(MANIFEST["evaluation_sets"]))
def test_size_and_sha256(name: str) -> None:
    entry = {**MANIFEST["models"], **MANIFEST["evaluation_sets"]}[name]
    content = (MODELS / name).read_bytes()
    assert len(content) == entry["bytes"]
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]


@EVERY_MODEL
def test_litert_runs_it_with_the_interface_and_accuracy_of_the_manifest(name: str) -> None:
    entry = MANIFEST["models"][name]
    interpreter = litert_interpreter(MODELS / name)
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert [np.dtype(d["dtype"]).name for d in details] == [entry["interface"]] * 2
    weights = {np.dtype(d["dtype"]).name for d in interpreter.get_tensor_details() if len(d["shape"]) >= 2}
    assert (entry["core"] == "int8") == ("int8" in weights)
    with np.load(MODELS / entry["evaluation"]) as file:
        samples, expected = file["x"], file["reference"] if "reference" in file else file["y"]
    outputs = predict(interpreter, samples)
    if "correct_in_litert_reference_kernels" in entry:
        correct = int((outputs.argmax(axis=1) == expected).sum())
        # Float sums differ between processors: a tie may fall to the other side.
        slack = 0 if entry["core"] == "int8" else 1
        assert abs(correct - entry["correct_in_litert_reference_kernels"]) <= slack
        assert correct > 0.85 * len(samples)
    else:
        # Ten calibration samples, as in the question: rare outputs lie outside of the calibrated range and saturate.
        scale, zero_point = details[1]["quantization"]
        reachable = np.clip(expected, (-128 - zero_point) * scale, (127 - zero_point) * scale)
        assert np.abs(outputs - reachable).max() < 4 * scale
        assert (reachable != expected).mean() < 0.01


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_operators_are_those_of_the_problem_it_stands_for(name: str) -> None:
    interpreter = litert_interpreter(MODELS / f"{name}.tflite")
    assert [op["op_name"] for op in interpreter._get_ops_details()] == OPERATORS[name]


def test_scales_per_channel_and_per_tensor_are_both_there() -> None:
    def scales(name: str) -> dict[tuple[int, ...], int]:
        tensors = litert_interpreter(MODELS / name).get_tensor_details()
        constants = (t for t in tensors if t["dtype"] is np.int8 and t["shape"][0] > 1)
        return {tuple(t["shape"].tolist()): t["quantization_parameters"]["scales"].size for t in constants}

    assert scales("cnn_int8.tflite")[32, 3, 3, 1] == 32
    assert scales("cnn_int8.tflite")[64, 576] == 1
    assert scales("mlp_uint8.tflite")[28, 784] == 1
    assert scales("dscnn_int8.tflite")[10, 64] == 10
    assert scales("dense_3d_int8.tflite") == {(32, 48): 1}


@pytest.mark.parametrize("name", sorted(MANIFEST["evaluation_sets"]))
def test_evaluation_sets_are_float_samples_with_labels(name: str) -> None:
    with np.load(MODELS / name) as file:
        arrays = dict(file)
    samples = MANIFEST["evaluation_sets"][name]["samples"]
    assert arrays["x"].dtype == np.float32
    assert len(arrays["x"]) == samples
    if "y" in arrays:
        assert arrays["y"].dtype == np.int64
        assert arrays["y"].shape == (samples,)
        # Every class occurs, none more often than three times its share.
        counts = np.bincount(arrays["y"])
        assert counts.min() > 0
        assert counts.max() < 3 * samples / len(counts)
    else:
        assert arrays["reference"].shape == (samples, 16, 32)

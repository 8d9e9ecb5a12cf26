# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tflite2x.cli import main
from tflite2x.passes.strip_float_io import StripFloatIO
from tflite2x.passes.xc_fc import XcFc


def evaluate(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, object]]:
    assert main(["evaluate", *map(str, words), "--json"]) == 0
    result: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return result


def test_float_quantized_and_xc_fc_side_by_side(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replaced = tflite2x.load(models / "logistic_int8.tflite")
    StripFloatIO()(replaced)
    XcFc()(replaced)
    path = tmp_path / "xc.tflite"
    tflite2x.save(replaced, path)
    words = (models / "logistic_float.tflite", models / "logistic_int8.tflite", path, "-d", models / "digits_eval.npz")
    reference, quantized, xc = evaluate(capsys, *words)
    manifest = json.loads((models / "MANIFEST.json").read_text())["models"]
    for row, name in ((reference, "logistic_float.tflite"), (quantized, "logistic_int8.tflite")):
        assert row["accuracy"] == manifest[name]["correct_in_litert_reference_kernels"] / 360
    assert (reference["agreement"], reference["relative_error"]) == (1.0, 0.0)
    assert abs(xc["accuracy"] - quantized["accuracy"]) < 0.01
    assert 0 < xc["relative_error"] < 0.01
    assert main(["evaluate", *map(str, words)]) == 0
    out = capsys.readouterr().out
    assert "96.11 %" in out
    assert "360 samples" in out


def test_parts_do_not_change_the_result(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (models / "cnn_int8.tflite", "-d", models / "digits_eval.npz", "--samples", 40)
    whole, parts = (evaluate(capsys, *words, "--batch", size)[0] for size in (256, 7))
    assert whole["samples"] == parts["samples"] == 40
    assert whole["accuracy"] == parts["accuracy"]


def test_reference_outputs_in_the_data(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = evaluate(capsys, models / "dense_3d_int8.tflite", "-d", models / "dense_3d_eval.npz")
    assert row["accuracy"] is None
    assert 0 < row["relative_error"] < 0.05


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((3, 27, 28), np.float32)}, "does not fit"),
        ({"z": np.zeros((3, 28, 28), np.float32)}, "no array for input"),
        ({"x": np.zeros((0, 28, 28), np.float32)}, "no samples"),
        ({"x": np.zeros((3, 28, 28), np.float32), "reference": np.zeros((2, 10))}, "2 samples for 3 inputs"),
    ],
)
def test_unfit_data_is_refused(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arrays: dict[str, np.ndarray], words: str
) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, **arrays)
    assert main(["evaluate", str(models / "logistic_int8.tflite"), "-d", str(data)]) == 2
    assert words in capsys.readouterr().err

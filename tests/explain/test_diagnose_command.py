# SPDX-License-Identifier: Apache-2.0
"""``tflite2x diagnose``: files in, text or JSON out, and an exit code that says whether something differs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tflite2x.cli.main import main


@pytest.fixture
def files(tmp_path: Path, models: Path) -> Path:
    with np.load(models / "digits_eval.npz") as file:
        images = np.rint(file["x"][:2] * 255).astype(np.uint8)
        np.save(tmp_path / "real.npy", file["x"][0])
    model = tflite2x.load(models / "mlp_uint8.tflite")
    trace = {t.index: v for t, v in tflite2x.Interpreter(model).trace([images[:1]]).items()}
    np.save(tmp_path / "x.npy", images[:1])
    np.savez(tmp_path / "good.npz", tensor8=trace[8], tensor10=trace[10])
    np.savez(tmp_path / "bad.npz", tensor8=np.maximum(trace[8], 0), tensor10=trace[10])
    np.save(tmp_path / "out.npy", trace[10])
    np.save(tmp_path / "shifted.npy", trace[10].astype(int) - 128)
    return tmp_path


def test_with_a_model(files: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["diagnose", str(models / "mlp_uint8.tflite"), "--input", str(files / "x.npy"), "--mine"]
    assert main([*given, str(files / "good.npz")]) == 0
    assert "no difference" in capsys.readouterr().out
    assert main([*given, str(files / "out.npy")]) == 0  # a lone array is the output
    capsys.readouterr()
    assert main([*given, str(files / "bad.npz")]) == 1
    text = capsys.readouterr().out
    assert "relu at zero" in text
    assert "with the mistake" in text
    assert main([*given, str(files / "bad.npz"), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert ["relu at zero"] in [n["mistakes"] for n in result["findings"][0]["named"]]
    assert main([*given, str(files / "shifted.npy")]) == 1
    assert "shift by 128" in capsys.readouterr().out


def test_real_inputs(files: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["diagnose", str(models / "mlp_uint8.tflite"), "--real", "-i", str(files / "real.npy"), "--mine"]
    assert main([*given, str(files / "good.npz")]) == 0
    assert "no difference" in capsys.readouterr().out


def test_without_a_model(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = ["diagnose", "--expected", str(files / "out.npy"), "--mine"]
    assert main([*pair, str(files / "out.npy")]) == 0
    assert main([*pair, str(files / "shifted.npy"), "--zero-point", "144"]) == 1
    assert "shift by 128" in capsys.readouterr().out


def test_what_is_missing_is_said(files: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", str(models / "mlp_uint8.tflite")]) == 2
    assert "--mine" in capsys.readouterr().err
    assert main(["diagnose", "--mine", str(files / "out.npy")]) == 2
    assert "--expected" in capsys.readouterr().err
    assert main(["diagnose", "--expected", str(files / "good.npz"), "--mine", str(files / "bad.npz")]) == 2
    assert "several arrays" in capsys.readouterr().err

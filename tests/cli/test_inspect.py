# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tflite2x.cli import main


def test_text(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(models / "cnn_int8.tflite")]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "CONV_2D 3, FULLY_CONNECTED 2, MAX_POOL_2D 2, RESHAPE 1" in captured.out
    assert "32 channels on axis 0" in captured.out
    assert "image = tensor 0 int8 [?, 28, 28, 1]" in captured.out


def test_json(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(models / "mlp_uint8.tflite"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [op["name"] for op in data["subgraphs"][0]["operators"]][0::4] == ["QUANTIZE", "QUANTIZE"]
    assert data["subgraphs"][0]["tensors"][0]["quantization"]["scales"] == [0.003921568859368563]


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_end_in_one_line(
    seed: int, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    content = bytearray((models / "logistic_int8.tflite").read_bytes())
    if seed % 2:
        del content[rng.randrange(len(content)) :]
    else:
        for _ in range(rng.randrange(1, 12)):
            content[rng.randrange(len(content))] = rng.randrange(256)
    path = tmp_path / "damaged.tflite"
    path.write_bytes(content)
    code = main(["inspect", str(path)])
    captured = capsys.readouterr()
    assert "this should not happen" not in captured.err
    if code == 0:  # the damage hit a weight or a name
        assert captured.out.startswith(str(path))
        assert captured.err == ""
    else:
        assert code == 2
        assert captured.err.startswith(f"error: {path}")
        assert captured.err.count("\n") == 1

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.passes.test_xc_fc import model_of
from tests.xs3.layers import plausible
from tflite2x.cli import main


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    tflite2x.save(model_of(plausible(np.random.default_rng(0), 12, 30)), path)
    return path


def test_the_table(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(models / "cnn_int8.tflite"), "--samples", "20"]) == 0
    out = capsys.readouterr().out
    assert "64 x 576" in out
    assert out.count("1 LSB") >= 4
    assert "TFLite Micro" in out
    assert "whole model: " in out


def test_json_holds_witnesses_that_litert_confirms(dense: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(dense), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (layer,) = data["layers"]
    assert (layer["accepted"], layer["bound"], layer["channels"], layer["inputs"]) == (True, 1, 12, 30)
    assert data["measured"]["worst_lsb"] <= 1
    proof = layer["proofs"]["single"]
    assert proof["attained"]
    assert len(proof["channel_bounds"]) == 12
    witness = proof["witness"]
    x = np.array([witness["input"]], np.int8)
    (litert,) = litert_run(dense, [x])
    assert litert[0, witness["channel"]] == witness["tflite"]
    assert abs(witness["tflite"] - witness["xc_fc"]) == 1


def test_above_the_limit_is_a_failed_check(dense: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(dense), "--max-lsb", "0"]) == 1
    assert "left alone, it can differ from TFLite by 1 LSB, more than 0" in capsys.readouterr().out


def test_layers_that_do_not_qualify_are_named(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(models / "dense_3d_int8.tflite")]) == 0
    assert "left alone, it computes 16 rows" in capsys.readouterr().out


def test_convolutions_are_turned_into_layers_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tflite2x.schema.tables import Conv2DOptions

    layer = plausible(np.random.default_rng(1), 8, 16)
    model = tflite2x.Model.new()
    g = model.main
    x = g.add_input("x", (1, 1, 1, 16), "int8", scale=layer.input_scale, zero_point=layer.input_zero_point)
    w = g.add_constant("w", layer.weights.reshape(8, 1, 1, 16), scale=layer.weight_scales)
    b = g.add_constant("b", layer.bias, scale=layer.input_scale * layer.weight_scales)
    y = g.add_tensor("y", (1, 1, 1, 8), "int8", scale=layer.output_scale, zero_point=layer.output_zero_point)
    g.add_operator("CONV_2D", [x, w, b], [y], Conv2DOptions(stride_w=1, stride_h=1))
    g.set_outputs([y])
    path = tmp_path / "conv.tflite"
    tflite2x.save(model, path)
    assert main(["prove", str(path)]) == 0
    assert "8 x 16" in capsys.readouterr().out
    assert main(["prove", str(path), "--passes", ""]) == 0
    assert "no FULLY_CONNECTED" in capsys.readouterr().out


def test_a_clamp_that_stays_an_operator_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layer = dataclasses.replace(plausible(np.random.default_rng(2), 8, 40), output_zero_point=-20)
    path = tmp_path / "relu.tflite"
    tflite2x.save(model_of(layer, tflite2x.ActivationFunctionType.RELU), path)
    assert main(["prove", str(path), "--params", "2021", "--samples", "0"]) == 0
    assert "followed by RELU" in capsys.readouterr().out
    assert main(["prove", str(path), "--samples", "0"]) == 0
    assert "followed by" not in capsys.readouterr().out

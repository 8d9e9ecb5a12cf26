# SPDX-License-Identifier: Apache-2.0
"""A pass that a newcomer writes: at most 25 lines, and everything works on it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tflite2x import Pipeline, Verify
from tflite2x.cli import main
from tflite2x.ir import Model
from tflite2x.rewrite.registry import find_pass
from tflite2x.schema.tables import MulOptions

SOURCE = Path(__file__).with_name("newcomer.py")
spec = importlib.util.spec_from_file_location("newcomer", SOURCE)
assert spec is not None
assert spec.loader is not None
spec.loader.exec_module(importlib.util.module_from_spec(spec))


def multiplied(*factors: float) -> Model:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 4), "float32")
    start = g.add_tensor("start", (1, 4), "float32")
    g.add_operator("NEG", [x], [start])
    y = start
    for i, factor in enumerate(factors):
        k = g.add_constant(f"k{i}", np.full(4, factor, np.float32))
        z = g.add_tensor(f"y{i}", (1, 4), "float32")
        g.add_operator("MUL", [k, y] if i % 2 else [y, k], [z], MulOptions())
        y = z
    g.set_outputs([y])
    return model


def test_it_is_short() -> None:
    assert len(SOURCE.read_text().splitlines()) <= 25


def test_it_works_and_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = multiplied(1, 2, 1)
    report = Pipeline.parse("remove-mul-by-one,cleanup").run(model, Verify())
    assert [op.name for op in model.main.operators] == ["NEG", "MUL"]
    assert model.main.outputs[0].name == "y2"
    assert [reason for _, _, reason in report.left_alone()] == ["'k1' is not 1 everywhere"]
    path = tmp_path / "m.tflite"
    tflite2x.save(multiplied(1, 3), path)
    assert main(["why", "remove-mul-by-one", str(path)]) == 0
    said = capsys.readouterr().out
    assert "replaced    subgraphs[0].operators[1] (MUL): replaced" in said
    assert "left alone  subgraphs[0].operators[2] (MUL): 'k1' is not 1 everywhere" in said
    assert find_pass("remove-mul-by-one").summary() == "Remove multiplications by one. Claim: exact."

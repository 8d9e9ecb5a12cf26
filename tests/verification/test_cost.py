# SPDX-License-Identifier: Apache-2.0
"""What verification costs, counted in what it prepares: time is measured by scripts/bench_verification.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tflite2x
from tflite2x.interpreter import plan


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the operators whose kernels are prepared."""
    names: list[str] = []
    prepare = plan._prepare

    def record(kernel: Any, context: Any) -> Any:
        names.append(context.op.name)
        return prepare(kernel, context)

    monkeypatch.setattr(plan, "_prepare", record)
    return names


@pytest.mark.parametrize("name", ["cnn_int8", "dscnn_int8", "kws_int8"])
@pytest.mark.parametrize("pipeline", ["xc-fc,cleanup", "set-io-type{inputs=float32},xc-fc,bypass-reshape,cleanup"])
def test_every_operator_is_prepared_once(models: Path, name: str, pipeline: str, prepared: list[str]) -> None:
    model = tflite2x.load(models / f"{name}.tflite")
    before = [op.name for op in model.main.operators]
    tflite2x.Pipeline.parse(pipeline).run(model, tflite2x.Verify(samples=32))
    after = [op.name for op in model.main.operators]
    for kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        assert prepared.count(kind) == before.count(kind)
    assert prepared.count("XC_fc") == after.count("XC_fc") > 0


def test_two_models_share_what_they_have_in_common(models: Path, prepared: list[str]) -> None:
    path = models / "cnn_int8.tflite"
    operators = len(tflite2x.load(path).main.operators)
    assert tflite2x.verify(path, path, samples=4).equal
    assert len(prepared) == operators

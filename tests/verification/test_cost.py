# SPDX-License-Identifier: Apache-2.0
"""What verification costs, counted in what it prepares: time is measured by scripts/bench_verification.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import tflite2x
from tflite2x import Claim, Pipeline, Verify
from tflite2x.interpreter import Interpreter, plan
from tflite2x.ir import Model
from tflite2x.rewrite import Pass, PassResult
from tflite2x.verification.local import Local


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


def test_a_pass_runs_again_only_what_follows_from_its_changes(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    execute = plan.Step.execute

    def record(step: Any, *args: Any) -> Any:
        names.append(step.op.name)
        return execute(step, *args)

    monkeypatch.setattr(plan.Step, "execute", record)
    model = tflite2x.load(models / "cnn_int8.tflite")
    convolutions = sum(op.name == "CONV_2D" for op in model.main.operators)
    report = Pipeline.parse("xc-fc").run(model, Verify(samples=32))
    assert report.passes[0].verdict is not None
    assert report.passes[0].verdict.worst_lsb == 1
    assert names.count("CONV_2D") == 2 * convolutions  # for the samples, and for those of other lengths
    assert "XC_fc" in names


@dataclasses.dataclass(frozen=True)
class RollFilters(Pass):
    """Gives every channel of one operator the filter of another."""

    name: ClassVar[str] = "test-roll-filters"
    index: int = 0

    def run(self, model: Model) -> PassResult:
        weights = model.main.operators[self.index].inputs[1]
        assert weights is not None
        assert weights.data is not None
        weights.data = np.roll(weights.data, 1, axis=0 if weights.shape[0] > 1 else -1)
        result = PassResult(claim=Claim(lsb=1000, relative=1000.0, scope="model"))
        result.count("weights changed")
        return result


@pytest.mark.parametrize("name", ["cnn_int8", "dscnn_int8", "kws_int8", "cnn_float", "mlp_uint8", "dense_3d_int8"])
@pytest.mark.parametrize("place", range(3))
def test_running_a_part_gives_what_the_model_gives(
    models: Path, name: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    follow = Local.outputs

    def compare(self: Local, before: Any, after: Any) -> Any:
        outputs = follow(self, before, after)
        assert outputs is not None
        tried.append(True)
        for batch, got in zip(after, outputs, strict=True):
            values = Interpreter(self.step.after).trace(batch.inputs, batched=True, subgraph=batch.graph)
            assert batch.values.keys() == values.keys()
            for tensor, value in values.items():
                np.testing.assert_array_equal(batch.values[tensor], value)
            for tensor, array in zip(batch.graph.outputs, got, strict=True):
                np.testing.assert_array_equal(array, values[tensor])
        return outputs

    monkeypatch.setattr(Local, "outputs", compare)
    model = tflite2x.load(models / f"{name}.tflite")
    weighted = [op for op in model.main.operators if len(op.inputs) > 2]
    op = weighted[-1 - place % len(weighted)]
    Pipeline([RollFilters(op.index)]).run(model, Verify(samples=8))
    assert tried == [True]

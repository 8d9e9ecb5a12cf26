# SPDX-License-Identifier: Apache-2.0
"""Pipelines with verification: wrong passes are caught and named, right ones pass, and the model survives failures."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain, two_inputs
from tests.verification.wrong import Harmless, OneScale, OneWeight, OutputScale, SwapInputs, SwapInterface
from tflite2x import CheckFailedError, Claim, Pass, PassResult, Pipeline, Verify
from tflite2x.errors import InputError, PassError
from tflite2x.ir import Model
from tflite2x.passes.cleanup import Cleanup
from tflite2x.passes.strip_float_io import StripFloatIO

Every = Literal["pass", "end"]


@pytest.mark.parametrize("every", ["pass", "end"])
@pytest.mark.parametrize(("wrong", "tensor"), [(OneWeight(), "out"), (OneScale(), "out"), (OneWeight(says=False), "")])
def test_wrong_pass_is_named(wrong: Pass, tensor: str, every: Every) -> None:
    model = chain()
    before = tflite2x.dumps(model)
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([StripFloatIO(), wrong, Cleanup()]).run(model, Verify(every=every))
    assert caught.value.where == f"pass {wrong}"
    if tensor:
        assert f"'{tensor}'" in str(caught.value)
        assert "FULLY_CONNECTED" in str(caught.value)
    else:
        assert "says that it changed nothing" in str(caught.value)
    assert tflite2x.dumps(model) == before  # a failed pipeline leaves the model as it was
    model.check()


def test_report_of_a_failure_has_the_numbers() -> None:
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([OneWeight()]).run(chain(), Verify())
    row = caught.value.report.failed
    assert row is not None
    assert row.verdict is not None
    assert row.verdict.worst_relative is not None
    assert row.verdict.worst_relative > 0
    assert 0 < row.verdict.share <= 1
    assert row.verdict.first is not None
    assert row.verdict.first.tensor == "layer2"
    assert row.verdict.first.operator.endswith("(FULLY_CONNECTED)")
    assert "FAILED" in caught.value.report.table()
    json.loads(caught.value.report.to_json())


def test_swapped_operands_are_caught() -> None:
    with pytest.raises(CheckFailedError, match=r"'difference' computed by subgraphs\[0\].operators\[0\] \(SUB\)"):
        Pipeline([SwapInputs()]).run(two_inputs(), Verify())


def test_swapped_interface_is_refused_without_running() -> None:
    with pytest.raises(PassError, match="moved to position 1 and the pass does not say so"):
        Pipeline([SwapInterface()]).run(two_inputs())


def test_a_silent_change_of_the_output_scale_is_refused() -> None:
    with pytest.raises(PassError, match=r"has another type or quantization .* and the pass does not say so"):
        Pipeline([OutputScale()]).run(chain(float_io=False), Verify())


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("shape", [[1, 8], [-1, 16]])
@pytest.mark.parametrize("every", ["pass", "end"])
def test_a_silent_change_of_a_declared_shape_is_refused(side: str, shape: list[int], every: Every) -> None:
    """What the operators compute stays the same: callers make room for what the file declares."""

    @dataclasses.dataclass(frozen=True)
    class OtherShape(Pass):
        name: ClassVar[str] = "test-other-shape"

        def run(self, model: Model) -> PassResult:
            (tensor,) = model.main.inputs if side == "input" else model.main.outputs
            if -1 in shape:
                tensor.shape_signature = tuple(shape)
            else:
                tensor.shape = shape
            return PassResult(modified=True)

    text = rf"{side} '.*' has shape {re.escape(str(shape))}, it had \[1, 16\], and the pass does not say so"
    with pytest.raises(PassError, match=text):
        Pipeline([OtherShape()]).run(chain(float_io=False), Verify(every=every))


def test_a_claim_in_lsb_is_checked_per_operator() -> None:
    model = chain(float_io=False)
    wrong = OneWeight(claim=Claim(1, "for the test"))
    with pytest.raises(CheckFailedError, match=r"claimed at most 1 LSB per operator .*layer2"):
        Pipeline([wrong]).run(model, Verify())
    generous = OneWeight(claim=Claim(255, "for the test"))
    report = Pipeline([generous]).run(chain(float_io=False), Verify())
    verdict = report.passes[0].verdict
    assert verdict is not None
    assert verdict.operator_lsb is not None
    assert verdict.operator_lsb > 1
    assert sum(verdict.distribution.values()) == 16 * verdict.samples


def test_no_claim_only_reports() -> None:
    report = Pipeline([OneWeight(claim=Claim(None))]).run(chain(float_io=False), Verify())
    assert report.total is not None
    assert report.total.worst_lsb is not None
    assert report.total.worst_lsb > 0


@pytest.mark.parametrize("every", ["pass", "end"])
def test_right_passes_are_right(every: Every) -> None:
    model = chain()
    report = Pipeline([Harmless(), StripFloatIO(), Harmless(), Cleanup()]).run(model, Verify(every=every))
    assert [t.dtype.name for t in (*model.main.inputs, *model.main.outputs)] == ["INT8", "INT8"]
    assert report.total is not None
    assert report.total.passed
    assert report.total.worst_lsb == 0
    assert report.total.samples == 32


def test_unchanged_computation_needs_no_run() -> None:
    model = chain()
    model.main.add_operator("A_CUSTOM_ONE", [model.main.inputs[0]], [model.main.add_tensor("u", (1,), "int8")])
    report = Pipeline([Harmless(), Cleanup()]).run(model, Verify())
    assert {row.verdict.method for row in report.passes if row.verdict} == {"same computation"}


def test_callback_and_recipe() -> None:
    model = chain()
    seen: list[str] = []
    pipeline = Pipeline.parse("strip-float-io{outputs=false},cleanup")
    pipeline.run(model, callback=lambda name, _model, row: seen.append(f"{name} {row.result.modified}"), record=True)
    assert seen[0] == "strip-float-io{outputs=false} True"
    assert len(seen) == 5
    entries = [m for m in tflite2x.loads(tflite2x.dumps(model)).metadata if m.name == "tflite2x.recipe"]
    assert [bytes(m.data).decode() for m in entries] == [str(pipeline)]
    Pipeline.parse("cleanup").run(model, record=True)
    assert [bytes(m.data) for m in model.metadata if m.name == "tflite2x.recipe"] == [b"cleanup"]


def test_own_samples(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.linspace(-5, 5, 7 * 16, dtype=np.float32).reshape(7, 16))
    report = Pipeline([StripFloatIO()]).run(chain(), Verify(tmp_path / "s.npz"))
    assert report.total is not None
    assert report.total.samples == 7
    with pytest.raises(InputError, match=r"shape \[7, 15\] does not fit \[N, 1, 16\]"):
        Pipeline([StripFloatIO()]).run(chain(), Verify({"x": np.zeros((7, 15), np.float32)}))
    with pytest.raises(InputError, match="no samples for input 0"):
        Pipeline([StripFloatIO()]).run(chain(), Verify({"a": np.zeros((7, 16)), "b": np.zeros((7, 16))}))


def test_a_graph_that_a_pass_breaks_is_its_error() -> None:
    class Breaks(Harmless):
        def run(self, model: Model) -> tflite2x.PassResult:
            op = model.main.operators[1]
            op._inputs = op._inputs[:1]
            return tflite2x.PassResult(modified=True)

    with pytest.raises(PassError, match="left a broken graph"):
        Pipeline([Breaks()]).run(chain())


def test_real_samples_are_quantized_like_the_operator_does() -> None:
    """Halves go away from zero, as in QUANTIZE and in ``tflite2x run --real``."""
    from tflite2x.interpreter.real import quantize
    from tflite2x.verification.samples import from_user

    model = chain(float_io=False)
    x = model.main.inputs[0]
    assert x.quantization is not None
    x.quantization.scale = np.array([0.5], np.float32)
    halves = np.array([-1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 1e9, -1e9] * 2, np.float32).reshape(1, 1, 16)
    (found,) = from_user({"x": halves}, model.main, {})
    assert found.ravel()[:8].tolist() == [-6, -5, -4, -2, -1, 0, 127, -128]
    conversion = Model.build(
        "QUANTIZE",
        [{"shape": (1, 16), "dtype": "float32"}],
        [{"shape": (1, 16), "dtype": "int8", "scale": 0.5, "zero_point": -3}],
    )
    np.testing.assert_array_equal(tflite2x.Interpreter(conversion).run([halves[0]])[0], found[0])
    np.testing.assert_array_equal(quantize(halves, x), found)


def test_the_end_is_enough_when_nothing_differs() -> None:
    """Passes that claim LSB are put off as well, and checked one by one when the end differs."""
    generous, wrong = OneWeight(claim=Claim(255, "for the test")), OneWeight(claim=Claim(1, "for the test"))
    report = Pipeline([generous]).run(chain(float_io=False), Verify(every="end"))
    verdict = report.passes[0].verdict
    assert verdict is not None
    assert verdict.method == "samples"  # the end differed, so it was checked
    assert verdict.operator_lsb is not None
    assert 1 < verdict.operator_lsb <= 255
    assert report.total is not None
    assert report.total.worst_lsb == verdict.worst_lsb
    with pytest.raises(CheckFailedError, match="claimed at most 1 LSB per operator") as caught:
        Pipeline([StripFloatIO(), wrong]).run(chain(), Verify(every="end"))
    assert caught.value.where == f"pass {wrong}"
    exact = Pipeline([Harmless(), StripFloatIO()]).run(chain(), Verify(every="end"))
    assert [row.verdict.method for row in exact.passes if row.verdict] == ["same computation", "not checked"]

# SPDX-License-Identifier: Apache-2.0
"""Which rewrite breaks a model, and reproducers on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain, two_inputs
from tests.verification.wrong import OneWeight, SwapInputs
from tflite2x import CheckFailedError, Pass, PassResult, Pipeline, Verify
from tflite2x.cli import main
from tflite2x.passes.strip_float_io import StripFloatIO
from tflite2x.rewrite import sites
from tflite2x.verification import reproduce

if TYPE_CHECKING:
    from tflite2x.ir import Model


@dataclasses.dataclass(frozen=True)
class Shuffle(Pass):
    """Rewrites every FULLY_CONNECTED; in those numbered ``wrong`` it changes the bias."""

    name: ClassVar[str] = "test-shuffle"
    wrong: tuple[int, ...] = (3,)

    def run(self, model: Model) -> PassResult:
        result = PassResult()
        layers = [op for op in model.main.operators if op.name == "FULLY_CONNECTED"]
        for i, op in enumerate(layers):
            if not sites.allowed(op):
                continue
            result.replace(op, "weights copied")
            weights, bias = op.inputs[1:]
            assert weights is not None
            assert bias is not None
            weights.data = np.array(weights.data)
            bias.data = np.array(bias.data) + (3000 if i in self.wrong else 0)
        return result


@pytest.mark.parametrize("every", ["pass", "end"])
def test_the_one_rewrite_is_found(every: str) -> None:
    model = chain(8, float_io=False)
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([Shuffle()]).run(model, Verify(every=every))  # type: ignore[arg-type]
    assert "what breaks it is the rewrite at subgraphs[0].operators[3] (FULLY_CONNECTED)." in str(caught.value)
    assert "'layer3' computed by subgraphs[0].operators[3]" in str(caught.value)


def test_one_of_several_is_enough() -> None:
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([Shuffle((2, 6))]).run(chain(8, float_io=False), Verify())
    row = caught.value.report.failed
    assert row is not None
    assert row.verdict is not None
    assert row.verdict.places in (
        ["subgraphs[0].operators[2] (FULLY_CONNECTED)"],
        ["subgraphs[0].operators[6] (FULLY_CONNECTED)"],
    )


def test_passes_that_ignore_places_are_not_bisected() -> None:
    @dataclasses.dataclass(frozen=True)
    class Stubborn(OneWeight):
        name: ClassVar[str] = "test-stubborn"

        def run(self, model: Model) -> PassResult:
            result = super().run(model)
            for op in model.main.operators:
                result.replace(op, "touched")
            return result

    with pytest.raises(CheckFailedError) as caught:
        Pipeline([Stubborn()]).run(chain(float_io=False), Verify())
    assert "what breaks it" not in str(caught.value)


@pytest.mark.parametrize("every", ["pass", "end"])
def test_reproducer_is_small_and_replays(tmp_path: Path, every: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = chain(8)
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([StripFloatIO(), Shuffle((5,)), StripFloatIO()]).run(model, Verify(every=every))  # type: ignore[arg-type]
    folder = reproduce(caught.value.failure, tmp_path / "r", caught.value.what)
    before = tflite2x.load(folder / "before.tflite")
    assert [op.name for op in before.main.operators] == ["FULLY_CONNECTED"]
    assert "pass: test-shuffle" in (folder / "README.txt").read_text()
    arguments = ["verify", str(folder / "before.tflite"), str(folder / "after.tflite")]
    assert main([*arguments, "--samples", str(folder / "inputs.npz")]) == 1
    assert "first difference: tensor 'output_0'" in capsys.readouterr().out
    assert main(["verify", str(folder)]) == 1
    assert main(["verify", str(tmp_path)]) == 2
    with np.load(folder / "inputs.npz") as inputs, np.load(folder / "expected.npz") as expected:
        (got,) = tflite2x.Interpreter(before).run_batch([inputs["input_0"]])
        np.testing.assert_array_equal(got, expected["output_0"])


def test_reproducer_of_swapped_operands(tmp_path: Path) -> None:
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([SwapInputs()]).run(two_inputs(), Verify())
    folder = reproduce(caught.value.failure, tmp_path)
    assert [op.name for op in tflite2x.load(folder / "after.tflite").main.operators] == ["SUB"]


def test_reproducer_from_the_command_line(models: Path, tmp_path: Path) -> None:
    from tests.cli.test_optimize import wrong  # registers the wrong passes

    assert wrong is not None
    folder = tmp_path / "repro"
    path = str(models / "cnn_int8.tflite")
    spec = ["--passes", "test-one-weight", "--reproducer", str(folder), "-o", str(tmp_path / "out.tflite")]
    assert main(["optimize", path, *spec]) == 1
    assert not (tmp_path / "out.tflite").exists()
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.txt", "after.tflite", "before.tflite", "expected.npz", "inputs.npz", "replay.json",
    ]  # fmt: skip
    assert (
        main(
            [
                "verify",
                *(str(folder / n) for n in ("before.tflite", "after.tflite")),
                "--samples",
                str(folder / "inputs.npz"),
            ]
        )
        == 1
    )

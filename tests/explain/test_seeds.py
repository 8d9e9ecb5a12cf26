# SPDX-License-Identifier: Apache-2.0
"""The examples in scripts/seeds run; each asserts its own answer."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent.parent / "scripts" / "seeds"
EXPECTED = {
    "two_layer_perceptron": "all 3600 values of 360 images are equal",
    "logistic_regression": "stripped: RESHAPE, FULLY_CONNECTED, SOFTMAX",
    "float_interface_dense": "all 3600 values of 360 images are equal",
    "cnn_convolution": "per-tensor scale",
    "batched_dense": "all 32768 values of 64 matrices are equal",
}


def test_there_is_one_for_each_document() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    space = runpy.run_path(str(FOLDER / f"{name}.py"))
    assert space["__doc__"].count("?") >= 1 or name == "logistic_regression"
    space["main"]()
    assert EXPECTED[name] in capsys.readouterr().out

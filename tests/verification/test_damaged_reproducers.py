# SPDX-License-Identifier: Apache-2.0
"""Reproducers that somebody changed: what is expected decides, and damage is one error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.verification.build import two_inputs
from tests.verification.spoiled import Rewire, Spoiled, WrongIndex, caught_by, load, replayed, words
from tflite2x import Interpreter, Verify
from tflite2x.cli import main
from tflite2x.verification import replay


@pytest.fixture
def made(models: Path, tmp_path: Path) -> Path:
    error = caught_by(Spoiled("set-batch{n=2}"), load(models, "mlp_uint8"), Verify(samples=4))
    return replayed(error, tmp_path)


def test_what_is_expected_decides(made: Path) -> None:
    """A model that computes what is expected is equal, whatever the one before computes."""
    with np.load(made / "inputs_after.npz") as inputs:
        (got,) = Interpreter(tflite2x.load(made / "after.tflite")).run_batch([inputs["input_0"]])
    np.savez(made / "expected_after.npz", output_0=got)
    assert main(["verify", str(made)]) == 0
    with np.load(made / "expected.npz") as expected:
        other = expected["output_0"] + 1
    np.savez(made / "expected.npz", output_0=other)
    result = replay(made)
    assert result.equal
    assert any("before.tflite does not compute expected.npz any more" in note for note in result.notes)


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _other_arrays(path: Path) -> None:
    np.savez(path, something=np.zeros(3))


def _other_types(path: Path) -> None:
    np.savez(path, input_0=np.zeros((1, 2), np.complex64), output_0=np.zeros((1, 2), np.complex64))


def _unlink(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("name", ["inputs", "inputs_after", "expected", "expected_after"])
@pytest.mark.parametrize("spoil", [_cut_off, _other_arrays, _other_types, _unlink])
def test_damaged_arrays_are_one_error(
    made: Path, capsys: pytest.CaptureFixture[str], name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(made / f"{name}.npz")
    code = main(["verify", str(made)])
    text = capsys.readouterr()
    if spoil is _other_types and name.startswith("expected"):
        assert code == 1  # that is a difference
        return
    assert code == 2
    assert text.err.count("error:") == 1
    assert "should not happen" not in text.err
    assert str(made) in text.err or f"{name}.npz" in text.err


def _save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def _no_samples(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: a[:0] for name, a in arrays.items()}
    _save(path, found)


def _no_axis(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: np.asarray(a.flat[0]) for name, a in arrays.items()}
    _save(path, found)


def _one_sample_less(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: a[1:] for name, a in arrays.items()}
    _save(path, found)


def _other_shape(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: a.reshape(len(a), -1, 1, 1, 1, 1, 1) for name, a in arrays.items()}
    _save(path, found)


@pytest.mark.parametrize("name", ["inputs", "inputs_after", "expected", "expected_after"])
@pytest.mark.parametrize("spoil", [_no_samples, _no_axis, _one_sample_less, _other_shape])
@pytest.mark.parametrize("kind", ["two inputs", "batch"])
def test_arrays_of_other_shapes_are_no_crash(
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    name: str,
    spoil: Callable[[Path], None],
) -> None:
    if kind == "batch":
        error = caught_by(Spoiled("set-batch{n=2}"), load(models, "mlp_uint8"), Verify(samples=8))
    else:
        error = caught_by(Rewire("drop input"), two_inputs())
    made = replayed(error, tmp_path)
    capsys.readouterr()
    spoil(made / f"{name}.npz")
    code = main(["verify", str(made)])
    text = capsys.readouterr()
    assert code in (1, 2)
    assert text.err.count("error:") == (code == 2)
    assert "should not happen" not in text.err


@pytest.mark.parametrize(
    "change",
    [
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "before.tflite"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": 5}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "inputs.npz"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [[]]}]},
        {"calls": [[]]},
        {"calls": None},
        {"calls": []},
        {"calls": 3},
        {"calls": [{"subgraphs": [0, 7], "outputs": [{}]}]},
        {"calls": [{"subgraphs": [0], "outputs": [{}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": []}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "missing.tflite"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "../../x"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"samples": 0, "axis": 0}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"samples": 2, "axis": 9}]}]},
        {"rounding": "triple"},
        {"rounding": None},
    ],
)
def test_damaged_descriptions_are_one_error(
    made: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    path = made / "replay.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert main(["verify", str(made)]) == 2
    text = capsys.readouterr().err
    assert text.count("error:") == 1
    assert "should not happen" not in text


@pytest.mark.parametrize("name", ["before.tflite", "after.tflite", "replay.json"])
@pytest.mark.parametrize("spoil", [_cut_off, _unlink])
def test_damaged_files_are_one_error(
    made: Path, capsys: pytest.CaptureFixture[str], name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(made / name)
    assert main(["verify", str(made)]) == 2
    assert "should not happen" not in capsys.readouterr().err


@pytest.mark.parametrize("spoil", [_cut_off, _other_arrays, _other_types, _unlink])
def test_damaged_inputs_of_both_models_are_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None]
) -> None:
    made = replayed(caught_by(WrongIndex(), words()), tmp_path)
    assert "calls" not in json.loads((made / "replay.json").read_text())
    spoil(made / "inputs.npz")
    code = main(["verify", str(made)])
    text = capsys.readouterr().err
    if code != 1:  # the only array, whatever its name, may be meant
        assert code == 2
        assert text.count("error:") == 1
        assert "should not happen" not in text

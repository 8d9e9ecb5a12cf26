# SPDX-License-Identifier: Apache-2.0
"""Models with fields newer than this version: a warning, and a refusal to write unless told to drop them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tflite2x
from tests.ir.test_files import newer_file


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tflite2x", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_newer_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "newer.tflite", tmp_path / "out.tflite"
    source.write_bytes(newer_file(monkeypatch))
    looked = run("inspect", source)
    assert looked.returncode == 0
    assert looked.stderr.startswith("warning: ")
    assert "Tensor slot 11" in looked.stderr
    refused = run("optimize", source, "-o", target, "--passes", "cleanup", "--verify", "off", "-q")
    assert refused.returncode == 2
    assert "--drop-unknown" in refused.stderr
    assert not target.exists()
    checked = run("optimize", source, "-o", target, "--passes", "no-such-pass")
    assert "no-such-pass" in checked.stderr
    dropped = run("optimize", source, "-o", target, "--passes", "cleanup", "--verify", "off", "-q", "--drop-unknown")
    assert dropped.returncode == 0
    assert tflite2x.load(target).unknown == {}


def test_the_refusal_comes_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tflite2x.cli import main, optimize

    source, target = tmp_path / "newer.tflite", tmp_path / "out.tflite"
    source.write_bytes(newer_file(monkeypatch))
    ran = []
    monkeypatch.setattr(optimize, "_run", lambda *arguments: ran.append(arguments))
    with pytest.warns(tflite2x.ir.UnknownFieldWarning):
        assert main(["optimize", str(source), "-o", str(target)]) == 2
    assert not ran

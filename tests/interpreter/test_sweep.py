# SPDX-License-Identifier: Apache-2.0
"""Whole models against LiteRT, tensor by tensor, through the sweep script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "sweep_interpreter.py"


def sweep(*arguments: object) -> str:
    pytest.importorskip("ai_edge_litert.interpreter")
    result = subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_own_models(models):
    count = len(list(models.rglob("*.tflite")))
    assert f"{count} models: {count} ok" in sweep("--corpus", models, "--isolate")


def test_every_eighth_model_of_the_corpus(corpus):
    output = sweep("--corpus", corpus, "--every", 8)
    assert " models: " in output


@pytest.mark.sweep
def test_all_models_of_the_corpus(corpus):
    assert "659 models: 659 ok" in sweep("--corpus", corpus)

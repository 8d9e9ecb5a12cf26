# SPDX-License-Identifier: Apache-2.0
"""Fixtures and limits that hold for every test; how many single-operator cases were compared with LiteRT."""

from __future__ import annotations

import collections
import os
import sys
from pathlib import Path
from typing import Any

import pytest

# One BLAS thread per worker: the suite runs on machines with two cores, and thread pools fight over them. pytest loads
# this file before any test imports NumPy, which reads these when it is imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the project's own models."""
    return MODELS


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real models, or skip."""
    path = os.environ.get("TFLITE2X_CORPUS")
    if not path:
        pytest.skip("TFLITE2X_CORPUS is not set")
    return Path(path)


_WORKERS: collections.Counter[str] = collections.Counter()


def _own() -> dict[str, int]:
    module = sys.modules.get("tests.interpreter.one_operator")
    return {} if module is None else dict(module.CASES)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send what a worker of pytest-xdist counted to the process that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["cases"] = _own()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up what the workers of pytest-xdist counted."""
    _WORKERS.update(getattr(node, "workeroutput", {}).get("cases", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many cases were compared for every operator."""
    cases = _WORKERS + collections.Counter(_own())
    if cases:
        terminalreporter.section(f"{cases.total():,} cases compared with LiteRT, by operator")
        terminalreporter.write_line(", ".join(f"{name} {count}" for name, count in sorted(cases.items())))

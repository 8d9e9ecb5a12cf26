# SPDX-License-Identifier: Apache-2.0
"""Fixtures and limits that hold for every test."""

from __future__ import annotations

import os
from pathlib import Path

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

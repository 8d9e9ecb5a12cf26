# SPDX-License-Identifier: Apache-2.0
"""Registration of kernels for one test; how many single-operator cases were compared with LiteRT."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import tflite2x
from tflite2x.interpreter.registry import CUSTOM_KERNELS, unregister_kernel


@pytest.fixture
def register():
    """Register kernels of custom operators and forget them afterwards."""
    before = set(CUSTOM_KERNELS)
    yield tflite2x.register_kernel
    for name in set(CUSTOM_KERNELS) - before:
        unregister_kernel(name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    module = sys.modules.get("tests.interpreter.one_operator")
    if module is not None and module.CASES:
        terminalreporter.section("cases compared with LiteRT, by operator")
        terminalreporter.write_line(", ".join(f"{name} {count}" for name, count in sorted(module.CASES.items())))

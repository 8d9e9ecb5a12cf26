# SPDX-License-Identifier: Apache-2.0
"""Prints how many single-operator cases were compared with LiteRT."""

from __future__ import annotations

import sys
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    module = sys.modules.get("tests.interpreter.one_operator")
    if module is not None and module.CASES:
        terminalreporter.section("cases compared with LiteRT, by operator")
        terminalreporter.write_line(", ".join(f"{name} {count}" for name, count in sorted(module.CASES.items())))

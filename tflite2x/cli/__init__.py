# SPDX-License-Identifier: Apache-2.0
"""The command line: one small file per command, nothing heavy imported before a command runs."""

from __future__ import annotations

from tflite2x.cli.main import main

__all__ = ["main"]

# SPDX-License-Identifier: Apache-2.0
"""What the README shows is what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(marker: str) -> str:
    """Return the code block behind a marker."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.S)
    assert found is not None, marker
    return found[1]


def test_the_example_pass_is_the_tested_one() -> None:
    code = block("newcomer")
    assert code.strip() == (ROOT / "tests" / "rewrite" / "newcomer.py").read_text().strip()
    assert len(code.strip().splitlines()) <= 25


def test_both_commands_stand_on_one_line() -> None:
    for marker in ("main-job", "tests"):
        assert len(block(marker).strip().splitlines()) == 1


def test_every_command_is_named() -> None:
    from tflite2x.cli.main import COMMANDS

    names = re.findall(r"`([a-z-]+)[^`]*`", README)
    missing = {name for group in COMMANDS.values() for name in group} - set(names)
    assert not missing, missing


def test_help_lists_what_the_readme_lists() -> None:
    text = subprocess.check_output([sys.executable, "-m", "tflite2x", "--help"], text=True)
    for name in ("optimize", "inspect", "explain", "why", "diagnose", "export", "prove"):
        assert f"\n  {name} " in text

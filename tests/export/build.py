# SPDX-License-Identifier: Apache-2.0
"""Compiles and runs exported code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tflite2x.export import export
from tflite2x.interpreter.kernel import Rounding
from tflite2x.ir import Model

C_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
SANITIZE = ("-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")


def command(arguments: list[str], folder: Path, code: int = 0) -> str:
    """Run a program, which must end with ``code`` and print nothing to standard error."""
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    if code == 0:
        assert done.stderr == ""
    return done.stdout


def need(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def compile_c(folder: Path, name: str, *flags: str) -> Path:
    sources = [f"{name}.c", f"{name}_data.c", f"{name}_check.c"]
    command([need("gcc"), *C_FLAGS, *flags, "-o", "check", *sources], folder)
    return folder / "check"


def compile_rust(folder: Path, optimize: bool = False) -> Path:
    """Build with checks for overflow; without optimization it takes a third of the time."""
    environment = {
        **os.environ, "CARGO_TARGET_DIR": str(folder / "target"), "CARGO_TERM_COLOR": "never",
        "CARGO_PROFILE_DEV_OPT_LEVEL": "2" if optimize else "0", "CARGO_PROFILE_DEV_DEBUG": "false",
    }  # fmt: skip
    done = subprocess.run(
        [need("cargo"), "build", "--offline"], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr
    (program,) = (p for p in (folder / "target" / "debug").iterdir() if p.is_file() and os.access(p, os.X_OK))
    return program


def check(
    model: Model,
    lang: str,
    folder: Path,
    vectors: int,
    *flags: str,
    rounding: Rounding = "single",
    name: str = "net",
    fewer: bool = False,
) -> None:
    """Export, compile, and compare with test vectors; ``fewer`` allows models for which fewer can be found."""
    export(model, folder, lang=lang, test_vectors=vectors, rounding=rounding, name=name, seed=vectors)
    if lang == "c":
        run = [str(compile_c(folder, name, *flags))]
    elif lang == "rust":
        run = [str(compile_rust(folder, optimize=vectors > 200))]
    else:
        run = [sys.executable, "-W", "error", f"{name}.py"]
    found = re.fullmatch(r"([0-9]+) test vectors, 0 differ\n", command(run, folder))
    assert found is not None
    assert 1 <= int(found[1]) <= vectors if fewer else int(found[1]) == vectors

# SPDX-License-Identifier: Apache-2.0
"""A room of the house imports only from rooms below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("errors", "schema", "ir", "interpreter", "rewrite", "verification", "xs3", "passes", "program", "explain",
         "export", "cli")  # fmt: skip
#: Rooms that lie below and are none of a room's business all the same.
STRANGERS = {"rewrite": {"interpreter"}, "xs3": {"rewrite", "verification"}, "ir": set(), "export": {"rewrite"}}


def files(room: str) -> list[Path]:
    folder = ROOT / "passes" if room == "passes" else ROOT / "tflite2x" / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def imports(path: Path) -> Iterator[str]:
    """Yield the rooms that a file imports when it runs; imports for type checkers only do not count."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"tflite2x.{a.name}" for a in node.names] if node.module == "tflite2x" else [node.module]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "tflite2x" and len(parts) > 1 and parts[1] in ROOMS:
                yield parts[1]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_lead_downwards(room: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1]) - STRANGERS.get(room, set())
    found = files(room)
    assert found
    for path in found:
        assert set(imports(path)) <= allowed, f"{path.relative_to(ROOT)}: {set(imports(path)) - allowed}"


@pytest.mark.parametrize("room", ROOMS)
def test_private_names_stay_in_their_module(room: str) -> None:
    for path in files(room):
        taken = [
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if alias.name.startswith("_") and not alias.name.endswith("__")
        ]
        assert not taken, f"{path.relative_to(ROOT)}: {taken}"

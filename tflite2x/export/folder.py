# SPDX-License-Identifier: Apache-2.0
"""Files are written as one: all of them arrive, or none."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from tflite2x.errors import FileAccessError


def write_all(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, which is made if needed; files of the same names are replaced, others stay.

    Everything is written to a temporary folder first and moved at the end: a folder that is new appears complete, and
    in one that exists a failure puts back what was there.

    Args:
        folder: Where the files go.
        files: Contents by path relative to the folder.

    Raises:
        FileAccessError: The folder or a file cannot be written; nothing was changed.
    """
    target = Path(os.path.realpath(folder))
    made: list[Path] = []
    temporary: Path | None = None
    try:
        new = not os.path.lexists(target)
        place = target.parent if new else target
        made = _make(place)
        temporary = place / f".{target.name[:200]}.{secrets.token_hex(4)}.tmp"
        _write(temporary / "new", files)
        if new:
            os.rename(temporary / "new", target)
        else:
            _exchange(temporary / "new", target, temporary / "old", files)
        made = []
    except OSError as error:
        raise FileAccessError(
            f"the files cannot be written: {error.strerror or error}", where=str(error.filename or folder),
            hint="Nothing was changed; choose another folder.",
        ) from None  # fmt: skip
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()
    return [folder / name for name in files]


def _make(folder: Path) -> list[Path]:
    """Make a folder and those above it; returns the new ones, innermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    os.makedirs(folder, exist_ok=True)
    return missing


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        os.makedirs(path.parent, exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def _exchange(new: Path, target: Path, old: Path, files: Mapping[str, bytes]) -> None:
    """Move files into a folder; when one of them cannot be moved, put back those that were there."""
    moved: list[str] = []
    made: list[Path] = []
    try:
        for name in files:
            here, kept = target / name, old / name
            if here.is_dir():
                raise IsADirectoryError(21, "a folder has the name of a file", str(here))
            made = _make(here.parent) + made
            if os.path.lexists(here):
                os.makedirs(kept.parent, exist_ok=True)
                os.replace(here, kept)
            moved.append(name)
            os.replace(new / name, here)
    except OSError:
        for name in moved:
            (target / name).unlink(missing_ok=True)
            if os.path.lexists(old / name):
                os.replace(old / name, target / name)
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise

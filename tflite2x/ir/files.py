# SPDX-License-Identifier: Apache-2.0
"""Files: mapped into memory when read, replaced in one step when written."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from tflite2x.errors import FileAccessError
from tflite2x.ir.loading import load_model
from tflite2x.ir.model import Model
from tflite2x.ir.saving import model_pieces
from tflite2x.schema.table import Bytes


def map_file(path: Path) -> memoryview:
    """Map a file into memory, read-only.

    Raises:
        FileAccessError: It cannot be read.
    """
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return memoryview(file.read())  # a pipe cannot be mapped
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as e:
        raise FileAccessError(
            f"cannot be read: {e.strerror or e}", where=str(path), hint="Check the path and its permissions."
        ) from None
    except ValueError as e:  # a path with a NUL character
        raise FileAccessError(f"cannot be read: {e}", where=repr(str(path))) from None


def load(path: str | os.PathLike[str]) -> Model:
    """Load a model from a file.

    The weights stay in the file, mapped into memory, until somebody writes to them.

    Args:
        path: The ``.tflite`` file.

    Raises:
        FileAccessError: The file cannot be read.
        FormatError: It is not a well-formed TFLite model; the message names the place.
    """
    where = Path(path)
    return load_model(map_file(where), where)


def loads(data: Bytes) -> Model:
    """Load a model from bytes, which the model's buffers go on sharing.

    Raises:
        FormatError: The bytes are not a well-formed TFLite model; the message names the place.
    """
    return load_model(memoryview(data).cast("B"))


def dumps(model: Model, *, drop_unknown: bool = False) -> bytes:
    """Return a model as the bytes of a ``.tflite`` file; the same model always gives the same bytes.

    Args:
        model: The model.
        drop_unknown: Write it without the fields that this version does not know, instead of refusing.

    Raises:
        UnknownFieldError: The model has fields that this version does not know.
        GraphError: The graph is broken.
        FormatError: A number does not fit its field.
    """
    return b"".join(model_pieces(model, drop_unknown=drop_unknown))


def file_size(model: Model) -> int:
    """Return how many bytes the file of a model has, without putting them together."""
    return sum(map(len, model_pieces(model, drop_unknown=True)))


def save(model: Model, path: str | os.PathLike[str], *, drop_unknown: bool = False) -> None:
    """Write a model to a file in one step: the file is either the old one or the new one, never a part.

    Writing onto the file that the model was loaded from is safe.

    Args:
        model: The model.
        path: The ``.tflite`` file.
        drop_unknown: Write it without the fields that this version does not know, instead of refusing.

    Raises:
        FileAccessError: The file cannot be written; it is as it was.
        UnknownFieldError: The model has fields that this version does not know.
        GraphError: The graph is broken.
        FormatError: A number does not fit its field.
    """
    write_file(Path(path), model_pieces(model, drop_unknown=drop_unknown))


def write_file(path: Path, pieces: Iterable[Bytes]) -> None:
    """Write pieces to a temporary file beside ``path`` and put it in its place.

    A symbolic link is followed: the file it names is replaced, and keeps its permissions.

    Raises:
        FileAccessError: The file cannot be written; it is as it was.
    """
    temporary: Path | None = None
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            if target.is_dir():
                raise IsADirectoryError(21, "it is a directory")
            with open(target, "wb") as file:  # a device or a pipe cannot be replaced
                _write(file, pieces)
            return
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
        with open(temporary, "xb") as file:
            _write(file, pieces)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
        temporary = None
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise FileAccessError(
            f"cannot be written: {reason}", where=str(path), hint="Nothing was changed; check the folder and its space."
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _write(file: object, pieces: Iterable[Bytes]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        # Some systems write at most 2 GB at a time.
        for start in range(0, len(view), 1 << 30):
            file.write(view[start : start + (1 << 30)])  # type: ignore[attr-defined]

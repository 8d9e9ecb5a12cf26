# SPDX-License-Identifier: Apache-2.0
"""Data in files beside the model."""

from __future__ import annotations

from pathlib import Path

from tflite2x.errors import FormatError, UnsupportedError
from tflite2x.ir.buffer import ExternalBuffer
from tflite2x.ir.model import Model


def external_bytes(buffer: ExternalBuffer, model: Model) -> memoryview:
    """Return the bytes of an external buffer; its file is looked for beside the model.

    Raises:
        FormatError: The group has no name, leads out of the model's folder, or is shorter than the slice.
        FileAccessError: The file cannot be read.
        UnsupportedError: The bytes are packed, or the model did not come from a file.
    """
    from tflite2x.ir.files import map_file

    where = f"external buffer {buffer.id}"
    if buffer.packing:
        raise UnsupportedError(f"bytes packed as {buffer.packing!r}", where=where)
    if not buffer.group.name:
        raise FormatError("its group has no file name", where=where)
    if model.path is None:
        raise UnsupportedError("the model was not loaded from a file", where=where, hint="Use tflite2x.load(path).")
    folder = model.path.parent.resolve()
    path = (folder / buffer.group.name).resolve()
    if not path.is_relative_to(folder):
        raise FormatError(f"its file {buffer.group.name!r} is outside of the model's folder", where=where)
    data = map_file(Path(path))
    if buffer.offset + buffer.length > len(data):
        raise FormatError(
            f"bytes {buffer.offset} to {buffer.offset + buffer.length}, {path.name} has {len(data)}", where=where
        )
    return data[buffer.offset : buffer.offset + buffer.length]

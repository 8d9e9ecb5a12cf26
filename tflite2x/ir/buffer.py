# SPDX-License-Identifier: Apache-2.0
"""Buffers: the bytes of constants and metadata, inside the model or in files beside it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tflite2x.schema.table import Bytes, Extras

if TYPE_CHECKING:
    from tflite2x.ir.model import Model


class Buffer:
    """Bytes that tensors and metadata refer to; several of them may share one buffer.

    Attributes:
        data: The bytes, None when the file has none. A view of the mapped file until somebody assigns new bytes.
        outside: The bytes lie behind the flatbuffer, as in files that are too large for it.
    """

    __slots__ = ("_data", "_model", "extras", "outside", "placeholder")

    def __init__(self, data: Bytes | None = None, *, outside: bool = False) -> None:
        self._model: Model | None = None
        self._data: memoryview | None = None
        self.data = data
        self.outside = outside
        #: offset and size of the file when they are not a real place (0 or 1)
        self.placeholder: tuple[int, int] | None = None
        self.extras: Extras | None = None

    @property
    def data(self) -> memoryview | None:
        """The bytes, or None."""
        return self._data

    @data.setter
    def data(self, data: Bytes | None) -> None:
        self._data = None if data is None else memoryview(data).cast("B")

    @property
    def nbytes(self) -> int:
        """Number of bytes."""
        return len(self._data) if self._data is not None else 0

    @property
    def model(self) -> Model | None:
        """The model that holds the buffer."""
        return self._model

    @property
    def index(self) -> int:
        """Position in ``model.buffers``."""
        assert self._model is not None
        return self._model._buffer_index(self)

    def __repr__(self) -> str:
        return f"<Buffer of {self.nbytes} bytes>" if self._data is not None else "<empty Buffer>"


@dataclasses.dataclass(eq=False)
class ExternalBufferGroup:
    """A file beside the model.

    Attributes:
        name: Path of the file, relative to the model.
        extras: What the file says beyond the values.
    """

    name: str | None
    extras: Extras | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(eq=False)
class ExternalBuffer:
    """A slice of a file beside the model.

    Attributes:
        id: Number that tensors refer to in the file; not 0.
        group: The file.
        offset: Position in the file, in bytes.
        length: Length in bytes.
        packing: How the bytes are packed; None for plain bytes.
        extras: What the file says beyond the values.
    """

    id: int
    group: ExternalBufferGroup
    offset: int
    length: int
    packing: str | None = None
    extras: Extras | None = dataclasses.field(default=None, repr=False)

# SPDX-License-Identifier: Apache-2.0
"""Tables to bytes: writes a flatbuffer front to back.

The usual FlatBuffers builders work back to front and copy every byte of the weights at least once. Offsets only have
to point forward, so writing parents before children works too: the tables go into one small block, and the contents
of the buffers follow as they are, without a copy. The same tables always give the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tflite2x.errors import FormatError
from tflite2x.schema import tables
from tflite2x.schema.reader import _SIZES, IDENTIFIER
from tflite2x.schema.table import ARRAY, BYTES, ENUM, STRING, TABLE, TABLES, UNION, VECTOR, Field, Table

#: Alignment of buffer contents, in bytes from the start of the file (the schema's force_align).
ALIGNMENT = 16
#: FlatBuffers offsets are read as signed numbers by some readers; larger files keep contents behind the flatbuffer.
LIMIT = 2**31 - 2**20


class _Layout(NamedTuple):
    """Where the stored fields of one kind of table lie."""

    pack: Callable[..., bytes]
    vtable: bytes
    align: int
    order: tuple[int, ...]  #: stored slots in the order of their positions
    offsets: dict[int, int]  #: slot -> position inside the table


class Writer:
    """Collects tables in ``head`` and large contents in ``blobs`` behind it."""

    def __init__(self) -> None:
        self.head = bytearray()
        self._layouts: dict[tuple[type[Table], tuple[int, ...]], _Layout] = {}
        self._vtables: dict[bytes, int] = {}
        # (position of the reference in head, contents, position of the 64-bit offset field or None)
        self._blobs: list[tuple[int, memoryview, bool]] = []

    def root(self, model: tables.Model, behind: list[tuple[Table, memoryview]]) -> list[memoryview]:
        """Write the model.

        Args:
            model: The tables.
            behind: Buffer and Operator tables whose contents go behind the flatbuffer, with these contents; their
                offset and size fields are filled in.

        Returns:
            The pieces of the file in order.
        """
        self._behind = {id(table): contents for table, contents in behind}
        self.head += b"\0\0\0\0" + IDENTIFIER
        struct.pack_into("<I", self.head, 0, self._table(model))
        pieces = [memoryview(self.head)]
        position = len(self.head)
        for in_flatbuffer in (True, False):
            for at, contents, inside in self._blobs:
                if inside is not in_flatbuffer:
                    continue
                prefix = 4 if inside else 0
                padding = -(position + prefix) % ALIGNMENT
                position += padding + prefix
                if inside:
                    struct.pack_into("<I", self.head, at, position - 4 - at)
                    pieces.append(memoryview(bytes(padding) + struct.pack("<I", len(contents))))
                else:
                    struct.pack_into("<QQ", self.head, at, position, len(contents))
                    pieces.append(memoryview(bytes(padding)))
                pieces.append(contents)
                position += len(contents)
        return pieces

    def _table(self, table: Table) -> int:
        cls = type(table)
        explicit = table.extras.explicit if table.extras else 0
        values: list[Any] = []
        slots: list[int] = []
        external = self._behind.get(id(table))
        for slot, field in enumerate(cls.FIELDS):
            value = getattr(table, field.name)
            if field.kind <= ENUM:
                stored = value != field.default if field.default is not None else bool(value)
                if not stored and not explicit >> slot & 1 and not (external is not None and field.name in _BEHIND):
                    continue
            elif value is None:
                continue
            slots.append(slot)
            values.append(value)
        layout = self._layouts.get((cls, tuple(slots)))
        if layout is None:
            layout = self._layouts[cls, tuple(slots)] = _layout(cls.FIELDS, slots)
        head = self.head
        vtable = self._vtables.get(layout.vtable)
        if vtable is None:
            vtable = self._vtables[layout.vtable] = self._pad(2)
            head += layout.vtable
        head += bytes(-len(head) % layout.align)
        start = len(head)
        by_slot = dict(zip(slots, values, strict=True))
        fields = cls.FIELDS
        try:
            head += layout.pack(start - vtable, *(by_slot[s] if fields[s].kind <= ENUM else 0 for s in layout.order))
        except (struct.error, TypeError):
            raise self._bad_number(cls, by_slot) from None
        for slot in slots:
            field = fields[slot]
            if field.kind > ENUM:
                self._child(cls, field, by_slot[slot], start + layout.offsets[slot])
        if external is not None:
            first = next(s for s in slots if fields[s].name in _BEHIND)
            self._blobs.append((start + layout.offsets[first], external, False))
        return start

    def _child(self, cls: type[Table], field: Field, value: Any, at: int) -> None:
        head, kind = self.head, field.kind
        if kind in (TABLE, UNION):
            position = self._table(value)
        elif kind == STRING:
            text = value.encode("utf-8", "surrogateescape")
            position = self._pad(4)
            head += struct.pack("<I", len(text)) + text + b"\0"
        elif kind == TABLES:
            position = self._pad(4)
            head += struct.pack("<I", len(value)) + bytes(4 * len(value))
            first = position + 4
            children = [self._table(item) for item in value]
            offsets = [child - (first + 4 * i) for i, child in enumerate(children)]
            struct.pack_into(f"<{len(value)}I", head, first, *offsets)
        elif kind == BYTES and cls is tables.Buffer:
            self._blobs.append((at, memoryview(value).cast("B"), True))
            return
        else:
            contents = self._vector_bytes(cls, field, value)
            position = self._pad(max(4, field.align or _SIZES[field.fmt]), 4)
            head += struct.pack("<I", len(contents) // _SIZES[field.fmt]) + contents
        struct.pack_into("<I", head, at, position - at)

    def _vector_bytes(self, cls: type[Table], field: Field, value: Any) -> bytes:
        if field.kind == BYTES:
            return bytes(value)
        if field.kind == ARRAY:
            return np.asarray(value, np.dtype(field.fmt).newbyteorder("<")).tobytes()
        assert field.kind == VECTOR
        try:
            return struct.pack(f"<{len(value)}{field.fmt}", *value)
        except (struct.error, TypeError):
            raise FormatError(f"cannot be stored: {_limits(field.fmt)}", where=f"{cls.__name__}.{field.name}") from None

    def _pad(self, align: int, prefix: int = 0) -> int:
        """Pad so that what follows ``prefix`` bytes is aligned; return the position of the prefix."""
        self.head += bytes(-(len(self.head) + prefix) % align)
        return len(self.head)

    def _bad_number(self, cls: type[Table], values: dict[int, Any]) -> FormatError:
        for slot, value in values.items():
            field = cls.FIELDS[slot]
            if field.kind <= ENUM:
                try:
                    struct.pack(f"<{field.fmt}", value)
                except (struct.error, TypeError):
                    return FormatError(
                        f"{value!r} cannot be stored: {_limits(field.fmt)}", where=f"{cls.__name__}.{field.name}"
                    )
        raise AssertionError(values)


_BEHIND = ("offset", "size", "large_custom_options_offset", "large_custom_options_size")


def _limits(fmt: str) -> str:
    if fmt in "fd?":
        return "the field holds a number"
    bits = 8 * _SIZES[fmt]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if fmt.islower() else (0, (1 << bits) - 1)
    return f"the field holds whole numbers from {low} to {high}"


def _layout(fields: tuple[Field, ...], slots: list[int]) -> _Layout:
    """Place the fields, the widest first; a pair of 64-bit fields therefore stays together in slot order."""
    letters = {s: fields[s].fmt if fields[s].kind <= ENUM else "I" for s in slots}
    order = sorted(slots, key=lambda s: (-_SIZES[letters[s]], s))
    align = max([4, *(_SIZES[letter] for letter in letters.values())])
    fmt, position, offsets = "<i", 4, {}
    for slot in order:
        padding = -position % _SIZES[letters[slot]]
        fmt += f"{padding}x{letters[slot]}"
        offsets[slot] = position + padding
        position += padding + _SIZES[letters[slot]]
    count = max(slots, default=-1) + 1
    vtable = struct.pack(f"<{2 + count}H", 4 + 2 * count, position, *(offsets.get(slot, 0) for slot in range(count)))
    return _Layout(struct.Struct(fmt).pack, vtable, align, tuple(order), offsets)

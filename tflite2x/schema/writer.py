# SPDX-License-Identifier: Apache-2.0
"""Tables to bytes: writes a flatbuffer front to back.

The usual FlatBuffers builders work back to front and copy every byte of the weights at least once. Offsets only have
to point forward, so writing parents before children works too: the tables go into one small block, and the contents
of the buffers follow as they are, without a copy. The same tables always give the same bytes.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tflite2x.errors import FormatError
from tflite2x.schema import tables
from tflite2x.schema.reader import IDENTIFIER, SIZES
from tflite2x.schema.table import ARRAY, BYTES, ENUM, STRING, TABLE, TABLES, UNION, VECTOR, Field, Table

#: Alignment of buffer contents, in bytes from the start of the file (the schema's force_align).
ALIGNMENT = 16
#: FlatBuffers offsets are read as signed numbers by some readers; larger files keep contents behind the flatbuffer.
LIMIT = 2**31 - 2**20


class _Form(NamedTuple):
    """How to look at the tables of one class."""

    values: Callable[[Any], tuple[Any, ...]]  #: all fields at once
    rows: tuple[tuple[int, bool, Any], ...]  #: (bit of the slot, whether it is a number, default)
    numbers: int  #: bits of the slots that are numbers
    unions: tuple[tuple[int, dict[type[Table] | None, int]], ...]  #: (slot of the value, type number of each class)


class _Layout(NamedTuple):
    """Where the stored fields of one kind of table lie."""

    pack: Callable[..., bytes]
    vtable: bytes
    align: int
    numbers: tuple[int, ...]  #: slots in the order of their positions; -1 for an offset that is filled in later
    children: tuple[tuple[int, int, Field], ...]  #: (slot, position inside the table, field)
    behind: int  #: position of the fields that say what lies behind the flatbuffer, or -1


# Both depend on the schema only, so they are made once per process.
_forms: dict[type[Table], _Form] = {}
_layouts: dict[tuple[type[Table], int], _Layout] = {}


class Writer:
    """Collects tables in ``head`` and large contents in ``blobs`` behind it."""

    def __init__(self) -> None:
        self.head = bytearray()
        self._vtables: dict[bytes, int] = {}
        # (position of the reference in head, contents, whether they are a vector of the flatbuffer)
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
        form = _forms.get(cls)
        if form is None:
            form = _forms[cls] = _form(cls)
        values = form.values(table)
        if form.unions:
            values = _with_union_types(values, form.unions)
        mask = table.extras.explicit & form.numbers if table.extras else 0
        for value, (bit, number, default) in zip(values, form.rows, strict=True):
            if value != default if number else value is not None:
                mask |= bit
        if self._behind:
            contents = self._behind.get(id(table))
            if contents is not None:
                mask |= sum(1 << slot for slot, f in enumerate(cls.FIELDS) if f.name in _BEHIND)
        else:
            contents = None
        layout = _layouts.get((cls, mask))
        if layout is None:
            layout = _layouts[cls, mask] = _layout(cls.FIELDS, [s for s in range(len(values)) if mask >> s & 1])
        head = self.head
        vtable = self._vtables.get(layout.vtable)
        if vtable is None:
            vtable = self._vtables[layout.vtable] = self._pad(2)
            head += layout.vtable
        start = len(head)
        if start % layout.align:
            start = self._pad(layout.align)
        try:
            head += layout.pack(start - vtable, *[values[s] if s >= 0 else 0 for s in layout.numbers])
        except (struct.error, TypeError):
            raise self._bad_number(cls, values, layout) from None
        for slot, at, field in layout.children:
            if values[slot] is not None:
                self._child(cls, field, values[slot], start + at)
        if contents is not None:
            self._blobs.append((start + layout.behind, contents, False))
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
            position = self._pad(max(4, field.align or SIZES[field.fmt]), 4)
            head += struct.pack("<I", len(contents) // SIZES[field.fmt]) + contents
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

    def _bad_number(self, cls: type[Table], values: tuple[Any, ...], layout: _Layout) -> FormatError:
        for slot in layout.numbers:
            field = cls.FIELDS[slot]
            try:
                struct.pack(f"<{field.fmt or 'I'}", values[slot] if slot >= 0 else 0)
            except (struct.error, TypeError):
                return FormatError(
                    f"{values[slot]!r} cannot be stored: {_limits(field.fmt)}", where=f"{cls.__name__}.{field.name}"
                )
        raise AssertionError(values)


_BEHIND = ("offset", "size", "large_custom_options_offset", "large_custom_options_size")


def _limits(fmt: str) -> str:
    if fmt in "fd?":
        return "the field holds a number"
    bits = 8 * SIZES[fmt]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if fmt.islower() else (0, (1 << bits) - 1)
    return f"the field holds whole numbers from {low} to {high}"


def _form(cls: type[Table]) -> _Form:
    names = [f.name for f in cls.FIELDS]
    get = operator.attrgetter(*names) if names else tuple
    values = get if len(names) > 1 else (lambda table: (get(table),)) if names else (lambda table: ())
    rows = tuple(
        (1 << slot, f.kind <= ENUM, 0 if f.kind <= ENUM and f.default is None else f.default)
        for slot, f in enumerate(cls.FIELDS)
    )
    unions = tuple(
        (slot, {c: number for number, c in enumerate(tables.UNIONS[f.arg])})
        for slot, f in enumerate(cls.FIELDS)
        if f.kind == UNION
    )
    return _Form(values, rows, sum(bit for bit, number, _ in rows if number), unions)


def _with_union_types(
    values: tuple[Any, ...], unions: tuple[tuple[int, dict[type[Table] | None, int]], ...]
) -> tuple[Any, ...]:
    """Fill in the type numbers of the values that are there; they stand one slot before."""
    filled = list(values)
    for slot, numbers in unions:
        if filled[slot] is not None:
            filled[slot - 1] = numbers[type(filled[slot])]
    return tuple(filled)


def _layout(fields: tuple[Field, ...], slots: list[int]) -> _Layout:
    """Place the fields, the widest first; a pair of 64-bit fields therefore stays together in slot order."""
    letters = {s: fields[s].fmt if fields[s].kind <= ENUM else "I" for s in slots}
    order = sorted(slots, key=lambda s: (-SIZES[letters[s]], s))
    align = max([4, *(SIZES[letter] for letter in letters.values())])
    fmt, position, offsets = "<i", 4, {}
    for slot in order:
        padding = -position % SIZES[letters[slot]]
        fmt += f"{padding}x{letters[slot]}"
        offsets[slot] = position + padding
        position += padding + SIZES[letters[slot]]
    count = max(slots, default=-1) + 1
    vtable = struct.pack(f"<{2 + count}H", 4 + 2 * count, position, *(offsets.get(slot, 0) for slot in range(count)))
    return _Layout(
        struct.Struct(fmt).pack,
        vtable,
        align,
        tuple(s if fields[s].kind <= ENUM else -1 for s in order),
        tuple((s, offsets[s], fields[s]) for s in slots if fields[s].kind > ENUM),
        min((offsets[s] for s in slots if fields[s].name in _BEHIND), default=-1),
    )

# SPDX-License-Identifier: Apache-2.0
"""Bytes to tables: reads a flatbuffer without trusting it.

Every position is checked before it is used, so that a broken file ends in one ``FormatError`` that names the place.
Layout facts are those of the FlatBuffers "internals" page: a table starts with the distance back to its vtable, the
vtable holds the position of every field inside the table, and offsets count forward from where they are stored.

One vtable is shared by many tables, so the work of understanding it (which ``struct`` format reads the table, which
fields need more than a number) is done once per vtable and kept as a plan.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tflite2x.errors import FormatError
from tflite2x.schema import tables
from tflite2x.schema.table import (
    ARRAY,
    BYTES,
    ENUM,
    SCALAR,
    STRING,
    TABLE,
    TABLES,
    UNION,
    VECTOR,
    Extras,
    Table,
)

T = TypeVar("T", bound=Table)
IDENTIFIER = b"TFL3"
#: Bytes of a scalar, by its letter in the module ``struct``.
SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4, "d": 8}
#: A file may refer to the same bytes from several places; past this many times its own size it is a bomb.
_EXPANSION = 16


class MalformedError(Exception):
    """A broken place; collects its path while it travels up."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path: list[str | int] = []

    @property
    def where(self) -> str:
        """The path in the notation ``subgraphs[0].operators[3]``."""
        text = ""
        for part in reversed(self.path):
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text


class _Plan(NamedTuple):
    """How to read all tables that share one vtable."""

    unpack: Callable[..., tuple[Any, ...]]
    size: int  #: bytes of the table itself
    scalars: tuple[tuple[int, int, Any], ...]  #: (index of the value, slot, default)
    enums: tuple[tuple[int, int, dict[int, Any], Any], ...]
    children: tuple[tuple[int, int, int], ...]  #: (index of the value, slot, position inside the table)
    defaults: list[Any]
    unknown: tuple[int, ...]


# A plan depends on the schema and the vtable only, and converters write the same vtables into every file.
_plans: dict[tuple[type[Table], bytes], _Plan] = {}
_MAX_PLANS = 4096


class Reader:
    """Reads tables from one buffer.

    Args:
        data: The whole file.

    Attributes:
        end: Behind the last byte that any table, vector or string has used so far.
        unknown: Names of tables with slots that the schema does not have, with these slots.
    """

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.size = len(data)
        self.end = 0
        self.budget = _EXPANSION * self.size + 4096
        self.unknown: dict[str, set[int]] = {}

    def root(self, cls: type[T]) -> T:
        """Read the root table.

        Raises:
            FormatError: The bytes are not a well-formed file; says where.
        """
        if self.size < 8:
            raise FormatError(
                f"{self.size} bytes are too few for a TFLite file", hint="The file is empty or truncated."
            )
        if self.data[4:8] != IDENTIFIER:
            found = bytes(self.data[4:8])
            raise FormatError(
                f"not a TFLite file: bytes 4 to 8 are {found!r}, expected {IDENTIFIER!r}",
                hint="Convert the model to TFLite first." if found != b"TFL2" else "Schema version 2 is not supported.",
            )
        self.end = 8
        try:
            return self.table(cls, struct.unpack_from("<I", self.data)[0])
        except MalformedError as e:
            raise FormatError(e.what, where=e.where, hint="The file is damaged or truncated.") from None

    def table(self, cls: type[T], pos: int) -> T:
        """Read the table of class ``cls`` at ``pos``."""
        data = self.data
        if not 0 <= pos <= self.size - 4:
            raise MalformedError(f"a table at byte {pos}, the file has {self.size} bytes")
        vtable = pos - struct.unpack_from("<i", data, pos)[0]
        if not 0 <= vtable <= self.size - 4:
            raise MalformedError(f"a vtable at byte {vtable}, the file has {self.size} bytes")
        vsize = struct.unpack_from("<H", data, vtable)[0]
        if vtable + vsize > self.size:
            raise MalformedError(f"a vtable of {vsize} bytes at byte {vtable}, the file has {self.size} bytes")
        key = (cls, bytes(data[vtable : vtable + vsize]))
        plan = _plans.get(key)
        if plan is None:
            if len(_plans) >= _MAX_PLANS:
                _plans.clear()
            plan = _plans[key] = _make_plan(cls, key[1])
        if vtable + vsize > self.end:
            self.end = vtable + vsize
        end = pos + plan.size
        if end > self.size:
            raise MalformedError(f"a table of {plan.size} bytes at byte {pos}, the file has {self.size} bytes")
        self._spend(end, 8 + plan.size)
        raw = plan.unpack(data, pos)
        values = plan.defaults.copy()
        explicit = 0
        for i, slot, default in plan.scalars:
            values[slot] = value = raw[i]
            if value == default:
                explicit |= 1 << slot
        for i, slot, members, default in plan.enums:
            # A number without a name is kept as it is: it may come from a newer schema.
            values[slot] = value = members.get(raw[i], raw[i])
            if value == default:
                explicit |= 1 << slot
        for i, slot, at in plan.children:
            try:
                values[slot] = self._child(cls.FIELDS[slot], values, slot, pos + at, raw[i])
            except MalformedError as e:
                e.path.append(cls.FIELDS[slot].name)
                raise
        table = cls(*values)
        if explicit or plan.unknown:
            table.extras = Extras(explicit, plan.unknown)
            if plan.unknown:
                self.unknown.setdefault(cls.__name__, set()).update(plan.unknown)
        return table

    def _child(self, field: Any, values: list[Any], slot: int, at: int, offset: int) -> Any:
        target = at + offset
        kind = field.kind
        if offset < 4:
            raise MalformedError(f"an offset of {offset} at byte {at}")
        if kind == VECTOR:
            count = self._vector(target, field.fmt)
            items = struct.unpack_from(f"<{count}{field.fmt}", self.data, target + 4)
            if field.arg is None:
                return items
            members = field.arg._value2member_map_
            return tuple([members.get(v, v) for v in items])
        if kind == STRING:
            count = self._vector(target, "B")
            # surrogateescape keeps bytes that are no UTF-8; the writer turns them back.
            return str(self.data[target + 4 : target + 4 + count], "utf-8", "surrogateescape")
        if kind == TABLE:
            return self.table(_table_class(field.arg), target)
        if kind == TABLES:
            count = self._vector(target, "I")
            cls = _table_class(field.arg)
            first = target + 4
            items = struct.unpack_from(f"<{count}I", self.data, first)
            result = []
            for i, item in enumerate(items):
                try:
                    result.append(self.table(cls, first + 4 * i + item))
                except MalformedError as e:
                    e.path.append(i)
                    raise
            return result
        if kind == BYTES:
            count = self._vector(target, "B", spend=False)
            return self.data[target + 4 : target + 4 + count]
        if kind == ARRAY:
            count = self._vector(target, field.fmt, spend=False)
            return np.frombuffer(self.data, np.dtype(field.fmt).newbyteorder("<"), count, target + 4)
        if kind == UNION:
            return self._union(field, values[slot - 1], target)
        raise AssertionError(field)

    def _union(self, field: Any, number: int, target: int) -> Table | None:
        classes = tables.UNIONS[field.arg]
        if number == 0:
            raise MalformedError(f"a value of union {field.arg} without a type")
        if number >= len(classes):
            self.unknown.setdefault(f"union {field.arg}", set()).add(number)
            return None
        cls = classes[number]
        assert cls is not None
        return self.table(cls, target)

    def _vector(self, pos: int, fmt: str, *, spend: bool = True) -> int:
        """Check the vector at ``pos`` and return its length; views cost no memory and are not charged for."""
        if not 0 <= pos <= self.size - 4:
            raise MalformedError(f"a vector at byte {pos}, the file has {self.size} bytes")
        count: int = struct.unpack_from("<I", self.data, pos)[0]
        length = count * SIZES[fmt]
        end = pos + 4 + length
        if end > self.size:
            raise MalformedError(f"a vector of {count} elements at byte {pos}, the file has {self.size} bytes")
        self._spend(end, 8 + (length if spend else 0))
        return count

    def _spend(self, end: int, cost: int) -> None:
        if end > self.end:
            self.end = end
        self.budget -= cost
        if self.budget < 0:
            raise MalformedError("the same bytes are referred to again and again")


def _make_plan(cls: type[Table], vtable: bytes) -> _Plan:
    if len(vtable) < 4 or len(vtable) % 2:
        raise MalformedError(f"a vtable of {len(vtable)} bytes")
    _, size, *offsets = struct.unpack(f"<{len(vtable) // 2}H", vtable)
    fields = cls.FIELDS
    stored = sorted((at, slot) for slot, at in enumerate(offsets) if at and slot < len(fields))
    fmt, position = "<", 0
    scalars, enums, children = [], [], []
    for i, (at, slot) in enumerate(stored):
        field = fields[slot]
        letter = field.fmt if field.kind in (SCALAR, ENUM) else "I"
        if at < max(position, 4) or at + SIZES[letter] > size:
            raise MalformedError(f"field {field.name} at byte {at} of a table of {size} bytes")
        fmt += f"{at - position}x{letter}"
        position = at + SIZES[letter]
        if field.kind == SCALAR:
            scalars.append((i, slot, 0 if field.default is None else field.default))
        elif field.kind == ENUM:
            enums.append((i, slot, field.arg._value2member_map_, field.default))
        else:
            children.append((i, slot, at))
    if size < max(position, 4):
        raise MalformedError(f"a table of {size} bytes")
    return _Plan(
        struct.Struct(fmt).unpack_from,
        size,
        tuple(scalars),
        tuple(enums),
        # Union values need their type number, which stands one slot before: slots in order make it known.
        tuple(sorted(children, key=lambda c: c[1])),
        [_default(f) for f in fields],
        tuple(slot for slot, at in enumerate(offsets) if at and slot >= len(fields)),
    )


def _default(field: Any) -> Any:
    return (0 if field.default is None else field.default) if field.kind <= ENUM else None


def _table_class(name: str) -> type[Table]:
    cls: type[Table] = getattr(tables, name)
    return cls

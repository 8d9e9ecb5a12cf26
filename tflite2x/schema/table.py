# SPDX-License-Identifier: Apache-2.0
"""What the tables of the schema have in common: how a field is described, and what a reader found beside the fields."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, ClassVar, NamedTuple, TypeAlias

Bytes: TypeAlias = bytes | bytearray | memoryview

SCALAR = 0  #: a number or truth value inside the table
ENUM = 1  #: a number inside the table that names a member of an enum
STRING = 2  #: UTF-8 text
BYTES = 3  #: vector of bytes, read as a view of the file
VECTOR = 4  #: vector of numbers, read as a tuple
ARRAY = 5  #: vector of numbers, read as a NumPy view of the file
TABLE = 6  #: another table
TABLES = 7  #: vector of tables
UNION = 8  #: one of several tables; the field before it holds the type number


class Field(NamedTuple):
    """One slot of a table.

    Attributes:
        name: Field name in the schema; a union has two slots, ``<name>_type`` and ``<name>``.
        kind: One of the constants above.
        fmt: ``struct`` letter of the number or of the vector's elements.
        arg: The enum class, or the name of the table or union.
        default: Value of an absent field.
        align: Alignment in bytes that the schema demands of a vector's elements; 0 for the natural one.
    """

    name: str
    kind: int
    fmt: str = ""
    arg: Any = None
    default: Any = None
    align: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Extras:
    """What a file says about a table beyond the values of its fields.

    Attributes:
        explicit: Bit i is set when slot i is stored although it holds its default.
        unknown: Slots that are stored and that the schema does not have.
    """

    explicit: int = 0
    unknown: tuple[int, ...] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Table:
    """Base of all tables.

    Attributes:
        extras: Beyond the values; None when there is nothing.
    """

    FIELDS: ClassVar[tuple[Field, ...]] = ()
    extras: Extras | None = dataclasses.field(default=None, kw_only=True)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in self.FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = []
        for field in self.FIELDS:
            value = getattr(self, field.name)
            if field.kind > ENUM and value is None:
                continue
            if isinstance(value, memoryview | bytes | bytearray):
                value = f"<{len(value)} bytes>"
            elif isinstance(value, enum.IntEnum):
                value = value.name
            parts.append(f"{field.name}={value}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, memoryview | bytes | bytearray):
        return bytes(a) == bytes(b)
    if hasattr(a, "tobytes") and hasattr(b, "tobytes"):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    return bool(a == b)

# SPDX-License-Identifier: Apache-2.0
"""From the values of a model to values that JSON has, and to text that is safe to print."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

from tflite2x.schema.table import Table


def plain(value: Any) -> Any:
    """Return ``value`` built of dicts, lists, strings, integers, finite floats, truth values and None.

    Enums become their names, arrays lists, bytes a note of their length, and NaN and infinities strings.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Table):
        return plain_table(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def plain_table(table: Table) -> dict[str, Any]:
    """Return the fields of a schema table by name."""
    return {field.name: plain(getattr(table, field.name)) for field in table.FIELDS if hasattr(table, field.name)}


#: Options that are left out while they have the value that the schema assumes; so are all that are false or absent.
_QUIET: dict[str, Any] = {
    "fused_activation_function": "NONE",
    "dilation_w_factor": 1,
    "dilation_h_factor": 1,
    "weights_format": "DEFAULT",
    "quantized_bias_type": "FLOAT32",
}


def says(option: str, value: Any) -> bool:
    """Whether an option's value is worth printing: it is not the one that goes without saying."""
    return value is not None and value is not False and _QUIET.get(option) != value


def printable(text: str | None, width: int | None = None) -> str:
    """Return text of a file so that it cannot move the cursor or colour the terminal; shorten it in the middle.

    Args:
        text: The text; None gives ``-``.
        width: The most characters to return.
    """
    if text is None:
        return "-"
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    if width is None or len(safe) <= width:
        return safe
    head = (width - 3) // 2
    return f"{safe[:head]}...{safe[len(safe) - (width - 3 - head) :]}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return a text table: columns as wide as needed, two blanks between them, no blanks at line ends.

    Args:
        header: Titles of the columns.
        rows: Cells.
        right: Columns to align to the right.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)

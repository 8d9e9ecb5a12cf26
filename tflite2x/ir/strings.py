# SPDX-License-Identifier: Apache-2.0
"""String tensors: a count, the start of each string and the end of the last, then the characters (all int32).

Source of the layout: LiteRT string_util.h.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import GraphError


def unpack_strings(data: memoryview, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an object array of ``bytes``.

    Raises:
        GraphError: The bytes are not a string tensor, or hold another number of strings than the shape.
    """
    size = len(data)
    count = struct.unpack_from("<i", data)[0] if size >= 4 else -1
    if count < 0 or 4 * (count + 2) > size:
        raise GraphError(f"{size} bytes that are no string tensor")
    if count != math.prod(shape):
        raise GraphError(f"{count} strings for shape {list(shape)}")
    starts = struct.unpack_from(f"<{count + 1}i", data, 4)
    result = np.empty(count, object)
    for i in range(count):  # strings have no array form in NumPy
        start, end = starts[i], starts[i + 1]
        if not 4 * (count + 2) <= start <= end <= size:
            raise GraphError(f"string {i} lies at bytes {start} to {end} of {size}")
        result[i] = bytes(data[start:end])
    try:
        return result.reshape(shape)
    except ValueError as e:  # more dimensions than NumPy can express
        raise GraphError(f"a constant of shape {list(shape)}: {e}") from None


def pack_strings(array: NDArray[Any]) -> bytes:
    """Return the bytes of a string tensor; text is stored as UTF-8."""
    items = [s.encode() if isinstance(s, str) else bytes(s) for s in array.reshape(-1).tolist()]
    head = 4 * (len(items) + 2)
    ends = np.cumsum([head, *map(len, items)])
    return struct.pack(f"<{len(items) + 2}i", len(items), *ends.tolist()) + b"".join(items)

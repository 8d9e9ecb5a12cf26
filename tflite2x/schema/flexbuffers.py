# SPDX-License-Identifier: Apache-2.0
"""FlexBuffers: the schema-less bytes in which custom operators keep their options.

The flatbuffers package reads the format. The walk over it is ours, because its own trusts the bytes: a few of them
can nest without end or refer to one value again and again.
"""

from __future__ import annotations

import struct
from typing import Any

from tflite2x.errors import FormatError
from tflite2x.schema.table import Bytes

_MAX_DEPTH = 64
#: Values may be referred to twice; past this many values per byte the bytes are a bomb.
_EXPANSION = 16


def decode(data: Bytes) -> Any:
    """Return the value that the bytes hold: dict, list, str, bytes, int, float, bool or None.

    Raises:
        FormatError: The bytes are not a FlexBuffer.
    """
    from flatbuffers import flexbuffers

    raw = bytes(data)
    try:
        return _Walk(len(raw)).value(flexbuffers.GetRoot(raw), 0)
    except FormatError:
        raise
    # What the package raises on broken bytes, found by mutating good ones.
    except (KeyError, ValueError, TypeError, AssertionError, IndexError, OverflowError, struct.error) as e:
        raise FormatError(
            f"{len(raw)} bytes that are not a FlexBuffer ({type(e).__name__})",
            hint="Some custom operators keep their options in another format.",
        ) from None


def encode(value: Any) -> bytes:
    """Return the bytes that hold a value: dict with text keys, list, str, bytes, int, float, bool or None.

    Raises:
        FormatError: FlexBuffers cannot hold the value.
    """
    from flatbuffers import flexbuffers

    try:
        return bytes(flexbuffers.Dumps(value))
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RuntimeError, struct.error) as e:
        raise FormatError(f"a FlexBuffer cannot hold this value: {e}") from None


class _Walk:
    def __init__(self, size: int) -> None:
        self.budget = _EXPANSION * size + 64

    def value(self, ref: Any, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise FormatError(f"a FlexBuffer nested deeper than {_MAX_DEPTH} levels")
        self._spend(1)
        if ref.IsMap:
            items = ref.AsMap
            self._spend(len(items))
            values = [self.value(v, depth + 1) for v in items.Values]
            return dict(zip((k.AsKey for k in items.Keys), values, strict=True))
        if ref.IsVector:
            self._spend(len(ref.AsVector))
            return [self.value(v, depth + 1) for v in ref.AsVector]
        if ref.IsTypedVector or ref.IsFixedTypedVector:  # IsAnyVector fails in flatbuffers 25.12
            vector = ref.AsTypedVector if ref.IsTypedVector else ref.AsFixedTypedVector
            self._spend(len(vector))
            return vector.Value
        if ref.IsString or ref.IsBlob or ref.IsKey:
            value = ref.Value
            self._spend(len(value))
            return bytes(value) if ref.IsBlob else value
        return ref.Value

    def _spend(self, cost: int) -> None:
        self.budget -= cost
        if self.budget < 0:
            raise FormatError("a FlexBuffer that refers to the same bytes again and again")

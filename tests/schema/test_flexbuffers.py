# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite2x.errors import FormatError
from tflite2x.schema import flexbuffers

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=4)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, width=32)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=4), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_round_trip(value: Any) -> None:
    assert flexbuffers.decode(flexbuffers.encode(value)) == value


def test_broken_bytes_end_in_one_error() -> None:
    good = flexbuffers.encode({"par": {"th": 4, "cg": [[0, 15], [16, 31]]}, "s": "text", "f": 1.5, "b": b"xyz"})
    rng = random.Random(0)
    refused = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            flexbuffers.decode(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.2 else data)
        except FormatError:
            refused += 1
    assert refused > 1000


def test_bomb() -> None:
    from flatbuffers import flexbuffers as package

    builder = package.Builder(share_strings=True)
    with builder.Map():
        for name in ("a", "b"):
            with builder.Vector(name):
                for _ in range(30):
                    builder.String("x" * 100)
    data = bytes(builder.Finish())
    with pytest.raises(FormatError, match="again and again"):
        flexbuffers.decode(data)


def test_values_that_cannot_be_stored() -> None:
    with pytest.raises(FormatError):
        flexbuffers.encode(object())

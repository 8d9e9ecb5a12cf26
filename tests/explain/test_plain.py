# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tflite2x.explain.plain import plain, printable, table
from tflite2x.schema.enums import Padding
from tflite2x.schema.tables import Conv2DOptions


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Padding.VALID, "VALID"),
        (np.float32(0.1), 0.10000000149011612),
        (np.array([1, 2], np.int64), [1, 2]),
        (np.array([np.nan], np.float32), ["nan"]),
        (float("-inf"), "-inf"),
        ((1, (True, None)), [1, [True, None]]),
        (memoryview(b"abc"), "<3 bytes>"),
        ({Padding.SAME: 1.5}, {"0": 1.5}),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_tables_become_dicts() -> None:
    options = plain(Conv2DOptions(stride_w=2))
    assert (options["padding"], options["stride_w"], options["dilation_w_factor"]) == ("SAME", 2, 1)
    assert "extras" not in options


def test_printable_keeps_the_terminal_safe() -> None:
    assert printable("a\x1b[2J\nb\u202ec") == "a\\x1b[2J\\nb\\u202ec"
    assert printable(None) == "-"
    assert printable("größe") == "größe"
    assert printable("abcdefghijkl", 9) == "abc...jkl"
    assert printable("abcdefghi", 9) == "abcdefghi"


def test_table_aligns_columns() -> None:
    assert table(["a", "n"], [["x", "1"], ["long", "22"]], right=(1,)) == "a      n\nx      1\nlong  22"
    assert table(["a", "b"], []) == "a  b"

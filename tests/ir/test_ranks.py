# SPDX-License-Identifier: Apache-2.0
"""Lists whose items know their place."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tflite2x.ir import ranks


class Item:
    _rank = 0


@given(st.lists(st.tuples(st.sampled_from(["insert", "remove", "remove many", "number"]), st.integers(0, 1 << 16))))
def test_items_know_their_place(edits: list[tuple[str, int]]) -> None:
    items: list[Item] = []
    expected: list[Item] = []
    for what, number in edits:
        if what == "insert":
            place = number % (len(items) + 1)
            item = Item()
            ranks.insert(items, place, item)
            expected.insert(place, item)
        elif what == "number":
            ranks.number(items)
        elif items:
            doomed = {items[number % len(items)]} if what == "remove" else set(items[:: number % 3 + 1])
            ranks.remove(items, doomed)
            expected = [item for item in expected if item not in doomed]
        assert items == expected
        assert [ranks.index(items, item) for item in items] == list(range(len(items)))


def test_full_gaps_are_widened() -> None:
    items: list[Item] = []
    for _ in range(2):
        ranks.insert(items, len(items), Item())
    last = items[-1]
    for i in range(300):
        ranks.insert(items, 1, Item())
        assert ranks.index(items, last) == i + 2
    for i in range(300):
        ranks.insert(items, 0, Item())
        assert ranks.index(items, last) == 302 + i
    assert all(a._rank < b._rank for a, b in itertools.pairwise(items))

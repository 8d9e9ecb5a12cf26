# SPDX-License-Identifier: Apache-2.0
"""Lists whose items know their place: each carries a rank, and ranks rise along the list.

Comparing ranks says what stands in front of what, and bisection finds the index, so that an edit need not number what
lies behind it. Ranks leave gaps; only where a gap is full are all items numbered anew.
"""

from __future__ import annotations

import bisect
import operator
from collections.abc import Collection
from typing import Protocol, TypeVar

_GAP = 1 << 64
#: With more items than this share of the list to remove, the list is built anew.
_MANY = 64
_rank = operator.attrgetter("_rank")


class Ranked(Protocol):
    """What carries a rank."""

    _rank: int


T = TypeVar("T", bound=Ranked)


def number(items: list[T]) -> None:
    """Give all items new ranks, for example when their order has changed."""
    for i, item in enumerate(items):
        item._rank = i * _GAP


def index(items: list[T], item: T) -> int:
    """Return the index of an item that is in the list."""
    return bisect.bisect_left(items, item._rank, key=_rank)


def insert(items: list[T], place: int, item: T) -> None:
    """Insert an item in front of the one at an index, or at the end."""
    high = items[place]._rank if place < len(items) else None
    low = items[place - 1]._rank if place else None
    items.insert(place, item)
    if high is None:
        item._rank = 0 if low is None else low + _GAP
    elif low is None:
        item._rank = high - _GAP
    elif high - low > 1:
        item._rank = (low + high) // 2
    else:
        number(items)


def remove(items: list[T], doomed: Collection[T]) -> None:
    """Remove items, all of which are in the list."""
    if len(doomed) * _MANY > len(items):
        items[:] = [item for item in items if item not in doomed]
        return
    for item in doomed:
        del items[index(items, item)]

# SPDX-License-Identifier: Apache-2.0
"""The binary heap of the C++ standard library, step by step as libstdc++ does it.

Some LiteRT kernels keep candidates in ``std::priority_queue`` or order them with ``std::partial_sort``. Which of
several equal elements comes first then depends on how the library moves elements inside the heap, so that results are
only equal to LiteRT's if the moves are. The largest key is at the front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def push_heap(heap: list[T], key: Callable[[T], float]) -> None:
    """Move the last element, which is new, to its place."""
    _sift_up(heap, len(heap) - 1, 0, heap[-1], key)


def pop_heap(heap: list[T], key: Callable[[T], float]) -> None:
    """Move the largest element behind all others, where ``list.pop`` takes it."""
    if len(heap) > 1:
        _replace(heap, len(heap) - 1, len(heap) - 1, key)


def partial_sort(items: list[T], count: int, key: Callable[[T], float]) -> None:
    """Put the ``count`` elements with the smallest keys first, in order; the others follow in any order."""
    for parent in range((count - 2) // 2, -1, -1):
        _adjust(items, parent, count, items[parent], key)
    for i in range(count, len(items)):
        if key(items[i]) < key(items[0]):
            _replace(items, count, i, key)
    for end in range(count - 1, 0, -1):
        _replace(items, end, end, key)


def _replace(heap: list[T], size: int, place: int, key: Callable[[T], float]) -> None:
    """Swap the front of a heap of ``size`` elements with the element at ``place`` outside of it."""
    value = heap[place]
    heap[place] = heap[0]
    _adjust(heap, 0, size, value, key)


def _adjust(heap: list[T], hole: int, size: int, value: T, key: Callable[[T], float]) -> None:
    """Let a hole sink to the bottom along the larger children (the right one of equals), then put ``value`` in."""
    top = hole
    while 2 * hole + 2 < size:
        child = 2 * hole + 2
        if key(heap[child]) < key(heap[child - 1]):
            child -= 1
        heap[hole] = heap[child]
        hole = child
    if 2 * hole + 2 == size:
        heap[hole] = heap[2 * hole + 1]
        hole = 2 * hole + 1
    _sift_up(heap, hole, top, value, key)


def _sift_up(heap: list[T], hole: int, top: int, value: T, key: Callable[[T], float]) -> None:
    while hole > top and key(heap[(hole - 1) // 2]) < key(value):
        heap[hole] = heap[(hole - 1) // 2]
        hole = (hole - 1) // 2
    heap[hole] = value

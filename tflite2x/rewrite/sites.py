# SPDX-License-Identifier: Apache-2.0
"""Running a pass at some of its places only, to find out which rewrite breaks a model."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from contextvars import ContextVar

_allowed: ContextVar[frozenset[str] | None] = ContextVar("allowed sites", default=None)


def allowed(place: str) -> bool:
    """Whether a pass may rewrite at a place (``operator.where`` before the pass); always outside of a search."""
    places = _allowed.get()
    return places is None or place in places


@contextlib.contextmanager
def only(places: Collection[str]) -> Iterator[None]:
    """Let passes rewrite at these places only."""
    token = _allowed.set(frozenset(places))
    try:
        yield
    finally:
        _allowed.reset(token)

# SPDX-License-Identifier: Apache-2.0
"""Places: how they are named while a pass moves things around, and running a pass at some of them only.

A pass reports places of the model as it was before the pass, although indices change while it works. And to find out
which rewrite breaks a model, the verifier runs the pass again with some of its places only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Tensor

_allowed: ContextVar[frozenset[str] | None] = ContextVar("allowed places", default=None)
_names: ContextVar[dict[Operator | Tensor, str] | None] = ContextVar("names of places", default=None)


def place(item: Operator | Tensor | str) -> str:
    """Return the text that names a place; inside of a pass, the name from before the pass."""
    if isinstance(item, str):
        return item
    names = _names.get()
    found = names.get(item) if names is not None else None
    return item.where if found is None else found


def allowed(item: Operator | Tensor | str) -> bool:
    """Whether a pass may rewrite at a place; always, except while the verifier looks for a culprit."""
    places = _allowed.get()
    return places is None or place(item) in places


@contextlib.contextmanager
def only(places: Collection[str]) -> Iterator[None]:
    """Let passes rewrite at these places only."""
    token = _allowed.set(frozenset(places))
    try:
        yield
    finally:
        _allowed.reset(token)


@contextlib.contextmanager
def named(model: Model) -> Iterator[None]:
    """Keep the present names of all places of a model while a pass runs."""
    names: dict[Operator | Tensor, str] = {}
    for graph in model.subgraphs:
        where = graph.where
        for i, op in enumerate(graph.operators):
            names[op] = f"{where}.operators[{i}] ({op.name})"
        for i, tensor in enumerate(graph.tensors):
            names[tensor] = f"{where}.tensors[{i}] ({tensor.name!r})"
    token = _names.set(names)
    try:
        yield
    finally:
        _names.reset(token)

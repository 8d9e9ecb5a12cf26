# SPDX-License-Identifier: Apache-2.0
"""Following values through the interface changes of passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import GraphError
from tflite2x.interpreter import Interpreter
from tflite2x.rewrite.interface import Adapter, Link, Rebatch, Relation, Resized, SubgraphLinks, join_adapters
from tflite2x.verification.compare import Comparison, compare

Array = NDArray[Any]


def apply_adapter(adapter: Relation | None, array: Array) -> Array:
    """Turn values of one side of an interface change into values of the other.

    Args:
        adapter: What relates both sides; None for equal values.
        array: Values with a sample axis in front.
    """
    if adapter is None or isinstance(adapter, Resized):
        return array
    if isinstance(adapter, Rebatch):
        return rebatch(array, adapter)
    (result,) = Interpreter(adapter.model).run_batch([array], resize=True)
    return result


def rebatch(array: Array, change: Rebatch) -> Array:
    """Put ``factor`` consecutive samples together along ``axis``; samples that are left over are dropped.

    Fewer samples than ``factor`` are repeated.
    """
    if len(array) < change.factor:
        array = np.concatenate([array] * -(-change.factor // len(array)))[: change.factor]
    count = len(array) // change.factor
    axis = change.axis + 1
    groups = array[: count * change.factor].reshape(count, change.factor, *array.shape[1:])
    moved = np.moveaxis(groups, 1, axis)  # [count, ..., factor, length of the axis, ...]
    shape = list(array.shape)
    shape[0], shape[axis] = count, change.factor * array.shape[axis]
    return np.ascontiguousarray(moved).reshape(shape)


def join_links(first: SubgraphLinks | None, second: SubgraphLinks | None) -> SubgraphLinks | None:
    """Return what two interface changes in a row come to; None when no single one says it.

    Adapters join where both work in one direction: values of the old interface become such of the new one, or the other
    way round. An output whose adapters do not join has no counterpart any more; samples for an input need one.
    """
    if first is None or second is None:
        return first or second
    inputs = [_join(first.inputs, link) for link in second.inputs]
    outputs = [_join(first.outputs, link) or Link(None) for link in second.outputs]
    known = tuple(link for link in inputs if link is not None)
    return SubgraphLinks(known, tuple(outputs)) if len(known) == len(inputs) else None


def _join(earlier: Sequence[Link], link: Link) -> Link | None:
    if link.position is None:
        return link
    before = earlier[link.position]
    if before.position is None or link.adapter is None:
        return before
    one, other = before.adapter, link.adapter
    if one is None:
        return Link(before.position, other, link.side)
    if before.side != link.side or not (isinstance(one, Adapter) and isinstance(other, Adapter)):
        return None
    try:
        joined = join_adapters(one, other) if link.side == "old" else join_adapters(other, one)
    except GraphError:
        return None
    return Link(before.position, joined, link.side)


def follow_inputs(inputs: Sequence[Array], links: SubgraphLinks | None, fresh: Sequence[Array]) -> list[Array]:
    """Return the inputs of a model after a pass for the inputs of the model before it.

    Args:
        inputs: Inputs before.
        links: How the interface changed; None when it did not.
        fresh: Values for inputs that have no counterpart; only those positions are used.
    """
    if links is None:
        return list(inputs)
    found = []
    for i, link in enumerate(links.inputs):
        made = link.position is None or link.side == "new"
        found.append(fresh[i] if made else apply_adapter(link.adapter, inputs[link.position or 0]))
    count = min((len(a) for a in found), default=0)
    return [a[:count] for a in found]


def wants_fresh(links: SubgraphLinks | None) -> bool:
    """Whether an input has no counterpart, or can express fewer values than the one before."""
    return links is not None and any(link.position is None or link.side == "new" for link in links.inputs)


def rewound_inputs(inputs: Sequence[Array], links: SubgraphLinks | None, fresh: Sequence[Array]) -> list[Array] | None:
    """Return inputs of the model before a pass that the new interface can express; None when all are."""
    if links is None or not any(link.side == "new" for link in links.inputs):
        return None
    found = list(inputs)
    for i, link in enumerate(links.inputs):
        if link.side == "new" and link.position is not None:
            found[link.position] = apply_adapter(link.adapter, fresh[i])
    return found


@dataclasses.dataclass(slots=True)
class Expectation:
    """What one output of a later model should be, in terms of an earlier one.

    Attributes:
        value: Output of the earlier model, adapted; None when it cannot be followed any more.
        pending: Adapters to apply to the later output before it is compared, the last one first.
    """

    value: Array | None
    pending: tuple[Relation, ...] = ()

    def follow(self, link: Link) -> Expectation:
        """Return the expectation after one more interface change."""
        if link.adapter is None:
            return self
        if link.side == "new":
            return Expectation(self.value, (link.adapter, *self.pending))
        if self.pending or self.value is None:
            # The value before the pending adapters is unknown: nothing to apply this one to.
            return Expectation(None)
        return Expectation(apply_adapter(link.adapter, self.value))

    def adapted(self, actual: Array) -> Array:
        """Apply the pending adapters to an output of the later model."""
        for adapter in self.pending:
            actual = apply_adapter(adapter, actual)
        return actual


class Trail:
    """The expected outputs of one entry point, followed through passes.

    Attributes:
        expected: What each output should be.
        positions: Where each one stood among the outputs that the trail began with; None for those without counterpart.
    """

    def __init__(self, outputs: Sequence[Array]) -> None:
        self.expected = [Expectation(a) for a in outputs]
        self.positions: list[int | None] = list(range(len(outputs)))

    def follow(self, links: SubgraphLinks | None) -> None:
        """Go through one pass."""
        if links is not None:
            self.expected = [
                self.expected[k.position].follow(k) if k.position is not None else Expectation(None)
                for k in links.outputs
            ]
            self.positions = [None if k.position is None else self.positions[k.position] for k in links.outputs]

    def compare(self, outputs: Sequence[Array]) -> tuple[Comparison, list[Comparison | None]]:
        """Compare outputs of the later model: all together, and one by one (None where nothing is known)."""
        total = Comparison()
        each: list[Comparison | None] = []
        for expected, actual in zip(self.expected, outputs, strict=True):
            if expected.value is None:
                each.append(None)
                continue
            found = compare(expected.value[: len(actual)], expected.adapted(actual))
            each.append(found)
            total.add(found)
        return total, each

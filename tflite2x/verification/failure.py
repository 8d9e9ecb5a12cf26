# SPDX-License-Identifier: Apache-2.0
"""What is known about a failed check: two models, samples that tell them apart, and where they differ first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.rewrite.interface import Rebatch
from tflite2x.rewrite.report import Difference
from tflite2x.rewrite.result import EXACT, Claim
from tflite2x.verification.adapt import Expectation, Trail
from tflite2x.verification.compare import compare
from tflite2x.verification.locate import as_later, difference, first_pair, operator_at, pick_samples, trace, trace_until
from tflite2x.verification.removed import removed_operators
from tflite2x.verification.running import Batch

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor
    from tflite2x.rewrite.interface import Link, SubgraphLinks

Array = NDArray[Any]


@dataclasses.dataclass(slots=True)
class Failure:
    """A failed check.

    Attributes:
        name: Text of the pass.
        before: The model before it, with samples.
        after: The model after it, with the same samples in its interface.
        tensors: Tensors after it with their counterparts before it.
        rounding: Rounding contract of the interpreter.
        failing: The operator after the pass that does not run; None when all do, or none is named.
        pair: The first tensor that differs, after and before the pass; found by ``locate`` and ``locate_failing``.
        links: How the interface of each subgraph after the pass changed.
        every: Samples for all entry points before and after the pass, in the order of the calls, where the failure may
            need those in front of it; empty when it does not.
        claim: What the pass claims.
    """

    name: str
    before: tuple[Model, Batch]
    after: tuple[Model, Batch]
    tensors: dict[Tensor, Tensor]
    rounding: Literal["single", "double"] = "single"
    failing: Operator | None = None
    pair: tuple[Tensor, Tensor] | None = None
    links: Mapping[Subgraph, SubgraphLinks] = dataclasses.field(default_factory=dict)
    every: Sequence[tuple[Batch, Batch]] = ()
    claim: Claim = EXACT

    def __post_init__(self) -> None:
        """Keep a copy of the model after the pass: the pipeline takes back what it did to the original."""
        model, batch = self.after
        copy = model.clone()
        graphs = dict(zip(model.subgraphs, copy.subgraphs, strict=True))
        copies = {t: c for g, k in graphs.items() for t, c in zip(g.tensors, k.tensors, strict=True)}
        self.after = copy, Batch(graphs[batch.graph], batch.inputs, batch.resize)
        self.tensors = {copies[t]: old for t, old in self.tensors.items() if t in copies}
        if self.pair is not None:
            self.pair = copies[self.pair[0]], self.pair[1]
        if self.failing is not None:
            self.failing = graphs[self.failing.subgraph].operators[self.failing.index]
        self.links = {graphs[g]: found for g, found in self.links.items() if g in graphs}
        self.every = [(old, Batch(graphs[new.graph], new.inputs, new.resize)) for old, new in self.every]

    @property
    def factor(self) -> int:
        """How many samples before the pass make one after it."""
        links = self.links.get(self.after[1].graph)
        found = (
            {k.adapter.factor for k in links.inputs if isinstance(k.adapter, Rebatch)} if links is not None else set()
        )
        return found.pop() if len(found) == 1 else 1

    @property
    def tolerance(self) -> tuple[int, float]:
        """How far values may be apart that nothing is wrong with, in LSB and relative."""
        return (self.claim.lsb or 0, self.claim.relative) if self.claim.scope == "model" else (0, 0.0)

    def expected(self, tensor: Tensor, counterpart: Tensor, value: Array, actual: Array) -> Expectation:
        """Return what a tensor after the pass should hold, given what its counterpart holds.

        Args:
            tensor: The tensor.
            counterpart: The tensor before the pass.
            value: What the counterpart holds.
            actual: What the tensor holds; says where samples went that were put together.
        """
        link = self.link(tensor, counterpart)
        if link is not None and link.adapter is not None:
            # What stands at the interface may mean something else now.
            return Expectation(value).follow(link)
        return Expectation(as_later(value, actual, self.factor))

    def same(self, tensor: Tensor, counterpart: Tensor, value: Array, actual: Array) -> bool:
        """Whether a tensor holds what it should, as far as the pass claims for the model as a whole."""
        expected = self.expected(tensor, counterpart, value, actual)
        if expected.value is None:
            return True
        return compare(expected.value, expected.adapted(actual)).within(*self.tolerance)

    def link(self, tensor: Tensor, counterpart: Tensor) -> Link | None:
        """Return how two inputs or outputs relate; None for tensors that are no such pair."""
        links = self.links.get(tensor.subgraph)
        if links is None:
            return None
        before, after = counterpart.subgraph, tensor.subgraph
        sides = (after.outputs, links.outputs, before.outputs), (after.inputs, links.inputs, before.inputs)
        for tensors, found, origins in sides:
            for end, link in zip(tensors, found, strict=False):
                if end is tensor and link.position is not None and origins[link.position] is counterpart:
                    return link
        return None

    def traces(self, before: Batch, after: Batch) -> tuple[dict[Tensor, Array], dict[Tensor, Array]]:
        """Return the values of all tensors of both models, as far as they can be computed."""
        old = trace(self.before[0], before, rounding=self.rounding)
        if self.failing is None:
            return old, trace(self.after[0], after, rounding=self.rounding)
        if self.failing.subgraph is not after.graph:
            return old, {}
        return old, trace_until(self.failing, after, rounding=self.rounding)

    def locate(self, trail: Trail, outputs: Sequence[Array]) -> Difference | None:
        """Trace both models on the samples that differ most and return the first tensor that differs.

        Args:
            trail: What the outputs should be.
            outputs: What they are.
        """
        known = [i for i, e in enumerate(trail.expected) if e.value is not None]
        actual = [trail.expected[i].adapted(outputs[i]) for i in known]
        expected = [np.asarray(trail.expected[i].value)[: len(a)] for i, a in zip(known, actual, strict=True)]
        traced = False
        try:
            found = self._first(*pick_samples(self.before[1], self.after[1], expected, actual))
            traced = True
        except Tflite2xError:
            found = None
        if found is not None:
            return found
        graphs = self.before[1].graph, self.after[1].graph
        for i, a, b in zip(known, expected, actual, strict=True):
            position = trail.positions[i]
            if compare(a, b).equal or position is None:
                continue
            tensor, counterpart = graphs[1].outputs[i], graphs[0].outputs[position]
            self.pair = tensor, counterpart
            # A tensor that holds what it held before is not to blame for standing where another one stood.
            moved = traced and self.tensors.get(tensor) not in (None, counterpart)
            producer = None if moved else tensor.producer
            where = f"{graphs[1].where}.outputs[{i}]" if producer is None else producer.where
            return self._with_removed(difference(counterpart.name, where, a, b), counterpart)
        return None

    def locate_failing(self, error: Tflite2xError) -> Difference | None:
        """Return the first tensor that differs in front of the operator that fails, or else what that one computed."""
        op = self.failing
        if op is None:
            return None
        try:
            found = self._first(self.before[1], self.after[1]) if op.subgraph is self.after[1].graph else None
        except Tflite2xError:
            found = None
        if found is not None:
            return found
        target = next((t for t in op.outputs if t in self.tensors), None)
        if target is None:
            return None
        self.pair = target, self.tensors[target]
        what = Difference(target.name or "", op.where, None, "", 1.0, note=f"it does not run any more: {error.what}")
        return self._with_removed(what, self.tensors[target])

    def _first(self, before: Batch, after: Batch) -> Difference | None:
        old, new = self.traces(before, after)
        self.pair = first_pair(old, new, self.tensors, self.same)
        if self.pair is None:
            return None
        tensor, counterpart = self.pair
        where = tensor.producer.where if tensor.producer is not None else f"{tensor.subgraph.where}.inputs"
        expected = self.expected(tensor, counterpart, old[counterpart], new[tensor])
        assert expected.value is not None
        found = difference(counterpart.name, where, expected.value, expected.adapted(new[tensor]))
        return self._with_removed(found, counterpart)

    def _with_removed(self, found: Difference, target: Tensor) -> Difference:
        assert self.pair is not None
        gone = removed_operators(target, self.pair[0].subgraph, self.tensors)
        return dataclasses.replace(found, removed=tuple(op.where for op in gone))


def crash(
    name: str,
    before: tuple[Model, Batch],
    after: tuple[Model, Batch],
    tensors: dict[Tensor, Tensor],
    error: Tflite2xError,
    rounding: Any = "single",
    links: Mapping[Subgraph, SubgraphLinks] | None = None,
    every: Sequence[tuple[Batch, Batch]] = (),
    claim: Claim = EXACT,
) -> Failure:
    """Return what is known about a model that does not run any more."""
    op = operator_at(after[0], error)
    return Failure(name, before, after, tensors, rounding, op, None, links or {}, every, claim)

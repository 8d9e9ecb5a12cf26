# SPDX-License-Identifier: Apache-2.0
"""``PatternPass``: a pass written as pattern, check and rewrite."""

from __future__ import annotations

import collections
import dataclasses
import inspect
from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Candidate, Pass
from tflite2x.rewrite.builder import Builder
from tflite2x.rewrite.matcher import Match, Refusal, match
from tflite2x.rewrite.pattern import Pattern, build
from tflite2x.rewrite.result import Claim, PassResult
from tflite2x.rewrite.splice import splice

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor

#: A pass that rewrites more often than this per operator goes round in circles.
_REWRITES_PER_OPERATOR = 8


@dataclasses.dataclass(frozen=True)
class PatternPass(Pass):
    """A pass that replaces every match of a pattern.

    ::

        @dataclasses.dataclass(frozen=True)
        class MergeRequantize(PatternPass):
            name: ClassVar[str] = "merge-requantize"

            def pattern(self, p, x):
                return p.QUANTIZE(p.QUANTIZE(x, out="middle"), op="last")

            def check(self, m):
                m.require(m.middle.dtype == m.x.dtype, f"'{m.middle.name}' has another type")

            def rewrite(self, m, b):
                return b.copy(m.last, m.x)

    ``pattern`` is described in ``tflite2x.rewrite.pattern``; it may also return a list of alternatives by being a
    method ``patterns`` that yields such functions. ``check`` refuses with reasons. ``rewrite`` returns one tensor for
    each value that the pattern returned, and the matched operators go.
    """

    @abstractmethod
    def pattern(self, p: Any, *values: Any) -> Any:
        """Describe the operators to replace; parameters behind ``p`` bind values."""

    def check(self, m: Match) -> str | None:
        """Refuse a match with ``m.require(condition, reason)`` or ``m.refuse(reason)``, or by returning the reason."""
        return None

    @abstractmethod
    def rewrite(self, m: Match, b: Builder) -> Any:
        """Build the replacement and return its values, in the order of the pattern's."""

    def claim(self, m: Match) -> Claim:
        """Return what is claimed for one replacement; exact by default."""
        return Claim()

    def describe(self, m: Match) -> str:
        """Say what happened at a place, for the report."""
        return "replaced"

    def patterns(self) -> list[Any]:
        """Return the pattern functions to try, in order."""
        return [self.pattern]

    def run(self, model: Model) -> PassResult:
        """Replace every match, in all subgraphs."""
        result = PassResult()
        for graph in model.subgraphs:
            _Walker(self, graph, result).walk()
        return result

    def candidates(self, model: Model) -> list[Candidate]:
        """Return every operator that the pattern could have started from; ``model`` is not changed."""
        found: list[Candidate] = []

        def look(copy: Model) -> PassResult:
            result = PassResult()
            for graph in copy.subgraphs:
                walker = _Walker(self, graph, result)
                walker.walk()
                found.extend(walker.candidates())
            return result

        self._guarded(model.clone(), look)
        return found


class _Walker:
    """Tries a pass at every operator of a subgraph until nothing matches any more."""

    def __init__(self, pass_: PatternPass, graph: Subgraph, result: PassResult) -> None:
        self.pass_, self.graph, self.result = pass_, graph, result
        self.patterns = [_pattern(function) for function in pass_.patterns()]
        self.places = {op: sites.place(op) for op in graph.operators}
        self.reasons: dict[str, tuple[bool, str]] = {}
        self.done: dict[str, str] = {}
        self.lsb: dict[Tensor, int] = {}
        self.orphans: dict[Tensor, None] = {}

    def walk(self) -> None:
        """Work through the list; a rewrite puts the operators around it back on the list."""
        waiting = collections.deque(self.graph.operators)
        queued = set(waiting)
        budget = _REWRITES_PER_OPERATOR * (len(waiting) + 1)
        while waiting:
            op = waiting.popleft()
            queued.discard(op)
            if not self.graph.holds(op):
                continue  # a rewrite took it away
            for touched in self._try(op):
                if touched not in queued:
                    queued.add(touched)
                    waiting.append(touched)
                    budget -= 1
            if budget < 0:
                raise self.pass_.error(
                    "its rewrites keep making new matches", where=self.graph.where, hint="The pass is at fault."
                )
        self.graph.remove_tensors(self.graph.unreferenced_tensors(self.orphans))
        for place, (checked, reason) in self.reasons.items():
            if checked and place not in self.done:
                self.result.leave(place, reason)

    def candidates(self) -> list[Candidate]:
        """Return what became of every place."""
        order = list(dict.fromkeys(self.places.values()))
        both = [p for p in order if p in self.done or p in self.reasons]
        return [Candidate(p, p in self.done, self.done.get(p) or self.reasons[p][1]) for p in both]

    def _try(self, op: Operator) -> Iterator[Operator]:
        place = self.places.get(op, "")
        for pattern in self.patterns:
            if op.name not in pattern.anchor.kinds:
                continue
            checked = False
            try:
                found = match(pattern, op)
                checked = True
                reason = self.pass_.check(found)
                found.require(not reason, str(reason))
            except Refusal as refusal:
                self._note(place, checked or refusal.complete, str(refusal))
                continue
            if place and not sites.allowed(place):
                self._note(place, False, "not among the places asked for")
                continue
            around = self._replace(found, place)
            if around is not None:
                yield from around
                return

    def _note(self, place: str, checked: bool, reason: str) -> None:
        """Keep the reason of the alternative that came furthest."""
        known = self.reasons.get(place)
        if place and (known is None or (checked and not known[0])):
            self.reasons[place] = (checked, reason)

    def _replace(self, found: Match, place: str) -> list[Operator] | None:
        graph = self.graph
        what = self.pass_.describe(found)
        found.inherited = max((self.lsb.get(t, 0) for o in found.operators for t in o.outputs), default=0)
        claim = self.pass_.claim(found)
        builder = Builder(graph, found.root, self.pass_.name)
        try:
            made = self.pass_.rewrite(found, builder)
            values = made if isinstance(made, tuple) else (made,)
            around = splice(graph, found, values, builder)
        except Refusal as refusal:
            _undo(graph, builder)
            self._note(place, True, str(refusal))
            return None
        for op in builder.added:
            self.places.setdefault(op, place)
        self.orphans.update(dict.fromkeys(builder.orphans))
        self.lsb.update((t, claim.lsb or 0) for t in found.outputs)
        self.result.replace(place or graph.where, what)
        self.result.count("places rewritten")
        self.result.claim = self.result.claim.combine(claim)
        self.done[place] = what
        return around


def _pattern(function: Any) -> Pattern:
    names = list(inspect.signature(function).parameters)[1:]
    return build(function, names)


def _undo(graph: Subgraph, builder: Builder) -> None:
    """Take away what a refused rewrite has added."""
    tensors: list[Tensor] = [t for op in builder.added for t in op.outputs] + builder.constants
    graph.remove_operators(builder.added)
    graph.remove_tensors(graph.unreferenced_tensors(tensors))

# SPDX-License-Identifier: Apache-2.0
"""Checking passes on a model that the interpreter cannot run as a whole: all but the operators that cannot run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from tflite2x.errors import Tflite2xError, UnsupportedError
from tflite2x.interpreter.registry import find_kernel
from tflite2x.rewrite.interface import Link, SubgraphLinks
from tflite2x.rewrite.report import NotRun, Verdict
from tflite2x.verification.chain import Chain
from tflite2x.verification.holes import Punched, Runnable, find_runnable, punch
from tflite2x.verification.operators import successors
from tflite2x.verification.running import Batch
from tflite2x.verification.structure import Changes, find_changes, same_bytes, same_options, same_tensor

if TYPE_CHECKING:
    from tflite2x.interpreter import KernelCache
    from tflite2x.ir import Model, Operator, Subgraph
    from tflite2x.rewrite.pipeline import Step
    from tflite2x.verification.config import Verify
    from tflite2x.verification.failure import Failure


class PartialCheck:
    """Checks the passes of one pipeline one by one.

    Args:
        config: How thoroughly to compare.
        kernels: Kernels that are prepared already.

    Attributes:
        failure: What is known about the check that failed, or None.
    """

    def __init__(self, config: Verify, kernels: KernelCache) -> None:
        samples = config.samples if config.own is None else 32
        self.config = dataclasses.replace(config, every="pass", samples=samples)
        self.kernels = kernels
        self.failure: Failure | None = None
        self._own = config
        self._worst = Verdict(method="partial")
        self._first: Runnable | None = None
        self._chain: Chain | None = None

    def check(self, step: Step, changes: Changes, *, search: bool) -> Verdict:
        """Compare what can run of the model before and after a pass.

        Raises:
            UnsupportedError: What the pass changed cannot run.
        """
        from tflite2x.verification.session import cannot_verify

        try:
            runnable = find_runnable(step.before, self._own, self.kernels)
        except Tflite2xError as error:
            raise cannot_verify(error) from error
        verdict, self.failure = self._compare(step, changes, runnable, self.config, search=search)
        self._add(verdict)
        if self._chain is None:
            self._first, self._chain = runnable, Chain(step)
        else:
            self._chain.add(step)
        return verdict

    def finish(self, model: Model) -> Verdict:
        """Compare the last model with the first one that a pass changed; where that cannot be, give the worst of all.

        Both go without the operators that cannot run, on the samples of the first check.
        """
        if self._chain is None or self._first is None:
            return self._worst
        why = "their interface changes do not add up to one"
        step = self._chain.step(model)
        if step is not None:
            changes = find_changes(step.before, step.after, step.subgraphs, step.tensors, step.links)
            if changes.same:
                return Verdict(method="same computation")
            try:
                config = dataclasses.replace(self.config, oracle=None)
                verdict, _ = self._compare(step, changes, self._first, config, search=False)
            except Tflite2xError as error:
                why = f"the last model cannot be compared with the first one ({error.what})"
            else:
                if verdict.passed:
                    if any(link.position is None for links in step.links.values() for link in links.outputs):
                        verdict.notes.append(
                            "some outputs have no counterpart in the first model and were compared pass by pass"
                        )
                    return verdict
                why = verdict.reason
        self._worst.notes.append(f"the passes were compared one by one, and the worst of them stands here: {why}")
        return self._worst

    def _compare(
        self, step: Step, changes: Changes, runnable: Runnable, config: Verify, *, search: bool
    ) -> tuple[Verdict, Failure | None]:
        """Compare what can run before and after a pass, or before and after several."""
        from tflite2x.verification.session import VerifySession

        part, before, after = _without_holes(step, runnable.holes)
        session = VerifySession(config, part.before, search=search, kernels=self.kernels)
        now = {old.index: new for new, old in part.subgraphs.items()}
        session.resume([Batch(now[b.graph.index], b.inputs, b.resize) for b in runnable.batches])
        verdict = session.check(part)
        _describe(verdict, changes, runnable, before, after)
        return verdict, session.failure

    def _add(self, verdict: Verdict) -> None:
        total = self._worst
        total.samples = max(total.samples, verdict.samples)
        for field in ("worst_lsb", "worst_relative"):
            values = [v for v in (getattr(total, field), getattr(verdict, field)) if v is not None]
            setattr(total, field, max(values, default=None))
        total.share = max(total.share, verdict.share)
        total.checked = list(dict.fromkeys([*total.checked, *verdict.checked]))
        total.not_run = list(dict.fromkeys([*total.not_run, *verdict.not_run]))


def _describe(verdict: Verdict, changes: Changes, runnable: Runnable, before: Punched, after: Punched) -> None:
    """Number operators as in the whole models, and say what was checked."""
    verdict.method = "partial"
    verdict.reason = after.original(verdict.reason)
    if verdict.first is not None:
        verdict.first = dataclasses.replace(
            verdict.first,
            operator=after.original(verdict.first.operator),
            note=after.original(verdict.first.note),
            removed=tuple(before.original(text) for text in verdict.first.removed),
        )
    verdict.notes += [note for note in runnable.notes if note not in verdict.notes]
    verdict.checked = [op.where for op in changes.operators if after.holds(op)]
    verdict.not_run = [NotRun(op.where, why) for op, why in runnable.holes.items()]


def _without_holes(step: Step, holes: Collection[Operator]) -> tuple[Step, Punched, Punched]:
    """Return a pass as it looks without the operators that cannot run, and both models without them."""
    partners = [_partner(step, hole) for hole in holes]
    for graph in step.after.subgraphs:
        places = [op.index for op in partners if op.subgraph is graph]
        if places != sorted(places):
            raise _changed(partners[0], "those of its kind run in another order")
    reads = {}
    for op, hole in zip(partners, holes, strict=True):
        reads[op] = _computed(op, hole)
    first = punch(step.before, list(holes), {hole: reads[op] for op, hole in zip(partners, holes, strict=True)})
    for op in (o for graph in step.after.subgraphs for o in graph.operators if o not in reads):
        try:
            find_kernel(op)
        except UnsupportedError:
            raise _changed(op, "the pass added it") from None
    after = punch(step.after, partners, reads)
    subgraphs = {after.graphs[new]: first.graphs[old] for new, old in step.subgraphs.items() if new in after.graphs}
    tensors = {**step.tensors, **successors(step)}
    links = {after.graphs[g]: found for g, found in step.links.items() if g in after.graphs}

    def repeat(places: Collection[str]) -> Step:
        again = step.repeat(places)
        same = [again.before.subgraphs[h.subgraph.index].operators[h.index] for h in holes]
        return _without_holes(again, same)[0]

    part = dataclasses.replace(
        step,
        before=first.model,
        after=after.model,
        result=dataclasses.replace(step.result, successors=[]),
        links={new: _extended(links.get(new), new, old) for new, old in subgraphs.items()},
        subgraphs=subgraphs,
        tensors={
            after.tensors[t]: first.tensors[old]
            for t, old in tensors.items()
            if t in after.tensors and old in first.tensors
        },
        repeat=repeat,
    )
    return part, first, after


def _extended(links: SubgraphLinks | None, new: Subgraph, old: Subgraph) -> SubgraphLinks:
    """Return how an interface changed, with the inputs and outputs that operators left behind when they went."""
    found = []
    for side in ("inputs", "outputs"):
        known: Sequence[Link] = getattr(links, side) if links is not None else ()
        theirs, mine = len(getattr(new, side)), len(getattr(old, side))
        found.append((*known, *(Link(mine - theirs + i) for i in range(len(known), theirs))))
    return SubgraphLinks(*found)


def _partner(step: Step, hole: Operator) -> Operator:
    """Return the operator after the pass that is the one before it, which cannot run."""
    back = {old: new for new, old in step.tensors.items()}
    found = {back[t].producer for t in hole.outputs if t in back} - {None}
    op = next(iter(found), None)
    if op is None or len(found) > 1:
        raise _changed(hole, "the pass took it away")
    same = (
        (op.opcode, op.custom_code) == (hole.opcode, hole.custom_code)
        and same_options(hole, op, step.subgraphs)
        and len(op.inputs) == len(hole.inputs)
        and len(op.outputs) == len(hole.outputs)
        and all(step.tensors.get(b) is a and same_tensor(a, b) for a, b in zip(hole.outputs, op.outputs, strict=True))
    )
    for a, b in zip(hole.inputs, op.inputs, strict=False):
        if a is None or b is None:
            same &= a is b
        else:
            same &= same_tensor(a, b) and (not (a.is_constant and b.is_constant) or same_bytes(a, b))
    if not same:
        raise _changed(hole, "the pass changed it")
    return op


def _computed(op: Operator, hole: Operator) -> list[int]:
    """Return the inputs that are computed before or after the pass."""
    pairs = enumerate(zip(hole.inputs, op.inputs, strict=True))
    return [i for i, (a, b) in pairs if a is not None and b is not None and not (a.is_constant and b.is_constant)]


def _changed(op: Operator, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"the model cannot be verified: an operator cannot run, and {what}",
        where=op.where,
        hint="'--verify off' rewrites it without a check; a kernel for it can be registered.",
    )

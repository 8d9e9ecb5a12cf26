# SPDX-License-Identifier: Apache-2.0
"""Comparing the model before and after every pass of a pipeline, and the last model with the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tflite2x.errors import ExecutionError, Tflite2xError, UnsupportedError
from tflite2x.interpreter import Interpreter, KernelCache
from tflite2x.rewrite.report import Verdict
from tflite2x.verification.adapt import Trail, follow_inputs, rewound_inputs, wants_fresh
from tflite2x.verification.bisect import bisect
from tflite2x.verification.compare import Comparison
from tflite2x.verification.deferred import Deferred, check_one_by_one
from tflite2x.verification.failure import Failure, crash
from tflite2x.verification.local import Local
from tflite2x.verification.operators import broken_claim, check_operators, successors
from tflite2x.verification.oracle import second_opinion
from tflite2x.verification.partial import PartialCheck
from tflite2x.verification.running import Batch, failing_batch, make_batches, run_batches
from tflite2x.verification.samples import generate_all
from tflite2x.verification.structure import Changes, find_changes

if TYPE_CHECKING:
    from tflite2x.ir import Model
    from tflite2x.rewrite.pipeline import Step
    from tflite2x.verification.config import Verify

Array = NDArray[Any]


class VerifySession:
    """One run of a pipeline; implements ``rewrite.pipeline.Session``.

    The samples are made once, for the very first model. From then on they are followed through the interface changes of
    the passes, and the outputs of the model after one pass serve as the outputs before the next one. A model that the
    interpreter cannot run as a whole is checked without the operators that cannot run.

    Args:
        config: How thoroughly to compare.
        model: The model before the first pass.
        search: Look for the rewrite that breaks the model when a check fails.
        kernels: Kernels that are prepared already.

    Attributes:
        failure: What is known about the check that failed, or None.
    """

    def __init__(
        self, config: Verify, model: Model, *, search: bool = True, kernels: KernelCache | None = None
    ) -> None:
        self.config = config
        self.search = search
        # The versions of a model have most of their operators in common.
        self.kernels = KernelCache() if kernels is None else kernels
        self.failure: Failure | None = None
        self.model = model
        self.batches: list[Batch] = []
        self.outputs: list[list[Array]] = []
        self._first: list[Trail] = []
        self._anchor: list[Trail] = []
        self._begun = False
        self._current = True  # whether self.outputs belongs to the model as it is now
        self._deferred: list[Deferred] = []
        self._notes: list[str] = []
        self._partial: PartialCheck | None = None
        self._checked: tuple[list[list[Array]], list[Trail], Comparison] | None = None

    def check(self, step: Step) -> Verdict:
        """Compare the model before and after a pass.

        Raises:
            UnsupportedError: What the pass changed cannot run.
        """
        changes = find_changes(step.before, step.after, step.subgraphs, step.tensors, step.links)
        if changes.same:
            return Verdict(method="same computation")
        if not step.result.modified:
            return Verdict(
                passed=False,
                method="same computation",
                reason=f"the pass says that it changed nothing, but {changes.reasons[0]}",
            )
        if not self._begun and self._partial is None:
            try:
                self._begin(step)
            except UnsupportedError:
                self._partial = PartialCheck(self.config, self.kernels)
        if self._partial is not None:
            verdict = self._partial.check(step, changes, search=self.search)
            self.failure = self._partial.failure
            return verdict
        if self._deferred and any(link.side == "new" for k in step.links.values() for link in k.inputs):
            # Samples that the new interface cannot express end here.
            failed = self._flush(step.before, _before_batches(step, self.batches), step)
            if failed is not None:
                return failed
        following = self._next_batches(step)
        self.batches, old_batches = following, self.batches
        for trails in (self._first, self._anchor):
            for trail, batch in zip(trails, self.batches, strict=bool(trails)):
                trail.follow(step.links.get(batch.graph))
        if self.config.every == "end":
            self._current = False
            verdict = Verdict(method="not checked", reason="checked at the end", notes=self._take_notes())
            self._deferred.append(Deferred(step, old_batches, verdict))
            return verdict
        return self._check_now(step, old_batches, changes)

    def finish(self, model: Model) -> Verdict | None:
        """Compare the last model with the very first one."""
        if self._partial is not None:
            return self._partial.finish(model)
        if not self._begun:
            return Verdict(method="same computation")
        if self._deferred:
            failed = self._flush(model, self.batches, None)
            if failed is not None:
                return failed
        total, unknown = Comparison(), False
        if (
            self._checked is not None
            and self._checked[0] is self.outputs
            and _same_values(self._first, self._checked[1])
        ):
            total = self._checked[2]  # one pass only changed what is computed
        else:
            for trail, outputs in zip(self._first, self.outputs, strict=True):
                found, each = trail.compare(outputs)
                unknown |= None in each
                total.add(found)
        notes = (
            ["some outputs have no counterpart in the first model and were compared pass by pass"] if unknown else []
        )
        if self.config.oracle is not None and self.config.every == "end":
            notes.append(f"after: {second_opinion(model, self.batches, self.outputs)}")
        return Verdict(
            samples=sum(b.count for b in self.batches),
            **total.summary(),
            notes=notes,
        )

    def resume(self, batches: list[Batch]) -> None:
        """Go on with samples for the model before the next pass, by subgraphs of the model after it."""
        self.batches, self._begun, self._current = batches, True, False
        self._first, self._anchor = [], []  # only neighbours are compared

    # ------------------------------------------------------------------------------------------------------------------

    def _run(self, model: Model, batches: list[Batch]) -> list[list[Array]]:
        return run_batches(self._interpreter(model), batches)

    def _interpreter(self, model: Model) -> Interpreter:
        return Interpreter(model, self.config.rounding, kernels=self.kernels)

    def _begin(self, step: Step) -> None:
        """Make the samples and run the model before the first pass that changes what it computes.

        Until then every model computes the same as the very first one.
        """
        try:
            batches, self.outputs, self._notes = make_batches(self._interpreter(step.before), self.config)
        except (UnsupportedError, ExecutionError) as error:
            raise cannot_verify(error) from error
        now = {before: after for after, before in step.subgraphs.items()}
        tensors = {before: after for after, before in step.tensors.items()}
        self.batches = [
            Batch(now[b.graph], b.inputs, b.resize, {tensors[t]: v for t, v in b.values.items() if t in tensors})
            for b in batches
        ]
        if self.config.oracle is not None:
            self._notes.append(f"before: {second_opinion(step.before, batches, self.outputs)}")
        self._first = [Trail(outputs) for outputs in self.outputs]
        self._anchor = [Trail(outputs) for outputs in self.outputs]
        self._begun = True

    def _take_notes(self) -> list[str]:
        notes, self._notes = self._notes, []
        return notes

    def _next_batches(self, step: Step) -> list[Batch]:
        """Return the samples for the model after a pass; replaces those before it when it cannot express them."""
        batches = []
        restart = False
        for i, batch in enumerate(self.batches):
            links = step.links.get(batch.graph)
            fresh: list[Array] = []
            if wants_fresh(links):
                fresh = generate_all(batch.graph, batch.count, self.config.seed)
                rewound = rewound_inputs(batch.inputs, links, fresh)
                if rewound is not None:
                    restart = True
                    self.batches[i] = Batch(batch.graph, rewound, resize=True)
            batches.append(Batch(batch.graph, follow_inputs(batch.inputs, links, fresh), batch.resize))
        if restart:
            self._restart(step)
        return batches

    def _restart(self, step: Step) -> None:
        """Begin again with samples that the new interface can express."""
        self.outputs, self._current = self._run(step.before, _before_batches(step, self.batches)), True
        self._first = [Trail(outputs) for outputs in self.outputs]
        self._anchor = [Trail(outputs) for outputs in self.outputs]
        self._notes.append(f"new samples from {step.name} on: its inputs are coarser than those before")

    def _check_now(self, step: Step, old_batches: list[Batch], changes: Changes) -> Verdict:
        before_batches = _before_batches(step, old_batches)
        if not self._current:
            self.outputs = self._run(step.before, before_batches)
        trails = [Trail(outputs) for outputs in self.outputs]
        for trail, batch in zip(trails, self.batches, strict=True):
            trail.follow(step.links.get(batch.graph))
        verdict = Verdict(samples=sum(b.count for b in self.batches), notes=self._take_notes())
        interpreter = self._interpreter(step.after)
        local = Local(step, changes, interpreter)
        try:
            outputs = local.outputs(old_batches, self.batches)
            if outputs is None:
                outputs = run_batches(interpreter, self.batches)
        except Tflite2xError as error:
            verdict.passed = False
            verdict.reason = f"the model does not run any more: {error}"
            self._explain_crash(step, before_batches, error, verdict)
            return verdict
        if self.config.oracle is not None:
            verdict.notes.append(f"after: {second_opinion(step.after, self.batches, outputs)}")
        total, guilty = Comparison(), -1
        for i, (trail, now) in enumerate(zip(trails, outputs, strict=True)):
            found, _ = trail.compare(now)
            total.add(found)
            if guilty < 0 and not found.equal:
                guilty = i
        verdict.worst_lsb, verdict.worst_relative, verdict.share = total.worst_lsb, total.worst_relative, total.share
        verdict.distribution = total.distribution
        self.outputs, self._current = outputs, True
        self._checked = outputs, trails, total
        self._anchor = [Trail(o) for o in outputs]
        claim, pair = step.claim, None
        if claim.lsb is None:
            return verdict
        if claim.scope == "model" or claim.is_exact:
            if not total.within(claim.lsb, claim.relative):
                verdict.passed = False
                verdict.reason = broken_claim(claim, total)
        else:
            guilty, pair = check_operators(step, before_batches, changes, verdict, total, local) or (guilty, None)
        if not verdict.passed and guilty >= 0 and self.search:
            tensors, rounding = {**step.tensors, **successors(step)}, self.config.rounding
            before, after = (step.before, before_batches[guilty]), (step.after, self.batches[guilty])
            every, claim = list(zip(before_batches, self.batches, strict=True)), step.claim
            self.failure = Failure(step.name, before, after, tensors, rounding, None, pair, step.links, every, claim)
            if pair is None:
                verdict.first = self.failure.locate(trails[guilty], outputs[guilty])
            verdict.places = bisect(step, self.config, self.kernels)
        return verdict

    def _explain_crash(self, step: Step, before: list[Batch], error: Tflite2xError, verdict: Verdict) -> None:
        """Find the first tensor that differs in front of the operator that fails, or else name that one."""
        if not self.search:
            return
        tensors, rounding = {**step.tensors, **successors(step)}, self.config.rounding
        i, why = failing_batch(self._interpreter(step.after), self.batches) or (0, error)
        models = (step.before, before[i]), (step.after, self.batches[i])
        every = list(zip(before, self.batches, strict=True))
        self.failure = crash(step.name, *models, tensors, why, rounding, step.links, every, step.claim)
        verdict.first = self.failure.locate_failing(why)
        verdict.places = bisect(step, self.config, self.kernels)

    def _flush(self, model: Model, batches: list[Batch], following: Step | None) -> Verdict | None:
        """Check the passes that were put off; return the verdict on the guilty one, or None when all is well."""
        deferred, self._deferred = self._deferred, []
        total, clear = Comparison(), True
        try:
            self.outputs, self._current = self._run(model, batches), True
        except Tflite2xError:
            clear = False
        else:
            for trail, outputs in zip(self._anchor, self.outputs, strict=True):
                found, each = trail.compare(outputs)
                total.add(found)
                clear &= found.equal and None not in each
            self._anchor = [Trail(outputs) for outputs in self.outputs]
        if clear:
            return None
        verdict, self.failure = check_one_by_one(deferred, following, self.config, self.kernels)
        if verdict is None and not total.equal and all(entry.step.claim.is_exact for entry in deferred):
            return Verdict(passed=False, reason="the last model differs from the first one, but no single pass does")
        return verdict


def _same_values(one: list[Trail], other: list[Trail]) -> bool:
    """Whether two lists of trails expect the very same arrays, unchanged by adapters."""
    pairs = [(a, b) for s, t in zip(one, other, strict=True) for a, b in zip(s.expected, t.expected, strict=True)]
    return all(a.value is b.value and a.value is not None and not a.pending and not b.pending for a, b in pairs)


def _before_batches(step: Step, batches: list[Batch]) -> list[Batch]:
    """Return the samples for the model before a pass, with what is known about its tensors."""
    return [
        Batch(
            step.subgraphs[b.graph],
            b.inputs,
            b.resize,
            {step.tensors[t]: v for t, v in b.values.items() if t in step.tensors},
        )
        for b in batches
    ]


def cannot_verify(error: Tflite2xError) -> UnsupportedError:
    """Make the error for a model that the interpreter cannot run."""
    return UnsupportedError(
        f"the model cannot be verified: {error.what}",
        where=error.where,
        hint=f"{error.hint} '--verify off' rewrites it without a check.".strip(),
    )

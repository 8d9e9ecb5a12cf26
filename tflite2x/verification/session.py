# SPDX-License-Identifier: Apache-2.0
"""Comparing the model before and after every pass of a pipeline, and the last model with the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tflite2x.errors import ExecutionError, Tflite2xError, UnsupportedError
from tflite2x.interpreter import KernelCache
from tflite2x.rewrite.report import Verdict
from tflite2x.verification.adapt import Trail, follow_inputs, rewound_inputs, wants_fresh
from tflite2x.verification.compare import Comparison
from tflite2x.verification.failure import Failure, bisect
from tflite2x.verification.guilty import find_guilty
from tflite2x.verification.local import local_outputs, outputs_behind
from tflite2x.verification.locate import TRACED, first_difference, until_failure
from tflite2x.verification.operators import Parts, broken_claim, check_operators, successors
from tflite2x.verification.oracle import second_opinion
from tflite2x.verification.running import Batch, make_batches, run_batches
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
    the passes, and the outputs of the model after one pass serve as the outputs before the next one.

    Args:
        config: How thoroughly to compare.
        model: The model before the first pass.
        search: Look for the rewrite that breaks the model when a check fails.
        kernels: Kernels that are prepared already.

    Attributes:
        failure: What is known about the check that failed, or None.

    Raises:
        UnsupportedError: The interpreter cannot run the model.
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
        self._deferred: list[tuple[Step, list[Batch]]] = []
        self._notes: list[str] = []

    def check(self, step: Step) -> Verdict:
        """Compare the model before and after a pass."""
        changes = find_changes(step.before, step.after, step.subgraphs, step.tensors, step.links)
        if changes.same:
            return Verdict(method="same computation")
        if not step.result.modified:
            return Verdict(
                passed=False,
                method="same computation",
                reason=f"the pass says that it changed nothing, but {changes.reasons[0]}",
            )
        if not self._begun:
            self._begin(step)
        if self._deferred and any(link.side == "new" for k in step.links.values() for link in k.inputs):
            failed = self._flush(step.before, _before_batches(step, self.batches))
            if failed is not None:
                return failed
        following = self._next_batches(step)
        self.batches, old_batches = following, self.batches
        for trails in (self._first, self._anchor):
            for trail, batch in zip(trails, self.batches, strict=True):
                trail.follow(step.links.get(batch.graph))
        if self.config.every == "end" and step.claim.is_exact:
            self._current = False
            self._deferred.append((step, old_batches))
            return Verdict(method="not checked", reason="checked at the end", notes=self._take_notes())
        if self._deferred:
            failed = self._flush(step.before, _before_batches(step, old_batches))
            if failed is not None:
                return failed
        return self._check_now(step, old_batches, changes)

    def finish(self, model: Model) -> Verdict | None:
        """Compare the last model with the very first one."""
        if not self._begun:
            return Verdict(method="same computation")
        if self._deferred:
            failed = self._flush(model, self.batches)
            if failed is not None:
                return failed
        total = Comparison()
        unknown = False
        for trail, outputs in zip(self._first, self.outputs, strict=True):
            found, each = trail.compare(outputs)
            unknown |= None in each
            total.add(found)
        notes = (
            ["some outputs have no counterpart in the first model and were compared pass by pass"] if unknown else []
        )
        return Verdict(
            samples=sum(b.count for b in self.batches),
            worst_lsb=total.worst_lsb,
            worst_relative=total.worst_relative,
            share=total.share,
            distribution=total.distribution,
            notes=notes,
        )

    # ------------------------------------------------------------------------------------------------------------------

    def _run(self, model: Model, batches: list[Batch]) -> list[list[Array]]:
        return run_batches(model, batches, rounding=self.config.rounding, kernels=self.kernels)

    def _begin(self, step: Step) -> None:
        """Make the samples and run the model before the first pass that changes what it computes.

        Until then every model computes the same as the very first one.
        """
        try:
            batches, self.outputs, self._notes = make_batches(step.before, self.config, self._run)
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
        parts = Parts(self.config.rounding, self.kernels)
        try:
            outputs = local_outputs(step, changes, old_batches, self.batches, parts)
            if outputs is None:
                outputs = outputs_behind(step, changes, old_batches, self.batches, parts)
            if outputs is None:
                outputs = self._run(step.after, self.batches)
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
        self._anchor = [Trail(o) for o in outputs]
        claim = step.claim
        if claim.lsb is None:
            return verdict
        if claim.scope == "model" or claim.is_exact:
            if not total.within(claim.lsb, claim.relative):
                verdict.passed = False
                verdict.reason = broken_claim(claim, total)
        else:
            check_operators(step, before_batches, changes, verdict, total, parts)
        if not verdict.passed and guilty >= 0:
            self._explain(step, before_batches, trails, outputs, guilty, verdict)
        return verdict

    def _explain_crash(self, step: Step, before: list[Batch], error: Tflite2xError, verdict: Verdict) -> None:
        """Find the first tensor that differs in front of the operator that fails, or else name that one."""
        tensors = {**step.tensors, **successors(step)}
        for old, now in zip(before, self.batches, strict=True):
            part = until_failure(step.after, now, error) if self.search and old.count == now.count else None
            if part is None:
                continue
            model, batch, originals = part
            pairs = {t: tensors[original] for t, original in originals.items() if original in tensors}
            picked = slice(0, TRACED)
            shorter = [Batch(b.graph, [a[picked] for a in b.inputs], b.resize) for b in (old, batch)]
            self.failure = Failure(step, (step.before, shorter[0]), (model, shorter[1]), pairs, self.config.rounding)
            verdict.first = first_difference(
                (step.before, shorter[0]), (model, shorter[1]), pairs, rounding=self.config.rounding
            )
            verdict.places = bisect(step, self.config, self.kernels)
            return

    def _explain(
        self, step: Step, before: list[Batch], trails: list[Trail], outputs: list[list[Array]], i: int, verdict: Verdict
    ) -> None:
        """Find the first tensor that differs and the rewrite that breaks the model."""
        if not self.search:
            return
        tensors = {**step.tensors, **successors(step)}
        rounding = self.config.rounding
        self.failure = Failure(step, (step.before, before[i]), (step.after, self.batches[i]), tensors, rounding)
        verdict.first = verdict.first or self.failure.locate(trails[i], outputs[i])
        verdict.places = bisect(step, self.config, self.kernels)

    def _flush(self, model: Model, batches: list[Batch]) -> Verdict | None:
        """Check the exact passes that were put off; return the verdict on the guilty one, or None when all is well."""
        deferred, self._deferred = self._deferred, []
        self.outputs, self._current = self._run(model, batches), True
        total = Comparison()
        for trail, outputs in zip(self._anchor, self.outputs, strict=True):
            total.add(trail.compare(outputs)[0])
        self._anchor = [Trail(outputs) for outputs in self.outputs]
        if total.equal:
            return None
        last = (model, batches, self.outputs)
        verdict, self.failure = find_guilty(deferred, last, self._run, rounding=self.config.rounding)
        if self.failure is not None and self.search:
            verdict.places = bisect(self.failure.step, self.config, self.kernels)
        return verdict


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

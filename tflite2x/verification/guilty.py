# SPDX-License-Identifier: Apache-2.0
"""Finding the pass that broke a model when only the end was compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tflite2x.rewrite.report import Verdict
from tflite2x.rewrite.result import EXACT
from tflite2x.verification.adapt import Trail
from tflite2x.verification.compare import Comparison
from tflite2x.verification.failure import Failure
from tflite2x.verification.operators import broken_claim
from tflite2x.verification.running import Batch, Runner

if TYPE_CHECKING:
    from tflite2x.ir import Model, Tensor
    from tflite2x.rewrite.pipeline import Step

Array = NDArray[Any]
#: A model, its samples, and its outputs.
Stage = tuple["Model", "list[Batch]", "list[list[Array]]"]


def find_guilty(
    steps: Sequence[tuple[Step, list[Batch]]], last: Stage, run: Runner, *, rounding: Any = "single"
) -> tuple[Verdict, Failure | None]:
    """Compare consecutive models and return the verdict on the first pass that broke something.

    Args:
        steps: Passes that claim to be exact, each with the samples for the model before it (by subgraph of the model as
            it is now).
        last: The model after the last of them.
        run: Runs batches.
        rounding: Rounding contract of the interpreter.
    """
    stages: list[Stage] = []
    for step, batches in steps:
        own = [Batch(step.subgraphs[b.graph], b.inputs, b.resize) for b in batches]
        stages.append((step.before, own, run(step.before, own)))
    stages.append(last)
    for i, (step, batches) in enumerate(steps):
        model, after_batches, outputs = stages[i + 1]
        following = steps[i + 1][0] if i + 1 < len(steps) else None
        total = Comparison()
        for k, batch in enumerate(batches):
            trail = Trail(stages[i][2][k])
            trail.follow(step.links.get(batch.graph))
            found, _ = trail.compare(outputs[k])
            total.add(found)
            if not found.equal:
                failure = Failure(
                    step, (step.before, stages[i][1][k]), (model, after_batches[k]), _pairs(step, following), rounding
                )
                verdict = Verdict(
                    passed=False,
                    samples=batch.count,
                    worst_lsb=found.worst_lsb,
                    worst_relative=found.worst_relative,
                    share=found.share,
                    reason=broken_claim(EXACT, found),
                    culprit=step.name,
                    first=failure.locate(trail, outputs[k]),
                )
                return verdict, failure
    return Verdict(passed=False, reason="the last model differs from the first one, but no single pass does"), None


def _pairs(step: Step, following: Step | None) -> dict[Tensor, Tensor]:
    """Return the tensors of the model after ``step`` with their counterparts before it.

    The model after a pass lives on as the copy that the following pass began with.
    """
    if following is None:
        return step.tensors
    return {copy: step.tensors[now] for now, copy in following.tensors.items() if now in step.tensors}

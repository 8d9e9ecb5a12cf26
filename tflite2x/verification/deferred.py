# SPDX-License-Identifier: Apache-2.0
"""Passes that were not compared one by one: finding the one that broke the model when the end differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tflite2x.rewrite.report import Verdict
from tflite2x.verification.operators import successors
from tflite2x.verification.running import Batch

if TYPE_CHECKING:
    from tflite2x.interpreter import KernelCache
    from tflite2x.ir import Model
    from tflite2x.rewrite.pipeline import Step
    from tflite2x.verification.config import Verify
    from tflite2x.verification.failure import Failure


@dataclasses.dataclass(slots=True)
class Deferred:
    """A pass whose check was put off.

    Attributes:
        step: The pass.
        batches: Samples before it, by subgraphs of the model as it is now.
        verdict: What its row of the report says; filled in when it is checked after all.
    """

    step: Step
    batches: list[Batch]
    verdict: Verdict


def refit(step: Step, following: Step | None) -> Step:
    """Return a step whose model after the pass is the copy that the following pass began with."""
    if following is None:
        return step
    graphs, now = following.subgraphs, following.tensors
    tensors = {**step.tensors, **successors(step)}
    return dataclasses.replace(
        step,
        after=following.before,
        result=dataclasses.replace(step.result, successors=[]),
        links={graphs[g]: links for g, links in step.links.items() if g in graphs},
        subgraphs={graphs[g]: old for g, old in step.subgraphs.items() if g in graphs},
        tensors={now[t]: old for t, old in tensors.items() if t in now},
    )


def check_one_by_one(
    deferred: Sequence[Deferred], following: Step | None, config: Verify, kernels: KernelCache
) -> tuple[Verdict | None, Failure | None]:
    """Check passes that were put off, in order, up to the first one that breaks its claim.

    Args:
        deferred: The passes; their verdicts become those of the single checks.
        following: The pass behind the last of them, when there is one.
        config: How models are compared.
        kernels: Kernels that are prepared already.

    Returns:
        The verdict on the guilty pass and what is known about the failure; None when every claim holds.
    """
    from tflite2x.verification.session import VerifySession

    model: Model = deferred[0].step.before
    session = VerifySession(dataclasses.replace(config, every="pass", oracle=None), model, kernels=kernels)
    batches = [Batch(deferred[0].step.subgraphs[b.graph], b.inputs, b.resize) for b in deferred[0].batches]
    for i, entry in enumerate(deferred):
        step = refit(entry.step, deferred[i + 1].step if i + 1 < len(deferred) else following)
        now = {before: after for after, before in step.subgraphs.items()}
        session.resume([Batch(now[b.graph], b.inputs, b.resize) for b in batches])
        verdict = session.check(step)
        for field in dataclasses.fields(verdict):
            setattr(entry.verdict, field.name, getattr(verdict, field.name))
        if not verdict.passed:
            verdict.culprit = step.name
            return verdict, session.failure
        batches = session.batches
    return None, None

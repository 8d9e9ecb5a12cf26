# SPDX-License-Identifier: Apache-2.0
"""Holding replaced operators to a claim one by one, with equal inputs, because later operators may amplify."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.interpreter import Interpreter
from tflite2x.rewrite.report import Verdict
from tflite2x.verification.compare import Comparison, compare
from tflite2x.verification.local import Local
from tflite2x.verification.locate import difference
from tflite2x.verification.running import Batch

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Tensor
    from tflite2x.rewrite.pipeline import Step
    from tflite2x.rewrite.result import Claim
    from tflite2x.verification.structure import Changes

Array = NDArray[Any]


@dataclasses.dataclass(slots=True)
class Site:
    """Changed operators that compute one tensor which exists in both models.

    Attributes:
        tensor: The tensor in the later model.
        inputs: Tensors of the later model, with counterparts, that the changed operators compute it from.
        operators: The changed operators, in order; the last one computes the tensor.
    """

    tensor: Tensor
    inputs: list[Tensor]
    operators: list[Operator]


def find_sites(changed: Sequence[Operator], tensors: Mapping[Tensor, Tensor]) -> list[Site]:
    """Group changed operators, given in order, into sites: from tensors with counterparts to such tensors."""
    inside = set(changed)
    order = {op: i for i, op in enumerate(changed)}
    sites = []
    for op in changed:
        for tensor in op.outputs:
            if tensor is None or tensor not in tensors:
                continue
            frontier: dict[Tensor, None] = {}
            waiting, seen = [op], {op}
            while waiting:
                for t in waiting.pop().inputs:
                    if t is None or t.is_constant:
                        continue
                    producer = t.producer
                    if t in tensors or producer is None or producer not in inside:
                        frontier[t] = None
                    elif producer not in seen:
                        seen.add(producer)
                        waiting.append(producer)
            sites.append(Site(tensor, list(frontier), sorted(seen, key=order.__getitem__)))
    return sites


def run_site(
    site: Site, old_values: Mapping[Tensor, Array], tensors: Mapping[Tensor, Tensor], interpreter: Interpreter
) -> Array | None:
    """Run a site on the values that its inputs have in the earlier model; None when it cannot be run alone.

    Args:
        site: The site.
        old_values: Values of the earlier model's tensors, with a sample axis.
        tensors: Tensors of the later model with their counterparts.
        interpreter: Runs the later model.
    """
    values = {}
    for tensor in site.inputs:
        counterpart = tensors.get(tensor)
        value = old_values.get(counterpart) if counterpart is not None else None
        if value is None or counterpart is None or counterpart.dtype != tensor.dtype:
            return None
        values[tensor] = value
    if any(op.calls for op in site.operators):
        return None
    interpreter.reset()
    try:
        for op in site.operators:
            values.update(interpreter.run_operator(op, values))
        return values[site.tensor]
    except Tflite2xError:
        return None
    finally:
        interpreter.reset()


def check_operators(
    step: Step,
    batches: Sequence[Batch],
    changes: Changes,
    verdict: Verdict,
    total: Comparison,
    local: Local,
) -> tuple[int, tuple[Tensor, Tensor]] | None:
    """Check every replaced operator and write what was found into ``verdict``.

    Args:
        step: The pass.
        batches: Samples for the model before it.
        changes: The operators that it changed.
        verdict: Gets ``operator_lsb`` and, when the claim does not hold, the failure.
        total: How the outputs of the model differ; decides when operators cannot be run alone.
        local: What the changed operators computed.

    Returns:
        The first tensor that breaks the claim, after and before the pass, behind the number of the batch that shows it.
    """
    claim = step.claim
    assert claim.lsb is not None
    guilty = None
    tensors = {**step.tensors, **successors(step)}
    sites = find_sites(changes.operators, tensors)
    covered = 0
    for i, batch in enumerate(batches):
        own = [s for s in sites if step.subgraphs.get(s.tensor.subgraph) is batch.graph]
        if not own or not batch.inputs:
            continue
        values = batch.values or Interpreter(step.before, local.interpreter.rounding).trace(
            batch.inputs, batched=True, subgraph=batch.graph, resize=batch.resize
        )
        known = local.found(i)
        for site in own:
            counterpart = tensors[site.tensor]
            expected, computed = values.get(counterpart), known.get(site.tensor)
            actual = run_site(site, values, tensors, local.interpreter) if computed is None else computed.value
            if expected is None or actual is None:
                continue
            covered += 1
            if len(actual) == 1 < len(expected):  # computed from constants only
                actual = np.repeat(actual, len(expected), axis=0)
            found = None if computed is None else computed.against
            if found is None or step.tensors.get(site.tensor) is not counterpart:
                found = compare(expected, actual, distribution=False)
            verdict.operator_lsb = max(verdict.operator_lsb or 0.0, found.worst_lsb or 0.0)
            if verdict.passed and not found.within(claim.lsb, claim.relative):
                verdict.passed = False
                verdict.first = difference(tensors[site.tensor].name, site.operators[-1].where, expected, actual)
                verdict.reason = broken_claim(claim, found)
                guilty = i, (site.tensor, tensors[site.tensor])
    missing = len(changes.operators) if not sites else len(sites) * len(batches) - covered
    if (missing > 0 and not sites) or not covered:
        verdict.notes.append("replaced operators cannot be run alone; the model's outputs were compared")
        if verdict.passed and not total.within(claim.lsb, claim.relative):
            verdict.passed = False
            verdict.reason = broken_claim(claim, total)
    return guilty


def successors(step: Step) -> dict[Tensor, Tensor]:
    """Return counterparts that the pass states: tensors that took the place of others."""
    return {new: step.tensors[old] for old, new in step.result.successors if old in step.tensors}


def broken_claim(claim: Claim, found: Comparison) -> str:
    """Say how far reality is from a claim."""
    if found.shapes:
        return f"the outputs have another type or shape: {found.shapes}"
    parts = []
    if found.worst_lsb:
        parts.append(f"{found.worst_lsb:g} LSB")
    if found.worst_relative:
        parts.append(f"{found.worst_relative:.3g} relative")
    amount = " and ".join(parts) or "in their bits"
    return f"claimed {claim}, but values differ by up to {amount} ({found.share:.2%} of them)"

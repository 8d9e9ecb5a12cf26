# SPDX-License-Identifier: Apache-2.0
"""Checking a pass where it rewrote, instead of running the whole model again.

The values of all tensors before the pass are known. When every replaced part computes, from the values that its inputs
had, exactly the values that its output had, and the inputs of the model hold what they held, then by induction over the
operators, all other tensors hold what they held as well. Where a part computes something else, what lies behind it runs
again, and only there values may differ: all other tensors hold what they held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.interpreter import Interpreter
from tflite2x.rewrite.extract import extract_with_origins
from tflite2x.verification.compare import compare
from tflite2x.verification.operators import Parts, Site, find_sites
from tflite2x.verification.running import Batch
from tflite2x.verification.structure import Changes, is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Subgraph, Tensor
    from tflite2x.rewrite.pipeline import Step

Array = NDArray[Any]
#: With more replaced parts than this, running the model costs less than cutting them out.
_MANY = 8


def local_outputs(
    step: Step,
    changes: Changes,
    before: Sequence[Batch],
    after: Sequence[Batch],
    parts: Parts,
) -> list[list[Array]] | None:
    """Return the outputs of the model after a pass if they follow from the values before it; None when they do not.

    Args:
        step: The pass.
        changes: The operators that it changed.
        before: Samples before the pass with the values of tensors, by tensors of the model as it is now.
        after: Samples after the pass; gets the values of tensors.
        parts: Sites of the model after the pass.
    """
    if len(changes.operators) > 4 * _MANY or not _is_plain(step):
        return None
    results = []
    for old, new in zip(before, after, strict=True):
        own = [op for op in changes.operators if op.subgraph is new.graph]
        sites = find_sites(own, step.tensors)
        if not old.values or len(sites) > _MANY or not _covers(sites, own, new.graph):
            return None
        outputs = _outputs(sites, old, new, parts)
        if outputs is None:
            return None
        results.append(outputs)
    return results


def outputs_behind(
    step: Step, changes: Changes, before: Sequence[Batch], after: Sequence[Batch], parts: Parts
) -> list[list[Array]] | None:
    """Return the outputs of the model after a pass, by running what follows from changed operators only.

    Arguments are those of :func:`local_outputs`. None when values before the pass are not known, when everything
    follows from changed operators, or when something fails: then the model is to be run as a whole.
    """
    if not _is_plain(step):
        return None
    results = []
    for old, new in zip(before, after, strict=True):
        values = _values(old, new)
        outputs = None if values is None else _rerun(changes, values, new, parts)
        if outputs is None:
            return None
        results.append(outputs)
    return results


def _rerun(changes: Changes, values: dict[Tensor, Array], new: Batch, parts: Parts) -> list[Array] | None:
    """Run what follows from changed operators; puts the values of all tensors into ``new``."""
    graph, changed = new.graph, set(changes.operators)
    behind: dict[Tensor, None] = {}
    ahead: dict[Tensor, None] = {}
    again = 0
    for op in graph.operators:
        if op in changed or any(t in behind for t in op.inputs):
            ahead.update((t, None) for t in op.inputs if t is not None and not t.is_constant and t not in behind)
            behind.update((t, None) for t in op.outputs if t is not None)
            again += 1
            if not op.outputs:
                return None
    if again == len(graph.operators):
        return None
    values = {t: a for t, a in values.items() if t not in behind}
    # Operators that compute nothing of use run as well: they may fail.
    targets = [t for t in behind if t in graph.outputs or not t.consumers]
    if targets:
        given = [values.get(t) for t in ahead]
        if not given or any(a is None for a in given):
            return None
        try:
            part, origins = extract_with_origins(graph, list(ahead), targets)
            found = Interpreter(part, parts.rounding, kernels=parts.kernels).trace(
                [a for a in given if a is not None], batched=True, resize=True
            )
        except Tflite2xError:
            return None  # the model as a whole says it with the right names
        values.update((origins[t], a) for t, a in found.items() if t in origins)
    return _finish(values, new)


def _is_plain(step: Step) -> bool:
    """Whether values follow from inputs alone, operator by operator."""
    return not is_stateful(step.after.subgraphs) and not any(
        op.calls for graph in step.after.subgraphs for op in graph.operators
    )


def _values(old: Batch, new: Batch) -> dict[Tensor, Array] | None:
    """Return what tensors held before the pass; None where that is unknown or inputs hold something else."""
    values = dict(old.values)
    for tensor, array in zip(new.graph.inputs, new.inputs, strict=True):
        known = values.get(tensor)
        if known is not None and (known.shape != array.shape or not compare(known, array).equal):
            return None
        values[tensor] = array
    return values if old.values else None


def _finish(values: dict[Tensor, Array], new: Batch) -> list[Array] | None:
    """Keep the values in ``new`` and return those of the outputs; None when one of them is unknown."""
    outputs = [values.get(t) for t in new.graph.outputs]
    if any(a is None for a in outputs):
        return None
    new.values = {t: values[t] for t in new.graph.tensors if t in values}
    return [a for a in outputs if a is not None]


def _outputs(sites: Sequence[Site], old: Batch, new: Batch, parts: Parts) -> list[Array] | None:
    values = _values(old, new)
    if values is None:
        return None
    for site in sites:
        inputs = [values.get(t) for t in site.inputs]
        expected = values.get(site.tensor)
        if expected is None or not inputs or any(a is None for a in inputs):
            return None
        try:
            (actual,) = parts.interpreter(site).run_batch([a for a in inputs if a is not None], resize=True)
        except Tflite2xError:
            return None
        if not compare(expected, actual).equal:
            return None
    return _finish(values, new)


def _covers(sites: Sequence[Site], changed: Sequence[Operator], graph: Subgraph) -> bool:
    """Whether every changed operator is part of a site, or computes nothing that is read."""
    frontier: dict[Operator, None] = {}
    for site in sites:
        inside = set(site.inputs)
        waiting: list[Tensor] = [site.tensor]
        while waiting:
            op = waiting.pop().producer
            if op is None or op in frontier:
                continue
            frontier[op] = None
            waiting += [t for t in op.inputs if t is not None and t not in inside]
    unread = [op for op in changed if not any(t is not None and (t.uses or t in graph.outputs) for t in op.outputs)]
    return all(op in frontier or op in unread for op in changed)

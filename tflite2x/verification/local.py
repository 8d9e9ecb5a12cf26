# SPDX-License-Identifier: Apache-2.0
"""Checking a pass where it rewrote, instead of running the whole model again.

The values of all tensors before the pass are known. When every replaced part computes, from the values that its inputs
had, exactly the values that its output had, and the inputs of the model hold what they held, then by induction over the
operators all other tensors hold what they held as well. Only equality is concluded here; in every other case the model
runs as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.interpreter import Interpreter, KernelCache
from tflite2x.rewrite.extract import extract
from tflite2x.verification.compare import compare
from tflite2x.verification.operators import Site, find_sites
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
    *,
    rounding: Any = "single",
    kernels: KernelCache | None = None,
) -> list[list[Array]] | None:
    """Return the outputs of the model after a pass if they follow from the values before it; None when they do not.

    Args:
        step: The pass.
        changes: The operators that it changed.
        before: Samples before the pass with the values of tensors, by tensors of the model as it is now.
        after: Samples after the pass; gets the values of tensors.
        rounding: Rounding contract of the interpreter.
        kernels: Kernels that are prepared already.
    """
    if len(changes.operators) > 4 * _MANY or is_stateful(step.after.subgraphs):
        return None
    if any(op.calls for graph in step.after.subgraphs for op in graph.operators):
        return None
    results = []
    for old, new in zip(before, after, strict=True):
        own = [op for op in changes.operators if op.subgraph is new.graph]
        sites = find_sites(own, step.tensors)
        if not old.values or len(sites) > _MANY or not _covers(sites, own, new.graph):
            return None
        outputs = _outputs(sites, old, new, rounding, kernels)
        if outputs is None:
            return None
        results.append(outputs)
    return results


def _outputs(
    sites: Sequence[Site], old: Batch, new: Batch, rounding: Any, kernels: KernelCache | None
) -> list[Array] | None:
    values = dict(old.values)
    for tensor, array in zip(new.graph.inputs, new.inputs, strict=True):
        known = values.get(tensor)
        if known is not None and (known.shape != array.shape or not compare(known, array).equal):
            return None
        values[tensor] = array
    for site in sites:
        inputs = [values.get(t) for t in site.inputs]
        expected = values.get(site.tensor)
        if expected is None or not inputs or any(a is None for a in inputs):
            return None
        try:
            part = extract(new.graph, site.inputs, [site.tensor])
            (actual,) = Interpreter(part, rounding, kernels=kernels).run_batch(
                [a for a in inputs if a is not None], resize=True
            )
        except Tflite2xError:
            return None
        if not compare(expected, actual).equal:
            return None
    outputs = [values.get(t) for t in new.graph.outputs]
    if any(a is None for a in outputs):
        return None
    new.values = {t: values[t] for t in new.graph.tensors if t in values}
    return [a for a in outputs if a is not None]


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

# SPDX-License-Identifier: Apache-2.0
"""Values of all tensors of two models, and the first tensor that differs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.interpreter import Interpreter
from tflite2x.rewrite.interface import Rebatch
from tflite2x.rewrite.report import Difference
from tflite2x.verification.adapt import rebatch
from tflite2x.verification.compare import differs, distance, is_discrete, relative
from tflite2x.verification.running import Batch

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Tensor

Array = NDArray[Any]

#: Samples that are traced to find the first tensor that differs.
TRACED = 2


def difference(name: str | None, operator: str, expected: Array, actual: Array) -> Difference:
    """Describe how the values of one tensor differ; arrays have a sample axis."""
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        shapes = [f"{a.dtype} {list(a.shape[1:])}" for a in (expected, actual)]
        return Difference(name or "", operator, None, "", 1.0, note=f"{shapes[0]} before, {shapes[1]} after")
    gap = distance(expected, actual)
    discrete = is_discrete(expected)
    sizes = gap if discrete else relative(expected, gap)
    flat = int(np.argmax(sizes)) if sizes.max() > 0 else int(np.argmax(differs(expected, actual)))
    place = np.unravel_index(flat, expected.shape)
    numbers = expected.dtype.kind in "iufb"
    return Difference(
        tensor=name or "",
        operator=operator,
        worst=float(sizes.max()),
        unit="LSB" if discrete else "relative",
        share=float(differs(expected, actual).mean()),
        sample=int(place[0]),
        before=float(expected[place]) if numbers else 0.0,
        after=float(actual[place]) if numbers else 0.0,
    )


def trace(model: Model, batch: Batch, *, rounding: Any = "single") -> dict[Tensor, Array]:
    """Return what all tensors hold, with a sample axis."""
    interpreter = Interpreter(model, rounding=rounding)
    if batch.inputs:
        return interpreter.trace(batch.inputs, batched=True, subgraph=batch.graph, resize=batch.resize)
    return {t: a[None] for t, a in interpreter.trace([], subgraph=batch.graph).items()}


def first_pair(
    old: Mapping[Tensor, Array],
    new: Mapping[Tensor, Array],
    tensors: Mapping[Tensor, Tensor],
    same: Callable[[Tensor, Tensor, Array, Array], bool],
) -> tuple[Tensor, Tensor] | None:
    """Return the first tensor, in the order of computation, whose values differ, with its counterpart.

    Args:
        old: Values of the earlier model's tensors.
        new: Values of the later model's.
        tensors: Tensors of the later model with their counterparts in the earlier one.
        same: Whether what a tensor holds follows from its counterpart: called with the tensor, the counterpart, the
            value of the counterpart and that of the tensor. Values that cannot be compared agree.
    """
    for tensor, actual in new.items():
        counterpart = tensors.get(tensor)
        expected = old.get(counterpart) if counterpart is not None else None
        if expected is None or counterpart is None:
            continue
        if tensor.producer is None and counterpart.producer is not None:
            continue  # an input where an operator was before: adapters made its values
        if not same(tensor, counterpart, expected, actual):
            return tensor, counterpart
    return None


def as_later(old: Array, new: Array, factor: int = 1) -> Array | None:
    """Return values of the earlier model as the later one should hold them; None when they cannot be compared.

    Samples that were put together stand one behind the other along one axis, or, where that axis had a length before,
    inside of it (SPACE_TO_BATCH_ND and TRANSPOSE with RESHAPE do that). The arrangement that fits best is taken.

    Args:
        old: Values of the earlier model, with a sample axis.
        new: Values of the later one.
        factor: How many samples of the earlier model make one of the later one.
    """
    if factor == 1:
        return old if len(old) == len(new) else None
    if not (old.size and new.size):
        return None
    best, fewest = None, old.size + 1
    for axis in range(1, old.ndim):
        for inner in _divisors(old.shape[axis]):
            # [N, ..., outer * inner, ...]: the samples go between outer and inner.
            held = rebatch(old.reshape(*old.shape[:axis], -1, inner, *old.shape[axis + 1 :]), Rebatch(factor, axis))
            held = held.reshape(len(held), *old.shape[1:axis], -1, *old.shape[axis + 1 :])
            if held.shape != new.shape or held.dtype != new.dtype:
                break
            differing = int(np.count_nonzero(differs(held, new)))
            if differing < fewest:
                best, fewest = held, differing
            if not differing:
                return held
    return best


def _divisors(length: int) -> list[int]:
    """Return the divisors of a length, the largest first."""
    small = [d for d in range(1, math.isqrt(length) + 1) if length % d == 0]
    return sorted({*small, *(length // d for d in small)}, reverse=True)


def operator_at(model: Model, error: Tflite2xError) -> Operator | None:
    """Return the operator that an error names, or None."""
    found = re.search(r"subgraphs\[(\d+)\]\.operators\[(\d+)\]", error.where)
    if found is None or int(found[1]) >= len(model.subgraphs):
        return None
    operators = model.subgraphs[int(found[1])].operators
    return operators[int(found[2])] if int(found[2]) < len(operators) else None


def trace_until(op: Operator, batch: Batch, *, rounding: Any = "single") -> dict[Tensor, Array]:
    """Return what all tensors hold that are computed in front of an operator which does not run."""
    model = op.subgraph.model.clone()
    graph = model.subgraphs[batch.graph.index]
    originals = dict(zip(graph.tensors, batch.graph.tensors, strict=True))
    kept = graph.operators[: op.index]
    for signature in model.signatures:
        model.remove_signature(signature)
    graph.set_outputs([t for o in kept for t in o.outputs])
    graph.remove_operators(graph.operators[len(kept) :])
    values = trace(model, Batch(graph, batch.inputs, batch.resize), rounding=rounding)
    return {originals[t]: a for t, a in values.items() if t in originals}


def worst_samples(expected: Sequence[Array], actual: Sequence[Array], count: int) -> NDArray[np.intp]:
    """Return the indices of the samples that differ most, those first that differ in most values."""
    total = 0
    for a, b in zip(expected, actual, strict=True):
        if a.shape == b.shape and a.dtype == b.dtype:
            total = total + differs(a, b).reshape(len(a), -1).sum(axis=1)
    order = np.argsort(-np.atleast_1d(np.asarray(total)), kind="stable")
    return np.sort(order[:count])


def pick_samples(
    before: Batch, after: Batch, expected: Sequence[Array], actual: Sequence[Array]
) -> tuple[Batch, Batch]:
    """Return both batches with the samples only that differ most."""
    if after.count != before.count:  # samples were put together
        return before, after
    picked = np.unique(worst_samples(expected, actual, TRACED) % max(1, after.count))
    return _pick(before, picked), _pick(after, picked)


def _pick(batch: Batch, picked: Any) -> Batch:
    return Batch(batch.graph, [a[picked] for a in batch.inputs], batch.resize)

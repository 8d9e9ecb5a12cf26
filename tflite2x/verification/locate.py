# SPDX-License-Identifier: Apache-2.0
"""Finding the first tensor that differs between two models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.interpreter import Interpreter
from tflite2x.rewrite.report import Difference
from tflite2x.verification.adapt import Trail
from tflite2x.verification.compare import compare, differs, distance, is_discrete, relative
from tflite2x.verification.running import Batch

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor

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


def first_difference(
    before: tuple[Model, Batch],
    after: tuple[Model, Batch],
    tensors: Mapping[Tensor, Tensor],
    *,
    rounding: Any = "single",
) -> Difference | None:
    """Return the first tensor, in the order of computation, whose values differ.

    Args:
        before: The earlier model and samples for it.
        after: The later model and the same samples in its interface.
        tensors: Tensors of the later model with their counterparts in the earlier one.
        rounding: Rounding contract of the interpreter.
    """
    values = []
    for model, batch in (before, after):
        interpreter = Interpreter(model, rounding=rounding)
        values.append(
            interpreter.trace(batch.inputs, batched=True, subgraph=batch.graph, resize=batch.resize)
            if batch.inputs
            else {t: a[None] for t, a in interpreter.trace([], subgraph=batch.graph).items()}
        )
    old, new = values
    for tensor, actual in new.items():
        counterpart = tensors.get(tensor)
        expected = old.get(counterpart) if counterpart is not None else None
        if expected is None or counterpart is None:
            continue
        if tensor.producer is None and counterpart.producer is not None:
            continue  # an input where an operator was before: adapters made its values
        if len(expected) != len(actual):
            continue  # samples were put together: nothing to compare one by one
        if not compare(expected, actual).equal:
            where = tensor.producer.where if tensor.producer is not None else f"{tensor.subgraph.where}.inputs"
            return difference(counterpart.name, where, expected, actual)
    return None


def until_failure(model: Model, batch: Batch, error: Tflite2xError) -> tuple[Model, Batch, dict[Tensor, Tensor]] | None:
    """Cut a model that does not run in front of the operator that fails.

    Args:
        model: The model.
        batch: Samples for it.
        error: What the interpreter said.

    Returns:
        The part that runs, the samples for it, and its tensors with those of ``model``; None when the error names no
        operator of the subgraph.
    """
    found = re.search(r"subgraphs\[(\d+)\]\.operators\[(\d+)\]", error.where)
    if found is None or int(found[1]) != batch.graph.index:
        return None
    copy = model.clone()
    graph = copy.subgraphs[batch.graph.index]
    originals = dict(zip(graph.tensors, batch.graph.tensors, strict=True))
    kept = graph.operators[: int(found[2])]
    for signature in copy.signatures:
        copy.remove_signature(signature)
    graph.set_outputs([t for op in kept for t in op.outputs])
    graph.remove_operators(graph.operators[len(kept) :])
    return copy, Batch(graph, batch.inputs, batch.resize), originals


def worst_samples(expected: Sequence[Array], actual: Sequence[Array], count: int) -> NDArray[np.intp]:
    """Return the indices of the samples that differ most, those first that differ in most values."""
    total = 0
    for a, b in zip(expected, actual, strict=True):
        if a.shape == b.shape and a.dtype == b.dtype:
            total = total + differs(a, b).reshape(len(a), -1).sum(axis=1)
    order = np.argsort(-np.atleast_1d(np.asarray(total)), kind="stable")
    return np.sort(order[:count])


def locate(
    before: tuple[Model, Batch],
    after: tuple[Model, Batch],
    tensors: Mapping[Tensor, Tensor],
    trail: Trail,
    outputs: Sequence[Array],
    *,
    rounding: Any = "single",
) -> Difference | None:
    """Trace both models on the samples that differ most and return the first tensor that differs.

    Args:
        before: The earlier model and samples for it.
        after: The later model and the same samples in its interface.
        tensors: Tensors of the later model with their counterparts in the earlier one.
        trail: What the outputs should be.
        outputs: What they are.
        rounding: Rounding contract of the interpreter.
    """
    known = [(e, a) for e, a in zip(trail.expected, outputs, strict=True) if e.value is not None]
    actual = [e.adapted(a) for e, a in known]
    expected = [np.asarray(e.value)[: len(a)] for (e, _), a in zip(known, actual, strict=True)]
    if after[1].count == before[1].count:
        picked = np.unique(worst_samples(expected, actual, TRACED) % max(1, after[1].count))
    else:  # samples were put together
        picked = np.arange(after[1].count)
    try:
        found = first_difference(
            (before[0], _pick(before[1], picked if after[1].count == before[1].count else slice(None))),
            (after[0], _pick(after[1], picked)),
            tensors,
            rounding=rounding,
        )
    except Tflite2xError:
        found = None
    if found is not None:
        return found
    for tensor, a, b in zip(_known_outputs(after[1].graph, trail), expected, actual, strict=True):
        if not compare(a, b).equal:
            where = tensor.producer.where if tensor.producer is not None else tensor.where
            return difference(tensor.name, where, a, b)
    return None


def _known_outputs(graph: Subgraph, trail: Trail) -> list[Tensor]:
    return [t for t, e in zip(graph.outputs, trail.expected, strict=True) if e.value is not None]


def _pick(batch: Batch, picked: Any) -> Batch:
    return Batch(batch.graph, [a[picked] for a in batch.inputs], batch.resize)

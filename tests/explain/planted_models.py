# SPDX-License-Identifier: Apache-2.0
"""Planting mistakes: in random models of one operator, and in places of real networks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tests.explain.planted import PLANTS, NotPossible
from tests.explain.planted_cases import Case, random_case
from tests.explain.planted_kinds import OPERATORS, compute, kind_of
from tflite2x.explain.diagnose import Diagnosis, diagnose

if TYPE_CHECKING:
    from tflite2x.ir import Model

Array = NDArray[Any]

__all__ = ["Case", "Outcome", "all_matter", "exact_of", "judge", "places", "planted", "random_case"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a planted mistake.

    Attributes:
        plants: What was planted.
        text: In which model.
        certainty: What ``diagnose`` said.
        named: Whether the right names are among those it gave.
        wrong: Whether it gave other names with certainty.
        names: All that it named.
    """

    plants: tuple[str, ...]
    text: str
    certainty: str
    named: bool
    wrong: bool
    names: tuple[tuple[str, ...], ...]


def planted(case: Case, plants: frozenset[str], *, output_only: bool = False) -> Outcome | None:
    """Plant mistakes, let ``diagnose`` look, and judge; None where they are not possible or change nothing.

    Args:
        case: The model, its input, and the operator.
        plants: What to plant.
        output_only: Give ``diagnose`` the model's output instead of the operator's own.
    """
    graph = case.model.main
    op = graph.operators[case.operator]
    trace = tflite2x.Interpreter(case.model).trace(list(case.inputs))
    target = op.outputs[0]
    try:
        mine = compute(op, _values(op, trace), plants)
    except NotPossible:
        return None
    if same(mine, trace[target]):
        return None
    arrays = {f"tensor{target.index}": mine}
    if output_only:
        if np.any(mine != np.clip(np.rint(mine), -128, 127)):
            return None
        result = _rest(case, target, mine.astype(np.int8))
        final = graph.outputs[0]
        if np.array_equal(result, trace[final]):
            return None
        arrays = {f"tensor{final.index}": result}
    return judge(case, plants, diagnose(case.model, list(case.inputs), arrays))


def _values(op: Any, trace: Any) -> list[Any]:
    """The values of an operator's inputs, without a sample axis."""
    return [None if t is None else trace.get(t, t.data) for t in op.inputs]


def same(a: Array, b: Array) -> bool:
    """Whether values are equal; floats may differ by the order of additions."""
    if b.dtype.kind != "f":
        return np.array_equal(a, b)
    return bool(np.all(np.abs(a - b) <= 4e-6 * np.max(np.abs(b), initial=0.0)))


def exact_of(case: Case) -> Array:
    """The exact output of a model of one operator."""
    return np.asarray(tflite2x.Interpreter(case.model).run(list(case.inputs))[0])


def all_matter(case: Case, plants: frozenset[str]) -> bool:
    """Whether every one of several mistakes changes the result of the others: what is hidden cannot be found."""
    op = case.model.main.operators[case.operator]
    values = _values(op, tflite2x.Interpreter(case.model).trace(list(case.inputs)))
    try:
        together = compute(op, values, plants)
        return all(not same(together, compute(op, values, plants - {p})) for p in plants)
    except NotPossible:
        return False


def judge(case: Case, plants: frozenset[str], diagnosis: Diagnosis) -> Outcome:
    """Compare what was planted with what was named."""
    first = diagnosis.first
    assert first is not None
    names = tuple(n.mistakes for n in first.named)
    right = tuple(sorted({PLANTS[p] for p in plants}))
    named = right in names and first.certainty in ("certain", "likely", "ambiguous")
    wrong = first.certainty == "certain" and right not in names
    return Outcome(tuple(sorted(plants)), case.text, first.certainty, named, wrong, names)


def _rest(case: Case, tensor: Any, value: Array) -> Array:
    """Run what comes behind ``tensor``."""
    from tflite2x.rewrite.extract import extract

    graph = case.model.main
    if tensor is graph.outputs[0]:
        return value
    rest = extract(graph, [tensor], [graph.outputs[0]])
    return np.asarray(tflite2x.Interpreter(rest).run([value.reshape(tensor.shape)])[0])


def places(model: Model) -> list[int]:
    """Return the operators of a model in which something can be planted."""
    return [op.index for op in model.main.operators if kind_of(op) in OPERATORS]

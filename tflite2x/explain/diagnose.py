# SPDX-License-Identifier: Apache-2.0
"""Why somebody's own implementation of a model gives other numbers: ``tflite2x diagnose``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.errors import InputError
from tflite2x.explain.diagnosis.arrays import patterns
from tflite2x.explain.diagnosis.matching import fit_shape, match_arrays, permutations
from tflite2x.explain.diagnosis.recipe import EXACT
from tflite2x.explain.diagnosis.search import Explanation, Search, Verdict
from tflite2x.explain.diagnosis.segment import EVERYWHERE, Segment
from tflite2x.interpreter.kernel import Array, Rounding

if TYPE_CHECKING:
    from tflite2x.interpreter.inputs import Inputs
    from tflite2x.ir import Model, Operator, Tensor

#: Values that are shown side by side.
_SHOWN = 5
#: Segments longer than this are searched over the operators next to the difference only.
_LONGEST = 12


@dataclasses.dataclass(frozen=True)
class Named:
    """A mistake, or two, that explain values.

    Attributes:
        mistakes: Names of the mistakes, sorted.
        titles: What was done, one clause per mistake, with its place where that is not the operator itself.
        remedies: What TFLite does instead.
        explained: Number of values that come out exactly.
        fixed: How many of these differ from the expected values.
        ways: Other ways to make the same mistakes that explain as much.
    """

    mistakes: tuple[str, ...]
    titles: tuple[str, ...]
    remedies: tuple[str, ...]
    explained: int
    fixed: int
    ways: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Example:
    """One value, computed both ways.

    Attributes:
        index: Index in the tensor, sample axis left out if there is one sample.
        expected: The right value.
        mine: The value given.
        exact: Steps of the exact computation by name.
        wrong: Steps with the mistake, empty when none is named.
    """

    index: tuple[int, ...]
    expected: float
    mine: float
    exact: dict[str, float]
    wrong: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One tensor that differs from what its inputs lead to.

    Attributes:
        tensor: Name of the tensor; empty without a model.
        index: Its index in the subgraph, or None.
        operator: Where the operator is that computes it, such as ``subgraphs[0].operators[2] (FULLY_CONNECTED)``.
        between: Operators in between, whose values were not given: the mistake may be in any of them.
        shape: Shape without the sample axis.
        values: Number of values.
        differing: Number of values that differ.
        largest: The largest difference.
        certainty: ``certain``, ``likely``, ``ambiguous``, ``partial``, ``none`` or ``shape``.
        named: The explanations.
        common: Names that all complete explanations have in common, where there are several.
        examples: A few values side by side.
        tried: Number of combinations that were tried.
        note: What else is to be said.
    """

    tensor: str
    index: int | None
    operator: str
    between: tuple[str, ...]
    shape: tuple[int, ...]
    values: int
    differing: int
    largest: float
    certainty: str
    named: tuple[Named, ...]
    examples: tuple[Example, ...]
    tried: int = 0
    note: str = ""
    common: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What ``diagnose`` found.

    Attributes:
        findings: One per tensor that does not follow from its inputs; the first one comes first.
        equal: Names of the tensors given that are as expected.
        follows: Names of tensors that differ, but only because of tensors before them.
        unmatched: Names of arrays that stand for no tensor.
    """

    findings: tuple[Finding, ...]
    equal: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def first(self) -> Finding | None:
        """The first tensor that differs."""
        return self.findings[0] if self.findings else None

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain values for JSON."""
        from tflite2x.explain.plain import plain

        result: dict[str, Any] = plain(dataclasses.asdict(self))
        return result


def diagnose(
    model: Model,
    inputs: Inputs,
    mine: Mapping[str, Array],
    *,
    batched: bool = False,
    rounding: Rounding = "single",
    real_inputs: Sequence[Array] | None = None,
) -> Diagnosis:
    """Compare values of somebody's own implementation with the exact ones, and name the mistakes that explain them.

    Args:
        model: The model.
        inputs: The inputs, as for ``Interpreter.run`` (``run_batch`` with ``batched``).
        mine: Arrays by tensor name, index or operator (see ``diagnosis.matching``). Integers may come in any numeric
            type. More tensors say more: without them, the mistake may be in any operator before.
        batched: Arrays have a sample axis.
        rounding: The contract to compare with.
        real_inputs: The real numbers that ``inputs`` were quantized from, in model order: mistakes in quantizing the
            input can be named then.

    Raises:
        InputError: No array stands for a tensor of the model, or inputs do not fit.
        UnsupportedError: An operator has no kernel.
    """
    from tflite2x.explain.diagnosis.entry import with_real_inputs
    from tflite2x.interpreter import Interpreter

    if real_inputs is not None:
        model, inputs = with_real_inputs(model, real_inputs)
    trace = Interpreter(model, rounding).trace(inputs, batched=batched)
    exact = {t: v if batched else v[None] for t, v in trace.items()}
    sources = {id(t) for t in model.main.inputs}
    single = {t: v if batched else v[0, ...] for t, v in exact.items() if t.subgraph is model.main}
    matched, unmatched = match_arrays(mine, single)
    return _Walk(model, exact, matched, rounding, sources, tuple(unmatched)).diagnosis()


def diagnose_arrays(expected: Array, mine: Array, *, zero_point: int | None = None) -> Diagnosis:
    """Compare two arrays without a model: patterns only, hence never certain.

    Args:
        expected: The right values.
        mine: The others.
        zero_point: The tensor's zero point, where it is known.
    """
    fitted = fit_shape(np.asarray(mine), np.asarray(expected))
    if fitted is None:
        return Diagnosis((_shape_finding(np.asarray(expected), np.asarray(mine), "", None, "", ()),))
    different = expected != fitted
    if not different.any():
        return Diagnosis((), ("the array",))
    return Diagnosis((_by_pattern(expected, fitted, "", None, "", (), zero_point),))


class _Walk:
    """Goes through the tensors given, in the order of computation."""

    def __init__(
        self,
        model: Model,
        exact: dict[Tensor, Array],
        mine: dict[Tensor, Array],
        rounding: Rounding,
        sources: set[int],
        unmatched: tuple[str, ...],
    ) -> None:
        self.exact, self.mine, self.rounding, self.unmatched = exact, mine, rounding, unmatched
        self.graph = model.main
        #: Values to compute from: those given, as far as they are whole and fit.
        self.known: dict[Tensor, Array] = {t: v for t, v in exact.items() if id(t) in sources}
        self.trusted: set[Tensor] = set(self.known)

    def diagnosis(self) -> Diagnosis:
        findings: list[Finding] = []
        equal, follows = [], []
        for tensor in self._ordered():
            name = tensor.name or f"tensor {tensor.index}"
            value = fit_shape(self.mine[tensor], self.exact[tensor])
            if value is None:
                findings.append(self._other_shape(tensor))
                continue
            if _equal(value, self.exact[tensor]):
                equal.append(name)
                self.known[tensor] = self.exact[tensor]
                continue
            finding = self._finding(tensor, value, bool(findings))
            if finding is None:
                follows.append(name)
            else:
                findings.append(finding)
            self._believe(tensor, value)
        return Diagnosis(tuple(findings), tuple(equal), tuple(follows), self.unmatched)

    def _ordered(self) -> list[Tensor]:
        order = {t: i for i, t in enumerate(self.exact)}
        return sorted(self.mine, key=lambda t: order[t])

    def _believe(self, tensor: Tensor, value: Array) -> None:
        """Go on from the value given, so that what comes later is judged on its own."""
        whole = np.rint(value) if tensor.numpy_dtype.kind in "iu" else value
        if tensor.numpy_dtype.kind in "iu":
            info = np.iinfo(tensor.numpy_dtype)
            if np.any(whole != value) or whole.min() < info.min or whole.max() > info.max:
                return  # not values that an operator can read
        self.known[tensor] = whole.astype(tensor.numpy_dtype)

    def _operators(self, tensor: Tensor) -> list[Operator]:
        """Return the operators between what is known and ``tensor``, in order."""
        needed: set[Tensor] = set()
        ops: set[Operator] = set()
        stack = [tensor]
        while stack:
            current = stack.pop()
            op = current.producer
            if current in needed or op is None or (current is not tensor and current in self.known):
                continue
            needed.add(current)
            ops.add(op)
            stack += [t for t in op.inputs if t is not None]
        return [op for op in self.graph.operators if op in ops and op.outputs[0] in self.exact]

    def _finding(self, tensor: Tensor, value: Array, later: bool) -> Finding | None:
        ops = self._operators(tensor)
        if not ops:  # an input of the model
            return self._pattern(tensor, value, "")
        known = self._inputs_of(ops)
        far: tuple[str, ...] = ()
        if len(ops) > _LONGEST:
            far = tuple(op.where for op in ops[:-_LONGEST])
            ops = ops[-_LONGEST:]
            known = self._inputs_of(ops)
        segment = Segment(ops, known, tensor, self.rounding)
        search = Search(segment, value)
        verdict = search.verdict()
        if verdict.certainty == "equal":
            return None
        if verdict.certainty == "none":
            general = self._pattern(tensor, value, ops[-1].where)
            if general.named:
                return dataclasses.replace(general, between=self._between(ops), tried=verdict.tried)
        note = ""
        if search.base != EXACT and not verdict.unrounded:
            note = "your values are not rounded: compared with the exact ones before the rounding"
        elif far:
            note = f"{len(far)} operators further back were not tried; give tensors in between"
        elif verdict.certainty == "none" and len(ops) > 1:
            note = "the mistake may be in any of these operators: give the tensors in between"
        return Finding(
            tensor=tensor.name or "",
            index=tensor.index,
            operator=ops[-1].where,
            between=self._between(ops),
            shape=tuple(value.shape[1:]),
            values=value.size,
            differing=verdict.differing,
            largest=float(np.max(np.abs(value.astype(np.float64) - segment.expected.astype(np.float64)))),
            certainty=verdict.certainty,
            named=_named(segment, verdict),
            examples=_examples(segment, search, verdict),
            tried=verdict.tried,
            note=note or _rest(segment, search, verdict),
            common=_common(verdict),
        )

    @staticmethod
    def _between(ops: Sequence[Operator]) -> tuple[str, ...]:
        return tuple(op.where for op in ops[:-1])

    def _inputs_of(self, ops: Sequence[Operator]) -> dict[Tensor, Array]:
        made = {t for op in ops for t in op.outputs}
        read = {t for op in ops for t in op.inputs if t is not None and t not in made}
        return {t: self.known.get(t, self.exact[t]) for t in read if t in self.known or t in self.exact}

    def _pattern(self, tensor: Tensor, value: Array, where: str) -> Finding:
        quantization = tensor.quantization
        zero = int(quantization.zero_point[0]) if quantization is not None and quantization.zero_point.size else None
        exact = self.exact[tensor]
        if len(exact) == 1:
            exact, value = exact[0], value[0]
        return _by_pattern(exact, value, tensor.name or "", tensor.index, where, (), zero)

    def _other_shape(self, tensor: Tensor) -> Finding:
        where = "" if tensor.producer is None else tensor.producer.where
        return _shape_finding(self.exact[tensor], self.mine[tensor], tensor.name or "", tensor.index, where, ())


def _equal(value: Array, exact: Array) -> bool:
    """Integers are equal or not; floats may be added up in another order."""
    if exact.dtype.kind != "f" or value.dtype.kind not in "biuf":
        return np.array_equal(value, exact)
    largest = float(np.max(np.abs(exact[np.isfinite(exact)]), initial=0.0))
    return bool(np.allclose(value, exact, rtol=0, atol=2e-6 * largest, equal_nan=True))


def _common(verdict: Verdict) -> tuple[str, ...]:
    """Return the names that every complete explanation has, such as a mistake beside several kinds of rounding."""
    if verdict.certainty != "ambiguous":
        return ()
    return tuple(sorted(set.intersection(*(set(e.keys) for e in verdict.explanations))))


def _rest(segment: Segment, search: Search, verdict: Verdict) -> str:
    """Say what an incomplete explanation leaves over."""
    if verdict.certainty != "partial":
        return ""
    values = segment.evaluate(verdict.explanations[0].guesses, search.base)
    if values is None or values.shape != search.mine.shape:
        return ""
    gap = np.abs(values - search.mine)
    count = int(np.count_nonzero(gap > 0))
    guess = " (another rounding?)" if gap.max() <= 1 else ""
    return f"{count:,} values are left over, by up to {gap.max():g}{guess}"


def _named(segment: Segment, verdict: Verdict) -> tuple[Named, ...]:
    result = []
    for explanation in verdict.explanations:
        # Further ways, not the same ones at further places.
        said = {tuple(g.mistake for g in explanation.guesses)}
        ways = []
        for other in verdict.same:
            what = tuple(g.mistake for g in other.guesses)
            if other.keys == explanation.keys and what not in said:
                said.add(what)
                ways.append(other)
        result.append(
            Named(
                mistakes=explanation.keys,
                titles=_titles(segment, explanation),
                remedies=tuple(dict.fromkeys(g.mistake.remedy for g in explanation.guesses)),
                explained=explanation.explained,
                fixed=explanation.fixed,
                ways=tuple(" and ".join(_titles(segment, e)) for e in ways[:6]),
            )
        )
    return tuple(result)


def _titles(segment: Segment, explanation: Explanation) -> tuple[str, ...]:
    titles = []
    for guess in explanation.guesses:
        place = ""
        if guess.scope == EVERYWHERE:
            place = ", in every operator where it can be"
        elif len(segment.ops) > 1:
            place = f", in {segment.ops[guess.scope].where}"
        titles.append(guess.mistake.title + place)
    return tuple(titles)


def _examples(segment: Segment, search: Search, verdict: Verdict) -> tuple[Example, ...]:
    """Choose values that differ, the most telling ones first, and compute them both ways."""
    base = EXACT if verdict.unrounded else search.base
    right = segment.expected.astype(np.float64) if verdict.unrounded else search.expected
    mine, expected = search.mine.reshape(-1), right.reshape(-1)
    gap = np.abs(mine - expected)
    chosen = np.flatnonzero(gap > 0 if verdict.unrounded else ~search.equal.reshape(-1))
    guesses = verdict.explanations[0].guesses if verdict.explanations else ()
    if guesses:
        values = segment.evaluate(guesses, search.base)
        if values is not None:
            good = chosen[values.reshape(-1)[chosen] == mine[chosen]]
            chosen = good if good.size else chosen
    # One value per size of difference, largest first, then further ones.
    order = chosen[np.argsort(-gap[chosen], kind="stable")]
    _, firsts = np.unique(gap[order], return_index=True)
    ordered = [*order[np.sort(firsts)], *order]
    picked = np.array(list(dict.fromkeys(int(i) for i in ordered))[:_SHOWN])
    picked.sort()
    exact = segment.steps((), picked, base)
    wrong = segment.steps(guesses, picked, search.base) if guesses else {}
    shape = search.mine.shape
    examples = []
    for row, position in enumerate(picked):
        index = tuple(int(i) for i in np.unravel_index(position, shape))
        examples.append(
            Example(
                index=index if shape[0] > 1 else index[1:],
                expected=float(expected[position]),
                mine=float(mine[position]),
                exact={k: float(v[row]) for k, v in exact.items()},
                wrong={k: float(v[row]) for k, v in wrong.items()},
            )
        )
    return tuple(examples)


def _by_pattern(
    expected: Array, mine: Array, name: str, index: int | None, where: str, between: tuple[str, ...], zero: int | None
) -> Finding:
    found = patterns(expected, mine, zero)
    size, differing = expected.size, int(np.count_nonzero(expected != mine))
    complete = [p for p in found if p.explained == size]
    simplest = min((len(p.keys) for p in complete), default=0)
    complete = [p for p in complete if len(p.keys) == simplest]
    groups = {p.keys: p for p in reversed(complete)}
    certainty = "none"
    if complete:
        certainty = "likely" if len(groups) == 1 and differing > 1 else "ambiguous"
    elif found and found[0].fixed - (size - differing - (found[0].explained - found[0].fixed)) >= 0.5 * differing:
        groups, certainty = {found[0].keys: found[0]}, "partial"
    named = tuple(Named(p.keys, (p.title,), (), p.explained, p.fixed) for p in reversed(groups.values()))
    gap = np.abs(mine.astype(np.float64) - expected.astype(np.float64)).reshape(-1)
    order = np.sort(np.argsort(-gap, kind="stable")[: min(_SHOWN, differing)])
    examples = tuple(
        Example(
            tuple(int(i) for i in np.unravel_index(p, expected.shape)),
            float(expected.reshape(-1)[p]),
            float(mine.reshape(-1)[p]),
            {},
            {},
        )
        for p in order
    )
    return Finding(
        tensor=name,
        index=index,
        operator=where,
        between=between,
        shape=tuple(expected.shape),
        values=size,
        differing=differing,
        largest=float(gap.max(initial=0.0)),
        certainty=certainty,
        named=named,
        examples=examples,
        tried=len(found),
        note="judged by the pattern of the values alone",
    )


def _shape_finding(
    expected: Array, mine: Array, name: str, index: int | None, where: str, between: tuple[str, ...]
) -> Finding:
    """A tensor of another shape: perhaps the axes are in another order."""
    orders = [p for p, moved in permutations(mine, expected) if np.array_equal(moved, expected)]
    size = mine.size
    named: tuple[Named, ...] = ()
    if orders:
        title = f"the axes are in another order: transpose{orders[0]} gives the expected values"
        named = (Named(("NCHW",), (title,), ("Tensors are NHWC.",), size, size),)
    note = f"the shape is {list(mine.shape)}, expected {list(expected.shape)}"
    return Finding(
        name, index, where, between, tuple(expected.shape), size, size, float("nan"), "certain" if orders else "shape",
        named, (), len(orders), note,
    )  # fmt: skip


def check_pair(expected: Array | None, mine: Array | None) -> tuple[Array, Array]:
    """Return both arrays, or say which one is missing."""
    if expected is None or mine is None:
        raise InputError("two arrays are needed", hint="Give --expected and --mine, or MODEL, --input and --mine.")
    return expected, mine

# SPDX-License-Identifier: Apache-2.0
"""Through the tensors that somebody gives, in the order of computation: which of them follow from what goes in?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.evidence import common_names, examples_of, left_over, named_of
from tflite2x.explain.diagnosis.findings import Diagnosis, Finding
from tflite2x.explain.diagnosis.matching import fit_shape, gaps
from tflite2x.explain.diagnosis.plain_findings import pattern_finding, shape_finding
from tflite2x.explain.diagnosis.recipe import EXACT
from tflite2x.explain.diagnosis.search import Search
from tflite2x.explain.diagnosis.segment import Segment
from tflite2x.interpreter.kernel import Array, Rounding

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Tensor

#: Segments longer than this are searched over the operators next to the difference only.
_LONGEST = 12


class Walk:
    """Goes through the tensors given, in the order of computation.

    Args:
        model: The model.
        exact: Exact values of all tensors computed, with a sample axis.
        mine: Values given.
        rounding: The rounding contract.
        sources: ``id`` of the model's inputs.
        unmatched: Names of arrays that stand for no tensor.
    """

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

    def diagnosis(self) -> Diagnosis:
        """Judge every tensor given, from what goes into it as it was given."""
        findings: list[Finding] = []
        equal, follows = [], []
        for tensor in self._ordered():
            name = tensor.name or f"tensor {tensor.index}"
            value = fit_shape(self.mine[tensor], self.exact[tensor])
            if value is None:
                findings.append(self._other_shape(tensor))
                continue
            whole = _quantized(value, tensor)
            if whole is not None:
                name, value = f"{name} (given as real numbers)", whole
            if _equal(value, self.exact[tensor]):
                equal.append(name)
                self.known[tensor] = self.exact[tensor]
                continue
            finding = self._finding(tensor, value)
            if finding is not None and whole is not None:
                note = "your values are real numbers: compared as the integers that they stand for"
                finding = dataclasses.replace(finding, note=f"{note}; {finding.note}".removesuffix("; "))
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
            if np.any((whole != value) | (whole < info.min) | (whole > info.max)):
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

    def _finding(self, tensor: Tensor, value: Array) -> Finding | None:
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
        if segment.expected.shape != value.shape:  # another shape follows from the values given before
            where = ops[-1].where
            return shape_finding(segment.expected, value, tensor.name or "", tensor.index, where, self._between(ops))
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
            largest=float(gaps(value, segment.expected).max()),
            certainty=verdict.certainty,
            named=named_of(segment, verdict),
            examples=examples_of(segment, search, verdict),
            tried=verdict.tried,
            note=note or left_over(segment, search, verdict),
            common=common_names(verdict),
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
        return pattern_finding(exact, value, tensor.name or "", tensor.index, where, (), zero)

    def _other_shape(self, tensor: Tensor) -> Finding:
        where = "" if tensor.producer is None else tensor.producer.where
        return shape_finding(self.exact[tensor], self.mine[tensor], tensor.name or "", tensor.index, where, ())


def _quantized(value: Array, tensor: Tensor) -> Array | None:
    """Return the integers that dequantized values stand for; None where they are none of a quantized tensor."""
    q = tensor.quantization
    if value.dtype.kind != "f" or tensor.numpy_dtype.kind not in "iu" or q is None or q.scale.size != 1:
        return None
    if not np.all(np.isfinite(value)) or np.all(value == np.rint(value)) or not q.scale[0] > 0:
        return None
    zero = float(q.zero_point[0]) if q.zero_point.size else 0.0
    steps = value.astype(np.float64) / float(q.scale[0]) + zero
    info, whole = np.iinfo(tensor.numpy_dtype), np.rint(steps)
    # Values that nobody rounded lie anywhere between the integers.
    if np.any(np.abs(steps - whole) > 1e-3) or whole.min() < info.min or whole.max() > info.max:
        return None
    return np.asarray(whole)


def _equal(value: Array, exact: Array) -> bool:
    """Integers are equal or not; floats may be added up in another order."""
    if exact.dtype.kind != "f" or value.dtype.kind not in "biuf":
        return np.array_equal(value, exact)
    largest = float(np.max(np.abs(exact[np.isfinite(exact)]), initial=0.0))
    return bool(np.allclose(value, exact, rtol=0, atol=2e-6 * largest, equal_nan=True))

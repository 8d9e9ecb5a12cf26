# SPDX-License-Identifier: Apache-2.0
"""Comparing two traces tensor by tensor: signal-to-noise of a quantized model, or before and after a pass."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite2x.explain.trace import TensorTrace


@dataclasses.dataclass(frozen=True)
class Compared:
    """A tensor and its counterpart.

    Attributes:
        tensor: The tensor.
        reference: What it is compared with.
        how: How they were matched: ``name``, ``interface`` or ``position``.
        snr: Signal-to-noise ratio in dB: power of the reference over power of the difference of real numbers; infinite
            when they are equal, None where there is nothing to compare.
        largest: Largest difference of real numbers.
        lsb: Largest difference of integers, where both are quantized alike; None otherwise.
        differing: Share of values that differ.
    """

    tensor: TensorTrace
    reference: TensorTrace
    how: str
    snr: float | None
    largest: float
    lsb: int | None
    differing: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        from tflite2x.explain.plain import plain

        result: dict[str, Any] = plain(
            {
                "tensor": {"index": self.tensor.index, "name": self.tensor.name, "operator": self.tensor.operator},
                "reference": {"index": self.reference.index, "name": self.reference.name,
                              "operator": self.reference.operator},
                "how": self.how, "snr": self.snr, "largest": self.largest, "lsb": self.lsb,
                "differing": self.differing,
            }
        )  # fmt: skip
        return result


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two traces side by side.

    Attributes:
        pairs: Matched tensors, in the order of computation.
        only_here: Tensors without a counterpart.
        only_there: Tensors of the reference without a counterpart.
    """

    pairs: tuple[Compared, ...]
    only_here: tuple[TensorTrace, ...]
    only_there: tuple[TensorTrace, ...]

    @property
    def first(self) -> Compared | None:
        """The first pair of tensors of one type that differs; rounding alone makes others differ."""
        return next((p for p in self.pairs if p.differing and p.tensor.type == p.reference.type), None)

    @property
    def equal(self) -> bool:
        """Whether all pairs are equal as real numbers."""
        return not any(p.differing for p in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "pairs": [p.to_dict() for p in self.pairs],
            "only_here": [t.name for t in self.only_here],
            "only_there": [t.name for t in self.only_there],
        }


def compare_traces(here: Sequence[TensorTrace], there: Sequence[TensorTrace]) -> Comparison:
    """Match the tensors of two traces by meaning, and compare them.

    Names decide where they are unique and the shapes agree; then inputs and outputs by their order; then the order of
    the operators that compute tensors of one shape. Indices play no role.

    Args:
        here: The trace.
        there: The reference.
    """
    pairs: dict[int, tuple[int, str]] = {}
    _by_name(here, there, pairs)
    _by_interface(here, there, pairs)
    _by_position(here, there, pairs)
    used = {j for j, _ in pairs.values()}
    compared = tuple(_compare(here[i], there[j], how) for i, (j, how) in sorted(pairs.items()))
    return Comparison(
        compared,
        tuple(t for i, t in enumerate(here) if i not in pairs),
        tuple(t for j, t in enumerate(there) if j not in used),
    )


def _by_name(here: Sequence[TensorTrace], there: Sequence[TensorTrace], pairs: dict[int, tuple[int, str]]) -> None:
    def unique(tensors: Sequence[TensorTrace]) -> dict[str, int]:
        found: dict[str, list[int]] = {}
        for i, t in enumerate(tensors):
            if t.name:
                found.setdefault(t.name, []).append(i)
        return {name: places[0] for name, places in found.items() if len(places) == 1}

    theirs = unique(there)
    for name, i in unique(here).items():
        j = theirs.get(name)
        if j is not None and _core(here[i]) == _core(there[j]) and (here[i].kind == "input") == (
            there[j].kind == "input"
        ):  # fmt: skip
            pairs[i] = (j, "name")


def _by_interface(here: Sequence[TensorTrace], there: Sequence[TensorTrace], pairs: dict[int, tuple[int, str]]) -> None:
    used = {j for j, _ in pairs.values()}
    for kind in ("input", "output"):
        mine = [i for i, t in enumerate(here) if t.kind == kind]
        theirs = [j for j, t in enumerate(there) if t.kind == kind]
        if len(mine) == len(theirs):
            for i, j in zip(mine, theirs, strict=True):
                if i not in pairs and j not in used and _core(here[i]) == _core(there[j]):
                    pairs[i] = (j, "interface")
                    used.add(j)


def _by_position(here: Sequence[TensorTrace], there: Sequence[TensorTrace], pairs: dict[int, tuple[int, str]]) -> None:
    """Align what lies between matched tensors: operators of one kind that compute one shape, in order."""
    anchors = sorted((i, j) for i, (j, _) in pairs.items())
    edges = [(-1, -1), *_rising(anchors), (len(here), len(there))]
    used = {j for j, _ in pairs.values()}
    for (i0, j0), (i1, j1) in itertools.pairwise(edges):
        mine = [i for i in range(i0 + 1, i1) if i not in pairs]
        theirs = [j for j in range(j0 + 1, j1) if j not in used]
        keys = [[(tensors[k].operator, _core(tensors[k])) for k in places]
                for tensors, places in ((here, mine), (there, theirs))]  # fmt: skip
        for block in difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_matching_blocks():
            for k in range(block.size):
                pairs[mine[block.a + k]] = (theirs[block.b + k], "position")


def _rising(anchors: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep anchors that come in one order in both traces."""
    kept: list[tuple[int, int]] = []
    for i, j in anchors:
        if not kept or j > kept[-1][1]:
            kept.append((i, j))
    return kept


def _core(tensor: TensorTrace) -> tuple[int, ...]:
    """The shape without axes of length 1."""
    return tuple(n for n in tensor.shape if n != 1)


def _compare(tensor: TensorTrace, reference: TensorTrace, how: str) -> Compared:
    if not (tensor.is_numeric and reference.is_numeric):
        same = tensor.values.astype(object).reshape(-1) == reference.values.astype(object).reshape(-1)
        return Compared(tensor, reference, how, None, 0.0, None, float(1 - np.mean(same)) if same.size else 0.0)
    a, b = tensor.real().reshape(-1), reference.real().reshape(-1)
    alike = tensor.is_quantized and (tensor.type, tensor.scales, tensor.zero_points) == (
        reference.type, reference.scales, reference.zero_points,
    )  # fmt: skip
    lsb = None
    if alike or (tensor.type == reference.type and tensor.values.dtype.kind in "iu" and not tensor.scales):
        gap = np.abs(tensor.values.astype(np.int64).reshape(-1) - reference.values.astype(np.int64).reshape(-1))
        lsb = int(gap.max(initial=0))
    with np.errstate(invalid="ignore"):
        error = a - b
    error[a == b] = 0.0
    differing = float(np.mean(a != b)) if a.size else 0.0
    return Compared(tensor, reference, how, _snr(b, error), float(np.max(np.abs(error), initial=0.0)), lsb, differing)


def _snr(signal: np.ndarray[Any, Any], error: np.ndarray[Any, Any]) -> float | None:
    """10 log10 of the ratio of powers."""
    noise, power = float(np.sum(error * error)), float(np.sum(signal * signal))
    if noise == 0.0:
        return math.inf
    if power == 0.0 or not math.isfinite(noise):
        return -math.inf
    return 10.0 * math.log10(power / noise)

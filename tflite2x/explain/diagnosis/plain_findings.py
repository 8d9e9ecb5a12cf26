# SPDX-License-Identifier: Apache-2.0
"""Findings that need no operator: by the pattern of values, or by their shape."""

from __future__ import annotations

import numpy as np

from tflite2x.explain.diagnosis.arrays import patterns
from tflite2x.explain.diagnosis.evidence import SHOWN
from tflite2x.explain.diagnosis.findings import Example, Finding, Named
from tflite2x.explain.diagnosis.matching import equal_values, gaps, permutations
from tflite2x.interpreter.kernel import Array


def pattern_finding(
    expected: Array, mine: Array, name: str, index: int | None, where: str, between: tuple[str, ...], zero: int | None
) -> Finding:
    """Judge two arrays of one shape by their pattern."""
    found = patterns(expected, mine, zero)
    size, differing = expected.size, int(np.count_nonzero(~equal_values(expected, mine)))
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
    gap = gaps(expected, mine).reshape(-1)
    order = np.sort(np.argsort(-gap, kind="stable")[: min(SHOWN, differing)])
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


def shape_finding(
    expected: Array, mine: Array, name: str, index: int | None, where: str, between: tuple[str, ...]
) -> Finding:
    """A tensor of another shape: perhaps the axes are in another order."""
    orders = [p for p, moved in permutations(mine, expected) if bool(equal_values(moved, expected).all())]
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

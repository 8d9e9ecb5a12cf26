# SPDX-License-Identifier: Apache-2.0
"""What ``diagnose`` returns."""

from __future__ import annotations

import dataclasses
from typing import Any


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

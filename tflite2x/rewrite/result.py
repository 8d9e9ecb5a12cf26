# SPDX-License-Identifier: Apache-2.0
"""What a pass says about what it did: counts, refusals with reasons, interface changes, and the claim it makes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from tflite2x.rewrite.sites import place

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Tensor
    from tflite2x.rewrite.interface import InterfaceChange

#: What a bound is about: the outputs of each replaced operator for equal inputs, or the outputs of the model.
Scope = Literal["operator", "model"]


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """The equivalence that a pass claims between the model before and after.

    Attributes:
        lsb: 0 claims equal bits. A positive number bounds the difference of quantized values in steps of the scale;
            None claims nothing, and only a report is made.
        reason: Why more than 0 is needed.
        scope: Whether ``lsb`` bounds each replaced operator (its own inputs being equal) or the outputs of the model.
        relative: Bound for floats, relative to the largest magnitude of the tensor; 0 claims equal bits.
    """

    lsb: int | None = 0
    reason: str = ""
    scope: Scope = "operator"
    relative: float = 0.0

    @property
    def is_exact(self) -> bool:
        """Whether the claim is equality bit for bit."""
        return self.lsb == 0 and not self.relative

    def __str__(self) -> str:
        if self.lsb is None:
            text = "no claim"
        elif self.is_exact:
            return "exact"
        else:
            parts = [f"at most {self.lsb} LSB"] if self.lsb else []
            parts += [f"floats within {self.relative:g}"] if self.relative else []
            text = " and ".join(parts) + (" per operator" if self.scope == "operator" else "")
        return f"{text} ({self.reason})" if self.reason else text

    def combine(self, other: Claim) -> Claim:
        """Return the weaker of two claims (a pass that makes several kinds of replacements)."""
        weaker = self
        if self.lsb is not None and (other.lsb is None or other.lsb > self.lsb or self.is_exact):
            weaker = other
        return dataclasses.replace(weaker, relative=max(self.relative, other.relative))


EXACT = Claim()


@dataclasses.dataclass(frozen=True, slots=True)
class LeftAlone:
    """Something that a pass looked at and did not touch.

    Attributes:
        where: The place in the model before the pass, such as ``subgraphs[0].operators[3] (CONV_2D)``.
        reason: Why it was left alone, with the values that decided.
    """

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclasses.dataclass(frozen=True, slots=True)
class Replaced:
    """One rewrite of a pass: the place in the model before it, and what happened there."""

    where: str
    what: str


@dataclasses.dataclass(slots=True)
class PassResult:
    """What one run of a pass did.

    Passes fill it while they work: ``count`` and ``replace`` mark the result as modified.

    Attributes:
        modified: Whether the model changed in any way.
        counts: What was done how many times, such as ``{"operators removed": 3}``.
        left_alone: What the pass looked at and did not touch, with reasons.
        replaced: Where the pass rewrote, in order.
        interface: How inputs and outputs of subgraphs changed; empty when they are what they were.
        claim: The claimed equivalence.
        successors: Pairs (tensor before, tensor after) that hold the same values although the object was replaced;
            helps the verifier to align both graphs. Tensors that survive the pass need no entry.
    """

    modified: bool = False
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    left_alone: list[LeftAlone] = dataclasses.field(default_factory=list)
    replaced: list[Replaced] = dataclasses.field(default_factory=list)
    interface: list[InterfaceChange] = dataclasses.field(default_factory=list)
    claim: Claim = EXACT
    successors: list[tuple[Tensor, Tensor]] = dataclasses.field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Add ``number`` to a count and mark the result as modified (unless ``number`` is 0)."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number
            self.modified = True

    def leave(self, where: Operator | Tensor | str, reason: str) -> None:
        """Record that the pass left a place alone, and why."""
        self.left_alone.append(LeftAlone(place(where), reason))

    def replace(self, where: Operator | Tensor | str, what: str) -> None:
        """Record a rewrite (call it before the operator is removed) and mark the result as modified."""
        self.replaced.append(Replaced(place(where), what))
        self.modified = True

    def at_most(self, lsb: int, reason: str, *, scope: Scope = "operator") -> None:
        """Weaken the claim to ``lsb``, unless it is already that weak."""
        self.claim = self.claim.combine(Claim(lsb, reason, scope))

    def floats_within(self, relative: float, reason: str, *, scope: Scope = "operator") -> None:
        """Weaken the claim for floats to ``relative`` of the largest magnitude, unless it is already that weak."""
        self.claim = self.claim.combine(Claim(0, reason, scope, relative))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return {
            "modified": self.modified,
            "counts": dict(self.counts),
            "replaced": [{"where": r.where, "what": r.what} for r in self.replaced],
            "left_alone": [{"where": r.where, "reason": r.reason} for r in self.left_alone],
            "interface": [change.describe() for change in self.interface],
            "claim": {
                "lsb": self.claim.lsb,
                "reason": self.claim.reason,
                "scope": self.claim.scope,
                "relative": self.claim.relative,
            },
        }

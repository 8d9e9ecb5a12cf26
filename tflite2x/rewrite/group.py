# SPDX-License-Identifier: Apache-2.0
"""Passes made of passes."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model


@dataclasses.dataclass(frozen=True)
class Group(Pass):
    """A pass that stands for a sequence of passes.

    A pipeline runs, verifies and reports the members one by one. A group can also be called like any pass.

    Attributes:
        max_rounds: 1 runs the members once. More repeats them until a whole round changes nothing, and gives up with an
            error after that many rounds.
    """

    max_rounds: ClassVar[int] = 1

    @abstractmethod
    def members(self) -> tuple[Pass, ...]:
        """Return the passes of this group in order."""

    def rounds(self) -> int:
        """Return the bound on the number of rounds."""
        return self.max_rounds

    def run(self, model: Model) -> PassResult:
        """Run the members; their interface changes, counts and reasons are put together."""
        from tflite2x.rewrite.pipeline import Pipeline

        total = PassResult()
        for result in Pipeline((self,)).apply(model):
            total.modified |= result.modified
            for what, number in result.counts.items():
                total.counts[what] = total.counts.get(what, 0) + number
            total.left_alone += [left for left in result.left_alone if left not in total.left_alone]
            total.replaced += result.replaced
            total.interface += result.interface
            total.claim = total.claim.combine(result.claim)
            total.successors += result.successors
        return total

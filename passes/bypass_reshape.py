# SPDX-License-Identifier: Apache-2.0
"""Let FULLY_CONNECTED read the tensor in front of a RESHAPE that only flattens.

::

    x [N, 7, 7, 8] -> RESHAPE [N, 392] -> FULLY_CONNECTED     ==>     x [N, 7, 7, 8] -> FULLY_CONNECTED

FULLY_CONNECTED takes any shape: it reads rows of as many values as a row of the weights has. A RESHAPE in front of it
makes no difference as long as the output keeps its shape, which it does unless ``keep_num_dims`` is set.

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from tflite2x.rewrite import sites
from tflite2x.rewrite.rule import PatternPass

if TYPE_CHECKING:
    from tflite2x.rewrite.builder import Builder
    from tflite2x.rewrite.matcher import Match


@dataclasses.dataclass(frozen=True)
class BypassReshape(PatternPass):
    """Let FULLY_CONNECTED read the tensor in front of a RESHAPE that only flattens."""

    name: ClassVar[str] = "bypass-reshape"

    def pattern(self, p: Any, x: Any, shape: Any, weights: Any, others: Any) -> Any:
        """RESHAPE in front of FULLY_CONNECTED."""
        flat = p.RESHAPE(x, p.rest(shape), op="reshape", out="flat", keep=True)
        return p.FULLY_CONNECTED(flat, weights, p.rest(others), op="fc", keep_num_dims=False)

    def check(self, m: Match) -> None:
        """Refuse where the rows would be others."""
        depth = m.weights.shape[-1]
        m.require(len(m.x.shape) >= 2, f"'{m.x.name}' has {len(m.x.shape)} dimensions, and runtimes want two or more")
        m.require(m.flat.shape[-1] == depth, f"'{m.flat.name}' has rows of {m.flat.shape[-1]}, the weights of {depth}")
        rows = m.x.num_elements // depth
        m.require(
            rows == m.flat.num_elements // depth and rows * depth == m.x.num_elements,
            f"'{m.x.name}' {list(m.x.shape)} has no {m.flat.num_elements // depth} rows of {depth}",
        )

    def describe(self, m: Match) -> str:
        """Name the RESHAPE."""
        return f"reads in front of {sites.place(m.reshape)}"

    def rewrite(self, m: Match, b: Builder) -> Any:
        """Read in front of the RESHAPE, which stays for others or is dead."""
        return b.copy(m.fc, m.x, m.weights, *m.others)

# SPDX-License-Identifier: Apache-2.0
r"""Remove operators whose results reach no output of their subgraph.

::

    x -> FULLY_CONNECTED -> y (output)                x -> FULLY_CONNECTED -> y (output)
     \-> RELU -> t -> NEG -> u (read by nothing) ==>

Operators with effects are never dead: they write variables, fill hash tables, draw random numbers, are custom operators
whose effects are unknown, or call a subgraph that does such things. They are reported when nothing reads their outputs.

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.passes._common import effect
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator


@dataclasses.dataclass(frozen=True)
class RemoveDeadOperators(Pass):
    """Remove operators whose results reach no output of their subgraph."""

    name: ClassVar[str] = "remove-dead-operators"

    def run(self, model: Model) -> PassResult:
        """Look at every subgraph."""
        result = PassResult()
        for graph in model.subgraphs:
            used = set(graph.outputs) | {
                tensor for s in model.signatures if s.subgraph is graph for tensor in s.outputs.values()
            }
            dead: list[Operator] = []
            for op in reversed(graph.operators):  # operators stand behind what they read
                reason = ""
                if used.isdisjoint(t for t in op.outputs if t is not None):
                    reason = effect(op)
                    if not reason and sites.allowed(op):
                        dead.append(op)
                        continue
                    if op.outputs and reason:
                        result.leave(op, f"nothing reads its outputs, but {reason}")
                used.update(t for t in op.inputs if t is not None)
            dead.reverse()
            for op in dead:
                result.replace(op, "removed: nothing reads its outputs")
            graph.remove_operators(dead)
            result.count("operators removed", len(dead))
        return result

# SPDX-License-Identifier: Apache-2.0
"""Remove tensors that nothing refers to.

::

    tensors: x, w, y, old weights, old bias              tensors: x, w, y
    x, w -> FULLY_CONNECTED -> y (output)        ==>     x, w -> FULLY_CONNECTED -> y (output)

A tensor stays when an operator reads, computes or lists it, when it belongs to the interface or to a signature, when it
holds the scales of another tensor, or when it is a variable (reported if nothing uses it).

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model


@dataclasses.dataclass(frozen=True)
class RemoveUnusedTensors(Pass):
    """Remove tensors that nothing refers to."""

    name: ClassVar[str] = "remove-unused-tensors"

    def run(self, model: Model) -> PassResult:
        """Look at every subgraph."""
        result = PassResult()
        for graph in model.subgraphs:
            while True:  # scales kept in tensors become unused with the tensor that they belong to
                used = graph.referenced_tensors()
                unused = [t for t in graph.tensors if t not in used]
                doomed = [t for t in unused if not t.is_variable]
                if not doomed:
                    break
                graph.remove_tensors(doomed)
                result.count("tensors removed", len(doomed))
            for tensor in unused:
                result.leave(tensor, "nothing uses it, but it is a variable")
        return result

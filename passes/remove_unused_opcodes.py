# SPDX-License-Identifier: Apache-2.0
"""Remove entries of the list of operator codes that no operator refers to.

::

    operators:  FULLY_CONNECTED, SOFTMAX                   operators:  FULLY_CONNECTED, SOFTMAX
    codes:      QUANTIZE, FULLY_CONNECTED, SOFTMAX   ==>   codes:      FULLY_CONNECTED, SOFTMAX

Runtimes on microcontrollers look up a kernel for every entry: an entry that is left over makes them refuse the model.

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
class RemoveUnusedOpcodes(Pass):
    """Remove entries of the list of operator codes that no operator refers to."""

    name: ClassVar[str] = "remove-unused-opcodes"

    def run(self, model: Model) -> PassResult:
        """Look at every operator code."""
        result = PassResult()
        used = {op.code for graph in model.subgraphs for op in graph.operators}
        for code in model.operator_codes:
            if code not in used:
                result.replace(f"operator_codes[{code.index}] ({code.name})", "removed: no operator refers to it")
                model.remove_operator_code(code)
                result.count("operator codes removed")
        return result

# SPDX-License-Identifier: Apache-2.0
r"""Remove what nothing uses: operators, tensors, buffers and operator codes.

Stands for ``remove-dead-operators,remove-unused-tensors,remove-unused-buffers,remove-unused-opcodes``::

    x -> FULLY_CONNECTED -> y (output)            x -> FULLY_CONNECTED -> y (output)
     \-> RELU -> t (used by nothing)      ==>
    buffers: 0, weights, old weights              buffers: 0, weights
    operator codes: FULLY_CONNECTED, RELU, ADD    operator codes: FULLY_CONNECTED

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.passes.remove_dead_operators import RemoveDeadOperators
from tflite2x.passes.remove_unused_buffers import RemoveUnusedBuffers
from tflite2x.passes.remove_unused_opcodes import RemoveUnusedOpcodes
from tflite2x.passes.remove_unused_tensors import RemoveUnusedTensors
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.group import Group


@dataclasses.dataclass(frozen=True)
class Cleanup(Group):
    """Remove what nothing uses: operators, tensors, buffers and operator codes."""

    name: ClassVar[str] = "cleanup"

    def members(self) -> tuple[Pass, ...]:
        """Return the passes of this group in order."""
        return RemoveDeadOperators(), RemoveUnusedTensors(), RemoveUnusedBuffers(), RemoveUnusedOpcodes()

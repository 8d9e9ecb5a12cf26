# SPDX-License-Identifier: Apache-2.0
"""Remove buffers that neither a tensor nor metadata refers to.

::

    0: (no data)                                        0: (no data)
    1: weights of FULLY_CONNECTED                ==>    1: weights of FULLY_CONNECTED
    2: weights of an operator that is gone
    3: metadata                                         2: metadata

Buffer 0 stays: by convention it is empty and stands for "no data". What shrinks the file are the bytes of constants
whose tensors earlier passes removed.

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
class RemoveUnusedBuffers(Pass):
    """Remove buffers that neither a tensor nor metadata refers to."""

    name: ClassVar[str] = "remove-unused-buffers"

    def run(self, model: Model) -> PassResult:
        """Look at every buffer but the first."""
        result = PassResult()
        used = model.used_buffers()
        doomed = [buffer for buffer in model.buffers[1:] if buffer not in used]
        freed = sum(buffer.nbytes for buffer in doomed)
        model.remove_buffers(doomed)
        result.count("buffers removed", len(doomed))
        result.count("bytes freed", freed)
        return result

# SPDX-License-Identifier: Apache-2.0
"""Let tensors with equal contents share one buffer, also across subgraphs.

::

    weights -> buffer 3 (1,000 bytes)                    weights -> buffer 3
    weights of another subgraph -> buffer 8 (equal)  ==> weights of another subgraph -> buffer 3

Buffers that nothing refers to any more are removed. Metadata keeps buffers of its own, variables are left alone.

Claim: exact.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, ClassVar

from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Buffer, Model


@dataclasses.dataclass(frozen=True)
class DedupeBuffers(Pass):
    """Let tensors with equal contents share one buffer, also across subgraphs."""

    name: ClassVar[str] = "dedupe-buffers"

    def run(self, model: Model) -> PassResult:
        """Compare all buffers of constants."""
        result = PassResult()
        first: dict[tuple[int, bytes], Buffer] = {}
        chosen: dict[Buffer, Buffer] = {}
        doubles: dict[Buffer, None] = {}
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                buffer = tensor.buffer
                if tensor.is_variable or buffer.data is None or not buffer.nbytes:
                    continue
                if buffer not in chosen:
                    key = buffer.nbytes, hashlib.blake2b(buffer.data, digest_size=16).digest()
                    chosen[buffer] = first.setdefault(key, buffer)
                    # A digest of 128 bits is no proof.
                    if chosen[buffer] is not buffer and chosen[buffer].data != buffer.data:
                        chosen[buffer] = buffer
                if chosen[buffer] is not buffer:
                    doubles[buffer] = None
                    tensor.buffer = chosen[buffer]
                    result.count("tensors share a buffer now")
        used = model.used_buffers()
        doomed = [b for b in doubles if b not in used and b is not model.buffers[0]]
        freed = sum(b.nbytes for b in doomed)
        model.remove_buffers(doomed)
        result.count("buffers removed", len(doomed))
        result.count("bytes freed", freed)
        return result

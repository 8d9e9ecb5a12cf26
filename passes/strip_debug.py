# SPDX-License-Identifier: Apache-2.0
"""Remove what only people read: names, ranges seen in training, descriptions, the converter's metadata.

::

    tensors: "model/dense/MatMul;model/dense/BiasAdd", ...   ==>   no names (inputs and outputs keep theirs)
    min, max of every tensor                                 ==>   -
    metadata: CONVERSION_METADATA, min_runtime_version       ==>   -

What it saves stands in the report. Metadata that programs read (``TFLITE_METADATA``, memory plans and whatever is not
known) stays, and is reported.

Options: ``names``, ``ranges`` and ``metadata`` choose what goes.

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model

#: Metadata that no runtime needs.
_REMOVABLE = {"CONVERSION_METADATA", "min_runtime_version", "tflite2x.recipe"}


@dataclasses.dataclass(frozen=True)
class StripDebug(Pass):
    """Remove names, ranges seen in training, and the converter's metadata.

    Attributes:
        names: Remove names of tensors and subgraphs, but not those of inputs and outputs.
        ranges: Remove the smallest and largest values seen in training.
        metadata: Remove the description and the converter's metadata.
    """

    name: ClassVar[str] = "strip-debug"
    names: bool = True
    ranges: bool = True
    metadata: bool = True

    def run(self, model: Model) -> PassResult:
        """Look at everything that has a name or a range."""
        result = PassResult()
        for graph in model.subgraphs:
            kept = {*graph.inputs, *graph.outputs}
            for tensor in graph.tensors:
                if self.names and tensor.name and tensor not in kept:
                    result.count("bytes of names removed", len(tensor.name.encode(errors="surrogateescape")))
                    tensor.name = None
                quantization = tensor.quantization
                if self.ranges and quantization is not None:
                    found = [x for x in (quantization.min, quantization.max) if x is not None]
                    result.count("bytes of ranges removed", sum(x.nbytes for x in found))
                    if found:
                        result.modified = True
                        quantization.min = quantization.max = None
        if self.metadata:
            self._strip_metadata(model, result)
        return result

    @staticmethod
    def _strip_metadata(model: Model, result: PassResult) -> None:
        if model.description:
            result.count("bytes of description removed", len(model.description.encode(errors="surrogateescape")))
            model.description = None
        for i, entry in enumerate(model.metadata):
            if entry.name not in _REMOVABLE:
                result.leave(f"metadata[{i}] ('{entry.name}')", "a program may read it")
                continue
            model.remove_metadata(entry)
            if entry.buffer not in model.used_buffers() and entry.buffer is not model.buffers[0]:
                model.remove_buffer(entry.buffer)
            result.count("metadata entries removed")

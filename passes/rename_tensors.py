# SPDX-License-Identifier: Apache-2.0
"""Give tensors other names.

::

    rename-tensors{old=[StatefulPartitionedCall:0] new=[scores]}
    rename-tensors{signature}        inputs and outputs get the names that the signature has for them
    rename-tensors{short}            every other tensor is called t0, t1, ... in the order of the file

Names of signatures are another thing and stay.

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model, Tensor


@dataclasses.dataclass(frozen=True)
class RenameTensors(Pass):
    """Give tensors other names.

    Attributes:
        old: Names that tensors have.
        new: Names that they get, in the same order.
        signature: Call inputs and outputs as the signature does.
        short: Call all other tensors t0, t1, ...
    """

    name: ClassVar[str] = "rename-tensors"
    old: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    signature: bool = False
    short: bool = False

    def __post_init__(self) -> None:
        if len(self.old) != len(self.new):
            raise ValueError(f"{len(self.old)} old names and {len(self.new)} new ones")
        twice = sorted({name for name in self.old if self.old.count(name) > 1})
        if twice:
            raise ValueError(f"'{twice[0]}' stands twice among the old names")

    def requires(self, model: Model) -> None:
        """Every old name exists, and no new one is taken."""
        names = {t.name for graph in model.subgraphs for t in graph.tensors}
        # A second run finds the new names: that is no error.
        for old, new in zip(self.old, self.new, strict=True):
            if old not in names and new not in names:
                raise self.error(f"no tensor is called '{old}'", hint="'tflite2x inspect' lists the names.")

        for graph in model.subgraphs:
            present = {t.name for t in graph.tensors}
            for old, new in zip(self.old, self.new, strict=True):
                if old in present and new in present and new not in self.old:
                    raise self.error(f"'{old}' cannot be called '{new}': there is another tensor of that name")

    def run(self, model: Model) -> PassResult:
        """Rename in every subgraph."""
        result = PassResult()
        table = dict(zip(self.old, self.new, strict=True))
        wanted: dict[Tensor, str] = {}
        if self.signature:
            for signature in model.signatures:
                for alias, tensor in (*signature.inputs.items(), *signature.outputs.items()):
                    wanted.setdefault(tensor, alias)
        for graph in model.subgraphs:
            interface = {*graph.inputs, *graph.outputs}
            reserved = {*self.new, *(wanted.get(t) or table.get(t.name or "", t.name) for t in interface)}
            for i, tensor in enumerate(graph.tensors):
                name: str | None = wanted.get(tensor) or table.get(tensor.name or "", tensor.name)
                if self.short and tensor not in interface and tensor.name not in table and tensor.name not in self.new:
                    name = f"t{i}"
                    while name in reserved:
                        name += "_"
                if name != tensor.name:
                    result.count("tensors renamed")
                    tensor.name = name
        return result

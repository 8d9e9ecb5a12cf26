# SPDX-License-Identifier: Apache-2.0
"""Signatures: named entry points of a model, and named metadata."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tflite2x.ir.buffer import Buffer
from tflite2x.schema.table import Extras

if TYPE_CHECKING:
    from tflite2x.ir.subgraph import Subgraph
    from tflite2x.ir.tensor import Tensor


@dataclasses.dataclass(eq=False, slots=True)
class SignatureEntry:
    """A signature's name for a tensor.

    Attributes:
        name: The name, or None when the file has none.
        tensor: The tensor.
        extras: What the file says beyond the values.
    """

    name: str | None
    tensor: Tensor
    extras: Extras | None = dataclasses.field(default=None, repr=False)


class Signature:
    """A named entry point: a subgraph with names for its inputs and outputs.

    Entries hold tensors, so they follow every edit of the interface.

    Attributes:
        key: Name of the signature, or None when the file has none.
        subgraph: The subgraph that it runs.
        input_entries: Names of the inputs.
        output_entries: Names of the outputs.
    """

    __slots__ = ("absent", "deprecated_tag", "extras", "input_entries", "key", "output_entries", "subgraph")

    def __init__(self, key: str | None, subgraph: Subgraph) -> None:
        self.key = key
        self.subgraph = subgraph
        self.input_entries: list[SignatureEntry] = []
        self.output_entries: list[SignatureEntry] = []
        self.deprecated_tag: str | None = None
        self.absent: frozenset[str] = frozenset()
        self.extras: Extras | None = None

    @property
    def inputs(self) -> dict[str, Tensor]:
        """Name -> input tensor."""
        return {entry.name or "": entry.tensor for entry in self.input_entries}

    @property
    def outputs(self) -> dict[str, Tensor]:
        """Name -> output tensor."""
        return {entry.name or "": entry.tensor for entry in self.output_entries}

    def _update(self, side: str, gone: set[Tensor], new: Iterable[Tensor]) -> None:
        """Drop the entries of tensors that left the interface and name those that came."""
        entries = self.input_entries if side == "input" else self.output_entries
        entries[:] = [e for e in entries if e.tensor not in gone]
        taken = {e.name for e in entries}
        for tensor in new:
            base = name = tensor.name or f"{side}_{len(entries)}"
            number = 1
            while name in taken:
                name, number = f"{base}_{number}", number + 1
            taken.add(name)
            entries.append(SignatureEntry(name, tensor))

    def __repr__(self) -> str:
        return f"<Signature {self.key!r}: {list(self.inputs)} -> {list(self.outputs)}>"


@dataclasses.dataclass(eq=False, slots=True)
class Metadata:
    """Named bytes.

    Attributes:
        name: The name, or None when the file has none.
        buffer: Where the bytes are.
        extras: What the file says beyond the values.
    """

    name: str | None
    buffer: Buffer
    extras: Extras | None = dataclasses.field(default=None, repr=False)

    @property
    def data(self) -> bytes:
        """The bytes; empty when the buffer has none."""
        return bytes(self.buffer.data) if self.buffer.data is not None else b""

# SPDX-License-Identifier: Apache-2.0
"""The model: subgraphs and what they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from tflite2x.errors import GraphError
from tflite2x.ir.buffer import Buffer, ExternalBuffer, ExternalBufferGroup
from tflite2x.ir.operator import SUBGRAPH_FIELDS, Operator, OperatorCode
from tflite2x.ir.signature import Metadata, Signature, SignatureEntry
from tflite2x.ir.subgraph import Subgraph
from tflite2x.ir.tensor import Tensor
from tflite2x.schema.enums import BuiltinOperator
from tflite2x.schema.table import Bytes, Extras


class Model:
    """A TFLite model that can be edited.

    ``subgraphs``, ``buffers``, ``operator_codes``, ``signatures`` and ``metadata`` are tuples; they change through
    the methods below, which refuse what would leave something dangling.

    Attributes:
        version: Version of the schema; 3.
        description: Free text, or None.
        path: The file that the model was loaded from, or None.
        trailing: Bytes behind the flatbuffer, such as a zip with associated files.
        external_buffer_groups: Files beside the model.
        external_buffers: Slices of these files.
        metadata_buffer: Buffers of metadata without names, in old files.
    """

    def __init__(self) -> None:
        """Make a model without anything in it; ``Model.new()`` makes one that is ready to build on."""
        self.version = 3
        self.description: str | None = None
        self.path: Path | None = None
        self.trailing: Bytes = b""
        self.external_buffer_groups: list[ExternalBufferGroup] = []
        self.external_buffers: list[ExternalBuffer] = []
        self.metadata_buffer: list[Buffer] = []
        self._subgraphs: list[Subgraph] = []
        self._buffers: list[Buffer] = []
        self._operator_codes: list[OperatorCode] = []
        self._signatures: list[Signature] = []
        self._metadata: list[Metadata] = []
        self._buffer_indices: dict[Buffer, int] | None = None
        self.absent: frozenset[str] = frozenset(
            {"metadata_buffer", "metadata", "signature_defs", "external_buffer_groups", "external_buffers"}
        )
        self.extras: Extras | None = None
        #: slots and union types that this version does not know, by table name
        self.unknown: dict[str, tuple[int, ...]] = {}

    @classmethod
    def new(cls, description: str | None = None) -> Model:
        """Make a model with one empty subgraph, ``main``, and the empty buffer 0 that files begin with."""
        model = cls()
        model.description = description
        model.add_buffer(None)
        model.add_subgraph("main")
        return model

    @classmethod
    def build(
        cls,
        opcode: BuiltinOperator | int | str,
        inputs: Sequence[Mapping[str, Any] | ArrayLike | None],
        outputs: Sequence[Mapping[str, Any]],
        options: Any = None,
        *,
        custom_options: Bytes | None = None,
        version: int = 1,
    ) -> Model:
        """Make a model of one operator.

        Args:
            opcode: Builtin operator, its name, or a custom code.
            inputs: For each input the arguments of ``add_input``, as a dict; with ``data`` the arguments of
                ``add_constant`` (``data`` is the array); just an array for a constant without quantization; None for
                an optional input that is absent. Names may be left out.
            outputs: For each output the arguments of ``add_tensor``, as a dict.
            options: Dataclass of ``tflite2x.schema.tables``.
            custom_options: Bytes of a custom operator's options.
            version: Version of the operator.

        Example:
            >>> Model.build("RELU", [dict(shape=(1, 4), dtype="float32")], [dict(shape=(1, 4), dtype="float32")])
        """
        model = cls.new()
        graph = model.main
        tensors: list[Tensor | None] = []
        for i, given in enumerate(inputs):
            if given is None:
                tensors.append(None)
            elif not isinstance(given, Mapping):
                tensors.append(graph.add_constant(f"input_{i}", given))
            else:
                named = {"name": f"input_{i}", **given}
                if "data" in named:
                    tensors.append(graph.add_constant(named.pop("name"), named.pop("data"), **named))
                else:
                    tensors.append(graph.add_input(**named))
        results = [graph.add_tensor(**{"name": f"output_{i}", **given}) for i, given in enumerate(outputs)]
        graph.add_operator(opcode, tensors, results, options, custom_options=custom_options, version=version)
        graph.set_outputs(results)
        return model

    # --- looking ---------------------------------------------------------------------------------------------------

    @property
    def subgraphs(self) -> tuple[Subgraph, ...]:
        """The graphs; the first one is the main graph."""
        return tuple(self._subgraphs)

    @property
    def main(self) -> Subgraph:
        """The first subgraph.

        Raises:
            GraphError: There is none.
        """
        if not self._subgraphs:
            raise GraphError("the model has no subgraph", where=str(self.path or ""))
        return self._subgraphs[0]

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The buffers; the first one is empty by convention."""
        return tuple(self._buffers)

    @property
    def operator_codes(self) -> tuple[OperatorCode, ...]:
        """The kinds of operators, used or not."""
        return tuple(self._operator_codes)

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """The named entry points."""
        return tuple(self._signatures)

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        """Named bytes."""
        return tuple(self._metadata)

    def _buffer_index(self, buffer: Buffer) -> int:
        if self._buffer_indices is None:
            self._buffer_indices = {b: i for i, b in enumerate(self._buffers)}
        return self._buffer_indices[buffer]

    def _sentinel(self) -> Buffer:
        """Return the buffer of tensors without data, which is the first one by convention."""
        for buffer in self._buffers[:1]:
            if buffer.data is None:
                return buffer
        return self.add_buffer(None)

    def _buffer_users(self, buffer: Buffer) -> int:
        return sum(1 for user in self._buffer_references() if user is buffer)

    def _buffer_references(self) -> Iterable[Buffer]:
        for subgraph in self._subgraphs:
            for t in subgraph._tensors:
                yield t._buffer
        for entry in self._metadata:
            yield entry.buffer
        yield from self.metadata_buffer

    def used_buffers(self) -> set[Buffer]:
        """Return the buffers that a tensor or metadata refers to."""
        return set(self._buffer_references())

    # --- adding ----------------------------------------------------------------------------------------------------

    def add_subgraph(self, name: str | None = None) -> Subgraph:
        """Add an empty subgraph behind the others."""
        subgraph = Subgraph(self, name)
        self._subgraphs.append(subgraph)
        return subgraph

    def add_buffer(self, data: Bytes | None) -> Buffer:
        """Add a buffer; None makes one without bytes."""
        buffer = Buffer(data)
        buffer._model = self
        if self._buffer_indices is not None:
            self._buffer_indices[buffer] = len(self._buffers)
        self._buffers.append(buffer)
        return buffer

    def operator_code(self, opcode: BuiltinOperator | int | str, version: int = 1) -> OperatorCode:
        """Return the code of a kind of operator; add it when the model has none yet.

        Args:
            opcode: Builtin operator, its name, or a custom code.
            version: Version of the operator.
        """
        number, custom = _kind(opcode)
        for code in self._operator_codes:
            if (code.opcode, code.custom_code, code.version) == (number, custom, version):
                return code
        code = OperatorCode(number, custom, version)
        code._model = self
        self._operator_codes.append(code)
        return code

    def add_signature(
        self, key: str, subgraph: Subgraph, *, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
    ) -> Signature:
        """Add a named entry point.

        Raises:
            GraphError: The name is taken, or a tensor lives elsewhere; nothing was added.
        """
        if any(s.key == key for s in self._signatures):
            raise GraphError(f"there is a signature {key!r} already")
        if subgraph._model is not self:
            raise GraphError(f"{subgraph!r} is not in this model")
        subgraph._check_tensors([*inputs.values(), *outputs.values()], f"signature {key!r}", optional=False)
        signature = Signature(key, subgraph)
        signature.input_entries = [SignatureEntry(n, t) for n, t in inputs.items()]
        signature.output_entries = [SignatureEntry(n, t) for n, t in outputs.items()]
        self._signatures.append(signature)
        return signature

    def add_metadata(self, name: str, data: Bytes) -> Metadata:
        """Add named bytes with a buffer of their own."""
        entry = Metadata(name, self.add_buffer(data))
        self._metadata.append(entry)
        return entry

    # --- removing --------------------------------------------------------------------------------------------------

    def remove_buffer(self, buffer: Buffer) -> None:
        """Remove a buffer that nothing refers to.

        Raises:
            GraphError: It is used, or is the first one; nothing was changed.
        """
        self.remove_buffers([buffer])

    def remove_buffers(self, buffers: Iterable[Buffer]) -> None:
        """Remove buffers that nothing refers to.

        Raises:
            GraphError: One of them is used, or is the first one; nothing was changed.
        """
        doomed = dict.fromkeys(buffers)
        used = self.used_buffers()
        for buffer in doomed:
            if buffer.model is not self:
                raise GraphError(f"{buffer!r} is not in this model")
            if buffer in used:
                raise GraphError("the buffer is still used", where=f"buffers[{buffer.index}]")
            if buffer is self._buffers[0]:
                raise GraphError("the first buffer stays", where="buffers[0]", hint="Tensors without data refer to it.")
        self._buffers = [b for b in self._buffers if b not in doomed]
        self._buffer_indices = None
        for buffer in doomed:
            buffer._model = None

    def remove_operator_code(self, code: OperatorCode) -> None:
        """Remove a kind of operator that no operator has.

        Raises:
            GraphError: It is used or lives elsewhere; nothing was changed.
        """
        if code._model is not self:
            raise GraphError(f"{code!r} is not in this model")
        for subgraph in self._subgraphs:
            for op in subgraph._operators:
                if op._code is code:
                    raise GraphError("the operator code is still used", where=op.where)
        self._operator_codes = [c for c in self._operator_codes if c is not code]
        code._model = None

    def remove_signature(self, signature: Signature) -> None:
        """Remove a named entry point."""
        self._signatures = [s for s in self._signatures if s is not signature]

    def remove_metadata(self, entry: Metadata) -> None:
        """Remove named bytes; the buffer stays until ``remove_buffer``."""
        self._metadata = [m for m in self._metadata if m is not entry]

    def remove_subgraph(self, subgraph: Subgraph) -> None:
        """Remove a subgraph that nothing calls; operators that call others keep calling them.

        Raises:
            GraphError: It is called, a signature runs it, or it lives elsewhere; nothing was changed.
        """
        if subgraph._model is not self:
            raise GraphError(f"{subgraph!r} is not in this model")
        for op in self._all_operators():
            if subgraph is not op._subgraph and subgraph in op.calls.values():
                raise GraphError("the subgraph is still called", where=op.where)
        for signature in self._signatures:
            if signature.subgraph is subgraph:
                raise GraphError(f"signature {signature.key!r} runs the subgraph", where=subgraph.where)
        self.set_subgraphs([s for s in self._subgraphs if s is not subgraph])
        subgraph._model = None

    def set_subgraphs(self, subgraphs: Sequence[Subgraph]) -> None:
        """Reorder the subgraphs; those left out go. The options of calling operators follow.

        Raises:
            GraphError: An operator that stays calls one that goes; nothing was changed.
        """
        new = {s: i for i, s in enumerate(subgraphs)}
        old = self._subgraphs
        for s in subgraphs:
            for op in s._operators:
                for name, index in op._called():
                    if 0 <= index < len(old) and old[index] not in new:
                        raise GraphError(f"{name} calls a subgraph that would go", where=op.where)
        for s in subgraphs:
            for op in s._operators:
                for options in (op.options, op.other_options):
                    for field in SUBGRAPH_FIELDS.get(type(options).__name__, ()):
                        value = getattr(options, field)
                        if isinstance(value, int):
                            setattr(options, field, new[old[value]])
                        elif value is not None:
                            setattr(options, field, tuple(new[old[v]] for v in value))
        self._subgraphs = list(subgraphs)

    def _all_operators(self) -> Iterable[Operator]:
        for subgraph in self._subgraphs:
            yield from subgraph._operators

    # --- whole model -----------------------------------------------------------------------------------------------

    def clone(self) -> Model:
        """Return a deep copy that shares the bytes of the buffers."""
        from tflite2x.ir.cloning import clone

        return clone(self)

    def restore(self, snapshot: Model) -> None:
        """Become what ``snapshot`` is, for example after a failed edit.

        Everything in this model is replaced by what ``snapshot`` holds; ``snapshot`` must not be used afterwards, and
        tensors and operators of before no longer belong to a model.
        """
        for old in self._subgraphs:
            old._model = None  # so that a tensor or operator of before says that it was removed
        self.__dict__.update(snapshot.__dict__)
        for subgraph in self._subgraphs:
            subgraph._model = self
        for buffer in self._buffers:
            buffer._model = self
        for code in self._operator_codes:
            code._model = self

    def check(self) -> None:
        """Check every invariant.

        Raises:
            GraphError: One is broken; says where.
        """
        from tflite2x.ir.checking import check

        check(self)

    def __repr__(self) -> str:
        return f"<Model {str(self.path) if self.path else ''}: {len(self._subgraphs)} subgraphs>"


def _kind(opcode: BuiltinOperator | int | str) -> tuple[BuiltinOperator | int, str | None]:
    """Return the number and the custom code that an operator's name or number stands for."""
    if isinstance(opcode, str):
        if opcode in BuiltinOperator.__members__ and opcode != "CUSTOM":
            return BuiltinOperator[opcode], None
        return BuiltinOperator.CUSTOM, opcode
    if opcode == BuiltinOperator.CUSTOM:
        raise GraphError("a custom operator needs its name", hint="Give the custom code instead of CUSTOM.")
    return opcode, None

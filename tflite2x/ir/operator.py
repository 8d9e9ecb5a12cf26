# SPDX-License-Identifier: Apache-2.0
"""Operators, and the codes that name their kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tflite2x.errors import FormatError, GraphError
from tflite2x.schema.enums import BuiltinOperator
from tflite2x.schema.table import Bytes, Extras, Table

if TYPE_CHECKING:
    from tflite2x.ir.model import Model
    from tflite2x.ir.subgraph import Subgraph
    from tflite2x.ir.tensor import Tensor

#: Options fields that hold the index of a subgraph.
SUBGRAPH_FIELDS: dict[str, tuple[str, ...]] = {
    "IfOptions": ("then_subgraph_index", "else_subgraph_index"),
    "WhileOptions": ("cond_subgraph_index", "body_subgraph_index"),
    "CallOnceOptions": ("init_subgraph_index",),
    "CallOptions": ("subgraph",),
    "StableHLOCompositeOptions": ("decomposition_subgraph_index",),
    "StablehloWhileOptions": ("cond_subgraph_index", "body_subgraph_index"),
    "StablehloReduceOptions": ("body_subgraph_index",),
    "StablehloReduceWindowOptions": ("body_subgraph_index",),
    "StablehloSortOptions": ("comparator_subgraph_index",),
    "StablehloScatterOptions": ("update_computation_subgraph_index",),
    "StablehloCaseOptions": ("branch_subgraph_indices",),
    "StablehloCustomCallOptions": ("called_computations",),
}
#: The field of old files holds 7 bits; larger numbers leave this marker there.
_PLACEHOLDER = int(BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)


class OperatorCode:
    """A kind of operator as the file lists it: number, custom name and version.

    Attributes:
        builtin_code: The operator's number in new files.
        deprecated_builtin_code: The operator's number in files from before 2021.
        custom_code: Name of a custom operator, or None.
        version: Version of the operator.
    """

    __slots__ = ("_model", "builtin_code", "custom_code", "deprecated_builtin_code", "extras", "version")

    def __init__(self, opcode: BuiltinOperator | int, custom_code: str | None = None, version: int = 1) -> None:
        self._model: Model | None = None
        self.builtin_code: BuiltinOperator | int = opcode
        self.deprecated_builtin_code = min(int(opcode), _PLACEHOLDER)
        self.custom_code = custom_code
        self.version = version
        self.extras: Extras | None = None

    @property
    def opcode(self) -> BuiltinOperator | int:
        """The operator: the larger of the two numbers, as every runtime reads it; a plain int when it is unknown."""
        if self.deprecated_builtin_code <= int(self.builtin_code):
            return self.builtin_code
        return BuiltinOperator._value2member_map_.get(self.deprecated_builtin_code, self.deprecated_builtin_code)  # type: ignore[return-value]

    @property
    def name(self) -> str:
        """``CONV_2D``, or the custom name."""
        opcode = self.opcode
        if opcode == BuiltinOperator.CUSTOM:
            return self.custom_code or "CUSTOM"
        return opcode.name if isinstance(opcode, BuiltinOperator) else f"operator {opcode}"

    @property
    def index(self) -> int:
        """Position in ``model.operator_codes``."""
        assert self._model is not None
        return next(i for i, c in enumerate(self._model._operator_codes) if c is self)

    def __repr__(self) -> str:
        return f"<OperatorCode {self.name} version {self.version}>"


class Operator:
    """One operator of a subgraph. Made by ``Subgraph.add_operator``.

    Attributes:
        options: Dataclass of ``tflite2x.schema.tables`` with the options of a builtin operator, or None.
        custom_options: Bytes of a custom operator's options, or None.
        custom_options_format: Format of ``custom_options``; 0 is a flexbuffer.
        mutating_variable_inputs: Which inputs the operator changes, or None.
        debug_metadata_index: Entry of the debug metadata; -1 for none.
    """

    __slots__ = ("_code", "_inputs", "_intermediates", "_outputs", "_rank", "_subgraph", "absent", "custom_options",
                 "custom_options_format", "debug_metadata_index", "extras", "large_custom_options",
                 "mutating_variable_inputs", "options", "other_options", "unknown_options")  # fmt: skip

    def __init__(self, subgraph: Subgraph, code: OperatorCode) -> None:
        self._subgraph: Subgraph | None = subgraph
        self._code = code
        self._rank = 0
        self._inputs: tuple[Tensor | None, ...] = ()
        self._outputs: tuple[Tensor | None, ...] = ()
        self.options: Any = None
        self.custom_options: Bytes | None = None
        self.custom_options_format = 0
        self.mutating_variable_inputs: Sequence[bool] | None = None
        self._intermediates: tuple[Tensor | None, ...] = ()
        self.debug_metadata_index = -1
        #: the custom options lie behind the flatbuffer
        self.large_custom_options = False
        #: a file may store both unions, or options of another operator: what does not count is kept here
        self.other_options: Table | None = None
        #: (union, type number) stored without a value that this version understands
        self.unknown_options: tuple[tuple[str, int], ...] = ()
        self.absent: frozenset[str] = frozenset({"intermediates"})
        self.extras: Extras | None = None

    @property
    def subgraph(self) -> Subgraph:
        """The subgraph that holds the operator."""
        if self._subgraph is None:
            raise GraphError(f"operator {self.name} was removed from its subgraph")
        return self._subgraph

    @property
    def intermediates(self) -> tuple[Tensor | None, ...]:
        """Scratch tensors that carry quantization."""
        return self._intermediates

    @intermediates.setter
    def intermediates(self, tensors: Sequence[Tensor | None]) -> None:
        self._intermediates = tuple(tensors)
        for tensor in self._intermediates:
            if tensor is not None:
                tensor._aside = True

    @property
    def index(self) -> int:
        """Position in ``subgraph.operators``; changes with edits."""
        return self.subgraph._operator_index(self)

    @property
    def where(self) -> str:
        """The place for messages, such as ``subgraphs[0].operators[3] (CONV_2D)``."""
        if self._subgraph is None:
            return f"removed operator {self.name}"
        return f"{self._subgraph.where}.operators[{self.index}] ({self.name})"

    @property
    def code(self) -> OperatorCode:
        """The kind of the operator."""
        return self._code

    @property
    def opcode(self) -> BuiltinOperator | int:
        """The operator, CUSTOM for custom ones."""
        return self._code.opcode

    @property
    def custom_code(self) -> str | None:
        """Name of a custom operator."""
        return self._code.custom_code

    @property
    def version(self) -> int:
        """Version of the operator."""
        return self._code.version

    @property
    def name(self) -> str:
        """``CONV_2D``, or the custom name."""
        return self._code.name

    @property
    def inputs(self) -> tuple[Tensor | None, ...]:
        """The tensors read; None stands for an optional input that is absent."""
        return self._inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors computed."""
        return self._outputs  # type: ignore[return-value]  # None only in files that leave out an output

    @property
    def calls(self) -> dict[str, Subgraph]:
        """The subgraphs that the options refer to, by the name of the field."""
        if self.other_options is None and type(self.options).__name__ not in SUBGRAPH_FIELDS:
            return {}  # nearly always, and asked often
        found = {}
        for name, index in self._called():
            found[name] = self.subgraph.model.subgraphs[index]
        return found

    def _called(self) -> Iterator[tuple[str, int]]:
        for options in (self.options, self.other_options):
            for field in SUBGRAPH_FIELDS.get(type(options).__name__, ()):
                value = getattr(options, field)
                if isinstance(value, int):
                    yield field, value
                else:
                    yield from ((f"{field}[{i}]", index) for i, index in enumerate(value or ()))

    @property
    def custom_values(self) -> Any:
        """The custom options as Python values, decoded from a FlexBuffer; None when there are none.

        Setting it encodes the values (a dict, usually) again.

        Raises:
            FormatError: The custom options are not a FlexBuffer.
        """
        if self.custom_options is None or not len(self.custom_options):
            return None
        from tflite2x.schema import flexbuffers

        try:
            return flexbuffers.decode(self.custom_options)
        except FormatError as e:
            raise e.at(f"{self.where}.custom_options") from None

    @custom_values.setter
    def custom_values(self, values: Any) -> None:
        from tflite2x.schema import flexbuffers

        self.custom_options = None if values is None else flexbuffers.encode(values)

    def set_code(self, opcode: BuiltinOperator | int | str, version: int | None = None) -> None:
        """Make this an operator of another kind; options and tensors stay as they are.

        Args:
            opcode: Builtin operator, its name, or a custom code.
            version: Version; the present one when None.
        """
        self._code = self.subgraph.model.operator_code(opcode, self.version if version is None else version)

    def set_input(self, index: int, tensor: Tensor | None) -> None:
        """Read another tensor at one position.

        Raises:
            GraphError: There is no such position, the tensor lives elsewhere, or a cycle would arise.
        """
        if not 0 <= index < len(self._inputs):
            raise GraphError(
                f"no input {index}, the operator has {len(self._inputs)}",
                where=self.where,
                hint="Use set_inputs to change the number of inputs.",
            )
        self.set_inputs([*self._inputs[:index], tensor, *self._inputs[index + 1 :]])

    def set_inputs(self, tensors: Sequence[Tensor | None]) -> None:
        """Read other tensors.

        Raises:
            GraphError: A tensor lives elsewhere, or a cycle would arise; nothing was changed.
        """
        self.subgraph._rewire_inputs(self, tuple(tensors))

    def set_output(self, index: int, tensor: Tensor) -> None:
        """Compute another tensor at one position; the old one is left without a producer.

        Raises:
            GraphError: There is no such position, or the tensor cannot have this producer; nothing was changed.
        """
        if not 0 <= index < len(self._outputs):
            raise GraphError(
                f"no output {index}, the operator has {len(self._outputs)}",
                where=self.where,
                hint="Use set_outputs to change the number of outputs.",
            )
        self.set_outputs([*self._outputs[:index], tensor, *self._outputs[index + 1 :]])

    def set_outputs(self, tensors: Sequence[Tensor | None]) -> None:
        """Compute other tensors.

        Raises:
            GraphError: A tensor lives elsewhere, has another producer, is a graph input, or a cycle would arise;
                nothing was changed.
        """
        self.subgraph._rewire_outputs(self, tuple(tensors))

    def __repr__(self) -> str:
        outputs = ", ".join(repr(t.name) if t else "-" for t in self._outputs)
        return f"<Operator {self.name} -> {outputs}>"

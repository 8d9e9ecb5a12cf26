# SPDX-License-Identifier: Apache-2.0
"""Subgraphs: tensors, operators in order of execution, and the interface.

Every edit is checked first and refused whole when it would break an invariant: a tensor has at most one producer,
operators stand behind what they read, there is no cycle, nothing refers to what was removed, and ``producer`` and
``uses`` of each tensor say the same as ``inputs`` and ``outputs`` of each operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tflite2x.errors import GraphError
from tflite2x.ir import dtypes, ordering
from tflite2x.ir.operator import Operator
from tflite2x.ir.quantization import BlockQuantization, Quantization
from tflite2x.ir.tensor import Tensor
from tflite2x.schema.enums import BuiltinOperator, TensorType
from tflite2x.schema.table import Bytes, Extras

if TYPE_CHECKING:
    import networkx

    from tflite2x.ir.model import Model


class Subgraph:
    """One graph of a model. Made by ``Model.add_subgraph``.

    ``tensors``, ``operators``, ``inputs`` and ``outputs`` are tuples: a loop over one of them sees the graph as it was
    when the loop began, whatever is edited meanwhile.

    Attributes:
        name: Name, or None.
        debug_metadata_index: Entry of the debug metadata; -1 for none.
    """

    __slots__ = ("_inputs", "_model", "_operator_indices", "_operators", "_operators_view", "_outputs",
                 "_tensor_indices", "_tensors", "_tensors_view", "absent", "debug_metadata_index", "extras",
                 "name")  # fmt: skip

    def __init__(self, model: Model, name: str | None = None) -> None:
        self._model: Model | None = model
        self.name = name
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()
        self.debug_metadata_index = -1
        self.absent: frozenset[str] = frozenset()
        self.extras: Extras | None = None
        # Derived from the lists; None until somebody asks.
        self._tensors_view: tuple[Tensor, ...] | None = None
        self._operators_view: tuple[Operator, ...] | None = None
        self._tensor_indices: dict[Tensor, int] | None = None
        self._operator_indices: dict[Operator, int] | None = None

    # --- looking ---------------------------------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The model that holds the subgraph."""
        if self._model is None:
            raise GraphError(f"subgraph {self.name!r} was removed from its model")
        return self._model

    @property
    def index(self) -> int:
        """Position in ``model.subgraphs``; changes with edits."""
        return next(i for i, s in enumerate(self.model._subgraphs) if s is self)

    @property
    def where(self) -> str:
        """The place for messages, such as ``subgraphs[0]``."""
        return "removed subgraph" if self._model is None else f"subgraphs[{self.index}]"

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, used or not."""
        if self._tensors_view is None:
            self._tensors_view = tuple(self._tensors)
        return self._tensors_view

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators in order of execution."""
        if self._operators_view is None:
            self._operators_view = tuple(self._operators)
        return self._operators_view

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The interface's inputs in order."""
        return self._inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The interface's outputs in order."""
        return self._outputs

    def tensor(self, name: str) -> Tensor:
        """Return the first tensor with this name.

        Raises:
            GraphError: There is none.
        """
        for tensor in self._tensors:
            if tensor.name == name:
                return tensor
        raise GraphError(f"no tensor is called {name!r}", where=self.where)

    def to_networkx(self) -> networkx.MultiDiGraph[Any]:
        """Return a view for analyses: operators and tensors are nodes, edges carry the position as ``index``."""
        from tflite2x.ir.views import to_networkx

        return to_networkx(self)

    def _forget(self) -> None:
        """Drop what was derived from the lists."""
        self._tensors_view = self._operators_view = None
        self._tensor_indices = self._operator_indices = None

    def _tensor_index(self, tensor: Tensor) -> int:
        if self._tensor_indices is None:
            self._tensor_indices = {t: i for i, t in enumerate(self._tensors)}
        return self._tensor_indices[tensor]

    def _operator_index(self, op: Operator) -> int:
        if self._operator_indices is None:
            self._operator_indices = {o: i for i, o in enumerate(self._operators)}
        return self._operator_indices[op]

    # --- adding ----------------------------------------------------------------------------------------------------

    def add_tensor(
        self,
        name: str | None,
        shape: Sequence[int],
        dtype: TensorType | int | str,
        *,
        scale: ArrayLike | None = None,
        zero_point: ArrayLike = 0,
        quantized_dimension: int = 0,
        quantization: Quantization | None = None,
        shape_signature: Sequence[int] | None = None,
        is_variable: bool = False,
    ) -> Tensor:
        """Add a tensor that nothing computes or reads yet.

        Args:
            name: Name.
            shape: Length of each dimension.
            dtype: A TensorType or its name, such as ``int8``.
            scale: One scale, or one for each channel; None for a tensor without quantization.
            zero_point: One zero point, or one for each channel.
            quantized_dimension: Axis of per-channel scales.
            quantization: Instead of the three above: a ready quantization, which is copied.
            shape_signature: Shape with -1 for unknown dimensions.
            is_variable: Whether the tensor keeps its value between calls.
        """
        tensor = Tensor(self, name, [int(d) for d in shape], dtypes.tensor_type(dtype), self.model._sentinel())
        if quantization is not None:
            tensor.quantization = quantization.clone()
        elif scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            zero_points = np.broadcast_to(np.asarray(zero_point, np.int64), scales.shape)
            tensor.quantization = Quantization(scales, zero_points, quantized_dimension)
        tensor.shape_signature = None if shape_signature is None else tuple(shape_signature)
        tensor.is_variable = is_variable
        self._tensors.append(tensor)
        self._forget()
        return tensor

    def add_constant(
        self, name: str | None, array: ArrayLike, *, dtype: TensorType | int | str | None = None, **quantization: Any
    ) -> Tensor:
        """Add a constant with a buffer of its own.

        Args:
            name: Name.
            array: The values.
            dtype: Element type; the array's own type when None. INT4 and INT2 take int8 arrays.
            **quantization: ``scale``, ``zero_point``, ``quantized_dimension`` or ``quantization`` as in ``add_tensor``.

        Raises:
            GraphError: The values do not fit the type; nothing was added.
        """
        values: NDArray[Any] = np.asarray(array)
        kind = dtypes.element_type(values) if dtype is None else dtypes.tensor_type(dtype)
        contents = dtypes.pack(values, kind)
        tensor = self.add_tensor(name, values.shape, kind, **quantization)
        tensor._buffer = self.model.add_buffer(contents)
        return tensor

    def add_input(self, name: str | None, shape: Sequence[int], dtype: TensorType | int | str, **kwargs: Any) -> Tensor:
        """Add a tensor as the last input of the interface; arguments as in ``add_tensor``."""
        tensor = self.add_tensor(name, shape, dtype, **kwargs)
        self._inputs = (*self._inputs, tensor)
        return tensor

    def add_operator(
        self,
        opcode: BuiltinOperator | int | str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
        options: Any = None,
        *,
        custom_options: Bytes | None = None,
        version: int = 1,
        before: Operator | None = None,
        index: int | None = None,
    ) -> Operator:
        """Add an operator.

        Args:
            opcode: Builtin operator, its name, or a custom code.
            inputs: The tensors it reads; None for an optional input that is absent.
            outputs: The tensors it computes; they have no producer yet.
            options: Dataclass of ``tflite2x.schema.tables``.
            custom_options: Bytes of a custom operator's options.
            version: Version of the operator.
            before: Stand before this operator.
            index: Stand at this position; by default at the end, or before the first consumer of an output.

        Raises:
            GraphError: A tensor lives elsewhere, an output has a producer or is a graph input, or a cycle would
                arise; nothing was changed.
        """
        where = f"{self.where}: new operator {opcode}"
        self._check_tensors(inputs, where)
        self._check_outputs(None, outputs, where)
        if before is not None:
            index = self._operator_index(before)
        elif index is None:
            consumers = [self._operator_index(op) for t in outputs if t is not None for op in t.consumers]
            index = min(consumers, default=len(self._operators))
        code = self.model.operator_code(opcode, version)
        op = Operator(self, code)
        op._inputs, op._outputs = tuple(inputs), tuple(outputs)
        op.options, op.custom_options = options, custom_options
        trial = [*self._operators]
        trial.insert(index, op)
        first_user = min(
            (self._operator_index(u) for t in outputs if t is not None for u in t.consumers), default=index
        )
        if not (self._last_producer(inputs) < index <= first_user):
            trial = self._ordered(trial, {t: op for t in outputs if t is not None}, where)
        self._operators = trial
        self._link(op)
        self._forget()
        return op

    # --- removing --------------------------------------------------------------------------------------------------

    def remove_operator(self, op: Operator) -> None:
        """Remove an operator; its tensors stay.

        Raises:
            GraphError: One of its outputs is still used; nothing was changed.
        """
        self.remove_operators([op])

    def remove_operators(self, operators: Iterable[Operator]) -> None:
        """Remove operators in one go; they may use each other's outputs.

        Raises:
            GraphError: An output is used by an operator that stays or by the interface; nothing was changed.
        """
        doomed = dict.fromkeys(operators)
        interface = self._interface_tensors()
        for op in doomed:
            if op._subgraph is not self:
                raise GraphError(f"{op!r} is not in this subgraph", where=self.where)
            for t in op._outputs:
                if t is None:
                    continue
                if t in interface:
                    raise GraphError(
                        f"its output {t.name!r} is an output of the graph",
                        where=op.where,
                        hint="Replace it with replace_all_uses or set_outputs first.",
                    )
                stays = next((user for user, _ in t._uses if user not in doomed), None)
                if stays is not None:
                    raise GraphError(
                        f"its output {t.name!r} is used by {stays.where}",
                        where=op.where,
                        hint="Replace it with replace_all_uses first.",
                    )
        for op in doomed:
            self._unlink(op)
            op._subgraph = None
        self._operators = [op for op in self._operators if op not in doomed]
        self._forget()

    def remove_tensor(self, tensor: Tensor) -> None:
        """Remove a tensor that nothing refers to.

        Raises:
            GraphError: Something refers to it; nothing was changed.
        """
        self.remove_tensors([tensor])

    def remove_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Remove tensors that nothing refers to.

        Raises:
            GraphError: Something refers to one of them; nothing was changed.
        """
        doomed = dict.fromkeys(tensors)
        used = self.referenced_tensors(without_details_of=doomed)
        for t in doomed:
            if t._subgraph is not self:
                raise GraphError(f"{t!r} is not in this subgraph", where=self.where)
            if t in used:
                raise GraphError("the tensor is still used", where=t.where, hint=f"It is used as {used[t]}.")
        for t in doomed:
            t._subgraph = None
        self._tensors = [t for t in self._tensors if t not in doomed]
        self._forget()

    def referenced_tensors(self, *, without_details_of: Iterable[Tensor] = ()) -> dict[Tensor, str]:
        """Return every tensor that something refers to, with what refers to it.

        Args:
            without_details_of: Tensors whose block scales and zero points do not count as references.
        """
        used: dict[Tensor, str] = {}
        for i, op in enumerate(self._operators):
            for kind, group in (("input", op._inputs), ("output", op._outputs), ("intermediate", op.intermediates)):
                for t in group:
                    if t is not None:
                        used.setdefault(t, f"{kind} of operators[{i}] ({op.name})")
        for t in self._inputs:
            used.setdefault(t, "input of the graph")
        for t in self._outputs:
            used.setdefault(t, "output of the graph")
        for signature in self.model._signatures:
            if signature.subgraph is self:
                for entry in (*signature.input_entries, *signature.output_entries):
                    used.setdefault(entry.tensor, f"entry {entry.name!r} of signature {signature.key!r}")
        skipped = set(without_details_of)
        for t in self._tensors:
            if t.quantization is not None and isinstance(t.quantization.details, BlockQuantization):
                for detail in t.quantization.details.tensors:
                    if t not in skipped:
                        used.setdefault(detail, f"scales or zero points of {t.name!r}")
        return used

    # --- rewiring --------------------------------------------------------------------------------------------------

    def replace_all_uses(self, old: Tensor, new: Tensor, *, keep: Iterable[Operator] = ()) -> None:
        """Let everything that reads ``old`` read ``new``: operators, graph outputs and signature outputs.

        Args:
            old: The tensor read now.
            new: The tensor to be read.
            keep: Operators that go on reading ``old``, such as the one that computes ``new`` from it.

        Raises:
            GraphError: A tensor lives elsewhere, or a cycle would arise; nothing was changed.
        """
        self._check_tensors((old, new), self.where)
        if old is new:
            return
        kept = set(keep)
        users = [op for op in old.consumers if op not in kept]
        before = {op: op._inputs for op in users}
        first = min(map(self._operator_index, users), default=len(self._operators))
        for op in users:
            op._inputs = tuple(new if t is old else t for t in op._inputs)
        if self._last_producer([new]) >= first:
            try:
                self.sort()
            except GraphError as e:
                for op, inputs in before.items():
                    op._inputs = inputs
                raise e.at(f"replacing {old.name!r} by {new.name!r}") from None
        for op, inputs in before.items():
            self._update_uses(op, inputs)
        self._replace_output_everywhere(old, new)

    def replace_input(self, old: Tensor, new: Tensor) -> None:
        """Put ``new`` in the place of an interface input; signatures follow, operators are left alone.

        Raises:
            GraphError: ``old`` is no input, or ``new`` cannot be one; nothing was changed.
        """
        if not any(t is old for t in self._inputs):
            raise GraphError(f"{old.name!r} is not an input", where=self.where)
        self.set_inputs([new if t is old else t for t in self._inputs], _renamed={old: new})

    def replace_output(self, old: Tensor, new: Tensor) -> None:
        """Put ``new`` in the place of an interface output; signatures follow, operators are left alone.

        Raises:
            GraphError: ``old`` is no output, or ``new`` lives elsewhere; nothing was changed.
        """
        self._check_tensors((old, new), self.where)
        if not any(t is old for t in self._outputs):
            raise GraphError(f"{old.name!r} is not an output", where=self.where)
        self._replace_output_everywhere(old, new)

    def set_inputs(self, tensors: Sequence[Tensor], *, _renamed: dict[Tensor, Tensor] | None = None) -> None:
        """Set the interface's inputs: add, remove or reorder.

        Signature entries of tensors that are no longer inputs go; new inputs get an entry under their name.

        Raises:
            GraphError: A tensor lives elsewhere or is computed by an operator; nothing was changed.
        """
        self._check_tensors(tensors, self.where, optional=False)
        for t in tensors:
            if t._producer is not None:
                raise GraphError(
                    f"{t.name!r} cannot be an input: {t._producer.where} computes it",
                    where=self.where,
                    hint="Remove that operator first.",
                )
        self._update_signatures("input", self._inputs, tensors, _renamed or {})
        self._inputs = tuple(tensors)

    def set_outputs(self, tensors: Sequence[Tensor]) -> None:
        """Set the interface's outputs: add, remove or reorder.

        Signature entries of tensors that are no longer outputs go; new outputs get an entry under their name.

        Raises:
            GraphError: A tensor lives elsewhere; nothing was changed.
        """
        self._check_tensors(tensors, self.where, optional=False)
        self._update_signatures("output", self._outputs, tensors, {})
        self._outputs = tuple(tensors)

    def sort(self) -> None:
        """Put operators behind what they read; operators that could stay where they are keep their order.

        Raises:
            GraphError: There is a cycle; nothing was changed.
        """
        self._operators = self._ordered(self._operators, {}, self.where)
        self._forget()

    # --- what the edits are made of --------------------------------------------------------------------------------

    def _rewire_inputs(self, op: Operator, tensors: tuple[Tensor | None, ...]) -> None:
        where = op.where
        self._check_tensors(tensors, where)
        before = op._inputs
        op._inputs = tensors
        if self._last_producer(tensors) >= self._operator_index(op):
            try:
                self.sort()
            except GraphError as e:
                op._inputs = before
                raise e.at(where) from None
        self._update_uses(op, before)

    def _rewire_outputs(self, op: Operator, tensors: tuple[Tensor | None, ...]) -> None:
        where = op.where
        self._check_tensors(tensors, where)
        self._check_outputs(op, tensors, where)
        produced: dict[Tensor, Operator | None] = {t: None for t in op._outputs if t is not None}
        produced.update({t: op for t in tensors if t is not None})
        self._operators = self._ordered(self._operators, produced, where)
        for t in op._outputs:
            if t is not None:
                t._producer = None
        for t in tensors:
            if t is not None:
                t._producer = op
        op._outputs = tensors
        self._forget()

    def _last_producer(self, tensors: Iterable[Tensor | None]) -> int:
        """Return the position of the last operator that computes one of the tensors, -1 when none does."""
        producers = (t._producer for t in tensors if t is not None)
        return max((self._operator_index(p) for p in producers if p is not None), default=-1)

    def _ordered(self, operators: list[Operator], produced: dict[Tensor, Any], where: str) -> list[Operator]:
        def producer(tensor: Tensor) -> Operator | None:
            found: Operator | None = produced.get(tensor, tensor._producer)
            return found

        return ordering.stable_order(operators, producer, where)

    def _link(self, op: Operator) -> None:
        for t in op._outputs:
            if t is not None:
                t._producer = op
        for i, t in enumerate(op._inputs):
            if t is not None:
                t._uses[op, i] = None

    def _unlink(self, op: Operator) -> None:
        for t in op._outputs:
            if t is not None:
                t._producer = None
        for i, t in enumerate(op._inputs):
            if t is not None:
                del t._uses[op, i]

    def _update_uses(self, op: Operator, before: tuple[Tensor | None, ...]) -> None:
        for i, t in enumerate(before):
            if t is not None:
                del t._uses[op, i]
        for i, t in enumerate(op._inputs):
            if t is not None:
                t._uses[op, i] = None

    def _check_tensors(self, tensors: Iterable[Tensor | None], where: str, *, optional: bool = True) -> None:
        for t in tensors:
            if t is None and optional:
                continue
            if not isinstance(t, Tensor):
                raise GraphError(f"{t!r} is not a tensor", where=where)
            if t._subgraph is not self:
                raise GraphError(
                    f"tensor {t.name!r} is not in this subgraph", where=where, hint="Add it with add_tensor first."
                )

    def _check_outputs(self, op: Operator | None, outputs: Sequence[Tensor | None], where: str) -> None:
        self._check_tensors(outputs, where)
        seen = set()
        for t in outputs:
            if t is None:
                continue
            if t in seen:
                raise GraphError(f"tensor {t.name!r} stands twice among the outputs", where=where)
            seen.add(t)
            if t._producer is not None and t._producer is not op:
                raise GraphError(f"tensor {t.name!r} is already computed by {t._producer.where}", where=where)
            if t.is_input:
                raise GraphError(f"tensor {t.name!r} is an input of the graph", where=where)
            if t._buffer.nbytes:
                raise GraphError(f"tensor {t.name!r} is a constant", where=where)

    def _interface_tensors(self) -> set[Tensor]:
        found = set(self._outputs)
        for signature in self.model._signatures:
            if signature.subgraph is self:
                found.update(entry.tensor for entry in signature.output_entries)
        return found

    def _replace_output_everywhere(self, old: Tensor, new: Tensor) -> None:
        self._outputs = tuple(new if t is old else t for t in self._outputs)
        self._each_entry("output", lambda tensor: new if tensor is old else tensor)

    def _each_entry(self, side: str, change: Callable[[Tensor], Tensor]) -> None:
        for signature in self.model._signatures:
            if signature.subgraph is self:
                for entry in signature.input_entries if side == "input" else signature.output_entries:
                    entry.tensor = change(entry.tensor)

    def _update_signatures(
        self, side: str, before: Sequence[Tensor], after: Sequence[Tensor], renamed: dict[Tensor, Tensor]
    ) -> None:
        gone = set(before) - set(after) - set(renamed)
        new = [t for t in dict.fromkeys(after) if t not in set(before) and t not in set(renamed.values())]
        self._each_entry(side, lambda tensor: renamed.get(tensor, tensor))
        for signature in self.model._signatures:
            if signature.subgraph is self:
                signature._update(side, gone, new)

    def __repr__(self) -> str:
        return f"<Subgraph {self.name!r}: {len(self._operators)} operators, {len(self._tensors)} tensors>"

# SPDX-License-Identifier: Apache-2.0
"""Subgraphs: tensors, operators in order of execution, and the interface.

Every edit is checked first and refused whole when it would break an invariant: a tensor has at most one producer,
operators stand behind what they read, there is no cycle, nothing refers to what was removed, and ``producer`` and
``uses`` of each tensor say the same as ``inputs`` and ``outputs`` of each operator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tflite2x.errors import GraphError
from tflite2x.ir import dtypes, ranks
from tflite2x.ir.operator import Operator
from tflite2x.ir.quantization import BlockQuantization, Quantization
from tflite2x.ir.rewiring import Rewiring
from tflite2x.ir.tensor import Tensor
from tflite2x.schema.enums import BuiltinOperator, TensorType
from tflite2x.schema.table import Bytes

if TYPE_CHECKING:
    import networkx


class Subgraph(Rewiring):
    """One graph of a model. Made by ``Model.add_subgraph``.

    ``tensors``, ``operators``, ``inputs`` and ``outputs`` are tuples: a loop over one of them sees the graph as it was
    when the loop began, whatever is edited meanwhile.

    Attributes:
        name: Name, or None.
        debug_metadata_index: Entry of the debug metadata; -1 for none.
    """

    __slots__ = ()

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
        # Only the views change: building a graph of n operators must not cost n * n.
        self._tensors_view = None
        ranks.insert(self._tensors, len(self._tensors), tensor)
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
        user = self._first_consumer(outputs)
        end = len(self._operators)
        if before is not None or index is None:
            behind = user if before is None else before
            index = end if behind is None else self._operator_index(behind)
        index = max(0, index + end) if index < 0 else min(index, end)
        code = self.model.operator_code(opcode, version)
        op = Operator(self, code)
        op._inputs, op._outputs = tuple(inputs), tuple(outputs)
        op.options, op.custom_options = options, custom_options
        loop = not {t for t in outputs if t is not None}.isdisjoint(inputs)
        rank = self._operators[index]._rank if index < end else math.inf
        if loop or not self._last_producer(inputs) < rank or (user is not None and user._rank < rank):
            trial = [*self._operators]
            trial.insert(index, op)
            self._reorder(self._ordered(trial, {t: op for t in outputs if t is not None}, where))
        else:
            ranks.insert(self._operators, index, op)
            self._forget_operators()
        self._link(op)
        return op

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
        ranks.remove(self._operators, doomed)
        self._forget_operators()

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
        if not doomed:
            return
        for t in doomed:
            if t._subgraph is not self:
                raise GraphError(f"{t!r} is not in this subgraph", where=self.where)
        free = set(self.unreferenced_tensors(doomed, without_details_of=doomed))
        for t in doomed:
            if t not in free:
                use = self.referenced_tensors(without_details_of=doomed)[t]
                raise GraphError("the tensor is still used", where=t.where, hint=f"It is used as {use}.")
        for t in doomed:
            t._subgraph = None
        ranks.remove(self._tensors, doomed)
        self._forget_tensors()

    def unreferenced_tensors(
        self, tensors: Iterable[Tensor], *, without_details_of: Iterable[Tensor] = ()
    ) -> list[Tensor]:
        """Return those of the tensors, in their order, that this subgraph holds and nothing refers to.

        Args:
            tensors: The tensors to look at.
            without_details_of: Tensors whose block scales and zero points do not count as references.
        """
        loose = [t for t in dict.fromkeys(tensors) if t._subgraph is self and t._producer is None and not t._uses]
        if not loose:
            return []
        used: set[Tensor | None] = {*self._inputs, *self._outputs}
        for signature in self.model._signatures:
            if signature.subgraph is self:
                used.update(e.tensor for e in (*signature.input_entries, *signature.output_entries))
        if any(t._aside for t in loose):
            used |= self._named_aside(set(without_details_of))
        return [t for t in loose if t not in used]

    def _named_aside(self, skipped: set[Tensor]) -> set[Tensor | None]:
        """Return the tensors that operators have as intermediates, and quantizations as scales or zero points."""
        found: set[Tensor | None] = set()
        for op in self._operators:
            found.update(op._intermediates)
        for t in self._tensors:
            details = None if t in skipped or t.quantization is None else t.quantization.details
            if isinstance(details, BlockQuantization):
                found.update(details.tensors)
        return found

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

    def to_networkx(self) -> networkx.MultiDiGraph[Any]:
        """Return a view for analyses: operators and tensors are nodes, edges carry the position as ``index``."""
        from tflite2x.ir.views import to_networkx

        return to_networkx(self)

    def __repr__(self) -> str:
        return f"<Subgraph {self.name!r}: {len(self._operators)} operators, {len(self._tensors)} tensors>"

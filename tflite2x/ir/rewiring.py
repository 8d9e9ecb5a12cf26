# SPDX-License-Identifier: Apache-2.0
"""Edits that let something else be read, computed or exposed; signatures follow the interface."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from tflite2x.errors import GraphError
from tflite2x.ir.core import SubgraphCore
from tflite2x.ir.operator import Operator
from tflite2x.ir.tensor import Tensor


class Rewiring(SubgraphCore):
    """Adds rewiring to the state of a subgraph."""

    __slots__ = ()

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
        first = min((op._rank for op in users), default=math.inf)
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
        self._reorder(self._ordered(self._operators, {}, self.where))

    def _rewire_inputs(self, op: Operator, tensors: tuple[Tensor | None, ...]) -> None:
        self._check_tensors(tensors, op)
        before = op._inputs
        op._inputs = tensors
        if self._last_producer(tensors) >= op._rank:
            try:
                self.sort()
            except GraphError as e:
                op._inputs = before
                raise e.at(op.where) from None
        self._update_uses(op, before)

    def _rewire_outputs(self, op: Operator, tensors: tuple[Tensor | None, ...]) -> None:
        self._check_outputs(op, tensors, op)
        produced: dict[Tensor, Operator | None] = {t: None for t in op._outputs if t is not None}
        produced.update({t: op for t in tensors if t is not None})
        reader = self._first_consumer(tensors)
        if reader is not None and reader._rank <= op._rank:
            self._reorder(self._ordered(self._operators, produced, op.where))
        for t in op._outputs:
            if t is not None:
                t._producer = None
        for t in tensors:
            if t is not None:
                t._producer = op
        op._outputs = tensors

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

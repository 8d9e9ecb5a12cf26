# SPDX-License-Identifier: Apache-2.0
"""The state of a subgraph and what every edit of it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tflite2x.errors import GraphError
from tflite2x.ir import ordering, ranks
from tflite2x.ir.operator import Operator
from tflite2x.ir.tensor import Tensor
from tflite2x.schema.table import Extras

if TYPE_CHECKING:
    from tflite2x.ir.model import Model


class SubgraphCore:
    """Tensors, operators and interface with def-use in step; the base of ``Subgraph``."""

    __slots__ = ("_inputs", "_model", "_operators", "_operators_view", "_outputs", "_tensors", "_tensors_view",
                 "absent", "debug_metadata_index", "extras", "name")  # fmt: skip

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

    def holds(self, item: Operator | Tensor) -> bool:
        """Return whether an operator or a tensor belongs to this subgraph, and was not removed."""
        return item._subgraph is self

    def _forget(self) -> None:
        """Derive everything from the lists again."""
        ranks.number(self._tensors)
        ranks.number(self._operators)
        self._forget_tensors()
        self._forget_operators()

    def _forget_tensors(self) -> None:
        self._tensors_view = None

    def _forget_operators(self) -> None:
        self._operators_view = None

    def _tensor_index(self, tensor: Tensor) -> int:
        return ranks.index(self._tensors, tensor)

    def _operator_index(self, op: Operator) -> int:
        return ranks.index(self._operators, op)

    def _reorder(self, operators: list[Operator]) -> None:
        """Take the operators in another order."""
        self._operators = operators
        ranks.number(operators)
        self._forget_operators()

    def _last_producer(self, tensors: Iterable[Tensor | None]) -> float:
        """Return the rank of the last operator that computes one of the tensors; lower than all when none does."""
        producers = (t._producer for t in tensors if t is not None)
        return max((p._rank for p in producers if p is not None), default=-math.inf)

    def _first_consumer(self, tensors: Iterable[Tensor | None]) -> Operator | None:
        """Return the first operator that reads one of the tensors."""
        users = (user for t in tensors if t is not None for user, _ in t._uses)
        return min(users, key=lambda op: op._rank, default=None)

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

    def _check_tensors(self, tensors: Iterable[Tensor | None], where: str | Operator, *, optional: bool = True) -> None:
        for t in tensors:
            if t is None and optional:
                continue
            if not isinstance(t, Tensor):
                raise GraphError(f"{t!r} is not a tensor", where=_text(where))
            if t._subgraph is not self:
                raise GraphError(
                    f"tensor {t.name!r} is not in this subgraph",
                    where=_text(where),
                    hint="Add it with add_tensor first.",
                )

    def _check_outputs(self, op: Operator | None, outputs: Sequence[Tensor | None], where: str | Operator) -> None:
        self._check_tensors(outputs, where)
        seen = set()
        for t in outputs:
            if t is None:
                continue
            if t in seen:
                raise GraphError(f"tensor {t.name!r} stands twice among the outputs", where=_text(where))
            seen.add(t)
            if t._producer is not None and t._producer is not op:
                raise GraphError(f"tensor {t.name!r} is already computed by {t._producer.where}", where=_text(where))
            if t.is_input:
                raise GraphError(f"tensor {t.name!r} is an input of the graph", where=_text(where))
            if t._buffer.nbytes:
                raise GraphError(f"tensor {t.name!r} is a constant", where=_text(where))


def _text(where: str | Operator) -> str:
    """Return the place for messages; finding out the number of an operator is for those who fail."""
    return where if isinstance(where, str) else where.where

# SPDX-License-Identifier: Apache-2.0
"""The ``b`` of a replacement: builds operators with the notation of the pattern."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tflite2x.schema.enums import BuiltinOperator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from tflite2x.ir import Operator, Quantization, Subgraph, Tensor
    from tflite2x.schema.enums import TensorType


class Builder:
    """Adds operators in front of the matched ones.

    ``b.NAME(inputs..., like=tensor, options=...)`` adds an operator and returns its output, which has the type, shape
    and quantization of ``like``; ``b("XC_fc")(...)`` adds a custom one. ``b.copy(op, inputs...)`` repeats an operator
    with other inputs or options, ``b.constant`` adds a constant.

    Attributes:
        graph: The subgraph.
        added: Operators added so far.
        constants: Constants added so far.
        orphans: Tensors that may be without use after the replacement.
    """

    def __init__(self, graph: Subgraph, before: Operator, name: str) -> None:
        self.graph = graph
        self.added: list[Operator] = []
        self.constants: list[Tensor] = []
        self.orphans: list[Tensor] = []
        self._before = before
        self._name = name

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        if kind not in BuiltinOperator.__members__:
            raise AttributeError(f"there is no operator {kind}; custom operators are written b('{kind}')(...)")
        return self._maker(kind)

    def __call__(self, custom_code: str) -> Callable[..., Any]:
        """Add a custom operator."""
        return self._maker(custom_code)

    def _maker(self, kind: str) -> Callable[..., Any]:
        def make(
            *inputs: Tensor | None,
            like: Tensor | Sequence[Tensor],
            options: Any = None,
            custom_options: bytes | None = None,
            version: int = 1,
        ) -> Any:
            models = [like] if not isinstance(like, Sequence) else list(like)
            outputs = [self.tensor(m, f"{m.name or 'tensor'}/{self._name}") for m in models]
            op = self.graph.add_operator(
                kind, inputs, outputs, options, custom_options=custom_options, version=version, before=self._before
            )
            self.added.append(op)
            return outputs[0] if not isinstance(like, Sequence) else tuple(outputs)

        return make

    def copy(
        self, op: Operator, *inputs: Tensor | None, like: Tensor | Sequence[Tensor] | None = None, **changes: Any
    ) -> Any:
        """Add an operator of the kind and version of ``op``.

        Args:
            op: The operator to repeat.
            inputs: What it reads; the inputs of ``op`` when none are given.
            like: Tensors that its outputs are like; the outputs of ``op`` when None.
            changes: Fields of the options with new values.
        """
        options = copy.copy(op.options)
        if changes:
            options = dataclasses.replace(options, **changes)
        kind = op.name if op.custom_code is None else op.custom_code
        wanted = like if like is not None else (op.outputs[0] if len(op.outputs) == 1 else op.outputs)
        made = self._maker(kind)(
            *(inputs or op.inputs),
            like=wanted,
            options=options,
            custom_options=bytes(op.custom_options) if op.custom_options is not None else None,
            version=op.version,
        )
        self.added[-1].intermediates = op.intermediates
        return made

    def tensor(
        self,
        like: Tensor,
        name: str | None = None,
        *,
        shape: Sequence[int] | None = None,
        dtype: TensorType | str | None = None,
        quantization: Quantization | None = None,
    ) -> Tensor:
        """Add a tensor like another one, with another shape, type or quantization."""
        new = self.graph.add_tensor(
            name if name is not None else f"{like.name or 'tensor'}/{self._name}",
            like.shape if shape is None else shape,
            like.dtype if dtype is None else dtype,
            quantization=quantization if quantization is not None or dtype is not None else like.quantization,
            shape_signature=like.shape_signature if shape is None else None,
        )
        return new

    def constant(self, array: ArrayLike, name: str = "constant", **quantization: Any) -> Tensor:
        """Add a constant; arguments as in ``Subgraph.add_constant``."""
        tensor = self.graph.add_constant(f"{name}/{self._name}", array, **quantization)
        self.constants.append(tensor)
        return tensor

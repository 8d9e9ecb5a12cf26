# SPDX-License-Identifier: Apache-2.0
"""Change the number of samples that the model takes at once.

::

    in [1, 28, 28] -> RESHAPE (1, 784) -> ... -> out [1, 10]
        ==>  set-batch{n=8}
    in [8, 28, 28] -> RESHAPE (-1, 784) -> ... -> out [8, 10]

The first dimension of every input is the batch. Shapes written into RESHAPE are opened where they hold the old number.
Refused when the model, run once with the new shapes, does not return every output with the new number of samples; when
it has state or subgraphs; and when it mixes samples.

Claim: exact for integers, floats within 1e-6 of the largest magnitude (matrix products of another size may add in
another order). The verifier compares n runs of the old model with one run of the new one. Where the new number is no
multiple of the old one, nothing is claimed, and a model that mixes samples is not noticed.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tflite2x.passes._common import effect, operators
from tflite2x.passes._shapes import set_shapes, try_shapes
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.interface import InterfaceChange, Kind, Rebatch
from tflite2x.rewrite.result import PassResult
from tflite2x.schema.enums import BuiltinOperator as Op
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor


@dataclasses.dataclass(frozen=True)
class SetBatch(Pass):
    """Change the number of samples that the model takes at once.

    Attributes:
        n: The new number.
    """

    name: ClassVar[str] = "set-batch"
    n: int = 1

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n is {self.n} and must be positive")

    def requires(self, model: Model) -> None:
        """Only the main subgraph, without state, and inputs with one common batch."""
        if len(model.subgraphs) != 1:
            raise self.error(f"the model has {len(model.subgraphs)} subgraphs")
        for op in operators(model):
            reason = effect(op)
            if reason and op.opcode != Op.CUSTOM:
                raise self.error(f"the samples would share state: {reason}", where=op.where)
        lengths = {t.shape[0] if t.shape else None for t in model.main.inputs}
        if len(lengths) != 1 or None in lengths:
            raise self.error(f"the inputs have first dimensions {sorted(map(str, lengths))}, not one batch size")
        if 0 in lengths:
            raise self.error("the inputs have no elements: their batch size is 0", where=model.main.where)

    def run(self, model: Model) -> PassResult:
        """Open what holds the old number, then take over the shapes of a trial run."""
        result = PassResult()
        graph = model.main
        old = graph.inputs[0].shape[0]
        if old == self.n:
            return result
        result.floats_within(1e-6, "matrix products of another size may add in another order", scope="model")
        for op in graph.operators:
            _open_reshape(op, old, self.n, result)
        shapes = try_shapes(graph, {t: (self.n, *t.shape[1:]) for t in graph.inputs})
        if isinstance(shapes, str):
            raise self.error(shapes)
        for tensor in graph.outputs:
            shape = shapes.get(tensor, tensor.shape)  # a constant has no other
            if shape != (tensor.shape[0] * self.n // old if tensor.shape else 0, *tensor.shape[1:]):
                raise self.error(f"output '{tensor.name}' would have shape {list(shape)}")
        result.count("shapes changed", set_shapes(shapes))
        self._state_interface(graph, old, result)
        return result

    def _state_interface(self, graph: Subgraph, old: int, result: PassResult) -> None:
        if self.n % old:
            # No whole number of old runs makes a new one: inputs and outputs have no counterparts.
            result.claim = dataclasses.replace(result.claim, lsb=None, reason=f"{self.n} is no multiple of {old}")
            sides: tuple[tuple[Kind, tuple[Tensor, ...]], ...] = ("input", graph.inputs), ("output", graph.outputs)
            for kind, tensors in sides:
                for tensor in tensors:
                    result.interface += [InterfaceChange(kind, None, tensor), InterfaceChange(kind, tensor, None)]
            return
        change = Rebatch(self.n // old)
        for tensor in graph.inputs:
            result.interface.append(InterfaceChange("input", tensor, tensor, change))
        for tensor in graph.outputs:
            result.interface.append(InterfaceChange("output", tensor, tensor, change))


def _open_reshape(op: Operator, old: int, new: int, result: PassResult) -> None:
    """Let a RESHAPE follow the batch where its shape begins with the old number."""
    if op.opcode != Op.RESHAPE:
        return
    shape = op.inputs[1] if len(op.inputs) > 1 else None
    if shape is not None and (shape.dtype != TensorType.INT32 or len(shape.shape) != 1):
        shape = None  # old converters wrote matrices, and LiteRT takes the options then (kernels/reshape.cc)
    given = shape.data if shape is not None and shape.is_constant else getattr(op.options, "new_shape", None)
    values = np.array(() if given is None else given)
    source, target = op.inputs[0], op.outputs[0]
    if not values.size or not target.shape or source is None or values[0] == -1 or values[0] != target.shape[0]:
        return
    if target.shape[0] % old:
        return
    values[0] = -1 if (values != -1).all() else target.shape[0] // old * new
    result.replace(op, f"shape {list(target.shape)} opened to {values.tolist()}")
    if shape is not None and shape.is_constant:
        if len(shape.uses) > 1:
            copy = op.subgraph.add_constant(shape.name, values.astype(shape.numpy_dtype))
            op.set_input(1, copy)
        else:
            shape.data = values.astype(shape.numpy_dtype)
    if len(getattr(op.options, "new_shape", None) or ()):
        op.options.new_shape = values.tolist()

# SPDX-License-Identifier: Apache-2.0
"""Compute operators that read only constants, and store the result.

::

    [1, 28, 28] -> SHAPE -> STRIDED_SLICE -> PACK -> shape -> RESHAPE     ==>     [1, 784] -> RESHAPE

The values are computed by the NumPy interpreter. Operators with effects, random numbers or subgraphs are not folded,
nor are results that would make the file larger than ``growth`` allows (weights stored as float16 or int8 and widened by
DEQUANTIZE, for example).

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from tflite2x.errors import Tflite2xError
from tflite2x.passes._common import effect
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.extract import extract
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tflite2x.ir import Model, Operator, Subgraph, Tensor


@dataclasses.dataclass(frozen=True)
class FoldConstants(Pass):
    """Compute operators that read only constants, and store the result.

    Attributes:
        growth: How many bytes larger than its inputs a result may be.
    """

    name: ClassVar[str] = "fold-constants"
    growth: int = 1024

    def run(self, model: Model) -> PassResult:
        """Fold in every subgraph."""
        result = PassResult()
        for graph in model.subgraphs:
            self._fold(graph, result)
        return result

    def _fold(self, graph: Subgraph, result: PassResult) -> None:
        known: set[Tensor] = set()
        foldable: list[Operator] = []
        for op in graph.operators:
            inputs = [t for t in op.inputs if t is not None]
            if not inputs or not all(t.is_constant or t in known for t in inputs):
                continue
            reason = self._obstacle(op, inputs)
            if reason:
                result.leave(op, reason)
            elif sites.allowed(op.where):
                foldable.append(op)
                known.update(op.outputs)
        for op, values in _compute(graph, foldable, result):
            # Where the file leaves a shape open, only the values show how large they are.
            larger = sum(v.nbytes for v in values) - sum(t.nbytes for t in op.inputs if t is not None)
            if larger > self.growth:
                result.leave(op, self._too_large(larger))
                continue
            result.replace(op, f"folded into {', '.join(repr(t.name) for t in op.outputs)}")
            result.count("operators folded")
            outputs = op.outputs
            op.set_outputs(())
            graph.remove_operator(op)
            for tensor, value in zip(outputs, values, strict=True):
                tensor.shape = value.shape
                tensor.shape_signature = None
                tensor.data = value

    def _obstacle(self, op: Operator, inputs: list[Tensor]) -> str:
        if effect(op):
            return f"all inputs are constant, but {effect(op)}"
        if op.calls:
            return "all inputs are constant, but it calls a subgraph"
        for tensor in op.outputs:
            if tensor.is_output:
                return f"all inputs are constant, but '{tensor.name}' is an output of the graph"
            if any(d < 0 for d in tensor.shape):
                return f"all inputs are constant, but the shape of '{tensor.name}' is not known"
            if 0 in tensor.shape:
                # LiteRT refuses constants without bytes.
                return f"all inputs are constant, but '{tensor.name}' has no elements"
        if any(t.quantization is not None and t.quantization.details is not None for t in inputs):
            return "all inputs are constant, but one has scales for blocks"
        larger = sum(t.nbytes for t in op.outputs) - sum(t.nbytes for t in inputs)
        if larger > self.growth:
            return self._too_large(larger)
        return ""

    def _too_large(self, larger: int) -> str:
        return f"all inputs are constant, but the result would be {larger:,} bytes larger (growth is {self.growth:,})"


def _compute(
    graph: Subgraph, operators: list[Operator], result: PassResult
) -> list[tuple[Operator, list[NDArray[Any]]]]:
    """Run all operators in one go; those that the interpreter cannot run are tried one by one and reported."""
    from tflite2x.interpreter import Interpreter

    def run(chosen: list[Operator]) -> list[tuple[Operator, list[NDArray[Any]]]]:
        wanted = [t for op in chosen for t in op.outputs]
        values = iter(Interpreter(extract(graph, [], wanted)).run([]))
        return [(op, [next(values) for _ in op.outputs]) for op in chosen]

    if not operators:
        return []
    try:
        return run(operators)
    except Tflite2xError:
        done = []
        for op in operators:
            try:
                done += run([op])
            except Tflite2xError as error:
                result.leave(op, f"all inputs are constant, but the interpreter cannot run it: {error.what}")
        return done

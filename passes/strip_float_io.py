# SPDX-License-Identifier: Apache-2.0
"""Remove QUANTIZE at float inputs and DEQUANTIZE at float outputs: callers then give and get integers.

::

    in: float32                                 in: int8
     |                                           |
    QUANTIZE                                     |
     |  int8                           ==>       |
    ... integer operators ...                   ... integer operators ...
     |  int8                                     |
    DEQUANTIZE                                   |
     |                                           |
    out: float32                                out: int8

Order and names of inputs and outputs stay; signatures follow. An integer tensor takes over the name of the float tensor
that it replaces. A float tensor that something else reads is left alone, and so is everything whose quantization cannot
be undone at the interface.

Options: ``inputs`` and ``outputs`` choose the sides.

Claim: exact. For an input, the removed QUANTIZE is applied to the sample before it is fed; an output is compared in
LSB.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.ir.dtypes import type_name
from tflite2x.passes._common import (
    QUANTIZED,
    called_subgraphs,
    drop_if_unused,
    entry_subgraphs,
    per_tensor,
    same_quantization,
)
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.interface import InterfaceChange, conversion_adapter
from tflite2x.rewrite.result import PassResult
from tflite2x.schema.enums import BuiltinOperator, TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor


@dataclasses.dataclass(frozen=True)
class StripFloatIO(Pass):
    """Remove QUANTIZE at float inputs and DEQUANTIZE at float outputs.

    Attributes:
        inputs: Strip the inputs.
        outputs: Strip the outputs.
    """

    name: ClassVar[str] = "strip-float-io"
    inputs: bool = True
    outputs: bool = True

    def run(self, model: Model) -> PassResult:
        """Strip every subgraph that is entered from outside."""
        result = PassResult()
        called = called_subgraphs(model)
        for graph in entry_subgraphs(model):
            sides = [
                *((t, _input_obstacle, _strip_input) for t in graph.inputs if self.inputs),
                *((t, _output_obstacle, _strip_output) for t in graph.outputs if self.outputs),
            ]
            for tensor, obstacle, strip in sides:
                if tensor.dtype != TensorType.FLOAT32 or tensor.subgraph is not graph:
                    continue
                reason = obstacle(tensor)
                if graph in called:
                    reason = reason or f"operators call {graph.where}, so its interface belongs to them"
                if reason:
                    result.leave(tensor, reason)
                elif sites.allowed(tensor):
                    strip(graph, tensor, result)
        return result


def _input_obstacle(tensor: Tensor) -> str:
    """Say why a float input cannot be stripped; empty when it can."""
    if tensor.is_output:
        return "the float input is an output as well"
    readers = tensor.consumers
    if not readers:
        return "no operator reads the float input"
    others = [op for op in readers if op.opcode != BuiltinOperator.QUANTIZE]
    if others:
        also = "" if len(others) == len(readers) else " as well as QUANTIZE"
        return f"{sites.place(others[0])} reads the float values{also}"
    targets = [op.outputs[0] for op in readers]
    first = targets[0]
    for target in targets:
        if target.dtype not in QUANTIZED or not per_tensor(target.quantization):
            return f"QUANTIZE makes {type_name(target.dtype)} values without a single scale for the tensor"
        if target.dtype != first.dtype or not same_quantization(target.quantization, first.quantization):
            return "several QUANTIZE with different parameters read it"
    for target in targets:
        if target.is_output:
            return f"the quantized values '{target.name}' are an output; they would be input and output"
    if tuple(first.shape) != tuple(tensor.shape):
        return f"QUANTIZE changes the shape from {list(tensor.shape)} to {list(first.shape)}"
    return ""


def _strip_input(graph: Subgraph, tensor: Tensor, result: PassResult) -> None:
    readers = tensor.consumers
    kept = readers[0].outputs[0]
    adapter = conversion_adapter("QUANTIZE", tensor, kept)
    result.replace(tensor, f"QUANTIZE removed: the input is {type_name(kept.dtype)} now")
    for op in readers:
        target = op.outputs[0]
        _detach(op)
        if target is not kept:
            graph.replace_all_uses(target, kept)
            drop_if_unused(target)
    graph.replace_input(tensor, kept)
    _hand_over(tensor, kept)
    result.interface.append(InterfaceChange("input", tensor, kept, adapter))
    result.count("float inputs stripped")


def _output_obstacle(tensor: Tensor) -> str:
    """Say why a float output cannot be stripped; empty when it can."""
    op = tensor.producer
    if op is None:
        return "no operator computes the float output"
    if op.opcode != BuiltinOperator.DEQUANTIZE:
        return f"{sites.place(op)} computes it, not DEQUANTIZE"
    if tensor.uses:
        return f"{sites.place(tensor.consumers[0])} reads the float values as well"
    if tensor.subgraph.outputs.count(tensor) > 1:
        return "it is an output more than once"
    source = op.inputs[0]
    if source is None or source.dtype not in QUANTIZED or not per_tensor(source.quantization):
        kind = type_name(source.dtype) if source is not None else "no"
        return f"DEQUANTIZE reads {kind} values without a single scale for the tensor"
    if source.is_constant:
        return f"DEQUANTIZE reads the constant '{source.name}'"
    if source.is_variable:
        return f"DEQUANTIZE reads the variable tensor '{source.name}'"
    if source.is_input:
        return f"DEQUANTIZE reads the input '{source.name}'; it would be input and output"
    if source.is_output:
        return f"DEQUANTIZE reads '{source.name}', which is an output already"
    if tuple(source.shape) != tuple(tensor.shape):
        return f"DEQUANTIZE changes the shape from {list(source.shape)} to {list(tensor.shape)}"
    return ""


def _strip_output(graph: Subgraph, tensor: Tensor, result: PassResult) -> None:
    op = tensor.producer
    assert op is not None
    source = op.inputs[0]
    assert source is not None
    # QUANTIZE gives back exactly the integers that DEQUANTIZE started from: a float32 holds all of them with room to
    # spare (at most 16 bits against 24).
    adapter = conversion_adapter("QUANTIZE", tensor, source)
    result.replace(tensor, f"DEQUANTIZE removed: the output is {type_name(source.dtype)} now")
    graph.replace_output(tensor, source)
    graph.remove_operator(op)
    _hand_over(tensor, source)
    result.interface.append(InterfaceChange("output", tensor, source, adapter))
    result.count("float outputs stripped")


def _detach(op: Operator) -> None:
    graph = op.subgraph
    op.set_outputs(())
    graph.remove_operator(op)


def _hand_over(old: Tensor, new: Tensor) -> None:
    """Give name and dynamic shape of an interface tensor to its successor and remove it."""
    old.name, new.name = new.name, old.name
    if new.shape_signature is None:
        new.shape_signature = old.shape_signature
    drop_if_unused(old)

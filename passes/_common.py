# SPDX-License-Identifier: Apache-2.0
"""What several passes need: which operators have effects, which subgraphs are entered from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.schema.enums import BuiltinOperator as Op
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Quantization, Subgraph, Tensor

#: Operators that change state which outlives them.
_EFFECTS = {
    Op.CALL_ONCE: "it initializes resources",
    Op.ASSIGN_VARIABLE: "it writes a variable",
    Op.HASHTABLE_IMPORT: "it fills a hash table",
}
#: Operators whose effects are unknown.
_UNKNOWN = {
    Op.CUSTOM: "a custom operator may have effects",
    Op.DELEGATE: "a delegate may have effects",
    Op.STABLEHLO_CUSTOM_CALL: "a custom call may have effects",
}
#: Random numbers: removing one drawing changes those that follow it.
_RANDOM = {Op.RANDOM_UNIFORM, Op.RANDOM_STANDARD_NORMAL, Op.MULTINOMIAL, Op.STABLEHLO_RNG_BIT_GENERATOR}
#: Custom operators of this package that only compute.
_PURE_CUSTOM = {"XC_fc"}

#: Integer types of activations.
QUANTIZED = frozenset({TensorType.INT8, TensorType.UINT8, TensorType.INT16})


def effect(op: Operator, _path: tuple[Operator, ...] = ()) -> str:
    """Return why an operator matters even when nobody reads its outputs; empty when it only computes."""
    opcode = op.opcode
    if opcode in _EFFECTS:
        return _EFFECTS[Op(opcode)]
    if opcode in _UNKNOWN and op.custom_code not in _PURE_CUSTOM:
        return _UNKNOWN[Op(opcode)]
    if opcode in _RANDOM:
        return "it draws random numbers"
    if not isinstance(opcode, Op):
        return "an operator that is newer than this tool may have effects"
    for tensor in (*op.inputs, *op.outputs):
        if tensor is not None and tensor.is_variable:
            return f"it updates the variable tensor '{tensor.name}'"
    for graph in op.calls.values():
        if op in _path:
            continue
        inner = next((e for o in graph.operators if (e := effect(o, (*_path, op)))), "")
        if inner:
            return f"it calls {graph.where}, where {inner}"
    return ""


def called_subgraphs(model: Model) -> set[Subgraph]:
    """Return the subgraphs that operators call: their interface belongs to the callers."""
    return {graph for g in model.subgraphs for op in g.operators for graph in op.calls.values()}


def entry_subgraphs(model: Model) -> list[Subgraph]:
    """Return the subgraphs that are entered from outside: the main one and those of signatures, in model order."""
    entries = {signature.subgraph for signature in model.signatures}
    return [g for i, g in enumerate(model.subgraphs) if i == 0 or g in entries]


def per_tensor(quantization: Quantization | None) -> bool:
    """Whether there is exactly one scale, and no more than one zero point."""
    return quantization is not None and quantization.scale.size == 1 and quantization.zero_point.size <= 1


def same_quantization(a: Quantization | None, b: Quantization | None) -> bool:
    """Whether integers mean the same real numbers, scales being equal bit for bit."""
    if a is None or b is None or not a.scale.size or not b.scale.size:
        return (a is None or not a.scale.size) and (b is None or not b.scale.size)
    if a.details is not None or b.details is not None:
        return a.details is b.details and a == b
    zero = np.zeros(1, np.int64)
    return a.scale.tobytes() == b.scale.tobytes() and (
        (a.quantized_dimension == b.quantized_dimension or a.scale.size == 1)
        and np.array_equal(
            np.broadcast_to(a.zero_point if a.zero_point.size else zero, a.scale.shape),
            np.broadcast_to(b.zero_point if b.zero_point.size else zero, b.scale.shape),
        )
    )


def operators(model: Model) -> Iterator[Operator]:
    """Yield the operators of all subgraphs, as they are when a subgraph's turn comes."""
    for graph in model.subgraphs:
        yield from graph.operators


def drop_if_unused(*tensors: Tensor | None) -> None:
    """Remove tensors that nothing refers to any more."""
    for tensor in tensors:
        if tensor is not None and not tensor.uses and tensor.producer is None:
            graph = tensor.subgraph
            graph.remove_tensors(graph.unreferenced_tensors([tensor]))

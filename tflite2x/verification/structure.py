# SPDX-License-Identifier: Apache-2.0
"""Whether two versions of a model compute the same thing by construction, and if not, where they differ.

Both graphs are aligned through the tensors that they have in common. An operator is *unchanged* when it computes the
counterparts of its outputs from the counterparts of its inputs in the same way, constants being equal byte for byte. If
every operator and the interface are unchanged, both models compute the same expressions and no sample can tell them
apart. Otherwise the changed operators are where a difference can arise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.schema.enums import BuiltinOperator as Op

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Quantization, Subgraph, Tensor
    from tflite2x.rewrite.interface import SubgraphLinks

_ORDERED = {
    Op.CALL_ONCE, Op.ASSIGN_VARIABLE, Op.READ_VARIABLE, Op.HASHTABLE_IMPORT, Op.HASHTABLE_FIND, Op.HASHTABLE_SIZE,
    Op.CUSTOM, Op.DELEGATE, Op.STABLEHLO_CUSTOM_CALL, Op.RANDOM_UNIFORM, Op.RANDOM_STANDARD_NORMAL, Op.MULTINOMIAL,
    Op.STABLEHLO_RNG_BIT_GENERATOR,
}  # fmt: skip


@dataclasses.dataclass(slots=True)
class Changes:
    """Where a model differs from an earlier version of itself.

    Attributes:
        operators: Operators of the later model that are not unchanged, in order.
        reasons: Why the models are not the same computation; empty when they are.
    """

    operators: list[Operator]
    reasons: list[str]

    @property
    def same(self) -> bool:
        """Whether both models compute the same expressions."""
        return not self.reasons


def find_changes(
    before: Model,
    after: Model,
    subgraphs: Mapping[Subgraph, Subgraph],
    tensors: Mapping[Tensor, Tensor],
    links: Mapping[Subgraph, SubgraphLinks],
) -> Changes:
    """Compare two versions of a model.

    Args:
        before: The earlier version.
        after: The later version.
        subgraphs: Subgraphs of ``after`` with their counterparts in ``before``.
        tensors: Tensors of ``after`` with their counterparts in ``before``.
        links: How the interface of each subgraph changed.
    """
    changes = Changes([], [])
    if len(before.subgraphs) != len(after.subgraphs):
        changes.reasons.append(f"{len(before.subgraphs)} subgraphs became {len(after.subgraphs)}")
    for graph in after.subgraphs:
        counterpart = subgraphs.get(graph)
        if counterpart is None:
            changes.reasons.append(f"{graph.where} is new")
            changes.operators += graph.operators
        else:
            _compare_subgraph(counterpart, graph, subgraphs, tensors, links.get(graph), changes)
    return changes


def _compare_subgraph(
    before: Subgraph,
    after: Subgraph,
    subgraphs: Mapping[Subgraph, Subgraph],
    tensors: Mapping[Tensor, Tensor],
    links: SubgraphLinks | None,
    changes: Changes,
) -> None:
    where = after.where
    if links is not None and not links.is_identity:
        changes.reasons.append(f"{where}: the interface changed")
    for kind, old, new in (("input", before.inputs, after.inputs), ("output", before.outputs, after.outputs)):
        if len(old) != len(new) or any(
            tensors.get(b) is not a or not same_tensor(a, b) for a, b in zip(old, new, strict=True)
        ):
            changes.reasons.append(f"{where}: an {kind} is another tensor")
            break
    unchanged = []
    for op in after.operators:
        origin = _origin(op, before, tensors)
        if origin is not None and same_operator(origin, op, subgraphs, tensors):
            unchanged.append(origin)
        else:
            changes.operators.append(op)
            changes.reasons.append(f"{op.where} is new or changed")
    # An output that lost its producer was computed and is now a constant, or the other way round.
    for tensor in after.outputs:
        origin_tensor = tensors.get(tensor)
        if origin_tensor is not None and (tensor.producer is None) != (origin_tensor.producer is None):
            changes.reasons.append(f"{tensor.where}: the output has another producer")
    old_order = {op: None for op in before.operators if _matters(op)}
    if list(old_order) != [op for op in unchanged if op in old_order]:
        changes.reasons.append(f"{where}: operators with state run in another order, or were removed or added")


def _matters(op: Operator) -> bool:
    """Whether the order of an operator among its kind matters, or whether it has effects."""
    return (
        not isinstance(op.opcode, Op)
        or op.opcode in _ORDERED
        or bool(op.calls)
        or any(t is not None and t.is_variable for t in (*op.inputs, *op.outputs))
    )


def _origin(op: Operator, before: Subgraph, tensors: Mapping[Tensor, Tensor]) -> Operator | None:
    """Return the operator of ``before`` that computed the counterpart of an operator's output."""
    for tensor in op.outputs:
        counterpart = tensors.get(tensor) if tensor is not None else None
        if counterpart is not None:
            return counterpart.producer
    if op.outputs:
        return None
    # Without outputs (ASSIGN_VARIABLE): the one of its kind that reads the counterpart of its first input.
    for operand in op.inputs:
        counterpart = tensors.get(operand) if operand is not None else None
        if operand is not None and counterpart is not None:
            same = [o for o in counterpart.consumers if o.opcode == op.opcode and not o.outputs]
            later = [o for o in operand.consumers if o.opcode == op.opcode and not o.outputs]
            return same[later.index(op)] if len(same) == len(later) else None
    # Without inputs either (CALL_ONCE): the one that stands at the same place among its kind.
    same, later = ([o for o in g.operators if o.opcode == op.opcode and not o.outputs] for g in (before, op.subgraph))
    return same[later.index(op)] if len(same) == len(later) else None


def same_operator(
    a: Operator, b: Operator, subgraphs: Mapping[Subgraph, Subgraph], tensors: Mapping[Tensor, Tensor]
) -> bool:
    """Whether ``b`` computes from its inputs what ``a`` computes from their counterparts. Versions do not matter."""
    if a.opcode != b.opcode or a.custom_code != b.custom_code:
        return False
    read, written = (a.inputs, b.inputs), (a.outputs, b.outputs)
    if len(read[0]) != len(read[1]) or len(written[0]) != len(written[1]):
        return False
    if not same_options(a, b, subgraphs):
        return False
    for x, y in zip(*read, strict=True):
        if not _same_value(x, y, tensors):
            return False
    if a.intermediates or b.intermediates:
        if len(a.intermediates) != len(b.intermediates):
            return False
        if not all(_same_value(x, y, tensors) for x, y in zip(a.intermediates, b.intermediates, strict=True)):
            return False
    for x, y in zip(*written, strict=True):
        if x is None or y is None:
            if x is not y:
                return False
        elif tensors.get(y) is not x or not same_tensor(x, y):
            return False
    return True


def same_options(a: Operator, b: Operator, subgraphs: Mapping[Subgraph, Subgraph]) -> bool:
    """Whether two operators have equal options and call counterparts."""
    mine, theirs = a.calls, b.calls
    if mine.keys() != theirs.keys():
        return False
    if mine:
        if any(subgraphs.get(theirs[name]) is not graph for name, graph in mine.items()):
            return False
    elif a.options != b.options or a.other_options != b.other_options:
        return False
    if a.custom_options is b.custom_options:
        return True
    custom = [bytes(op.custom_options) if op.custom_options is not None else b"" for op in (a, b)]
    return custom[0] == custom[1]


def _same_value(a: Tensor | None, b: Tensor | None, tensors: Mapping[Tensor, Tensor]) -> bool:
    """Whether two operands are counterparts, or constants with equal contents."""
    if a is None or b is None:
        return a is b
    if not same_tensor(a, b):
        return False
    constant = a.is_constant
    if constant != b.is_constant:
        return False
    return same_bytes(a, b) if constant else tensors.get(b) is a


def same_tensor(a: Tensor, b: Tensor) -> bool:
    """Whether type, shape and quantization are equal (names may differ)."""
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and a.is_variable == b.is_variable
        and (a.shape_signature == b.shape_signature or _open_shape(a) == _open_shape(b))
        and same_meaning(a.quantization, b.quantization)
    )


def _open_shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape_signature) if tensor.shape_signature else tuple(tensor.shape)


def same_meaning(a: Quantization | None, b: Quantization | None) -> bool:
    """Whether two quantizations give integers the same meaning; information such as min and max does not count."""
    if a is None and b is None:
        return True
    empty_a, empty_b = a is None or not (a.scale.size or a.details), b is None or not (b.scale.size or b.details)
    if empty_a or empty_b or a is None or b is None:
        return empty_a and empty_b
    if a.details is not None or b.details is not None:
        return _same_details(a.details, b.details) and a.scale.tobytes() == b.scale.tobytes()
    return (
        (a.scale is b.scale or a.scale.tobytes() == b.scale.tobytes())
        and (a.zero_point is b.zero_point or a.zero_point.tobytes() == b.zero_point.tobytes())
        and (a.scale.size == 1 or a.quantized_dimension == b.quantized_dimension)
    )


def _same_details(a: Any, b: Any) -> bool:
    """Whether blockwise or custom quantizations are equal; scales of blocks live in tensors of their own."""
    from tflite2x.ir import BlockQuantization

    if not isinstance(a, BlockQuantization) or not isinstance(b, BlockQuantization):
        return type(a) is type(b) and bool(a == b)
    if (a.block_size, a.axes, a.multi_axis) != (b.block_size, b.axes, b.multi_axis):
        return False
    for x, y in ((a.scales, b.scales), (a.zero_points, b.zero_points)):
        if isinstance(x, int) or isinstance(y, int):
            if x != y:
                return False
        elif not (same_tensor(x, y) and same_bytes(x, y)):
            return False
    return True


def same_bytes(a: Tensor, b: Tensor) -> bool:
    """Whether two constants of one type and shape hold the same bytes."""
    if (
        a.sparsity is not None
        or b.sparsity is not None
        or a.external_buffer is not None
        or b.external_buffer is not None
    ):
        return _same_arrays(a.data, b.data)
    x, y = a.buffer.data, b.buffer.data
    if x is y:
        return True
    if x is None or y is None or len(x) != len(y):
        return False
    return bool(np.array_equal(np.frombuffer(x, np.uint8), np.frombuffer(y, np.uint8)))


def _same_arrays(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a.view(np.uint8), b.view(np.uint8)))


def is_stateful(graphs: Sequence[Subgraph]) -> bool:
    """Whether a run may leave something behind that later runs see."""
    return any(t.is_variable for graph in graphs for t in graph.tensors) or any(
        op.opcode in (Op.CALL_ONCE, Op.ASSIGN_VARIABLE, Op.VAR_HANDLE, Op.HASHTABLE_IMPORT)
        for graph in graphs
        for op in graph.operators
    )

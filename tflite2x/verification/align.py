# SPDX-License-Identifier: Apache-2.0
"""Aligning two models that come from anywhere: interfaces, and tensors by structure and by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tflite2x.errors import InputError
from tflite2x.rewrite.interface import Adapter, Link, SubgraphLinks, conversion_adapter, describe_type
from tflite2x.schema.enums import TensorType
from tflite2x.verification.structure import same_meaning

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor


def align_entries(a: Model, b: Model) -> list[tuple[Subgraph, Subgraph]]:
    """Return the entry points of two models in pairs: by signature key where both have it, or else the main ones.

    Raises:
        InputError: A signature of one model is missing in the other.
    """
    keys_a = {s.key: s.subgraph for s in a.signatures}
    keys_b = {s.key: s.subgraph for s in b.signatures}
    pairs: dict[Subgraph, Subgraph] = {}
    if len(keys_a) > 1 or len(keys_b) > 1:
        missing = sorted(map(str, keys_a.keys() ^ keys_b.keys()))
        if missing:
            raise InputError(
                f"the models have different signatures: {', '.join(missing)} in one of them only",
                hint="Compare models with the same entry points.",
            )
        for key, graph in keys_a.items():
            pairs.setdefault(graph, keys_b[key])
    else:
        pairs[a.main] = b.main
    return list(pairs.items())


def _order(a: Subgraph, b: Subgraph, side: str) -> list[int]:
    """Return, for each input (output) of ``b``, the position of its counterpart in ``a``.

    Names of signatures decide where both models have them; otherwise the position does.
    """
    mine, theirs = (g.inputs if side == "inputs" else g.outputs for g in (a, b))
    if len(mine) != len(theirs):
        raise InputError(
            f"one model has {len(mine)} {side}, the other {len(theirs)}",
            where=b.where,
            hint="Models with other interfaces cannot be compared.",
        )
    for signature in a.model.signatures:
        partner = next((s for s in b.model.signatures if s.key == signature.key and s.subgraph is b), None)
        if signature.subgraph is not a or partner is None:
            continue
        x, y = getattr(signature, side), getattr(partner, side)
        if x.keys() == y.keys() and len(x) == len(mine):
            names = {tensor: name for name, tensor in y.items()}
            positions = [mine.index(x[names[t]]) if t in names and x[names[t]] in mine else -1 for t in theirs]
            if sorted(positions) == list(range(len(mine))):
                return positions
    return list(range(len(mine)))


def align_interface(a: Subgraph, b: Subgraph, *, adapt: bool) -> SubgraphLinks:
    """Relate the interface of ``b`` to that of ``a``.

    Args:
        a: One entry point.
        b: Its counterpart.
        adapt: Put QUANTIZE or DEQUANTIZE between inputs (outputs) of different types, as the tensors declare.

    Raises:
        InputError: The interfaces differ and ``adapt`` is not set, or no conversion fits.
    """
    links: dict[str, list[Link]] = {}
    for side in ("inputs", "outputs"):
        mine, theirs = (g.inputs if side == "inputs" else g.outputs for g in (a, b))
        links[side] = [
            _link(mine[origin], theirs[i], origin, side, adapt) for i, origin in enumerate(_order(a, b, side))
        ]
    return SubgraphLinks(tuple(links["inputs"]), tuple(links["outputs"]))


def _link(old: Tensor, new: Tensor, position: int, side: str, adapt: bool) -> Link:
    if old.dtype == new.dtype and (
        same_meaning(old.quantization, new.quantization) or not (old.quantization and new.quantization)
    ):
        return Link(position)
    if old.dtype == new.dtype and not adapt:
        return Link(position)  # other parameters, equal integers: for the caller to judge
    if not adapt:
        raise InputError(
            f"{side[:-1]} {position} is {describe_type(old)} in one model and {describe_type(new)} in the other",
            where=new.where,
            hint="'--adapt' converts at the interface as the tensors declare.",
        )
    if side == "outputs" and new.dtype == TensorType.FLOAT32:
        return Link(position, _conversion(new, old), "new")
    return Link(position, _conversion(old, new))


def _conversion(source: Tensor, target: Tensor) -> Adapter:
    quantized = [t.quantization is not None and t.quantization.scale.size == 1 for t in (source, target)]
    floats = [t.dtype == TensorType.FLOAT32 for t in (source, target)]
    if floats[0] and quantized[1]:
        return conversion_adapter("QUANTIZE", source, target)
    if quantized[0] and floats[1]:
        return conversion_adapter("DEQUANTIZE", source, target)
    if all(quantized):
        return conversion_adapter("QUANTIZE", source, target)
    raise InputError(f"nothing converts {describe_type(source)} to {describe_type(target)}", where=target.where)


def align_tensors(a: Subgraph, b: Subgraph, links: SubgraphLinks, *, strict: bool = True) -> dict[Tensor, Tensor]:
    """Return tensors of ``b`` with their counterparts in ``a``.

    Operators of one kind that read counterparts compute counterparts; what remains is aligned by names that are unique.

    Args:
        a: One subgraph.
        b: Its counterpart.
        links: How their interfaces relate.
        strict: Align only tensors of one type and shape, whose values can be compared. Otherwise align operators by
            order as well, to say what changed.
    """
    alike = _alike if strict else _same_kind_of_producer
    pairs: dict[Tensor, Tensor] = {}
    for tensor, link in zip(b.inputs, links.inputs, strict=True):
        if link.position is not None:
            old = a.inputs[link.position]
            pairs[tensor] = _behind_conversion(old, tensor) if link.adapter is not None else old
    _propagate(b, pairs, alike)
    names_a, names_b = _unique_names(a), _unique_names(b)
    taken = set(pairs.values())
    for name, tensor in names_b.items():
        other = names_a.get(name)
        if tensor not in pairs and other is not None and other not in taken and alike(other, tensor):
            pairs[tensor] = other
            taken.add(other)
    _propagate(b, pairs, alike)
    if not strict:
        _by_order(a, b, pairs, lambda op: (op.name, _made(op)[0].shape))
        _propagate(b, pairs, alike)
        _by_order(a, b, pairs, lambda op: _made(op)[0].shape)
    return pairs


def _by_order(
    a: Subgraph, b: Subgraph, pairs: dict[Tensor, Tensor], key: Callable[[Operator], tuple[object, ...]]
) -> None:
    """Align operators that are left by their order: those with equal keys between operators that are aligned."""
    partners = {new.producer: old.producer for new, old in pairs.items() if new.producer is not None}
    positions = {op: i for i, op in enumerate(b.operators)}
    anchors = {old: positions[new] for new, old in partners.items() if old is not None and new in positions}

    def listed(operators: Sequence[Operator], place: Callable[[Operator], int | None]) -> list[tuple[object, ...]]:
        return [("anchor", place(op)) if place(op) is not None else key(op) for op in operators]

    mine = [op for op in a.operators if _made(op)]
    theirs = [op for op in b.operators if _made(op)]
    keys_a = listed(mine, anchors.get)
    keys_b = listed(theirs, lambda op: positions[op] if partners.get(op) is not None else None)
    matcher = difflib.SequenceMatcher(None, keys_a, keys_b, autojunk=False)
    for i, j, size in matcher.get_matching_blocks():
        for x, y in zip(mine[i : i + size], theirs[j : j + size], strict=True):
            for old, new in zip(x.outputs, y.outputs, strict=False):
                if old is not None and new is not None:
                    pairs.setdefault(new, old)


def _made(op: Operator) -> list[Tensor]:
    """Return the outputs that a file does not leave out."""
    return [t for t in op.outputs if t is not None]


def _same_kind_of_producer(a: Tensor, b: Tensor) -> bool:
    if a.producer is None or b.producer is None:
        return a.producer is b.producer
    return a.producer.name == b.producer.name


def _behind_conversion(old: Tensor, new: Tensor) -> Tensor:
    """Return the tensor behind the QUANTIZE that reads ``old`` when it is like ``new``."""
    for op in old.consumers:
        if op.name in ("QUANTIZE", "DEQUANTIZE") and _alike(op.outputs[0], new):
            return op.outputs[0]
    return old


def _propagate(b: Subgraph, pairs: dict[Tensor, Tensor], alike: Callable[[Tensor, Tensor], bool]) -> None:
    taken = set(pairs.values())
    used: set[Operator] = {t.producer for t in taken if t.producer is not None}
    for op in b.operators:
        if not _made(op) or any(t in pairs for t in op.outputs):
            continue
        first = next((pairs[t] for t in op.inputs if t is not None and t in pairs), None)
        for candidate in first.consumers if first is not None else ():
            if candidate not in used and _same_role(candidate, op, pairs):
                used.add(candidate)
                both = zip(candidate.outputs, op.outputs, strict=True)
                pairs.update((y, x) for x, y in both if x is not None and y is not None and alike(x, y))
                break


def _same_role(a: Operator, b: Operator, pairs: dict[Tensor, Tensor]) -> bool:
    if a.name != b.name or len(a.outputs) != len(b.outputs):
        return False
    mine: Sequence[Tensor] = [t for t in a.inputs if t is not None and not t.is_constant]
    theirs = [pairs.get(t) for t in b.inputs if t is not None and not t.is_constant]
    return list(mine) == theirs


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and tuple(a.shape) == tuple(b.shape)


def _unique_names(graph: Subgraph) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    double = set()
    for tensor in graph.tensors:
        if tensor.name:
            if tensor.name in found:
                double.add(tensor.name)
            found[tensor.name] = tensor
    return {name: tensor for name, tensor in found.items() if name not in double}

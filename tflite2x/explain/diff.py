# SPDX-License-Identifier: Apache-2.0
"""What changed between two models, matched by meaning and not by index."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.rewrite.interface import Link, SubgraphLinks, describe_type
from tflite2x.verification.align import align_tensors
from tflite2x.verification.compare import compare
from tflite2x.verification.structure import same_bytes, same_meaning

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        kind: ``interface``, ``operator``, ``options``, ``tensor``, ``quantization``, ``constant``, ``signature``,
            ``metadata`` or ``model``.
        where: The place, in the first model if it exists there, otherwise in the second.
        what: What differs, from the first to the second.
    """

    kind: str
    where: str
    what: str


def diff(a: Model, b: Model) -> list[Change]:
    """Compare two models.

    Tensors and operators are matched by what they read and compute, then by name, then by order; indices and the order
    of buffers or operator codes do not count, nor do things that nothing uses and ranges seen in training.

    Args:
        a: The first model.
        b: The second model.

    Returns:
        The changes; empty when the models mean the same.
    """
    changes: list[Change] = []
    changes += _values("model", "model", {"description": (a.description, b.description)})
    if len(a.subgraphs) != len(b.subgraphs):
        changes.append(Change("model", "model", f"{len(a.subgraphs)} subgraphs became {len(b.subgraphs)}"))
    for x, y in zip(a.subgraphs, b.subgraphs, strict=False):
        changes += _subgraph(x, y)
    changes += _signatures(a, b)
    changes += _metadata(a, b)
    return changes


def _values(kind: str, where: str, pairs: dict[str, tuple[Any, Any]]) -> Iterator[Change]:
    for name, (old, new) in pairs.items():
        if old != new:
            yield Change(kind, where, f"{name}: {_text(old)} became {_text(new)}")


def _text(value: Any) -> str:
    name = getattr(value, "name", None)
    return str(name) if isinstance(name, str) else repr(value) if isinstance(value, str) else str(value)


def _subgraph(a: Subgraph, b: Subgraph) -> Iterator[Change]:
    links = SubgraphLinks(_links(a.inputs, b.inputs), _links(a.outputs, b.outputs))
    pairs = align_tensors(a, b, links, strict=False)
    for side, mine, theirs in (("inputs", a.inputs, b.inputs), ("outputs", a.outputs, b.outputs)):
        if [t.name for t in mine] != [t.name for t in theirs]:
            yield Change(
                "interface", f"{a.where}.{side}", f"{[t.name for t in mine]} became {[t.name for t in theirs]}"
            )
    partners = _operators(pairs)
    partners |= _without_outputs(a, b, pairs)
    _pair_variables(partners, pairs)
    found = set(partners.values())
    for op in a.operators:
        if op not in found:
            yield Change("operator", op.where, f"removed (computed {_listing(op)})")
    for op in b.operators:
        origin = partners.get(op)
        if origin is None:
            yield Change("operator", op.where, f"added in the second model (computes {_listing(op)})")
        else:
            yield from _operator(origin, op, pairs)
    for new, old in pairs.items():
        if not (old.is_constant and new.is_constant):
            yield from _tensor(old, new)
        elif new.is_output and not new.uses:  # operators report the constants that they read
            yield from _constant(f"{a.where}.outputs[{b.outputs.index(new)}]", old, new)


def _links(mine: Sequence[Tensor], theirs: Sequence[Tensor]) -> tuple[Link, ...]:
    """Match an interface by names where they are the same ones in another order, and by position otherwise."""
    names, others = [t.name for t in mine], [t.name for t in theirs]
    if len(set(names)) == len(names) == len(others) and set(names) == set(others):
        return tuple(Link(names.index(name)) for name in others)
    return tuple(Link(i if i < len(mine) else None) for i in range(len(theirs)))


def _listing(op: Operator) -> str:
    return ", ".join(repr(t.name) for t in op.outputs if t is not None) or "nothing"


def _operators(pairs: dict[Tensor, Tensor]) -> dict[Operator, Operator]:
    """Return operators of the second model with their counterparts, which compute counterparts."""
    found: dict[Operator, Operator] = {}
    taken: set[Operator] = set()
    for new, old in pairs.items():
        x, y = old.producer, new.producer
        if x is not None and y is not None and y not in found and x not in taken:
            found[y] = x
            taken.add(x)
    return found


def _without_outputs(a: Subgraph, b: Subgraph, pairs: dict[Tensor, Tensor]) -> dict[Operator, Operator]:
    """Match operators that compute nothing, such as ASSIGN_VARIABLE, by what they read, and then by order."""
    waiting = [op for op in a.operators if not any(op.outputs)]
    found: dict[Operator, Operator] = {}
    for exactly in (True, False):
        for op in b.operators:
            if any(op.outputs) or op in found:
                continue
            reads = [pairs.get(t) if t is not None else None for t in op.inputs]
            alike = (o for o in waiting if o.name == op.name and (not exactly or list(o.inputs) == reads))
            partner = next(alike, None)
            if partner is not None:
                found[op] = partner
                waiting.remove(partner)
    return found


def _pair_variables(partners: dict[Operator, Operator], pairs: dict[Tensor, Tensor]) -> None:
    """Match tensors that nothing computes, such as variables and what has no value, by where operators read them."""
    taken = set(pairs.values())
    for new, old in partners.items():
        for x, y in zip(old.inputs, new.inputs, strict=False):
            if x is None or y is None or x.producer is not None or y.producer is not None:
                continue
            alike = x.is_variable == y.is_variable and not (x.is_constant or y.is_constant or x.is_input or y.is_input)
            if alike and y not in pairs and x not in taken:
                pairs[y] = x
                taken.add(x)


def _operator(a: Operator, b: Operator, pairs: dict[Tensor, Tensor]) -> Iterator[Change]:
    yield from _values("operator", a.where, {"kind": (a.name, b.name), "version": (a.version, b.version)})
    yield from _options(a, b)
    if len(a.inputs) != len(b.inputs):
        yield Change("operator", a.where, f"{len(a.inputs)} inputs became {len(b.inputs)}")
    for i, (x, y) in enumerate(zip(a.inputs, b.inputs, strict=False)):
        where = f"{a.where}.inputs[{i}]"
        if x is None or y is None:
            if x is not y:
                yield Change("operator", where, f"{_name(x)} became {_name(y)}")
        elif x.is_constant and y.is_constant:
            yield from _constant(where, x, y)
        elif pairs.get(y) is not x:
            yield Change("operator", where, f"reads {_name(y)} instead of {_name(x)}")


def _name(tensor: Tensor | None) -> str:
    return "nothing" if tensor is None else repr(tensor.name)


def _options(a: Operator, b: Operator) -> Iterator[Change]:
    if type(a.options) is type(b.options) and a.options is not None:
        names = [f.name for f in dataclasses.fields(a.options)]
        values = {n: (_plain(getattr(a.options, n)), _plain(getattr(b.options, n))) for n in names}
        yield from _values("options", a.where, values)
    elif a.options is not None or b.options is not None:
        kinds = [type(o).__name__ if o is not None else "none" for o in (a.options, b.options)]
        if a.name == b.name:
            yield Change("options", a.where, f"{kinds[0]} became {kinds[1]}")
    custom = [None if op.custom_options is None else bytes(op.custom_options) for op in (a, b)]
    if custom[0] != custom[1]:
        sizes = ["none" if c is None else f"{len(c)} bytes" for c in custom]
        yield Change("options", a.where, f"custom options: {sizes[0]} became {sizes[1]}")


def _plain(value: Any) -> Any:
    return (
        tuple(value.tolist()) if isinstance(value, np.ndarray) else tuple(value) if isinstance(value, list) else value
    )


def _tensor(a: Tensor, b: Tensor, where: str = "") -> Iterator[Change]:
    place = where or a.where
    yield from _values(
        "tensor",
        place,
        {
            "name": (a.name, b.name),
            "type": (a.dtype, b.dtype),
            "shape": (list(a.shape), list(b.shape)),
            "open shape": (
                a.shape_signature and list(a.shape_signature),
                b.shape_signature and list(b.shape_signature),
            ),
            "variable": (a.is_variable, b.is_variable),
        },
    )
    if not same_meaning(a.quantization, b.quantization):
        yield Change("quantization", place, f"{describe_type(a)} became {describe_type(b)}{_scales(a, b)}")


def _scales(a: Tensor, b: Tensor) -> str:
    """Say how scales of channels differ."""
    if a.quantization is None or b.quantization is None:
        return ""
    x, y = a.quantization.scale, b.quantization.scale
    if x.shape != y.shape or x.size < 2:
        return ""
    different = np.flatnonzero(x != y)
    points = a.quantization.zero_point, b.quantization.zero_point
    zero = np.flatnonzero(points[0] != points[1]) if points[0].shape == points[1].shape else different
    parts = []
    if different.size:
        i = int(different[0])
        parts.append(f"{different.size} of {x.size} scales differ, the first at {i}: {x[i]:.6g} became {y[i]:.6g}")
    if zero.size:
        parts.append(f"{zero.size} zero points differ")
    return f"; {', '.join(parts)}" if parts else ""


def _constant(where: str, a: Tensor, b: Tensor) -> Iterator[Change]:
    label = f"{where} ({a.name!r})"
    if a.dtype == b.dtype and tuple(a.shape) == tuple(b.shape):
        if not same_bytes(a, b):
            x, y = np.asarray(a.data), np.asarray(b.data)
            found = compare(np.atleast_1d(x), np.atleast_1d(y))
            if found.differing:
                first = tuple(int(i) for i in np.unravel_index(int(np.argmax(x != y)), x.shape))
                lsb = found.worst_lsb
                amount = f"{lsb:g}" if lsb is not None else f"{found.worst_relative:.3g} relative"
                shown = f"the first at {list(first)}: {x[first]} became {y[first]}"
                what = f"{found.differing:,} of {x.size:,} values differ by up to {amount}, {shown}"
                yield Change("constant", label, what)
        if not same_meaning(a.quantization, b.quantization):
            yield Change("quantization", label, f"{describe_type(a)} became {describe_type(b)}{_scales(a, b)}")
        if a.name != b.name:
            yield Change("tensor", label, f"name: {a.name!r} became {b.name!r}")
    else:
        yield from _tensor(a, b, label)


def _signatures(a: Model, b: Model) -> Iterator[Change]:
    mine, theirs = ({s.key or "": s for s in m.signatures} for m in (a, b))
    for key in mine.keys() | theirs.keys():
        if key not in theirs or key not in mine:
            yield Change("signature", f"signature '{key}'", "removed" if key in mine else "added")
            continue
        graphs = mine[key].subgraph, theirs[key].subgraph
        yield from _values("signature", f"signature '{key}'", {"subgraph": (graphs[0].index, graphs[1].index)})
        for side in ("inputs", "outputs"):
            x, y = getattr(mine[key], side), getattr(theirs[key], side)
            if list(x) != list(y):
                yield Change("signature", f"signature '{key}'", f"{side}: {list(x)} became {list(y)}")
                continue
            before, after = getattr(graphs[0], side), getattr(graphs[1], side)
            same = {
                (before[k.position], t)
                for k, t in zip(_links(before, after), after, strict=True)
                if k.position is not None
            }
            for name in x:
                if x[name] in before and y[name] in after and (x[name], y[name]) not in same:
                    what = f"{side}: '{name}' is {_name(y[name])} instead of {_name(x[name])}"
                    yield Change("signature", f"signature '{key}'", what)


def _metadata(a: Model, b: Model) -> Iterator[Change]:
    mine, theirs = ({m.name or "": m.data for m in model.metadata} for model in (a, b))
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in theirs or name not in mine:
            yield Change("metadata", f"metadata '{name}'", "removed" if name in mine else "added")
        elif mine[name] != theirs[name]:
            yield Change(
                "metadata", f"metadata '{name}'", f"{len(mine[name])} bytes became {len(theirs[name])} other bytes"
            )

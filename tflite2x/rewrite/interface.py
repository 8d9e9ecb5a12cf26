# SPDX-License-Identifier: Apache-2.0
"""How a pass changed the interface of a model, in a form that the verifier can follow.

A pass that only moves operators around leaves the inputs and outputs as they are and says nothing. A pass that
replaces an input or an output says how the new one relates to the old one through an *adapter*: a tiny model with one
input and one output, usually a copy of the operator that was removed. The verifier runs adapters with its interpreter,
so that a stripped QUANTIZE is applied to a sample with exactly the arithmetic that the operator itself would have used.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from tflite2x.errors import PassError

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Signature, Subgraph, Tensor

Kind = Literal["input", "output"]
#: ``old``: the adapter turns a value of the old tensor into one of the new tensor.
#: ``new``: it turns a value of the new tensor into one of the old tensor.
Side = Literal["old", "new"]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """A small model with one input and one output that relates the old interface to the new one.

    Attributes:
        model: The model.
        text: What it does, such as ``QUANTIZE float32 -> int8 (scale 0.0039, zero point -128)``.
    """

    model: Model
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Rebatch:
    """The new interface carries ``factor`` samples of the old one along ``axis``."""

    factor: int
    axis: int = 0

    @property
    def text(self) -> str:
        """What it does."""
        return f"{self.factor} samples in one along axis {self.axis}"


@dataclasses.dataclass(frozen=True, slots=True)
class Resized:
    """The new interface has another shape: both models get samples of that shape."""

    @property
    def text(self) -> str:
        """What it does."""
        return "another shape"


#: What relates both sides of an interface change.
Relation = Adapter | Rebatch | Resized


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class InterfaceChange:
    """One input or output that a pass replaced, added or dropped.

    Attributes:
        kind: Input or output.
        old: The tensor that the interface had; None when the new one has no counterpart.
        new: The tensor that it has now; None when the old one was dropped.
        adapter: How values relate; None when they are the same.
        side: On which side the adapter works. An input uses ``new`` only when the new interface cannot express all
            values of the old one: samples are then made for the new one.
        moved: The new tensor stands at another place among its neighbours on purpose.
    """

    kind: Kind
    old: Tensor | None
    new: Tensor | None
    adapter: Relation | None = None
    side: Side = "old"
    moved: bool = False

    def describe(self) -> dict[str, str | None]:
        """Return the change as plain values for JSON."""
        return {
            "kind": self.kind,
            "old": self.old.name if self.old is not None else None,
            "new": self.new.name if self.new is not None else None,
            "adapter": self.adapter.text if self.adapter is not None else None,
            "side": self.side if self.adapter is not None else None,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """Where one input or output of the model after a pass comes from.

    Attributes:
        position: Position among the old inputs (outputs); None when there is no counterpart.
        adapter: How values relate; None when they are the same.
        side: See ``InterfaceChange``.
    """

    position: int | None
    adapter: Relation | None = None
    side: Side = "old"


@dataclasses.dataclass(frozen=True, slots=True)
class SubgraphLinks:
    """The interface of one subgraph after a pass in terms of the one before it, by position.

    Attributes:
        inputs: One link per input after the pass.
        outputs: One link per output after the pass.
    """

    inputs: tuple[Link, ...]
    outputs: tuple[Link, ...]

    @property
    def is_identity(self) -> bool:
        """Whether nothing changed."""
        return all(
            link.position == i and link.adapter is None
            for links in (self.inputs, self.outputs)
            for i, link in enumerate(links)
        )


class InterfaceRecord:
    """The inputs and outputs of every subgraph, and the signatures, as they were before a pass."""

    def __init__(self, model: Model) -> None:
        self._before = {graph: (graph.inputs, graph.outputs) for graph in model.subgraphs}
        self._types = {
            t: (t.dtype, t.quantization.clone() if t.quantization is not None else None, _shape(t))
            for graph in model.subgraphs
            for t in (*graph.inputs, *graph.outputs)
        }
        self._names = {key: _signature_positions(signature) for key, signature in _signatures(model).items()}

    def resolve(self, model: Model, changes: list[InterfaceChange]) -> dict[Subgraph, SubgraphLinks]:
        """Express the interface of ``model`` now in terms of the recorded one.

        Unrecorded changes are accepted only where position, number, type, shape and quantization are what they were
        (the producer of an output was replaced, for example).

        Raises:
            PassError: An input or output changed, moved, or has another name in a signature, and no change says so.
        """
        links: dict[Subgraph, SubgraphLinks] = {}
        for graph in model.subgraphs:
            if graph in self._before:
                inputs, outputs = self._before[graph]
                links[graph] = SubgraphLinks(
                    _links(graph, "input", inputs, graph.inputs, changes),
                    _links(graph, "output", outputs, graph.outputs, changes),
                )
        self._check_signatures(model, links)
        stated = {change.new for change in changes}
        for graph, found in links.items():
            # The shapes of outputs follow from those of inputs.
            resized = any(isinstance(link.adapter, Rebatch | Resized) for link in found.inputs)
            for kind, tensors in (("input", graph.inputs), ("output", graph.outputs)):
                for tensor in tensors:
                    if tensor in self._types and tensor not in stated:
                        self._check_type(kind, tensor)
                        if not resized:
                            self._check_shape(kind, tensor)
        return links

    def _check_shape(self, kind: str, tensor: Tensor) -> None:
        shape, now = self._types[tensor][2], _shape(tensor)
        if shape != now:
            raise PassError(
                f"{kind} '{tensor.name}' has shape {list(now)}, it had {list(shape)}, and the pass does not say so",
                where=tensor.where,
                hint="Return an InterfaceChange for it, with Resized() for another shape.",
            )

    def _check_type(self, kind: str, tensor: Tensor) -> None:
        dtype, quantization, _ = self._types[tensor]
        same = quantization == tensor.quantization or not (
            (quantization is not None and quantization.scale.size)
            or (tensor.quantization is not None and tensor.quantization.scale.size)
        )
        if dtype != tensor.dtype or not same:
            raise PassError(
                f"{kind} '{tensor.name}' has another type or quantization ({describe_type(tensor)}) and the pass does "
                f"not say so",
                where=tensor.where,
                hint="Return an InterfaceChange for it.",
            )

    def _check_signatures(self, model: Model, links: dict[Subgraph, SubgraphLinks]) -> None:
        for key, signature in _signatures(model).items():
            before = self._names.get(key)
            found = links.get(signature.subgraph)
            if before is None or found is None:
                continue
            now = _signature_positions(signature)
            for side, table in ((0, found.inputs), (1, found.outputs)):
                for name, position in now[side].items():
                    was = before[side].get(name)
                    if was is not None and position is not None and table[position].position not in (was, None):
                        kind = "output" if side else "input"
                        raise PassError(
                            f"{kind} '{name}' of the signature was {kind} {was} and is another one now",
                            where=f"signature '{signature.key}'",
                            hint="Edit the interface with replace_input and replace_output: signatures follow.",
                        )


def _signatures(model: Model) -> dict[tuple[str | None, int], Signature]:
    """Return the signatures by key and number of occurrence (keys should be unique, but files decide)."""
    table: dict[tuple[str | None, int], Signature] = {}
    for signature in model.signatures:
        table[signature.key, sum(1 for key, _ in table if key == signature.key)] = signature
    return table


def _signature_positions(signature: Signature) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """Return name -> position in the interface, for inputs and for outputs."""
    graph = signature.subgraph

    def positions(named: dict[str, Tensor], interface: tuple[Tensor, ...]) -> dict[str, int | None]:
        return {n: next((i for i, t in enumerate(interface) if t is x), None) for n, x in named.items()}

    return positions(signature.inputs, graph.inputs), positions(signature.outputs, graph.outputs)


def _links(
    graph: Subgraph, kind: Kind, old: tuple[Tensor, ...], new: tuple[Tensor, ...], changes: list[InterfaceChange]
) -> tuple[Link, ...]:
    stated = {c.new: c for c in changes if c.kind == kind and c.new is not None}
    dropped = {c.old for c in changes if c.kind == kind and c.new is None}
    used: set[int] = set()

    def origin_of(tensor: Tensor, preferred: int) -> int | None:
        candidates = [p for p, t in enumerate(old) if t is tensor]
        free = [p for p in candidates if p not in used]
        return preferred if preferred in free else next(iter(free or candidates), None)

    links: list[Link] = []
    highest = -1
    for i, tensor in enumerate(new):
        change = stated.get(tensor)
        if change is not None and change.old is None:
            links.append(Link(None))
            continue
        origin = origin_of(tensor if change is None or change.old is None else change.old, i)
        if origin is None and change is None and len(old) == len(new) and _same_kind(old[i], tensor):
            origin = i
        if origin is None:
            raise PassError(
                f"{kind} {i} ('{tensor.name}') is new and the pass does not say how it relates to the old interface",
                where=graph.where,
                hint="Return an InterfaceChange for it.",
            )
        if origin < highest and not (change is not None and change.moved):
            raise PassError(
                f"{kind} {origin} ('{tensor.name}') moved to position {i} and the pass does not say so",
                where=graph.where,
                hint="Keep the order, or return an InterfaceChange with moved=True.",
            )
        highest = max(highest, origin)
        used.add(origin)
        links.append(Link(origin, change.adapter, change.side) if change is not None else Link(origin))
    for i, tensor in enumerate(old):
        if i not in used and tensor not in dropped:
            raise PassError(
                f"{kind} {i} ('{tensor.name}') is gone and the pass does not say so",
                where=graph.where,
                hint="Return an InterfaceChange with new=None for it.",
            )
    return tuple(links)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the declared shape with -1 for dimensions that are open."""
    return tuple(tensor.shape_signature or tensor.shape)


def _same_kind(old: Tensor, new: Tensor) -> bool:
    if old.dtype != new.dtype or tuple(old.shape) != tuple(new.shape):
        return False
    return old.quantization == new.quantization


def operator_adapter(op: Operator, *, text: str = "") -> Adapter:
    """Make an adapter out of a copy of an operator with one computed input and one output.

    Args:
        op: The operator; its further inputs must be constants.
        text: Description; made from types and quantization when empty.
    """
    from tflite2x.rewrite.extract import extract

    source = next(t for t in op.inputs if t is not None and not t.is_constant)
    target = op.outputs[0]
    model = extract(op.subgraph, [source], [target])
    return Adapter(model, text or f"{op.name} {describe_type(source)} -> {describe_type(target)}")


def conversion_adapter(opcode: str, source: Tensor, target: Tensor, *, text: str = "") -> Adapter:
    """Make an adapter with one new operator (QUANTIZE, DEQUANTIZE, CAST ...) between copies of two tensors."""
    from tflite2x.ir import Model

    model = Model.new(description="interface adapter")
    graph = model.main
    ends = [graph.add_tensor(t.name, t.shape, t.dtype, quantization=t.quantization) for t in (source, target)]
    graph.add_operator(opcode, ends[:1], ends[1:])
    graph.set_inputs(ends[:1])
    graph.set_outputs(ends[1:])
    return Adapter(model, text or f"{opcode} {describe_type(source)} -> {describe_type(target)}")


def join_adapters(first: Adapter, second: Adapter) -> Adapter:
    """Return the adapter that applies ``first`` and then ``second``."""
    from tflite2x.rewrite.join import join

    return Adapter(join(first.model, second.model), f"{first.text}, {second.text}")


def describe_type(tensor: Tensor) -> str:
    """Return type and quantization as a short text: ``int8 (scale 0.0039, zero point -128)``."""
    from tflite2x.ir.dtypes import type_name

    name = type_name(tensor.dtype)
    quantization = tensor.quantization
    if quantization is None or not len(quantization.scale):
        return name
    if len(quantization.scale) > 1:
        return f"{name} ({len(quantization.scale)} scales along axis {quantization.quantized_dimension})"
    zero_point = int(quantization.zero_point[0]) if len(quantization.zero_point) else 0
    return f"{name} (scale {float(quantization.scale[0]):.6g}, zero point {zero_point})"

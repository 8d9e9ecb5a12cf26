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
    from tflite2x.ir import Model, Operator, Subgraph, Tensor

Kind = Literal["input", "output"]
#: ``old``: the adapter turns a value of the old tensor into one of the new tensor.
#: ``new``: it turns a value of the new tensor into one of the old tensor (outputs only).
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


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class InterfaceChange:
    """One input or output that a pass replaced, added or dropped.

    Attributes:
        kind: Input or output.
        old: The tensor that the interface had; None when the new one has no counterpart.
        new: The tensor that it has now; None when the old one was dropped.
        adapter: How values relate; None when they are the same.
        side: On which side the adapter works. Inputs always use ``old``.
    """

    kind: Kind
    old: Tensor | None
    new: Tensor | None
    adapter: Adapter | Rebatch | None = None
    side: Side = "old"

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
    adapter: Adapter | Rebatch | None = None
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
    """The inputs and outputs of every subgraph as they were before a pass."""

    def __init__(self, model: Model) -> None:
        self._before = {id(g): (g, tuple(g.inputs), tuple(g.outputs)) for g in model.subgraphs}

    def resolve(self, model: Model, changes: list[InterfaceChange]) -> dict[Subgraph, SubgraphLinks]:
        """Express the interface of ``model`` now in terms of the recorded one.

        Unrecorded changes are accepted only where the position, number, type, shape and quantization are what they were
        (the producer of an output was replaced, for example).

        Raises:
            PassError: An input or output changed and no change says how.
        """
        links: dict[Subgraph, SubgraphLinks] = {}
        for graph in model.subgraphs:
            known = self._before.get(id(graph))
            if known is None:
                continue
            _, inputs, outputs = known
            links[graph] = SubgraphLinks(
                _links(graph, "input", inputs, tuple(graph.inputs), changes),
                _links(graph, "output", outputs, tuple(graph.outputs), changes),
            )
        return links


def _links(
    graph: Subgraph, kind: Kind, old: tuple[Tensor, ...], new: tuple[Tensor, ...], changes: list[InterfaceChange]
) -> tuple[Link, ...]:
    stated = {id(c.new): c for c in changes if c.kind == kind and c.new is not None}
    dropped = {id(c.old) for c in changes if c.kind == kind and c.new is None}
    positions: dict[int, list[int]] = {}
    for i, tensor in enumerate(old):
        positions.setdefault(id(tensor), []).append(i)
    used: set[int] = set()

    def take(tensor: Tensor, preferred: int) -> int | None:
        candidates = positions.get(id(tensor), [])
        free = [p for p in candidates if p not in used]
        chosen = preferred if preferred in free else free[0] if free else candidates[0] if candidates else None
        if chosen is not None:
            used.add(chosen)
        return chosen

    links: list[Link] = []
    for i, tensor in enumerate(new):
        change = stated.get(id(tensor))
        if change is not None and change.old is None:
            links.append(Link(None))
            continue
        origin = take(change.old if change is not None and change.old is not None else tensor, i)
        if origin is None and change is None and len(old) == len(new) and _same_kind(old[i], tensor):
            origin = i
            used.add(i)
        if origin is None:
            raise PassError(
                f"{kind} {i} ('{tensor.name}') is new and the pass does not say how it relates to the old interface",
                where=f"subgraphs[{graph.index}]",
                hint="Return an InterfaceChange for it.",
            )
        links.append(Link(origin, change.adapter, change.side) if change is not None else Link(origin))
    for i, tensor in enumerate(old):
        if i not in used and id(tensor) not in dropped:
            raise PassError(
                f"{kind} {i} ('{tensor.name}') is gone and the pass does not say so",
                where=f"subgraphs[{graph.index}]",
                hint="Return an InterfaceChange with new=None for it.",
            )
    return tuple(links)


def _same_kind(old: Tensor, new: Tensor) -> bool:
    if old.dtype != new.dtype or tuple(old.shape) != tuple(new.shape):
        return False
    a, b = old.quantization, new.quantization
    if a is None or b is None:
        return a is b
    return a.scale.tobytes() == b.scale.tobytes() and a.zero_point.tobytes() == b.zero_point.tobytes()


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
    ends = [
        graph.add_tensor(
            t.name,
            t.shape,
            t.dtype,
            scale=t.quantization.scale if t.quantization is not None else None,
            zero_point=t.quantization.zero_point if t.quantization is not None else 0,
            quantized_dimension=t.quantization.quantized_dimension if t.quantization is not None else 0,
        )
        for t in (source, target)
    ]
    graph.add_operator(opcode, ends[:1], ends[1:])
    graph.set_inputs(ends[:1])
    graph.set_outputs(ends[1:])
    return Adapter(model, text or f"{opcode} {describe_type(source)} -> {describe_type(target)}")


def describe_type(tensor: Tensor) -> str:
    """Return type and quantization as a short text: ``int8 (scale 0.0039, zero point -128)``."""
    name = tensor.dtype.name.lower()
    quantization = tensor.quantization
    if quantization is None or not len(quantization.scale):
        return name
    if len(quantization.scale) > 1:
        return f"{name} ({len(quantization.scale)} scales along axis {quantization.quantized_dimension})"
    zero_point = int(quantization.zero_point[0]) if len(quantization.zero_point) else 0
    return f"{name} (scale {float(quantization.scale[0]):.6g}, zero point {zero_point})"

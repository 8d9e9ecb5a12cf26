# SPDX-License-Identifier: Apache-2.0
"""Which input of an LSTM operator is what, and the parameters of one cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tflite2x.interpreter.kernel import Array, KernelContext, TensorSpec, uniform
from tflite2x.schema.enums import ActivationFunctionType

#: Order of the gates everywhere: input, forget, cell, output.
GATES = range(4)
INPUT, FORGET, CELL, OUTPUT = GATES


@dataclasses.dataclass(frozen=True)
class Layout:
    """Positions of one cell's tensors among the inputs of the operator (LiteRT lstm_shared.h).

    Four positions stand for the gates in the order input, forget, cell, output; three for peepholes, which the cell
    gate does not have. -1: the operator has no such input.
    """

    weights: tuple[int, ...]
    recurrent: tuple[int, ...]
    peephole: tuple[int, ...]
    bias: tuple[int, ...]
    projection: int
    projection_bias: int
    output_state: int
    cell_state: int
    norm: tuple[int, ...] = (-1, -1, -1, -1)
    aux: tuple[int, ...] = (-1, -1, -1, -1)


def _layout(first: int, states: int, norm: int = -1, aux: int = -1) -> Layout:
    def four(start: int) -> tuple[int, ...]:
        return tuple(range(start, start + 4)) if start >= 0 else (-1,) * 4

    return Layout(
        weights=four(first),
        recurrent=four(first + 4),
        peephole=(first + 8, first + 9, first + 10),
        bias=four(first + 11),
        projection=first + 15,
        projection_bias=first + 16,
        output_state=states,
        cell_state=states + 1,
        norm=four(norm),
        aux=four(aux),
    )


FULL = _layout(1, states=18, norm=20)
FORWARD = _layout(1, states=35, aux=40)
BACKWARD = _layout(18, states=37, aux=44)


@dataclasses.dataclass(frozen=True)
class CellParameters:
    """Everything that one cell computes with.

    Attributes:
        weights: [n_cell, n_input] per gate; None for the input gate of a CIFG cell.
        recurrent: [n_cell, n_output] per gate, or [n_cell] for a diagonal matrix.
        peephole: [n_cell] for input, forget and output gate, or None.
        bias: [n_cell] per gate.
        norm: Layer normalization coefficients [n_cell] per gate, or None.
        aux: Weights of the auxiliary input per gate, or None.
        projection: [n_output, n_cell], or None.
        projection_bias: [n_output], or None.
        scale: Per-tensor scale of each of the above, by the same names; for quantized weights.
        activation: Fused activation of the cell gate and of the output.
        cell_clip: Limit of the cell state; 0 for none.
        proj_clip: Limit of the projection; 0 for none.
    """

    weights: list[Array | None]
    recurrent: list[Array | None]
    peephole: list[Array | None]
    bias: list[Array | None]
    norm: list[Array | None]
    aux: list[Array | None]
    projection: Array | None
    projection_bias: Array | None
    scale: dict[str, list[float]]
    activation: int
    cell_clip: float
    proj_clip: float

    @property
    def cifg(self) -> bool:
        """Whether the input gate is coupled: one minus the forget gate."""
        return self.weights[INPUT] is None

    @property
    def gates(self) -> list[int]:
        """The gates that are computed."""
        return [g for g in GATES if not (g == INPUT and self.cifg)]

    @property
    def n_cell(self) -> int:
        """Number of cells."""
        return len(self.need("weights", OUTPUT))

    @property
    def n_output(self) -> int:
        """Length of the output."""
        return int(self.need("recurrent", OUTPUT).shape[-1])

    def need(self, name: str, gate: int) -> Array:
        """Return a parameter that every cell has."""
        value: Array | None = getattr(self, name)[gate]
        if value is None:
            raise ValueError(f"{name} of gate {gate} is missing")
        return value


class LstmOptions(Protocol):
    """What the options of all LSTM operators have."""

    fused_activation_function: ActivationFunctionType
    cell_clip: float
    proj_clip: float


def collect(
    ctx: KernelContext, layout: Layout, options: LstmOptions | None = None
) -> Callable[[Sequence[Array | None]], CellParameters]:
    """Return a function from the operator's inputs at run time to the parameters of one cell.

    Args:
        ctx: The operator.
        layout: Where the cell's tensors are.
        options: The operator's own options, unless given.
    """
    names = ("weights", "recurrent", "peephole", "bias", "norm", "aux")
    options = ctx.options if options is None else options
    assert options is not None, "kernels refuse operators that need options and have none"
    if options.cell_clip < 0 or options.proj_clip < 0:
        raise ctx.unsupported("a clip is negative")

    def scales(positions: Sequence[int]) -> list[float]:
        specs = [_optional(ctx, i) for i in positions]
        return [float(s.scale[0]) if s is not None and s.is_quantized else 1.0 for s in specs]

    scale = {name: scales(getattr(layout, name)) for name in names}
    scale["projection"] = scales([layout.projection])

    def build(value: Callable[[int], Array | None]) -> CellParameters:
        lists: dict[str, Any] = {name: [value(i) for i in getattr(layout, name)] for name in names}
        return CellParameters(
            **lists,
            projection=value(layout.projection),
            projection_bias=value(layout.projection_bias),
            scale=scale,
            activation=int(options.fused_activation_function),
            cell_clip=float(options.cell_clip),
            proj_clip=float(options.proj_clip),
        )

    _check(ctx, layout)
    positions = [i for name in names for i in getattr(layout, name)] + [layout.projection, layout.projection_bias]
    specs = {i: _optional(ctx, i) for i in positions}
    if all(s is None or s.const is not None for s in specs.values()):
        constant = build(lambda i: None if (s := specs[i]) is None else s.const)
        return lambda inputs: constant

    def at_run_time(inputs: Sequence[Array | None]) -> CellParameters:
        def value(i: int) -> Array | None:
            array = inputs[i] if 0 <= i < len(inputs) else None
            return None if array is None else uniform(array)

        return build(value)

    return at_run_time


def _optional(ctx: KernelContext, index: int) -> TensorSpec | None:
    return ctx.optional(index) if index >= 0 else None


def _check(ctx: KernelContext, layout: Layout) -> None:
    """Refuse combinations that LiteRT refuses (lstm.cc, CheckInputTensorDimensions)."""
    present = {name: [_optional(ctx, i) is not None for i in getattr(layout, name)] for name in
               ("weights", "recurrent", "peephole", "bias", "norm", "aux")}  # fmt: skip
    for name in ("weights", "recurrent", "bias"):
        if not all(present[name][1:]):
            raise ctx.unsupported(f"{name} of the forget, cell or output gate are missing")
    cifg = not present["weights"][INPUT]
    if present["recurrent"][INPUT] == cifg or (not cifg and not present["bias"][INPUT]):
        raise ctx.unsupported("the input gate must have weights, recurrent weights and bias, or none of them")
    for name, rest in (
        ("peephole", present["peephole"][1:]),
        ("norm", present["norm"][1:]),
        ("aux", present["aux"][1:]),
    ):
        if len({*rest}) > 1 or (all(rest) and not cifg and not present[name][0]):
            raise ctx.unsupported(f"some of the {name} tensors are missing")
    for index in (layout.output_state, layout.cell_state):
        if not ctx.input(index).is_variable:
            raise ctx.unsupported(f"input {index} is state and must be a variable tensor")

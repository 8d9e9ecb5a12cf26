# SPDX-License-Identifier: Apache-2.0
"""Change the types of inputs and outputs, and keep the integer core.

::

    in: float32 -> QUANTIZE -> core (int8) ... core (int8) -> DEQUANTIZE -> out: float32

    set-io-type{inputs=int8 outputs=uint8}      in: int8 (core) ...          core -> QUANTIZE -> out: uint8
    set-io-type{inputs=uint8 outputs=float32}   in: uint8 -> QUANTIZE ...    core -> DEQUANTIZE -> out: float32

Operators at the boundary are dropped, added or replaced. int8 and uint8 hold the same numbers, 128 apart. int16 in
front of an 8-bit core keeps its scale; 8 bits in front of an int16 core have a scale 256 times as large. Names, order
and signatures stay. A tensor without integers behind it (a float model) is left alone.

Options: ``inputs`` and ``outputs``: float32, int8, uint8, int16 or keep.

Claim: exact. Where new inputs are coarser than the core, samples are made for the new interface.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from tflite2x.passes._boundary import Boundary, input_boundary, output_boundary, stand_in
from tflite2x.passes._common import called_subgraphs, entry_subgraphs
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.interface import Adapter, InterfaceChange, conversion_adapter, describe_type, join_adapters
from tflite2x.rewrite.result import PassResult
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor

Kind = Literal["keep", "float32", "int8", "uint8", "int16"]
_FLOAT = TensorType.FLOAT32
_BITS = {TensorType.INT8: 8, TensorType.UINT8: 8, TensorType.INT16: 16}


@dataclasses.dataclass(frozen=True)
class SetIoType(Pass):
    """Change the types of inputs and outputs, and keep the integer core.

    Attributes:
        inputs: Type of the inputs.
        outputs: Type of the outputs.
    """

    name: ClassVar[str] = "set-io-type"
    inputs: Kind = "keep"
    outputs: Kind = "keep"

    def run(self, model: Model) -> PassResult:
        """Look at every subgraph that is entered from outside, until nothing changes any more.

        Integers that are an output themselves stand in the way of the outputs behind them until they are replaced.
        """
        result = PassResult()
        while True:
            done = len(result.replaced)
            result.left_alone.clear()
            self._round(model, result)
            if len(result.replaced) == done:
                return result

    def _round(self, model: Model, result: PassResult) -> None:
        called = called_subgraphs(model)
        for graph in entry_subgraphs(model):
            for side, wanted in (("input", self.inputs), ("output", self.outputs)):
                if wanted == "keep":
                    continue
                kind = TensorType[wanted.upper()]
                for tensor in graph.inputs if side == "input" else graph.outputs:
                    if tensor.dtype == kind or tensor.dtype not in (*_BITS, _FLOAT):
                        continue
                    if graph in called:
                        result.leave(tensor, f"operators call {graph.where}, so its interface belongs to them")
                        continue
                    found = input_boundary(tensor) if side == "input" else output_boundary(tensor)
                    reason = found if isinstance(found, str) else _unsupported(found, kind, side)
                    if isinstance(found, str) or reason:
                        result.leave(tensor, reason)
                    elif not sites.allowed(tensor):
                        continue
                    elif side == "input":
                        _set_input(graph, found, kind, result)
                    else:
                        _set_output(graph, found, kind, result)


def _unsupported(found: Boundary, kind: TensorType, side: str) -> str:
    """Say which conversion the runtimes lack; empty when all are there."""
    if side == "input" and kind == TensorType.INT16 and found.core.dtype == TensorType.UINT8:
        return "runtimes have no QUANTIZE from int16 to uint8"
    if side == "output" and kind == TensorType.UINT8 and found.core.dtype == TensorType.INT16:
        return "runtimes have no QUANTIZE from int16 to uint8"
    return ""


def _set_input(graph: Subgraph, found: Boundary, kind: TensorType, result: PassResult) -> None:
    old, core = found.outer, found.core
    result.replace(old, f"input is {kind.name.lower()} now, it was {describe_type(old)}")
    result.count("inputs changed")
    if core.dtype == kind:
        new, adapter = core, found.adapter
        found.detach()
    else:
        new = stand_in(graph, core, kind)
        coarse = kind != _FLOAT and _BITS[kind] < _BITS[core.dtype]
        if coarse:
            adapter = _convert(new, old)
        elif old.dtype == TensorType.INT16 and _BITS.get(kind) == 8 and found.adapter is not None:
            adapter = join_adapters(found.adapter, _convert(core, new))  # what the core saw of the wider type
        else:
            adapter = _convert(old, new)
        found.detach()
        if old is core and core.is_input:
            graph.replace_input(old, new)
        graph.add_operator(*_operator(new, core), index=0)
    if old in graph.inputs:
        graph.replace_input(old, new)
    side: Literal["old", "new"] = "new" if new is not core and adapter_is_coarse(new, core) else "old"
    result.interface.append(InterfaceChange("input", old, new, adapter, side))
    _hand_over(graph, old, new)


def adapter_is_coarse(new: Tensor, core: Tensor) -> bool:
    """Whether the new interface holds fewer values than the core."""
    return new.dtype != _FLOAT and _BITS[new.dtype] < _BITS[core.dtype]


def _set_output(graph: Subgraph, found: Boundary, kind: TensorType, result: PassResult) -> None:
    old, core = found.outer, found.core
    result.replace(old, f"output is {kind.name.lower()} now, it was {describe_type(old)}")
    result.count("outputs changed")
    new = core if core.dtype == kind else stand_in(graph, core, kind)
    # What is between them loses nothing: the boundary is chosen that way.
    to_core = _convert(old, core) if old is not core else None
    if new is core:
        change = InterfaceChange("output", old, new, to_core)
    else:
        code, inputs, outputs = _operator(core, new)
        graph.add_operator(code, inputs, outputs)
        if kind == _FLOAT:
            change = InterfaceChange("output", old, new, _convert(new, old), "new")
        elif to_core is not None:
            change = InterfaceChange("output", old, new, join_adapters(to_core, _convert(core, new)))
        else:
            change = InterfaceChange("output", old, new, _convert(old, new))
    graph.replace_output(old, new)
    result.interface.append(change)
    found.detach()
    _hand_over(graph, old, new)


def _operator(source: Tensor, target: Tensor) -> tuple[str, list[Tensor], list[Tensor]]:
    return ("DEQUANTIZE" if target.dtype == _FLOAT else "QUANTIZE"), [source], [target]


def _convert(source: Tensor, target: Tensor) -> Adapter:
    return conversion_adapter(_operator(source, target)[0], source, target)


def _hand_over(graph: Subgraph, old: Tensor, new: Tensor) -> None:
    """The tensor at the interface keeps the name that callers know."""
    old.name, new.name = new.name, old.name
    if new.shape_signature is None:
        new.shape_signature = old.shape_signature
    if not old.uses and old.producer is None and old not in graph.referenced_tensors():
        graph.remove_tensor(old)

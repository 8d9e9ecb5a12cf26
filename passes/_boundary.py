# SPDX-License-Identifier: Apache-2.0
"""Where the integer core of a model begins and ends."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.passes._common import QUANTIZED, per_tensor, same_quantization
from tflite2x.rewrite import sites
from tflite2x.rewrite.interface import Adapter, operator_adapter
from tflite2x.schema.enums import BuiltinOperator as Op
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Subgraph, Tensor


@dataclasses.dataclass(slots=True)
class Boundary:
    """An interface tensor and the integers behind it.

    Attributes:
        outer: The tensor at the interface.
        core: The integer tensor behind it; ``outer`` itself when nothing is between them.
        operators: QUANTIZE or DEQUANTIZE operators between them.
        adapter: What they do to a value, from input to core or from core to output; None when there are none.
    """

    outer: Tensor
    core: Tensor
    operators: tuple[Operator, ...] = ()
    adapter: Adapter | None = None

    def detach(self) -> None:
        """Remove the operators between the interface and the core."""
        for op in self.operators:
            graph, target = op.subgraph, op.outputs[0]
            op.set_outputs(())
            graph.remove_operator(op)
            if target not in (self.core, self.outer):
                graph.replace_all_uses(target, self.core)
                graph.remove_tensor(target)


def input_boundary(tensor: Tensor) -> Boundary | str:
    """Return the boundary behind an input, or why there is none."""
    if tensor.is_output:
        return "the input is an output as well"
    readers = tensor.consumers
    targets = [op.outputs[0] for op in readers if op.opcode == Op.QUANTIZE]
    if readers and len(targets) == len(readers):
        first = targets[0]
        same = all(
            t.dtype == first.dtype and same_quantization(t.quantization, first.quantization) and not t.is_output
            for t in targets
        )
        core = first.dtype in QUANTIZED and per_tensor(first.quantization) and tuple(first.shape) == tuple(tensor.shape)
        if same and core and (tensor.dtype == TensorType.FLOAT32 or _covers(tensor, first)):
            return Boundary(tensor, first, readers, operator_adapter(readers[0]))
    if tensor.dtype in QUANTIZED and per_tensor(tensor.quantization):
        return Boundary(tensor, tensor)
    if tensor.dtype != TensorType.FLOAT32:
        return "it has no single scale"
    others = [op for op in readers if op.opcode != Op.QUANTIZE]
    if others:
        return f"{sites.place(others[0])} reads the float values"
    return "several QUANTIZE with different parameters read it" if readers else "no operator reads it"


def output_boundary(tensor: Tensor) -> Boundary | str:
    """Return the boundary in front of an output, or why there is none."""
    op = tensor.producer
    if tensor.subgraph.outputs.count(tensor) > 1:
        return "it is an output more than once"
    source = op.inputs[0] if op is not None and op.opcode in (Op.DEQUANTIZE, Op.QUANTIZE) else None
    if op is not None and source is not None and not tensor.uses and source.dtype in QUANTIZED:
        free = not (source.is_constant or source.is_variable or source.is_input or source.is_output)
        core = free and per_tensor(source.quantization) and tuple(source.shape) == tuple(tensor.shape)
        if core and (tensor.dtype == TensorType.FLOAT32 or _covers(tensor, source)):
            return Boundary(tensor, source, (op,), operator_adapter(op))
    if op is None:
        return "no operator computes it"
    if tensor.dtype in QUANTIZED and per_tensor(tensor.quantization):
        return Boundary(tensor, tensor)
    if tensor.dtype != TensorType.FLOAT32:
        return "it has no single scale"
    if op.opcode != Op.DEQUANTIZE:
        return f"{sites.place(op)} computes the float values"
    return (
        f"what {sites.place(op)} reads cannot become an output" if not tensor.uses else "an operator reads it as well"
    )


def _covers(outer: Tensor, core: Tensor) -> bool:
    """Whether an integer tensor at the interface holds every number of the core, in the same steps.

    int8 and uint8 cover each other where they are 128 apart, and int16 covers an int8 core whose scale it has.
    """
    if outer.quantization is None or core.quantization is None:
        return False
    if not (per_tensor(outer.quantization) and per_tensor(core.quantization)):
        return False
    if (outer.dtype, core.dtype) == (TensorType.INT16, TensorType.UINT8):
        return False  # no operator leads back: runtimes have no QUANTIZE from int16 to uint8
    ends = []
    for tensor, quantization in ((outer, outer.quantization), (core, core.quantization)):
        info = np.iinfo(tensor.numpy_dtype)
        zero = int(quantization.zero_point[0]) if quantization.zero_point.size else 0
        ends.append((info.min - zero, info.max - zero, quantization.scale.tobytes()))
    (low, high, scale), (core_low, core_high, core_scale) = ends
    return low <= core_low and core_high <= high and scale == core_scale


def stand_in(graph: Subgraph, core: Tensor, kind: TensorType) -> Tensor:
    """Add a tensor that holds the values of ``core`` in another type."""
    if kind == TensorType.FLOAT32:
        return graph.add_tensor(core.name, core.shape, kind, shape_signature=core.shape_signature)
    assert core.quantization is not None
    scale = float(core.quantization.scale[0])
    zero = int(core.quantization.zero_point[0]) if core.quantization.zero_point.size else 0
    if core.dtype == TensorType.INT16:
        # 8 bits for 16: the same reach in steps that are 256 times as large.
        scale, zero = scale * 256, 128 if kind == TensorType.UINT8 else 0
    elif kind == TensorType.INT16:
        zero = 0
    else:
        zero += 128 if kind == TensorType.UINT8 else -128
    return graph.add_tensor(
        core.name, core.shape, kind, scale=scale, zero_point=zero, shape_signature=core.shape_signature
    )

# SPDX-License-Identifier: Apache-2.0
"""Let the model return the index of the largest value instead of the values.

::

    ... -> scores [N, 10] (output)     ==>     ... -> scores [N, 10] -> ARG_MAX -> index [N] (output)

For a float output behind DEQUANTIZE the index is taken of the integers, which have the same order. Outputs of other
types and outputs without dimensions are left alone. Among equal values the first one counts.

Options: ``output`` chooses one output by position (all when it is -1); ``index-type`` is int32 or int64.

Claim: exact. The verifier applies ARG_MAX to the old output.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from tflite2x.ir.dtypes import type_name
from tflite2x.passes._common import QUANTIZED, called_subgraphs, drop_if_unused, entry_subgraphs
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.extract import extract
from tflite2x.rewrite.interface import Adapter, InterfaceChange, describe_type
from tflite2x.rewrite.result import PassResult
from tflite2x.schema.enums import BuiltinOperator as Op
from tflite2x.schema.enums import TensorType
from tflite2x.schema.tables import ArgMaxOptions

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor


@dataclasses.dataclass(frozen=True)
class AddOutputArgmax(Pass):
    """Let the model return the index of the largest value instead of the values.

    Attributes:
        output: Position of the output; -1 for all of them.
        index_type: Type of the index.
    """

    name: ClassVar[str] = "add-output-argmax"
    output: int = -1
    index_type: Literal["int32", "int64"] = "int32"

    def __post_init__(self) -> None:
        if self.output < -1:
            raise ValueError(f"output is {self.output}; it is a position from 0, or -1 for all outputs")

    def requires(self, model: Model) -> None:
        """The output exists."""
        most = max((len(graph.outputs) for graph in entry_subgraphs(model)), default=0)
        if self.output >= most:
            raise self.error(f"there is no output {self.output}", hint=f"The model has {most}, counted from 0.")

    def run(self, model: Model) -> PassResult:
        """Look at the outputs of every subgraph that is entered from outside."""
        result = PassResult()
        called = called_subgraphs(model)
        for graph in entry_subgraphs(model):
            for position, tensor in enumerate(graph.outputs):
                if self.output not in (-1, position):
                    continue
                reason = f"operators call {graph.where}" if graph in called else _obstacle(tensor)
                if reason:
                    result.leave(tensor, reason)
                elif sites.allowed(tensor):
                    self._append(graph, tensor, result)
        return result

    def _append(self, graph: Subgraph, tensor: Tensor, result: PassResult) -> None:
        kind = TensorType[self.index_type.upper()]
        axis = graph.add_constant(f"{tensor.name}/axis", np.array(-1, np.int32))
        index = graph.add_tensor(tensor.name, tensor.shape[:-1], kind)
        if tensor.shape_signature is not None:
            index.shape_signature = tensor.shape_signature[:-1]
        source = _integers(tensor)
        version = 2 if source.dtype == TensorType.INT8 else 1
        graph.add_operator("ARG_MAX", [source, axis], [index], ArgMaxOptions(output_type=kind), version=version)
        # The same operator on the old output relates both interfaces.
        probe = graph.add_tensor("probe", index.shape, kind)
        graph.add_operator("ARG_MAX", [tensor, axis], [probe], ArgMaxOptions(output_type=kind), version=version)
        adapter = Adapter(extract(graph, [tensor], [probe]), f"ARG_MAX {describe_type(tensor)} -> {self.index_type}")
        probe_op = probe.producer
        assert probe_op is not None
        graph.remove_operator(probe_op)
        graph.remove_tensor(probe)
        result.replace(tensor, f"output is its index of type {self.index_type} now")
        result.count("outputs replaced by their argmax")
        graph.replace_output(tensor, index)
        tensor.name = f"{tensor.name}/values"
        dequantize = tensor.producer
        if source is not tensor and dequantize is not None and not tensor.uses:
            graph.remove_operator(dequantize)
            drop_if_unused(tensor)
        result.interface.append(InterfaceChange("output", tensor, index, adapter))


def _integers(tensor: Tensor) -> Tensor:
    """Return the integers behind a float output, or the tensor itself."""
    op = tensor.producer
    source = op.inputs[0] if op is not None and op.opcode == Op.DEQUANTIZE else None
    if source is None or source.dtype not in QUANTIZED - {TensorType.INT16} or tensor.uses:
        return tensor
    return source if source.quantization is not None and source.quantization.scale.size == 1 else tensor


def _obstacle(tensor: Tensor) -> str:
    if tensor.dtype not in (TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8):
        return f"ARG_MAX takes no {type_name(tensor.dtype)} values"
    if not tensor.shape:
        return "it has no dimension"
    if tensor.producer is None:
        return "no operator computes it"
    if tensor.subgraph.outputs.count(tensor) > 1:
        return "it is an output more than once"
    if tensor.producer.opcode == Op.ARG_MAX:
        return "it is an index already"
    return ""

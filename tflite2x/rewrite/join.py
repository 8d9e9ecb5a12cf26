# SPDX-License-Identifier: Apache-2.0
"""Put one small model behind another."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from tflite2x.errors import GraphError

if TYPE_CHECKING:
    from tflite2x.ir import Model, Tensor


def join(first: Model, second: Model) -> Model:
    """Return a model that feeds the outputs of ``first`` to the inputs of ``second``; both stay as they are.

    Args:
        first: A model.
        second: A model with one subgraph whose inputs are like the outputs of ``first``.

    Raises:
        GraphError: Types or numbers do not fit, or ``second`` calls subgraphs.
    """
    model = first.clone()
    graph, other = model.main, second.main
    if len(second.subgraphs) > 1:
        raise GraphError("the second model has several subgraphs")
    if len(graph.outputs) != len(other.inputs):
        raise GraphError(f"{len(graph.outputs)} outputs do not fit {len(other.inputs)} inputs")
    tensors: dict[Tensor, Tensor] = {}
    for output, source in zip(graph.outputs, other.inputs, strict=True):
        if output.dtype != source.dtype:
            raise GraphError(f"output '{output.name}' and input '{source.name}' have different types")
        tensors[source] = output
    for tensor in other.tensors:
        if tensor in tensors:
            continue
        new = graph.add_tensor(
            tensor.name,
            tensor.shape,
            tensor.dtype,
            quantization=tensor.quantization,
            shape_signature=tensor.shape_signature,
            is_variable=tensor.is_variable,
        )
        if tensor.buffer.data is not None:
            new.buffer = model.add_buffer(tensor.buffer.data)
        tensors[tensor] = new
    for op in other.operators:
        graph.add_operator(
            op.custom_code if op.custom_code is not None else op.opcode,
            [None if t is None else tensors[t] for t in op.inputs],
            [tensors[t] for t in op.outputs],
            copy.copy(op.options),
            custom_options=op.custom_options,
            version=op.version,
        )
    graph.set_outputs([tensors[t] for t in other.outputs])
    return model

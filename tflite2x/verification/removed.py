# SPDX-License-Identifier: Apache-2.0
"""Operators of the model before a pass that the model after it has no longer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Subgraph, Tensor


def removed_operators(target: Tensor, graph: Subgraph, tensors: Mapping[Tensor, Tensor]) -> list[Operator]:
    """Return operators that a tensor was computed by and that are gone, in order.

    Between the tensor and the nearest ones that the later model computes as well, these are the operators none of whose
    outputs the later model computes.

    Args:
        target: A tensor of the earlier model.
        graph: The subgraph of the later model.
        tensors: Tensors of the later model with their counterparts in the earlier one.
    """
    inputs = set(graph.inputs)
    live = {old for new, old in tensors.items() if new.producer is not None or new in inputs}
    waiting = [target.producer] if target.producer is not None else []
    seen = set(waiting)
    while waiting:
        for tensor in waiting.pop().inputs:
            op = tensor.producer if tensor is not None and tensor not in live else None
            if op is not None and op not in seen:
                seen.add(op)
                waiting.append(op)
    return sorted((op for op in seen if live.isdisjoint(op.outputs)), key=lambda op: op.index)

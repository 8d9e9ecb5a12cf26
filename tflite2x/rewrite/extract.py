# SPDX-License-Identifier: Apache-2.0
"""Cut a sub-model out of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tflite2x.errors import GraphError

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor


def extract(graph: Subgraph, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Model:
    """Return a new model that computes ``outputs`` from ``inputs``; ``graph`` stays as it is.

    The new model has the subgraph as its main one, together with the subgraphs that its operators call. Signatures and
    metadata are left behind, and so are operators, tensors and buffers that the outputs do not need.

    Args:
        graph: The subgraph to cut from.
        inputs: Tensors that become inputs; whatever computed them is left behind.
        outputs: Tensors that become outputs.

    Raises:
        GraphError: A tensor is not in the subgraph, an input is a constant, or an output needs an input of the
            subgraph that is not among ``inputs``.
    """
    return extract_with_origins(graph, inputs, outputs)[0]


def extract_with_origins(
    graph: Subgraph, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> tuple[Model, dict[Tensor, Tensor]]:
    """Return what :func:`extract` does, and the tensors of ``graph`` by those of the new model."""
    for tensor in (*inputs, *outputs):
        if tensor.subgraph is not graph:
            raise GraphError("the tensor is in another subgraph", where=tensor.where, hint=f"Cut from {graph.where}.")
    for tensor in inputs:
        if tensor.is_constant:
            raise GraphError("a constant cannot become an input", where=tensor.where)
    needed = _needed(graph, inputs, outputs)
    copy = graph.model.clone()
    new = copy.subgraphs[graph.index]
    origins = dict(zip(new.tensors, graph.tensors, strict=True))
    keep = {new.operators[op.index] for op in needed}
    new_inputs = [new.tensors[t.index] for t in inputs]
    new_outputs = [new.tensors[t.index] for t in outputs]
    for signature in copy.signatures:
        copy.remove_signature(signature)
    for entry in copy.metadata:
        copy.remove_metadata(entry)
    copy.metadata_buffer.clear()
    copy.path = None
    copy.trailing = b""
    new.set_outputs(new_outputs)
    new.set_inputs([])
    for tensor in new_inputs:
        producer = tensor.producer
        if producer is not None:  # where it computes other outputs that are needed, this one goes nowhere
            producer.set_outputs([_stand_in(new, t) if t is tensor else t for t in producer.outputs])
    new.remove_operators([op for op in new.operators if op not in keep])
    new.set_inputs(new_inputs)
    _keep_called(copy, new)
    prune(copy)
    return copy, origins


def _needed(graph: Subgraph, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> set[Operator]:
    """Return the operators between inputs and outputs."""
    given = set(inputs)
    found: set[Tensor] = set()
    needed: set[Operator] = set()
    waiting = list(outputs)
    while waiting:
        tensor = waiting.pop()
        if tensor in given or tensor in found:
            continue
        found.add(tensor)
        op = tensor.producer
        if op is None:
            if tensor.is_input:
                raise GraphError(
                    f"the outputs need the input '{tensor.name}'",
                    where=graph.where,
                    hint="Cut from that input as well, or from a tensor behind it.",
                )
            continue
        if op not in needed:
            needed.add(op)
            waiting += [t for t in op.inputs if t is not None]
    return needed


def _stand_in(graph: Subgraph, tensor: Tensor) -> Tensor:
    """Return a tensor that takes a value which nobody reads."""
    return graph.add_tensor(
        f"{tensor.name} (computed here as well)", tensor.shape, tensor.dtype, quantization=tensor.quantization
    )


def _keep_called(model: Model, main: Subgraph) -> None:
    """Make ``main`` the first subgraph and drop those that it does not call, directly or not."""
    kept = [main]
    for graph in kept:
        kept += [g for op in graph.operators for g in op.calls.values() if g not in kept]
    model.set_subgraphs(kept)


def prune(model: Model) -> None:
    """Remove tensors, buffers and operator codes that nothing refers to."""
    for graph in model.subgraphs:
        while unused := _unused(graph):
            graph.remove_tensors(unused)
    used_buffers = model.used_buffers()
    model.remove_buffers([b for b in model.buffers[1:] if b not in used_buffers])
    used_codes = {op.code for graph in model.subgraphs for op in graph.operators}
    for code in model.operator_codes:
        if code not in used_codes:
            model.remove_operator_code(code)


def _unused(graph: Subgraph) -> list[Tensor]:
    used = graph.referenced_tensors()
    return [t for t in graph.tensors if t not in used]

# SPDX-License-Identifier: Apache-2.0
"""Views of a subgraph as a networkx graph, for analyses and drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx

    from tflite2x.ir.subgraph import Subgraph


def to_networkx(subgraph: Subgraph) -> networkx.MultiDiGraph[Any]:
    """Return operators and tensors as nodes of a directed multigraph.

    The nodes are the ``Operator`` and ``Tensor`` objects themselves, with attributes ``kind`` (``"operator"`` or
    ``"tensor"``) and ``label``. Each edge has the attribute ``index``: the position among the operator's inputs (from
    tensor to operator) or outputs (from operator to tensor). The view is a copy: later edits do not change it.
    """
    import networkx

    graph: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph(name=subgraph.name or "")
    for tensor in subgraph.tensors:
        graph.add_node(tensor, kind="tensor", label=tensor.name or "")
    for op in subgraph.operators:
        graph.add_node(op, kind="operator", label=op.name)
        for i, t in enumerate(op._inputs):
            if t is not None:
                graph.add_edge(t, op, index=i)
        for i, t in enumerate(op._outputs):
            if t is not None:
                graph.add_edge(op, t, index=i)
    return graph

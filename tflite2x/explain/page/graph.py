# SPDX-License-Identifier: Apache-2.0
"""The graph of a subgraph as SVG: operators in layers from top to bottom."""

from __future__ import annotations

import dataclasses
from html import escape
from typing import TYPE_CHECKING

from tflite2x.explain.plain import printable
from tflite2x.ir.dtypes import type_name

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Subgraph, Tensor

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 190, 40, 24, 34
#: Boxes in one row.
_LONGEST = 5


@dataclasses.dataclass
class Node:
    """A box: an operator, an input or an output.

    Attributes:
        title: First line.
        detail: Second line.
        kind: CSS class.
        link: Anchor in the page, or empty.
        hint: Text of the tooltip.
        layer: Row.
        place: Position in the row.
    """

    title: str
    detail: str
    kind: str
    link: str
    hint: str
    layer: int = 0
    place: float = 0.0


def graph_svg(graph: Subgraph) -> str:
    """Return the picture of a subgraph.

    Operators lie one row below the last one whose result they read. Rows are ordered by the mean position of what they
    read, so that edges cross little.
    """
    nodes, edges = _nodes(graph)
    rows = _rows(nodes, edges)
    _arrange(rows, edges)
    rows = _broken(rows)
    columns = max((len(row) for row in rows), default=1)
    width = columns * (_WIDTH + _GAP_X) + _GAP_X
    height = len(rows) * (_HEIGHT + _GAP_Y) + _GAP_Y
    for row in rows:
        start = (width - len(row) * (_WIDTH + _GAP_X) + _GAP_X) / 2
        for i, node in enumerate(row):
            node.place = start + i * (_WIDTH + _GAP_X)
    lines = [_edge(a, b, label) for a, b, label in edges]
    boxes = [_box(node) for row in rows for node in row]
    return (
        f'<svg class="graph" role="img" aria-label="graph of {escape(printable(graph.name))}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">{"".join(lines)}{"".join(boxes)}</svg>'
    )


def _nodes(graph: Subgraph) -> tuple[list[Node], list[tuple[Node, Node, str]]]:
    makers: dict[Tensor, Node] = {}
    nodes: list[Node] = []
    for tensor in graph.inputs:
        node = Node("input", _describe(tensor), "io", "", printable(tensor.name))
        makers[tensor] = node
        nodes.append(node)
    boxes: dict[Operator, Node] = {}
    for op in graph.operators:
        detail = _describe(op.outputs[0]) if op.outputs and op.outputs[0] is not None else ""
        hint = printable(op.outputs[0].name) if op.outputs and op.outputs[0] is not None else ""
        boxes[op] = Node(
            f"{op.index} {printable(op.name, 24)}", detail, _family(op.name), f"op-{graph.index}-{op.index}", hint
        )
        nodes.append(boxes[op])
        makers.update((t, boxes[op]) for t in op.outputs if t is not None)
    edges: dict[tuple[int, int], tuple[Node, Node, str]] = {}
    for op in graph.operators:
        for read in op.inputs:
            if read is not None and read in makers and makers[read] is not boxes[op]:
                source = makers[read]
                edges.setdefault((id(source), id(boxes[op])), (source, boxes[op], printable(read.name)))
    for tensor in graph.outputs:
        node = Node("output", _describe(tensor), "io", "", printable(tensor.name))
        nodes.append(node)
        if tensor in makers:
            edges[id(makers[tensor]), id(node)] = (makers[tensor], node, printable(tensor.name))
    return nodes, list(edges.values())


def _rows(nodes: list[Node], edges: list[tuple[Node, Node, str]]) -> list[list[Node]]:
    """Assign layers: nodes come in an order in which what they read comes first."""
    sources: dict[int, list[Node]] = {}
    readers: dict[int, list[tuple[Node, Node, str]]] = {}
    for edge in edges:
        sources.setdefault(id(edge[1]), []).append(edge[0])
        readers.setdefault(id(edge[0]), []).append(edge)
    for node in nodes:
        node.layer = 1 + max((n.layer for n in sources.get(id(node), [])), default=-1)
    # What is needed late comes late: unrolled loops would start with one row of everything.
    for node in reversed(nodes):
        for above in sources.get(id(node), []):
            later = [b.layer for a, b, _ in readers[id(above)]]
            above.layer = max(above.layer, min(later) - 1)
    rows: list[list[Node]] = [[] for _ in range(1 + max((n.layer for n in nodes), default=-1))]
    for node in nodes:
        rows[node.layer].append(node)
    return rows


def _arrange(rows: list[list[Node]], edges: list[tuple[Node, Node, str]]) -> None:
    """Order every row by the mean relative position of its sources."""
    sources: dict[int, list[Node]] = {}
    for a, b, _ in edges:
        sources.setdefault(id(b), []).append(a)
    for row in rows:
        for i, node in enumerate(row):
            above = sources.get(id(node), [])
            node.place = sum(n.place for n in above) / len(above) if above else (i + 1) / (len(row) + 1)
        row.sort(key=lambda n: n.place)
        for i, node in enumerate(row):
            node.place = (i + 1) / (len(row) + 1)


def _broken(rows: list[list[Node]]) -> list[list[Node]]:
    """Break rows that are too long to be seen at once."""
    parts = [row[i : i + _LONGEST] for row in rows for i in range(0, len(row), _LONGEST)]
    for layer, part in enumerate(parts):
        for node in part:
            node.layer = layer
    return parts


def _edge(a: Node, b: Node, label: str) -> str:
    x0, y0 = a.place + _WIDTH / 2, _top(a) + _HEIGHT
    x1, y1 = b.place + _WIDTH / 2, _top(b)
    bend = _GAP_Y * 0.6
    # Edges over several rows swing to the side, around the boxes between.
    side = 0.0 if b.layer - a.layer == 1 else (_WIDTH / 2 + _GAP_X / 2) * (1 if x1 >= x0 else -1)
    if side:
        middle = max(x0, x1) + side if side > 0 else min(x0, x1) + side
        path = (
            f"M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + bend:.0f} {middle:.0f} {y0:.0f} {middle:.0f} {y0 + _GAP_Y:.0f}"
            f"L{middle:.0f} {y1 - _GAP_Y:.0f}C{middle:.0f} {y1:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1:.0f}"
        )
    else:
        path = f"M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1:.0f}"
    return f'<path class="edge" d="{path}"><title>{escape(label)}</title></path>'


def _box(node: Node) -> str:
    x, y = node.place, _top(node)
    box = (
        f'<g class="node {node.kind}"><title>{escape(node.hint)}</title>'
        f'<rect x="{x:.0f}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{x + _WIDTH / 2:.0f}" y="{y + 17}">{escape(node.title)}</text>'
        f'<text class="detail" x="{x + _WIDTH / 2:.0f}" y="{y + 32}">{escape(node.detail)}</text></g>'
    )
    return f'<a href="#{node.link}">{box}</a>' if node.link else box


def _top(node: Node) -> int:
    return _GAP_Y // 2 + node.layer * (_HEIGHT + _GAP_Y)


def _describe(tensor: Tensor) -> str:
    return f"{type_name(tensor.dtype)} {'×'.join(map(str, tensor.shape)) or 'scalar'}"


def _family(name: str) -> str:
    for family, words in (
        ("weights", ("CONV", "FULLY", "LSTM", "GRU", "RNN", "SVDF", "MATMUL", "XC_")),
        ("pool", ("POOL", "MEAN", "REDUCE", "SUM")),
        ("convert", ("QUANTIZE", "CAST")),
        ("shape", ("RESHAPE", "TRANSPOSE", "PAD", "CONCAT", "SLICE", "SPLIT", "SQUEEZE", "GATHER", "PACK")),
    ):
        if any(word in name for word in words):
            return family
    return "other"

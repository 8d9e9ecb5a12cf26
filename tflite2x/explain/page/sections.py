# SPDX-License-Identifier: Apache-2.0
"""The sections of the page: facts, sizes, operators, quantization, weights, errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.page.pictures import bar, histogram_svg, line_svg, weight_png
from tflite2x.explain.plain import printable, says
from tflite2x.ir.dtypes import type_name

if TYPE_CHECKING:
    from tflite2x.explain.inspect import ModelInfo, OperatorInfo, SubgraphInfo, TensorInfo
    from tflite2x.explain.report import LayerErrors
    from tflite2x.ir import Model, Tensor

#: Rows of a table; what is beyond is said.
_ROWS = 2000
#: Constants whose weights are shown.
_FIGURES = 60
#: Weights of one figure that are looked at.
_ELEMENTS = 4_000_000


def text(value: object, width: int | None = None) -> str:
    """Return text of a file so that it is safe in a page."""
    return escape(printable(str(value), width))


def table(header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], numbers: Sequence[int] = ()) -> str:
    """Return a table; rows are (id or empty, cells of HTML)."""
    head = "".join(f'<th class="n">{h}</th>' if i in numbers else f"<th>{h}</th>" for i, h in enumerate(header))
    body = []
    for anchor, cells in rows[:_ROWS]:
        row = "".join(
            f'<td class="n">{c}</td>' if i in numbers else f'<td class="name">{c}</td>' if header[i] == "tensor"
            else f"<td>{c}</td>"
            for i, c in enumerate(cells)
        )  # fmt: skip
        body.append(f'<tr id="{anchor}">{row}</tr>' if anchor else f"<tr>{row}</tr>")
    more = f'<p class="soft">{len(rows) - _ROWS:,} more rows left out</p>' if len(rows) > _ROWS else ""
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>{more}'
    )


def facts(info: ModelInfo) -> str:
    """Return the most important numbers."""
    operators = sum(info.operator_counts.values())
    cells = [
        ("file", _bytes(info.file_bytes) if info.file_bytes is not None else "not saved"),
        ("constants", _bytes(info.constant_bytes)),
        ("operators", f"{operators:,}"),
        ("subgraphs", f"{len(info.subgraphs):,}"),
        ("tensors", f"{sum(len(g.tensors) for g in info.subgraphs):,}"),
    ]
    return '<div class="facts">' + "".join(f"<div>{n}<b>{v}</b></div>" for n, v in cells) + "</div>"


def sizes(info: ModelInfo) -> str:
    """Return where the bytes are: by operator, and the largest constants."""
    counted = [t for g in info.subgraphs for t in g.tensors if t.kind == "constant"]
    owners: dict[str, int] = {}
    for graph in info.subgraphs:
        for tensor in graph.tensors:
            if tensor.kind == "constant":
                names = sorted({graph.operators[i].name for i in tensor.consumers}) or ["unused"]
                owners[", ".join(names)] = owners.get(", ".join(names), 0) + tensor.bytes
    total = sum(owners.values()) or 1
    rows = [
        ("", (text(name), f"{size:,}", bar(size / total), f"{size / total:.1%}"))
        for name, size in sorted(owners.items(), key=lambda item: -item[1])
    ]
    largest = sorted(counted, key=lambda t: -t.bytes)[:12]
    big = [
        ("", (f"{t.index} {text(t.name, 90)}", _type(t), f"{t.bytes:,}", bar(t.bytes / total),
              f"{t.bytes / total:.1%}"))
        for t in largest
    ]  # fmt: skip
    return (
        table(["constants of", "bytes", "", "share"], rows, (1, 3))
        + "<h3>Largest constants</h3>"
        + table(["tensor", "type", "bytes", "", "share"], big, (2, 4))
    )


def operators(graph: SubgraphInfo) -> str:
    """Return the operators of a subgraph with their options."""
    rows = []
    for op in graph.operators:
        options = ", ".join(f"{k}={v}" for k, v in {**op.options, **(op.custom_options or {})}.items() if says(k, v))
        sides = (_tensors(graph, op.inputs), _tensors(graph, op.outputs))
        rows.append((f"op-{graph.index}-{op.index}", (str(op.index), _operator_name(op), *sides, text(options, 160))))
    return table(["#", "operator", "inputs", "outputs", "options"], rows, (0,))


def _operator_name(op: OperatorInfo) -> str:
    return text(op.name) + (f" v{op.version}" if op.version > 1 else "") + (" (custom)" if op.custom else "")


def _tensors(graph: SubgraphInfo, indices: Sequence[int | None]) -> str:
    parts = []
    for i in indices[:12]:
        if i is None:
            parts.append("–")
            continue
        t = graph.tensors[i]
        parts.append(f'<span title="{text(t.name)}">{i}:&nbsp;{_type(t)}</span>')
    more = f"<br>and {len(indices) - 12} more" if len(indices) > 12 else ""
    return "<br>".join(parts) + more


def quantization(graph: SubgraphInfo) -> str:
    """Return scales and zero points of a subgraph's tensors."""
    rows = []
    for t in graph.tensors:
        q = t.quantization
        if q is None or not q.scales:
            continue
        zero = sorted(set(q.zero_points)) or [0]
        zeros = str(zero[0]) if len(zero) == 1 else f"{zero[0]} … {zero[-1]}"
        if len(q.scales) == 1:
            scale, channels, line = f"{q.scales[0]:.6g}", "", ""
        else:
            scale = f"{min(q.scales):.4g} … {max(q.scales):.4g}"
            channels = f"{len(q.scales)} on axis {q.axis}"
            line = line_svg(q.scales, "scales by channel") if len(q.scales) <= 512 else ""
        rows.append(("", (str(t.index), text(t.name, 90), t.kind, _type(t), scale, zeros, channels, line)))
    if not rows:
        return '<p class="soft">No tensor is quantized.</p>'
    header = ["#", "tensor", "kind", "type", "scale", "zero point", "channels", "scales by channel"]
    return table(header, rows, (0, 4, 5))


def weights(model: Model) -> str:
    """Return pictures and histograms of the largest constants that operators with weights read."""
    found: list[tuple[Tensor, int]] = []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.is_constant and len([n for n in tensor.shape if n > 1]) >= 2 and tensor.numpy_dtype.kind in "iuf":
                depthwise = any(op.name == "DEPTHWISE_CONV_2D" for op in tensor.consumers)
                found.append((tensor, len(tensor.shape) - 1 if depthwise else 0))
    found.sort(key=lambda pair: -pair[0].nbytes)
    figures = [_figure(tensor, axis) for tensor, axis in found[:_FIGURES]]
    if not figures:
        return '<p class="soft">There are no weights.</p>'
    more = len(found) - len(figures)
    note = f'<p class="soft">{more:,} smaller constants are not shown.</p>' if more else ""
    legend = "Blue is negative, white zero, red positive. One tile per output channel, the first 128 of them; "
    legend += "of filters, the first 8 inputs side by side."
    legend = f'<p class="soft">{legend}</p>'
    return f'{legend}<div class="weights">{"".join(figures)}</div>{note}'


def _figure(tensor: Tensor, axis: int) -> str:
    values = tensor.data
    caption = f"<b>{tensor.index}</b> {text(tensor.name, 120)}<br>{_of(tensor)}"
    if values is None or values.size > _ELEMENTS or not values.size:
        return f'<figure><figcaption>{caption}<br><span class="soft">too large to show</span></figcaption></figure>'
    picture = weight_png(values, axis)
    low, high, zeros = values.min(), values.max(), float(np.mean(values == 0))
    numbers = f"{low:.5g} … {high:.5g}, {zeros:.1%} zero"
    alt = f"weights of tensor {tensor.index}"
    return (
        f'<figure><figcaption>{caption}<br><span class="soft">{numbers}</span></figcaption>'
        f'<img alt="{alt}" src="{picture}">{histogram_svg(values, f"histogram of tensor {tensor.index}")}</figure>'
    )


def _of(tensor: Tensor) -> str:
    shape = "×".join(map(str, tensor.shape))
    users = ", ".join(f"{op.index} {text(op.name)}" for op in tensor.consumers[:4])
    return f"{type_name(tensor.dtype)} {shape}, read by {users or 'nothing'}"


def errors(result: LayerErrors) -> str:
    """Return the error of every layer on the data given."""
    worst = [p.snr for p in result.comparison.pairs if p.snr is not None and math.isfinite(p.snr)]
    top = min(60.0, max(worst, default=1.0)) or 1.0  # inputs that are exact would make all other bars short
    rows = []
    for pair in result.comparison.pairs:
        t, snr = pair.tensor, pair.snr
        finite = snr is not None and math.isfinite(snr)
        level = "equal" if snr == math.inf else "–" if snr is None or not finite else f"{snr:.1f}"
        marked = f'<span class="bad">{level}</span>' if finite and snr is not None and snr < 10 else level
        saturated = t.saturated
        rows.append(
            ("", (str(t.index), text(t.name, 90), text(t.operator or t.kind), marked,
                  bar((snr or 0) / top) if finite else "", f"{pair.largest:.4g}",
                  "" if saturated is None else f"{saturated:.2%}"))
        )  # fmt: skip
    lines = [f"<p>{text(result.reference)}, on {result.samples} samples of {text(result.source)}.</p>"]
    if result.accuracy is not None:
        right, other = result.accuracy
        lines.append(f"<p>Accuracy: <b>{right:.2%}</b> of {result.samples} samples, {other:.2%} for the reference.</p>")
    header = ["#", "tensor", "computed by", "SNR dB", "", "largest error", "saturated"]
    return "".join(lines) + table(header, rows, (0, 3, 5, 6))


def _type(tensor: TensorInfo) -> str:
    shape = "×".join(map(str, tensor.shape)) or "scalar"
    return f'<span class="t">{tensor.type} {shape}</span>'


def _bytes(count: int) -> str:
    return f"{count:,} B" if count < 100_000 else f"{count / 1024:,.0f} KiB"

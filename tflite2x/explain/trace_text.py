# SPDX-License-Identifier: Apache-2.0
"""Print traces and their comparison, for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tflite2x.explain.plain import printable, table
from tflite2x.explain.trace import TensorTrace
from tflite2x.explain.trace_compare import Compared, Comparison

_WIDTH = 44


def render_trace(tensors: Sequence[TensorTrace]) -> str:
    """Return the table of a trace."""
    header = ["#", "tensor", "computed by", "type", "shape", "quantization", "range", "real range", "saturated"]
    return table(header, [_row(t) for t in tensors], right=(0, 8))


def _row(tensor: TensorTrace) -> list[str]:
    saturated = tensor.saturated
    return [
        f"{tensor.subgraph}/{tensor.index}" if tensor.subgraph else str(tensor.index),
        printable(tensor.name, _WIDTH),
        tensor.kind if tensor.position < 0 else f"{printable(tensor.operator)} ({tensor.position})",
        tensor.type,
        "[" + ", ".join(map(str, tensor.shape)) + "]",
        _quantization(tensor),
        _range(tensor.range),
        _range(tensor.real_range) if tensor.is_quantized else "",
        "" if saturated is None else f"{saturated:.2%}",
    ]


def _quantization(tensor: TensorTrace) -> str:
    if not tensor.scales:
        return ""
    if len(tensor.scales) > 1:
        return f"{len(tensor.scales)} channels, scales {min(tensor.scales):.4g} to {max(tensor.scales):.4g}"
    return f"scale {tensor.scales[0]:.6g} zero point {tensor.zero_points[0]}"


def _range(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:.5g} ... {bounds[1]:.5g}"


def render_comparison(comparison: Comparison, reference: str) -> str:
    """Return the table of a comparison; ``reference`` names the other side."""
    header = ["#", "tensor", "computed by", "there", "matched by", "SNR dB", "largest error", "LSB", "differing"]
    lines = [f"against {printable(reference)}", ""]
    lines.append(table(header, [_pair(p) for p in comparison.pairs], right=(0, 5, 6, 7, 8)))
    for title, tensors in (("only here", comparison.only_here), ("only there", comparison.only_there)):
        if tensors:
            names = ", ".join(printable(t.name, _WIDTH) for t in tensors[:10])
            lines.append(f"{title}: {names}" + (f" and {len(tensors) - 10} more" if len(tensors) > 10 else ""))
    first = comparison.first
    if first is None:
        lines.append("equal in all values" if comparison.equal else "equal wherever the types are equal")
    else:
        by = f", computed by {first.tensor.operator} ({first.tensor.position})" if first.tensor.operator else ""
        name = f"{first.tensor.index} {printable(first.tensor.name, 80)}"
        lines.append(f"first difference between tensors of one type: tensor {name}{by}")
    return "\n".join(lines)


def _pair(pair: Compared) -> list[str]:
    t, r = pair.tensor, pair.reference
    return [
        str(t.index),
        printable(t.name, _WIDTH),
        t.kind if t.position < 0 else f"{printable(t.operator)} ({t.position})",
        f"{r.index} {r.kind if r.position < 0 else printable(r.operator)}",
        pair.how,
        "" if pair.snr is None else "equal" if math.isinf(pair.snr) and pair.snr > 0 else f"{pair.snr:.1f}",
        f"{pair.largest:.4g}",
        "" if pair.lsb is None else str(pair.lsb),
        f"{pair.differing:.2%}",
    ]

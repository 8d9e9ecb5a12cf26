# SPDX-License-Identifier: Apache-2.0
"""Print what ``tflite2x.explain.inspect`` found, for people."""

from __future__ import annotations

from tflite2x.explain.inspect import ModelInfo, OperatorInfo, QuantizationInfo, SignatureInfo, SubgraphInfo, TensorInfo
from tflite2x.explain.plain import printable, says, table

#: Names made by converters can have hundreds of characters; the JSON has them whole.
NAME_WIDTH = 44


def render(info: ModelInfo) -> str:
    """Return the text that ``tflite2x inspect`` prints."""
    parts = [_head(info)]
    for graph in info.subgraphs:
        parts += [_subgraph(graph)]
    if info.signatures:
        parts.append("\n".join(["Signatures", *(_signature(s, info) for s in info.signatures)]))
    if info.metadata:
        rows = [[printable(m.name, NAME_WIDTH), _count(m.bytes), str(m.buffer)] for m in info.metadata]
        parts.append("Metadata\n" + _indent(table(["name", "bytes", "buffer"], rows, right=(1, 2))))
    return "\n\n".join(parts) + "\n"


def _head(info: ModelInfo) -> str:
    size = "" if info.file_bytes is None else f": {_count(info.file_bytes)} bytes"
    lines = [f"{printable(info.path or 'model')}{size}, schema version {info.version}"]
    if info.description:
        lines.append(f"  description  {printable(info.description)}")
    counts = ", ".join(f"{printable(name)} {n}" for name, n in info.operator_counts.items()) or "none"
    buffers = f"{info.buffers} buffers with {_count(info.buffer_bytes)} bytes"
    lines += [
        f"  operators    {sum(info.operator_counts.values())}: {counts}",
        f"  constants    {_count(info.constant_bytes)} bytes; {buffers}",
    ]
    return "\n".join(lines)


def _subgraph(graph: SubgraphInfo) -> str:
    def interface(indices: list[int]) -> str:
        return ", ".join(f"{i} {_type_and_shape(graph.tensors[i])}" for i in indices) or "none"

    lines = [
        f"Subgraph {graph.index} {printable(graph.name)}",
        f"  inputs   {interface(graph.inputs)}",
        f"  outputs  {interface(graph.outputs)}",
    ]
    if graph.operators:
        rows = [_operator(op) for op in graph.operators]
        lines.append("")
        lines.append(_indent(table(["#", "operator", "inputs", "outputs", "options"], rows, right=(0,))))
    if graph.tensors:
        rows = [_tensor(t) for t in graph.tensors]
        header = ["#", "tensor", "kind", "type", "shape", "bytes", "quantization"]
        lines.append("")
        lines.append(_indent(table(header, rows, right=(0, 5))))
    return "\n".join(lines)


def _operator(op: OperatorInfo) -> list[str]:
    options = [f"{key}={value}" for key, value in op.options.items() if says(key, value)]
    if op.custom_options is not None:
        options += [f"{key}={value}" for key, value in op.custom_options.items()]
    elif op.custom_options_bytes:
        options.append(f"{op.custom_options_bytes} bytes of custom options")
    name = printable(op.name) + (f" v{op.version}" if op.version > 1 else "") + (" (custom)" if op.custom else "")
    return [str(op.index), name, _indices(op.inputs), _indices(op.outputs), printable(" ".join(options), 100)]


def _tensor(tensor: TensorInfo) -> list[str]:
    return [
        str(tensor.index),
        printable(tensor.name, NAME_WIDTH),
        tensor.kind,
        tensor.type,
        _shape(tensor),
        _count(tensor.bytes),
        "" if tensor.quantization is None else _quantization(tensor.quantization),
    ]


def _quantization(q: QuantizationInfo) -> str:
    if q.details:
        return q.details
    if not q.scales:
        return f"min {_values(q.min)} max {_values(q.max)}" if q.min or q.max else ""
    if q.axis is None:
        return f"scale {q.scales[0]:.9g} zero point {_zero_points(q.zero_points)}"
    return (
        f"{len(q.scales)} channels on axis {q.axis}, scales {min(q.scales):.4g} to {max(q.scales):.4g}, "
        f"zero point {_zero_points(q.zero_points)}"
    )


def _zero_points(values: list[int]) -> str:
    distinct = sorted(set(values))
    if not distinct:
        return "none"
    return str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]} to {distinct[-1]}"


def _values(values: list[float]) -> str:
    return f"{values[0]:.6g}" if len(values) == 1 else f"({len(values)} values)"


def _signature(signature: SignatureInfo, info: ModelInfo) -> str:
    def names(side: dict[str, int]) -> str:
        tensors = info.subgraphs[signature.subgraph].tensors
        return ", ".join(f"{printable(name)} = tensor {i} {_type_and_shape(tensors[i])}" for name, i in side.items())

    head = f"  {printable(signature.key)} (subgraph {signature.subgraph})"
    return f"{head}\n    inputs   {names(signature.inputs)}\n    outputs  {names(signature.outputs)}"


def _type_and_shape(tensor: TensorInfo) -> str:
    return f"{tensor.type} {_shape(tensor)}"


def _shape(tensor: TensorInfo) -> str:
    free = tensor.shape_signature or []
    if len(free) != len(tensor.shape):
        free = tensor.shape
    return "[" + ", ".join("?" if open_ < 0 else str(n) for n, open_ in zip(tensor.shape, free, strict=True)) + "]"


def _indices(indices: list[int | None]) -> str:
    return ", ".join("-" if i is None else str(i) for i in indices) or "-"


def _count(n: int) -> str:
    return f"{n:,}"


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())

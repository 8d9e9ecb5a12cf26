# SPDX-License-Identifier: Apache-2.0
"""What a model contains, as plain data.

``inspect(model)`` returns dataclasses that hold only strings, numbers, lists and dicts: ``to_json`` turns them into
what ``tflite2x inspect --json`` prints, field by field as documented here. ``tflite2x.explain.inspect_text`` prints
them for people.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from tflite2x.errors import FormatError
from tflite2x.explain.plain import plain, plain_table
from tflite2x.ir.dtypes import type_name
from tflite2x.ir.quantization import BlockQuantization

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Quantization, Signature, Subgraph, Tensor


@dataclasses.dataclass(frozen=True)
class QuantizationInfo:
    """How the integers of a tensor stand for real numbers: real = scale * (integer - zero point).

    Attributes:
        scales: One float32 value, or one for each slice along ``axis``; the value in the file, without rounding.
        zero_points: As many integers.
        axis: The axis of per-channel scales; None when one scale holds for the whole tensor.
        min: Smallest real values that the calibration saw; empty when the file does not say.
        max: Largest real values that the calibration saw; empty when the file does not say.
        details: Blockwise, multi-axis or custom parameters in words, or None.
    """

    scales: list[float]
    zero_points: list[int]
    axis: int | None
    min: list[float]
    max: list[float]
    details: str | None


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """One tensor.

    Attributes:
        index: Position in the subgraph, as runtimes count.
        name: Name, or None.
        kind: ``input``, ``output``, ``constant``, ``variable`` (keeps its value between calls), ``computed``, or
            ``unused`` (nothing reads or writes it).
        type: Element type, such as ``int8``.
        shape: Length of each dimension.
        shape_signature: The same with -1 where the length is unknown before the model runs, or None.
        bytes: Bytes of the constant in the file, or bytes that the tensor takes in memory.
        buffer: Index of the buffer that the tensor refers to.
        quantization: Quantization, or None.
        producer: Index of the operator that computes it, or None.
        consumers: Indices of the operators that read it.
    """

    index: int
    name: str | None
    kind: str
    type: str
    shape: list[int]
    shape_signature: list[int] | None
    bytes: int
    buffer: int
    quantization: QuantizationInfo | None
    producer: int | None
    consumers: list[int]


@dataclasses.dataclass(frozen=True)
class OperatorInfo:
    """One operator.

    Attributes:
        index: Position in the subgraph.
        name: Such as ``CONV_2D``, or the custom code.
        custom: Whether it is a custom operator.
        version: Version of the operator.
        inputs: Indices of tensors; None for an optional input that is absent.
        outputs: Indices of tensors.
        options: Options by field name of the schema; enums by name. Empty when the file has none.
        custom_options_bytes: Size of the custom options, or None.
        custom_options: The custom options as a dict, or None when they are not a FlexBuffer with names.
        calls: Indices of the subgraphs that it calls, by name of the option.
    """

    index: int
    name: str
    custom: bool
    version: int
    inputs: list[int | None]
    outputs: list[int | None]
    options: dict[str, Any]
    custom_options_bytes: int | None
    custom_options: dict[str, Any] | None
    calls: dict[str, int]


@dataclasses.dataclass(frozen=True)
class SubgraphInfo:
    """One subgraph.

    Attributes:
        index: Position in the model; 0 is the main graph.
        name: Name, or None.
        inputs: Indices of its input tensors, in order.
        outputs: Indices of its output tensors, in order.
        operators: Operators in order of execution.
        tensors: All tensors.
    """

    index: int
    name: str | None
    inputs: list[int]
    outputs: list[int]
    operators: list[OperatorInfo]
    tensors: list[TensorInfo]


@dataclasses.dataclass(frozen=True)
class SignatureInfo:
    """A named entry point.

    Attributes:
        key: Name of the signature, or None.
        subgraph: Index of the subgraph.
        inputs: Tensor index by name.
        outputs: Tensor index by name.
    """

    key: str | None
    subgraph: int
    inputs: dict[str, int]
    outputs: dict[str, int]


@dataclasses.dataclass(frozen=True)
class MetadataInfo:
    """Named bytes.

    Attributes:
        name: Name, or None.
        bytes: Size.
        buffer: Index of the buffer.
    """

    name: str | None
    bytes: int
    buffer: int


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model contains.

    Attributes:
        path: The file, or None.
        file_bytes: Its size, or None.
        version: Version of the schema.
        description: Free text of the converter, or None.
        operator_counts: How often each kind of operator occurs, most frequent first.
        operator_codes: Kinds of operators that the file lists, used or not.
        buffers: Number of buffers.
        buffer_bytes: Bytes in all buffers: constants and metadata.
        constant_bytes: Bytes in buffers that tensors use; a shared buffer counts once.
        signatures: Named entry points.
        metadata: Named bytes.
        subgraphs: The graphs.
    """

    path: str | None
    file_bytes: int | None
    version: int
    description: str | None
    operator_counts: dict[str, int]
    operator_codes: list[str]
    buffers: int
    buffer_bytes: int
    constant_bytes: int
    signatures: list[SignatureInfo]
    metadata: list[MetadataInfo]
    subgraphs: list[SubgraphInfo]


def inspect(model: Model) -> ModelInfo:
    """Describe everything in a model.

    Args:
        model: The model; not changed, and no constant is unpacked.
    """
    counts = collections.Counter(op.name for graph in model.subgraphs for op in graph.operators)
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    return ModelInfo(
        path=None if model.path is None else str(model.path),
        file_bytes=_file_bytes(model),
        version=model.version,
        description=model.description,
        operator_counts=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        operator_codes=[code.name for code in model.operator_codes],
        buffers=len(model.buffers),
        buffer_bytes=sum(buffer.nbytes for buffer in model.buffers),
        constant_bytes=sum(buffer.nbytes for buffer in used),
        signatures=[_signature(s) for s in model.signatures],
        metadata=[MetadataInfo(m.name, m.buffer.nbytes, m.buffer.index) for m in model.metadata],
        subgraphs=[_subgraph(graph) for graph in model.subgraphs],
    )


def to_json(info: ModelInfo) -> str:
    """Return ``info`` as JSON text; numbers that JSON lacks (NaN, infinities) become strings."""
    return json.dumps(plain(dataclasses.asdict(info)), indent=2, allow_nan=False)


def _file_bytes(model: Model) -> int | None:
    try:
        return None if model.path is None else model.path.stat().st_size
    except OSError:  # moved away since it was loaded
        return None


def _signature(signature: Signature) -> SignatureInfo:
    return SignatureInfo(
        key=signature.key,
        subgraph=signature.subgraph.index,
        inputs={name: tensor.index for name, tensor in signature.inputs.items()},
        outputs={name: tensor.index for name, tensor in signature.outputs.items()},
    )


def _subgraph(graph: Subgraph) -> SubgraphInfo:
    inputs, outputs = set(graph.inputs), set(graph.outputs)
    return SubgraphInfo(
        index=graph.index,
        name=graph.name,
        inputs=[t.index for t in graph.inputs],
        outputs=[t.index for t in graph.outputs],
        operators=[_operator(op) for op in graph.operators],
        tensors=[_tensor(t, _kind(t, inputs, outputs)) for t in graph.tensors],
    )


def _operator(op: Operator) -> OperatorInfo:
    return OperatorInfo(
        index=op.index,
        name=op.name,
        custom=op.custom_code is not None,
        version=op.version,
        inputs=[None if t is None else t.index for t in op.inputs],
        outputs=[None if t is None else t.index for t in op.outputs],
        options={} if op.options is None else plain_table(op.options),
        custom_options_bytes=None if op.custom_options is None else len(op.custom_options),
        custom_options=_custom_options(op),
        calls={name: graph.index for name, graph in op.calls.items()},
    )


def _custom_options(op: Operator) -> dict[str, Any] | None:
    if not op.custom_options:
        return None
    from tflite2x.schema.flexbuffers import decode

    try:
        value = decode(op.custom_options)
    except FormatError:  # the format is the operator's own business
        return None
    return plain(value) if isinstance(value, dict) else None


def _kind(tensor: Tensor, inputs: set[Tensor], outputs: set[Tensor]) -> str:
    if tensor in inputs:
        return "input"
    if tensor in outputs:
        return "output"
    if tensor.is_variable:
        return "variable"
    if tensor.is_constant:
        return "constant"
    return "computed" if tensor.producer is not None or tensor.uses else "unused"


def _tensor(tensor: Tensor, kind: str) -> TensorInfo:
    return TensorInfo(
        index=tensor.index,
        name=tensor.name,
        kind=kind,
        type=type_name(tensor.dtype),
        shape=list(tensor.shape),
        shape_signature=None if tensor.shape_signature is None else list(tensor.shape_signature),
        bytes=_tensor_bytes(tensor),
        buffer=tensor.buffer.index,
        quantization=None if tensor.quantization is None else _quantization(tensor.quantization),
        producer=None if tensor.producer is None else tensor.producer.index,
        consumers=[op.index for op in tensor.consumers],
    )


def _tensor_bytes(tensor: Tensor) -> int:
    if tensor.external_buffer is not None:
        return tensor.external_buffer.length
    return tensor.buffer.nbytes or tensor.nbytes


def _quantization(quantization: Quantization) -> QuantizationInfo | None:
    """Describe a quantization; None when the file has the table without anything in it (float tensors often do)."""
    floats = [quantization.min, quantization.max]
    low, high = ([] if values is None else [float(v) for v in values] for values in floats)
    info = QuantizationInfo(
        scales=[float(v) for v in quantization.scale],
        zero_points=[int(v) for v in quantization.zero_point],
        axis=int(quantization.quantized_dimension) if quantization.is_per_channel else None,
        min=low,
        max=high,
        details=_details(quantization.details),
    )
    return info if info.scales or info.zero_points or low or high or info.details else None


def _details(details: Any) -> str | None:
    if details is None:
        return None
    if not isinstance(details, BlockQuantization):
        return "custom"
    scales = f"tensor {details.scales}" if isinstance(details.scales, int) else f"tensor {details.scales.index}"
    axes = f" along axes {list(details.axes)}" if details.axes else ""
    return f"blocks of {details.block_size}{axes}, scales in {scales}"

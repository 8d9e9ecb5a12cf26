# SPDX-License-Identifier: Apache-2.0
"""Tables to objects: every index becomes a reference, after a check that it points to something."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tflite2x.errors import FormatError, GraphError
from tflite2x.ir import ordering, ranks
from tflite2x.ir.buffer import Buffer, ExternalBuffer, ExternalBufferGroup
from tflite2x.ir.fitting import options_fit
from tflite2x.ir.model import Model
from tflite2x.ir.operator import SUBGRAPH_FIELDS, Operator, OperatorCode
from tflite2x.ir.quantization import BlockQuantization, Quantization
from tflite2x.ir.signature import Metadata, Signature, SignatureEntry
from tflite2x.ir.subgraph import Subgraph
from tflite2x.ir.tensor import Tensor
from tflite2x.schema import tables
from tflite2x.schema.reader import Reader

T = TypeVar("T")
_NO_FLOATS = np.zeros(0, np.float32)
_NO_INTS = np.zeros(0, np.int64)
_SENTINELS = (0, 1)  #: offsets that say "not behind the flatbuffer" (LiteRT model_builder: only values above 1 count)
_PADDING = 16
_MAX_RANK = 64  #: dimensions of a NumPy array; LiteRT's kernels end at 8


class UnknownFieldWarning(UserWarning):
    """A model has fields that this version of tflite2x does not know."""


def load_model(data: memoryview, path: Path | None = None) -> Model:
    """Make a model from the bytes of a file.

    Args:
        data: The whole file; the model's buffers stay views of it.
        path: Where it came from, for messages and for files beside it.

    Raises:
        FormatError: The bytes are not a well-formed TFLite model.
    """
    try:
        reader = Reader(data)
        root = reader.root(tables.Model)
        model = _Loader(data, root, reader.end, path).load()
    except (FormatError, GraphError) as e:
        error = e if isinstance(e, FormatError) else FormatError(e.what, where=e.where, hint=e.hint)
        raise (error.at(str(path)) if path else error) from None
    model.unknown = {name: tuple(sorted(slots)) for name, slots in sorted(reader.unknown.items())}
    if model.unknown:
        warnings.warn(
            f"{path or 'model'}: fields newer than this version of tflite2x: {describe_unknown(model.unknown)}",
            UnknownFieldWarning,
            stacklevel=3,
        )
    return model


def describe_unknown(unknown: dict[str, tuple[int, ...]]) -> str:
    """Return the unknown slots as a text such as ``Tensor slot 13``."""
    return ", ".join(
        f"{name} {'type' if name.startswith('union') else 'slot'} {slot}"
        for name, slots in unknown.items()
        for slot in slots
    )


def _item(items: Sequence[T], index: int, what: str, where: str, *parts: object) -> T:
    """Return one item; the place is put together only when it is needed."""
    if 0 <= index < len(items):
        return items[index]
    raise FormatError(f"{what} index {index}, {len(items)} {what}s", where=where.format(*parts))


class _Loader:
    def __init__(self, data: memoryview, root: tables.Model, end: int, path: Path | None) -> None:
        self.data, self.root, self.end = data, root, end
        self.model = Model()
        self.model.path = path

    def load(self) -> Model:
        root, model = self.root, self.model
        model.version, model.description, model.extras = root.version, root.description, root.extras
        model.absent = _absent(
            root, "operator_codes", "subgraphs", "buffers", "metadata_buffer", "metadata", "signature_defs",
            "external_buffer_groups", "external_buffers",
        )  # fmt: skip
        model._buffers = [self._buffer(i, b) for i, b in enumerate(root.buffers or ())]
        model._operator_codes = [self._code(c) for c in root.operator_codes or ()]
        groups = [ExternalBufferGroup(g.name, g.extras) for g in root.external_buffer_groups or ()]
        model.external_buffer_groups = groups
        for i, b in enumerate(root.external_buffers or ()):
            group = _item(groups, b.group, "external buffer group", "external_buffers[{}].group", i)
            model.external_buffers.append(ExternalBuffer(b.id, group, b.offset, b.length, b.packing, b.extras))
        self.external = {b.id: b for b in model.external_buffers}
        raw_subgraphs = root.subgraphs or ()
        model._subgraphs = [Subgraph(model, s.name) for s in raw_subgraphs]
        for i, (subgraph, raw) in enumerate(zip(model._subgraphs, raw_subgraphs, strict=True)):
            self._subgraph(f"subgraphs[{i}]", subgraph, raw)
        buffers = model._buffers
        model.metadata_buffer = [
            _item(buffers, b, "buffer", "metadata_buffer[{}]", i) for i, b in enumerate(root.metadata_buffer or ())
        ]
        for i, m in enumerate(root.metadata or ()):
            buffer = _item(buffers, m.buffer, "buffer", "metadata[{}].buffer", i)
            model._metadata.append(Metadata(m.name, buffer, m.extras))
        for i, s in enumerate(root.signature_defs or ()):
            model._signatures.append(self._signature(f"signature_defs[{i}]", s))
        rest = self.data[self.end :]
        if len(rest) >= _PADDING or any(rest):
            model.trailing = rest
        return model

    def _outside(self, offset: int, size: int, where: str) -> memoryview:
        if offset + size > len(self.data):
            raise FormatError(
                f"bytes {offset} to {offset + size}, the file has {len(self.data)}",
                where=where,
                hint="The file is truncated.",
            )
        self.end = max(self.end, offset + size)
        return self.data[offset : offset + size]

    def _buffer(self, index: int, raw: tables.Buffer) -> Buffer:
        buffer = Buffer(raw.data)
        buffer._model = self.model
        buffer.extras = raw.extras
        if raw.offset not in _SENTINELS:
            if raw.data is not None and len(raw.data):
                raise FormatError("data both inside and behind the flatbuffer", where=f"buffers[{index}]")
            buffer.data = self._outside(raw.offset, raw.size, f"buffers[{index}]")
            buffer.outside = True
        elif raw.offset or raw.size:
            buffer.placeholder = (raw.offset, raw.size)
        return buffer

    def _code(self, raw: tables.OperatorCode) -> OperatorCode:
        code = OperatorCode(raw.builtin_code, raw.custom_code, raw.version)
        code._model = self.model
        code.deprecated_builtin_code = raw.deprecated_builtin_code
        code.extras = raw.extras
        return code

    def _subgraph(self, where: str, subgraph: Subgraph, raw: tables.SubGraph) -> None:
        subgraph.debug_metadata_index, subgraph.extras = raw.debug_metadata_index, raw.extras
        subgraph.absent = _absent(raw, "tensors", "inputs", "outputs", "operators")
        tensors = subgraph._tensors
        for i, r in enumerate(raw.tensors or ()):
            tensors.append(self._tensor(where, i, subgraph, r))
        for i, tensor in enumerate(tensors):
            details = tensor.quantization.details if tensor.quantization else None
            if isinstance(details, BlockQuantization):
                assert isinstance(details.scales, int)
                place = "{}.tensors[{}].quantization.details.scales"
                details.scales = _item(tensors, details.scales, "tensor", place, where, i)
                if isinstance(details.zero_points, int) and 0 < details.zero_points < len(tensors):
                    details.zero_points = tensors[details.zero_points]
                if any(_in_blocks(t) for t in details.tensors):
                    # Tensors that scale each other would make every comparison endless.
                    what = "its block scales are quantized in blocks themselves"
                    raise FormatError(what, where=f"{where}.tensors[{i}].quantization")
        subgraph._inputs = tuple(self._tensors(tensors, raw.inputs, where, "inputs", optional=False))
        subgraph._outputs = tuple(self._tensors(tensors, raw.outputs, where, "outputs", optional=False))
        ranks.number(tensors)
        operators = subgraph._operators
        for i, o in enumerate(raw.operators or ()):
            operators.append(self._operator(where, i, subgraph, o))
        ranks.number(operators)
        for i, given in enumerate(subgraph._inputs):
            if given._producer is not None:
                j = operators.index(given._producer)
                raise FormatError(f"operators[{j}] computes this graph input", where=f"{where}.inputs[{i}]")
        # A cycle would make every walk over the graph endless; another order is the author's business.
        ordering.stable_order(operators, lambda t: t._producer, where)

    def _tensors(
        self, tensors: list[Tensor], indices: Any, where: str, field: str, *, optional: bool = True
    ) -> list[Any]:
        count = len(tensors)
        result: list[Tensor | None] = []
        for i, index in enumerate(indices or ()):
            if 0 <= index < count:
                result.append(tensors[index])
            elif index == -1 and optional:
                result.append(None)
            else:
                raise FormatError(f"tensor index {index}, {count} tensors", where=f"{where}.{field}[{i}]")
        return result

    def _tensor(self, where: str, index: int, subgraph: Subgraph, raw: tables.Tensor) -> Tensor:
        buffers = self.model._buffers
        if not raw.buffer < len(buffers):
            raise FormatError(
                f"buffer index {raw.buffer}, {len(buffers)} buffers", where=f"{where}.tensors[{index}].buffer"
            )
        if raw.shape is not None and len(raw.shape) > _MAX_RANK:
            raise FormatError(
                f"{len(raw.shape)} dimensions, at most {_MAX_RANK} make sense", where=f"{where}.tensors[{index}].shape"
            )
        tensor = Tensor(subgraph, raw.name, raw.shape or (), raw.type, buffers[raw.buffer])
        if raw.shape is None:
            tensor.absent = _NO_SHAPE
        tensor.is_variable, tensor.has_rank = raw.is_variable, raw.has_rank
        tensor.sparsity, tensor.variant_tensors, tensor.extras = raw.sparsity, raw.variant_tensors, raw.extras
        if raw.shape_signature is not None:
            tensor.shape_signature = tuple(raw.shape_signature)
        if raw.quantization is not None:
            tensor.quantization = _quantization(raw.quantization)
        if raw.external_buffer:
            if raw.external_buffer not in self.external:
                raise FormatError(
                    f"no external buffer has id {raw.external_buffer}",
                    where=f"{where}.tensors[{index}].external_buffer",
                )
            tensor.external_buffer = self.external[raw.external_buffer]
        return tensor

    def _operator(self, where: str, index: int, subgraph: Subgraph, raw: tables.Operator) -> Operator:
        place = f"{where}.operators[{index}]"
        code = _item(self.model._operator_codes, raw.opcode_index, "operator code", "{}.opcode_index", place)
        op = Operator(subgraph, code)
        tensors = subgraph._tensors
        op._inputs = tuple(self._tensors(tensors, raw.inputs, place, "inputs"))
        op._outputs = tuple(self._tensors(tensors, raw.outputs, place, "outputs"))
        for i, t in enumerate(op._outputs):
            if t is None:
                continue
            if t._producer is not None:
                first = (
                    "an earlier output" if t._producer is op else f"operators[{subgraph._operators.index(t._producer)}]"
                )
                raise FormatError(f"tensor {t.name!r} is already computed by {first}", where=f"{place}.outputs[{i}]")
            t._producer = op
        for i, t in enumerate(op._inputs):
            if t is not None:
                t._uses[op, i] = None
        if raw.intermediates is None and raw.inputs is not None and raw.outputs is not None:
            pass  # the usual case: op.absent is right as it was made
        else:
            op.intermediates = tuple(self._tensors(tensors, raw.intermediates, place, "intermediates"))
            op.absent = _absent(raw, "inputs", "outputs", "intermediates")
        both = [o for o in (raw.builtin_options, raw.builtin_options_2) if o is not None]
        op.options = both[0] if both else None
        op.other_options = both[1] if len(both) > 1 else None
        if len(both) == 1 and not options_fit(code.opcode, both[0]):
            op.options, op.other_options = None, both[0]  # every runtime reads them as absent
        op.unknown_options = tuple(
            (name, number)
            for name, number, value in (
                ("builtin_options", raw.builtin_options_type, raw.builtin_options),
                ("builtin_options_2", raw.builtin_options_2_type, raw.builtin_options_2),
            )
            if number and value is None
        )
        op.custom_options, op.custom_options_format = raw.custom_options, int(raw.custom_options_format)
        if raw.large_custom_options_offset not in _SENTINELS:
            op.custom_options = self._outside(raw.large_custom_options_offset, raw.large_custom_options_size, place)
            op.large_custom_options = True
        op.mutating_variable_inputs = raw.mutating_variable_inputs
        op.debug_metadata_index, op.extras = raw.debug_metadata_index, raw.extras
        if type(op.options).__name__ in SUBGRAPH_FIELDS or op.other_options is not None:
            for name, called in op._called():
                _item(self.model._subgraphs, called, "subgraph", "{}.{}", place, name)
        return op

    def _signature(self, where: str, raw: tables.SignatureDef) -> Signature:
        subgraph = _item(self.model._subgraphs, raw.subgraph_index, "subgraph", "{}.subgraph_index", where)
        signature = Signature(raw.signature_key, subgraph)
        for side, entries, target in (
            ("inputs", raw.inputs, signature.input_entries),
            ("outputs", raw.outputs, signature.output_entries),
        ):
            for i, e in enumerate(entries or ()):
                place = "{}.{}[{}].tensor_index"
                tensor = _item(subgraph._tensors, e.tensor_index, "tensor", place, where, side, i)
                target.append(SignatureEntry(e.name, tensor, e.extras))
        signature.deprecated_tag, signature.extras = raw.deprecated_tag, raw.extras
        signature.absent = _absent(raw, "inputs", "outputs")
        return signature


_NO_SHAPE = frozenset({"shape"})
_NOTHING: frozenset[str] = frozenset()


def _absent(table: Any, *fields: str) -> frozenset[str]:
    missing = [f for f in fields if getattr(table, f) is None]
    return frozenset(missing) if missing else _NOTHING


def _in_blocks(tensor: Tensor) -> bool:
    return tensor.quantization is not None and isinstance(tensor.quantization.details, BlockQuantization)


def _quantization(raw: tables.QuantizationParameters) -> Quantization:
    q = Quantization.__new__(Quantization)
    q.scale = _NO_FLOATS if raw.scale is None else raw.scale
    q.zero_point = _NO_INTS if raw.zero_point is None else np.array(raw.zero_point, np.int64)
    q.min, q.max = raw.min, raw.max
    q.quantized_dimension = raw.quantized_dimension
    q.absent = _absent(raw, "scale", "zero_point")
    q.extras = raw.extras
    q.details, q.details_type = None, 0
    details = raw.details
    if isinstance(details, tables.BlockwiseQuantization):
        q.details = BlockQuantization(details.scales, details.zero_points, details.block_size, extras=details.extras)
    elif isinstance(details, tables.MultiAxisQuantization):
        q.details = BlockQuantization(
            details.scales, details.zero_points, details.block_size, details.quantized_dimensions, True, details.extras
        )
    elif details is not None:
        q.details = details
    elif raw.details_type:
        q.details_type = raw.details_type
    return q

# SPDX-License-Identifier: Apache-2.0
"""Objects to tables: every reference becomes an index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from tflite2x.errors import UnknownFieldError
from tflite2x.ir.buffer import Buffer, ExternalBuffer
from tflite2x.ir.loading import describe_unknown
from tflite2x.ir.model import Model
from tflite2x.ir.operator import Operator, OperatorCode
from tflite2x.ir.quantization import BlockQuantization, Quantization
from tflite2x.ir.signature import Signature, SignatureEntry
from tflite2x.ir.subgraph import Subgraph
from tflite2x.ir.tensor import Tensor
from tflite2x.schema import tables
from tflite2x.schema.enums import BuiltinOperator
from tflite2x.schema.table import Table
from tflite2x.schema.writer import LIMIT, Writer

_FIRST_UNION = frozenset(tables.UNIONS["BuiltinOptions"])


def model_pieces(model: Model, *, drop_unknown: bool = False, limit: int = LIMIT) -> list[memoryview]:
    """Return the bytes of a model as pieces in order; the contents of buffers are not copied.

    Args:
        model: The model.
        drop_unknown: Write the model without the fields that this version does not know.
        limit: Size in bytes past which the contents of buffers go behind the flatbuffer.

    Raises:
        UnknownFieldError: The model has such fields, and they are not to be dropped.
        GraphError: The graph is broken.
        FormatError: A number does not fit its field.
    """
    if not drop_unknown:
        refuse_unknown(model)
    model.check()
    saver = Saver(model, limit)
    pieces = Writer().root(saver.model(), saver.behind)
    if len(model.trailing):
        pieces.append(memoryview(model.trailing).cast("B"))
    return pieces


def refuse_unknown(model: Model) -> None:
    """Refuse a model that cannot be written without loss, before work goes into it.

    Raises:
        UnknownFieldError: It has fields that this version does not know.
    """
    if model.unknown:
        raise UnknownFieldError(
            f"fields newer than this version of tflite2x would be lost: {describe_unknown(model.unknown)}",
            where=str(model.path or ""),
            hint="Pass drop_unknown=True (--drop-unknown) to write the model without them.",
        )


class Saver:
    """Makes the tables of a file from a graph.

    Args:
        model: The model.
        limit: Size in bytes past which the contents of buffers go behind the flatbuffer.

    Attributes:
        behind: Tables whose contents go behind the flatbuffer, with the contents; filled by ``model``.
    """

    def __init__(self, model: Model, limit: int) -> None:
        self.m = model
        self.behind: list[tuple[Table, memoryview]] = []
        self.buffers = {b: i for i, b in enumerate(model._buffers)}
        self.codes = {c: i for i, c in enumerate(model._operator_codes)}
        self.subgraphs = {s: i for i, s in enumerate(model._subgraphs)}
        self.too_large = sum(b.nbytes for b in model._buffers) > limit

    def model(self) -> tables.Model:
        """Return the root table."""
        m = self.m
        absent = m.absent
        return tables.Model(
            version=m.version,
            operator_codes=_list(map(self._code, m._operator_codes), "operator_codes", absent),
            subgraphs=_list(map(self._subgraph, m._subgraphs), "subgraphs", absent),
            description=m.description,
            buffers=_list(map(self._buffer, m._buffers), "buffers", absent),
            metadata_buffer=_list((self.buffers[b] for b in m.metadata_buffer), "metadata_buffer", absent),
            metadata=_list(
                (tables.Metadata(x.name, self.buffers[x.buffer], extras=x.extras) for x in m._metadata),
                "metadata", absent,
            ),
            signature_defs=_list(map(self._signature, m._signatures), "signature_defs", absent),
            external_buffer_groups=_list(
                (tables.ExternalBufferGroup(g.name, extras=g.extras) for g in m.external_buffer_groups),
                "external_buffer_groups", absent,
            ),
            external_buffers=_list(map(self._external, m.external_buffers), "external_buffers", absent),
            extras=m.extras,
        )  # fmt: skip

    def _code(self, c: OperatorCode) -> tables.OperatorCode:
        return tables.OperatorCode(
            c.deprecated_builtin_code, c.custom_code, c.version, cast(BuiltinOperator, c.builtin_code), extras=c.extras
        )

    def _external(self, b: ExternalBuffer) -> tables.ExternalBuffer:
        group = next(i for i, g in enumerate(self.m.external_buffer_groups) if g is b.group)
        return tables.ExternalBuffer(b.id, group, b.offset, b.length, b.packing, extras=b.extras)

    def _buffer(self, b: Buffer) -> tables.Buffer:
        if b.data is not None and (b.outside or (self.too_large and b.nbytes)):
            raw = tables.Buffer(extras=b.extras)
            self.behind.append((raw, b.data))
            return raw
        offset, size = b.placeholder if b.placeholder and not b.nbytes else (0, 0)
        return tables.Buffer(b.data, offset, size, extras=b.extras)

    def _signature(self, s: Signature) -> tables.SignatureDef:
        index = {t: i for i, t in enumerate(s.subgraph._tensors)}

        def maps(entries: list[SignatureEntry]) -> Iterable[tables.TensorMap]:
            return (tables.TensorMap(e.name, index[e.tensor], extras=e.extras) for e in entries)

        return tables.SignatureDef(
            _list(maps(s.input_entries), "inputs", s.absent),
            _list(maps(s.output_entries), "outputs", s.absent),
            s.key,
            s.deprecated_tag,
            self.subgraphs[s.subgraph],
            extras=s.extras,
        )

    def _subgraph(self, s: Subgraph) -> tables.SubGraph:
        index: dict[Tensor | None, int] = {t: i for i, t in enumerate(s._tensors)}
        index[None] = -1
        return tables.SubGraph(
            tensors=_list((self._tensor(t, index) for t in s._tensors), "tensors", s.absent),
            inputs=_list((index[t] for t in s._inputs), "inputs", s.absent),
            outputs=_list((index[t] for t in s._outputs), "outputs", s.absent),
            operators=_list((self._operator(o, index) for o in s._operators), "operators", s.absent),
            name=s.name,
            debug_metadata_index=s.debug_metadata_index,
            extras=s.extras,
        )

    def _tensor(self, t: Tensor, index: dict[Tensor | None, int]) -> tables.Tensor:
        return tables.Tensor(
            None if "shape" in t.absent else t._shape,
            t._dtype,
            self.buffers[t._buffer],
            t.name,
            None if t.quantization is None else _quantization(t.quantization, index),
            t.is_variable,
            t.sparsity,
            t.shape_signature,
            t.has_rank,
            t.variant_tensors,
            0 if t.external_buffer is None else t.external_buffer.id,
            extras=t.extras,
        )

    def _operator(self, o: Operator, index: dict[Tensor | None, int]) -> tables.Operator:
        raw = tables.Operator(
            opcode_index=self.codes[o._code],
            inputs=_vector([index[t] for t in o._inputs], "inputs", o.absent),
            outputs=_vector([index[t] for t in o._outputs], "outputs", o.absent),
            custom_options=o.custom_options,
            custom_options_format=o.custom_options_format,  # type: ignore[arg-type]
            mutating_variable_inputs=o.mutating_variable_inputs,
            intermediates=_vector([index[t] for t in o.intermediates], "intermediates", o.absent),
            debug_metadata_index=o.debug_metadata_index,
            extras=o.extras,
        )
        for options in (o.options, o.other_options):
            if options is not None:
                first = type(options) in _FIRST_UNION
                setattr(raw, "builtin_options" if first else "builtin_options_2", options)
        for field, number in o.unknown_options:
            # A type without a value is legal; a value that this version cannot read was dropped with its type.
            if getattr(raw, field) is None and number < len(tables.UNIONS[_UNION_NAMES[field]]):
                setattr(raw, f"{field}_type", number)
        if o.large_custom_options and o.custom_options is not None:
            raw.custom_options = None
            self.behind.append((raw, memoryview(o.custom_options).cast("B")))
        return raw


_UNION_NAMES = {"builtin_options": "BuiltinOptions", "builtin_options_2": "BuiltinOptions2"}


def _list(items: Iterable[Any], name: str, absent: frozenset[str]) -> list[Any] | None:
    found = list(items)
    return found if found or name not in absent else None


def _vector(items: Sequence[int], name: str, absent: frozenset[str]) -> Sequence[int] | None:
    return items if items or name not in absent else None


def _quantization(q: Quantization, index: dict[Tensor | None, int]) -> tables.QuantizationParameters:
    raw = tables.QuantizationParameters(
        min=q.min,
        max=q.max,
        scale=None if "scale" in q.absent and not q.scale.size else q.scale,
        zero_point=None if "zero_point" in q.absent and not q.zero_point.size else q.zero_point.tolist(),
        details_type=q.details_type,
        quantized_dimension=q.quantized_dimension,
        extras=q.extras,
    )
    details = q.details
    if isinstance(details, BlockQuantization):
        scales, zeros = (x if isinstance(x, int) else index[x] for x in (details.scales, details.zero_points))
        size, extras = details.block_size, details.extras
        if details.multi_axis:
            raw.details = tables.MultiAxisQuantization(scales, zeros, size, details.axes, extras=extras)
        else:
            raw.details = tables.BlockwiseQuantization(scales, zeros, size, extras=extras)
    elif details is not None:
        raw.details = details
    return raw

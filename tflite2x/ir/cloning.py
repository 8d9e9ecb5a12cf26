# SPDX-License-Identifier: Apache-2.0
"""Deep copies of models that share the bytes of the buffers."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from tflite2x.ir.buffer import Buffer
from tflite2x.ir.model import Model
from tflite2x.ir.operator import Operator, OperatorCode
from tflite2x.ir.quantization import BlockQuantization
from tflite2x.ir.signature import Metadata, Signature, SignatureEntry
from tflite2x.ir.subgraph import Subgraph
from tflite2x.ir.tensor import Tensor
from tflite2x.schema.tables import SparsityParameters

_UNSET = object()
_SLOTS: dict[type, tuple[str, ...] | None] = {}


def clone(model: Model) -> Model:
    """Return a model that can be edited without changing ``model``; bytes of buffers are shared."""
    new = Model()
    for name in ("version", "description", "path", "trailing", "absent", "extras"):
        setattr(new, name, getattr(model, name))
    new.unknown = dict(model.unknown)
    buffers = {b: _copy(b, _model=new) for b in model._buffers}
    codes = {c: _copy(c, _model=new) for c in model._operator_codes}
    groups = {id(g): dataclasses.replace(g) for g in model.external_buffer_groups}
    external = {id(b): dataclasses.replace(b, group=groups.get(id(b.group), b.group)) for b in model.external_buffers}
    new._buffers = list(buffers.values())
    new._operator_codes = list(codes.values())
    new.external_buffer_groups = list(groups.values())
    new.external_buffers = list(external.values())
    new.metadata_buffer = [buffers[b] for b in model.metadata_buffer]
    new._metadata = [Metadata(m.name, buffers[m.buffer], m.extras) for m in model._metadata]
    subgraphs = {}
    tensors: dict[Tensor, Tensor] = {}
    for s in model._subgraphs:
        subgraphs[s] = _clone_subgraph(s, new, buffers, codes, external, tensors)
    new._subgraphs = list(subgraphs.values())
    for old in model._signatures:
        signature: Signature = _copy(old, subgraph=subgraphs[old.subgraph])
        signature.input_entries = [SignatureEntry(e.name, tensors[e.tensor], e.extras) for e in old.input_entries]
        signature.output_entries = [SignatureEntry(e.name, tensors[e.tensor], e.extras) for e in old.output_entries]
        new._signatures.append(signature)
    return new


def _clone_subgraph(
    s: Subgraph,
    model: Model,
    buffers: dict[Buffer, Buffer],
    codes: dict[OperatorCode, OperatorCode],
    external: dict[int, Any],
    tensors: dict[Tensor, Tensor],
) -> Subgraph:
    new: Subgraph = _copy(s, _model=model)
    new._tensors_view = new._operators_view = None
    for t in s._tensors:
        tensor: Tensor = _copy(t, _subgraph=new, _producer=None, _uses={}, _buffer=buffers[t._buffer])
        if t.quantization is not None:
            tensor.quantization = t.quantization.clone()
        if t.external_buffer is not None:
            tensor.external_buffer = external.get(id(t.external_buffer), t.external_buffer)
        if t.sparsity is not None:
            tensor.sparsity = _copy_sparsity(t.sparsity)
        tensors[t] = tensor
    for t in s._tensors:
        q = tensors[t].quantization
        if q is not None and isinstance(q.details, BlockQuantization):
            q.details.scales = _follow(q.details.scales, tensors)
            q.details.zero_points = _follow(q.details.zero_points, tensors)
    new._tensors = [tensors[t] for t in s._tensors]
    new._inputs = tuple(tensors[t] for t in s._inputs)
    new._outputs = tuple(tensors[t] for t in s._outputs)
    new._operators = []
    for o in s._operators:
        op: Operator = _copy(o, _subgraph=new, _code=codes[o._code])
        op._inputs = tuple(None if t is None else tensors[t] for t in o._inputs)
        op._outputs = tuple(None if t is None else tensors[t] for t in o._outputs)
        op.intermediates = tuple(None if t is None else tensors[t] for t in o.intermediates)
        # Fields of options are numbers and tuples; the table itself is what an edit would change.
        op.options, op.other_options = _copy(o.options), _copy(o.other_options)
        new._operators.append(op)
        new._link(op)
    return new


def _copy_sparsity(sparsity: SparsityParameters) -> SparsityParameters:
    """Copy the tables; vectors, which may be views of the file, are shared."""
    new: SparsityParameters = _copy(sparsity)
    if new.dim_metadata is not None:
        new.dim_metadata = [
            _copy(m, array_segments=_copy(m.array_segments), array_indices=_copy(m.array_indices))
            for m in new.dim_metadata
        ]
    return new


def _follow(tensor: Tensor | int, tensors: dict[Tensor, Tensor]) -> Tensor | int:
    return tensor if isinstance(tensor, int) else tensors[tensor]


def _copy(item: Any, **changes: Any) -> Any:
    """Return a shallow copy; what has slots only is copied without the detour through pickling."""
    kind = type(item)
    slots = _slots(kind)
    if slots is None:
        new = copy.copy(item)
    else:
        new = object.__new__(kind)
        for name in slots:
            value = getattr(item, name, _UNSET)
            if value is not _UNSET:
                setattr(new, name, value)
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def _slots(kind: type) -> tuple[str, ...] | None:
    """Return all slots of a class; None when its instances hold more than slots."""
    if kind not in _SLOTS:
        classes = kind.__mro__[:-1]
        plain = not hasattr(kind, "__copy__") and all("__slots__" in vars(c) for c in classes)
        names = (name for c in classes for name in vars(c).get("__slots__", ()) if name != "__weakref__")
        _SLOTS[kind] = tuple(names) if plain else None
    return _SLOTS[kind]

# SPDX-License-Identifier: Apache-2.0
"""Finds every broken invariant of a model; the net under the editing methods."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tflite2x.errors import GraphError
from tflite2x.ir.buffer import Buffer
from tflite2x.ir.operator import OperatorCode
from tflite2x.ir.quantization import BlockQuantization
from tflite2x.ir.subgraph import Subgraph
from tflite2x.ir.tensor import Tensor

if TYPE_CHECKING:
    from tflite2x.ir.model import Model


def check(model: Model) -> None:
    """Check a model.

    Raises:
        GraphError: An invariant is broken; says where and which.
    """
    buffers = set(model._buffers)
    codes = set(model._operator_codes)
    for b in model._buffers:
        _require(b._model is model, "buffers", "a buffer does not know its model")
    for s in model._subgraphs:
        _require(s._model is model, "subgraphs", f"subgraph {s.name!r} does not know its model")
        _check_subgraph(s, buffers, codes)
    for i, metadata in enumerate(model._metadata):
        _require(metadata.buffer in buffers, f"metadata[{i}]", "its buffer is not in the model")
    for i, buffer in enumerate(model.metadata_buffer):
        _require(buffer in buffers, f"metadata_buffer[{i}]", "the buffer is not in the model")
    for i, e in enumerate(model.external_buffers):
        _require(
            any(g is e.group for g in model.external_buffer_groups), f"external_buffers[{i}]", "its group is not listed"
        )
    subgraphs = set(model._subgraphs)
    for i, signature in enumerate(model._signatures):
        where = f"signatures[{i}] ({signature.key!r})"
        _require(signature.subgraph in subgraphs, where, "its subgraph is not in the model")
        for entry in (*signature.input_entries, *signature.output_entries):
            known = entry.tensor._subgraph is signature.subgraph
            _require(known, where, f"the tensor of {entry.name!r} is not in its subgraph")


def _check_subgraph(s: Subgraph, buffers: set[Buffer], codes: set[OperatorCode]) -> None:
    where = s.where
    members = set(s._tensors)
    _require(len(members) == len(s._tensors), where, "a tensor is listed twice")
    produced: dict[Tensor, object] = {}
    uses: dict[Tensor, set[tuple[object, int]]] = {t: set() for t in s._tensors}
    external = {id(e) for e in s.model.external_buffers}
    for items in (s._operators, s._tensors):
        numbers = [item._rank for item in items]
        _require(all(a < b for a, b in itertools.pairwise(numbers)), where, "ranks do not rise along a list")
    for i, op in enumerate(s._operators):
        place = f"{where}.operators[{i}] ({op.name})"
        _require(op._subgraph is s, place, "the operator does not know its subgraph")
        _require(op._code in codes, place, "its operator code is not in the model")
        for j, t in enumerate(op._inputs):
            if t is not None:
                _require(t in members, f"{place}.inputs[{j}]", f"tensor {t.name!r} is not in the subgraph")
                uses[t].add((op, j))
                late = t._producer is not None and t not in produced
                _require(
                    not late, f"{place}.inputs[{j}]", f"tensor {t.name!r} is computed later",
                    "Call subgraph.sort() to put the operators in order.",
                )  # fmt: skip
        for j, t in enumerate(op._outputs):
            if t is not None:
                _require(t in members, f"{place}.outputs[{j}]", f"tensor {t.name!r} is not in the subgraph")
                _require(t not in produced, f"{place}.outputs[{j}]", f"tensor {t.name!r} has two producers")
                produced[t] = op
        for j, t in enumerate(op.intermediates):
            _require(t is None or t in members, f"{place}.intermediates[{j}]", "the tensor is not in the subgraph")
        for name, index in op._called():
            count = len(s.model._subgraphs)
            _require(0 <= index < count, f"{place}.{name}", f"subgraph index {index}, {count} subgraphs")
    for i, t in enumerate(s._tensors):
        place = f"{where}.tensors[{i}] ({t.name!r})"
        _require(t._subgraph is s, place, "the tensor does not know its subgraph")
        _require(t._producer is produced.get(t), place, "its producer is not the operator that computes it")
        _require(set(t._uses) == uses[t], place, "its uses are not the operators that read it")
        _require(t._buffer in buffers, place, "its buffer is not in the model")
        _require(
            t.external_buffer is None or id(t.external_buffer) in external, place, "its external buffer is not listed"
        )
        if t.quantization is not None and isinstance(t.quantization.details, BlockQuantization):
            for detail in t.quantization.details.tensors:
                _require(detail in members, place, "its block scales are not in the subgraph")
    for side, interface in (("inputs", s._inputs), ("outputs", s._outputs)):
        for i, t in enumerate(interface):
            _require(t in members, f"{where}.{side}[{i}]", f"tensor {t.name!r} is not in the subgraph")
            bad = side == "inputs" and t._producer is not None
            _require(not bad, f"{where}.{side}[{i}]", f"an operator computes the graph input {t.name!r}")


def _require(condition: bool, where: str, what: str, hint: str = "") -> None:
    if not condition:
        raise GraphError(what, where=where, hint=hint)

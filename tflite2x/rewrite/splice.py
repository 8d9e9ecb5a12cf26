# SPDX-License-Identifier: Apache-2.0
"""Putting a replacement in the place of a match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tflite2x.rewrite.matcher import Match, Refusal

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Subgraph, Tensor
    from tflite2x.rewrite.builder import Builder


def splice(graph: Subgraph, match: Match, values: Sequence[Tensor], builder: Builder) -> list[Operator]:
    """Let ``values`` take the place of the matched outputs, and remove the matched operators.

    The tensors of the matched outputs stay wherever possible, with their names: new operators compute them from now on.
    A value that exists already takes over the users instead. Tensors that may be without use now are noted in
    ``builder.orphans``: looking through the graph for their uses is for the end of all rewrites.

    Returns:
        Operators around the replacement, which may match now.

    Raises:
        Refusal: A value cannot take the place of a graph output; nothing was changed.
    """
    if len(values) != len(match.outputs):
        raise TypeError(f"the pattern returns {len(match.outputs)} values, the replacement {len(values)}")
    fresh = {t for op in builder.added for t in op.outputs}
    listed: set[Tensor] = set()
    for old, new in zip(match.outputs, values, strict=True):
        if new not in fresh:
            _check_existing(match, old, new)
        if old.is_output:
            if new in listed:
                raise Refusal(f"the output '{old.name}' would be another output once more")
            listed.add(new)
    inputs = [t for op in match.operators for t in op.inputs if t is not None]
    around = [t.producer for t in inputs if t.producer is not None]
    orphans = [t for op in match.operators for t in op.outputs]
    for op in match.operators:
        op.set_outputs(())
    graph.remove_operators(match.operators)
    now: dict[Tensor, Tensor] = {}  # a value that stands for several outputs may have become one of them
    for old, value in zip(match.outputs, values, strict=True):
        new = now.get(value, value)
        if new in fresh:
            now[value] = _compute(graph, old, new)
        else:
            now[value] = _forward(graph, old, new)
    builder.orphans = [*dict.fromkeys((*orphans, *fresh))]
    around += [user for tensor in match.outputs if graph.holds(tensor) for user in tensor.consumers]
    around += [user for tensor in values if graph.holds(tensor) for user in tensor.consumers]
    return [op for op in dict.fromkeys((*builder.added, *around)) if graph.holds(op)]


def _check_existing(match: Match, old: Tensor, new: Tensor) -> None:
    """Refuse to make an interface tensor or a constant the output of the graph."""
    if new.producer in match.operators:
        raise TypeError(f"the replacement returns '{new.name}', which the match takes away")
    if not old.is_output:
        return
    if new.producer is None or new.is_input:
        kind = "a constant" if new.is_constant else "an input of the graph"
        raise Refusal(f"the output '{old.name}' would be '{new.name}', {kind}")
    if new.is_output:
        raise Refusal(f"the output '{old.name}' would be the output '{new.name}' once more")


def _compute(graph: Subgraph, old: Tensor, new: Tensor) -> Tensor:
    """Let the operator that computes ``new`` compute ``old`` instead, and return that."""
    op = new.producer
    assert op is not None
    graph.replace_all_uses(new, old) if new.uses else None
    op.set_outputs([old if t is new else t for t in op.outputs])
    old.dtype, old.shape, old.shape_signature = new.dtype, new.shape, new.shape_signature
    old.quantization = new.quantization
    return old


def _forward(graph: Subgraph, old: Tensor, new: Tensor) -> Tensor:
    """Let everything that reads ``old`` read ``new``; an output of the graph keeps its tensor and name.

    Returns:
        The tensor that stands for ``new`` from now on.
    """
    if old.is_output:
        op = new.producer
        assert op is not None
        op.set_outputs([old if t is new else t for t in op.outputs])
        graph.replace_all_uses(new, old)
        return old
    graph.replace_all_uses(old, new)
    return new

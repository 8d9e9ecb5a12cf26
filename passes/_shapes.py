# SPDX-License-Identifier: Apache-2.0
"""New shapes for a whole graph: run it once with the new input shapes and see what comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import ExecutionError, InputError, UnsupportedError
from tflite2x.schema.enums import BuiltinOperator as Op
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Subgraph, Tensor

#: A trial run with larger inputs is not tried: it would take the machine's memory before it fails.
_MOST_BYTES = 4 << 30


def try_shapes(graph: Subgraph, shapes: Mapping[Tensor, Sequence[int]]) -> dict[Tensor, tuple[int, ...]] | str:
    """Return the shape of every computed tensor for new shapes of the inputs, or why the graph cannot run with them.

    Branches that a trial run does not take, and loops that it does not enter, are tried by themselves.

    Args:
        graph: The subgraph; it is not changed.
        shapes: New shapes of inputs; the others keep theirs.
    """
    known = _trial(graph, shapes)
    waiting, seen = [graph], {graph}
    while waiting and not isinstance(known, str):
        for op in waiting.pop().operators:
            given = op.inputs[1:] if op.opcode == Op.IF else op.inputs
            for callee in op.calls.values() if op.opcode in (Op.IF, Op.WHILE) else ():
                if callee in seen:
                    continue
                seen.add(callee)
                waiting.append(callee)
                pairs = [(t, g) for t, g in zip(callee.inputs, given, strict=False) if g is not None]
                if all(t in known for t, _ in pairs):
                    continue
                inner = _trial(callee, {t: known.get(g, g.shape) for t, g in pairs})
                if isinstance(inner, str):
                    return f"{callee.where}, which {op.where} may call: {inner}"
                known.update(inner)
    return known


def _trial(graph: Subgraph, shapes: Mapping[Tensor, Sequence[int]]) -> dict[Tensor, tuple[int, ...]] | str:
    """Run a subgraph once; shapes of what it computed, or why it does not run."""
    from tflite2x.interpreter import Interpreter

    wanted = [[max(1, d) for d in shapes.get(tensor, tensor.shape)] for tensor in graph.inputs]
    need = sum(math.prod(s) * max(1, t.numpy_dtype.itemsize) for s, t in zip(wanted, graph.inputs, strict=True))
    if need > _MOST_BYTES:
        return f"the inputs alone would take {need / 2**30:.3g} GiB in the trial run, more than {_MOST_BYTES >> 30} GiB"
    inputs = []
    for tensor, shape in zip(graph.inputs, wanted, strict=True):
        if tensor.dtype == TensorType.STRING:
            inputs.append(np.full(shape, b"", object))
        else:
            zero = tensor.quantization.zero_point if tensor.quantization is not None else np.zeros(0, np.int64)
            value = int(zero[0]) if zero.size == 1 else 0
            if tensor.numpy_dtype.kind in "iu":
                limits = np.iinfo(tensor.numpy_dtype)
                value = min(max(value, limits.min), limits.max)
            inputs.append(np.full(shape, value, tensor.numpy_dtype))
    try:
        found = Interpreter(graph.model).trace(inputs, subgraph=graph, resize=True)
    except (ExecutionError, InputError, UnsupportedError) as error:
        return f"it does not run with that shape: {error}"
    except MemoryError:
        return "it does not run with that shape: its tensors do not fit into memory"
    return {tensor: tuple(array.shape) for tensor, array in found.items()}


def set_shapes(shapes: Mapping[Tensor, tuple[int, ...]]) -> int:
    """Give tensors the shapes of a trial run; returns how many changed."""
    changed = 0
    for tensor, shape in shapes.items():
        if tuple(tensor.shape) == shape or tensor.is_constant:
            continue
        if tensor.shape_signature is not None and len(tensor.shape_signature) == len(shape):
            tensor.shape_signature = tuple(
                -1 if s < 0 else d for s, d in zip(tensor.shape_signature, shape, strict=True)
            )
        tensor.shape = shape
        changed += 1
    return changed

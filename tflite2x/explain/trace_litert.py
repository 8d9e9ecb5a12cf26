# SPDX-License-Identifier: Apache-2.0
"""A trace by LiteRT itself, where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.explain.trace import TensorTrace, describe
from tflite2x.interpreter.kernel import Array

if TYPE_CHECKING:
    from tflite2x.ir import Model, Tensor


def litert_trace(model: Model, inputs: Sequence[Array], tensors: Sequence[TensorTrace]) -> list[TensorTrace]:
    """Run a model with LiteRT's reference kernels, and return the tensors that our trace has.

    Args:
        model: The model.
        inputs: One array per input, in model order.
        tensors: Our trace of it: which tensors to return.

    Raises:
        UnsupportedError: LiteRT is not installed.
        ExecutionError: LiteRT refuses the model.
    """
    from tflite2x.ir import dumps

    try:
        from ai_edge_litert import interpreter as litert
    except ImportError:
        raise UnsupportedError(
            "LiteRT is not installed", hint="Install it: pip install 'tflite2x[litert]', or ai-edge-litert."
        ) from None
    try:
        engine = litert.Interpreter(
            model_content=dumps(model),
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        engine.allocate_tensors()
        for detail, array in zip(engine.get_input_details(), inputs, strict=True):
            if tuple(detail["shape"]) != array.shape:
                engine.resize_tensor_input(detail["index"], array.shape)
        engine.allocate_tensors()
        for detail, array in zip(engine.get_input_details(), inputs, strict=True):
            engine.set_tensor(detail["index"], array)
        engine.invoke()
    except (ValueError, RuntimeError) as error:
        text = (str(error).splitlines() or ["unknown reason"])[0]
        raise ExecutionError(f"LiteRT does not run the model: {text}") from None
    graph = model.main
    found = []
    for ours in tensors:
        if ours.subgraph == 0:
            value = _value(engine, graph.tensors[ours.index])
            if value is not None and value.shape == ours.shape:
                found.append(describe(graph.tensors[ours.index], value))
    return found


def _value(engine: Any, tensor: Tensor) -> Array | None:
    """Return a tensor's value; None where LiteRT keeps none (parts of operators, 4-bit types)."""
    if tensor.dtype.name in ("INT4", "UINT4", "INT2"):
        return None
    try:
        return np.asarray(engine.get_tensor(tensor.index))
    except ValueError:
        return None

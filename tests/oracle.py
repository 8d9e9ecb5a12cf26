# SPDX-License-Identifier: Apache-2.0
"""LiteRT as the independent oracle: the reference kernels, without delegates, one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


def litert_interpreter(model: bytes | str | Path, *, resolver: str = "BUILTIN_REF", preserve_all: bool = False) -> Any:
    """Make a LiteRT interpreter with allocated tensors, or skip the test where LiteRT is not installed."""
    module = pytest.importorskip("ai_edge_litert.interpreter")
    source = {"model_content": bytes(model)} if isinstance(model, bytes | bytearray) else {"model_path": str(model)}
    interpreter = module.Interpreter(
        **source,
        experimental_op_resolver_type=module.OpResolverType[resolver],
        experimental_preserve_all_tensors=preserve_all,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    return interpreter


def litert_run(
    model: bytes | str | Path, inputs: Sequence[Array] | Mapping[str, Array], *, resolver: str = "BUILTIN_REF"
) -> list[Array]:
    """Run a model once and return its outputs in model order; inputs are resized to the shapes given."""
    interpreter = litert_interpreter(model, resolver=resolver)
    details = interpreter.get_input_details()
    values = [inputs[d["name"]] for d in details] if isinstance(inputs, Mapping) else list(inputs)
    assert len(values) == len(details), f"{len(values)} inputs given, the model has {len(details)}"
    if any(tuple(d["shape"]) != np.shape(v) for d, v in zip(details, values, strict=True)):
        for detail, value in zip(details, values, strict=True):
            interpreter.resize_tensor_input(detail["index"], np.shape(value))
        interpreter.allocate_tensors()
    for detail, value in zip(details, values, strict=True):
        interpreter.set_tensor(detail["index"], np.asarray(value))
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]

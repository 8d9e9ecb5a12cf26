# SPDX-License-Identifier: Apache-2.0
"""Test vectors: inputs, and what the interpreter makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter import Interpreter
from tflite2x.interpreter.kernel import Rounding
from tflite2x.verification.samples import generate_all

if TYPE_CHECKING:
    from tflite2x.ir import Model

Array = NDArray[Any]
_BATCH = 64


def make(
    model: Model, count: int, seed: int, rounding: Rounding, *, state: bool = False
) -> tuple[list[Array], list[Array]]:
    """Make test vectors.

    Args:
        model: The model.
        count: Number of vectors.
        seed: The same seed gives the same vectors.
        rounding: Rounding contract of the interpreter.
        state: Every run starts from what the last one kept, as in the program that checks.

    Returns:
        Inputs and outputs, each [count, ...], in model order.
    """
    inputs = [np.asarray(a) for a in generate_all(model.main, count, seed)]
    interpreter = Interpreter(model, rounding)
    if state:
        singles = [interpreter.run([a[i] for a in inputs]) for i in range(count)]
        return inputs, [np.stack(column) for column in zip(*singles, strict=True)]
    parts = [interpreter.run_batch([a[start : start + _BATCH] for a in inputs]) for start in range(0, count, _BATCH)]
    return inputs, [np.concatenate(column) for column in zip(*parts, strict=True)]


def pack(inputs: list[Array], outputs: list[Array]) -> bytes:
    """Return test vectors as bytes: per vector all inputs, then all outputs, little-endian, without gaps."""
    count = len(inputs[0])
    columns = [
        np.ascontiguousarray(a.astype(a.dtype.newbyteorder("<"))).reshape(count, -1).view(np.uint8)
        for a in (*inputs, *outputs)
    ]
    return np.concatenate(columns, axis=1).tobytes()

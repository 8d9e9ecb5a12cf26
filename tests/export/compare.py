# SPDX-License-Identifier: Apache-2.0
"""Holds printed NumPy functions to the interpreter, operator by operator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.ir import Operator
from tflite2x.program.lowering import Lowering, run_kernel
from tflite2x.program.numpy_code import operator_code, values_of

Array = NDArray[Any]


def random_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, kind: int) -> Array:
    """Return values over the whole range of a type; kinds 1 and 2 are all lowest and all highest."""
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return np.asarray(rng.normal(size=shape) * 3, dtype)
    info = np.iinfo(dtype)
    low, high = (int(info.min), int(info.max)) if info.bits <= 16 else (-(1 << 20), 1 << 20)
    if kind:
        return np.full(shape, low if kind == 1 else high, dtype)
    return rng.integers(low, high + 1, shape).astype(dtype)


def check_operator(op: Operator, lowering: Lowering, samples: int = 3, seed: int = 0) -> str:
    """Run an operator's printed function and its kernel on the same inputs; returns the code.

    Raises:
        UnsupportedError: The operator has no NumPy form.
        AssertionError: They differ.
    """
    steps = lowering.lower(op)
    code = operator_code("function", steps, "")
    assert "tflite2x" not in code
    namespace: dict[str, Any] = {}
    exec(compile(code, f"{op.name} {op.index}", "exec"), namespace)
    inputs, outputs = values_of(steps)
    kernel, rng = lowering.prepare(op), np.random.default_rng([seed, op.index])
    for kind in range(samples):
        arrays = {v: random_array(rng, v.shape, v.dtype, kind) for v in inputs}
        arguments: list[Array | None] = []
        for tensor in op.inputs:
            if tensor is None:
                arguments.append(None)
                continue
            value = lowering.known(tensor)
            # A copy: kernels with state write into it.
            arguments.append(np.array(arrays[lowering.operand(tensor)] if value is None else value)[None])  # type: ignore[index]
        expected = dict(zip((lowering.operand(t) for t in op.outputs if t), run_kernel(kernel, arguments), strict=True))
        with np.errstate(over="ignore"):
            results = namespace["function"](*arrays.values())
        for value, result in zip(outputs, results if len(outputs) > 1 else [results], strict=True):
            wanted = expected[value][0]
            assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape), op.where
            assert result.tobytes() == np.ascontiguousarray(wanted).tobytes(), (
                f"{op.where}: {np.mean(result != wanted):.3%} differ"
            )
    return code

# SPDX-License-Identifier: Apache-2.0
"""Operators with state: several runs in a row, compared with LiteRT; batches compared with single runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import tflite2x
from tests.interpreter.one_operator import CASES, Array, assert_same
from tests.oracle import litert_interpreter


def run_litert(data: bytes, runs: Sequence[Sequence[Array]], resolver: str = "BUILTIN_REF") -> list[list[Array]]:
    """Run LiteRT several times in a row, without a reset between."""
    oracle = litert_interpreter(data, resolver=resolver)
    results = []
    for arrays in runs:
        for detail, array in zip(oracle.get_input_details(), arrays, strict=True):
            oracle.set_tensor(detail["index"], array)
        oracle.invoke()
        results.append([oracle.get_tensor(d["index"]) for d in oracle.get_output_details()])
    return results


def compare(
    model: tflite2x.Model,
    runs: Sequence[Sequence[Array]],
    *,
    tolerance: float = 0.0,
    magnitude: float = 0.0,
    batch_tolerance: float = 0.0,
    resolver: str = "BUILTIN_REF",
) -> list[list[Array]]:
    """Compare runs in a row with LiteRT, then a batch of all inputs with single runs from the same state.

    Args:
        model: A model; its state may be variable tensors or resources.
        runs: Inputs of each run.
        tolerance: Of floats, relative to the largest magnitude.
        magnitude: Of the values inside the operator, to which tolerances relate where all outputs are smaller: what is
            left of values that cancel has their rounding errors.
        batch_tolerance: Of floats between a batch and single runs; BLAS sums in another order there.
        resolver: LiteRT's set of kernels.
    """
    expected = run_litert(tflite2x.dumps(model), runs, resolver)
    engine = tflite2x.Interpreter(model)
    results = []
    for inputs, wanted in zip(runs, expected, strict=True):
        results.append(engine.run(inputs))
        for got, want in zip(results[-1], wanted, strict=True):
            assert_same(got, want, tolerance * _enlarged(want, magnitude))
    CASES[model.main.operators[0].name] += 1
    if runs[0]:
        batches = [np.stack(column) for column in zip(*runs, strict=True)]
        engine.reset()
        first, second = engine.run_batch(batches), engine.run_batch(batches)
        for i, inputs in enumerate(runs):
            engine.reset()
            for outputs in (first, second):
                for together, single in zip(outputs, engine.run(inputs), strict=True):
                    assert_same(together[i], single, batch_tolerance * _enlarged(single, magnitude))
    return results


def _enlarged(values: Array, magnitude: float) -> float:
    if not magnitude:
        return 1.0
    largest = float(np.max(np.abs(values), initial=0.0))
    return max(1.0, magnitude / largest) if largest else 1.0


def quantized(rng: np.random.Generator, shape: Sequence[int], dtype: str = "int8") -> Array:
    """Return integers of the whole range, without the lowest."""
    info = np.iinfo(dtype)
    return rng.integers(info.min + 1, info.max, tuple(shape), endpoint=True).astype(dtype)


def state(graph: Any, name: str, shape: Sequence[int], dtype: str = "float32", **quantization: Any) -> Any:
    """Add a variable tensor."""
    return graph.add_tensor(name, tuple(shape), dtype, is_variable=True, **quantization)

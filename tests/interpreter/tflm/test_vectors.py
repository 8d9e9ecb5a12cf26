# SPDX-License-Identifier: Apache-2.0
"""``rounding="double"`` against what TFLite Micro computed (vectors.npz, written by scripts/tflm_vectors.py)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.export.compare import check_operator
from tests.interpreter.one_operator import Array
from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.micro import COMPARED, DIFFERENCES
from tflite2x.program.lowering import Lowering

#: Where the integers of the vectors differ between LiteRT and TFLite Micro.
DIFFERENT = {
    "ADD int16", "ADD int32", "FULLY_CONNECTED int8", "FULLY_CONNECTED int16", "LOGISTIC int8", "MUL int8", "MUL int16",
    "PRELU int8", "RELU6 int8", "RELU6 int16", "RSQRT int16", "SOFTMAX int16", "SUB int16", "TANH int8",
    "UNIDIRECTIONAL_SEQUENCE_LSTM int8",
}  # fmt: skip
#: What only TFLite Micro has.
MICRO_ONLY = {"SQUARED_DIFFERENCE int16", "UNIDIRECTIONAL_SEQUENCE_LSTM int16"}


@dataclasses.dataclass
class Vector:
    """A model, the bytes of its inputs for all runs in a row, and the bytes that TFLite Micro put out."""

    kind: str
    runs: int
    model: bytes
    given: bytes
    wanted: bytes

    def inputs(self, model: tflite2x.Model) -> Iterator[list[Array]]:
        at = 0
        for _ in range(self.runs):
            row = []
            for tensor in model.main.inputs:
                dtype = np.dtype(tensor.dtype.name.lower())
                row.append(np.frombuffer(self.given, dtype, int(np.prod(tensor.shape)), at).reshape(tensor.shape))
                at += row[-1].nbytes
            yield row
        assert at == len(self.given)

    def outputs(self, model: tflite2x.Model) -> Iterator[list[Array]]:
        at = 0
        for _ in range(self.runs):
            row = []
            for tensor in model.main.outputs:
                dtype = np.dtype(tensor.dtype.name.lower())
                row.append(np.frombuffer(self.wanted, dtype, int(np.prod(tensor.shape)), at).reshape(tensor.shape))
                at += row[-1].nbytes
            yield row
        assert at == len(self.wanted)


@functools.cache
def vectors() -> dict[str, list[Vector]]:
    """Return the vectors by kind."""
    with np.load(Path(__file__).with_name("vectors.npz")) as file:
        names, sizes, data = file["names"], file["sizes"], file["data"].tobytes()
    found: dict[str, list[Vector]] = {}
    at = 0
    for name, (runs, *lengths) in zip(names.tolist(), sizes.tolist(), strict=True):
        parts = []
        for length in lengths:
            parts.append(data[at : at + length])
            at += length
        found.setdefault(name, []).append(Vector(name, runs, *parts))
    assert at == len(data)
    return found


@pytest.mark.parametrize("kind", vectors())
def test_double_rounding_equals_tflite_micro(kind: str) -> None:
    for vector in vectors()[kind]:
        model = tflite2x.loads(vector.model)
        engine = tflite2x.Interpreter(model, rounding="double")
        for inputs, wanted in zip(vector.inputs(model), vector.outputs(model), strict=True):
            for got, want in zip(engine.run(inputs), wanted, strict=True):
                assert (got.dtype, got.shape) == (want.dtype, want.shape)
                if got.dtype.kind == "f":
                    scale = float(np.max(np.abs(want), initial=0.0))
                    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6 * scale)
                else:
                    np.testing.assert_array_equal(got, want)


def test_the_contracts_differ_in_the_operators_that_are_named() -> None:
    """LiteRT's contract on the same inputs: what differs is exactly what the documentation says."""
    different, refused, taken = set(), set(), set()
    for kind, cases in vectors().items():
        name = " ".join(kind.split()[:2])
        for vector in cases:
            model = tflite2x.loads(vector.model)
            engine = tflite2x.Interpreter(model, rounding="single")
            try:
                rows = [engine.run(inputs) for inputs in vector.inputs(model)]
            except UnsupportedError:
                refused.add(name)
                continue
            taken.add(name)
            for got, wanted in zip(rows, vector.outputs(model), strict=True):
                if any(a.dtype.kind != "f" and not np.array_equal(a, b) for a, b in zip(got, wanted, strict=True)):
                    different.add(name)
    assert different == DIFFERENT
    assert refused - taken == MICRO_ONLY
    assert {name.split()[0] for name in DIFFERENT | MICRO_ONLY} == set(DIFFERENCES)
    assert {kind.split()[0] for kind in vectors()} == COMPARED


def test_vectors_are_not_trivial() -> None:
    """Every kind has outputs of several values somewhere, so that a constant cannot pass."""
    for kind, cases in vectors().items():
        assert max(len(set(np.frombuffer(v.wanted, np.uint8).tolist())) for v in cases) > 1, kind


def test_printed_numpy_follows_the_contract_too() -> None:
    """`explain --numpy` and `export` print the arithmetic of the same contract, operator by operator."""
    printed = set()
    for kind, cases in vectors().items():
        if kind.startswith(("RSQRT", "SVDF", "UNIDIRECTIONAL")):
            continue  # no values for negative numbers; state
        for vector in cases:
            model = tflite2x.loads(vector.model)
            try:
                check_operator(model.main.operators[0], Lowering(model.main, "double"))
            except UnsupportedError:
                continue
            printed.add(" ".join(kind.split()[:2]))
    assert printed >= DIFFERENT - {"ADD int32", "RSQRT int16", "SOFTMAX int16", "UNIDIRECTIONAL_SEQUENCE_LSTM int8"}

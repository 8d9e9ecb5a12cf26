# SPDX-License-Identifier: Apache-2.0
"""Operators without a table of options: LiteRT takes the schema's defaults."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.interpreter.one_operator import Value, check, random_array, steering

_SCALED = {"scale": 0.1, "zero_point": 0}


@pytest.mark.parametrize(("given", "weights"), [("float32", "float32"), ("float32", "int8"), ("int8", "int8")])
def test_products(given: str, weights: str) -> None:
    rng = np.random.default_rng(0)
    quantized = {} if given == "float32" else _SCALED
    scaled = {} if weights == "float32" else _SCALED
    x = Value(random_array(rng, (2, 3, 8), given), quantization=quantized)
    w = Value(random_array(rng, (4, 8), weights), constant=True, quantization=scaled)
    check("FULLY_CONNECTED", None, [x, w, None], [(given, (6, 4), quantized)], tolerance=1e-6)
    y = Value(random_array(rng, (2, 8, 4), weights), constant=given != weights, quantization=scaled)
    check("BATCH_MATMUL", None, [x, y], [(given, (2, 3, 4), quantized)], tolerance=1e-6)


def test_one_hot_begins_with_the_new_axis() -> None:
    on, off = Value(np.float32(2)), Value(np.float32(-1))
    indices = Value(np.array([[1, 2], [-1, 5]], np.int32))
    (got,) = check("ONE_HOT", None, [indices, steering(4, True), on, off], [("float32", (4, 2, 2))])
    assert got.shape == (4, 2, 2)


@pytest.mark.parametrize("op", ["RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"])
def test_random_numbers_without_a_seed(op: str) -> None:
    model = tflite2x.Model.build(op, [np.array([3, 2], np.int32)], [{"shape": (3, 2), "dtype": "float32"}])
    one, two = (tflite2x.Interpreter(model).run([])[0] for _ in range(2))
    assert one.shape == (3, 2)
    assert (one != two).any()

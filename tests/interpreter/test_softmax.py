# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX, LOG_SOFTMAX, L2_NORMALIZATION and LOCAL_RESPONSE_NORMALIZATION against LiteRT's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, random_array, rngs, shapes
from tests.interpreter.quantizations import quantizations, scales
from tflite2x.schema.tables import (
    L2NormOptions,
    LocalResponseNormalizationOptions,
    LogSoftmaxOptions,
    SoftmaxOptions,
)

betas = st.sampled_from([1.0, 0.5, 2.0]) | st.floats(0.0625, 4, width=32)
SOFTMAX_OUTPUTS = {
    ("int8", "int8"): {"scale": 1 / 256, "zero_point": -128},
    ("int8", "int16"): {"scale": 1 / 65536, "zero_point": -32768},
    ("uint8", "uint8"): {"scale": 1 / 256, "zero_point": 0},
    ("uint8", "int16"): {"scale": 1 / 65536, "zero_point": -32768},
    ("int16", "int16"): {"scale": 1 / 32768, "zero_point": 0},
}


def rows(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    """Any values, or values close to each other."""
    value = random_array(rng, shape, dtype)
    return value if rng.random() < 0.5 else (value // 16).astype(dtype)


@cases
@given(shape=shapes(0, 4, 5), depth=st.integers(1, 1500), rng=rngs, beta=betas)
def test_float_softmax(shape: Any, depth: int, rng: Any, beta: float) -> None:
    shape = (*shape[:2], depth)
    check("SOFTMAX", SoftmaxOptions(beta=beta), [Value(random_array(rng, shape, "float32"))], [("float32", shape)],
          tolerance=1e-6)  # fmt: skip


@pytest.mark.parametrize(("source", "target"), list(SOFTMAX_OUTPUTS))
@cases
@given(shape=shapes(0, 3, 5), depth=st.integers(1, 40) | st.integers(200, 1500), rng=rngs, beta=betas, data=st.data())
def test_quantized_softmax(
    source: str, target: str, shape: Any, depth: int, rng: Any, beta: float, data: st.DataObject
) -> None:
    if target != "int16":
        depth = min(depth, 500)  # LiteRT aborts on sums of 512 and more
    shape = (*shape, depth)
    quantization = data.draw(quantizations(source, -14, 4))
    assume(np.float32(beta) * quantization["scale"] * 2.0**26 > 1)
    inputs = [Value(rows(rng, shape, source), quantization=quantization)]
    check("SOFTMAX", SoftmaxOptions(beta=beta), inputs, [(target, shape, SOFTMAX_OUTPUTS[source, target])])


@cases
@given(shape=shapes(0, 2, 5), depth=st.integers(1, 1500), rng=rngs)
def test_float_log_softmax(shape: Any, depth: int, rng: Any) -> None:
    shape = (*shape, depth)
    check("LOG_SOFTMAX", LogSoftmaxOptions(), [Value(random_array(rng, shape, "float32"))], [("float32", shape)],
          tolerance=1e-6)  # fmt: skip


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", 127), ("uint8", 255)])
@cases
@given(shape=shapes(0, 3, 5), depth=st.integers(1, 40) | st.integers(200, 1500), rng=rngs, data=st.data())
def test_quantized_log_softmax(
    dtype: str, zero_point: int, shape: Any, depth: int, rng: Any, data: st.DataObject
) -> None:
    shape = (*shape, depth)
    inputs = [Value(rows(rng, shape, dtype), quantization=data.draw(quantizations(dtype, -14, 4)))]
    check("LOG_SOFTMAX", LogSoftmaxOptions(), inputs, [(dtype, shape, {"scale": 1 / 16, "zero_point": zero_point})])


@cases
@given(shape=shapes(1, 4, 9), rng=rngs)
def test_float_l2_normalization(shape: Any, rng: Any) -> None:
    value = random_array(rng, shape, "float32")
    if rng.random() < 0.2:
        value[0] = 0
    check("L2_NORMALIZATION", L2NormOptions(), [Value(value)], [("float32", shape)], tolerance=1e-6)


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", 0), ("uint8", 128)])
@cases
@given(shape=shapes(0, 3, 5), depth=st.integers(1, 40) | st.integers(200, 40000), rng=rngs, data=st.data())
def test_quantized_l2_normalization(
    dtype: str, zero_point: int, shape: Any, depth: int, rng: Any, data: st.DataObject
) -> None:
    shape = (*shape[:1], depth)
    given_ = data.draw(st.just({}) | quantizations(dtype))  # without scale, the zero point is 0
    inputs = [Value(rows(rng, shape, dtype), quantization=given_)]
    out = {"scale": 1 / 128, "zero_point": zero_point}
    check("L2_NORMALIZATION", L2NormOptions(), inputs, [(dtype, shape, out)])


@cases
@given(
    shape=shapes(4, 4, 8), rng=rngs, radius=st.integers(0, 10), bias=st.floats(1, 3, width=32), alpha=scales(-12, 1),
    beta=st.floats(0.25, 2, width=32),
)  # fmt: skip
def test_local_response_normalization(
    shape: Any, rng: Any, radius: int, bias: float, alpha: float, beta: float
) -> None:
    options = LocalResponseNormalizationOptions(radius=radius, bias=bias, alpha=alpha, beta=beta)
    value = random_array(rng, shape, "float32")
    check("LOCAL_RESPONSE_NORMALIZATION", options, [Value(value)], [("float32", shape)], tolerance=1e-6)


@pytest.mark.parametrize("shape", [(2, 0), (0, 3)])
def test_rows_of_nothing(shape: tuple[int, ...]) -> None:
    value = Value(np.zeros(shape, np.float32))
    check("SOFTMAX", SoftmaxOptions(beta=1.0), [value], [("float32", shape)])
    check("LOG_SOFTMAX", LogSoftmaxOptions(), [value], [("float32", shape)])
    check("L2_NORMALIZATION", L2NormOptions(), [value], [("float32", shape)])


def test_log_softmax_of_scalars() -> None:
    """LiteRT reads the last dimension of none, and returns another value every time; the logarithm of 1 is 0."""
    scalar = {"shape": (), "dtype": "float32"}
    model = tflite2x.Model.build("LOG_SOFTMAX", [scalar], [scalar], LogSoftmaxOptions())
    assert tflite2x.Interpreter(model).run([np.float32(3)]) == [0]

# SPDX-License-Identifier: Apache-2.0
"""Activation functions against LiteRT's reference kernels, quantized ones on all values of the type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import CASES, Value, cases, check, one_operator, random_array, rngs, shapes
from tests.interpreter.quantizations import broadcast_shapes, every, quantizations, scales
from tests.oracle import litert_run
from tflite2x.schema.tables import GeluOptions, HardSwishOptions, LeakyReluOptions

RELUS = ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"]
FLOATS: dict[str, Any] = {
    **dict.fromkeys([*RELUS, "LOGISTIC", "TANH"], lambda: None),
    "HARD_SWISH": HardSwishOptions, "ELU": lambda: None, "GELU": GeluOptions,
}  # fmt: skip
OPTIMIZED = {"ELU": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}  # what BUILTIN_REF lacks


@pytest.mark.parametrize("op", FLOATS)
@cases
@given(shape=shapes(0, 5, 6), rng=rngs)
def test_float(op: str, shape: Any, rng: Any) -> None:
    # ELU, GELU: LiteRT's own approximations are off by a few units in the last place.
    value = random_array(rng, shape, "float32")
    resolver = OPTIMIZED.get(op, "BUILTIN_REF")
    check(op, FLOATS[op](), [Value(value)], [("float32", shape)], tolerance=1e-6, resolver=resolver)


@cases
@given(shape=shapes(0, 5, 6), rng=rngs)
def test_approximate_gelu(shape: Any, rng: Any) -> None:
    value = random_array(rng, (*shape, 2), "float32")
    value[..., 1] = 3  # below zero, 1 + tanh cancels: the error is relative to larger values
    shape = value.shape
    check("GELU", GeluOptions(approximate=True), [Value(value)], [("float32", shape)], tolerance=1e-6)


@pytest.mark.parametrize("op", RELUS)
@cases
@given(data=st.data())
def test_quantized_relu(op: str, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["int8", "uint8", "int16"] if op in ("RELU", "RELU6") else ["int8", "uint8"]))
    source, out = data.draw(quantizations(dtype)), data.draw(quantizations(dtype))
    value = every(dtype)
    check(op, None, [Value(value, quantization=source)], [(dtype, value.shape, out)])


@cases
@given(data=st.data(), alpha=st.floats(-2, 2, width=32) | st.sampled_from([0.0, 0.1, 0.3, 1.0]))
def test_quantized_leaky_relu(data: st.DataObject, alpha: float) -> None:
    dtype = data.draw(st.sampled_from(["int8", "uint8", "int16"]))
    source, out = data.draw(quantizations(dtype)), data.draw(quantizations(dtype))
    value = every(dtype)
    check("LEAKY_RELU", LeakyReluOptions(alpha=alpha), [Value(value, quantization=source)], [(dtype, value.shape, out)])


@cases
@given(shape=shapes(), rng=rngs, alpha=st.floats(0, 1, width=32))
def test_float_leaky_relu(shape: Any, rng: Any, alpha: float) -> None:
    value = random_array(rng, shape, "float32")
    check("LEAKY_RELU", LeakyReluOptions(alpha=alpha), [Value(value)], [("float32", shape)])


@st.composite
def slopes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw the shapes of an input and of an alpha that broadcasts to it."""
    _, alpha, result = draw(broadcast_shapes(4))
    return result, alpha


@cases
@given(shape=slopes(), rng=rngs)
def test_float_prelu(shape: Any, rng: Any) -> None:
    inputs = [Value(random_array(rng, s, "float32")) for s in shape]
    check("PRELU", None, inputs, [("float32", shape[0])])


@cases
@given(data=st.data(), dtype=st.sampled_from(["int8", "uint8"]))
def test_prelu_of_all_pairs(data: st.DataObject, dtype: str) -> None:
    source, alpha, out = (data.draw(quantizations(dtype)) for _ in range(3))
    x = Value(np.repeat(every(dtype)[:, None], 256, 1), quantization=source)
    check("PRELU", None, [x, Value(every(dtype), quantization=alpha)], [(dtype, (256, 256), out)])


@cases
@given(data=st.data(), shape=slopes(), rng=rngs)
def test_int16_prelu(data: st.DataObject, shape: Any, rng: Any) -> None:
    source, out = (data.draw(quantizations("int16")) for _ in range(2))
    alpha = Value(random_array(rng, shape[1], "int8"), quantization=data.draw(quantizations("int8")))
    x = Value(random_array(rng, shape[0], "int16"), quantization=source)
    check("PRELU", None, [x, alpha], [("int16", shape[0], out)])


@cases
@given(data=st.data(), dtype=st.sampled_from(["int8", "uint8"]))
def test_quantized_hard_swish(data: st.DataObject, dtype: str) -> None:
    source, out = data.draw(quantizations(dtype)), data.draw(quantizations(dtype))
    assume(np.float32(1 / 128) * np.float32(source["scale"]) / np.float32(out["scale"]) < 0.999)
    value = every(dtype)
    check("HARD_SWISH", HardSwishOptions(), [Value(value, quantization=source)], [(dtype, value.shape, out)])


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH", "ELU", "GELU"])
@cases
@given(data=st.data(), approximate=st.booleans())
def test_byte_tables(op: str, data: st.DataObject, approximate: bool) -> None:
    dtype = data.draw(st.sampled_from(["int8"] if op == "ELU" else ["int8", "uint8"]))
    source, out = data.draw(quantizations(dtype)), data.draw(quantizations(dtype))
    if op == "LOGISTIC":
        out["scale"] = 1 / 256
    value = every(dtype)
    options = GeluOptions(approximate=approximate) if op == "GELU" else None
    resolver = OPTIMIZED.get(op, "BUILTIN_REF")
    check(op, options, [Value(value, quantization=source)], [(dtype, value.shape, out)], resolver=resolver)


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH"])
@cases
@given(scale=scales(-15, 0) | st.sampled_from([2.0**-12, 2.0**-11]))
def test_int16_logistic_and_tanh(op: str, scale: float) -> None:
    value = every("int16")
    out = {"scale": 2.0**-15, "zero_point": 0}
    source = {"scale": scale, "zero_point": 0}
    check(op, None, [Value(value, quantization=source)], [("int16", value.shape, out)])


@cases
@given(scale=scales(-14, -6), out=scales(-14, -6), approximate=st.booleans())
def test_int16_gelu(scale: float, out: float, approximate: bool) -> None:
    value = Value(every("int16"), quantization={"scale": scale, "zero_point": 0})
    output = ("int16", value.array.shape, {"scale": out, "zero_point": 0})
    model = one_operator("GELU", GeluOptions(approximate=approximate), [value], [output])
    expected = litert_run(tflite2x.dumps(model), [value.array])[0].astype(int)
    difference = np.abs(tflite2x.Interpreter(model).run([value.array])[0] - expected)
    # Where the C library's erfcf is one unit in the last place off, so is one of the 513 values of the table.
    assert np.max(difference) <= 1
    assert np.mean(difference) < 0.01
    CASES["GELU"] += 1

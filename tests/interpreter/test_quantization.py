# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE, DEQUANTIZE, FAKE_QUANT and CAST against LiteRT's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import CASES, Value, cases, check, one_operator, random_array, rngs, shapes
from tests.interpreter.quantizations import every, quantizations, scales, special_floats
from tests.oracle import litert_run
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import CastOptions, DequantizeOptions, FakeQuantOptions, QuantizeOptions

REQUANTIZE = [
    ("int8", "int8"), ("int8", "uint8"), ("int8", "int16"), ("uint8", "int8"), ("uint8", "uint8"), ("uint8", "int16"),
    ("int16", "int8"), ("int16", "int16"), ("int16", "int32"), ("int32", "int8"), ("int32", "int16"),
]  # fmt: skip


def quantization(data: st.DataObject, dtype: str, low: int = -12, high: int = 1) -> dict[str, Any]:
    if dtype in ("int32", "int4"):
        return {"scale": data.draw(scales(low, high)), "zero_point": data.draw(st.integers(-8, 7))}
    return data.draw(quantizations(dtype, low, high))


@pytest.mark.parametrize(("source", "target"), REQUANTIZE)
@cases
@given(data=st.data(), rng=rngs, same=st.booleans())
def test_requantize(source: str, target: str, data: st.DataObject, rng: Any, same: bool) -> None:
    a, b = quantization(data, source), quantization(data, target)
    if same:
        b["scale"] = a["scale"]
    value = every(source) if source != "int32" else random_array(rng, (2000,), source) >> rng.integers(0, 24, 2000)
    if source == "int32":
        value = value.astype(np.int32)
        # Beyond int32, the left shift of the C++ is undefined.
        assume(a["scale"] / b["scale"] * 2.0**31 < 2.0**31)
    check("QUANTIZE", QuantizeOptions(), [Value(value, quantization=a)], [(target, value.shape, b)])


@pytest.mark.parametrize("target", ["int8", "uint8", "int16"])
@cases
@given(data=st.data(), shape=shapes(0, 4, 6), rng=rngs, ties=st.booleans())
def test_quantize(target: str, data: st.DataObject, shape: Any, rng: Any, ties: bool) -> None:
    out = quantization(data, target)
    value = random_array(rng, shape, "float32")
    if ties:
        value = np.asarray(np.rint(value * 2) / 2 * np.float32(out["scale"]), np.float32)
    check("QUANTIZE", QuantizeOptions(), [Value(value)], [(target, shape, out)])


@pytest.mark.parametrize("target", ["int8", "uint8", "int16"])
@cases
@given(data=st.data(), shape=shapes(1, 4, 6), rng=rngs)
def test_quantize_huge_numbers(target: str, data: st.DataObject, shape: Any, rng: Any) -> None:
    value = special_floats(rng, shape, 0.5)
    check("QUANTIZE", QuantizeOptions(), [Value(value)], [(target, shape, quantization(data, target))])


@pytest.mark.parametrize("target", ["int8", "uint8", "int16"])
@cases
@given(data=st.data(), shape=shapes(1, 4, 5), rng=rngs)
def test_quantize_per_channel(target: str, data: st.DataObject, shape: Any, rng: Any) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    count = shape[axis]
    assume(count > 1)
    parts = [quantization(data, target) for _ in range(count)]
    out = {name: [p[name] for p in parts] for name in ("scale", "zero_point")} | {"quantized_dimension": axis}
    value = random_array(rng, shape, "float32")
    check("QUANTIZE", QuantizeOptions(), [Value(value)], [(target, shape, out)])


@pytest.mark.parametrize("source", ["int8", "uint8", "int16"])
@cases
@given(data=st.data(), constant=st.booleans())
def test_dequantize(source: str, data: st.DataObject, constant: bool) -> None:
    value = every(source)
    inputs = [Value(value, constant, quantization=quantization(data, source, -30, 10))]
    check("DEQUANTIZE", DequantizeOptions(), inputs, [("float32", value.shape)])


@pytest.mark.parametrize("source", ["int8", "uint8", "int4"])
@cases
@given(data=st.data(), shape=shapes(1, 4, 5), rng=rngs, per_channel=st.booleans())
def test_dequantize_constants(source: str, data: st.DataObject, shape: Any, rng: Any, per_channel: bool) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    per_channel = per_channel and shape[axis] > 1
    parts = [quantization(data, source, -20, 5) for _ in range(shape[axis] if per_channel else 1)]
    q: dict[str, Any] = {name: [p[name] for p in parts] for name in ("scale", "zero_point")}
    if per_channel:
        q["quantized_dimension"] = axis
    value = random_array(rng, shape, "int8" if source == "int4" else source)
    if source == "int4":
        value = (value >> 4).astype(np.int8)
    inputs = [Value(value, True, quantization=q, type=source)]
    check("DEQUANTIZE", DequantizeOptions(), inputs, [("float32", shape)])


@pytest.mark.parametrize("dtype", ["int4", "uint4"])
@cases
@given(shape=shapes(), rng=rngs, scale=scales(-4, 1), zero_point=st.integers(0, 7))
def test_there_and_back_through_four_bits(dtype: str, shape: Any, rng: Any, scale: float, zero_point: int) -> None:
    model = tflite2x.Model.new()
    graph = model.main
    x, y = graph.add_input("x", shape, "float32"), graph.add_tensor("y", shape, "float32")
    q = graph.add_tensor("q", shape, dtype, scale=scale, zero_point=zero_point)
    graph.add_operator("QUANTIZE", [x], [q], QuantizeOptions())
    graph.add_operator("DEQUANTIZE", [q], [y], DequantizeOptions())
    graph.set_outputs([y])
    value = random_array(rng, shape, "float32")
    np.testing.assert_array_equal(
        tflite2x.Interpreter(model).run([value])[0], litert_run(tflite2x.dumps(model), [value])[0]
    )
    CASES["QUANTIZE"] += 1


@pytest.mark.parametrize(("dtype", "low", "high"), [("int4", -8, 7), ("uint4", 0, 15), ("int2", -2, 1)])
@cases
@given(shape=shapes(), rng=rngs)
def test_narrow_constants_to_float(dtype: str, low: int, high: int, shape: Any, rng: Any) -> None:
    value = rng.integers(low, high, shape, endpoint=True).astype(np.uint8 if dtype == "uint4" else np.int8)
    quantization = {"scale": 0.3, "zero_point": 0}
    check("DEQUANTIZE", DequantizeOptions(), [Value(value, True, quantization=quantization, type=dtype)],
          [("float32", shape)])  # fmt: skip
    check("CAST", CastOptions(), [Value(value, True, type=dtype)], [("float32", shape)])


@cases
@given(shape=shapes(), rng=rngs, constant=st.booleans())
def test_dequantize_float16(shape: Any, rng: Any, constant: bool) -> None:
    value = random_array(rng, shape, "float16")
    check("DEQUANTIZE", DequantizeOptions(), [Value(value, constant)], [("float32", shape)])


@cases
@given(
    shape=shapes(), rng=rngs, low=st.floats(-20, 0, width=32), high=st.floats(0.125, 20, width=32),
    bits=st.integers(2, 16),
)  # fmt: skip
def test_fake_quant(shape: Any, rng: Any, low: float, high: float, bits: int) -> None:
    value = random_array(rng, shape, "float32")
    options = FakeQuantOptions(min=low, max=high, num_bits=bits)
    check("FAKE_QUANT", options, [Value(value)], [("float32", shape)])


NUMBERS = [
    "float32", "float16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool",
    "complex64",
]  # fmt: skip


@pytest.mark.parametrize("source", NUMBERS)
@cases
@given(target=st.sampled_from(NUMBERS), shape=shapes(), rng=rngs)
def test_cast(source: str, target: str, shape: Any, rng: Any) -> None:
    if source == "complex64":
        value = (random_array(rng, shape, "float32") + 1j * random_array(rng, shape, "float32")).astype(source)
    else:
        value = random_array(rng, shape, source)
    check("CAST", CastOptions(), [Value(np.asarray(value))], [(target, shape)])


@pytest.mark.parametrize("source", ["float32", "float64"])
@cases
@given(target=st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool"]), rng=rngs)
def test_cast_of_huge_numbers(source: str, target: str, rng: Any) -> None:
    value = special_floats(rng, (40,), 0.3).astype(source)
    value[:2] = np.nan, -np.nan
    check("CAST", CastOptions(), [Value(value)], [(target, (40,))])


def test_quantize_of_nan_is_refused() -> None:
    value = Value(np.float32([1, np.nan]))
    model = one_operator("QUANTIZE", QuantizeOptions(), [value], [("int8", (2,), {"scale": 0.1, "zero_point": 3})])
    with pytest.raises(ExecutionError, match="NaN"):
        tflite2x.Interpreter(model).run([value.array])

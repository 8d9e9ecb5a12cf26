# SPDX-License-Identifier: Apache-2.0
"""ADD, SUB, MUL, DIV and the other functions of two numbers against LiteRT's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes
from tests.interpreter.quantizations import all_pairs, broadcast_shapes, quantizations, special_floats
from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.schema.enums import ActivationFunctionType as Activation
from tflite2x.schema.tables import (
    AddNOptions,
    AddOptions,
    ATan2Options,
    BitcastOptions,
    BitwiseXorOptions,
    DivOptions,
    FloorDivOptions,
    FloorModOptions,
    MaximumMinimumOptions,
    MulOptions,
    PowOptions,
    RightShiftOptions,
    SquaredDifferenceOptions,
    SubOptions,
)

OPTIONS: dict[str, Any] = {"ADD": AddOptions, "SUB": SubOptions, "MUL": MulOptions, "DIV": DivOptions}
activations = st.sampled_from([Activation.NONE, Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1])
bytes_ = st.sampled_from(["int8", "uint8"])


def possible(op: str, dtype: str, a: float, b: float, out: float) -> bool:
    """Whether LiteRT does not abort on these scales."""
    if op == "ADD":
        return 2 * max(a, b) / (2.0 ** (15 if dtype == "int16" else 20) * out) < 1
    return True


@pytest.mark.parametrize("op", ["ADD", "SUB", "MUL", "DIV"])
@cases
@given(data=st.data(), dtype=bytes_, activation=activations, constant=st.booleans())
def test_all_pairs_of_bytes(op: str, data: st.DataObject, dtype: str, activation: Activation, constant: bool) -> None:
    a, b, out = (data.draw(quantizations(dtype)) for _ in range(3))
    assume(possible(op, dtype, a["scale"], b["scale"], out["scale"]))
    inputs = all_pairs(dtype, a, b, constant)
    shape = (256, 256)
    if op == "DIV":  # every divisor but zero
        divisors = inputs[1].array
        inputs[1].array = divisors[divisors != b["zero_point"]]
        shape = (256, 255)
    check(op, OPTIONS[op](fused_activation_function=activation), inputs, [(dtype, shape, out)])


@pytest.mark.parametrize("op", ["ADD", "SUB", "MUL", "DIV"])
@cases
@given(data=st.data(), shape=broadcast_shapes(), rng=rngs, activation=activations)
def test_quantized_broadcast(op: str, data: st.DataObject, shape: Any, rng: Any, activation: Activation) -> None:
    dtype = data.draw(st.sampled_from(["int8", "uint8", "int16"]))
    a, b, out = (data.draw(quantizations(dtype, -14, 2)) for _ in range(3))
    assume(possible(op, dtype, a["scale"], b["scale"], out["scale"]))
    options = OPTIONS[op](fused_activation_function=activation)
    if hasattr(options, "pot_scale_int16"):
        options.pot_scale_int16 = False
    second = random_array(rng, shape[1], dtype)
    if op == "DIV":
        second = np.where(second == b["zero_point"], second ^ 1, second).astype(dtype)
    inputs = [Value(random_array(rng, shape[0], dtype), quantization=a), Value(second, quantization=b)]
    check(op, options, inputs, [(dtype, shape[2], out)])


@pytest.mark.parametrize("op", ["ADD", "SUB"])
@cases
@given(
    shape=broadcast_shapes(), rng=rngs, exponent=st.integers(-15, 0), shift=st.integers(0, 8), first=st.booleans(),
    activation=activations,
)  # fmt: skip
def test_int16_with_power_of_two_scales(
    op: str, shape: Any, rng: Any, exponent: int, shift: int, first: bool, activation: Activation
) -> None:
    if op == "ADD":  # LiteRT reads beyond the smaller input where this path broadcasts
        shape = (shape[2], shape[2], shape[2])
    fine, coarse = 2.0 ** (exponent - shift), 2.0**exponent
    a, b = (coarse, fine) if first else (fine, coarse)
    inputs = [
        Value(random_array(rng, s, "int16"), quantization={"scale": q, "zero_point": 0})
        for s, q in ((shape[0], a), (shape[1], b))
    ]
    out = {"scale": coarse, "zero_point": 0}
    check(op, OPTIONS[op](fused_activation_function=activation), inputs, [("int16", shape[2], out)])


@pytest.mark.parametrize("op", ["ADD", "SUB", "MUL", "DIV"])
@cases
@given(shape=broadcast_shapes(), rng=rngs, activation=activations)
def test_float(op: str, shape: Any, rng: Any, activation: Activation) -> None:
    inputs = [Value(special_floats(rng, shape[0])), Value(special_floats(rng, shape[1]))]
    check(op, OPTIONS[op](fused_activation_function=activation), inputs, [("float32", shape[2])])


@pytest.mark.parametrize(
    ("op", "dtype"),
    [
        ("ADD", "int32"), ("ADD", "int64"), ("ADD", "int16"), ("SUB", "int32"), ("SUB", "int64"), ("MUL", "int32"),
        ("MUL", "int64"), ("MUL", "int16"), ("MUL", "uint32"), ("DIV", "int32"),
    ],
)  # fmt: skip
@cases
@given(shape=broadcast_shapes(), rng=rngs, activation=activations, small=st.booleans())
def test_plain_integers(op: str, dtype: str, shape: Any, rng: Any, activation: Activation, small: bool) -> None:
    if dtype == "uint32":
        activation = Activation.NONE
    arrays = [random_array(rng, s, dtype) for s in shape[:2]]
    if small:
        arrays = [(a % 10 - (0 if dtype == "uint32" else 5)).astype(dtype) for a in arrays]
    if op == "DIV":
        arrays[1] = np.where(arrays[1] == 0, 3, arrays[1]).astype(dtype)
        arrays[0] = np.maximum(arrays[0], np.iinfo(dtype).min + 1)  # lowest / -1 traps
    check(op, OPTIONS[op](fused_activation_function=activation), [Value(a) for a in arrays], [(dtype, shape[2])])


@cases
@given(data=st.data(), shape=shapes(), rng=rngs, dtype=bytes_)
def test_mul_of_int16_to_bytes(data: st.DataObject, shape: Any, rng: Any, dtype: str) -> None:
    plain = {"scale": 2.0**-15, "zero_point": 0}
    inputs = [Value(random_array(rng, shape, "int16"), quantization=plain) for _ in range(2)]
    check("MUL", MulOptions(), inputs, [(dtype, shape, data.draw(quantizations(dtype)))])


@cases
@given(shape=broadcast_shapes(), rng=rngs)
def test_mul_of_complex_numbers(shape: Any, rng: Any) -> None:
    arrays = [(rng.standard_normal(s) + 1j * rng.standard_normal(s)).astype(np.complex64) for s in shape[:2]]
    check("MUL", MulOptions(), [Value(np.asarray(a)) for a in arrays], [("complex64", shape[2])])


@pytest.mark.parametrize("op", ["MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int16", "int32", "int64"])
@cases
@given(shape=broadcast_shapes(), rng=rngs)
def test_maximum_minimum(op: str, dtype: str, shape: Any, rng: Any) -> None:
    arrays = [random_array(rng, s, dtype) for s in shape[:2]]
    if dtype == "float32":
        arrays = [np.where(rng.random(a.shape) < 0.2, np.float32("nan"), a) for a in arrays]
    check(op, MaximumMinimumOptions(), [Value(np.asarray(a)) for a in arrays], [(dtype, shape[2])])


@cases
@given(data=st.data(), constant=st.booleans())
def test_squared_difference_of_all_pairs(data: st.DataObject, constant: bool) -> None:
    a, b, out = (data.draw(quantizations("int8")) for _ in range(3))
    assume((2 * max(a["scale"], b["scale"])) ** 2 / (2.0**14 * out["scale"]) < 1)
    check(
        "SQUARED_DIFFERENCE", SquaredDifferenceOptions(), all_pairs("int8", a, b, constant), [("int8", (256, 256), out)]
    )


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@cases
@given(shape=broadcast_shapes(), rng=rngs)
def test_squared_difference(dtype: str, shape: Any, rng: Any) -> None:
    arrays = [random_array(rng, s, dtype) for s in shape[:2]]
    check("SQUARED_DIFFERENCE", SquaredDifferenceOptions(), [Value(a) for a in arrays], [(dtype, shape[2])])


@pytest.mark.parametrize(
    ("op", "dtype"),
    [
        ("FLOOR_DIV", "float32"), ("FLOOR_DIV", "int8"), ("FLOOR_DIV", "int16"), ("FLOOR_DIV", "int32"),
        ("FLOOR_MOD", "float32"), ("FLOOR_MOD", "int8"), ("FLOOR_MOD", "int16"), ("FLOOR_MOD", "int32"),
        ("FLOOR_MOD", "int64"),
    ],
)  # fmt: skip
@cases
@given(shape=broadcast_shapes(), rng=rngs)
def test_floor(op: str, dtype: str, shape: Any, rng: Any) -> None:
    a, b = (random_array(rng, s, dtype) for s in shape[:2])
    if rng.random() < 0.5 and dtype != "float32":
        b = (b % 11 - 5).astype(dtype)
    b = np.where(b == 0, 3, b).astype(dtype)
    if op == "FLOOR_MOD" and dtype != "float32":
        a = np.maximum(a, np.iinfo(dtype).min + 1)  # lowest % -1 traps
    options = FloorDivOptions() if op == "FLOOR_DIV" else FloorModOptions()
    check(op, options, [Value(a), Value(b)], [(dtype, shape[2])])


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@cases
@given(shape=broadcast_shapes(), rng=rngs)
def test_pow(dtype: str, shape: Any, rng: Any) -> None:
    a, b = (random_array(rng, s, dtype) for s in shape[:2])
    if dtype == "int32":
        a, b = (a % 41 - 20).astype(dtype), (b % 12).astype(dtype)
    else:
        a, b = np.abs(np.clip(a, -20, 20)), np.clip(b, -4, 4)
        b = np.where(rng.random(b.shape) < 0.3, np.rint(b), b)
    check("POW", PowOptions(), [Value(np.asarray(a)), Value(np.asarray(b))], [(dtype, shape[2])], tolerance=1e-6)


@cases
@given(shape=shapes(), rng=rngs)
def test_atan2(shape: Any, rng: Any) -> None:
    inputs = [Value(special_floats(rng, shape)) for _ in range(2)]
    check("ATAN2", ATan2Options(), inputs, [("float32", shape)], tolerance=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@cases
@given(shape=shapes(), rng=rngs, number=st.integers(2, 6))
def test_add_n(dtype: str, shape: Any, rng: Any, number: int) -> None:
    check("ADD_N", AddNOptions(), [Value(random_array(rng, shape, dtype)) for _ in range(number)], [(dtype, shape)])


@pytest.mark.parametrize("op", ["RIGHT_SHIFT", "BITWISE_XOR"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
@cases
@given(shape=broadcast_shapes(), rng=rngs, small=st.booleans())
def test_bits(op: str, dtype: str, shape: Any, rng: Any, small: bool) -> None:
    a, b = (random_array(rng, s, dtype) for s in shape[:2])
    if small:
        b = (b % 40).astype(dtype)
    options = RightShiftOptions() if op == "RIGHT_SHIFT" else BitwiseXorOptions()
    check(op, options, [Value(a), Value(b)], [(dtype, shape[2])])


@cases
@given(
    shape=shapes(1, 4), rng=rngs, source=st.sampled_from(["int8", "int16", "int32", "float32", "int64"]), data=st.data()
)
def test_bitcast(shape: Any, rng: Any, source: str, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(["uint8", "uint16", "uint32", "int32", "float64"]))
    ratio = np.dtype(target).itemsize / np.dtype(source).itemsize
    if ratio > 1:
        shape, result = (*shape, int(ratio)), shape
    else:
        result = shape if ratio == 1 else (*shape, int(1 / ratio))
    value = random_array(rng, shape, source)
    check("BITCAST", BitcastOptions(), [Value(value)], [(target, result)])


def test_quantized_division_by_zero_is_refused() -> None:
    q = {"scale": 0.1, "zero_point": 3}
    inputs = [Value(np.int8([[1, 2]]), quantization=q), Value(np.int8([[4, 3]]), quantization=q)]
    model = one_operator("DIV", DivOptions(), inputs, [("int8", (1, 2), q)])
    with pytest.raises(ExecutionError, match="division by zero"):
        tflite2x.Interpreter(model).run([v.array for v in inputs])


def test_quantized_addition_without_scales_is_refused() -> None:
    inputs = [Value(np.int8([1])), Value(np.int8([4]))]
    model = one_operator("ADD", AddOptions(), inputs, [("int8", (1,))])
    with pytest.raises(UnsupportedError, match="per-tensor"):
        tflite2x.Interpreter(model).run([v.array for v in inputs])


def test_atan2_does_not_broadcast() -> None:
    """LiteRT would pair the elements as they come in memory."""
    arrays = [np.ones((2, 1), np.float32), np.ones((2, 3), np.float32)]
    model = tflite2x.Model.build("ATAN2", arrays, [{"shape": (2, 3), "dtype": "float32"}])
    with pytest.raises(ExecutionError, match="must have one shape"):
        tflite2x.Interpreter(model).run([])

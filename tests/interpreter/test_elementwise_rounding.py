# SPDX-License-Identifier: Apache-2.0
"""Where TFLite Micro's elementwise arithmetic differs from LiteRT's, and the helpers of both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.interpreter.one_operator import Value, one_operator
from tests.interpreter.quantizations import all_pairs, every
from tflite2x.interpreter import gemmlowp, lookup
from tflite2x.interpreter.blocks import in_blocks
from tflite2x.interpreter.elementwise import scaler
from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize
from tflite2x.schema.tables import MulOptions

OUTPUTS = {"LOGISTIC": {"scale": 1 / 256, "zero_point": -128}, "TANH": {"scale": 1 / 128, "zero_point": 0}}

# Operator, scale, zero point, input, result of gemmlowp's C++ (fixedpoint.h, compiled), result of LiteRT's table.
MICRO = [
    ("LOGISTIC", "0x1.1ab6b4p-5", 62, 42, -43, -42),
    ("LOGISTIC", "0x1p-7", -128, -127, 1, 0),
    ("LOGISTIC", "0x1p-7", 127, 126, -1, 0),
    ("LOGISTIC", "0x1p-8", -128, -126, 1, 0),
    ("TANH", "0x1p-8", -128, -127, 1, 0),
    ("TANH", "0x1p-8", 5, 4, -1, 0),
    ("TANH", "0x1p-9", 0, -2, -1, 0),
]


@pytest.mark.parametrize(("op", "scale", "zero_point", "x", "micro", "litert"), MICRO)
def test_logistic_and_tanh(op: str, scale: str, zero_point: int, x: int, micro: int, litert: int) -> None:
    value = Value(np.int8([x]), quantization={"scale": float.fromhex(scale), "zero_point": zero_point})
    model = one_operator(op, None, [value], [("int8", (1,), OUTPUTS[op])])
    assert tflite2x.Interpreter(model, rounding="double").run([value.array])[0].tolist() == [micro]
    assert tflite2x.Interpreter(model, rounding="single").run([value.array])[0].tolist() == [litert]


def test_micro_stays_within_one_of_litert() -> None:
    for op, out in OUTPUTS.items():
        value = Value(every("int8"), quantization={"scale": 0.05, "zero_point": -7})
        model = one_operator(op, None, [value], [("int8", (256,), out)])
        single, double = (tflite2x.Interpreter(model, rounding=r).run([value.array])[0] for r in ("single", "double"))
        assert np.max(np.abs(single.astype(int) - double)) <= 1


def test_mul_takes_the_product_of_scales_in_float64() -> None:
    a, b = np.float32(0.1), np.float32(0.1)
    real64 = float(a) * float(b)
    real32 = float(a * b)
    assert real64 != real32
    out = float(np.float32(real64 * 30))
    inputs = all_pairs("int8", {"scale": float(a), "zero_point": 0}, {"scale": float(b), "zero_point": 0})
    model = one_operator("MUL", MulOptions(), inputs, [("int8", (256, 256), {"scale": out, "zero_point": 0})])
    x, y = (v.array.astype(np.int64) for v in inputs)
    for rounding, real in (("double", real64 / out), ("single", float(a * b / np.float32(out)))):
        mantissa, shift = quantize_multiplier(real, "double")
        expected = np.clip(requantize(x * y, mantissa, shift, "double"), -128, 127)
        got = tflite2x.Interpreter(model, rounding=rounding).run([v.array for v in inputs])[0]
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("exponent", range(-20, 12))
def test_scaler_is_requantization_with_two_roundings(exponent: int) -> None:
    rng = np.random.default_rng(exponent + 20)
    x = rng.integers(-(2**31), 2**31, 20000)
    for factor in (1.0, 1 + 2**-23, 1 - 2**-24, rng.uniform(1, 2)):
        mantissa, shift = quantize_multiplier(factor * 2.0**exponent, "double")
        shifted = x >> max(0, int(shift))  # what leaves int32 is undefined
        expected = requantize(shifted, mantissa, shift, "double")
        np.testing.assert_array_equal(scaler(factor * 2.0**exponent)(shifted), expected)


def test_fixed_point_functions_are_close_to_real_ones() -> None:
    x = -np.arange(0, 2**31, 7_654_321)
    unit = 2.0**-31
    np.testing.assert_allclose(gemmlowp.exp_on_negative_values(x, 5) * unit, np.exp(x * unit * 32), rtol=0, atol=1e-7)
    y = np.arange(-(2**31) + 1, 2**31, 7_654_321)
    np.testing.assert_allclose(gemmlowp.logistic(y, 4) * unit, 1 / (1 + np.exp(-y * unit * 16)), rtol=0, atol=1e-7)
    np.testing.assert_allclose(gemmlowp.tanh(y, 4) * unit, np.tanh(y * unit * 16), rtol=0, atol=2e-7)
    numbers = np.arange(1, 2**31 - 1, 9_876_543)
    mantissa, shift = gemmlowp.inverse_sqrt(numbers)
    np.testing.assert_allclose(mantissa * unit * 2.0**shift, 1 / np.sqrt(numbers), rtol=1e-5)
    large = np.arange(1 << 19, 2**31 - 1, 9_876_543)
    logarithm = gemmlowp.log_of_at_least_one(large, 12, 5) * unit * 32
    np.testing.assert_allclose(logarithm, np.log(large * unit * 4096), rtol=0, atol=1e-5)
    fraction, bits = gemmlowp.reciprocal(numbers, 31)
    np.testing.assert_allclose(fraction * unit * 2.0**-bits, 1 / numbers, rtol=1e-6)


def test_leading_zeros() -> None:
    values = [0, 1, 2, 3, 255, 256, 2**30, 2**31 - 1, -1]
    assert gemmlowp.count_leading_zeros(values).tolist() == [32, 31, 30, 30, 24, 23, 1, 1, 0]


@pytest.mark.parametrize(
    "shape", [(200, 1000), (1, 300000), (7, 3, 100000), (300000, 2), (2, 150000, 1), (70000, 3, 1)]
)
def test_blocks_make_no_difference(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    other = rng.standard_normal((1, *shape[1:]))
    last = rng.standard_normal(shape[-1:])

    def function(a: Any, b: Any, c: Any) -> Any:
        return a * b + c

    blocked = in_blocks(function, np.float64)
    np.testing.assert_array_equal(blocked(x, other, last.reshape((1,) * (len(shape) - 1) + (-1,))), x * other + last)
    np.testing.assert_array_equal(blocked(x, x, x), x * x + x)
    np.testing.assert_array_equal(blocked(x.T, x.T, x.T), (x * x + x).T)


@pytest.mark.parametrize(
    ("first", "second"), [("int8", "int8"), ("uint8", "uint8"), ("int8", "uint8"), ("int16", "int8")]
)
def test_tables_of_pairs_equal_the_formula(first: str, second: str) -> None:
    def formula(a: Any, b: Any) -> Any:
        return np.clip((a * b) >> 3, -30000, 30000)

    rng = np.random.default_rng(0)
    run = lookup.binary(formula, first, np.int16, second)
    for _ in range(3):  # the first calls compute, the later ones look up
        a = rng.choice(every(first), (30, 1, 40))
        b = rng.choice(every(second), (1, 20, 40))
        np.testing.assert_array_equal(run(a, b), formula(a.astype(np.int64), b.astype(np.int64)))


def test_sigmoid_table_is_close_to_the_function() -> None:
    table = lookup.sigmoid_table()
    expected = [65536 / (1 + math.exp(-i / 24)) for i in range(256)]
    assert (table[0], table[-1]) == (32768, 65535)
    assert np.max(np.abs(table - expected)) < 1.2

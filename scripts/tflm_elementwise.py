# SPDX-License-Identifier: Apache-2.0
"""Elementwise operators, for comparing with TFLite Micro."""

from __future__ import annotations

from typing import Any

import numpy as np
from tflm_case import ACTIVATIONS, Array, Maker, kind, kinds

from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize
from tflite2x.ir import Tensor
from tflite2x.schema import tables

_BINARY: dict[str, Any] = {
    "ADD": tables.AddOptions,
    "SUB": tables.SubOptions,
    "MUL": tables.MulOptions,
    "SQUARED_DIFFERENCE": tables.SquaredDifferenceOptions,
}
_COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
_TYPES = ("int8", "int16")


def _every(dtype: str) -> Array:
    """Return all values of int8; of int16 a random part is enough."""
    return np.arange(-128, 128).astype(np.int8) if dtype == "int8" else np.arange(-32768, 32768, 17).astype(np.int16)


def _unary_input(make: Maker, dtype: str, low: float = 1e-3, high: float = 0.5) -> Tensor:
    if dtype not in _TYPES:
        return make.input(make.shape(1, 4), dtype)
    if dtype == "int16" and make.rng.random() < 0.9:
        return make.input((make.size(1, 200),), dtype, **make.quantization(dtype, low, high))
    return make.given([_every(dtype)] * 2, **make.quantization(dtype, low, high))


def _pair(make: Maker, dtype: str, q: tuple[dict[str, Any], dict[str, Any]]) -> list[Tensor]:
    """Return two inputs: the same shape, one that broadcasts, or all pairs of int8 values."""
    shape = make.shape(1, 4)
    other = tuple(1 if make.rng.random() < 0.4 else n for n in shape) if make.rng.random() < 0.5 else shape
    if dtype == "int8" and make.rng.random() < 0.1:
        every = _every(dtype)
        return [make.given([every.reshape(256, 1)] * 2, **q[0]), make.given([every.reshape(1, 256)] * 2, **q[1])]
    first = make.input(shape, dtype, **q[0])
    if make.rng.random() < 0.3:
        return [first, make.constant("c", make.values(other, dtype), **q[1])]
    return [first, make.input(other, dtype, **q[1])]


@kind(*(name for op in ("ADD", "SUB", "MUL") for name in kinds(op, *_TYPES, "int32")))
@kind("SQUARED_DIFFERENCE int8", "SQUARED_DIFFERENCE int16", "SQUARED_DIFFERENCE int32")
def arithmetic(make: Maker, op: str, dtype: str) -> None:
    low, high = (1e-3, 0.5) if dtype == "int8" else (1e-5, 1e-2)
    q = make.quantization(dtype, low, high), make.quantization(dtype, low, high)
    if dtype in _TYPES and make.rng.random() < 0.2:
        q[1]["scale"] = q[0]["scale"]
    a, b = _pair(make, dtype, q)
    out = make.quantization(dtype, low, high)
    if dtype in _TYPES and op in ("MUL", "SQUARED_DIFFERENCE"):
        steps = 60 if dtype == "int8" else 15000
        product = q[0]["scale"] * (q[1]["scale"] if op == "MUL" else q[0]["scale"])
        out["scale"] = make.scale(product * steps * 0.1, product * steps * 4)
    options = _BINARY[op]()
    if op != "SQUARED_DIFFERENCE":
        options.fused_activation_function = make.one_of(*ACTIVATIONS)
    if hasattr(options, "pot_scale_int16"):
        options.pot_scale_int16 = bool(make.rng.integers(2))
        if dtype == "int16" and make.rng.random() < 0.2:
            assert a.quantization is not None
            assert b.quantization is not None
            for quantization in (a.quantization, b.quantization):
                quantization.scale[:] = 2.0 ** make.size(-14, -8)
            out["scale"] = 2.0 ** make.size(-14, -8)
    make.operator(op, [a, b], [make.output(dtype, **out)], options)


@kind("MUL int8 ties", "PRELU int8 ties")
def close_products(make: Maker, op: str, dtype: str, _: str) -> None:
    """Take factors whose product a multiplier that is rounded to float32 first rounds to another integer."""
    magnitudes = np.arange(1, 128)
    products, first = np.unique(-np.multiply.outer(magnitudes, magnitudes), return_index=True)
    while True:
        a, b, out = (np.float32(make.scale(low, high)) for low, high in ((1e-3, 0.5), (1e-3, 0.5), (1e-3, 1.0)))
        wide = requantize(products, *quantize_multiplier(float(a) * float(b) / float(out)), "double")
        narrow = requantize(products, *quantize_multiplier(float(a * b / out)), "double")
        found = np.flatnonzero((wide != narrow) & (wide > -127))
        if found.size:
            break
    index = first[make.rng.permutation(np.concatenate([found[:40], make.rng.integers(0, products.size, 20)]))]
    left, right = -magnitudes[index // 127].astype(np.int8), magnitudes[index % 127].astype(np.int8)
    if op == "PRELU":
        left, right = left.reshape(1, 1, 1, -1), right.reshape(1, 1, -1)
        inputs = [make.given([left] * 2, scale=float(a)), make.constant("alpha", right, scale=float(b))]
    else:
        inputs = [make.given([left] * 2, scale=float(a)), make.given([right] * 2, scale=float(b))]
    options = tables.MulOptions() if op == "MUL" else None
    make.operator(op, inputs, [make.output(dtype, scale=float(out))], options)


@kind("DIV int8")
def division(make: Maker, op: str, dtype: str) -> None:
    shape, q = make.shape(1, 4), {"scale": make.scale(), "zero_point": -128}
    a = make.input(shape, dtype, **make.quantization(dtype))
    b = make.input(shape, dtype, **q)
    make.at_least(-127)  # TFLite Micro checks for division by zero
    options = tables.DivOptions(fused_activation_function=make.one_of(*ACTIVATIONS))
    make.operator(op, [a, b], [make.output(dtype, **make.quantization(dtype))], options)


@kind(*(f"{op} {dtype}" for op in _COMPARISONS for dtype in ("int8", "int32", "int64", "float32")))
@kind("EQUAL bool", "NOT_EQUAL bool")
def comparison(make: Maker, op: str, dtype: str) -> None:
    q = make.quantization(dtype), make.quantization(dtype)
    if make.rng.random() < 0.3:
        a, b = _pair(make, dtype, q)
    else:  # a third of the elements are equal
        first = make.values(make.shape(1, 4), dtype)
        second = np.where(make.rng.random(first.shape) < 0.33, first, make.values(first.shape, dtype))
        a, b = make.given([first] * 2, **q[0]), make.given([second] * 2, **q[0])
    make.operator(op, [a, b], [make.output("bool")])


@kind(*(f"{op} {dtype}" for op in ("MAXIMUM", "MINIMUM") for dtype in ("int8", "int16", "int32", "int64")))
def ordered(make: Maker, op: str, dtype: str) -> None:
    q = make.quantization(dtype)
    a, b = _pair(make, dtype, (q, q))
    make.operator(op, [a, b], [make.output(dtype, **q)], tables.MaximumMinimumOptions())


@kind("LOGISTIC int8", "LOGISTIC int16", "TANH int8", "TANH int16")
def sigmoid(make: Maker, op: str, dtype: str) -> None:
    if dtype == "int16":
        x = _unary_input(make, dtype, 1e-5, 1e-2)
        y = make.output(dtype, scale=2.0**-15, zero_point=0)
        if make.rng.random() < 0.3:
            assert x.quantization is not None
            x.quantization.scale[:] = 2.0 ** make.size(-14, -9)
    else:
        x = _unary_input(make, dtype, 1e-4, 1.0)
        q = {"scale": 2.0**-8, "zero_point": -128} if op == "LOGISTIC" else {"scale": 2.0**-7, "zero_point": 0}
        y = make.output(dtype, **q)
    make.operator(op, [x], [y])


@kind("RELU int8", "RELU int16", "RELU6 int8", "RELU6 int16", "ELU int8", "HARD_SWISH int8")
@kind("LEAKY_RELU int8", "LEAKY_RELU int16")
@kind("ABS int8", "ABS int16", "RSQRT int8", "RSQRT int16")
def activation(make: Maker, op: str, dtype: str) -> None:
    x = _unary_input(make, dtype)
    options = None
    if op == "RSQRT":
        assert x.quantization is not None
        make.at_least(int(x.quantization.zero_point[0]))
    if op == "LEAKY_RELU":
        options = tables.LeakyReluOptions(alpha=float(make.one_of(0.0, 0.1, 0.2, 0.01, 1.0, -0.5, 1.7)))
    q = make.quantization(dtype)
    if make.rng.random() < 0.3:
        assert x.quantization is not None
        q = {"scale": float(x.quantization.scale[0]), "zero_point": int(x.quantization.zero_point[0])}
    make.operator(op, [x], [make.output(dtype, **q)], options)


@kind("PRELU int8")
def prelu(make: Maker, op: str, dtype: str) -> None:
    shape = (make.size(1, 2), make.size(1, 4), make.size(1, 4), make.size(1, 8))
    x = make.input(shape, dtype, **make.quantization(dtype))
    alpha = make.constant("alpha", make.integers((1, 1, shape[3]), dtype), **make.quantization(dtype, 1e-4, 1e-1))
    make.operator(op, [x, alpha], [make.output(dtype, **make.quantization(dtype))])


@kind(*(f"QUANTIZE {a} {b}" for a in ("float32", "int8", "int16", "int32") for b in _TYPES))
@kind("QUANTIZE uint8 int8", "QUANTIZE int8 uint8", "QUANTIZE int16 int32")
def quantize(make: Maker, op: str, source: str, target: str) -> None:
    q: dict[str, Any] = {} if source == "float32" else {"scale": make.scale(), "zero_point": make.zero_point(source)}
    if source == "uint8":
        q["zero_point"] = make.size(0, 255)
    x = make.input(make.shape(1, 4, 8), source, **q)
    out = {"scale": make.scale(), "zero_point": make.zero_point(target)}
    if target == "uint8":
        out["zero_point"] = make.size(0, 255)
    make.operator(op, [x], [make.output(target, **out)])


@kind("DEQUANTIZE int8", "DEQUANTIZE int16", "DEQUANTIZE uint8")
def dequantize(make: Maker, op: str, dtype: str) -> None:
    q = {"scale": make.scale(), "zero_point": make.size(0, 255) if dtype == "uint8" else make.zero_point(dtype)}
    x = make.input(make.shape(1, 4, 8), dtype, **q)
    make.operator(op, [x], [make.output("float32")])


@kind("SOFTMAX int8 int8", "SOFTMAX int8 int16", "SOFTMAX int16 int16", "LOG_SOFTMAX int8 int8")
def softmax(make: Maker, op: str, source: str, target: str) -> None:
    wide = source == "int16"
    scales = (1e-5, 1e-2) if wide else (1e-4, 1.0)
    x = make.input((*make.shape(0, 3, 3), make.size(1, 40)), source, **make.quantization(source, *scales))
    q: dict[str, Any] = {"scale": 2.0**-8, "zero_point": -128}
    if target == "int16":
        q = {"scale": 2.0**-15, "zero_point": 0} if wide else {"scale": 2.0**-16, "zero_point": -32768}
    if op == "LOG_SOFTMAX":
        make.operator(op, [x], [make.output(target, scale=16 / 256, zero_point=127)])
        return
    options = tables.SoftmaxOptions(beta=float(make.one_of(1.0, 1.0, 0.5, 2.3)))
    make.operator(op, [x], [make.output(target, **q)], options)


@kind("L2_NORMALIZATION int8")
def l2_normalization(make: Maker, op: str, dtype: str) -> None:
    x = make.input((*make.shape(0, 3, 3), make.size(1, 20)), dtype, **make.quantization(dtype))
    make.operator(op, [x], [make.output(dtype, scale=2.0**-7, zero_point=0)], tables.L2NormOptions())

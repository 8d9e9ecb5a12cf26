# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX, LOGISTIC, TANH, the RELU family and conversions as somebody writes them by hand: value by value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.explain.planted import (
    Array,
    NotPossible,
    Plants,
    fixed_multiplier,
    limits,
    rescale,
    rounded,
    scale_of,
    store,
    zero_of,
)
from tests.explain.planted_sums import output_zero

if TYPE_CHECKING:
    from tflite2x.ir import Operator


def input_zero(op: Operator, plants: Plants) -> int:
    zero = zero_of(op.inputs[0])
    if "input zero point forgotten" in plants:
        return 0
    return -zero if "input zero point added" in plants else zero


def high_mul(a: int, b: int) -> int:
    """The doubling high multiplication of gemmlowp."""
    product = a * b
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    return min(abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1), 2**31 - 1)


def divided(x: int, bits: int) -> int:
    """Return x / 2**bits, halves away from zero."""
    half = (1 << bits) >> 1
    return (abs(x) + half >> bits) * (1 if x >= 0 else -1)


def exponential(a: int) -> int:
    """exp(a / 2**26) of negative numbers, in 31 fractional bits (gemmlowp's exp_on_negative_values)."""
    quarter = 1 << 24
    remainder = (a & (quarter - 1)) - quarter
    x = (remainder << 5) + (1 << 28)  # from 26 fractional bits to 31, moved by 1/8
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4 = high_mul(x2, x2)
    polynomial = divided(high_mul(divided(x4, 2) + x3, 715827883) + x2, 1)
    result = 1895147668 + high_mul(1895147668, x + polynomial)
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for bit, factor in enumerate(factors):
        if (remainder - a) & (1 << (24 + bit)):
            result = high_mul(result, factor)
    return 2**31 - 1 if a == 0 else result


def reciprocal(x: int) -> tuple[int, int]:
    """1 / x for x in 12 integer bits: a fraction of 31 bits, and how many bits it lies over the unit."""
    zeros = 32 - x.bit_length()
    half = (x << zeros) >> 1
    guess = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        error = (1 << 29) - high_mul(half, guess)
        step = high_mul(guess, error) * 4
        guess = guess + max(-(2**31), min(2**31 - 1, step))
    return max(-(2**31), min(2**31 - 1, guess * 2)), 12 - zeros


def softmax(op: Operator, values: list[Any], plants: Plants) -> Array:
    """SOFTMAX of int8: gemmlowp's arithmetic, or floats where these are planted; int16 only in floats."""
    x = values[0].astype(np.int64)
    shape = x.shape
    rows = x.reshape(1, -1) if "over everything" in plants else x.reshape(-1, shape[-1])
    scale = 1.0 if "multiplier forgotten" in plants else scale_of(op.inputs[0])
    beta = 1.0 if "beta forgotten" in plants else float(np.float32(op.options.beta))
    zero = output_zero(op, plants)
    floats = plants & {"float softmax", "curve truncated", "one step less than the scale says", "over everything"}
    one = 32768 if op.outputs[0].dtype.name == "INT16" else 256
    if one > 256 and not floats:
        raise NotPossible
    out = np.zeros(rows.shape)
    for r, row in enumerate(rows):
        top = max(int(v) for v in row)
        if floats:
            raised = [math.exp((int(v) - top) * scale * beta) for v in row]
            steps = one - 1 if "one step less than the scale says" in plants else one
            reals = [e / sum(raised) * steps for e in raised]
            whole = [int(v) if "curve truncated" in plants else rounded(v) for v in reals]
        else:
            whole = _fixed_softmax([int(v) - top for v in row], min(beta * scale * 2**26, 2.0**31 - 1))
        out[r] = [store(v + zero, *limits(op), plants, limits(op)) for v in whole]
    return out.reshape(shape)


def _fixed_softmax(differences: list[int], real: float) -> list[int]:
    mantissa, shift = fixed_multiplier(real)
    lowest = -math.floor(31 * 2.0**26 / 2.0**shift)
    raised = [exponential(high_mul(d << shift, mantissa)) if d >= lowest else 0 for d in differences]
    scale, over = reciprocal(sum(divided(e, 12) for e, d in zip(raised, differences, strict=True) if d >= lowest))
    return [divided(high_mul(scale, e), over + 31 - 8) if d >= lowest else 0
            for e, d in zip(raised, differences, strict=True)]  # fmt: skip


def curve(op: Operator, values: list[Any], plants: Plants) -> Array:
    """LOGISTIC and TANH of 8 bits: float32, then rounded."""
    x, zero_x, zero = values[0], input_zero(op, plants), output_zero(op, plants)
    s_x = 1.0 if "multiplier forgotten" in plants else scale_of(op.inputs[0])
    steps = 1 / scale_of(op.outputs[0])
    steps = steps - 1 if "one step less than the scale says" in plants else steps
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        real = s_x * (int(x[index]) - zero_x)
        result = 1 / (1 + math.exp(min(-real, 700.0))) if op.name == "LOGISTIC" else math.tanh(real)
        value = int(result * steps) if "curve truncated" in plants else rounded(float(np.float32(result * steps)))
        out[index] = store(value + zero, *limits(op), plants, limits(op))
    return out


def relu(op: Operator, values: list[Any], plants: Plants) -> Array:
    """RELU and RELU6 as operators of their own, which requantize."""
    x, zero_x, zero = values[0], input_zero(op, plants), output_zero(op, plants)
    real = float(np.float32(scale_of(op.inputs[0])) / np.float32(scale_of(op.outputs[0])))
    styles = {"truncate": "truncate", "floor": "floor", "half to even": "even", "single rounding": "single"}
    style = next((s for p, s in styles.items() if p in plants), "double")
    low, high = limits(op)
    bottom = zero_of(op.outputs[0])
    top = high if op.name == "RELU" else bottom + rounded(float(np.float32(6) / np.float32(scale_of(op.outputs[0]))))
    if "relu at 0" in plants:
        bottom, top = 0, high
    if "relu forgotten" in plants:
        bottom, top = low, high
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = int(x[index]) - zero_x
        scaled = value if "multiplier forgotten" in plants else rescale(value, real, style)
        out[index] = store(scaled + zero, max(low, bottom), min(high, top), plants, limits(op))
    return out


def slope(op: Operator, values: list[Any], plants: Plants) -> Array:
    """LEAKY_RELU and PRELU."""
    prelu = op.name == "PRELU"
    x, zero_x, zero = values[0], input_zero(op, plants), output_zero(op, plants)
    if not prelu and plants & {"slope without its scale", "slope without its zero point"}:
        raise NotPossible
    s_x, s_y = np.float32(scale_of(op.inputs[0])), np.float32(scale_of(op.outputs[0]))
    alphas = np.broadcast_to(values[1], x.shape) if prelu else np.ones(x.shape, np.int64)
    z_a = zero_of(op.inputs[1]) if prelu and "slope without its zero point" not in plants else 0
    s_a = np.float32(scale_of(op.inputs[1])) if prelu else np.float32(op.options.alpha)
    s_a = np.float32(1) if "slope without its scale" in plants else s_a
    above, below = float(s_x / s_y), float(s_x * s_a / s_y)
    styles = {"truncate": "truncate", "floor": "floor", "single rounding": "single"}
    style = next((s for p, s in styles.items() if p in plants), "double")
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = int(x[index]) - zero_x
        sign = int(x[index]) if "sign of the integer" in plants else value
        if sign >= 0 and "slope everywhere" not in plants:
            scaled = rescale(value, above, style)
        elif "slope forgotten" in plants:
            scaled = 0
        else:
            scaled = rescale(value * (int(alphas[index]) - z_a), below, style)
        out[index] = store(scaled + zero, *limits(op), plants, limits(op))
    return out


def requantize(op: Operator, values: list[Any], plants: Plants) -> Array:
    """QUANTIZE from integers to integers."""
    x, zero_x, zero = values[0], input_zero(op, plants), output_zero(op, plants)
    real = scale_of(op.inputs[0]) / scale_of(op.outputs[0])
    styles = {"truncate": "truncate", "floor": "floor", "half to even": "even", "single rounding": "single"}
    style = next((s for p, s in styles.items() if p in plants), "double")
    out = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = int(x[index]) - zero_x
        scaled = value if "multiplier forgotten" in plants else rescale(value, real, style)
        out[index] = store(scaled + zero, *limits(op), plants, limits(op))
    return out


def dequantize(op: Operator, values: list[Any], plants: Plants) -> Array:
    x, zero = values[0], input_zero(op, plants)
    scale = 1.0 if "multiplier forgotten" in plants else scale_of(op.inputs[0])
    out = np.zeros(x.shape, np.float32)
    for index in np.ndindex(x.shape):
        out[index] = np.float32(scale * (int(x[index]) - zero))
    return out

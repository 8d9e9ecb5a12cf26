# SPDX-License-Identifier: Apache-2.0
"""ADD, SUB, MUL, MEAN, PAD, MAX_POOL_2D and CONCATENATION as somebody writes them by hand: loops over integers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.explain.planted import (
    Array,
    NotPossible,
    Plants,
    activation_bounds,
    fixed_multiplier,
    images,
    limits,
    rescale,
    rounded,
    same_padding,
    scale_of,
    store,
    written,
    zero_of,
)

if TYPE_CHECKING:
    from tflite2x.ir import Operator


def output_zero(op: Operator, plants: Plants) -> int:
    zero = zero_of(op.outputs[0])
    if "output zero point forgotten" in plants:
        return 0
    return -zero if "output zero point subtracted" in plants else zero


def input_zeros(op: Operator, plants: Plants) -> tuple[int, int]:
    a, b = zero_of(op.inputs[0]), zero_of(op.inputs[1])
    if "input zero point forgotten" in plants:
        return 0, 0
    if "input zero point added" in plants:
        return -a, -b
    return (a, a) if "first zero point for both" in plants else (a, b)


def add(op: Operator, values: list[Any], plants: Plants) -> Array:
    """ADD and SUB: both inputs shifted left, brought to one scale, added, and scaled back."""
    a, b = np.broadcast_arrays(values[0], values[1])
    z_a, z_b = input_zeros(op, plants)
    s_a, s_b, s_y = scale_of(op.inputs[0]), scale_of(op.inputs[1]), scale_of(op.outputs[0])
    if "scales of the inputs swapped" in plants:
        s_a, s_b = s_b, s_a
    if "first multiplier for both" in plants:
        s_b = s_a
    sign = -1 if op.name == "SUB" else 1
    left = 15 if op.outputs[0].dtype.name == "INT16" else 20
    taken_back = 0 if plants & {"left shift forgotten", "left shift not taken back"} else left
    left = 0 if "left shift forgotten" in plants else left
    twice = 2 * max(s_a, s_b)
    last = twice / ((1 << taken_back) * s_y)
    if "multiplier without output scale" in plants:
        last = twice / (1 << taken_back)
    style = "single" if "single rounding" in plants else "double"
    low, high = activation_bounds(op, plants)
    zero = output_zero(op, plants)
    out = np.zeros(a.shape)
    for index in np.ndindex(a.shape):
        x, y = int(a[index]) - z_a, int(b[index]) - z_b
        if "order reversed" in plants:
            x, y = (int(b[index]) - z_b), (int(a[index]) - z_a)
            first, second = s_b, s_a
        else:
            first, second = s_a, s_b
        if "floor" in plants or "truncate" in plants:
            real = (x * first + sign * y * second) / s_y
            value: float = math.floor(real) if "floor" in plants else int(real)
        else:
            total = rescale(x << left, first / twice, style) + sign * rescale(y << left, second / twice, style)
            up = max(0, fixed_multiplier(last)[1])  # C's int32 wraps around in a left shift
            wrapped = ((int(total) << up) + 2**31) % 2**32 - 2**31
            value = rescale(wrapped, last / 2**up, style)
        out[index] = store(value + zero, low, high, plants, limits(op))
    return out


def multiply(op: Operator, values: list[Any], plants: Plants) -> Array:
    a, b = np.broadcast_arrays(values[0], values[1])
    z_a, z_b = input_zeros(op, plants)
    s_a, s_b, s_y = scale_of(op.inputs[0]), scale_of(op.inputs[1]), scale_of(op.outputs[0])
    real = float(np.float32(s_a) * np.float32(s_b) / np.float32(s_y))
    if "multiplier without output scale" in plants:
        real = s_a * s_b
    if "multiplier without input scale" in plants:
        real = 1 / s_y
    styles = {"truncate": "truncate", "floor": "floor", "half to even": "even", "single rounding": "single"}
    style = next((s for p, s in styles.items() if p in plants), "double")
    low, high = activation_bounds(op, plants)
    zero = output_zero(op, plants)
    out = np.zeros(a.shape)
    for index in np.ndindex(a.shape):
        product = (int(a[index]) - z_a) * (int(b[index]) - z_b)
        value = product if "multiplier forgotten" in plants else rescale(product, real, style)
        out[index] = store(value + zero, low, high, plants, limits(op))
    return out


def mean(op: Operator, values: list[Any], plants: Plants) -> Array:
    """MEAN over height and width."""
    x = values[0]
    z_x = 0 if "input zero point forgotten" in plants else zero_of(op.inputs[0])
    z_x = -z_x if "input zero point added" in plants else z_x
    real = scale_of(op.inputs[0]) / scale_of(op.outputs[0])
    real = 1.0 if "multiplier forgotten" in plants else real
    zero, (low, high) = output_zero(op, plants), limits(op)
    out = np.zeros((x.shape[0], x.shape[3]))
    for n, c in np.ndindex(out.shape):
        total, count = 0, 0
        for i, j in np.ndindex(x.shape[1:3]):
            total, count = total + int(x[n, i, j, c]) - z_x, count + 1
        if "sum not divided" in plants:
            value: float = rescale(total, real, "double")
        elif "average truncated" in plants:
            value = int(total * real / count)
        elif "average floored" in plants:
            value = math.floor(total * real / count)
        elif "average half to even" in plants:
            value = round(total * real / count)
        elif "average an integer first" in plants:
            value = rescale(rounded(total / count), real, "double")
        else:
            mantissa, shift = fixed_multiplier(real)
            bits = min(count.bit_length() - 1, 32, 31 + shift)
            value = _scaled(total, (mantissa << bits) // count, shift - bits)
        out[n, c] = store(value + zero, low, high, plants, limits(op))
    return out.reshape(op.outputs[0].shape)


def _scaled(value: int, mantissa: int, shift: int) -> int:
    """Multiply by a mantissa and a shift, with gemmlowp's two roundings."""
    product = (value << max(shift, 0)) * mantissa
    high = (product + (1 << 30)) >> 31
    right = max(-shift, 0)
    half = (1 << right) >> 1
    return (abs(high) + half >> right) * (1 if high >= 0 else -1)


def max_pool(op: Operator, values: list[Any], plants: Plants) -> Array:
    o, x = op.options, images(values[0], plants)
    high, top = same_padding(op, x.shape[1], o.filter_height, o.stride_h)
    wide, left = same_padding(op, x.shape[2], o.filter_width, o.stride_w)
    if "pad with 0" in plants and top + left == 0 and int(o.padding) == 1:
        raise NotPossible
    low, most = activation_bounds(op, plants)
    out = np.zeros((len(x), high, wide, x.shape[3]))
    for n, i, j, c in np.ndindex(out.shape):
        found = []
        for a, b in np.ndindex(o.filter_height, o.filter_width):
            row, column = i * o.stride_h - top + a, j * o.stride_w - left + b
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                found.append(int(x[n, row, column, c]))
            elif "pad with 0" in plants:
                found.append(0)
        out[n, i, j, c] = store(max(found), low, most, plants, limits(op))
    return written(out, plants)


def pad(op: Operator, values: list[Any], plants: Plants) -> Array:
    x, amounts = values[0], values[1]
    fill = 0 if "pad with 0" in plants else zero_of(op.outputs[0])
    out = np.full([n + int(a) + int(b) for n, (a, b) in zip(x.shape, amounts, strict=True)], fill, np.int64)
    for index in np.ndindex(x.shape):
        out[tuple(i + int(a) for i, (a, _) in zip(index, amounts, strict=True))] = x[index]
    return out


def concatenation(op: Operator, values: list[Any], plants: Plants) -> Array:
    """CONCATENATION along the last axis; uint8 inputs are requantized one by one."""
    s_y, z_y = scale_of(op.outputs[0]), zero_of(op.outputs[0])
    tensors, arrays = list(op.inputs), list(values)
    if "order reversed" in plants:
        tensors.reverse()
        arrays.reverse()
    parts = []
    for tensor, array in zip(tensors, arrays, strict=True):
        s_x, z_x = scale_of(tensor), zero_of(tensor)
        if "first multiplier for both" in plants:
            s_x, z_x = scale_of(op.inputs[0]), zero_of(op.inputs[0])
        if "inputs not rescaled" in plants or (s_x, z_x) == (s_y, z_y):
            parts.append(array.astype(np.float64))
            continue
        if "only zero points corrected" in plants:
            parts.append(np.clip(array.astype(np.float64) - z_x + z_y, *limits(op)))
            continue
        scale = np.float32(s_x) * (np.float32(1) / np.float32(s_y))
        bias = np.float32(-z_x) * scale
        part = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            if "truncate" in plants:
                value: float = int((int(array[index]) - z_x) * s_x / s_y)
            elif "floor" in plants:
                value = math.floor((int(array[index]) - z_x) * s_x / s_y)
            else:
                value = rounded(float(np.float32(array[index]) * scale + bias))
            part[index] = store(value + z_y, *limits(op), plants, limits(op))
        parts.append(part)
    if "joined along the first axis" in plants:
        return np.concatenate([p.reshape(-1) for p in parts]).reshape(op.outputs[0].shape)
    return np.concatenate(parts, axis=-1)

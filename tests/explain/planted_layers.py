# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV, layers with floats and integer weights, and XC_fc as somebody writes them by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.explain.planted import (
    Array,
    NotPossible,
    Plants,
    convolved,
    images,
    input_integers,
    rearranged,
    requantized,
    rounded,
    same_padding,
    weight_integers,
    written,
    zero_of,
)

if TYPE_CHECKING:
    from tflite2x.ir import Operator


def transpose_conv(op: Operator, values: list[Any], plants: Plants) -> Array:
    """TRANSPOSE_CONV: every input pixel is spread over the output."""
    x = images(values[2], plants)
    w = rearranged(op, weight_integers(op, plants), plants)
    whole, zero = input_integers(op, x, plants)
    shape = op.outputs[0].shape
    _, top = same_padding(op, shape[1], w.shape[1], op.options.stride_h)
    _, left = same_padding(op, shape[2], w.shape[2], op.options.stride_w)
    sums = np.zeros(shape, np.int64)
    for n, i, j in np.ndindex(x.shape[:3]):
        for a, b in np.ndindex(w.shape[1:3]):
            row, column = i * op.options.stride_h - top + a, j * op.options.stride_w - left + b
            if 0 <= row < shape[1] and 0 <= column < shape[2]:
                sums[n, row, column] += w[:, a, b] @ (whole[n, i, j] - zero)
    return written(requantized(op, sums, plants), plants)


def hybrid(op: Operator, values: list[Any], plants: Plants) -> Array:
    """Float activations, int8 weights: rows or images are quantized, sums of integers are scaled back."""
    x, dense = values[0], op.name == "FULLY_CONNECTED"
    w = op.inputs[1].data.astype(np.float64)
    if not dense:
        w = rearranged(op, op.inputs[1].data.astype(np.int64), plants).astype(np.float64)
    channels = w.shape[3] if op.name == "DEPTHWISE_CONV_2D" else len(w)
    scales = [float(s) for s in op.inputs[1].quantization.scale]
    scales = scales * channels if len(scales) == 1 else scales
    if dense:
        asymmetric = bool(op.options.asymmetric_quantize_inputs)
    else:
        asymmetric = op.name == "DEPTHWISE_CONV_2D" or len(set(scales)) > 1
    if "scale of the first channel" in plants:
        if len(set(scales)) == 1:
            raise NotPossible
        scales = [scales[0]] * channels
    if "multiplier without weights scale" in plants:
        scales = [1.0] * channels
    asymmetric = asymmetric != ("other symmetry" in plants)
    groups = x.reshape(-1, w.shape[1]) if dense else x
    if "one scale for all rows" in plants:
        if len(groups) == 1:
            raise NotPossible
        joined, scale = _integers(groups.reshape(-1), asymmetric, plants)
        parts = [(joined.reshape(groups.shape)[g], scale) for g in range(len(groups))]
    else:
        parts = [(row.reshape(group.shape), scale) for group in groups
                 for row, scale in [_integers(group.reshape(-1), asymmetric, plants)]]  # fmt: skip
    results = []
    for part, scale in parts:
        if dense:
            sums = np.array([sum(float(a) * float(b) for a, b in zip(part, row, strict=True)) for row in w])
        else:
            sums = convolved(op, part[None].astype(np.float64), w, 0, plants)[0]
        results.append(sums * np.array(scales) * scale)
    out = np.stack(results)
    if len(op.inputs) > 2 and op.inputs[2] is not None and "bias forgotten" not in plants:
        out = out + op.inputs[2].data.reshape(-1)
    kind = int(op.options.fused_activation_function)
    if "relu forgotten" not in plants and kind in (1, 3):
        out = np.clip(out, 0, np.inf if kind == 1 else 6)
    elif "relu forgotten" in plants and kind not in (1, 3):
        raise NotPossible
    return written(out.reshape(op.outputs[0].shape).astype(np.float32), plants) if not dense else (
        out.reshape(op.outputs[0].shape).astype(np.float32)
    )  # fmt: skip


def _integers(values: Array, asymmetric: bool, plants: Plants) -> tuple[Array, float]:
    """Quantize floats at run time; returns integers without their zero point, and the scale."""
    if "activations stay floats" in plants:
        return values.astype(np.float64), 1.0
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if asymmetric:
        wide = (high - low) / 255
        zero = rounded(-128 - low / wide if 128 + abs(low / wide) < 127 + abs(high / wide) else 127 - high / wide)
        zero, scale = max(-128, min(127, zero)), np.float32(wide)
        steps = [np.float32(zero) + v * (np.float32(1) / scale) for v in values]
        least = -128
    else:
        largest = np.float32(max(abs(low), abs(high)))
        scale, zero, least = largest / np.float32(127), 0, -127
        steps = [v * (np.float32(127) / largest) for v in values]
    to_integer = math.trunc if "activations truncated" in plants else rounded
    return np.array([max(least, min(127, to_integer(float(s)))) - zero for s in steps], np.float64), float(scale)


def xc_fc(op: Operator, values: list[Any], plants: Plants) -> Array:
    """XC_fc, one output channel after the other."""
    x = values[0].reshape(-1).astype(np.int64) + (128 if "input 128 too high" in plants else 0)
    w, block = op.inputs[1].data, op.inputs[2].data
    channels, width = w.shape
    out = np.zeros(channels)
    if "rows without padding" in plants:
        if width == len(x):
            raise NotPossible
        w = w.reshape(-1)[: channels * len(x)].reshape(channels, len(x))
    for c in range(channels):
        upper, lower, shift1, scale, offset_scale, offset, shift2 = (int(v) for v in block[c // 16, :, c % 16])
        bias = upper * 65536 + (lower if "low half signed" in plants else lower & 0xFFFF)
        total = 0 if "bias forgotten" in plants else bias
        for value, weight in zip(x, w[c], strict=False):
            total += int(value) * int(weight)
        total = max(-(2**31 - 1), min(2**31 - 1, total))
        half = 0 if shift1 == 0 or "first shift floors" in plants else 1 << (shift1 - 1)
        narrow = (total + half) >> shift1
        if "no saturation to 16 bits" not in plants:
            narrow = max(-32767, min(32767, narrow))
        product = narrow * scale + (0 if "offset forgotten" in plants else offset_scale * offset)
        half = 0 if shift2 == 0 or "second shift floors" in plants else 1 << (shift2 - 1)
        value = (product + half) >> shift2
        value += zero_of(op.outputs[0]) if "zero point added again" in plants else 0
        low = -127 if "clamp -127" in plants else -128
        out[c] = (value + 128) % 256 - 128 if "wrap" in plants else max(low, min(127, value))
    return out.reshape(op.outputs[0].shape)

# SPDX-License-Identifier: Apache-2.0
"""Quantized operators as somebody writes them by hand, rightly or with mistakes: plain loops, no code of the package.

``diagnose`` must name what is planted here. Nothing is shared with its own arithmetic, so that an error in one of them
shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tflite2x.ir import Operator

Array = NDArray[Any]
Plants = frozenset[str]
#: Computes an operator from the values of all its inputs (None where one is absent), with mistakes.
Function = Callable[["Operator", list[Any], Plants], Array]

#: What can be planted -> the name that ``diagnose`` must give it.
PLANTS: dict[str, str] = {
    "wrap": "wrap-around",
    "clamp -127": "clamp bounds",
    "clamp -100 to 90": "clamp bounds",
    "relu at 0": "relu at zero",
    "relu forgotten": "activation forgotten",
    "input zero point forgotten": "input zero point forgotten",
    "input zero point added": "input zero point added",
    "input zero point of the output": "zero point of the wrong tensor",
    "output zero point of the input": "zero point of the wrong tensor",
    "output zero point forgotten": "output zero point forgotten",
    "output zero point subtracted": "output zero point subtracted",
    "multiplier added": "multiplier added",
    "multiplier forgotten": "multiplier forgotten",
    "multiplier without output scale": "multiplier from wrong scales",
    "multiplier without input scale": "multiplier from wrong scales",
    "multiplier without weights scale": "multiplier from wrong scales",
    "multiplier upside down": "multiplier from wrong scales",
    "scale of the first channel": "per-tensor scale",
    "mean of the scales": "per-tensor scale",
    "largest scale": "per-tensor scale",
    "truncate": "truncation",
    "floor": "floor",
    "half to even": "round half even",
    "single rounding": "single rounding",
    "double rounding": "double rounding",
    "bias forgotten": "bias forgotten",
    "bias after the multiplier": "bias in the wrong scale",
    "bias with the weights' scale": "bias in the wrong scale",
    "weights read transposed": "weights layout",
    "weights flipped": "weights layout",
    "weights in another layout": "weights layout",
    "input read as NCHW": "NCHW",
    "output written as NCHW": "NCHW",
    "pad with 0": "padding with zero",
    "average truncated": "average rounding",
    "average floored": "average rounding",
    "average half to even": "average rounding",
    "input 128 too high": "shift by 128",
    "output 128 too high": "shift by 128",
    "not rounded": "not rounded",
    "quantized by truncation": "truncation",
    # 16 bits
    "sums wrap in 32 bits": "narrow sums",
    "sums saturate in 32 bits": "narrow sums",
    "multiplier of 31 bits": "31-bit multiplier",
    "multiplier of 16 bits": "16-bit multiplier",
    "clamp -32767": "clamp bounds",
    # uint8 weights
    "weights zero point forgotten": "weights zero point forgotten",
    "weights zero point added": "weights zero point added",
    "weights minus 128": "weights zero point of 128",
    # float activations, integer weights
    "activations stay floats": "activations not quantized",
    "other symmetry": "symmetry of the activations",
    "one scale for all rows": "one scale for all rows",
    "activations truncated": "truncation",
    # two inputs
    "left shift forgotten": "left shift forgotten",
    "left shift not taken back": "left shift forgotten",
    "first multiplier for both": "one multiplier for both inputs",
    "scales of the inputs swapped": "multiplier from wrong scales",
    "first zero point for both": "zero point of the wrong tensor",
    "inputs not rescaled": "inputs not rescaled",
    "only zero points corrected": "inputs not rescaled",
    "order reversed": "order of the inputs",
    "joined along the first axis": "wrong axis",
    # averages
    "sum not divided": "sum not divided",
    "average an integer first": "average rounding",
    # curves
    "float softmax": "computed in floats",
    "curve truncated": "truncation",
    "one step less than the scale says": "output scale",
    "beta forgotten": "beta forgotten",
    "over everything": "wrong axis",
    "slope forgotten": "slope forgotten",
    "slope everywhere": "slope everywhere",
    "slope without its scale": "slope in the wrong scale",
    "slope without its zero point": "slope zero point forgotten",
    "sign of the integer": "sign of the integer",
    # XC_fc
    "first shift floors": "floor",
    "second shift floors": "floor",
    "no saturation to 16 bits": "16-bit saturation forgotten",
    "offset forgotten": "offset forgotten",
    "low half signed": "halves of the bias",
    "zero point added again": "zero points folded twice",
    "rows without padding": "weights layout",
}


class NotPossible(Exception):  # noqa: N818 - not an error: this operator has no place for the mistake
    """The mistake cannot be made here."""


def scale_of(tensor: Any) -> float:
    return float(tensor.quantization.scale[0])


def zero_of(tensor: Any) -> int:
    points = tensor.quantization.zero_point
    return int(points[0]) if len(points) else 0


def rounded(value: float) -> int:
    """C's round()."""
    return int(math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1))


def limits(op: Operator) -> tuple[int, int]:
    """Lowest and highest integer of the output's type."""
    return {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}[op.outputs[0].dtype.name]


def fixed_multiplier(real: float) -> tuple[int, int]:
    fraction, exponent = math.frexp(real)
    mantissa = rounded(fraction * 2**31)
    if mantissa == 2**31:
        mantissa, exponent = mantissa // 2, exponent + 1
    return mantissa, exponent


def rescale(acc: float, real: float, style: str) -> float:
    """Multiply a sum by a multiplier, in Python's integers of any length."""
    if style == "real":
        return rounded(acc * real)
    if style == "truncate":
        return int(acc * real)
    if style == "floor":
        return math.floor(acc * real)
    if style == "even":
        return round(acc * real)
    if style == "none":
        return acc * real
    mantissa, shift = fixed_multiplier(real)
    whole = round(acc)
    if shift > 14:  # only wrong multipliers are that large: everything saturates
        return rounded(acc * real)
    if style == "single":
        return (whole * mantissa + (1 << (30 - shift))) >> (31 - shift)
    if style == "wide":
        reduced = (mantissa + (1 << 15)) >> 16 if mantissa < 0x7FFF0000 else 0x7FFF
        return (whole * reduced + (1 << (14 - shift))) >> (15 - shift)
    left, right = max(shift, 0), max(-shift, 0)
    product = (whole << left) * mantissa
    nudge = (1 << 30) if product >= 0 else 1 - (1 << 30)
    high = abs(product + nudge) // (1 << 31) * (1 if product + nudge >= 0 else -1)
    mask = (1 << right) - 1
    return (high >> right) + (1 if (high & mask) > (mask >> 1) + (1 if high < 0 else 0) else 0)


def store(value: float, low: int, high: int, plants: Plants, bounds: tuple[int, int] = (-128, 127)) -> float:
    """Clamp and cast to an integer type."""
    narrower = {"clamp -127": (-127, 127), "clamp -100 to 90": (-100, 90), "clamp -32767": (-32767, 32767)}
    for plant in narrower.keys() & plants:
        least, most = narrower[plant]
        return max(least, min(most, max(low, min(high, value))))
    if "wrap" in plants:
        # The activation, if there is one, is applied; the cast is left to the language.
        least, most = bounds
        value = max(value, low) if low > least else value
        value = min(value, high) if high < most else value
        return (int(value) - least) % (most - least + 1) + least
    return max(low, min(high, value))


def activation_bounds(op: Operator, plants: Plants) -> tuple[int, int]:
    kind = int(op.options.fused_activation_function)
    least, most = limits(op)
    scale, zero = scale_of(op.outputs[0]), zero_of(op.outputs[0])
    if "relu at 0" in plants:
        if kind not in (1, 3):
            raise NotPossible
        return 0, most
    if "relu forgotten" in plants:
        if kind not in (1, 3):
            raise NotPossible
        return least, most
    if kind == 1:
        return max(least, zero), most
    if kind == 3:
        return max(least, zero), min(most, zero + rounded(float(np.float32(6) / np.float32(scale))))
    return least, most


def data_of(op: Operator) -> Any:
    """The tensor of the activations."""
    return op.inputs[2 if op.name == "TRANSPOSE_CONV" else 0]


def bias_of(op: Operator) -> Array | None:
    place = 3 if op.name == "TRANSPOSE_CONV" else 2
    tensor = op.inputs[place] if len(op.inputs) > place else None
    return None if tensor is None else np.asarray(tensor.data).reshape(-1)


def multipliers(op: Operator, plants: Plants, channels: int) -> list[float]:
    s_x, s_y = scale_of(data_of(op)), scale_of(op.outputs[0])
    s_w = [float(s) for s in op.inputs[1].quantization.scale]
    per_tensor = {
        "scale of the first channel": s_w[0], "mean of the scales": sum(s_w) / len(s_w), "largest scale": max(s_w),
    }  # fmt: skip
    for plant in per_tensor.keys() & plants:
        if len(s_w) == 1:
            raise NotPossible
        s_w = [per_tensor[plant]]
    s_w = s_w * channels if len(s_w) == 1 else s_w
    # uint8 convolutions multiply their scales as floats (kernel_util.cc).
    floats = data_of(op).dtype.name == "UINT8" and op.name != "FULLY_CONNECTED"
    products = [float(np.float32(s_x) * np.float32(s)) if floats else s_x * s for s in s_w]
    if "multiplier without output scale" in plants:
        return [s_x * s for s in s_w]
    if "multiplier without input scale" in plants:
        return [s / s_y for s in s_w]
    if "multiplier without weights scale" in plants:
        return [s_x / s_y] * channels
    if "multiplier upside down" in plants:
        return [s_y / (s_x * s) for s in s_w]
    return [p / s_y for p in products]


def requantized(op: Operator, sums: Array, plants: Plants) -> Array:
    """From sums of products [..., O] to the output's values: bias, multiplier, zero point, activation, cast."""
    channels = sums.shape[-1]
    bias = bias_of(op)
    if bias is None and any(p.startswith("bias") for p in plants):
        raise NotPossible
    real = multipliers(op, plants, channels)
    short = data_of(op).dtype.name == "INT16"
    wide = short and (bias is None or bias.dtype == np.int64)
    if "multiplier of 31 bits" in plants and not wide:
        raise NotPossible
    style = "real" if op.name == "FULLY_CONNECTED" else "wide" if wide else "double"
    for plant, other in (
        ("truncate", "truncate"), ("floor", "floor"), ("half to even", "even"), ("single rounding", "single"),
        ("double rounding", "double"), ("not rounded", "none"), ("multiplier of 31 bits", "single"),
        ("multiplier of 16 bits", "wide"),
    ):  # fmt: skip
        style = other if plant in plants else style
    zero = zero_of(op.outputs[0])
    if "output zero point of the input" in plants:
        zero = zero_of(data_of(op))
    if "output zero point forgotten" in plants:
        zero = 0
    if "output zero point subtracted" in plants:
        zero = -zero
    low, high = activation_bounds(op, plants)
    out = np.empty(sums.shape, np.float64)
    for index in np.ndindex(sums.shape):
        channel = index[-1]
        acc = float(sums[index])
        after = 0
        if bias is not None and "bias after the multiplier" in plants:
            after = int(bias[channel])
        elif bias is not None and "bias with the weights' scale" in plants:
            acc += int(bias[channel]) / scale_of(data_of(op))
        elif bias is not None and "bias forgotten" not in plants:
            acc += int(bias[channel])
        if "sums wrap in 32 bits" in plants:
            acc = (acc + 2.0**31) % 2.0**32 - 2.0**31
        elif "sums saturate in 32 bits" in plants:
            acc = max(-(2.0**31), min(2.0**31 - 1, acc))
        if "multiplier added" in plants:
            value = float(rounded(acc + real[channel]))
        elif "multiplier forgotten" in plants:
            value = float(rounded(acc))
        else:
            value = rescale(acc, real[channel], style)
        value += after + zero
        out[index] = value if style == "none" else store(value, low, high, plants, limits(op))
        if "output 128 too high" in plants:
            out[index] += 128
    return out


def input_integers(op: Operator, x: Array, plants: Plants) -> tuple[Array, int]:
    """The input as integers, and the zero point that is subtracted from it."""
    values = x.astype(np.int64) + (128 if "input 128 too high" in plants else 0)
    zero = zero_of(data_of(op))
    if "input zero point forgotten" in plants:
        zero = 0
    elif "input zero point added" in plants:
        zero = -zero
    elif "input zero point of the output" in plants:
        zero = zero_of(op.outputs[0])
    return values, zero


def weight_integers(op: Operator, plants: Plants) -> Array:
    """The weights as integers, without their zero point where they are unsigned."""
    w = op.inputs[1].data
    zero = zero_of(op.inputs[1]) if w.dtype == np.uint8 else 0
    if "weights zero point forgotten" in plants:
        zero = 0
    elif "weights zero point added" in plants:
        zero = -zero
    elif "weights minus 128" in plants:
        zero = 128
    return np.asarray(w.astype(np.int64) - zero)


def fully_connected(op: Operator, values: list[Any], plants: Plants) -> Array:
    x, w = values[0], weight_integers(op, plants)
    if "weights read transposed" in plants:
        w = w.reshape(-1).reshape(w.shape[1], w.shape[0]).transpose()
    whole, zero = input_integers(op, x, plants)
    rows = whole.reshape(-1, w.shape[1])
    sums = np.zeros((len(rows), len(w)), np.int64)
    for r, row in enumerate(rows):
        for o in range(len(w)):
            sums[r, o] = sum(int(a) * int(b) for a, b in zip(row - zero, w[o], strict=True))
    return requantized(op, sums, plants).reshape(op.outputs[0].shape)


def same_padding(op: Operator, size: int, taps: int, stride: int) -> tuple[int, int]:
    """Number of windows, and padding in front."""
    if int(op.options.padding) == 1:  # VALID
        return (size - taps) // stride + 1, 0
    out = -(-size // stride)
    return out, max(0, (out - 1) * stride + taps - size) // 2


def images(x: Array, plants: Plants) -> Array:
    if "input read as NCHW" in plants:
        if x.shape[3] == 1:
            raise NotPossible
        n, h, w, c = x.shape
        return x.reshape(-1).reshape(n, c, h, w).transpose(0, 2, 3, 1)
    return x


def written(out: Array, plants: Plants) -> Array:
    if "output written as NCHW" in plants:
        if out.shape[3] == 1 or out.shape[1] * out.shape[2] == 1:
            raise NotPossible
        return np.ascontiguousarray(out.transpose(0, 3, 1, 2)).reshape(out.shape)
    return out


def convolution(op: Operator, values: list[Any], plants: Plants) -> Array:
    x, w = values[0], weight_integers(op, plants)
    w = rearranged(op, w, plants)
    whole, zero = input_integers(op, images(x, plants), plants)
    return written(requantized(op, convolved(op, whole, w, zero, plants), plants), plants)


def rearranged(op: Operator, w: Array, plants: Plants) -> Array:
    """The weights, as they are or read wrongly."""
    depthwise = op.name == "DEPTHWISE_CONV_2D"
    if "weights flipped" in plants:
        w = w[:, ::-1, ::-1]
        if w.shape[1] * w.shape[2] == 1:
            raise NotPossible
    if "weights in another layout" in plants:
        o, h, k, i = w.shape
        flat = w.reshape(-1)
        chw, hwio = flat.reshape(i, h, k) if depthwise else None, None if depthwise else flat.reshape(h, k, i, o)
        w = hwio.transpose(3, 0, 1, 2) if chw is None else chw.transpose(1, 2, 0)[None]
    return w


def convolved(op: Operator, x: Array, w: Array, zero: int, plants: Plants) -> Array:
    """Sums of products, window by window."""
    depthwise = op.name == "DEPTHWISE_CONV_2D"
    _, kh, kw, _ = w.shape
    high, top = same_padding(op, x.shape[1], kh, op.options.stride_h)
    wide, left = same_padding(op, x.shape[2], kw, op.options.stride_w)
    if "pad with 0" in plants and (high - 1) * op.options.stride_h + kh <= x.shape[1]:
        raise NotPossible
    channels = w.shape[3] if depthwise else w.shape[0]
    sums = np.zeros((len(x), high, wide, channels), np.result_type(x, w))
    for n, i, j in np.ndindex(len(x), high, wide):
        for a, b in np.ndindex(kh, kw):
            row, column = i * op.options.stride_h - top + a, j * op.options.stride_w - left + b
            inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
            if not inside and "pad with 0" not in plants:
                continue
            pixel = (x[n, row, column] if inside else np.zeros(x.shape[3], x.dtype)) - zero
            if depthwise:
                sums[n, i, j] += np.repeat(pixel, channels // len(pixel)) * w[0, a, b]
            else:
                sums[n, i, j] += w[:, a, b] @ pixel
    return sums


def average_pool(op: Operator, values: list[Any], plants: Plants) -> Array:
    o = op.options
    x = images(values[0], plants)
    high, top = same_padding(op, x.shape[1], o.filter_height, o.stride_h)
    wide, left = same_padding(op, x.shape[2], o.filter_width, o.stride_w)
    low, top_value = activation_bounds(op, plants)
    out = np.zeros((len(x), high, wide, x.shape[3]), np.float64)
    for n, i, j, c in np.ndindex(out.shape):
        r, s = i * o.stride_h - top, j * o.stride_w - left
        window = x[n, max(r, 0) : r + o.filter_height, max(s, 0) : s + o.filter_width, c]
        mean = int(window.astype(np.int64).sum()) / window.size
        if "average truncated" in plants:
            value = int(mean)
        elif "average floored" in plants:
            value = math.floor(mean)
        elif "average half to even" in plants:
            value = round(mean)
        else:
            value = rounded(mean)
        out[n, i, j, c] = store(value, low, top_value, plants)
    return written(out, plants)


def quantize(op: Operator, values: list[Any], plants: Plants) -> Array:
    x = values[0]
    scale, zero = np.float32(scale_of(op.outputs[0])), zero_of(op.outputs[0])
    if "output zero point forgotten" in plants:
        zero = 0
    if "output zero point subtracted" in plants:
        zero = -zero
    steps = (x.astype(np.float32) / scale).astype(np.float64)
    if "not rounded" in plants:
        return steps + zero
    if "quantized by truncation" in plants:
        return np.array([store(int(v) + zero, -128, 127, plants) for v in steps.reshape(-1)]).reshape(x.shape)
    choose: Callable[[float], int] = round if "half to even" in plants else rounded
    return np.array([store(choose(float(v)) + zero, -128, 127, plants) for v in steps.reshape(-1)]).reshape(x.shape)

# SPDX-License-Identifier: Apache-2.0
"""What a step computes, as formulas and numbers for people and programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tflite2x.program import steps as s
from tflite2x.program.values import Const, Value, fits


@dataclasses.dataclass(frozen=True)
class Channel:
    """The numbers of one output channel.

    Attributes:
        channel: Its index.
        weight_scale: Scale of its weights.
        weight_sum: Sum of its weights (without their zero point): what folds the input's zero point into the bias.
        bias: Bias in the file.
        folded_bias: bias - input zero point * weight_sum.
        multiplier: Input scale * weight scale / output scale.
        mantissa: Of the integer form.
        shift: Of the integer form.
        lowest: Smallest accumulator over all inputs.
        highest: Largest accumulator over all inputs.
    """

    channel: int
    weight_scale: float
    weight_sum: int
    bias: int
    folded_bias: int
    multiplier: float
    mantissa: int
    shift: int
    lowest: int
    highest: int


@dataclasses.dataclass(frozen=True)
class Multiplier:
    """A real factor and its integer form.

    Attributes:
        name: What it multiplies.
        mantissa: int32.
        shift: The factor is mantissa * 2**(shift - 31).
        value: The factor that the integers stand for.
    """

    name: str
    mantissa: int
    shift: int
    value: float


@dataclasses.dataclass(frozen=True)
class Facts:
    """One step.

    Attributes:
        function: Its kind, as in generated code.
        formulas: What it computes, line by line.
        numbers: The numbers in the formulas.
        multipliers: Real factors with their integer forms, where they are the same for all channels.
        channels: Numbers per output channel, for operators with weights.
        rounding: The rounding contract in a sentence, or None where nothing is rounded.
        clamp: Lowest and highest output in quantized units, or None.
        accumulator: Smallest and largest value that any accumulator can reach over all inputs, or None.
    """

    function: str
    formulas: list[str]
    numbers: dict[str, Any]
    multipliers: list[Multiplier]
    channels: list[Channel]
    rounding: str | None
    clamp: list[int] | None
    accumulator: list[int] | None


DOUBLE = (
    "twice, as gemmlowp does: the high 32 bits of the doubled product, half up; then the right shift, half away from "
    "zero (LiteRT's reference kernels and TFLite Micro)"
)
REAL = (
    "once, half away from zero, of a float64 product (LiteRT's reference kernel; TFLite Micro rounds twice); the "
    "integer form (abs(acc) * mantissa + 2**(shift - 1)) >> shift, with the sign of acc, is proved equal for every "
    "accumulator that can occur"
)
WIDE = "once, half up: (acc * mantissa + 2**(shift - 1)) >> shift, with a 16-bit mantissa (16x8 kernels)"
_ROUNDING = {"double": DOUBLE, "real": REAL, "wide": WIDE}
_RESCALE = {
    "double": "requantize(acc[o], mantissa[o], shift[o])",
    "real": "round(acc[o] * multiplier[o])",
    "wide": "(acc[o] * mantissa[o] + 2**(shift[o] - 1) >> shift[o])",
}


def facts(step: s.Step) -> Facts:
    """Describe a step."""
    for kind, describe in _DESCRIBERS.items():
        if isinstance(step, kind):
            return describe(step)
    return _plain(step)


def _numbers(step: s.Step) -> dict[str, Any]:
    return {k: v for k, v in step.parameters().items() if not isinstance(v, Const)}


def _clamp(step: s.Step) -> list[int] | None:
    low, high = getattr(step, "low", None), getattr(step, "high", None)
    return None if low is None or high is None else [int(low), int(high)]


def _weighted(step: s.Weighted) -> Facts:
    if isinstance(step, s.FullyConnected):
        products = f"k < {step.depth}"
        index = "x[k] - x_zero) * (w[o, k] - w_zero)"
    elif isinstance(step, s.DepthwiseConv2d):
        products = f"{step.kernel_h} x {step.kernel_w} taps inside of the input"
        index = "x[...] - x_zero) * (w[..., o] - w_zero)"
    elif isinstance(step, s.Conv2d):
        products = f"{step.kernel_h} x {step.kernel_w} taps inside of the input x {step.in_c // step.groups} channels"
        index = "x[...] - x_zero) * (w[o, ...] - w_zero)"
    elif isinstance(step, s.TransposeConv):
        products = f"the taps of {step.kernel_h} x {step.kernel_w} that reach the output x {step.in_c} channels"
        index = "x[...] - x_zero) * (w[o, ...] - w_zero)"
    else:
        products, index = "", ""
    formulas = [
        f"acc[o] = bias[o] + sum(({index})   over {products}, {'int64' if step.rescaling == 'wide' else 'int32'}",
        "       = folded_bias[o] + sum(x * (w - w_zero)),  folded_bias = bias - x_zero * weight_sum"
        + ("  (padding counts as x_zero)" if isinstance(step, s.Conv2d) else ""),
        f"y[o]   = clamp({_RESCALE[step.rescaling]} + y_zero, low, high)",
        "multiplier[o] = input scale * weight scale[o] / output scale",
    ]
    if step.rescaling == "double":
        formulas.append("              = mantissa[o] * 2**(shift[o] - 31)")
    elif step.rescaling == "real":
        formulas.append(
            "              = mantissa[o] / 2**shift[o], for every accumulator (TFLite's shift is 31 - shift[o])"
        )
    units = len(step.folded)
    scales = step.weights_scale
    channels = [
        Channel(
            channel=o, weight_scale=float(scales[o if len(scales) > 1 else 0]), weight_sum=int(step.weight_sum[o]),
            bias=int(step.bias.data[o]), folded_bias=int(step.folded[o]), multiplier=float(step.multiplier[o]),
            mantissa=int(step.mantissa.data[o]), shift=int(step.shift.data[o]),
            lowest=int(step.reach[0, o]), highest=int(step.reach[1, o]),
        )
        for o in range(units)
    ]  # fmt: skip
    return Facts(
        step.function, formulas, _numbers(step), [], channels, _ROUNDING[step.rescaling], _clamp(step),
        [int(step.reach[0].min()), int(step.reach[1].max())],
    )  # fmt: skip


def _multiplier(name: str, mantissa: int, shift: int) -> Multiplier:
    return Multiplier(name, mantissa, shift, mantissa * 2.0 ** (shift - 31))


def _make(
    step: s.Step,
    formulas: list[str],
    multipliers: list[Multiplier] | None = None,
    rounding: str | None = None,
    accumulator: list[int] | None = None,
) -> Facts:
    return Facts(step.function, formulas, _numbers(step), multipliers or [], [], rounding, _clamp(step), accumulator)


def _range(value: Value | Const, zero: int) -> tuple[int, int]:
    low, high = fits(value.dtype)
    return low - zero, high - zero


def _add(step: s.Add) -> Facts:
    sign = "+" if step.b_sign > 0 else "-"
    return _make(
        step,
        [
            "left  = requantize((a - a_zero) << left_shift, a_mantissa, a_shift)",
            "right = requantize((b - b_zero) << left_shift, b_mantissa, b_shift)",
            f"y     = clamp(requantize(left {sign} right, y_mantissa, y_shift) + y_zero, low, high)",
        ],
        [
            _multiplier("a: scale of a / (2 * larger input scale)", step.a_mantissa, step.a_shift),
            _multiplier("b: scale of b / (2 * larger input scale)", step.b_mantissa, step.b_shift),
            _multiplier("y: 2 * larger input scale / (2**left_shift * output scale)", step.y_mantissa, step.y_shift),
        ],
        DOUBLE,
    )


def _multiply(step: s.Multiply) -> Facts:
    a, b = _range(step.inputs[0], step.a_zero), _range(step.inputs[1], step.b_zero)
    products = [x * y for x in a for y in b]
    return _make(
        step,
        ["acc = (a - a_zero) * (b - b_zero)", "y   = clamp(requantize(acc, mantissa, shift) + y_zero, low, high)"],
        [_multiplier("scale of a * scale of b / output scale", step.mantissa, step.shift)],
        DOUBLE,
        [min(products), max(products)],
    )


def _squared_difference(step: s.SquaredDifference) -> Facts:
    return _make(
        step,
        [
            "left  = requantize((a - a_zero) << 7, a_mantissa, a_shift)",
            "right = requantize((b - b_zero) << 7, b_mantissa, b_shift)",
            "y     = clamp(requantize((left - right)**2, y_mantissa, y_shift) + y_zero, low, high)",
        ],
        [
            _multiplier("a: scale of a / (2 * larger input scale)", step.a_mantissa, step.a_shift),
            _multiplier("b: scale of b / (2 * larger input scale)", step.b_mantissa, step.b_shift),
            _multiplier("y: (2 * larger input scale)**2 / (2**14 * output scale)", step.y_mantissa, step.y_shift),
        ],
        DOUBLE,
    )


def _prelu(step: s.Prelu) -> Facts:
    return _make(
        step,
        [
            "v = a - a_zero;  y = clamp(requantize(v, mantissa, shift) + y_zero, low, high)   where v >= 0",
            "y = clamp(requantize(v * (b - b_zero), negative_mantissa, negative_shift) + y_zero, low, high)   below",
        ],
        [
            _multiplier("input scale / output scale", step.mantissa, step.shift),
            _multiplier("input scale * slope scale / output scale", step.negative_mantissa, step.negative_shift),
        ],
        DOUBLE,
    )


def _requantize(step: s.Requantize) -> Facts:
    formulas = ["y = clamp(requantize(x - x_zero, mantissa, shift) + y_zero, low, high)"]
    if (step.mantissa, step.shift) == (1 << 30, 1):
        moved = step.y_zero - step.x_zero
        sign = "+" if moved >= 0 else "-"
        formulas.append(f"  = clamp(x {sign} {abs(moved)}, low, high), because both scales are equal")
    factor = [_multiplier("input scale / output scale", step.mantissa, step.shift)]
    return _make(step, formulas, factor, DOUBLE, list(_range(step.inputs[0], step.x_zero)))


def _mean(step: s.Mean) -> Facts:
    low, high = _range(step.inputs[0], step.x_zero)
    return _make(
        step,
        [
            f"acc = sum(x) - {step.elements} * x_zero   over axes {list(step.axes)}, {step.elements} values, int32",
            "y   = clamp(requantize(acc, mantissa, shift) + y_zero, low, high)",
        ],
        [_multiplier("input scale / output scale / number of values", step.mantissa, step.shift)],
        DOUBLE,
        [low * step.elements, high * step.elements],
    )


def _pool(step: s.Pool) -> Facts:
    if isinstance(step, s.MaxPool):
        return _make(step, [f"y = clamp(max of {step.kernel_h} x {step.kernel_w} values, low, high)"])
    low, high = fits(step.inputs[0].dtype)
    area = step.kernel_h * step.kernel_w
    return _make(
        step,
        [
            f"acc = sum of {step.kernel_h} x {step.kernel_w} quantized values inside of the input; count of them",
            "y   = clamp((acc > 0 ? acc + count / 2 : acc - count / 2) / count, low, high), divisions towards zero",
        ],
        rounding="once, half away from zero, on quantized values (not on x - zero point)",
        accumulator=[low * area, high * area],
    )


def _softmax(step: s.Softmax) -> Facts:
    return _make(
        step,
        [
            "d     = max(row) - x;  e[d] = exp(-d * beta * input scale), 31 fractional bits, from a table of 256",
            "total = sum(rounding_divide(e[d], 2**12)), 12 integer bits",
            "f     = 1 / total, scaled into (1/2, 1] by its highest bit (Newton-Raphson, three steps)",
            f"y     = clamp(rounding_divide(high_mul(e[d], f), ...) + low, low, high);  low where d > {step.reach}",
        ],
        rounding="gemmlowp's fixed point: high_mul half up, rounding_divide half away from zero",
    )


def _xc_fc(step: s.XcFc) -> Facts:
    from tflite2x.xs3 import unpack
    from tflite2x.xs3.kernel import accumulator_range

    parameters = unpack(step.bso.data, step.units)
    low, high = accumulator_range(step.weights.data)
    found = _make(
        step,
        [
            "acc = clamp(bias[o] + sum(w[o, k] * x[k]), +-(2**31 - 1));  the input zero point is in the bias",
            "v   = clamp(rnd(acc, shift1[o]), +-32767);  rnd(a, s) = (a + 2**(s - 1)) >> s",
            "y   = clamp(rnd(v * scale[o] + offset_scale[o] * offset[o], shift2[o]), -128, 127)",
        ],
        rounding="half up, at both shifts",
        accumulator=[int((low + parameters.bias).min()), int((high + parameters.bias).max())],
    )
    names = ("bias", "shift1", "scale", "total_offset", "shift2")
    numbers = {**found.numbers, **{n: [int(v) for v in getattr(parameters, n)] for n in names}}
    return dataclasses.replace(found, numbers=numbers, clamp=[-128, 127])


_SIMPLE: dict[type[s.Step], tuple[list[str], str | None]] = {
    s.QuantizeFloat: (
        ["y = clamp(round(x / scale) + y_zero, low, high), float32 division"], "once, half away from zero",
    ),
    s.DequantizeFloat: (["y = float32(scale * (x - x_zero)), float64 product"], "once, to float32"),
    s.AddPowers: (
        ["y = clamp(clamp(a / 2**a_shift + b_sign * b / 2**b_shift, -32768, 32767), low, high)"],
        "once per input, half away from zero",
    ),
    s.Interpolate: (
        ["i = 256 + (x >> 7);  y = table[i] + (((table[i + 1] - table[i]) * (x & 127) + 64) >> 7)"], "half up",
    ),
    s.Sigmoid16: (
        [
            "v = (x * multiplier + rounding) >> shift;  m = abs(v);  i = m >> bits",
            "r = (beyond if i >= 255 else (table[i] << bits) + (m & 2**bits - 1) * (table[i + 1] - table[i])) - offset",
            "y = ((r if v >= 0 else mirror - r - 1) + half) >> down",
        ],
        "half up",
    ),
    s.Softmax16: (
        [
            "e     = exponential[clamp16(requantize(x - max(row), mantissa, shift) + 32767)], interpolated",
            "total = sum(e), with h leading zeros",
            "f     = reciprocal[clamp16((((total << (h - 1)) + 2**13) >> 14) - 2**15 - 2**16)], interpolated",
            "y     = clamp((e * f + 2**(30 - h)) >> (31 - h), 0, 32767)",
        ],
        "half up",
    ),
    s.SvdfUpdate: (
        [
            "state[b, f, m] = old[b, f, m + 1];  the last one is the newest:",
            "state[b, f, memory - 1] = clamp(requantize(sum((x - x_zero) * weights[f]), mantissa, shift), low, high)",
        ],
        DOUBLE,
    ),
    s.SvdfOutput: (
        [
            "acc = bias[u] + sum(state[b, f, m] * weights[f, m])   over the rank filters of unit u, int32",
            "y   = clamp(requantize(acc, mantissa, shift) + y_zero, low, high)",
        ],
        DOUBLE,
    ),
    s.BatchMatmul: (
        [
            "acc[r, c] = sum((a[r, k] - a_zero) * (b[k, c] - b_zero))   over k < depth, int32",
            "y         = clamp(requantize(acc, mantissa, shift) + y_zero, low, high)",
        ],
        DOUBLE,
    ),
    s.Extreme: (["y = largest (sign 1) or smallest (sign -1) value"], None),
    s.Maximum: (["y = max(a, b) on quantized values"], None),
    s.Minimum: (["y = min(a, b) on quantized values"], None),
    s.ArgMax: (["y = position of the first largest (sign 1) or smallest (sign -1) value"], None),
    s.ResizeBilinear: (
        ["y = round(sum of four neighbours weighted in 1024ths / 2**20)"], "once, half away from zero",
    ),
    s.Fill: (["y = value everywhere"], None),
    s.Copy: (["y = x, elements in the same order"], None),
    s.CopyBlock: (["y[y_offset + i . y_stride] = x[x_offset + i . x_stride], flat positions"], None),
    s.CopyIndexed: (["y[y_offset + i . y_stride] = x[index_0[i_0] + index_1[i_1] + ...], flat positions"], None),
}  # fmt: skip


def _plain(step: s.Step) -> Facts:
    if isinstance(step, s.Lookup):
        return _make(step, [f"y = table[x - x_min]: {step.meaning}, one entry for each of 256 inputs"])
    formulas, rounding = _SIMPLE.get(type(step), ([f"y = {step.kind}(x)"], None))
    body = getattr(step, "body", None)
    found = _make(step, list(body) if body else formulas, rounding=rounding)
    if isinstance(step, s.CopyBlock | s.CopyIndexed):
        lists = {k: v.data.tolist() for k, v in step.parameters().items() if isinstance(v, Const)}
        found = dataclasses.replace(
            found, numbers={**found.numbers, **{k: v for k, v in lists.items() if len(v) <= 64}}
        )
    return found


_DESCRIBERS: dict[type[Any], Callable[[Any], Facts]] = {
    s.Weighted: _weighted,
    s.XcFc: _xc_fc,
    s.Add: _add,
    s.Multiply: _multiply,
    s.SquaredDifference: _squared_difference,
    s.Prelu: _prelu,
    s.Requantize: _requantize,
    s.Mean: _mean,
    s.Pool: _pool,
    s.Softmax: _softmax,
}

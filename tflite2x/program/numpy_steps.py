# SPDX-License-Identifier: Apache-2.0
"""Every kind of step as lines of NumPy."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

from tflite2x.program import steps as s
from tflite2x.program.values import Const, fits


@dataclasses.dataclass(frozen=True)
class Lines:
    """Code of one step.

    Attributes:
        body: Lines without indentation.
        helpers: Helper functions that they call.
    """

    body: list[str]
    helpers: tuple[str, ...] = ()


_PRINTERS: dict[type[s.Step], Callable[[Any], Lines]] = {}


def prints(*kinds: type[s.Step]) -> Callable[[Callable[[Any], Lines]], Callable[[Any], Lines]]:
    """Declare the decorated function as the printer of kinds of steps."""

    def declare(function: Callable[[Any], Lines]) -> Callable[[Any], Lines]:
        for kind in kinds:
            _PRINTERS[kind] = function
        return function

    return declare


def step_lines(step: s.Step) -> Lines:
    """Return a step as NumPy code."""
    for module in (
        "numpy_more_steps", "numpy_float_steps", "numpy_hybrid_steps", "numpy_plain_steps",
        "numpy_detection_steps", "numpy_lstm_steps",
    ):  # fmt: skip
        importlib.import_module(f"tflite2x.program.{module}")
    return _PRINTERS[type(step)](step)


def _minus(value: int) -> str:
    """Return `` - value`` without double signs."""
    return "" if value == 0 else f" - {value}" if value > 0 else f" + {-value}"


@prints(s.FloatStep)
def _float(step: s.FloatStep) -> Lines:
    return Lines(list(step.body))


def plus(value: int) -> str:
    """Return `` + value`` without double signs."""
    return _minus(-value)


def clip_lines(step: Any, text: str, shape: bool = False) -> list[str]:
    """Return the lines that clamp a result and make it the output."""
    out = step.output
    reshaped = f".reshape({shape_text(out)})" if shape else ""
    clipped = f"np.clip(y, {step.low}, {step.high}).astype(np.{out.dtype}){reshaped}"
    return [f"y = {text}", f"{out.name} = {clipped}"]


def shape_text(value: Any) -> str:
    """Return the shape of a value as code."""
    return repr(tuple(int(n) for n in value.shape))


def rescaled(step: s.Weighted) -> tuple[str, str]:
    """Return the helper that rescales ``acc``, and its call."""
    name = {"double": "requantize", "real": "rescale", "wide": "rescale_wide"}[step.rescaling]
    return name, f"{name}(acc, {_number(step.mantissa)}, {_number(step.shift)}){plus(step.y_zero)}"


def _number(const: Const) -> str:
    """Return one number where all elements agree, otherwise the name of the array."""
    values = set(const.data.reshape(-1).tolist())
    return str(values.pop()) if len(values) == 1 else const.name


def widened(name: str, kind: str, zero: int) -> str:
    """Return a wider copy of an array without its zero point."""
    return f"({name}.astype(np.{kind}){_minus(zero)})" if zero else f"{name}.astype(np.{kind})"


def wide_type(step: s.Weighted) -> str:
    """Return the type of the accumulators."""
    return "int64" if step.rescaling == "wide" else "int32"


@prints(s.FullyConnected)
def _fully_connected(step: s.FullyConnected) -> Lines:
    x, kind = step.inputs[0].name, wide_type(step)
    helper, result = rescaled(step)
    return Lines(
        [
            f"rows = {x}.reshape({step.rows}, {step.depth}).astype(np.{kind}){_minus(step.x_zero)}",
            f"acc = rows @ {widened(step.weights.name, kind, step.w_zero)}.T + {step.bias.name}",
            *clip_lines(step, result, shape=True),
        ],
        (helper,),
    )


@prints(s.Conv2d, s.DepthwiseConv2d)
def _convolution(step: s.Conv2d) -> Lines:
    x, kind, w = step.inputs[0].name, wide_type(step), step.weights.name
    helper, result = rescaled(step)
    height = max(step.in_h + step.pad_top, reach(step.out_h, step.stride_h, step.kernel_h, step.dilation_h))
    width = max(step.in_w + step.pad_left, reach(step.out_w, step.stride_w, step.kernel_w, step.dilation_w))
    rows = window_text("i", step.out_h, step.stride_h, step.dilation_h)
    columns = window_text("j", step.out_w, step.stride_w, step.dilation_w)
    if isinstance(step, s.DepthwiseConv2d):
        times = step.out_c // step.in_c
        repeated = f"np.repeat(window, {times}, axis=3)" if times > 1 else "window"
        inner = [f"        acc += {repeated} * weights[0, i, j]"]
    elif step.groups == 1:
        inner = ["        acc += window @ weights[:, i, j].T"]
    else:
        ins, outs = step.in_c // step.groups, step.out_c // step.groups
        inner = [
            f"        for g in range({step.groups}):",
            f"            part = window[..., g * {ins} : (g + 1) * {ins}] @ "
            f"weights[g * {outs} : (g + 1) * {outs}, i, j].T",
            f"            acc[..., g * {outs} : (g + 1) * {outs}] += part",
        ]
    return Lines(
        [
            f"padded = np.zeros({(step.batch, height, width, step.in_c)}, np.{kind})  # zero adds nothing",
            f"padded[:, {step.pad_top} : {step.pad_top + step.in_h}, {step.pad_left} : {step.pad_left + step.in_w}] = "
            f"{x}.astype(np.{kind}){_minus(step.x_zero)}",
            f"weights = {w}.astype(np.{kind}){_minus(step.w_zero)}",
            f"acc = np.zeros({shape_text(step.output)}, np.{kind}) + {step.bias.name}",
            f"for i in range({step.kernel_h}):",
            f"    for j in range({step.kernel_w}):",
            f"        window = padded[:, {rows}, {columns}]",
            *inner,
            *clip_lines(step, result),
        ],
        (helper,),
    )


def reach(out: int, stride: int, kernel: int, dilation: int = 1) -> int:
    """Return how many elements of the padded input the windows of one axis cover."""
    return (out - 1) * stride + (kernel - 1) * dilation + 1


def window_text(index: str, out: int, stride: int, dilation: int = 1) -> str:
    """Return the slice of the padded input that one tap reads, along one axis."""
    start = index if dilation == 1 else f"{dilation} * {index}"
    step = "" if stride == 1 else f" : {stride}"
    return f"{start} : {start} + {(out - 1) * stride + 1}{step}"


@prints(s.XcFc)
def _xc_fc(step: s.XcFc) -> Lines:
    x, w, bso, n = step.inputs[0].name, step.weights.name, step.bso.name, step.units
    return Lines(
        [
            "bias_hi, bias_lo, shift1, scale, offset_scale, offset, shift2 = (",
            f"    {bso}.astype(np.int64).transpose(1, 0, 2).reshape(7, -1)[:, :{n}])",
            "bias = bias_hi * 65536 + (bias_lo & 0xFFFF)",
            f"acc = bias + {w}.astype(np.int64)[:, :{step.depth}] @ {x}.reshape(-1).astype(np.int64)",
            "acc = np.clip(acc, -(2**31 - 1), 2**31 - 1)",
            "v = np.clip(round_shift(acc, shift1), -32767, 32767)",
            "y = round_shift(v * scale + offset_scale * offset, shift2)",
            f"{step.output.name} = np.clip(y, -128, 127).astype(np.int8).reshape({shape_text(step.output)})",
        ],
        ("round_shift",),
    )


@prints(s.MaxPool, s.AveragePool)
def _pool(step: s.Pool) -> Lines:
    x = step.inputs[0]
    average = isinstance(step, s.AveragePool)
    height = max(step.in_h + step.pad_top, reach(step.out_h, step.stride_h, step.kernel_h))
    width = max(step.in_w + step.pad_left, reach(step.out_w, step.stride_w, step.kernel_w))
    inside = f"[:, {step.pad_top} : {step.pad_top + step.in_h}, {step.pad_left} : {step.pad_left + step.in_w}]"
    window = f"padded[:, {window_text('i', step.out_h, step.stride_h)}, {window_text('j', step.out_w, step.stride_w)}]"
    outside = 0 if average else fits(x.dtype)[0]
    loops = [f"for i in range({step.kernel_h}):", f"    for j in range({step.kernel_w}):"]
    body = [
        f"padded = np.full({(step.batch, height, width, step.channels)}, {outside}, np.int32)",
        f"padded{inside} = {x.name}",
    ]
    if not average:
        acc = [f"acc = np.full({shape_text(step.output)}, {outside}, np.int32)"]
        return Lines([*body, *acc, *loops, f"        acc = np.maximum(acc, {window})", *clip_lines(step, "acc")])
    return Lines(
        [
            *body,
            "there = np.zeros(padded.shape, np.int32)",
            f"there{inside} = 1",
            f"acc = np.zeros({shape_text(step.output)}, np.int32)",
            "count = np.zeros(acc.shape, np.int32)",
            *loops,
            f"        acc += {window}",
            f"        count += {window.replace('padded', 'there')}",
            "mean = np.where(acc > 0, acc + count // 2, acc - count // 2)",
            "mean = np.sign(mean) * (np.abs(mean) // count)  # C's division: towards zero",
            *clip_lines(step, "mean"),
        ]
    )


@prints(s.Add)
def _add(step: s.Add) -> Lines:
    a, b = (v.name for v in step.inputs)
    sign = "+" if step.b_sign > 0 else "-"
    return Lines(
        [
            f"left = requantize({widened(a, 'int64', step.a_zero)} << {step.left_shift}, "
            f"{step.a_mantissa}, {step.a_shift})",
            f"right = requantize({widened(b, 'int64', step.b_zero)} << {step.left_shift}, "
            f"{step.b_mantissa}, {step.b_shift})",
            f"acc = requantize(left {sign} right, {step.y_mantissa}, {step.y_shift})",
            *clip_lines(step, f"acc{plus(step.y_zero)}", shape=True),
        ],
        ("requantize",),
    )


@prints(s.Multiply)
def _multiply(step: s.Multiply) -> Lines:
    a, b = (v.name for v in step.inputs)
    return Lines(
        [
            f"acc = {widened(a, 'int64', step.a_zero)} * {widened(b, 'int64', step.b_zero)}",
            *clip_lines(step, f"requantize(acc, {step.mantissa}, {step.shift}){plus(step.y_zero)}", shape=True),
        ],
        ("requantize",),
    )


@prints(s.SquaredDifference)
def _squared_difference(step: s.SquaredDifference) -> Lines:
    a, b = (v.name for v in step.inputs)
    return Lines(
        [
            f"left = requantize({widened(a, 'int64', step.a_zero)} << 7, {step.a_mantissa}, {step.a_shift})",
            f"right = requantize({widened(b, 'int64', step.b_zero)} << 7, {step.b_mantissa}, {step.b_shift})",
            f"acc = requantize((left - right) * (left - right), {step.y_mantissa}, {step.y_shift})",
            *clip_lines(step, f"acc{plus(step.y_zero)}", shape=True),
        ],
        ("requantize",),
    )


@prints(s.Prelu)
def _prelu(step: s.Prelu) -> Lines:
    a, b = (v.name for v in step.inputs)
    return Lines(
        [
            f"v = {a}.astype(np.int64){_minus(step.a_zero)}",
            f"positive = requantize(v, {step.mantissa}, {step.shift})",
            f"product = v * {widened(b, 'int64', step.b_zero)}",
            f"negative = requantize(product, {step.negative_mantissa}, {step.negative_shift})",
            *clip_lines(step, f"np.where(v >= 0, positive, negative){plus(step.y_zero)}", shape=True),
        ],
        ("requantize",),
    )


@prints(s.Maximum, s.Minimum)
def _extreme(step: s.Elementwise) -> Lines:
    a, b = (v.name for v in step.inputs)
    return Lines([f"{step.output.name} = np.{step.kind}({a}, {b}).reshape({shape_text(step.output)})"])


@prints(s.Requantize)
def _requantize(step: s.Requantize) -> Lines:
    x = f"{step.inputs[0].name}.astype(np.int64){_minus(step.x_zero)}"
    result = f"requantize({x}, {step.mantissa}, {step.shift}){plus(step.y_zero)}"
    return Lines([*clip_lines(step, result)], ("requantize",))


@prints(s.Lookup)
def _lookup(step: s.Lookup) -> Lines:
    index = f"{step.inputs[0].name}.astype(np.int64){_minus(step.x_min)}"
    return Lines([f"{step.output.name} = {step.table.name}[{index}]  # {step.meaning}"])


@prints(s.QuantizeFloat)
def _quantize_float(step: s.QuantizeFloat) -> Lines:
    x = step.inputs[0].name
    return Lines(
        [
            f"steps = {x} / np.float32({step.scale!r})",
            "whole = np.trunc(steps)",
            "whole = whole + np.where(np.abs(steps - whole) >= 0.5, np.sign(steps), 0)  # halves away from zero",
            "whole = np.where(np.abs(whole) < 2.0**31, whole, -(2.0**31)).astype(np.int64)  # as x86 converts",
            *clip_lines(step, f"wrap(whole{plus(step.y_zero)})"),
        ],
        ("wrap",),
    )


@prints(s.DequantizeFloat)
def _dequantize_float(step: s.DequantizeFloat) -> Lines:
    x = f"{step.inputs[0].name}.astype(np.float64){_minus(step.x_zero)}"
    return Lines([f"{step.output.name} = ({step.scale!r} * ({x})).astype(np.float32)"])


@prints(s.Softmax)
def _softmax(step: s.Softmax) -> Lines:
    x, e = step.inputs[0].name, step.exponentials.name
    return Lines(
        [
            f"rows = {x}.reshape({step.rows}, {step.depth}).astype(np.int64)",
            "below = rows.max(axis=1, keepdims=True) - rows",
            f"exponentials = {e}.astype(np.int64)[below]",
            "total = rounding_divide(exponentials, 12).sum(axis=1, keepdims=True)  # 12 integer bits",
            "total = total & 0xFFFFFFFF",
            "bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # position of the highest bit, plus one",
            "factor = one_over_one_plus_x((total << (32 - bits)) - (1 << 31))  # 1 / total, scaled into (1/2, 1]",
            f"y = rounding_divide(high_mul(exponentials, factor), bits{plus(11 - step.out_bits)}){plus(step.low)}",
            f"y = np.where(below > {step.reach}, {step.low}, y)",
            f"{step.output.name} = np.clip(y, {step.low}, {step.high}).astype(np.{step.output.dtype})"
            f".reshape({shape_text(step.output)})",
        ],
        ("rounding_divide", "high_mul", "one_over_one_plus_x"),
    )


@prints(s.Mean)
def _mean(step: s.Mean) -> Lines:
    x = step.inputs[0].name
    zero = step.elements * step.x_zero
    return Lines(
        [
            f"acc = {x}.sum(axis={step.axes}, dtype=np.int64){_minus(zero)}  # {step.elements} values each",
            *clip_lines(step, f"requantize(acc, {step.mantissa}, {step.shift}){plus(step.y_zero)}", shape=True),
        ],
        ("requantize",),
    )


@prints(s.ArgMax)
def _arg_max(step: s.ArgMax) -> Lines:
    function = "argmax" if step.sign > 0 else "argmin"
    x = f"{step.inputs[0].name}.reshape({step.outer}, {step.length}, {step.inner})"
    if step.inputs[0].dtype == "float32":
        x = f"np.nan_to_num({x}, nan={-step.sign} * np.inf, posinf=np.inf, neginf=-np.inf)"  # NaN loses
    return Lines(
        [
            f"at = np.{function}({x}, axis=1)",
            f"{step.output.name} = at.astype(np.{step.output.dtype}).reshape({shape_text(step.output)})",
        ]
    )


@prints(s.ResizeBilinear)
def _resize_bilinear(step: s.ResizeBilinear) -> Lines:
    return Lines(
        [
            f"x = {step.inputs[0].name}.astype(np.int64)",
            f"(top, bottom, dy), (left, right, dx) = {step.rows.name}, {step.columns.name}",
            "dy, dx = dy.astype(np.int64)[:, None, None], dx.astype(np.int64)[:, None]",
            "rows = x[:, top] * (1024 - dy) + x[:, bottom] * dy",
            "acc = rows[:, :, left] * (1024 - dx) + rows[:, :, right] * dx",
            f"{step.output.name} = (np.sign(acc) * ((np.abs(acc) + (1 << 19)) >> 20)).astype(np.{step.output.dtype})",
        ]
    )


@prints(s.Fill)
def _fill(step: s.Fill) -> Lines:
    return Lines([f"{step.output.name} = np.full({shape_text(step.output)}, {step.value}, np.{step.output.dtype})"])


@prints(s.Copy)
def _copy(step: s.Copy) -> Lines:
    return Lines([f"{step.output.name} = {step.inputs[0].name}.reshape({shape_text(step.output)})"])


@prints(s.CopyBlock)
def _copy_block(step: s.CopyBlock) -> Lines:
    count = step.count.data.tolist()
    at = _positions(step.x_offset, step.x_stride.data.tolist(), count)
    to = _positions(step.y_offset, step.y_stride.data.tolist(), count)
    return Lines([f"{step.output.name}.reshape(-1)[{to}] = {step.inputs[0].name}.reshape(-1)[{at}]"])


@prints(s.CopyIndexed)
def _copy_indexed(step: s.CopyIndexed) -> Lines:
    count = step.count.data.tolist()
    to = _positions(step.y_offset, step.y_stride.data.tolist(), count)
    terms, start = [], 0
    for d, n in enumerate(count):
        later = ", None" * (len(count) - 1 - d)
        terms.append(f"{step.index.name}[{start} : {start + n}]" + (f"[:{later}]" if later else ""))
        start += n
    return Lines(
        [
            f"at = {' + '.join(terms)}  # flat positions in the input",
            f"{step.output.name}.reshape(-1)[{to}] = {step.inputs[0].name}.reshape(-1)[at]",
        ]
    )


def _positions(offset: int, strides: list[int], count: list[int]) -> str:
    """Return flat positions of a block as an expression: a slice where there is one loop, otherwise a sum."""
    if len(count) == 1 and strides[0] > 0:
        stop = offset + (count[0] - 1) * strides[0] + 1
        return f"{offset} : {stop}" + (f" : {strides[0]}" if strides[0] != 1 else "")
    terms = [str(offset)] if offset else []
    for d, (stride, n) in enumerate(zip(strides, count, strict=True)):
        later = f"[:{', None' * (len(count) - 1 - d)}]" if d < len(count) - 1 else ""
        factor = "" if stride == 1 else f"{stride} * "
        terms.append(f"{factor}np.arange({n}){later}")
    return " + ".join(terms)

# SPDX-License-Identifier: Apache-2.0
"""float32 operators as NumPy code: the calls, and the order of additions, of the interpreter's kernels."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter.convolve import lines_per_block
from tflite2x.interpreter.elementwise import option
from tflite2x.interpreter.fixedpoint import activation_range_float
from tflite2x.interpreter.float_gemm import CONVOLUTION_LIMIT, FULLY_CONNECTED_LIMIT
from tflite2x.interpreter.kernels.convolution import conv_geometry
from tflite2x.interpreter.windows import Axis, window_axes
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import FloatStep, Step
from tflite2x.program.values import Const


def _step(work: Work, body: list[str], *inputs: int, arrays: tuple[Const, ...] = ()) -> list[Step]:
    return [FloatStep(**work.common(*inputs), body=tuple(body), arrays=arrays)]


def _clamped(work: Work, text: str) -> str:
    """Return an assignment to the output with the fused activation; without one, to the finite range."""
    low, high = activation_range_float(int(option(work.ctx, "fused_activation_function", 0)))
    out = work.output()
    return f"{out.name} = np.clip({text}, {float(low)!r}, {float(high)!r}).reshape({out.shape})"


def _weights(work: Work) -> tuple[Const, ...]:
    if work.ctx.input(1).type.name != "FLOAT32":
        raise work.ctx.unsupported("float32 activations with integer weights: quantized at run time, row by row")
    weights = work.const("weights", work.constant(1, "the weights"))
    if work.ctx.optional(2) is None:
        return (weights,)
    return weights, work.const("bias", work.constant(2, "the bias"))


def _biased(arrays: tuple[Const, ...], text: str) -> str:
    return f"{text} + {arrays[1].name}" if len(arrays) > 1 else text


@lowers("FULLY_CONNECTED", floats=True)
def fully_connected(work: Work) -> list[Step]:
    """FULLY_CONNECTED in float32."""
    arrays = _weights(work)
    units, depth = arrays[0].shape
    rows = work.input(0).size // depth
    body = [
        f"rows = {work.input(0).name}.reshape({rows}, {depth})",
        f"matrix = np.ascontiguousarray({arrays[0].name}.T)",
    ]
    body += _product("acc", "rows", depth, units, FULLY_CONNECTED_LIMIT)
    return _step(work, [*body, _clamped(work, _biased(arrays, "acc"))], 0, arrays=arrays)


def _product(result: str, rows: str, depth: int, units: int, limit: int) -> list[str]:
    """Multiply rows with ``matrix`` as the interpreter does: long sums in the order of the reference kernels."""
    if depth <= limit:
        return [f"{result} = np.matmul({rows}[None], matrix)[0]"]
    return [
        f"{result} = np.zeros((len({rows}), {units}), np.float32)",
        f"for k in range({depth}):  # one product after the other, as the reference kernels add",
        f"    {result} += {rows}[:, k, None] * matrix[k]",
    ]


def _axes(work: Work, kernel: tuple[int, ...]) -> tuple[Axis, ...]:
    geometry = conv_geometry(work.ctx)
    axes = window_axes(geometry.padding, work.input(0).shape[1:3], kernel, geometry.strides, geometry.dilations)
    if (axes[0].out, axes[1].out) != work.output().shape[1:3]:
        raise work.ctx.unsupported("the output's shape in the model is not the one at run time")
    return axes


def _padded(work: Work, axes: tuple[Axis, ...], outside: str) -> list[str]:
    batch, _, _, channels = work.input(0).shape
    height, width = (max(a.size + a.before, a.reach) for a in axes)
    inside = ", ".join(f"{a.before} : {a.before + a.size}" for a in axes)
    return [
        f"padded = np.full({(batch, height, width, channels)}, {outside}, np.float32)",
        f"padded[:, {inside}] = {work.input(0).name}",
    ]


def _tap(axes: tuple[Axis, ...]) -> str:
    parts = []
    for name, a in zip("ij", axes, strict=True):
        start = name if a.dilation == 1 else f"{a.dilation} * {name}"
        parts.append(f"{start} : {start} + {(a.out - 1) * a.stride + 1}" + (f" : {a.stride}" if a.stride > 1 else ""))
    return f"padded[:, {', '.join(parts)}]"


@lowers("CONV_2D", floats=True)
def conv_2d(work: Work) -> list[Step]:
    """CONV_2D in float32: matrix products over as many lines as the interpreter takes at a time."""
    arrays = _weights(work)
    units, kernel_h, kernel_w, channels = arrays[0].shape
    if channels != work.input(0).shape[3]:
        raise work.ctx.unsupported("grouped float32 convolution")
    axes = _axes(work, (kernel_h, kernel_w))
    out, depth = work.output(), kernel_h * kernel_w * channels
    lines = lines_per_block(axes[1].out, depth, units)
    taps = f"[{_tap(axes)} for i in range({kernel_h}) for j in range({kernel_w})]"
    return _step(
        work,
        [
            *_padded(work, axes, "0"),
            f"windows = np.concatenate({taps}, axis=3)",
            f"matrix = np.ascontiguousarray({arrays[0].name}.reshape({units}, {depth}).T)",
            f"acc = np.empty({out.shape}, np.float32)",
            f"for top in range(0, {axes[0].out}, {lines}):  # the number of rows in a product decides its rounding",
            f"    rows = windows[:, top : top + {lines}]",
            f"    for image in range({out.shape[0]}):",
            f"        flat = rows[image].reshape(-1, {depth})",
            *("        " + line for line in _product("product", "flat", depth, units, CONVOLUTION_LIMIT)),
            f"        acc[image, top : top + {lines}] = product.reshape(*rows.shape[1:3], {units})",
            _clamped(work, _biased(arrays, "acc")),
        ],
        0,
        arrays=arrays,
    )


@lowers("DEPTHWISE_CONV_2D", floats=True)
def depthwise_conv_2d(work: Work) -> list[Step]:
    """DEPTHWISE_CONV_2D in float32: tap by tap."""
    arrays = _weights(work)
    _, kernel_h, kernel_w, units = arrays[0].shape
    axes = _axes(work, (kernel_h, kernel_w))
    times = units // work.input(0).shape[3]
    window = f"np.repeat({_tap(axes)}, {times}, axis=3)" if times > 1 else _tap(axes)
    return _step(
        work,
        [
            *_padded(work, axes, "0"),
            f"acc = np.zeros({work.output().shape}, np.float32)",
            f"for i in range({kernel_h}):",
            f"    for j in range({kernel_w}):",
            f"        acc += {window} * {arrays[0].name}[0, i, j]",
            _clamped(work, _biased(arrays, "acc")),
        ],
        0,
        arrays=arrays,
    )


@lowers("MAX_POOL_2D", "AVERAGE_POOL_2D", floats=True)
def pool(work: Work) -> list[Step]:
    """Pooling in float32; sums in the order of the interpreter."""
    o, x = work.ctx.options, work.input(0)
    axes = window_axes(o.padding, x.shape[1:3], (o.filter_height, o.filter_width), (o.stride_h, o.stride_w), (1, 1))
    taps = f"[{_tap(axes)} for i in range({o.filter_height}) for j in range({o.filter_width})]"
    if work.op.name == "MAX_POOL_2D":
        lowest = f"{float(np.finfo(np.float32).min)!r}"
        return _step(work, [*_padded(work, axes, lowest), _clamped(work, f"np.fmax.reduce({taps})")], 0)
    if all(a.out == 1 and a.before == 0 and a.filter == a.size for a in axes) and x.shape[3] > 1:
        area = o.filter_height * o.filter_width
        total = f"np.add.reduce({x.name}.reshape({x.shape[0]}, {area}, {x.shape[3]}), axis=1)"
        return _step(work, [_clamped(work, f"{total} / np.float32({area})")], 0)
    counts = []
    for a in axes:
        start = np.arange(a.out) * a.stride - a.before
        counts.append((np.minimum(start + a.filter, a.size) - np.maximum(start, 0)).tolist())
    return _step(
        work,
        [
            *_padded(work, axes, "0"),
            f"taps = {taps}",
            "acc = taps[0].copy()",
            "for tap in taps[1:]:",
            "    acc += tap",
            f"count = np.array({counts[0]})[:, None, None] * np.array({counts[1]})[:, None]",
            _clamped(work, "acc / count.astype(np.float32)"),
        ],
        0,
    )


def _in_order(text: str, rows: int, count: int) -> str:
    """Return a sum over axis 0 of a [rows, count] array, one row after the other."""
    del rows
    return f"np.add.accumulate({text}, axis=0)[-1]" if count < 8 else f"np.add.reduce({text}, axis=0)"


@lowers("MEAN", floats=True)
def mean(work: Work) -> list[Step]:
    """MEAN in float32: values are added one by one."""
    x, out = work.input(0), work.output()
    rank = len(x.shape)
    axes = sorted({int(a) % rank for a in work.constant(1, "the axes").reshape(-1)})
    order = (*axes, *(i for i in range(rank) if i not in axes))
    elements = int(np.prod([x.shape[i] for i in axes]))
    return _step(
        work,
        [
            f"rows = np.ascontiguousarray({x.name}.transpose{order}).reshape({elements}, {x.size // elements})",
            f"total = {_in_order('rows', elements, x.size // elements)}",
            f"{out.name} = (total / np.float32({elements})).reshape({out.shape})",
        ],
        0,
    )


@lowers("SOFTMAX", floats=True)
def softmax(work: Work) -> list[Step]:
    """SOFTMAX in float32."""
    x, out = work.input(0), work.output()
    depth = x.shape[-1]
    rows = x.size // depth
    beta = float(np.float32(work.ctx.options.beta))
    return _step(
        work,
        [
            f"x = {x.name}.reshape({rows}, {depth})",
            f"e = np.exp((x - x.max(axis=1, keepdims=True)) * np.float32({beta!r}))",
            f"total = {_in_order('np.ascontiguousarray(e.T)', depth, rows)}",
            f"{out.name} = (e / total[:, None]).reshape({out.shape})",
        ],
        0,
    )


@lowers("ADD", "SUB", "MUL", floats=True)
def arithmetic(work: Work) -> list[Step]:
    """ADD, SUB and MUL in float32."""
    sign = {"ADD": "+", "SUB": "-", "MUL": "*"}[work.op.name]
    return _step(work, [_clamped(work, f"{work.input(0).name} {sign} {work.input(1).name}")], 0, 1)


_RELU = {"RELU": "0, np.inf", "RELU6": "0, 6", "RELU_N1_TO_1": "-1, 1", "RELU_0_TO_1": "0, 1"}


@lowers(*_RELU, floats=True)
def relu(work: Work) -> list[Step]:
    """The RELU family in float32."""
    bounds = _RELU[work.op.name]
    return _step(work, [f"{work.output().name} = np.clip({work.input(0).name}, {bounds}).astype(np.float32)"], 0)

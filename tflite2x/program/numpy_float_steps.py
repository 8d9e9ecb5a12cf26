# SPDX-License-Identifier: Apache-2.0
"""Every kind of float32 step as lines of NumPy; functions such as exp are computed in float64 and rounded once."""

from __future__ import annotations

from tflite2x.program import steps_float as f
from tflite2x.program.numpy_steps import Lines, prints, reach, shape_text, window_text


def _clipped(step: f.FloatWeighted | f.FloatPool, text: str) -> str:
    return f"{step.output.name} = np.clip({text}, {step.low!r}, {step.high!r}).reshape({shape_text(step.output)})"


@prints(f.FloatFullyConnected)
def _fully_connected(step: f.FloatFullyConnected) -> Lines:
    return Lines(
        [
            f"rows = {step.inputs[0].name}.reshape({step.rows}, {step.depth})",
            f"acc = np.zeros(({step.rows}, {step.units}), np.float32)",
            f"for k in range({step.depth}):  # one product after the other",
            f"    acc += rows[:, k, None] * {step.weights.name}[:, k]",
            _clipped(step, f"acc + {step.bias.name}"),
        ]
    )


@prints(f.FloatConv2d, f.FloatDepthwiseConv2d)
def _convolution(step: f.FloatConv2d) -> Lines:
    x, w = step.inputs[0].name, step.weights.name
    height = max(step.in_h + step.pad_top, reach(step.out_h, step.stride_h, step.kernel_h, step.dilation_h))
    width = max(step.in_w + step.pad_left, reach(step.out_w, step.stride_w, step.kernel_w, step.dilation_w))
    rows = window_text("i", step.out_h, step.stride_h, step.dilation_h)
    columns = window_text("j", step.out_w, step.stride_w, step.dilation_w)
    ins, outs = step.in_c // step.groups, step.out_c // step.groups
    if isinstance(step, f.FloatDepthwiseConv2d):
        repeated = f"np.repeat(window, {outs}, axis=3)" if outs > 1 else "window"
        inner = [f"        acc += {repeated} * {w}[0, i, j]"]
    elif step.groups == 1:
        inner = [
            f"        for k in range({ins}):  # one product after the other",
            f"            acc += window[..., k, None] * {w}[:, i, j, k]",
        ]
    else:
        inner = [
            f"        for k in range({ins}):  # one product after the other",
            f"            acc += np.repeat(window[..., k::{ins}], {outs}, axis=3) * {w}[:, i, j, k]",
        ]
    return Lines(
        [
            f"padded = np.zeros({(step.batch, height, width, step.in_c)}, np.float32)",
            f"padded[:, {step.pad_top} : {step.pad_top + step.in_h}, {step.pad_left} : {step.pad_left + step.in_w}] = "
            f"{x}",
            f"acc = np.zeros({shape_text(step.output)}, np.float32)",
            f"for i in range({step.kernel_h}):",
            f"    for j in range({step.kernel_w}):",
            f"        window = padded[:, {rows}, {columns}]",
            *inner,
            _clipped(step, f"acc + {step.bias.name}"),
        ]
    )


@prints(f.FloatTransposeConv)
def _transpose_conv(step: f.FloatTransposeConv) -> Lines:
    x, w = step.inputs[0].name, step.weights.name
    height = max(step.pad_top + step.out_h, (step.in_h - 1) * step.stride_h + step.kernel_h)
    width = max(step.pad_left + step.out_w, (step.in_w - 1) * step.stride_w + step.kernel_w)
    rows = f"i * {step.stride_h} : i * {step.stride_h} + {step.kernel_h}"
    columns = f"j * {step.stride_w} : j * {step.stride_w} + {step.kernel_w}"
    inside = (
        f"{step.pad_top} : {step.pad_top + step.out_h}, {step.pad_left} : {step.pad_left + step.out_w}"
    )  # fmt: skip
    return Lines(
        [
            f"weights = {w}.transpose(1, 2, 0, 3)",
            f"padded = np.zeros({(step.batch, height, width, step.out_c)}, np.float32)",
            f"for i in range({step.in_h}):",
            f"    for j in range({step.in_w}):",
            f"        window = padded[:, {rows}, {columns}]",
            f"        for k in range({step.in_c}):  # one product after the other",
            f"            window += {x}[:, i, j, k, None, None, None] * weights[..., k]",
            _clipped(step, f"padded[:, {inside}] + {step.bias.name}"),
        ]
    )


@prints(f.FloatMaxPool, f.FloatAveragePool)
def _pool(step: f.FloatPool) -> Lines:
    average = isinstance(step, f.FloatAveragePool)
    height = max(step.in_h + step.pad_top, reach(step.out_h, step.stride_h, step.kernel_h))
    width = max(step.in_w + step.pad_left, reach(step.out_w, step.stride_w, step.kernel_w))
    inside = f"[:, {step.pad_top} : {step.pad_top + step.in_h}, {step.pad_left} : {step.pad_left + step.in_w}]"
    window = f"padded[:, {window_text('i', step.out_h, step.stride_h)}, {window_text('j', step.out_w, step.stride_w)}]"
    outside = "0.0" if average else repr(-3.4028234663852886e38)
    shape = shape_text(step.output)
    counted = [
        "there = np.zeros(padded.shape, np.float32)", f"there{inside} = 1", "count = np.zeros(acc.shape, np.float32)",
    ]  # fmt: skip
    body = [
        f"padded = np.full({(step.batch, height, width, step.channels)}, {outside}, np.float32)",
        f"padded{inside} = {step.inputs[0].name}",
        f"acc = np.full({shape}, {outside}, np.float32)",
        *(counted if average else []),
        f"for i in range({step.kernel_h}):",
        f"    for j in range({step.kernel_w}):",
    ]  # fmt: skip
    if not average:
        return Lines([*body, f"        acc = np.fmax(acc, {window})", _clipped(step, "acc")])
    return Lines(
        [
            *body,
            f"        acc += {window}",
            f"        count += {window.replace('padded', 'there')}",
            _clipped(step, "acc / count"),
        ]
    )


_BINARIES = {
    "add": "{a} + {b}", "sub": "{a} - {b}", "mul": "{a} * {b}", "div": "{a} / {b}",
    "maximum": "np.where({a} > {b}, {a}, {b})", "minimum": "np.where({a} < {b}, {a}, {b})",
    "squared_difference": "np.square({a} - {b})", "prelu": "np.where({a} >= 0, {a}, {a} * {b})",
    "pow": "np.power({a}.astype(np.float64), {b}).astype(np.float32)",
}  # fmt: skip


@prints(f.FloatElementwise)
def _elementwise(step: f.FloatElementwise) -> Lines:
    text = _BINARIES[step.operation].format(a=step.inputs[0].name, b=step.inputs[1].name)
    if step.low is not None and step.high is not None:
        text = f"np.clip({text}, {step.low!r}, {step.high!r})"
    return Lines([f"{step.output.name} = np.asarray({text}, np.float32).reshape({shape_text(step.output)})"])


_UNARIES = {
    "leaky_relu": "np.where(x >= 0, x, x * np.float32({alpha!r}))",
    "logistic": "logistic_of(x)",
    "tanh": "np.tanh(x.astype(np.float64))",
    "elu": "np.where(x < 0, np.expm1(np.minimum(x, 0).astype(np.float64)).astype(np.float32), x)",
    "hard_swish": "x * np.clip(x + np.float32(3), 0, 6) / np.float32(6)",
    "gelu": "np.float32(0.5) * x * erfc_of(x * np.float32(-0.70710678))",
    "gelu_tanh": "gelu_of(x)",
    "exp": "np.exp(x.astype(np.float64))",
    "log": "np.log(x.astype(np.float64))",
    "sqrt": "np.sqrt(x)",
    "rsqrt": "np.float32(1) / np.sqrt(x)",
    "square": "x * x",
    "abs": "np.abs(x)",
    "neg": "-x",
    "floor": "np.floor(x)",
    "ceil": "np.ceil(x)",
    "round": "np.rint(x)",
    "sign": "np.sign(x)",
}
_UNARY_HELPERS = {"logistic": "logistic_of", "gelu": "erfc_of", "gelu_tanh": "gelu_of"}


@prints(f.FloatUnary)
def _unary(step: f.FloatUnary) -> Lines:
    x, out = step.inputs[0].name, step.output.name
    if step.operation == "clamp":
        high = "np.inf" if step.high == float("inf") else repr(step.high)
        return Lines([f"{out} = np.clip({x}, {step.low!r}, {high})"])
    text = _UNARIES[step.operation].format(alpha=step.alpha)
    helper = _UNARY_HELPERS.get(step.operation)
    return Lines([f"x = {x}", f"{out} = np.asarray({text}, np.float32)"], (helper,) if helper else ())


@prints(f.FloatSoftmax)
def _softmax(step: f.FloatSoftmax) -> Lines:
    return Lines(
        [
            f"x = {step.inputs[0].name}.reshape({step.rows}, {step.depth})",
            f"below = (x - x.max(axis=1, keepdims=True)) * np.float32({step.beta!r})",
            "e = np.exp(below.astype(np.float64)).astype(np.float32)",
            "total = np.add.accumulate(e, axis=1)[:, -1:]  # from left to right",
            f"{step.output.name} = (e / total).reshape({shape_text(step.output)})",
        ]
    )


@prints(f.FloatLogSoftmax)
def _log_softmax(step: f.FloatLogSoftmax) -> Lines:
    return Lines(
        [
            f"x = {step.inputs[0].name}.reshape({step.rows}, {step.depth})",
            "below = x - x.max(axis=1, keepdims=True)",
            "e = np.exp(below.astype(np.float64)).astype(np.float32)",
            "total = np.add.accumulate(e, axis=1)[:, -1:]  # from left to right",
            f"{step.output.name} = (below - np.log(total.astype(np.float64)).astype(np.float32))"
            f".reshape({shape_text(step.output)})",
        ]
    )


@prints(f.FloatNormalize)
def _normalize(step: f.FloatNormalize) -> Lines:
    return Lines(
        [
            f"x = {step.inputs[0].name}.reshape({step.rows}, {step.depth})",
            "total = np.add.accumulate(x * x, axis=1)[:, -1:]  # from left to right",
            f"{step.output.name} = (x / np.maximum(np.sqrt(total), np.float32(1e-6)))"
            f".reshape({shape_text(step.output)})",
        ]
    )


@prints(f.FloatReduce)
def _reduce(step: f.FloatReduce) -> Lines:
    x, rank = step.inputs[0], len(step.inputs[0].shape)
    order = (*step.axes, *(i for i in range(rank) if i not in step.axes))
    function = {"sum": "add", "mean": "add", "prod": "multiply", "max": "fmax", "min": "fmin"}[step.operation]
    divided = f" / np.float32({step.elements})" if step.operation == "mean" else ""
    return Lines(
        [
            f"rows = {x.name}.transpose({order}).reshape({step.elements}, -1)",
            f"total = np.{function}.accumulate(rows, axis=0)[-1]  # one after the other",
            f"{step.output.name} = (total{divided}).reshape({shape_text(step.output)})",
        ]
    )


@prints(f.FloatResizeBilinear)
def _resize(step: f.FloatResizeBilinear) -> Lines:
    half = f" + np.float32({step.half!r})" if step.half else ""
    return Lines(
        [
            f"x = {step.inputs[0].name}.astype(np.float32)",
            f"(top, bottom), (left, right) = {step.rows.name}, {step.columns.name}",
            f"dy, dx, one = {step.dy.name}[:, None, None], {step.dx.name}[:, None], np.float32(1)",
            "rows, below = x[:, top] * (one - dy), x[:, bottom] * dy",
            "acc = rows[:, :, left] * (one - dx)",
            "acc += below[:, :, left] * (one - dx)",
            "acc += rows[:, :, right] * dx",
            "acc += below[:, :, right] * dx",
            f"{step.output.name} = (acc{half}).astype(np.{step.output.dtype})",
        ]
    )


@prints(f.FloatBatchMatmul)
def _batch_matmul(step: f.FloatBatchMatmul) -> Lines:
    a, b = step.inputs[0].name, step.inputs[1].name
    left = (step.depth, step.rows) if step.a_row == 1 and step.a_depth != 1 else (step.rows, step.depth)
    right = (step.columns, step.depth) if step.b_depth == 1 and step.b_column != 1 else (step.depth, step.columns)
    left_turned = ".swapaxes(1, 2)" if left != (step.rows, step.depth) else ""
    right_turned = ".swapaxes(1, 2)" if right != (step.depth, step.columns) else ""
    return Lines(
        [
            f"left = {a}.reshape{(-1, *left)}[{step.a_at.name}]{left_turned}",
            f"right = {b}.reshape{(-1, *right)}[{step.b_at.name}]{right_turned}",
            f"acc = np.zeros(({step.matrices}, {step.rows}, {step.columns}), np.float32)",
            f"for k in range({step.depth}):  # one product after the other",
            "    acc += left[:, :, k, None] * right[:, k, None]",
            f"{step.output.name} = acc.reshape({shape_text(step.output)})",
        ]
    )

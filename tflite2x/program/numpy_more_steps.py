# SPDX-License-Identifier: Apache-2.0
"""More kinds of integer steps as lines of NumPy: matrices, windows of the past, int16 functions."""

from __future__ import annotations

from tflite2x.program import steps as s
from tflite2x.program.numpy_steps import Lines, clip_lines, plus, prints, rescaled, shape_text, wide_type, widened


@prints(s.TransposeConv)
def _transpose_conv(step: s.TransposeConv) -> Lines:
    x, kind = step.inputs[0].name, wide_type(step)
    helper, result = rescaled(step)
    height = max(step.pad_top + step.out_h, (step.in_h - 1) * step.stride_h + step.kernel_h)
    width = max(step.pad_left + step.out_w, (step.in_w - 1) * step.stride_w + step.kernel_w)
    rows = f"i : i + {(step.in_h - 1) * step.stride_h + 1} : {step.stride_h}"
    columns = f"j : j + {(step.in_w - 1) * step.stride_w + 1} : {step.stride_w}"
    return Lines(
        [
            f"x = {widened(x, kind, step.x_zero)}",
            f"weights = {widened(step.weights.name, kind, step.w_zero)}",
            f"padded = np.zeros({(step.batch, height, width, step.out_c)}, np.{kind})",
            f"for i in range({step.kernel_h}):",
            f"    for j in range({step.kernel_w}):",
            f"        padded[:, {rows}, {columns}] += x @ weights[:, i, j].T",
            f"acc = padded[:, {step.pad_top} : {step.pad_top + step.out_h}, "
            f"{step.pad_left} : {step.pad_left + step.out_w}] + {step.bias.name}",
            *clip_lines(step, result),
        ],
        (helper,),
    )


@prints(s.Extreme)
def _extreme(step: s.Extreme) -> Lines:
    function = "max" if step.sign > 0 else "min"
    x = step.inputs[0].name
    return Lines([f"{step.output.name} = {x}.{function}(axis={step.axes}).reshape({shape_text(step.output)})"])


@prints(s.BatchMatmul)
def _batch_matmul(step: s.BatchMatmul) -> Lines:
    a, b = step.inputs[0].name, step.inputs[1].name
    turned_a, turned_b = step.a_row == 1 and step.depth > 1, step.b_depth == 1 and step.columns > 1
    left = (step.depth, step.rows) if turned_a else (step.rows, step.depth)
    right = (step.columns, step.depth) if turned_b else (step.depth, step.columns)
    return Lines(
        [
            f"left = {widened(a, 'int32', step.a_zero)}.reshape{(-1, *left)}[{step.a_at.name}]"
            + (".swapaxes(1, 2)" if turned_a else ""),
            f"right = {widened(b, 'int32', step.b_zero)}.reshape{(-1, *right)}[{step.b_at.name}]"
            + (".swapaxes(1, 2)" if turned_b else ""),
            "acc = left @ right",
            *clip_lines(step, f"requantize(acc, {step.mantissa}, {step.shift}){plus(step.y_zero)}", shape=True),
        ],
        ("requantize",),
    )


@prints(s.SvdfUpdate)
def _svdf_update(step: s.SvdfUpdate) -> Lines:
    x, old, state = step.inputs[0].name, step.inputs[1].name, step.output.name
    return Lines(
        [
            f"rows = {widened(x, 'int32', step.x_zero)}.reshape({step.batch}, {step.depth})",
            f"acc = rows @ {step.weights.name}.astype(np.int32).T",
            f"y = np.clip(requantize(acc, {step.mantissa}, {step.shift}), {step.low}, {step.high})",
            f"window = {old}.reshape({step.batch}, {step.filters}, {step.memory})",
            f"{state} = np.concatenate([window[..., 1:], y[..., None].astype(window.dtype)], axis=2)"
            f".reshape({shape_text(step.output)})",
        ],
        ("requantize",),
    )


@prints(s.SvdfOutput)
def _svdf_output(step: s.SvdfOutput) -> Lines:
    shape = (step.batch, step.units, step.rank, step.memory)
    return Lines(
        [
            f"window = {step.inputs[0].name}.reshape{shape}.astype(np.int64)",
            f"acc = (window * {step.weights.name}.reshape{shape[1:]}).sum(axis=(2, 3)) + {step.bias.name}",
            *clip_lines(step, f"requantize(acc, {step.mantissa}, {step.shift}){plus(step.y_zero)}", shape=True),
        ],
        ("requantize",),
    )


@prints(s.AddPowers)
def _add_powers(step: s.AddPowers) -> Lines:
    a, b = step.inputs[0].name, step.inputs[1].name
    sign = "+" if step.b_sign > 0 else "-"
    return Lines(
        [
            f"left = rounding_divide({a}.astype(np.int64), {step.a_shift})",
            f"right = rounding_divide({b}.astype(np.int64), {step.b_shift})",
            f"acc = np.clip(left {sign} right, -32768, 32767)",
            *clip_lines(step, "acc", shape=True),
        ],
        ("rounding_divide",),
    )


@prints(s.Interpolate)
def _interpolate(step: s.Interpolate) -> Lines:
    x, table = step.inputs[0].name, step.table.name
    return Lines(
        [
            f"x, table = {x}.astype(np.int64), {table}.astype(np.int64)  # {step.meaning}",
            "at = 256 + (x >> 7)",
            "y = table[at] + (((table[at + 1] - table[at]) * (x & 127) + 64) >> 7)",
            f"{step.output.name} = y.astype(np.int16)",
        ]
    )


@prints(s.Softmax16)
def _softmax(step: s.Softmax16) -> Lines:
    return Lines(
        [
            f"rows = {step.inputs[0].name}.reshape({step.rows}, {step.depth}).astype(np.int64)",
            "below = rows - rows.max(axis=1, keepdims=True)",
            f"at = clamp_16(requantize(below, {step.mantissa}, {step.shift}) + 32767)",
            f"e = interpolate_16({step.exponential.name}, at)",
            "total = e.sum(axis=1, keepdims=True)",
            "bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # position of the highest bit, plus one",
            "at = clamp_16((((total << (31 - bits)) + (1 << 13)) >> 14) - (1 << 15) - (1 << 16))",
            f"y = (e * interpolate_16({step.reciprocal.name}, at) + (np.int64(1) << (bits - 2))) >> (bits - 1)",
            f"{step.output.name} = np.clip(y, 0, 32767).astype(np.int16).reshape({shape_text(step.output)})",
        ],
        ("requantize", "clamp_16", "interpolate_16"),
    )


@prints(s.Sigmoid16)
def _sigmoid(step: s.Sigmoid16) -> Lines:
    x, table = step.inputs[0].name, step.table.name
    return Lines(
        [
            f"v = ({x}.astype(np.int64) * {step.multiplier} + {step.rounding}) >> {step.shift}  # {step.meaning}",
            f"i, part = np.abs(v) >> {step.bits}, np.abs(v) & {(1 << step.bits) - 1}",
            f"low, high = (np.asarray({table}, np.int64)[np.minimum(i, 254) + k] for k in (0, 1))",
            f"acc = np.where(i >= 255, {step.beyond}, (low << {step.bits}) + part * (high - low)) - {step.offset}",
            f"y = (np.where(v >= 0, acc, {step.mirror} - acc - 1) + {step.half}) >> {step.down}",
            f"{step.output.name} = y.astype(np.int16)",
        ]
    )

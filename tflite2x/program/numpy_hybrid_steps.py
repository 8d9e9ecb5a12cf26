# SPDX-License-Identifier: Apache-2.0
"""Steps of layers with integer weights and float32 activations as lines of NumPy."""

from __future__ import annotations

from tflite2x.program import steps_hybrid as h
from tflite2x.program.numpy_steps import Lines, prints, reach, shape_text, window_text


@prints(h.RowScales)
def _row_scales(step: h.RowScales) -> Lines:
    out = step.output.name
    rows = f"rows = {step.inputs[0].name}.reshape({step.rows}, {step.depth})"
    if not step.asymmetric:
        return Lines(
            [
                rows,
                "extent = np.abs(rows).max(axis=1)",
                "safe = np.where(extent == 0, np.float32(1), extent)",
                "scale = np.where(extent == 0, np.float32(1), safe / np.float32(127))",
                f"{out} = np.stack([scale, np.float32(127) / safe, 0 * scale], axis=1)",
            ]
        )
    return Lines(
        [
            rows,
            "low, high = rows.min(axis=1, initial=0), rows.max(axis=1, initial=0)",
            "wide = np.where(low == high, 1.0, (high - low).astype(np.float64) / 255.0)",
            "below, above = low / wide, high / wide",
            "zero = np.where(128.0 - below < 127.0 + above, -128.0 - below, 127.0 - above)",
            "zero = np.where(low == high, 0.0, np.clip(np.trunc(zero + np.copysign(0.5, zero)), -128, 127))",
            "scale = wide.astype(np.float32)",
            f"{out} = np.stack([scale, np.float32(1) / scale, zero.astype(np.float32)], axis=1)",
        ]
    )


@prints(h.QuantizeRows)
def _quantize_rows(step: h.QuantizeRows) -> Lines:
    x, scales = step.inputs[0].name, step.inputs[1].name
    return Lines(
        [
            f"rows = {x}.reshape({step.rows}, {step.depth}) * {scales}[:, 1:2]",
            "whole = np.trunc(rows + np.copysign(np.float32(0.5), rows))",
            f"rest = rows[:, {step.whole}:]  # LiteRT rounds the last elements in another way",
            "more = np.where(np.abs(rest - np.trunc(rest)) >= 0.5, np.sign(rest), 0)",
            f"whole[:, {step.whole}:] = np.trunc(rest) + more",
            f"zero = {scales}[:, 2:3]",
            f"{step.output.name} = (np.clip(whole + zero, {step.low}, 127) - zero).astype(np.int16)"
            f".reshape({shape_text(step.output)})",
        ]
    )


def _finish(step: h.HybridWeighted, scale: str) -> list[str]:
    factors = (
        f"({scale} * {step.scale.name})" if step.joined else f"{step.scale.name} * {scale}"
    )  # fmt: skip
    value = f"acc.astype(np.float32) * {factors} + {step.bias.name}"
    return [f"{step.output.name} = np.clip({value}, {step.low!r}, {step.high!r}).reshape({shape_text(step.output)})"]


@prints(h.HybridFullyConnected)
def _fully_connected(step: h.HybridFullyConnected) -> Lines:
    x, scales = step.inputs[0].name, step.inputs[1].name
    return Lines(
        [
            f"rows = {x}.reshape({step.rows}, {step.depth}).astype(np.int32)",
            f"acc = rows @ {step.weights.name}.astype(np.int32).T",
            *_finish(step, f"{scales}[:, :1]"),
        ]
    )


@prints(h.HybridConv2d, h.HybridDepthwiseConv2d)
def _convolution(step: h.HybridConv2d) -> Lines:
    x, scales = step.inputs[0].name, step.inputs[1].name
    height = max(step.in_h + step.pad_top, reach(step.out_h, step.stride_h, step.kernel_h, step.dilation_h))
    width = max(step.in_w + step.pad_left, reach(step.out_w, step.stride_w, step.kernel_w, step.dilation_w))
    rows = window_text("i", step.out_h, step.stride_h, step.dilation_h)
    columns = window_text("j", step.out_w, step.stride_w, step.dilation_w)
    ins, outs = step.in_c // step.groups, step.out_c // step.groups
    if isinstance(step, h.HybridDepthwiseConv2d):
        repeated = f"np.repeat(window, {outs}, axis=3)" if outs > 1 else "window"
        inner = [f"        acc += {repeated} * weights[0, i, j]"]
    elif step.groups == 1:
        inner = ["        acc += window @ weights[:, i, j].T"]
    else:
        inner = [
            f"        for k in range({ins}):",
            f"            acc += np.repeat(window[..., k::{ins}], {outs}, axis=3) * weights[:, i, j, k]",
        ]
    return Lines(
        [
            f"padded = np.zeros({(step.batch, height, width, step.in_c)}, np.int32)",
            f"padded[:, {step.pad_top} : {step.pad_top + step.in_h}, {step.pad_left} : {step.pad_left + step.in_w}] = "
            f"{x}",
            f"weights = {step.weights.name}.astype(np.int32)",
            f"acc = np.zeros({shape_text(step.output)}, np.int32)",
            f"for i in range({step.kernel_h}):",
            f"    for j in range({step.kernel_w}):",
            f"        window = padded[:, {rows}, {columns}]",
            *inner,
            *_finish(step, f"{scales}[:, 0].reshape(-1, 1, 1, 1)"),
        ]
    )

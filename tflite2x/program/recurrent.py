# SPDX-License-Identifier: Apache-2.0
"""Lowering of SVDF of int8 values: its window of the past is a variable tensor, which lives from run to run."""

from __future__ import annotations

import numpy as np

from tflite2x.program.elementwise import multiplier, quantized_type
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import Copy, Step, SvdfOutput, SvdfUpdate
from tflite2x.program.values import Value, fits


@lowers("SVDF")
def svdf(work: Work) -> list[Step]:
    """SVDF of int8 with a state of int16 (or int8, as in TFLite Micro)."""
    quantized_type(work, "INT8")
    ctx, x, feature, time, state, out = work.ctx, *(work.ctx.input(i) for i in (0, 1, 2, 4)), work.ctx.outputs[0]
    weights, over_time = work.constant(1, "the feature weights"), work.constant(2, "the time weights")
    filters, memory = over_time.shape
    units, batch, depth = out.shape[-1], x.shape[0], weights.shape[1]
    bias = np.zeros(units) if ctx.optional(3) is None else work.constant(3, "the bias")
    f32 = np.float32
    first = multiplier(float(f32(x.scale[0]) * f32(feature.scale[0]) / f32(state.scale[0])))
    second = multiplier(float(f32(state.scale[0]) * f32(time.scale[0]) / f32(out.scale[0])))
    window = work.input(4)
    if not isinstance(window, Value) or window not in work.lowering.states:
        raise ctx.unsupported("the state is no variable tensor")
    if window.size != batch * filters * memory or filters % units or work.output().size != batch * units:
        raise ctx.unsupported(f"a state of shape {window.shape} for {filters} filters over {memory} steps")
    low, high = fits(window.dtype)
    old = Value(work.lowering.names(f"{work.label}_old"), window.shape, window.dtype)
    update = SvdfUpdate(
        inputs=(work.input(0), old), output=window, origin=work.origin, weights=work.const("weights", weights),
        batch=batch, depth=depth, filters=filters, memory=memory, x_zero=x.z, mantissa=first[0], shift=first[1],
        low=low, high=high,
    )  # fmt: skip
    low, high = fits(out.dtype.name)
    return [
        Copy(inputs=(window,), output=old, origin=work.origin, size=window.size),
        update,
        SvdfOutput(
            inputs=(window,), output=work.output(), origin=work.origin,
            weights=work.const("time_weights", over_time), bias=work.const("bias", bias, dtype=np.int32),
            batch=batch, units=units, rank=filters // units, memory=memory, mantissa=second[0], shift=second[1],
            y_zero=out.z, low=low, high=high,
        ),
    ]  # fmt: skip

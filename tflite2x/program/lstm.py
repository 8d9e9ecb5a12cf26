# SPDX-License-Identifier: Apache-2.0
"""Lowering of int8 LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM without variants, as the converter of Keras writes them."""

from __future__ import annotations

import math

import numpy as np

from tflite2x.interpreter.fixedpoint import wrap_int32
from tflite2x.interpreter.recurrent.integer_cell import scales_of
from tflite2x.interpreter.recurrent.multipliers import quantize_multiplier
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import Copy, CopyBlock, Step
from tflite2x.program.steps_lstm import Lstm
from tflite2x.program.steps_plain import Cast
from tflite2x.program.values import Const, Value

_WEIGHTS, _RECURRENT, _BIAS, _STATE, _CELL = 1, 5, 12, 18, 19
_INTERMEDIATES = 5


@lowers("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", exported=("INT8",))
def lstm(work: Work) -> list[Step]:
    """An int8 LSTM with 16-bit gates, of LiteRT's arithmetic."""
    ctx, x, o = work.ctx, work.ctx.input(0), work.ctx.options
    wanted = {*range(9), *range(12, 16), _STATE, _CELL}
    present = {i for i in range(len(ctx.inputs)) if ctx.optional(i) is not None}
    if present != wanted or len(ctx.intermediates) != _INTERMEDIATES or bool(getattr(o, "kernel_type", False)):
        raise ctx.unsupported("an int8 LSTM with peepholes, projection, normalization or 8-bit gates")
    if ctx.rounding == "double":
        raise ctx.unsupported("an int8 LSTM under double rounding")
    if not all(t is not None and t.is_variable for t in (work.op.inputs[_STATE], work.op.inputs[_CELL])):
        raise ctx.unsupported("a state that is no variable tensor")
    scales = scales_of(ctx, _STATE, _CELL, layer_norm=False)
    f32 = np.float32
    weights = np.stack([work.constant(_WEIGHTS + i, "the weights") for i in range(4)])
    recurrent = np.stack([work.constant(_RECURRENT + i, "the weights") for i in range(4)])
    bias = np.stack([work.constant(_BIAS + i, "the bias") for i in range(4)]).astype(np.int64)
    units, depth = weights.shape[1:]
    real = [
        [f32(ctx.input(_WEIGHTS + i).scale[0]) * scales.input / scales.gates[i] for i in range(4)],
        [f32(ctx.input(_RECURRENT + i).scale[0]) * scales.state / scales.gates[i] for i in range(4)],
    ]
    mantissa, shift = quantize_multiplier(np.asarray(real, np.float64))
    h_mantissa, h_shift = quantize_multiplier(float(f32(2.0**-15 / float(scales.hidden) * 2.0**-15)))
    sequence = work.op.name != "LSTM"
    time_major = sequence and bool(o.time_major)
    batch, time = (x.shape[0], 1) if not sequence else (x.shape[1], x.shape[0]) if time_major else x.shape[:2]
    if recurrent.shape[1:] != (units, units):
        raise ctx.unsupported("an int8 LSTM with a projection")
    state, start = _state(work, batch, units)
    size, names = batch * time * units, work.lowering.names
    old = Value(names(f"{work.label}_old"), state.shape, "int16")
    everything = Value(names(f"{work.label}_all"), (2 * batch * units + size,), "int16")
    results = Value(names(f"{work.label}_results"), (size,), "int16")
    work.lowering.states[state] = start
    clip = int(min(f32(o.cell_clip) / scales.cell, f32(32767))) if o.cell_clip > 0 else 0
    origin = work.origin
    return [
        Copy(inputs=(state,), output=old, origin=origin, size=state.size),
        Lstm(
            inputs=(work.input(0), old), output=everything, origin=origin,
            weights=work.const("weights", weights, "gates: input, forget, cell, output"),
            bias=work.const("bias", _folded(weights, scales.input_zero) + bias, "zero point folded in", np.int32),
            recurrent=work.const("recurrent", recurrent),
            recurrent_bias=work.const("recurrent_bias", _folded(recurrent, scales.state_zero), dtype=np.int32),
            mantissa=work.const("mantissa", mantissa, dtype=np.int32), shift=work.const("shift", shift, dtype=np.int32),
            batch=batch, time=time, depth=depth, units=units, x_batch=1 if time_major or not sequence else time,
            x_time=batch if time_major else 1, cell_exponent=round(math.log2(float(scales.cell))), cell_clip=clip,
            h_mantissa=int(h_mantissa), h_shift=int(h_shift), h_zero=scales.hidden_zero,
        ),
        _part(work, everything, state, 0, "kept"),
        _part(work, everything, results, state.size, "given"),
        Cast(
            inputs=(results,), output=work.output(0, (*x.shape[:-1], units)), origin=origin, mode="wrap", size=size,
        ),
    ]  # fmt: skip


def _folded(weights: np.ndarray, zero: int) -> np.ndarray:
    return wrap_int32(-zero * weights.sum(axis=2, dtype=np.int64))


def _state(work: Work, batch: int, units: int) -> tuple[Value, Const]:
    """Return the value that holds h and c from run to run, [batch, 2 * units], and where it starts."""
    names = work.lowering.names
    state = Value(names(f"state_{work.label}"), (batch, 2 * units), "int16")
    start = np.zeros(state.shape, np.int16)
    start[:, :units] = work.ctx.input(_STATE).z
    return state, Const(names(f"{state.name}_start"), start, "h and c")


def _part(work: Work, source: Value, target: Value, offset: int, name: str) -> Step:
    one = work.const(f"{name}_stride", [1], dtype=np.int32)
    return CopyBlock(
        inputs=(source,), output=target, origin=work.origin, rank=1,
        count=work.const(f"{name}_count", [target.size], dtype=np.int32), x_offset=offset, x_stride=one, y_offset=0,
        y_stride=one,
    )  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""The int8 LSTM with 16-bit cell state as a NumPy function.

States are arguments and results: ``y, output_state, cell_state = f(x, output_state, cell_state)``. The steps of
exported programs (:mod:`tflite2x.program.lstm`) hold both in one value, and know fewer variants. Formulas: LiteRT
``lstm_eval.cc`` (LstmStepInteger8x8_16) and gemmlowp's ``fixedpoint.h`` on int16, as in
:mod:`tflite2x.interpreter.recurrent.integer_cell`, to which a test holds the printed code.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.interpreter.fixedpoint import wrap_int32
from tflite2x.interpreter.recurrent.integer_cell import Scales, scales_of
from tflite2x.interpreter.recurrent.multipliers import quantize_multiplier
from tflite2x.interpreter.recurrent.parameters import CELL, FORGET, FULL, INPUT, OUTPUT, CellParameters, collect
from tflite2x.program.numpy_code import module_code, one_line_each
from tflite2x.program.values import Const

if TYPE_CHECKING:
    from tflite2x.interpreter.kernel import Array
    from tflite2x.program.lowering import Work

_NAMES = {INPUT: "input", FORGET: "forget", CELL: "cell", OUTPUT: "output"}
_HELPERS = '''
def short_mul(a, b):
    """a * b / 2**15, rounded half up, on int16 (gemmlowp)."""
    return np.minimum((a * b + (1 << 14)) >> 15, 32767)


def short_up(x, bits):
    """x * 2**bits, saturated to int16."""
    return np.clip(x << bits, -32768, 32767)


def exponential(a, bits):
    """exp(a) of negative int16 with so many integer bits; the result has none."""
    unit = 1 << (13 - bits)  # one quarter
    reduced = (a & (unit - 1)) - unit
    x = short_up(reduced, bits) + (1 << 12)
    x2 = short_mul(x, x)
    x3, x4 = short_mul(x2, x), short_mul(x2, x2)
    higher = rounding_divide(short_mul(rounding_divide(x4, 2) + x3, 10923) + x2, 1)
    result = np.clip(28918 + short_mul(28918, x + higher), -32768, 32767)
    factors = (25520, 19875, 12055, 4435, 600, 11, 0)  # exp(-1/4), exp(-1/2), exp(-1), ..., exp(-16)
    for place in range(min(bits, 5) + 2):
        chosen = ((reduced - a) >> (13 - bits + place)) & 1
        result = np.where(chosen, short_mul(result, factors[place]), result)
    if bits > 5:
        result = np.where(a < -(1 << (20 - bits)), 0, result)
    return np.where(a == 0, 32767, result)


def two_over_one_plus(a):
    """2 / (1 + a) with 2 integer bits: Newton-Raphson."""
    half = (a + 32768) >> 1
    x = 23130 + short_mul(half, -15420)
    for _ in range(3):
        x = x + short_up(short_mul(x, (1 << 13) - short_mul(half, x)), 2)
    return x


def logistic(a, bits):
    """1 / (1 + exp(-a)) of int16 with so many integer bits."""
    positive = short_up(two_over_one_plus(exponential(-np.abs(a), bits)), 1)
    return np.where(a == 0, 1 << 14, np.where(a > 0, positive, 32767 - positive))


def tanh(a, bits):
    """The hyperbolic tangent of int16 with so many integer bits."""
    x = two_over_one_plus(exponential(-np.abs(a), bits + 1))
    return np.sign(a) * short_up(x - (1 << 13), 2)


def gate(x, h, w, r):
    """Both products in steps of 2**-12, each saturated, and so is their sum."""
    share = np.clip(requantize(wrap(x @ w[0].astype(np.int64).T + w[1]), w[2], w[3]), -32768, 32767)
    recurrent = requantize(wrap(h @ r[0].astype(np.int64).T + r[1]), r[2], r[3])
    return np.clip(recurrent + share, -32768, 32767)
'''


def lstm_code(work: Work, name: str, doc: str) -> str:
    """Return a self-contained module with one function that computes an int8 LSTM.

    Raises:
        UnsupportedError: The cell has peepholes, layer normalization, 8-bit gates, or weights given at run time.
    """
    ctx = work.ctx
    names = {s.type.name for s in (ctx.input(0), ctx.input(FULL.weights[FORGET]), ctx.outputs[0])}
    variants = [ctx.optional(FULL.norm[FORGET]), ctx.optional(FULL.peephole[FORGET])]
    if names != {"INT8"} or len(ctx.intermediates) == 12 or any(v is not None for v in variants):
        raise ctx.unsupported(f"{ctx.name} prints as NumPy in int8, without peepholes and layer normalization")
    if any(s is not None and s.const is None and i not in (0, FULL.output_state, FULL.cell_state)
           for i, s in enumerate(ctx.inputs)):  # fmt: skip
        raise ctx.unsupported("weights that are computed at run time")
    work.lowering.prepare(work.op, ctx)
    if ctx.rounding == "double":
        raise ctx.unsupported("TFLite Micro's cell has other arithmetic, which has no NumPy form here")
    p = collect(ctx, FULL)([])
    s = scales_of(ctx, FULL.output_state, FULL.cell_state, layer_norm=False)
    constants: list[Const] = []
    text = _HELPERS + _function(work, name, doc, p, s, constants)
    return module_code("", constants, {"requantize"}, text.strip("\n") + "\n").lstrip("\n")


def _product(
    constants: list[Const], name: str, weights: Array, zero: int, bias: Array | None, scale: float
) -> str:  # fmt: skip
    """Return the tuple of weights, folded bias, mantissa and shift; adds the constants."""
    folded = -zero * weights.sum(axis=1, dtype=np.int64)
    folded = wrap_int32(folded if bias is None else folded + bias)
    mantissa, shift = (int(v) for v in quantize_multiplier(scale))
    constants.append(Const(f"{name}_weights", np.ascontiguousarray(weights), ""))
    constants.append(Const(f"{name}_bias", folded, "the zero point's share folded in"))
    return f"({name}_weights, {name}_bias, {mantissa}, {shift})"


def _function(work: Work, name: str, doc: str, p: CellParameters, s: Scales, constants: list[Const]) -> str:
    f32 = np.float32
    exponent = round(math.log2(float(s.cell)))
    rank = len(work.ctx.input(0).shape)
    time_axis = 0 if work.op.name == "LSTM" or getattr(work.op.options, "time_major", False) else 1
    gates = {}
    for g in p.gates:
        scale_w, scale_r = f32(p.scale["weights"][g]) * s.input, f32(p.scale["recurrent"][g]) * s.state
        pair = (
            _product(constants, f"{_NAMES[g]}_x", p.need("weights", g), s.input_zero, p.need("bias", g),
                     float(scale_w / s.gates[g])),
            _product(constants, f"{_NAMES[g]}_h", p.need("recurrent", g), s.state_zero, None,
                     float(scale_r / s.gates[g])),
        )  # fmt: skip
        function = "tanh" if g == CELL else "logistic"
        gates[g] = f"{function}(gate(frame, h, {pair[0]}, {pair[1]}), 3)"
    cell_clip = int(min(f32(p.cell_clip) / s.cell, f32(32767))) if p.cell_clip > 0 else 32767
    low = -32768 if p.cell_clip <= 0 else -cell_clip
    mantissa, shift = (int(v) for v in quantize_multiplier(float(f32(2.0**-15 / float(s.hidden) * 2.0**-15))))
    zero = s.hidden_zero if p.projection is None else -s.hidden_zero
    lines = [
        f"sequence = {_sequence(rank, time_axis)}",
        f"h = output_state.reshape(sequence.shape[1], {p.n_output}).astype(np.int64)",
        f"c = cell_state.reshape(sequence.shape[1], {p.n_cell}).astype(np.int64)",
        "results = []",
        "for frame in sequence.astype(np.int64):",
        f"    forget = {gates[FORGET]}",
        f"    enter = {'32767 - forget' if p.cifg else gates[INPUT]}",
        f"    update = {gates[CELL]}",
        "    kept = rounding_divide(forget * c, 15).astype(np.int16).astype(np.int64)",
        f"    added = rounding_divide(enter * update, {30 + exponent}).astype(np.int16).astype(np.int64)",
        f"    state = np.clip(kept + added, {low}, {cell_clip})",
        "    c = state  # the gate below sees the old output",
        f"    product = {gates[OUTPUT]} * tanh(state, {15 + exponent})",
        f"    h = np.clip(requantize(product, {mantissa}, {shift}){_plus(zero)}, -128, 127)",
    ]
    if p.projection is not None:
        scale = f32(p.scale["projection"][0]) * s.hidden / s.state
        w = _product(constants, "projection", p.projection, -s.hidden_zero, p.projection_bias, float(scale))
        limit = int(min(f32(p.proj_clip) / s.output, f32(127))) if p.proj_clip > 0 else 0
        lines += [
            f"    w, b, mantissa, shift = {w}",
            "    h = requantize(wrap(h @ w.astype(np.int64).T + b), mantissa, shift)",
            f"    h = np.clip(h{_plus(s.state_zero)}, -128, 127)",
        ]
        if limit:
            lines.append(f"    h = np.clip(h, {-limit}, {limit})")
    lines += [
        "    results.append(h.astype(np.int8))",
        f"y = {'results[0]' if rank == 2 else f'np.stack(results, axis={time_axis})'}",
        "return y, h.astype(np.int8).reshape(output_state.shape), c.astype(np.int16).reshape(cell_state.shape)",
    ]
    indent = "\n    "
    quoted = indent.join(one_line_each(doc).splitlines())
    return f'\n\ndef {name}(x, output_state, cell_state):\n    """{quoted}\n    """{indent}{indent.join(lines)}\n'


def _sequence(rank: int, time_axis: int) -> str:
    if rank == 2:
        return "x[None]  # [time, batch, inputs]"
    return "x  # [time, batch, inputs]" if time_axis == 0 else "x.transpose(1, 0, 2)  # [time, batch, inputs]"


def _plus(value: int) -> str:
    return "" if value == 0 else f" + {value}" if value > 0 else f" - {-value}"

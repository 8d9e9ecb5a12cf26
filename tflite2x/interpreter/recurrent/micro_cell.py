# SPDX-License-Identifier: Apache-2.0
"""TFLite Micro's quantized LSTM cell: int8 or int16 activations, int8 weights, 16-bit gates and cell state.

TFLite Micro has its own UNIDIRECTIONAL_SEQUENCE_LSTM, made of its kernels for FULLY_CONNECTED, MUL, LOGISTIC and TANH.
Unlike LiteRT's (:mod:`tflite2x.interpreter.recurrent.integer_cell`) it interpolates in the table of int16 LOGISTIC
where LiteRT evaluates gemmlowp's functions, multiplies gates by quantized multipliers (two roundings) where LiteRT
shifts, and needs no intermediate tensors.

Source: TFLite Micro ``lstm_eval.h``, ``lstm_eval.cc`` and ``lstm_eval_common.cc``.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter import lookup
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array, KernelContext
from tflite2x.interpreter.recurrent.integer_cell import Product, clip16
from tflite2x.interpreter.recurrent.multipliers import quantize_multiplier, requantize
from tflite2x.interpreter.recurrent.parameters import CELL, FORGET, FULL, GATES, INPUT, OUTPUT, CellParameters
from tflite2x.schema.enums import ActivationFunctionType

Int64 = NDArray[np.int64]
f32 = np.float32

#: Scale of gates before their activation, and of everything behind an activation.
_GATE, _UNIT = 2.0**-12, 2.0**-15


def is_micro(ctx: KernelContext) -> bool:
    """Whether TFLite Micro has this cell: no coupled gates, peepholes, projection or layer normalization."""
    variants = (*FULL.peephole, FULL.projection, FULL.projection_bias, *FULL.norm)
    needed = (*FULL.weights, *FULL.recurrent, *FULL.bias)
    return all(ctx.optional(i) is None for i in variants) and all(ctx.optional(i) is not None for i in needed)


class MicroCell:
    """One LSTM cell of TFLite Micro.

    Args:
        p: Parameters.
        ctx: The operator.
    """

    def __init__(self, p: CellParameters, ctx: KernelContext) -> None:
        x, hidden, memory = ctx.input(0), ctx.input(FULL.output_state), ctx.input(FULL.cell_state)
        for spec in (x, hidden, memory, *(ctx.input(i) for i in (*FULL.weights, *FULL.recurrent))):
            if not spec.is_quantized:
                raise ctx.unsupported(f"tensor {spec.name!r} has no quantization")
        if p.activation != ActivationFunctionType.TANH:
            raise ctx.unsupported("an integer LSTM whose activation is not TANH", "TFLite Micro has no other.")
        wide = x.dtype.itemsize == 2
        self._dtype, self._zero = hidden.dtype, hidden.z
        info = np.iinfo(hidden.dtype)
        self._low, self._high = int(info.min), int(info.max)

        def products(name: str, positions: tuple[int, ...], source: float, zero: int, biased: bool) -> list[Product]:
            made = []
            for gate in GATES:
                spec = ctx.input(positions[gate])
                weights = p.need(name, gate).astype(np.int64) - spec.z
                real = float(f32(source) * spec.scale[0]) / _GATE
                bias = p.need("bias", gate) if biased else None
                scale = f32(real)  # exact: a float32 divided by a power of two
                made.append(Product(weights, zero, bias, scale, magnitude=-int(info.min), wide=wide))
            return made

        self._weights = products("weights", FULL.weights, x.s, x.z, True)
        self._recurrent = products("recurrent", FULL.recurrent, hidden.s, hidden.z, False)
        self._keep = quantize_multiplier(_UNIT * memory.s / memory.s)
        self._enter = quantize_multiplier(_UNIT * _UNIT / memory.s)
        self._hidden = quantize_multiplier(_UNIT * _UNIT / hidden.s)
        # CheckedLog2 in float32; what is not a power of two is rounded to one.
        log2 = f32(np.log(f32(memory.s))) * (f32(1) / f32(np.log(f32(2))))
        self._cell_tanh = _cell_tanh(int(round_half_away(f32(log2))))
        self._clip = int(min(max(float(f32(p.cell_clip)) / memory.s, -32768.0), 32767.0)) if p.cell_clip > 0 else 0

    def inputs(self, x: Array, aux: Array | None) -> dict[int, Int64]:
        """Return each gate's share that does not depend on the state, for all steps at once."""
        assert aux is None, "integer cells have no auxiliary input"
        return {gate: clip16(self._weights[gate](x)) for gate in GATES}

    def step(self, shares: dict[int, Int64], output: Array, cell: Array) -> tuple[Array, Array]:
        """Advance by one step.

        Args:
            shares: Result of ``inputs`` for this step: [..., batch, n_cell] per gate.
            output: Output state [..., batch, n_cell], int8 or int16.
            cell: Cell state [..., batch, n_cell], int16.

        Returns:
            The new states.
        """
        gates = {}
        for gate in GATES:
            total = clip16(clip16(self._recurrent[gate](output)) + shares[gate])
            gates[gate] = _look_up(_tables()[gate == CELL], total)
        kept = clip16(requantize(gates[FORGET] * cell.astype(np.int64), *self._keep))
        added = clip16(requantize(gates[INPUT] * gates[CELL], *self._enter))
        memory = clip16(kept + added)
        if self._clip > 0:
            memory = np.clip(memory, -self._clip, self._clip)
        product = _look_up(self._cell_tanh, memory) * gates[OUTPUT]
        result = np.clip(requantize(product, *self._hidden) + self._zero, self._low, self._high)
        return result.astype(self._dtype), memory.astype(np.int16)


def _look_up(table: Int64, x: Int64) -> Int64:
    return table[x + 32768]


@functools.cache
def _tables() -> tuple[Int64, Int64]:
    """Return LOGISTIC and TANH of every int16 with 3 integer bits."""
    x = 3 * np.arange(-32768, 32768, dtype=np.int64)
    return lookup.logistic16(x), lookup.tanh16(x)


@functools.cache
def _cell_tanh(exponent: int) -> Int64:
    """Return TANH of every int16 that counts units of ``2 ** exponent``."""
    x, shift = 3 * np.arange(-32768, 32768, dtype=np.int64), exponent + 12
    if shift < 0:
        return lookup.tanh16((x + (1 << (-shift - 1))) >> -shift)
    return lookup.tanh16(x << shift)

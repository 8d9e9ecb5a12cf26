# SPDX-License-Identifier: Apache-2.0
"""The fully quantized LSTM cell with 16-bit gates (int8x8_16).

Activations and weights are int8, gates and cell state int16. Sources: LiteRT ``lstm.cc``
(PopulateQuantizedLstmParams8x8_16), ``lstm_eval.cc`` (LstmStepInteger8x8_16) and
``internal/reference/portable_tensor_utils.cc``.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.fixedpoint import requantize_int64, rounding_divide_by_pot, wrap_int32
from tflite2x.interpreter.gemmlowp import inverse_sqrt
from tflite2x.interpreter.kernel import Array, KernelContext
from tflite2x.interpreter.recurrent.gemmlowp16 import logistic_table, tanh_table
from tflite2x.interpreter.recurrent.multipliers import quantize_multiplier, requantize
from tflite2x.interpreter.recurrent.parameters import CELL, FORGET, INPUT, OUTPUT, CellParameters

Int64 = NDArray[np.int64]
f32 = np.float32

#: Gates are Q3.12 without layer normalization.
_GATE_SCALE = f32(2.0**-12)


@dataclasses.dataclass(frozen=True)
class Scales:
    """Scales and zero points around the cell.

    Attributes:
        input: Scale of the input.
        input_zero: Its zero point.
        state: Scale of the output state.
        state_zero: Its zero point.
        cell: Scale of the cell state, a power of two.
        gates: Scales of the four gates before activation.
        hidden: Scale of the output before projection.
        hidden_zero: Its zero point.
        output: Scale of the output, for the projection's clip.
    """

    input: np.float32
    input_zero: int
    state: np.float32
    state_zero: int
    cell: np.float32
    gates: tuple[np.float32, ...]
    hidden: np.float32
    hidden_zero: int
    output: np.float32


def scales_of(ctx: KernelContext, output_state: int, cell_state: int, *, layer_norm: bool) -> Scales:
    """Read the scales from the operator's tensors."""
    if len(ctx.intermediates) < 5:
        raise ctx.unsupported(
            f"{len(ctx.intermediates)} intermediate tensors; an integer LSTM needs 5, which carry quantization"
        )
    x, state, cell, output = ctx.input(0), ctx.input(output_state), ctx.input(cell_state), ctx.outputs[0]
    between = [s if s is not None and s.is_quantized else None for s in ctx.intermediates]
    hidden = between[4]
    if hidden is None:
        raise ctx.unsupported("intermediate tensor 4 has no quantization")
    gates = []
    for spec in between[:4]:
        if layer_norm and spec is None:
            raise ctx.unsupported("an intermediate tensor has no quantization")
        gates.append(f32(spec.scale[0]) if layer_norm and spec is not None else _GATE_SCALE)
    for spec in (x, state, cell, output):
        if not spec.is_quantized:
            raise ctx.unsupported(f"tensor {spec.name!r} has no quantization")
    exponent = math.log2(cell.s)
    if exponent != round(exponent) or not -15 <= exponent <= -9:
        raise ctx.unsupported(f"the scale of the cell state is {cell.s}, not a power of two from 2**-15 to 2**-9")
    return Scales(
        f32(x.scale[0]), x.z, f32(state.scale[0]), state.z, f32(cell.scale[0]), tuple(gates),
        f32(hidden.scale[0]), hidden.z, f32(output.scale[0]),
    )  # fmt: skip


class Product:
    """Rows times int8 weights, plus a bias that holds the zero point's share, requantized.

    Args:
        weights: [outputs, inputs].
        zero: What is subtracted from the rows.
        bias: [outputs], or None.
        scale: Real multiplier.
        magnitude: Largest magnitude of the rows.
        wide: LiteRT sums in 64 bits, and so takes the multiplication of 64-bit values with its 16-bit mantissa.
    """

    def __init__(
        self, weights: Array, zero: int, bias: Array | None, scale: np.float32,
        *, magnitude: int = 128, wide: bool = False,
    ) -> None:  # fmt: skip
        self._gemm = ExactGemm(np.ascontiguousarray(weights.T), magnitude)
        folded = -zero * weights.sum(axis=1, dtype=np.int64)
        bias = folded if bias is None else folded + bias
        self._bias = bias if wide else wrap_int32(bias)
        self._multiplier = quantize_multiplier(float(scale))
        self._wide = wide

    def __call__(self, rows: Array) -> Int64:
        """Multiply [..., inputs] rows."""
        total = self._gemm(rows.astype(self._gemm.dtype)).astype(np.int64)
        if self._wide:
            return requantize_int64(total + self._bias, *self._multiplier)
        return requantize(wrap_int32(total + self._bias), *self._multiplier)


def clip16(x: Int64) -> Int64:
    """Clamp to int16."""
    return np.clip(x, -32768, 32767)


class IntegerCell:
    """One LSTM cell with int8 output state and int16 cell state.

    Args:
        p: Parameters.
        s: Scales.
        rows_together: LiteRT calls the step with all rows of the batch, not one by one.
    """

    def __init__(self, p: CellParameters, s: Scales, *, rows_together: bool = True) -> None:
        self.p, self.s, self._rows_together = p, s, rows_together
        layer_norm = p.norm[FORGET] is not None
        self._weights, self._recurrent = {}, {}
        for gate in p.gates:
            weight_scale, recurrent_scale = f32(p.scale["weights"][gate]), f32(p.scale["recurrent"][gate])
            # With layer normalization, the bias belongs behind it.
            bias = None if layer_norm else p.need("bias", gate)
            self._weights[gate] = Product(
                p.need("weights", gate), s.input_zero, bias, weight_scale * s.input / s.gates[gate]
            )
            self._recurrent[gate] = Product(
                p.need("recurrent", gate), s.state_zero, None, recurrent_scale * s.state / s.gates[gate]
            )
        self._cell_exponent = round(math.log2(float(s.cell)))
        self._peephole = {
            gate: quantize_multiplier(float(f32(2.0**self._cell_exponent * float(f32(scale)) / float(s.gates[gate]))))
            for gate, scale in zip((INPUT, FORGET, OUTPUT), p.scale["peephole"], strict=True)
        }
        self._norm = {gate: quantize_multiplier(p.scale["norm"][gate]) for gate in p.gates}
        self._guard = {gate: max(1, int(f32(10000) * f32(p.scale["norm"][gate]))) for gate in p.gates}
        self._hidden = quantize_multiplier(float(f32(2.0**-15 / float(s.hidden) * 2.0**-15)))
        self._projection = None
        if p.projection is not None:
            scale = f32(p.scale["projection"][0]) * s.hidden / s.state
            # The hidden value is stored with its zero point's sign turned round; see step.
            self._projection = Product(p.projection, -s.hidden_zero, p.projection_bias, scale)
        self._cell_clip = _clip(p.cell_clip, s.cell, 32767)
        self._proj_clip = _clip(p.proj_clip, s.output, 127)
        self._logistic = logistic_table(3)
        self._gate_tanh = tanh_table(3)
        self._cell_tanh = tanh_table(15 + self._cell_exponent)

    def inputs(self, x: Array, aux: Array | None) -> dict[int, Int64]:
        """Return each gate's share that does not depend on the state, for all steps at once."""
        assert aux is None, "integer cells have no auxiliary input"
        return {gate: clip16(self._weights[gate](x)) for gate in self.p.gates}

    def step(self, shares: dict[int, Int64], output: Array, cell: Array) -> tuple[Array, Array]:
        """Advance by one step.

        Args:
            shares: Result of ``inputs`` for this step: [..., batch, n_cell] per gate.
            output: Output state [..., batch, n_output], int8.
            cell: Cell state [..., batch, n_cell], int16.

        Returns:
            The new states.
        """
        forget = self._gate(FORGET, shares, output, cell)
        enter = 32767 - forget if self.p.cifg else self._gate(INPUT, shares, output, cell)
        update = self._gate(CELL, shares, output, cell)
        kept = wrap_int16(rounding_divide_by_pot(forget * cell.astype(np.int64), 15))
        added = wrap_int16(rounding_divide_by_pot(enter * update, 30 + self._cell_exponent))
        total = clip16(kept + added)
        if self._cell_clip > 0:
            total = np.clip(total, -self._cell_clip, self._cell_clip)
        cell = total.astype(np.int16)
        gate = self._gate(OUTPUT, shares, output, cell)
        product = gate * _look_up(self._cell_tanh, total)
        # LiteRT subtracts the zero point here and adds it in the projection (b/246629213); the two cancel.
        zero = self.s.hidden_zero if self._projection is None else -self.s.hidden_zero
        hidden = np.clip(requantize(product, *self._hidden) + zero, -128, 127)
        if self._projection is not None:
            hidden = np.clip(self._projection(hidden) + self.s.state_zero, -128, 127)
            if self._proj_clip > 0:
                hidden = np.clip(hidden, -self._proj_clip, self._proj_clip)
        return hidden.astype(np.int8), cell

    def _gate(self, gate: int, shares: dict[int, Int64], output: Array, cell: Array) -> Int64:
        p = self.p
        x = clip16(self._recurrent[gate](output) + shares[gate])
        peephole = None if gate == CELL else p.peephole[{INPUT: 0, FORGET: 1, OUTPUT: 2}[gate]]
        if peephole is not None:
            x = self._add_peephole(x, peephole.astype(np.int64), cell, gate)
        if p.norm[gate] is not None:
            x = self._normalize(x, gate)
        return _look_up(self._gate_tanh if gate == CELL else self._logistic, x)

    def _add_peephole(self, x: Int64, weights: Int64, cell: Array, gate: int) -> Int64:
        """Add weights times cell state.

        LiteRT passes n_output as the length of a row. With a projection that is not n_cell: then only the first
        rows * n_output elements of all rows together get their share, and with other weights.
        """
        n_output, n_cell, batch = self.p.n_output, self.p.n_cell, x.shape[-2]
        if not self._rows_together:
            x, cell, batch = x[..., None, :], cell[..., None, :], 1
        flat, state = x.reshape(*x.shape[:-2], -1).copy(), cell.reshape(*x.shape[:-2], -1)
        count = batch * n_output
        if count > flat.shape[-1] or n_output > n_cell:
            raise ValueError("with peepholes, the output cannot be longer than the cell state")
        share = requantize(np.tile(weights[:n_output], batch) * state[..., :count], *self._peephole[gate])
        flat[..., :count] = clip16(flat[..., :count] + share)
        result = flat.reshape(x.shape)
        return result if self._rows_together else result[..., 0, :]

    def _normalize(self, x: Int64, gate: int) -> Int64:
        """Apply layer normalization (PortableApplyLayerNorm); sums in 64 bits, all else in int32 that wraps."""
        n = x.shape[-1]
        mean = _divide(x.sum(axis=-1, keepdims=True) * 1024, n)
        variance = _divide((x * x).sum(axis=-1, keepdims=True) * ((1 << 20) // n) - mean * mean, 1 << 20)
        variance = wrap_int32(variance)
        variance = np.where(variance < 1, self._guard[gate], variance)
        mantissa, shift = inverse_sqrt(variance)
        scaled = requantize(wrap_int32(1024 * x - mean), mantissa, shift)
        weighted = wrap_int32(scaled * self.p.need("norm", gate).astype(np.int64) + self.p.need("bias", gate))
        halved = _divide(np.where(weighted > 0, weighted + 512, weighted - 512), 1024)
        norm_mantissa, norm_shift = self._norm[gate]
        return clip16(requantize(halved, norm_mantissa, norm_shift + 12))


def _clip(limit: float, scale: np.float32, largest: int) -> int:
    return int(min(f32(limit) / scale, f32(largest))) if limit > 0 else 0


def wrap_int16(x: Int64) -> Int64:
    """Wrap to int16, as the C++ cast does."""
    return x.astype(np.int16).astype(np.int64)


def _look_up(table: NDArray[np.int16], x: Int64) -> Int64:
    return table[x + 32768].astype(np.int64)


def _divide(x: Int64, divisor: int) -> Int64:
    """Divide and truncate towards zero, as C++ does."""
    quotient: Int64 = np.sign(x) * (np.abs(x) // divisor)
    return quotient

# SPDX-License-Identifier: Apache-2.0
"""The fully quantized LSTM cell with 8-bit gates (int8x8_8): coupled input gate, layer normalization, projection.

Sources: LiteRT ``lstm.cc`` (PopulateQuantizedLstmParams8x8_8), ``lstm_eval.cc`` (LstmStepInteger8x8_8) and
``internal/reference/portable_tensor_utils.cc``. Its activations go through the C library's ``expf`` and ``tanhf``, and
the product with 2**15 is truncated. ``expf`` does not matter: none of the 65,536 inputs has another sigmoid than with
an exactly rounded exponential. ``tanhf`` does: glibc before 2.41 is off by an ulp or two, which shows in 48 truncated
values of the cell state and 12 of a gate; other libraries are off elsewhere. So the tables of tanh are made with this
machine's ``tanhf``, which LiteRT calls too, and results equal LiteRT's on the same machine.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.fixedpoint import round_half_away, rounding_divide_by_pot, wrap_int32
from tflite2x.interpreter.kernel import Array, KernelContext
from tflite2x.interpreter.recurrent.integer_cell import Product, clip16, wrap_int16
from tflite2x.interpreter.recurrent.multipliers import quantize_multiplier, requantize
from tflite2x.interpreter.recurrent.parameters import CELL, FORGET, FULL, OUTPUT, CellParameters

Int64 = NDArray[np.int64]
f32 = np.float32


class Integer8Cell:
    """One LSTM cell with 8-bit gate products.

    LiteRT reads the scale and zero point of the output gate's recurrent product from the wrong places: the
    multiplier is 0 there and the zero point that of the cell gate's input product. So the output gate does not see the
    output state. This cell does the same.

    Args:
        p: Parameters.
        ctx: The operator, for scales.
    """

    def __init__(self, p: CellParameters, ctx: KernelContext) -> None:
        if not p.cifg or p.projection is None or p.norm[FORGET] is None:
            raise ctx.unsupported("8-bit gates need a coupled input gate, layer normalization and a projection")
        if p.projection_bias is None:
            raise ctx.unsupported("8-bit gates need a projection bias")
        between = [s for s in ctx.intermediates if s is not None and s.is_quantized]
        if len(between) != 12:
            raise ctx.unsupported("an intermediate tensor has no quantization")
        self.p = p
        x, state, cell = ctx.input(0), ctx.input(FULL.output_state), ctx.input(FULL.cell_state)
        if cell.s != 1 / 32768:
            raise ctx.unsupported(f"the scale of the cell state is {cell.s}, not 2**-15")
        scale = [f32(s.scale[0]) for s in between]
        zero = [s.z for s in between]
        self._products: dict[int, tuple[Product, Product]] = {}
        self._zeros: dict[int, tuple[int, int]] = {}
        self._sums: dict[int, tuple[Any, Any]] = {}
        for gate in (FORGET, CELL, OUTPUT):
            # Three tensors per gate: the sum, the input's product, the recurrent product.
            total, of_input, of_state = 3 * gate, 3 * gate + 1, 3 * gate + 2
            input_scale = f32(p.scale["weights"][gate]) * f32(x.scale[0]) / scale[of_input]
            state_scale = f32(p.scale["recurrent"][gate]) * f32(state.scale[0]) / scale[of_state]
            self._products[gate] = (
                Product(p.need("weights", gate), x.z, None, input_scale),
                Product(p.need("recurrent", gate), state.z, None, state_scale),
            )
            self._zeros[gate] = zero[of_input], zero[of_state]
            self._sums[gate] = (
                quantize_multiplier(float(scale[of_input] / scale[total])),
                quantize_multiplier(float(scale[of_state] / scale[total])),
            )
        self._zeros[OUTPUT] = zero[3 * OUTPUT + 1], zero[3 * CELL + 1]
        self._sums[OUTPUT] = self._sums[OUTPUT][0], (0, self._sums[OUTPUT][1][1])
        self._norm = {}
        for gate in (FORGET, CELL, OUTPUT):
            mantissa, shift = quantize_multiplier(p.scale["norm"][gate])
            self._norm[gate] = f32(int(mantissa) * 2.0 ** (int(shift) - 31))
        projection_scale = f32(p.scale["projection"][0])
        self._projection = Product(
            p.projection, 0, p.projection_bias, f32(float(projection_scale) * 2.0**-15 / float(f32(state.scale[0]))),
            magnitude=32768, wide=True,
        )  # fmt: skip
        self._state_zero = state.z
        self._cell_clip = int(f32(p.cell_clip) * f32(32768)) if 0 < p.cell_clip < 1 else 0
        output = ctx.outputs[0]
        self._proj_clip = int(min(f32(p.proj_clip) / f32(output.scale[0]), f32(127))) if p.proj_clip > 0 else 0

    def inputs(self, x: Array, aux: Array | None) -> dict[int, Int64]:
        """Return each gate's share that does not depend on the state, for all steps at once."""
        assert aux is None, "integer cells have no auxiliary input"
        return {
            gate: np.clip(self._products[gate][0](x) + self._zeros[gate][0], -128, 127)
            for gate in (FORGET, CELL, OUTPUT)
        }

    def step(self, shares: dict[int, Int64], output: Array, cell: Array) -> tuple[Array, Array]:
        """Advance by one step; see ``IntegerCell.step``."""
        forget = self._gate(FORGET, shares, output)
        update = self._gate(CELL, shares, output)
        kept = wrap_int16(rounding_divide_by_pot(forget * cell.astype(np.int64), 15))
        added = wrap_int16(rounding_divide_by_pot((32767 - forget) * update, 15))
        total = clip16(kept + added)
        if self._cell_clip > 0:
            total = np.clip(total, -self._cell_clip, self._cell_clip)
        gate = self._gate(OUTPUT, shares, output)
        hidden = wrap_int16(rounding_divide_by_pot(gate * _tanh(total, 2.0**-15), 15))
        result = np.clip(self._projection(hidden) + self._state_zero, -128, 127)
        if self._proj_clip > 0:
            result = np.clip(result, -self._proj_clip, self._proj_clip)
        return result.astype(np.int8), total.astype(np.int16)

    def _gate(self, gate: int, shares: dict[int, Int64], output: Array) -> Int64:
        # The product itself uses the tensor's own zero point; only the sum reads another one.
        own_zero = self._zeros[gate][1]
        recurrent = np.clip(self._products[gate][1](output) + own_zero, -128, 127)
        (input_mantissa, input_shift), (state_mantissa, state_shift) = self._sums[gate]
        entered = requantize(shares[gate] - self._zeros[gate][0], input_mantissa, input_shift)
        returned = requantize(recurrent - own_zero, state_mantissa, state_shift)
        total = clip16(entered + returned)
        normal = self._normalize(total, gate)
        return _tanh(normal, 2.0**-12) if gate == CELL else _sigmoid(normal)

    def _normalize(self, x: Int64, gate: int) -> Int64:
        """Apply layer normalization in float32 (PortableApplyLayerNormFloat)."""
        value = x.astype(np.float32)
        n = f32(x.shape[-1])
        # The C++ sums one after the other in float32; cumsum keeps that order.
        mean = np.cumsum(value, axis=-1, dtype=np.float32)[..., -1:] / n
        square = np.cumsum(value * value, axis=-1, dtype=np.float32)[..., -1:] / n
        variance = square - mean * mean
        inverse = f32(1) / np.sqrt(np.where(variance == 0, f32(1e-8), variance))
        scale = self._norm[gate]
        weighted = (value - mean) * inverse * self.p.need("norm", gate).astype(np.float32) * scale
        weighted = weighted + self.p.need("bias", gate).astype(np.float32) * (f32(2.0**-10) * scale)
        return clip16(wrap_int32(round_half_away(weighted * f32(4096)).astype(np.int64)))


def _sigmoid(x: Int64) -> Int64:
    power = np.exp(-(x * 2.0**-12)).astype(np.float32)
    value = f32(1) / (f32(1) + power)
    return clip16((value * f32(32768)).astype(np.int64))


def _tanh(x: Int64, unit: float) -> Int64:
    return _tanh_table(unit)[x + 32768]


@functools.cache
def _tanh_table(unit: float) -> Int64:
    """Return tanh of all 65,536 values of int16 times ``unit``, in steps of 2**-15 (PortableApplyTanhFloat)."""
    exact = np.arange(-32768, 32768) * unit
    try:
        tanhf = ctypes.CDLL(None).tanhf
    except (OSError, AttributeError, TypeError):  # a system that does not offer the C library to its programs
        value = np.tanh(exact).astype(np.float32)
    else:
        tanhf.argtypes, tanhf.restype = (ctypes.c_float,), ctypes.c_float
        value = np.fromiter(map(tanhf, exact), np.float32, exact.size)
    return clip16((value * f32(32768)).astype(np.int64))

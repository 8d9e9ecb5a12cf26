# SPDX-License-Identifier: Apache-2.0
"""The step of an int8 LSTM; see :mod:`tflite2x.program.steps`."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.program.step import Step
from tflite2x.program.values import Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Lstm(Step):
    """An LSTM of int8 values with int16 gates and cell state, over a sequence.

    Per time step, with gates input, forget, cell, output (LiteRT lstm_eval.cc, LstmStepInteger8x8_16)::

        gate   = clamp16(requantize(bias + W x) + clamp16(requantize(recurrent_bias + R h)))   per gate
        c      = clamp16(logistic(forget) * c / 2**15 + logistic(input) * tanh(cell) / 2**(30 + cell_exponent))
        h      = clamp(requantize(logistic(output) * tanh(c)) + h_zero, -128, 127)

    The output holds h and c of every row, [batch, 2 * units], and then all h, in the order of the operator's output.

    Attributes:
        weights: int8 [4, units, depth].
        bias: int32 [4, units], with the input's zero point folded in.
        recurrent: int8 [4, units, units].
        recurrent_bias: int32 [4, units]: the zero point of h, folded in.
        mantissa: int32 [2, 4]: of W, of R.
        shift: int32 [2, 4].
        x_batch: Distance between rows of a batch in x, in steps of ``depth``; in the output in steps of ``units``.
        x_time: Distance between time steps, likewise.
        cell_exponent: The cell state counts steps of 2**cell_exponent.
        cell_clip: Largest magnitude of the cell state, or 0.
    """

    kind: ClassVar[str] = "lstm"
    weights: Const
    bias: Const
    recurrent: Const
    recurrent_bias: Const
    mantissa: Const
    shift: Const
    batch: int
    time: int
    depth: int
    units: int
    x_batch: int
    x_time: int
    cell_exponent: int
    cell_clip: int
    h_mantissa: int
    h_shift: int
    h_zero: int

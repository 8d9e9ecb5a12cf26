# SPDX-License-Identifier: Apache-2.0
"""Steps that compute element by element; see :mod:`tflite2x.program.steps`."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.program.step import Step
from tflite2x.program.values import Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Elementwise(Step):
    """A function of two inputs that broadcast.

    Attributes:
        rank: Number of loops: adjacent dimensions are merged where both inputs allow it.
        count: Elements along each loop, int32 [rank].
        a_stride: Distance in the first input, int32 [rank]; 0 where it is repeated.
        b_stride: The same for the second input.
    """

    rank: int
    count: Const
    a_stride: Const
    b_stride: Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Add(Elementwise):
    """ADD, and SUB where b_sign is -1.

    Both inputs come to a common scale with ``left_shift`` extra bits::

        left  = rescale((a - a_zero) << left_shift, a_mantissa, a_shift)
        right = rescale((b - b_zero) << left_shift, b_mantissa, b_shift)
        y     = clamp(rescale(left + b_sign * right, y_mantissa, y_shift) + y_zero, low, high)
    """

    kind: ClassVar[str] = "add"
    a_zero: int
    b_zero: int
    y_zero: int
    left_shift: int
    a_mantissa: int
    a_shift: int
    b_mantissa: int
    b_shift: int
    b_sign: int
    y_mantissa: int
    y_shift: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AddPowers(Elementwise):
    """int16 ADD and SUB with scales that are powers of two: one input is shifted to the output's scale.

    ::

        sum = clamp(rounding_divide(a, a_shift) + b_sign * rounding_divide(b, b_shift), -32768, 32767)
        y   = clamp(sum, low, high)
    """

    kind: ClassVar[str] = "add_powers"
    a_shift: int
    b_shift: int
    b_sign: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(Elementwise):
    """``y = clamp(rescale((a - a_zero) * (b - b_zero), mantissa, shift) + y_zero, low, high)``."""

    kind: ClassVar[str] = "multiply"
    a_zero: int
    b_zero: int
    y_zero: int
    mantissa: int
    shift: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SquaredDifference(Elementwise):
    """SQUARED_DIFFERENCE: both inputs come to a common scale with 7 extra bits.

    ::

        d = rescale((a - a_zero) << 7, a_mantissa, a_shift) - rescale((b - b_zero) << 7, b_mantissa, b_shift)
        y = clamp(rescale(d * d, y_mantissa, y_shift) + y_zero, low, high)
    """

    kind: ClassVar[str] = "squared_difference"
    a_zero: int
    b_zero: int
    y_zero: int
    a_mantissa: int
    a_shift: int
    b_mantissa: int
    b_shift: int
    y_mantissa: int
    y_shift: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Prelu(Elementwise):
    """PRELU: v = a - a_zero; one multiplier from zero on, one below zero, where b is the slope.

    ::

        y = clamp(rescale(v, mantissa, shift) + y_zero, low, high)                                       where v >= 0
        y = clamp(rescale(v * (b - b_zero), negative_mantissa, negative_shift) + y_zero, low, high)      elsewhere
    """

    kind: ClassVar[str] = "prelu"
    a_zero: int
    b_zero: int
    y_zero: int
    mantissa: int
    shift: int
    negative_mantissa: int
    negative_shift: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Maximum(Elementwise):
    """The larger of two quantized values."""

    kind: ClassVar[str] = "maximum"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Minimum(Elementwise):
    """The smaller of two quantized values."""

    kind: ClassVar[str] = "minimum"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Step):
    """``y = clamp(rescale(x - x_zero, mantissa, shift) + y_zero, low, high)`` for every element."""

    kind: ClassVar[str] = "requantize_all"
    size: int
    x_zero: int
    mantissa: int
    shift: int
    y_zero: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(Step):
    """``y = table[x - x_min]``: a function of one 8-bit value.

    Attributes:
        size: Number of elements.
        x_min: Lowest value of the input's type.
        table: One output value for each of the 256 input values, from the lowest on.
        meaning: The function, for explanations.
    """

    kind: ClassVar[str] = "lookup"
    size: int
    x_min: int
    table: Const
    meaning: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Interpolate(Step):
    """A function of one int16 value: 9 bits of index into 513 values, 7 bits of linear interpolation.

    With ``i = 256 + (x >> 7)``::

        y = table[i] + (((table[i + 1] - table[i]) * (x & 127) + 64) >> 7)

    Attributes:
        size: Number of elements.
        table: int16 [513].
        meaning: The function, for explanations.
    """

    kind: ClassVar[str] = "interpolate"
    size: int
    table: Const
    meaning: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Sigmoid16(Step):
    """int16 LOGISTIC and TANH: a table of the logistic function, interpolated with ``bits`` of fraction.

    With ``v = (x * multiplier + rounding) >> shift``, ``m = abs(v)`` and ``i = m >> bits``::

        r = (beyond if i >= 255 else (table[i] << bits) + (m & (2**bits - 1)) * (table[i + 1] - table[i])) - offset
        y = ((r if v >= 0 else mirror - r - 1) + half) >> down

    Attributes:
        size: Number of elements.
        multiplier: Brings the input to steps of 1 / (3 * 4096).
        rounding: Half of the divisor, or 0.
        shift: Divisor as a power of two.
        bits: 9 for LOGISTIC, 8 for TANH.
        beyond: The interpolated value from the end of the table on.
        offset: What is taken off the interpolated value.
        mirror: What negative inputs take the result from.
        half: For the last rounding.
        down: The last shift.
        table: int32 [256].
        meaning: The function, for explanations.
    """

    kind: ClassVar[str] = "sigmoid_16"
    size: int
    multiplier: int
    rounding: int
    shift: int
    bits: int
    beyond: int
    offset: int
    mirror: int
    half: int
    down: int
    table: Const
    meaning: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class QuantizeFloat(Step):
    """``y = clamp(round(x / scale) + y_zero, low, high)`` in float32, halves away from zero."""

    kind: ClassVar[str] = "quantize_float"
    size: int
    scale: float
    y_zero: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DequantizeFloat(Step):
    """``y = (float32)(scale * (x - x_zero))``: a float64 product, rounded to float32."""

    kind: ClassVar[str] = "dequantize_float"
    size: int
    scale: float
    x_zero: int

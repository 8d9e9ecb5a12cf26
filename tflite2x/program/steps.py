# SPDX-License-Identifier: Apache-2.0
"""The steps of an integer program.

A step writes one value. Its parameters are the fields that hold integers, floats or :class:`Const`, in the order of the
class; printers turn them into constants of their language, and the field ``kind`` says which function computes them.
Every docstring states the arithmetic; ``rescale`` is what ``Rescaling`` says.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tflite2x.program.sizes import ConvolutionSizes, PoolSizes, ProductSizes, TransposedSizes
from tflite2x.program.step import Step as Step
from tflite2x.program.steps_elementwise import Add as Add
from tflite2x.program.steps_elementwise import AddPowers as AddPowers
from tflite2x.program.steps_elementwise import DequantizeFloat as DequantizeFloat
from tflite2x.program.steps_elementwise import Elementwise as Elementwise
from tflite2x.program.steps_elementwise import Interpolate as Interpolate
from tflite2x.program.steps_elementwise import Lookup as Lookup
from tflite2x.program.steps_elementwise import Maximum as Maximum
from tflite2x.program.steps_elementwise import Minimum as Minimum
from tflite2x.program.steps_elementwise import Multiply as Multiply
from tflite2x.program.steps_elementwise import Prelu as Prelu
from tflite2x.program.steps_elementwise import QuantizeFloat as QuantizeFloat
from tflite2x.program.steps_elementwise import Requantize as Requantize
from tflite2x.program.steps_elementwise import Sigmoid16 as Sigmoid16
from tflite2x.program.steps_elementwise import SquaredDifference as SquaredDifference
from tflite2x.program.steps_state import SvdfOutput as SvdfOutput
from tflite2x.program.steps_state import SvdfUpdate as SvdfUpdate
from tflite2x.program.values import Const

#: How accumulators become output steps:
#: ``double``: quantized multiplier, gemmlowp's two roundings (int32).
#: ``real``: LiteRT's float64 multiplier as an equal integer multiplication, halves away from zero.
#: ``wide``: 64-bit accumulators, 16-bit multiplier, one rounding (16x8).
Rescaling = Literal["double", "real", "wide"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Weighted(Step):
    """What steps with weights have in common.

    Per output channel o::

        acc = bias[o] + sum((x - x_zero) * (w - w_zero))
        y   = clamp(rescale(acc, mantissa[o], shift[o]) + y_zero, low, high)

    Attributes:
        weights: As in the model, without packing.
        bias: int32 or int64 [O].
        mantissa: [O].
        shift: int32 [O].
        x_zero: Zero point of the input.
        w_zero: Zero point of the weights.
        y_zero: Zero point of the output.
        low: Lowest output, with the fused activation.
        high: Highest output.
        rescaling: See ``Rescaling``.
        multiplier: The real multipliers, float64 [O], for explanations.
        folded: bias - x_zero * sum(w - w_zero), for explanations.
        reach: Smallest and largest accumulator of each channel over all inputs, [2, O], for explanations.
        weight_sum: Sum of each channel's weights without their zero point, [O], for explanations.
        weights_scale: float32, one or [O], for explanations.
    """

    weights: Const
    bias: Const
    mantissa: Const
    shift: Const
    x_zero: int
    w_zero: int
    y_zero: int
    low: int
    high: int
    rescaling: Rescaling
    multiplier: NDArray[np.float64]
    folded: NDArray[np.int64]
    reach: NDArray[np.int64]
    weight_sum: NDArray[np.int64]
    weights_scale: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FullyConnected(Weighted):
    """Rows of ``depth`` inputs times weights [units, depth]."""

    kind: ClassVar[str] = "fully_connected"
    rows: int
    depth: int
    units: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Conv2d(ConvolutionSizes, Weighted):
    """Convolution of NHWC with weights [O, kernel_h, kernel_w, C / groups]; outside of the input nothing is added."""

    kind: ClassVar[str] = "conv_2d"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DepthwiseConv2d(Conv2d):
    """Convolution with weights [1, kernel_h, kernel_w, O]: output channel o reads input channel o // (O / C)."""

    kind: ClassVar[str] = "depthwise_conv_2d"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TransposeConv(TransposedSizes, Weighted):
    """Transposed convolution with weights [O, kernel_h, kernel_w, C].

    Input pixel (r, c) adds to the output pixels (r * stride_h - pad_top + i, c * stride_w - pad_left + j).
    """

    kind: ClassVar[str] = "transpose_conv"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class XcFc(Step):
    """XC_fc of XMOS's xcore.ai.

    Per output channel, from the block ``bso`` [groups, 7, 16]::

        acc = clamp(bias + sum(weights * x), +-(2**31 - 1))
        v   = clamp(rnd(acc, shift1), +-32767)
        y   = clamp(rnd(v * scale + offset_scale * offset, shift2), -128, 127)
    """

    kind: ClassVar[str] = "xc_fc"
    weights: Const
    bso: Const
    depth: int
    width: int
    units: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Pool(PoolSizes, Step):
    """A window of each channel; what lies outside of the input does not count; result clamped to low, high."""

    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Pool):
    """The largest value of each window."""

    kind: ClassVar[str] = "max_pool_2d"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AveragePool(Pool):
    """The mean of the quantized values of each window, rounded half away from zero."""

    kind: ClassVar[str] = "average_pool_2d"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Step):
    """Softmax of rows in gemmlowp's fixed point.

    With d = max(row) - x::

        total  = sum(rounding_divide(exponentials[d], 12))
        factor = 1 / total as a fraction (Newton-Raphson) and a power of two
        y      = clamp(rounding_divide(high_mul(exponentials[d], factor), ...) + low, low, high); low where d > reach

    Attributes:
        rows: Number of rows.
        depth: Length of a row.
        reach: Largest difference that counts.
        out_bits: Bits of the output's type.
        low: Lowest value of the output's type.
        high: Highest value of the output's type.
        exponentials: exp(-d * scale * beta) with 31 fractional bits, int32 [256].
    """

    kind: ClassVar[str] = "softmax"
    rows: int
    depth: int
    reach: int
    out_bits: int
    low: int
    high: int
    exponentials: Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Softmax16(Step):
    """Softmax of rows of int16 values, with two tables that are interpolated as in ``Interpolate``.

    ::

        e     = exponential[clamp16(requantize(x - max(row), mantissa, shift) + 32767)]
        total = sum(e), with h leading zeros
        f     = reciprocal[clamp16((((total << (h - 1)) + 2**13) >> 14) - 2**15 - 2**16)]
        y     = clamp((e * f + 2**(30 - h)) >> (31 - h), 0, 32767)

    Attributes:
        rows: Number of rows.
        depth: Length of a row.
        exponential: int16 [513].
        reciprocal: int16 [513].
    """

    kind: ClassVar[str] = "softmax_16"
    rows: int
    depth: int
    mantissa: int
    shift: int
    exponential: Const
    reciprocal: Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Mean(Step):
    """``y = clamp(rescale(sum(x) - elements * x_zero, mantissa, shift) + y_zero, low, high)`` (MEAN, SUM).

    Attributes:
        kept: Loops over what is kept, int32 [2, kept_rank]: counts, strides in x.
        reduced: Loops over what is added up, likewise.
        elements: How many values are added into one.
    """

    kind: ClassVar[str] = "mean"
    kept_rank: int
    kept: Const
    reduced_rank: int
    reduced: Const
    elements: int
    x_zero: int
    mantissa: int
    shift: int
    y_zero: int
    low: int
    high: int
    axes: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Extreme(Step):
    """The largest (sign 1) or smallest (sign -1) value along some axes (REDUCE_MAX, REDUCE_MIN).

    Attributes:
        kept: Loops over what is kept, int32 [2, kept_rank]: counts, strides in x.
        reduced: Loops over what is compared, likewise.
    """

    kind: ClassVar[str] = "reduce_extreme"
    kept_rank: int
    kept: Const
    reduced_rank: int
    reduced: Const
    sign: int
    axes: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class BatchMatmul(ProductSizes, Step):
    """Products of matrices of int8 values.

    ::

        acc[i, r, c] = sum((a[a_at[i], r, k] - a_zero) * (b[b_at[i], k, c] - b_zero))
        y            = clamp(requantize(acc, mantissa, shift) + y_zero, low, high)
    """

    kind: ClassVar[str] = "batch_matmul"
    a_zero: int
    b_zero: int
    y_zero: int
    mantissa: int
    shift: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ArgMax(Step):
    """Position of the first largest (sign 1) or smallest (sign -1) value along one dimension."""

    kind: ClassVar[str] = "arg_max"
    outer: int
    length: int
    inner: int
    sign: int

    @property
    def function(self) -> str:
        """Name of the function: among floats, NaN loses."""
        return "float_arg_max" if self.inputs[0].dtype == "float32" else "arg_max"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ResizeBilinear(Step):
    """Bilinear interpolation with positions and weights in 1024ths, divided by 2**20 half away from zero.

    Attributes:
        rows: Upper row, lower row, distance from the upper one in 1024ths, int32 [3, out_h].
        columns: The same for columns, int32 [3, out_w].
    """

    kind: ClassVar[str] = "resize_bilinear"
    batch: int
    in_h: int
    in_w: int
    channels: int
    out_h: int
    out_w: int
    rows: Const
    columns: Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Fill(Step):
    """``y = value`` everywhere."""

    kind: ClassVar[str] = "fill"
    size: int
    value: int | float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Copy(Step):
    """All elements, in order: RESHAPE and its kin."""

    kind: ClassVar[str] = "copy"
    size: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class CopyBlock(Step):
    """``y[y_offset + i . y_stride] = x[x_offset + i . x_stride]`` for all i below ``count``; flat positions."""

    kind: ClassVar[str] = "copy_block"
    rank: int
    count: Const
    x_offset: int
    x_stride: Const
    y_offset: int
    y_stride: Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class CopyIndexed(Step):
    """``y[y_offset + i . y_stride] = x[index_0[i_0] + index_1[i_1] + ...]``; flat positions.

    Attributes:
        rank: Number of loops.
        count: Elements along each loop, int32 [rank].
        index: The tables index_0, index_1, ... one behind the other, int32.
        y_offset: Position of the first element.
        y_stride: Distance in y along each loop.
    """

    kind: ClassVar[str] = "copy_indexed"
    rank: int
    count: Const
    index: Const
    y_offset: int
    y_stride: Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatStep(Step):
    """float32 arithmetic, which is printed as NumPy and not exported: NumPy adds up in an order of its own.

    Attributes:
        body: Lines of NumPy code that compute the output.
        arrays: The constants that they read.
    """

    kind: ClassVar[str] = "float"
    body: tuple[str, ...]
    arrays: tuple[Const, ...] = ()

    @property
    def constants(self) -> list[Const]:
        """Arrays that the step reads."""
        return [*self.arrays, *(v for v in self.inputs if isinstance(v, Const))]

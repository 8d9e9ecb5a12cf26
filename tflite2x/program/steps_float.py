# SPDX-License-Identifier: Apache-2.0
"""Steps that compute in float32; see :mod:`tflite2x.program.steps`.

Every product, sum and quotient is rounded to float32, and sums are added in the order of LiteRT's reference kernels:
nothing is left to a compiler. ``exp``, ``log``, ``tanh`` and their kin are computed in float64 and rounded once.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.interpreter.float_gemm import CONVOLUTION_LIMIT
from tflite2x.program.sizes import ConvolutionSizes, PoolSizes, ProductSizes
from tflite2x.program.step import Step
from tflite2x.program.steps_elementwise import Elementwise
from tflite2x.program.values import Const

_INEXACT = {
    f"float_{name}"
    for name in (
        "softmax", "log_softmax", "logistic", "tanh", "elu", "gelu", "gelu_tanh", "exp", "log", "pow",
    )
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Float(Step):
    """What steps on float32 have in common."""

    @property
    def inexact(self) -> bool:
        """Whether it calls functions such as exp, which libraries round differently."""
        return self.function in _INEXACT

    @property
    def reordered(self) -> bool:
        """Whether the interpreter adds in another order than LiteRT's reference kernels and this step."""
        return False


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatWeighted(Float):
    """``y = clamp(sum(x * w) + bias[o], low, high)``, the sum in the order of the weights of a channel.

    Attributes:
        weights: As in the model.
        bias: float32 [O]; zeros where the model has none.
        low: Lowest output; the lowest finite number without a fused activation.
        high: Highest output.
    """

    weights: Const
    bias: Const
    low: float
    high: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatFullyConnected(FloatWeighted):
    """Rows of ``depth`` inputs times weights [units, depth]."""

    kind: ClassVar[str] = "float_fully_connected"
    rows: int
    depth: int
    units: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatConv2d(ConvolutionSizes, FloatWeighted):
    """Convolution of NHWC with weights [O, kernel_h, kernel_w, C / groups]; outside of the input nothing is added."""

    kind: ClassVar[str] = "float_conv_2d"

    @property
    def reordered(self) -> bool:
        """Whether its sums are short enough for the interpreter to leave their order to BLAS."""
        depth = self.kernel_h * self.kernel_w * self.in_c // self.groups
        # Groups of several channels always go through BLAS, those of one channel tap by tap.
        return depth <= CONVOLUTION_LIMIT if self.groups == 1 else self.in_c > self.groups


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatDepthwiseConv2d(FloatConv2d):
    """Convolution with weights [1, kernel_h, kernel_w, O]: output channel o reads input channel o // (O / C)."""

    kind: ClassVar[str] = "float_depthwise_conv_2d"

    @property
    def reordered(self) -> bool:
        """No: it goes tap by tap."""
        return False


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatTransposeConv(FloatConv2d):
    """Transposed convolution with weights [O, kernel_h, kernel_w, C].

    Input pixel (r, c) adds to the output pixels (r * stride_h - pad_top + i, c * stride_w - pad_left + j); each output
    pixel adds up its inputs row by row, column by column, channel by channel.
    """

    kind: ClassVar[str] = "float_transpose_conv"

    @property
    def reordered(self) -> bool:
        """Yes: the interpreter adds up the channels of each tap first."""
        return True


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatPool(PoolSizes, Float):
    """A window of each channel; what lies outside of the input does not count; result clamped to low, high."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatMaxPool(FloatPool):
    """The largest value of each window."""

    kind: ClassVar[str] = "float_max_pool_2d"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatAveragePool(FloatPool):
    """The sum of each window, row by row, divided by the number of its values."""

    kind: ClassVar[str] = "float_average_pool_2d"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatElementwise(Elementwise, Float):
    """``y = clamp(operation(a, b), low, high)`` of two inputs that broadcast.

    Attributes:
        operation: ``add``, ``sub``, ``mul``, ``div``, ``maximum``, ``minimum``, ``squared_difference``, ``prelu`` or
            ``pow``.
        low: Lowest output, or None where nothing is clamped.
        high: Highest output, or None.
    """

    kind: ClassVar[str] = "float"
    operation: str
    low: float | None
    high: float | None

    @property
    def function(self) -> str:
        """Name of the function: one per operation."""
        return f"float_{self.operation}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatUnary(Float):
    """A function of one number, for every element.

    Attributes:
        operation: Its name, such as ``clamp``, ``logistic`` or ``exp``.
        size: Number of elements.
        low: Lower bound of ``clamp``.
        high: Upper bound of ``clamp``.
        alpha: Slope of ``leaky_relu`` below zero.
    """

    kind: ClassVar[str] = "float"
    operation: str
    size: int
    low: float | None = None
    high: float | None = None
    alpha: float | None = None

    @property
    def function(self) -> str:
        """Name of the function: one per operation."""
        return f"float_{self.operation}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatSoftmax(Float):
    """``y = exp((x - max(row)) * beta) / sum(...)`` of rows, the sum from left to right."""

    kind: ClassVar[str] = "float_softmax"
    rows: int
    depth: int
    beta: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatLogSoftmax(Float):
    """``y = x - max(row) - log(sum(exp(x - max(row))))`` of rows."""

    kind: ClassVar[str] = "float_log_softmax"
    rows: int
    depth: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatNormalize(Float):
    """``y = x / max(sqrt(sum(x * x)), 1e-6)`` of rows (L2_NORMALIZATION)."""

    kind: ClassVar[str] = "float_l2_normalization"
    rows: int
    depth: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatReduce(Float):
    """One value for all elements along some axes, taken in the order of memory.

    Attributes:
        operation: ``sum``, ``mean``, ``prod``, ``max`` or ``min``; a NaN loses against every number in the last two.
        kept: Loops over what is kept, int32 [2, kept_rank]: counts, strides in x.
        reduced: Loops over what is reduced, likewise.
        elements: How many values become one.
        axes: The axes.
    """

    kind: ClassVar[str] = "float"
    operation: str
    kept_rank: int
    kept: Const
    reduced_rank: int
    reduced: Const
    elements: int
    axes: tuple[int, ...]

    @property
    def function(self) -> str:
        """Name of the function: one per operation."""
        return f"float_reduce_{self.operation}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatResizeBilinear(Float):
    """Bilinear interpolation in float32, also of uint8 (as LiteRT's kernel), where 0.5 is added and the rest dropped.

    Attributes:
        rows: Upper row, lower row, int32 [2, out_h].
        columns: The same for columns, int32 [2, out_w].
        dy: Distance from the upper row, float32 [out_h].
        dx: The same for columns, float32 [out_w].
        half: What is added to the result: 0.5 for uint8.
    """

    kind: ClassVar[str] = "float_resize_bilinear"
    batch: int
    in_h: int
    in_w: int
    channels: int
    out_h: int
    out_w: int
    rows: Const
    columns: Const
    dy: Const
    dx: Const
    half: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FloatBatchMatmul(ProductSizes, Float):
    """``y[i, r, c] = sum(a[a_at[i], r, k] * b[b_at[i], k, c])``, k from 0 on."""

    kind: ClassVar[str] = "float_batch_matmul"

    @property
    def reordered(self) -> bool:
        """Yes: the interpreter leaves these sums to BLAS."""
        return True

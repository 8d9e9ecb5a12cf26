# SPDX-License-Identifier: Apache-2.0
"""Steps of layers with integer weights and float32 activations, which are quantized row by row at run time.

See :mod:`tflite2x.interpreter.hybrid` for the formulas and :mod:`tflite2x.program.steps` for what a step is.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.program.sizes import ConvolutionSizes
from tflite2x.program.steps_float import Float
from tflite2x.program.values import Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RowScales(Float):
    """Scale, its inverse and the zero point of every row of ``depth`` elements: float32 [rows, 3].

    Symmetric: ``127 / max(abs(row))`` is the inverse, and the zero point is 0. Asymmetric: the range of the row, with
    0 in it, is cut into 255 steps.
    """

    kind: ClassVar[str] = "row_scales"
    rows: int
    depth: int
    asymmetric: int

    @property
    def function(self) -> str:
        """Name of the function: one per mode."""
        return "row_scales_asymmetric" if self.asymmetric else "row_scales"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class QuantizeRows(Float):
    """``y = clamp(round(x * inverse) + zero_point, low, 127) - zero_point`` as int16, halves away from zero.

    Up to the last multiple of eight of a row, ``round`` adds a half and truncates, as LiteRT does.
    """

    kind: ClassVar[str] = "quantize_rows"
    rows: int
    depth: int
    whole: int
    low: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class HybridWeighted(Float):
    """``y = clamp(float(sum(q * w)) * (row scale * scale[o]) + bias[o], low, high)``, an int32 sum.

    Attributes:
        weights: int8, as in the model.
        scale: float32 [O].
        bias: float32 [O].
        joined: 1: the two scales are multiplied first; 0: the sum with the channel's and then with the row's.
        low: Lowest output.
        high: Highest output.
    """

    weights: Const
    scale: Const
    bias: Const
    joined: int
    low: float
    high: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class HybridFullyConnected(HybridWeighted):
    """Rows of ``depth`` quantized inputs times weights [units, depth]."""

    kind: ClassVar[str] = "hybrid_fully_connected"
    rows: int
    depth: int
    units: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class HybridConv2d(ConvolutionSizes, HybridWeighted):
    """Convolution of quantized NHWC with weights [O, kernel_h, kernel_w, C / groups]; an image is a row."""

    kind: ClassVar[str] = "hybrid_conv_2d"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class HybridDepthwiseConv2d(HybridConv2d):
    """Convolution with weights [1, kernel_h, kernel_w, O]: output channel o reads input channel o // (O / C)."""

    kind: ClassVar[str] = "hybrid_depthwise_conv_2d"

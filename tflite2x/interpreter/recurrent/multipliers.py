# SPDX-License-Identifier: Apache-2.0
"""Quantized multipliers of the recurrent operators: two roundings, in LiteRT as in TFLite Micro.

LiteRT's own kernels for these operators call MultiplyByQuantizedMultiplier of ``internal/common.cc``, which the
released library is compiled with in its double rounding form. So both rounding contracts mean the same here; TFLite
Micro's UNIDIRECTIONAL_SEQUENCE_LSTM is another cell (:mod:`tflite2x.interpreter.recurrent.micro_cell`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tflite2x.interpreter import fixedpoint

Int64 = NDArray[np.int64]


def quantize_multiplier(real: ArrayLike) -> tuple[Int64, Int64]:
    """Split positive real multipliers into ``mantissa * 2 ** (shift - 31)``."""
    return fixedpoint.quantize_multiplier(real, "double")


def requantize(x: ArrayLike, mantissa: ArrayLike, shift: ArrayLike) -> Int64:
    """Multiply int32 values by a quantized multiplier."""
    return fixedpoint.requantize(x, mantissa, shift, "double")

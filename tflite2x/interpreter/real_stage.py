# SPDX-License-Identifier: Apache-2.0
"""The last step of LiteRT's reference FULLY_CONNECTED: a float64 multiplier instead of a quantized one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.chunks import Chunked, PerChannel
from tflite2x.interpreter.fixedpoint import wrap_int32
from tflite2x.interpreter.kernel import Array

_EXACT, _INT32 = float(1 << 53), float(1 << 31)
#: Adding the largest float64 below one half and truncating rounds half away from zero, without the double rounding
#: that adding 0.5 has just below one half.
_HALF = float(np.nextafter(0.5, 0.0))


class RealStage(Chunked):
    """Bias, a float64 multiplier rounded half away from zero, zero point and clamp.

    LiteRT's reference FULLY_CONNECTED rescales this way, without a quantized multiplier (``reference/integer_ops/
    fully_connected.h``). Results that leave int32 become -2**31, as on x86 (in C++ the cast is undefined).

    Args:
        multiplier: [O] float64: input scale times filter scale, divided by output scale.
        bias: [O] int64, zero points folded in.
        bound: One float64, or [O]; no accumulator (without bias) is larger in magnitude.
        zero_point: Of the output.
        low: Lowest output value.
        high: Highest output value.
        dtype: Type of the output.
        wide: The kernel's accumulators have 64 bits.
    """

    def __init__(
        self,
        *,
        multiplier: NDArray[np.float64],
        bias: Array,
        bound: NDArray[np.float64] | float,
        zero_point: int,
        low: int,
        high: int,
        dtype: np.dtype[Any],
        wide: bool = False,
    ) -> None:
        super().__init__(len(bias), np.dtype(dtype))
        magnitude = bound + np.abs(bias.astype(np.float64))
        largest = magnitude.max(initial=0)
        self._wraps = not wide and bool(largest >= _INT32)
        self._integer = self._wraps or bool(largest >= _EXACT)
        self._overflows = bool((magnitude * multiplier).max(initial=0) >= _INT32 - 2.0**17)
        self._bias = PerChannel(bias if self._integer else bias.astype(np.float64))
        self._multiplier = PerChannel(multiplier)
        self._zero_point, self._low, self._high = zero_point, low, high

    @property
    def is_plain(self) -> bool:
        """Whether nothing wraps or overflows, so that a tighter bound would change nothing."""
        return not (self._integer or self._overflows)

    def chunk(self, acc: Array, out: Array) -> None:
        """Convert one flattened piece."""
        n = acc.size
        if self._integer:
            x = acc.astype(np.int64) + self._bias(n)
            y = (wrap_int32(x) if self._wraps else x).astype(np.float64)
        else:
            y = np.add(acc, self._bias(n), dtype=np.float64)
        y *= self._multiplier(n)
        y += np.copysign(_HALF, y)
        if self._overflows:
            np.trunc(y, out=y)
            y[~((y >= -_INT32) & (y < _INT32))] = -_INT32
            whole = wrap_int32(y.astype(np.int64) + self._zero_point)
            out[:] = np.clip(whole, self._low, self._high)
            return
        np.clip(y, self._low - self._zero_point, self._high - self._zero_point, out=y)
        out[:] = y.astype(np.int32) + self._zero_point

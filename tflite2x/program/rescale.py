# SPDX-License-Identifier: Apache-2.0
"""An integer multiplier for LiteRT's float64 multiplier.

LiteRT's reference FULLY_CONNECTED computes ``round(acc * m)`` with a float64 ``m``, halves away from zero. Processors
without a floating-point unit need integers, and ``(|acc| * M + 2**(S - 1)) >> S`` with the sign of ``acc`` gives the
same, if ``M`` is chosen well. Both are monotonic, so they agree everywhere when they agree at the thresholds, the
smallest accumulators where the float result reaches 1, 2, 3, ... Every threshold bounds ``M`` from below and above; an
``M`` within all bounds is proved equal for every accumulator that can occur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.fixedpoint import quantize_multiplier, round_half_away

Int64 = NDArray[np.int64]
#: Bits of M that are tried, one after the other, beyond the 31 of TFLite's own mantissa.
_MORE_BITS = range(9)


def rounded(acc: Int64, multiplier: float) -> Int64:
    """Return ``acc * multiplier`` in float64, rounded half away from zero, as LiteRT computes it."""
    return np.asarray(round_half_away(acc.astype(np.float64) * multiplier), np.int64)


def integer_multiplier(multiplier: float, bound: int, top: int) -> tuple[int, int] | None:
    """Find ``M`` and ``S`` with ``(a * M + 2**(S - 1)) >> S == round(a * multiplier)`` for all a in [0, bound].

    Args:
        multiplier: The float64 multiplier, positive.
        bound: Largest magnitude of the accumulator.
        top: Results from here on need not be told apart, because the output is clamped.

    Returns:
        The mantissa and the shift, or None when no mantissa within 63 bits of product does it.
    """
    mantissa, exponent = (int(v) for v in quantize_multiplier(multiplier, "double"))
    if mantissa == 0:
        return None if rounded(np.asarray([bound]), multiplier)[0] else (0, 1)
    steps, thresholds = _thresholds(multiplier, bound, top)
    reached = thresholds <= bound
    before = np.minimum(thresholds, bound + 1) - 1  # the largest accumulator that must stay below the step
    for more in _MORE_BITS:
        shift = 31 - exponent + more
        if shift < 1 or shift + int(steps[-1]).bit_length() > 62:
            continue
        half = np.int64(1) << (shift - 1)
        edges = (steps << shift) - half
        low = int(np.max(-(-edges[reached] // thresholds[reached]), initial=0))
        high = (1 << 63) // max(bound, 1) - int(half) // max(bound, 1) - 1
        if np.any(before > 0):
            high = min(high, int(np.min((edges[before > 0] - 1) // before[before > 0])))
        if low <= high:
            return min(max(round(multiplier * 2.0**shift), low), high), shift
    return None


def _thresholds(multiplier: float, bound: int, top: int) -> tuple[Int64, Int64]:
    """Return 1, 2, 3, ... and the smallest accumulators that reach them; the last one may lie behind ``bound``."""
    reach = int(rounded(np.asarray([bound]), multiplier)[0])
    k = np.arange(1, max(1, min(top, reach + 1)) + 1, dtype=np.int64)
    guess = np.ceil((k - 0.5) / multiplier).astype(np.int64)
    candidates = guess[:, None] + np.arange(-2, 3)
    reached = (rounded(candidates, multiplier) >= k[:, None]) & (candidates > 0)
    return k, candidates[np.arange(len(k)), reached.argmax(axis=1)]

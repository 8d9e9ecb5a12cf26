# SPDX-License-Identifier: Apache-2.0
"""Steps that keep a window of the past; see :mod:`tflite2x.program.steps`."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.program.step import Step
from tflite2x.program.values import Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SvdfUpdate(Step):
    """Moves the windows of all filters on by one, and puts the newest value at their ends.

    ::

        state[b, f, m] = old[b, f, m + 1]
        state[b, f, memory - 1] = clamp(requantize(sum((x - x_zero) * weights[f]), mantissa, shift), low, high)

    Attributes:
        weights: int8 [filters, depth].
    """

    kind: ClassVar[str] = "svdf_update"
    weights: Const
    batch: int
    depth: int
    filters: int
    memory: int
    x_zero: int
    mantissa: int
    shift: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SvdfOutput(Step):
    """Weights the windows over time, and adds up the ``rank`` filters of every unit.

    ::

        acc = bias[u] + sum(state[b, f, m] * weights[f, m])
        y   = clamp(requantize(acc, mantissa, shift) + y_zero, low, high)

    Attributes:
        weights: [filters, memory].
        bias: int32 [units].
    """

    kind: ClassVar[str] = "svdf_output"
    weights: Const
    bias: Const
    batch: int
    units: int
    rank: int
    memory: int
    mantissa: int
    shift: int
    y_zero: int
    low: int
    high: int

# SPDX-License-Identifier: Apache-2.0
"""Steps on numbers without a scale: plain integers, truth values, positions; see :mod:`tflite2x.program.steps`."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.program.step import Step
from tflite2x.program.steps_elementwise import Elementwise
from tflite2x.program.values import Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Plain(Elementwise):
    """``y = operation(a, b)``: arithmetic of integers that wraps, comparisons, logic.

    Attributes:
        operation: ``add``, ``sub``, ``mul``, ``equal``, ``not_equal``, ``less``, ``less_equal``, ``greater``,
            ``greater_equal``, ``and`` or ``or``.
    """

    kind: ClassVar[str] = "plain"
    operation: str

    @property
    def function(self) -> str:
        """Name of the function: one per operation."""
        return f"plain_{self.operation}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Select(Step):
    """``y = c ? a : b`` of three inputs that broadcast.

    Attributes:
        rank: Number of loops.
        count: Elements along each loop, int32 [rank].
        c_stride: Distance in the condition, int32 [rank]; 0 where it is repeated.
        a_stride: The same for a.
        b_stride: The same for b.
    """

    kind: ClassVar[str] = "select"
    rank: int
    count: Const
    c_stride: Const
    a_stride: Const
    b_stride: Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Cast(Step):
    """Another type: integers wrap, floats truncate and saturate (NaN becomes the highest), all but zero is true.

    Attributes:
        mode: ``wrap``, ``saturate`` or ``truth``.
        size: Number of elements.
        low: Lowest value of the output's type, for ``saturate``.
        above: One more than its highest value.
    """

    kind: ClassVar[str] = "cast"
    mode: str
    size: int
    low: float | None = None
    above: float | None = None

    @property
    def function(self) -> str:
        """Name of the function: one per mode."""
        return f"cast_{self.mode}"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Gather(Step):
    """``y[o, i, n] = x[o, index[i], n]``: positions outside are an error in LiteRT, and the nearest inside here.

    Attributes:
        outer: Elements before the axis.
        length: Length of the axis in x.
        places: Number of positions.
        inner: Elements behind the axis.
    """

    kind: ClassVar[str] = "gather"
    outer: int
    length: int
    places: int
    inner: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GatherNd(Step):
    """``y[i, n] = x[index[i, 0], index[i, 1], ..., n]``; positions outside as in ``Gather``.

    Attributes:
        places: Number of positions.
        depth: Numbers per position.
        inner: Elements behind the dimensions that are named.
        lengths: Lengths of these dimensions, int32 [depth].
    """

    kind: ClassVar[str] = "gather_nd"
    places: int
    depth: int
    inner: int
    lengths: Const

# SPDX-License-Identifier: Apache-2.0
"""Merge consecutive QUANTIZE operators.

::

    x -> QUANTIZE -> middle -> QUANTIZE -> y     ==>     x -> QUANTIZE -> y

Left alone when the type in the middle cannot hold all values that ``y`` could take: then the first operator saturates,
and one operator alone would not. Left alone as well where runtimes have no QUANTIZE from the first type to the last,
and where products can leave 32 bits, which wraps around.

Claim: at most n LSB of ``y``. The middle step rounds to its own scale, by up to half of it; dropping that rounding
moves the result by at most ``floor(scale_middle / (2 scale_y)) + 1``. In longer chains the bounds add up.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tflite2x.ir.dtypes import type_name
from tflite2x.passes._common import per_tensor
from tflite2x.rewrite.result import Claim
from tflite2x.rewrite.rule import PatternPass
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Tensor
    from tflite2x.rewrite.builder import Builder
    from tflite2x.rewrite.matcher import Match


#: Types that LiteRT's QUANTIZE converts into which others (kernels/quantize.cc).
_CONVERSIONS = {
    "FLOAT32": {"INT8", "UINT8", "INT16"},
    "INT32": {"INT8", "INT16"},
    "INT16": {"INT8", "INT16", "INT32"},
    "INT8": {"INT8", "UINT8", "INT16"},
    "UINT8": {"INT8", "UINT8", "INT16"},
}


def wraps(source: Tensor, target: Tensor) -> str:
    """Say how requantization leaves 32 bits for some integer; empty when it never does.

    The fixed-point multiplier of a ratio of scales in [2**(e-1), 2**e) shifts to the left by e before it multiplies
    (LiteRT internal/common.h, MultiplyByQuantizedMultiplier).
    """
    assert source.quantization is not None
    assert target.quantization is not None
    info = np.iinfo(source.numpy_dtype)
    zero = int(source.quantization.zero_point[0]) if source.quantization.zero_point.size else 0
    largest = max(int(info.max) - zero, zero - int(info.min))
    ratio = float(source.quantization.scale[0]) / float(target.quantization.scale[0])
    shift = max(0, math.frexp(ratio)[1])
    if largest << shift <= 1 << 31:
        return ""
    return f"'{source.name}' can be {largest:,} and '{target.name}' needs {ratio:.4g} times that: it leaves 32 bits"


def reach(tensor: Tensor) -> tuple[float, float]:
    """Return the real numbers that the smallest and largest integer of a tensor stand for."""
    assert tensor.quantization is not None
    info = np.iinfo(tensor.numpy_dtype)
    zero = int(tensor.quantization.zero_point[0]) if tensor.quantization.zero_point.size else 0
    scale = float(tensor.quantization.scale[0])
    return scale * (int(info.min) - zero), scale * (int(info.max) - zero)


@dataclasses.dataclass(frozen=True)
class MergeRequantize(PatternPass):
    """Merge consecutive QUANTIZE operators."""

    name: ClassVar[str] = "merge-requantize"

    def pattern(self, p: Any, x: Any) -> Any:
        """Two QUANTIZE in a row."""
        return p.QUANTIZE(p.QUANTIZE(x, out="middle"), op="last", out="y")

    def check(self, m: Match) -> None:
        """Refuse where the first operator saturates and one alone would not."""
        for tensor in (m.middle, m.y):
            m.require(per_tensor(tensor.quantization), f"'{tensor.name}' has no single scale")
        m.require(m.x.dtype == TensorType.FLOAT32 or per_tensor(m.x.quantization), f"'{m.x.name}' has no single scale")
        kinds = type_name(m.x.dtype).upper(), type_name(m.y.dtype).upper()
        m.require(
            kinds[1] in _CONVERSIONS.get(kinds[0], ()),
            f"runtimes have no QUANTIZE from {kinds[0].lower()} to {kinds[1].lower()}",
        )
        steps = [(m.middle, m.y)] if kinds[0] == "FLOAT32" else [(m.x, m.middle), (m.middle, m.y), (m.x, m.y)]
        for source, target in steps:
            reason = wraps(source, target)
            m.require(not reason, reason)
        inner, outer = reach(m.middle), reach(m.y)
        if m.x.dtype != TensorType.FLOAT32:
            given = reach(m.x)
            outer = max(outer[0], given[0]), min(outer[1], given[1])
        slack = m.middle.quantization.scale[0] / 2
        m.require(
            inner[0] <= outer[0] + slack and inner[1] >= outer[1] - slack,
            f"'{m.middle.name}' holds {inner[0]:.4g} to {inner[1]:.4g} only, '{m.y.name}' could be "
            f"{outer[0]:.4g} to {outer[1]:.4g}",
        )

    def claim(self, m: Match) -> Claim:
        """Bound what the rounding in the middle was worth."""
        ratio = float(m.middle.quantization.scale[0]) / float(m.y.quantization.scale[0])
        steps = math.floor(ratio * (0.5 + m.inherited)) + 1
        return Claim(steps, f"'{m.middle.name}' rounded to {ratio:.3g} steps of '{m.y.name}'")

    def rewrite(self, m: Match, b: Builder) -> Any:
        """Quantize once."""
        return b.copy(m.last, m.x)

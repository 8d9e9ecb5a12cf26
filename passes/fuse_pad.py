# SPDX-License-Identifier: Apache-2.0
"""Fuse PAD into the convolution behind it.

::

    x -> PAD (1 row above, 1 below, ...) -> CONV_2D (VALID) -> y     ==>     x -> CONV_2D (SAME) -> y

Done where PAD adds zeros, in height and width only, and exactly as many on each side as padding SAME would.
For CONV_2D and DEPTHWISE_CONV_2D.

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tflite2x.passes._common import same_quantization
from tflite2x.rewrite import sites
from tflite2x.rewrite.rule import PatternPass
from tflite2x.schema.enums import Padding

if TYPE_CHECKING:
    from tflite2x.ir import Operator
    from tflite2x.rewrite.builder import Builder
    from tflite2x.rewrite.matcher import Match


def same_padding(length: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return the elements that padding SAME adds in front and behind (LiteRT kernels/padding.h)."""
    extent = (kernel - 1) * dilation + 1
    out = -(-length // stride)
    total = max(0, (out - 1) * stride + extent - length)
    return total // 2, total - total // 2


def window(op: Operator) -> list[tuple[int, int, int]]:
    """Return (kernel, stride, dilation) for height and width of a convolution."""
    weights, options = op.inputs[1], op.options
    assert weights is not None
    return [
        (weights.shape[1], options.stride_h, options.dilation_h_factor),
        (weights.shape[2], options.stride_w, options.dilation_w_factor),
    ]


@dataclasses.dataclass(frozen=True)
class FusePad(PatternPass):
    """Fuse PAD into the convolution behind it."""

    name: ClassVar[str] = "fuse-pad"

    def pattern(self, p: Any, x: Any, paddings: Any, value: Any, others: Any) -> Any:
        """PAD or PADV2, and a convolution without padding of its own."""
        pad = p.any_of("PAD", "PADV2")(
            p.where(x, rank=4), p.constant(paddings), p.optional(value), op="pad", out="padded"
        )
        return p.any_of("CONV_2D", "DEPTHWISE_CONV_2D")(pad, p.rest(others), op="conv", padding=Padding.VALID)

    def check(self, m: Match) -> None:
        """Refuse everything that padding SAME would not do."""
        amounts = np.asarray(m.paddings.data)
        m.require(amounts.shape == (4, 2), f"paddings have shape {list(amounts.shape)}")
        m.require(not amounts[[0, 3]].any(), f"PAD adds to batch or channels as well: {amounts.tolist()}")
        m.require(
            same_quantization(m.x.quantization, m.padded.quantization), f"'{m.padded.name}' has another quantization"
        )
        zero = (
            m.padded.quantization.zero_point[0]
            if m.padded.quantization and m.padded.quantization.zero_point.size
            else 0
        )
        if m.value is not None:
            filled = m.value.data
            m.require(filled is not None and filled.size == 1, "the value to pad with is not a constant")
            m.require(filled.flat[0] == zero, f"PADV2 pads with {filled.flat[0]}, zero is {zero}")
        m.require(
            all(s > 0 for s in m.x.shape) and not _open(m.x.shape_signature), f"the shape of '{m.x.name}' is dynamic"
        )
        for axis, name, (kernel, stride, dilation) in zip((1, 2), ("height", "width"), window(m.conv), strict=True):
            wanted = same_padding(m.x.shape[axis], kernel, stride, dilation)
            found = (int(amounts[axis][0]), int(amounts[axis][1]))
            m.require(wanted == found, f"PAD adds {found} to the {name}, padding SAME would add {wanted}")

    def describe(self, m: Match) -> str:
        """Say what PAD did."""
        return f"{sites.place(m.pad)} fused: padding SAME"

    def rewrite(self, m: Match, b: Builder) -> Any:
        """Repeat the convolution with padding SAME."""
        return b.copy(m.conv, m.x, *m.others, padding=Padding.SAME)


def _open(signature: tuple[int, ...] | None) -> bool:
    """Whether height, width or channels are open; the batch may be."""
    return signature is not None and any(d < 0 for d in signature[1:])

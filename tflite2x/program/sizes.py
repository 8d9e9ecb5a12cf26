# SPDX-License-Identifier: Apache-2.0
"""Sizes that steps of integers, of floats and of both have in common."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite2x.program.values import Const


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PoolSizes:
    """A window of each channel of NHWC; padding in front, in pixels."""

    batch: int
    in_h: int
    in_w: int
    channels: int
    out_h: int
    out_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_top: int
    pad_left: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TransposedSizes:
    """A convolution of NHWC; padding in front, in pixels."""

    batch: int
    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_top: int
    pad_left: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ConvolutionSizes(TransposedSizes):
    """A convolution whose taps may lie apart, and whose channels may fall into groups."""

    dilation_h: int
    dilation_w: int
    groups: int


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ProductSizes:
    """Products of matrices that lie anywhere in two tensors, a and b.

    Attributes:
        matrices: Number of products.
        rows: Rows of a matrix of a.
        depth: Length of the sums.
        columns: Columns of a matrix of b.
        a_at: Which matrix of a, int32 [matrices].
        b_at: Which matrix of b, int32 [matrices].
        a_row: Distance between rows of a.
        a_depth: Distance along the sum in a.
        b_depth: Distance along the sum in b.
        b_column: Distance between columns of b.
    """

    matrices: int
    rows: int
    depth: int
    columns: int
    a_at: Const
    b_at: Const
    a_row: int
    a_depth: int
    b_depth: int
    b_column: int

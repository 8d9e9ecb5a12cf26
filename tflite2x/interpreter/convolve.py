# SPDX-License-Identifier: Apache-2.0
"""The engine behind the convolutions: windows times weights as matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.windows import Axis, pad_windows, window_view

#: Elements of the matrix of windows that are made at a time: one megabyte of float32 stays in the second-level cache.
_BLOCK = 1 << 18

#: ``finish(acc, out, first)``: turn accumulators [n, R, O] of the images from ``first`` on into ``out`` [n, R, O].
Finish = Callable[[Array, Array, int], None]


def lines_per_block(points: int, depth: int, channels: int) -> int:
    """Return how many lines of the output one matrix product computes, which decides how float sums are rounded.

    Args:
        points: Positions in a line.
        depth: Elements of a window.
        channels: Channels of the output.
    """
    return max(1, _BLOCK // (points * max(depth, channels)))


def convolve(
    x: Array,
    axes: Sequence[Axis],
    product: Callable[[Array], Array],
    dtype: np.dtype[np.generic],
    finish: Finish,
    out: Array,
    *,
    pad_value: int | float = 0,
    groups: int = 1,
    merge: bool = True,
) -> None:
    """Convolve through one matrix product per block of windows.

    Args:
        x: [batch, *spatial, C].
        axes: Geometry of the spatial axes.
        product: Multiplies windows [n, R, K] with the weights to [n, R, O]; with groups, [n, G, R, K] to
            [n, G, R, O / G].
        dtype: Type in which windows are multiplied.
        finish: Last step, per block.
        out: [batch, *out, O], contiguous; filled.
        pad_value: What lies outside of the input.
        groups: Number of groups that the channels fall into.
        merge: Put several images into one product. BLAS rounds float products differently with the number of rows;
            without merging, every image gets the same bits in every batch.
    """
    if out.size == 0:
        return
    taps, points = math.prod(a.filter for a in axes), math.prod(a.out for a in axes)
    depth, channels = taps * x.shape[-1], out.shape[-1]
    pointwise = groups == 1 and all(a.filter == a.stride == 1 and a.before == 0 for a in axes)
    inner = points // axes[0].out
    images = max(1, _BLOCK // (axes[0].out * inner * max(depth, channels)))
    lines = lines_per_block(inner, depth, channels)  # all lines where a block holds several images
    for first in range(0, len(x), images):
        padded = pad_windows(x[first : first + images], axes, pad_value, dtype)
        count = len(padded)
        windows = padded if pointwise else window_view(padded, axes)
        for top in range(0, axes[0].out, lines):
            part = windows[:, top : top + lines]
            acc = product(_rows(part, 1 if merge else count, groups, len(axes)))
            if groups > 1:
                acc = np.ascontiguousarray(np.moveaxis(acc, 1, 2))
            target = out[first : first + count, top : top + lines]
            finish(acc.reshape(count, -1, channels), target.reshape(count, -1, channels), first)


def _rows(windows: Array, count: int, groups: int, rank: int) -> Array:
    """Copy windows [n, *out, *filter, C] to matrices [count, R, K], or [count, G, R, K]."""
    rows = math.prod(windows.shape[: 1 + rank]) // count
    depth = math.prod(windows.shape[1 + rank :]) // groups
    if groups == 1:
        return windows.reshape(count, rows, depth)
    split = windows.reshape(count, -1, *windows.shape[1:-1], groups, windows.shape[-1] // groups)
    return np.ascontiguousarray(np.moveaxis(split, 2 + 2 * rank, 1)).reshape(count, groups, rows, depth)

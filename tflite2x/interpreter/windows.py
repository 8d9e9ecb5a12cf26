# SPDX-License-Identifier: Apache-2.0
"""Sliding windows over NHWC-like arrays: output sizes, padding, and views of all windows at once.

Sizes and paddings follow LiteRT ``kernels/padding.h``. Spatial rank is free: 2 for images, 3 for volumes.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, room

SAME, VALID = 0, 1  # values of Padding in schema.fbs


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """How windows lie along one spatial axis.

    Attributes:
        size: Length of the input.
        filter: Number of taps.
        stride: Distance between windows.
        dilation: Distance between taps.
        before: Padding in front of the input.
        out: Number of windows.
    """

    size: int
    filter: int
    stride: int
    dilation: int
    before: int
    out: int

    @property
    def reach(self) -> int:
        """Length of the padded input that the windows touch, counted from the start of the padding."""
        return max(0, (self.out - 1) * self.stride + (self.filter - 1) * self.dilation + 1)


def window_axis(padding: int, size: int, filter_size: int, stride: int, dilation: int = 1) -> Axis:
    """Compute the number of windows and the padding in front (ComputeOutSize and ComputePadding).

    Args:
        padding: ``Padding``: SAME (0) or VALID (1).
        size: Length of the input along this axis.
        filter_size: Number of taps.
        stride: Distance between windows.
        dilation: Distance between taps.

    Returns:
        The geometry; ``out`` is negative where TFLite refuses because the window is larger than the input.
    """
    effective = (filter_size - 1) * dilation + 1
    span = size + stride - (1 if padding == SAME else effective)
    out = int(span / stride)  # C++ division truncates towards zero
    total = max(0, (out - 1) * stride + effective - size)
    return Axis(size, filter_size, stride, dilation, total // 2, out)


@functools.lru_cache(maxsize=1024)
def window_axes(
    padding: int,
    sizes: tuple[int, ...],
    filters: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> tuple[Axis, ...]:
    """Compute :func:`window_axis` for every spatial axis."""
    return tuple(window_axis(padding, *axis) for axis in zip(sizes, filters, strides, dilations, strict=True))


def pad_windows(x: Array, axes: Sequence[Axis], value: int | float, dtype: np.dtype[np.generic]) -> Array:
    """Return ``x`` in another type, with the padding that the windows need.

    Args:
        x: [batch, *spatial, channels].
        axes: Geometry of the spatial axes.
        value: What lies outside of the input.
        dtype: Type of the result.

    Returns:
        [batch, *reach, channels]. What no window touches at the far end is cut off. Without padding and in the right
        type, a view of ``x``.
    """
    padding = _padding(tuple(axes))
    x = x[padding.used]
    if padding.inside is None:
        return x.astype(dtype, copy=False)
    padded = np.empty(room((len(x), *padding.reach, x.shape[-1]), dtype), dtype)
    padded.fill(value)
    padded[padding.inside] = x
    return padded


@dataclasses.dataclass(frozen=True, slots=True)
class _Padding:
    """Where an input goes.

    Attributes:
        reach: Spatial shape with padding.
        used: The part of the input that windows touch.
        inside: Where that goes; None where there is no padding.
    """

    reach: tuple[int, ...]
    used: tuple[slice, ...]
    inside: tuple[slice, ...] | None


@functools.lru_cache(maxsize=1024)
def _padding(axes: tuple[Axis, ...]) -> _Padding:
    reach = tuple(a.reach for a in axes)
    keep = tuple(min(a.size, max(0, r - a.before)) for a, r in zip(axes, reach, strict=True))
    used = (slice(None), *(slice(0, k) for k in keep))
    if keep == reach and not any(a.before for a in axes):
        return _Padding(reach, used, None)
    inside = (slice(None), *(slice(a.before, a.before + k) for a, k in zip(axes, keep, strict=True)))
    return _Padding(reach, used, inside)


def window_view(padded: Array, axes: Sequence[Axis]) -> Array:
    """Return a view [batch, *out, *filter, channels] of all windows of a padded array, to be read only."""
    padded = np.ascontiguousarray(padded)
    spatial = padded.strides[1:-1]
    shape = (padded.shape[0], *(a.out for a in axes), *(a.filter for a in axes), padded.shape[-1])
    steps = tuple(s * a.stride for s, a in zip(spatial, axes, strict=True))
    taps = tuple(s * a.dilation for s, a in zip(spatial, axes, strict=True))
    strides = (padded.strides[0], *steps, *taps, padded.strides[-1])
    # as_strided does the same with ten times the overhead, which small layers feel.
    return np.ndarray(shape, padded.dtype, padded, strides=strides)


@functools.lru_cache(maxsize=1024)
def _tap_slices(axes: tuple[Axis, ...]) -> tuple[tuple[tuple[int, ...], tuple[slice, ...]], ...]:
    taps = []
    for index in itertools.product(*(range(a.filter) for a in axes)):
        starts = [i * a.dilation for i, a in zip(index, axes, strict=True)]
        reach = [
            slice(start, start + (a.out - 1) * a.stride + 1, a.stride) for start, a in zip(starts, axes, strict=True)
        ]
        taps.append((index, (slice(None), *reach)))
    return tuple(taps)


def tap_views(padded: Array, axes: tuple[Axis, ...]) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yield every tap's index with the view [batch, *out, channels] of what all windows see through it."""
    for index, slices in _tap_slices(axes):
        yield index, padded[slices]

# SPDX-License-Identifier: Apache-2.0
"""Float convolutions whose long sums are added in the order of the reference loops.

Tap by tap and channel by channel, one weight at a time is multiplied with what all windows see through it. The input
lies channel by channel for that, with its images and lines one behind the other: what the windows see is then one run
of numbers that begins elsewhere for every tap, and no matrix of windows is needed. Windows that reach over the end of a
line or of an image are computed as well, and dropped.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from tflite2x.interpreter.convolve import Finish
from tflite2x.interpreter.float_gemm import accumulate
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.windows import Axis, pad_windows

#: Float32 elements of a block of sums. Below some thousands per channel, calls cost more than additions; the block, the
#: products and the input of one channel stay in the second-level cache.
_BLOCK = 1 << 15
#: With fewer windows than this in an image, a matrix of them takes less time.
MANY_WINDOWS = 1 << 9


class OrderedConvolution:
    """A convolution with constant float32 weights and one group.

    Source of the order: LiteRT ``internal/reference/conv.h``.

    Args:
        weights: [O, *filter, C], float32.
    """

    def __init__(self, weights: Array) -> None:
        self._weights = np.ascontiguousarray(weights.reshape(len(weights), -1).T)[:, :, None]

    def __call__(self, x: Array, axes: tuple[Axis, ...], finish: Finish, out: Array, pad_value: float) -> None:
        """Convolve ``x`` [batch, *spatial, C] into ``out`` [batch, *out, O], contiguous.

        Args:
            x: The input.
            axes: Geometry of the spatial axes.
            finish: Last step, per image.
            out: Filled.
            pad_value: What lies outside of the input.
        """
        for first in range(len(x) if out.size else 0):
            padded = pad_windows(x[first : first + 1], axes, pad_value, np.dtype(np.float32))
            acc = self._image(padded[0], axes)
            target = out[first : first + 1]
            finish(acc.reshape(1, -1, out.shape[-1]), target.reshape(1, -1, out.shape[-1]), first)

    def _image(self, padded: Array, axes: tuple[Axis, ...]) -> Array:
        """Convolve one padded image [*reach, C] to [*out, O]."""
        reach = [-(-a.reach // a.stride) for a in axes]
        steps = [math.prod(reach[i + 1 :]) for i in range(len(axes))]
        runs = _Runs(padded, axes, reach)
        taps = []
        for index in itertools.product(*(range(a.filter) for a in axes)):
            places = [divmod(i * a.dilation, a.stride) for i, a in zip(index, axes, strict=True)]
            begin = sum(place * step for (place, _), step in zip(places, steps, strict=True))
            taps.append((runs[tuple(phase for _, phase in places)], begin))
        # Behind the last window there is nothing that anybody needs.
        length = 1 + sum((a.out - 1) * step for a, step in zip(axes, steps, strict=True))
        columns = self._weights.shape[1]
        result = np.empty((columns, math.prod(reach)), np.float32)
        size = max(1, _BLOCK // columns)
        for start in range(0, length, size):
            stop = min(start + size, length)
            seen = (channel for run, begin in taps for channel in run[:, start + begin : stop + begin])
            total = np.zeros((columns, stop - start), np.float32)
            accumulate(seen, self._weights, total)
            result[:, start:stop] = total
        inside = result.reshape(columns, *reach)[(slice(None), *(slice(0, a.out) for a in axes))]
        return np.ascontiguousarray(np.moveaxis(inside, 0, -1))


class _Runs(dict[tuple[int, ...], Array]):
    """What lies at every ``stride``-th place from an offset on: [C, places], where neighbouring windows see neighbours.

    Args:
        padded: [*reach, C].
        axes: Geometry of the spatial axes.
        reach: Places along every axis.
    """

    def __init__(self, padded: Array, axes: tuple[Axis, ...], reach: list[int]) -> None:
        super().__init__()
        self._strides = [a.stride for a in axes]
        size = (r * s for r, s in zip(reach, self._strides, strict=True))
        self._whole = np.zeros((padded.shape[-1], *size), np.float32)
        self._whole[(slice(None), *(slice(0, n) for n in padded.shape[:-1]))] = np.moveaxis(padded, -1, 0)

    def __missing__(self, offset: tuple[int, ...]) -> Array:
        steps = (slice(o, None, s) for o, s in zip(offset, self._strides, strict=True))
        run = np.ascontiguousarray(self._whole[(slice(None), *steps)]).reshape(len(self._whole), -1)
        self[offset] = run
        return run

# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution: every channel has filters of its own, so that there is no matrix product to be had.

One tap after the other is multiplied with what all windows see through it, and added up. That is bound by memory, so
8-bit operators add groups of taps in int16 first, as many as provably fit; floats follow the order of the C++ loops.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.convolve import Finish
from tflite2x.interpreter.exact_gemm import exact_dtype
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.windows import Axis, pad_windows, tap_views

#: Elements of one accumulator: input, product and accumulator together stay in the second-level cache.
_BLOCK = 1 << 16
_INT16 = 32767

Tap = tuple[int, ...]


class TapConvolution:
    """Depthwise convolution with constant weights.

    Args:
        weights: [kh, kw, C, M]: float32, or int64 without zero point.
        magnitude: Largest magnitude of integer inputs; None for floats.

    Attributes:
        bound: [C * M]: no integer accumulator is larger in magnitude.
    """

    def __init__(self, weights: Array, magnitude: int | None = None) -> None:
        taps = list(itertools.product(*(range(n) for n in weights.shape[:2])))
        self.bound: NDArray[np.float64] = np.zeros(weights.shape[2] * weights.shape[3])
        self._total: np.dtype[np.generic] = np.dtype(np.float32)
        self._parts: list[list[Tap]] = [taps]
        narrow = False
        if magnitude is not None:
            products = np.abs(weights.astype(np.float64)) * magnitude
            self.bound = products.sum(axis=(0, 1)).reshape(-1)
            self._total = exact_dtype(float(self.bound.max(initial=0)))
            parts = _int16_parts(products, taps)
            narrow = 3 * len(parts) <= 2 * len(taps) and self._total == np.float32
            self._parts = parts if narrow else [taps]
        self._dtype = np.dtype(np.int16) if narrow else self._total
        self._weights = weights.astype(self._dtype)
        self._lines: tuple[int, Array] | None = None

    def __call__(self, x: Array, axes: tuple[Axis, ...], finish: Finish, out: Array, pad_value: int | float) -> None:
        """Convolve ``x`` [batch, H, W, C] into ``out`` [batch, H', W', C * M], contiguous.

        Args:
            x: The input.
            axes: Geometry of the two spatial axes.
            finish: Last step, per block.
            out: Filled.
            pad_value: What lies outside of the input.
        """
        if out.size == 0:
            return
        high, wide = (a.out for a in axes)
        per_line = wide * out.shape[-1]
        images, lines = max(1, _BLOCK // (high * per_line)), max(1, _BLOCK // per_line)
        weights = self._along_lines(wide)
        for first in range(0, len(x), images):
            padded = pad_windows(x[first : first + images], axes, pad_value, self._dtype)
            views = {index: view[..., None] for index, view in tap_views(padded, axes)}
            count = len(padded)
            for top in range(0, high, lines):
                seen = {index: view[:, top : top + lines] for index, view in views.items()}
                acc = self._accumulate(seen, weights, (count, min(lines, high - top), wide, *self._weights.shape[2:]))
                target = out[first : first + count, top : top + lines]
                finish(acc.reshape(count, -1, out.shape[-1]), target.reshape(count, -1, out.shape[-1]), first)

    def _accumulate(self, seen: dict[Tap, Array], weights: Array, shape: tuple[int, ...]) -> Array:
        part, term = np.empty(shape, self._dtype), np.empty(shape, self._dtype)
        total: Array | None = None
        for taps in self._parts:
            np.multiply(seen[taps[0]], weights[taps[0]], out=part)
            for tap in taps[1:]:
                np.multiply(seen[tap], weights[tap], out=term)
                np.add(part, term, out=part)
            if len(self._parts) == 1:
                return part
            if total is None:
                total = part.astype(self._total)
            else:
                np.add(total, part, out=total)
        return part if total is None else total

    def _along_lines(self, wide: int) -> Array:
        """Return the weights [kh, kw, wide, C, M], repeated for every pixel of a line.

        Along a line, one long loop is faster than one short loop per pixel. Inputs of one width are the rule: the last
        width is kept.
        """
        if self._weights.shape[3] > 1:
            return self._weights[:, :, None]
        if self._lines is None or self._lines[0] != wide:
            shape = (*self._weights.shape[:2], wide, *self._weights.shape[2:])
            self._lines = wide, np.ascontiguousarray(np.broadcast_to(self._weights[:, :, None], shape))
        return self._lines[1]


def _int16_parts(products: NDArray[np.float64], taps: Sequence[Tap]) -> list[list[Tap]]:
    """Group taps so that no sum of a group's largest products leaves int16; one group per tap where that fails."""
    parts: list[list[Tap]] = []
    rooms: list[NDArray[np.float64]] = []
    for tap in taps:
        if np.any(products[tap] > _INT16):
            return [[t] for t in taps]
        # The first group with room, for every channel.
        fitting = (i for i, room in enumerate(rooms) if bool(np.all(products[tap] <= room)))
        group = next(fitting, len(parts))
        if group == len(parts):
            parts.append([])
            rooms.append(np.full(products[tap].shape, float(_INT16)))
        parts[group].append(tap)
        rooms[group] = rooms[group] - products[tap]
    return parts

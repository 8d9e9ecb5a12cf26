# SPDX-License-Identifier: Apache-2.0
"""Walking over large arrays in pieces that stay in the second-level cache."""

from __future__ import annotations

import abc
from typing import Any, Protocol

import numpy as np

from tflite2x.interpreter.kernel import Array

#: Elements per piece: scratch arrays and constants of float32 and float64 together stay below one megabyte.
CHUNK = 1 << 15


class Stage(Protocol):
    """The last step of an integer kernel."""

    def __call__(self, acc: Array, out: Array) -> None:
        """Turn accumulators [..., O] (integers, any numeric type) into ``out`` [..., O]; both contiguous."""
        ...


class PerChannel:
    """Per-channel constants, repeated so that they lie beside flattened accumulators."""

    def __init__(self, values: Array) -> None:
        self.values = values
        one = values.flat[0] if values.size else None
        same = one is not None and bool((values == one).all())
        self._tiled: Array | None = None if same else values
        self._one = one if same else None

    def __call__(self, length: int) -> Any:
        """Return one number when all channels agree, otherwise ``length`` values."""
        if self._tiled is None:
            return self._one
        if self._tiled.size < length:
            self._tiled = np.tile(self.values, -(-length // self.values.size))
        return self._tiled[:length]


class Chunked(abc.ABC):
    """Walks over flattened accumulators in pieces that begin at channel 0."""

    def __init__(self, channels: int, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.channels = channels
        self._step = max(1, CHUNK // max(1, channels)) * max(1, channels)

    def __call__(self, acc: Array, out: Array) -> None:
        """Turn accumulators [..., O] into ``out`` [..., O]; both contiguous."""
        flat, target = acc.reshape(-1), out.reshape(-1)
        for start in range(0, flat.size, self._step):
            self.chunk(flat[start : start + self._step], target[start : start + self._step])

    @abc.abstractmethod
    def chunk(self, acc: Array, out: Array) -> None:
        """Convert one flattened piece."""

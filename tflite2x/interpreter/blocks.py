# SPDX-License-Identifier: Apache-2.0
"""Elementwise functions in blocks that fit the processor's caches.

An elementwise kernel makes several passes over temporary arrays, often wider than its inputs. Over a batch of large
tensors those do not fit any cache; over one block they do, and memory stays bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from tflite2x.interpreter.kernel import Array

_BLOCK = 1 << 16


def in_blocks(function: Callable[..., Array], dtype: DTypeLike) -> Callable[..., Array]:
    """Return an elementwise function that works through large arrays block by block.

    Args:
        function: Elementwise function of one or more arrays that broadcast.
        dtype: Type of its results.
    """

    def run(*arrays: Array) -> Array:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        size = math.prod(shape)
        if size <= 2 * _BLOCK:
            return function(*arrays)
        result = np.empty(shape, dtype)
        if all(a.shape == shape and a.flags.c_contiguous for a in arrays):
            flat, target = [a.reshape(-1) for a in arrays], result.reshape(-1)
            for start in range(0, size, _BLOCK):
                part = slice(start, start + _BLOCK)
                target[part] = function(*(a[part] for a in flat))
            return result
        wide = [np.broadcast_to(a, shape) for a in arrays]
        depth = next(d for d in range(1, len(shape) + 1) if math.prod(shape[d:]) <= _BLOCK)
        rows = max(1, _BLOCK // math.prod(shape[depth:]))
        for outer in np.ndindex(shape[: depth - 1]):
            for start in range(0, shape[depth - 1], rows):
                index = (*outer, slice(start, start + rows))
                result[index] = function(*(a[index] for a in wide))
        return result

    return run

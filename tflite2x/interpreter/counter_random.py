# SPDX-License-Identifier: Apache-2.0
"""Counter-based random number generators: Philox 4x32-10 and Threefry 2x32-20, on arrays of counters.

Sources: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); LiteRT ``rng_util.cc``. The
conversions to floats are those of ``tsl/lib/random/random_distributions_utils.h``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Uint32 = NDArray[np.uint32]

_MASK32 = (1 << 32) - 1
_MASK64 = (1 << 64) - 1


def philox(key: tuple[int, int], counters: Uint32) -> Uint32:
    """Return 4 words for each counter.

    Args:
        key: Two 32-bit words.
        counters: [n, 4].
    """
    c0, c1, c2, c3 = (counters[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    shift, mask = np.uint64(32), np.uint64(_MASK32)
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (p1 >> shift) ^ c1 ^ np.uint64(k0),
            p1 & mask,
            (p0 >> shift) ^ c3 ^ np.uint64(k1),
            p0 & mask,
        )
        k0, k1 = (k0 + 0x9E3779B9) & _MASK32, (k1 + 0xBB67AE85) & _MASK32
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def threefry(key: tuple[int, int], counters: Uint32) -> Uint32:
    """Return 2 words for each counter.

    Args:
        key: Two 32-bit words.
        counters: [n, 2].
    """
    keys = [np.uint32(k) for k in (*key, key[0] ^ key[1] ^ 0x1BD11BDA)]
    x, y = counters[:, 0] + keys[0], counters[:, 1] + keys[1]
    for turn in range(5):
        for distance in ((13, 15, 26, 6), (17, 29, 16, 24))[turn % 2]:
            x = x + y
            y = ((y << np.uint32(distance)) | (y >> np.uint32(32 - distance))) ^ x
        x = x + keys[(turn + 1) % 3]
        y = y + keys[(turn + 2) % 3] + np.uint32(turn + 1)
    return np.stack([x, y], axis=1)


def philox_stream(seed: int, seed2: int, start: int, blocks: int) -> Uint32:
    """Return ``blocks`` times 4 words of TensorFlow's PhiloxRandom stream.

    Args:
        seed: First seed; the key.
        seed2: Second seed; the upper half of the 128-bit counter.
        start: Blocks that were taken from the stream before.
        blocks: Blocks to make.

    Returns:
        [blocks, 4] words.
    """
    first = ((seed2 & _MASK64) << 64) + start
    low = np.uint64(first & _MASK64) + np.arange(blocks, dtype=np.uint64)
    high = np.uint64((first >> 64) & _MASK64) + (low < np.uint64(first & _MASK64))  # a carry out of the lower half
    counters = np.stack([low, low >> np.uint64(32), high, high >> np.uint64(32)], axis=1)
    key = seed & _MASK32, (seed >> 32) & _MASK32
    return philox(key, (counters & np.uint64(_MASK32)).astype(np.uint32))


def uniform_float(words: Uint32) -> NDArray[np.float32]:
    """Return floats in [0, 1) from the lower 23 bits of each word (Uint32ToFloat)."""
    bits = (words & np.uint32(0x7FFFFF)) | np.uint32(127 << 23)
    return bits.view(np.float32) - np.float32(1)


def uniform_double(first: Uint32, second: Uint32) -> NDArray[np.float64]:
    """Return doubles in [0, 1) from 52 bits of two words (Uint64ToDouble)."""
    mantissa = ((first & np.uint32(0xFFFFF)).astype(np.uint64) << np.uint64(32)) | second.astype(np.uint64)
    return (mantissa | np.uint64(1023 << 52)).view(np.float64) - 1.0


def normal_float(words: Uint32) -> NDArray[np.float32]:
    """Return standard normal floats, two for each pair of words along the last axis (BoxMullerFloat)."""
    unit = uniform_float(words)
    radius = np.sqrt(np.float32(-2) * np.log(np.maximum(unit[..., 0::2], np.float32(1e-7))))
    angle = (2.0 * math.pi * unit[..., 1::2].astype(np.float64)).astype(np.float32)
    result = np.empty_like(unit)
    result[..., 0::2] = np.sin(angle) * radius
    result[..., 1::2] = np.cos(angle) * radius
    return result

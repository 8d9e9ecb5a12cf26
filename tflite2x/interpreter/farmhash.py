# SPDX-License-Identifier: Apache-2.0
"""FarmHash's ``Fingerprint64`` of many keys of one length at once (algorithm by Geoff Pike, farmhashna)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_K0, _K1, _K2 = (np.uint64(k) for k in (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))


def fingerprint64(keys: NDArray[np.uint8]) -> Words:
    """Return the fingerprints of ``keys`` [count, length]; all arithmetic is modulo 2**64."""
    keys = np.ascontiguousarray(keys)
    length = keys.shape[1]
    with np.errstate(over="ignore"):
        if length <= 16:
            return _up_to_16(keys, length)
        if length <= 32:
            return _up_to_32(keys, length)
        if length <= 64:
            return _up_to_64(keys, length)
        return _long(keys, length)


def _word(keys: NDArray[np.uint8], place: int, size: int = 8) -> Words:
    """Return the little-endian number at a byte position of every key."""
    part = np.ascontiguousarray(keys[:, place : place + size])
    return part.view(f"<u{size}")[:, 0].astype(np.uint64)


def _rotate(x: Words, shift: int) -> Words:
    return (x >> np.uint64(shift)) | (x << np.uint64(64 - shift))


def _mix(x: Words) -> Words:
    return x ^ (x >> np.uint64(47))


def _join(u: Words, v: Words, factor: Words | np.uint64) -> Words:
    return _mix((v ^ _mix((u ^ v) * factor)) * factor) * factor


def _factor(length: int) -> np.uint64:
    return _K2 + np.uint64(2 * length)


def _up_to_16(keys: NDArray[np.uint8], length: int) -> Words:
    factor = _factor(length)
    if length >= 8:
        a, b = _word(keys, 0) + _K2, _word(keys, length - 8)
        return _join(_rotate(b, 37) * factor + a, (_rotate(a, 25) + b) * factor, factor)
    if length >= 4:
        first, last = _word(keys, 0, 4), _word(keys, length - 4, 4)
        return _join(np.uint64(length) + (first << np.uint64(3)), last, factor)
    if length > 0:
        first, middle, last = (_word(keys, i, 1) for i in (0, length >> 1, length - 1))
        y, z = first + (middle << np.uint64(8)), np.uint64(length) + (last << np.uint64(2))
        return _mix(y * _K2 ^ z * _K0) * _K2
    return np.full(len(keys), _K2)


def _ends(keys: NDArray[np.uint8], length: int) -> tuple[Words, Words, Words, Words]:
    """Return what keys of 17 to 64 bytes have in common: two hashes of the ends and the words they come from."""
    factor = _factor(length)
    a, b = _word(keys, 0), _word(keys, 8)
    c, d = _word(keys, length - 8) * factor, _word(keys, length - 16) * _K2
    return a, b, c, d


def _up_to_32(keys: NDArray[np.uint8], length: int) -> Words:
    a, b, c, d = _ends(keys, length)
    a = a * _K1
    return _join(_rotate(a + b, 43) + _rotate(c, 30) + d, a + _rotate(b + _K2, 18) + c, _factor(length))


def _up_to_64(keys: NDArray[np.uint8], length: int) -> Words:
    factor = _factor(length)
    a, b, c, d = _ends(keys, length)
    a = a * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _join(y, a + _rotate(b + _K2, 18) + c, factor)
    e, f = _word(keys, 16) * factor, _word(keys, 24)
    g, h = (y + _word(keys, length - 32)) * factor, (z + _word(keys, length - 24)) * factor
    return _join(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, factor)


def _weak(keys: NDArray[np.uint8], place: int, a: Words, b: Words) -> tuple[Words, Words]:
    """Return a quick 128-bit hash of 32 bytes and two seeds."""
    w, x, y, z = (_word(keys, place + 8 * i) for i in range(4))
    a = a + w
    b = _rotate(b + a + z, 21)
    c = a
    a = a + x + y
    b = b + _rotate(a, 44)
    return a + z, b + c


def _long(keys: NDArray[np.uint8], length: int) -> Words:
    zero = np.zeros(len(keys), np.uint64)
    y = zero + np.uint64(81) * _K1 + np.uint64(113)
    z = _mix(y * _K2 + np.uint64(113)) * _K2
    v, w = (zero, zero), (zero, zero)
    x = np.uint64(81) * _K2 + _word(keys, 0)
    for place in range(0, (length - 1) // 64 * 64, 64):
        x, y, z, v, w = _round(keys, place, x, y, z, v, w, _K1, np.uint64(1))
    factor = _K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    w0 = w[0] + np.uint64((length - 1) & 63)
    v0 = v[0] + w0
    w, v = (w0 + v0, w[1]), (v0, v[1])
    x, y, z, v, w = _round(keys, length - 64, x, y, z, v, w, factor, np.uint64(9))
    return _join(_join(v[0], w[0], factor) + _mix(y) * _K0 + z, _join(v[1], w[1], factor) + x, factor)


def _round(
    keys: NDArray[np.uint8],
    place: int,
    x: Words,
    y: Words,
    z: Words,
    v: tuple[Words, Words],
    w: tuple[Words, Words],
    factor: Words | np.uint64,
    weight: np.uint64,
) -> tuple[Words, Words, Words, tuple[Words, Words], tuple[Words, Words]]:
    """Take in 64 bytes; the last round multiplies some words by 9."""
    x = _rotate(x + y + v[0] + _word(keys, place + 8), 37) * factor
    y = _rotate(y + v[1] + _word(keys, place + 48), 42) * factor
    x = x ^ (w[1] * weight)
    y = y + v[0] * weight + _word(keys, place + 40)
    z = _rotate(z + w[0], 33) * factor
    v = _weak(keys, place, v[1] * factor, x + w[0])
    w = _weak(keys, place + 32, z + w[1], y + _word(keys, place + 16))
    return z, y, x, v, w

# SPDX-License-Identifier: Apache-2.0
"""The tanh and the sigmoid of Eigen in float32, bit for bit: the recurrent kernels of LiteRT call them.

Neither is correctly rounded. Hybrid cells quantize their own output at every step, and there a last bit decides now and
then about a whole step of the quantization: with other functions, sequences would drift apart.

LiteRT's x86 build multiplies and adds in two roundings (no fused operation) and takes four elements at a time. The
sigmoid of these four is another approximation than that of the elements before the first 16-byte boundary and after
the last: those go through the C library's ``expf``, which is glibc's here (unchanged since 2.27; musl has the same).

Formulas: Eigen, ``GenericPacketMathFunctions.h`` (a rational function of degree 9/8 for tanh) and ``UnaryFunctors.h``
(logistic: ``exp(x / 2)`` by a polynomial of degree 5, squared); ``expf`` of Arm's optimized routines (2**(k/32) from a
table times a cubic polynomial, in float64).
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
f32 = np.float32

#: Beyond, tanh is 1.
_TANH_LIMIT = f32(7.90738964080810547)
_TANH_ODD = (f32(1.394553628e-8), f32(2.102733560e-5), f32(3.520756727e-3), f32(1.340216100e-1))
_TANH_EVEN = (f32(8.015776984e-7), f32(3.326951409e-4), f32(2.597254514e-2), f32(4.673548340e-1), f32(1))
#: Beyond, the sigmoid is 1, or 0.
_SIGMOID_HIGH, _SIGMOID_LOW = f32(16.6355324), f32(-104)
_LOG2E, _LN2_HIGH, _LN2_LOW = f32(1.44269504088896341), f32(-0.693359375), f32(2.12194440e-4)
_EXP = (f32(0.49999141693115234375), f32(0.16666877269744873), f32(4.1898667812347412e-2), f32(8.3347130566835403e-3))
_PACKET = 4

_EXPF_STEPS = 32
_EXPF_TABLE = np.exp2(np.arange(_EXPF_STEPS) / _EXPF_STEPS)
_EXPF = tuple(
    float.fromhex(c) / _EXPF_STEPS**power
    for c, power in (("0x1.c6af84b912394p-5", 3), ("0x1.ebfce50fac4f3p-3", 2), ("0x1.62e42ff0c52d6p-1", 1))
)


def expf(x: Float) -> Float:
    """Return glibc's ``expf`` of float32 values up to 88; it is off the correctly rounded value once in 2000."""
    steps = np.maximum(x, f32(-150)).astype(np.float64) * (float.fromhex("0x1.71547652b82fep+0") * _EXPF_STEPS)
    whole = np.rint(steps)
    r = steps - whole
    with np.errstate(invalid="ignore"):  # NaN stays NaN through r
        k = whole.astype(np.int64)
    power = np.ldexp(_EXPF_TABLE[k % _EXPF_STEPS], k // _EXPF_STEPS)
    poly = (_EXPF[0] * r + _EXPF[1]) * (r * r) + (_EXPF[2] * r + 1)
    result: Float = (poly * power).astype(np.float32)
    return result


def tanh(x: Float) -> Float:
    """Return Eigen's float32 tanh."""
    x = np.clip(x, -_TANH_LIMIT, _TANH_LIMIT)
    square = x * x
    odd, even = (functools.reduce(lambda sum_, c: sum_ * square + c, c) for c in (_TANH_ODD, _TANH_EVEN))
    result: Float = (square * x * odd + x) / even
    return result


def sigmoid(x: Float, start: int = 0, *, rows_together: bool = True) -> Float:
    """Return Eigen's float32 sigmoid of the rows of one gate.

    Args:
        x: [..., rows, n].
        start: Where the first element stands in memory, in elements behind a 16-byte boundary.
        rows_together: All rows are one vector; else each is its own vector, which starts where the one before ends.
    """
    packed = _packed(start, *x.shape[-2:], rows_together)
    if packed.all():
        return _packet_sigmoid(x)
    return np.where(packed, _packet_sigmoid(x), _single_sigmoid(x))


def _single_sigmoid(x: Float) -> Float:
    power = expf(np.minimum(x, _SIGMOID_HIGH))
    result: Float = power / (f32(1) + power)
    return result


def _packet_sigmoid(x: Float) -> Float:
    half = np.clip(x, _SIGMOID_LOW, _SIGMOID_HIGH) * f32(0.5)
    exponent = np.floor(half * _LOG2E + f32(0.5))
    r = exponent * _LN2_LOW + (exponent * _LN2_HIGH + half)
    square = r * r
    p = r * (square * _EXP[3] + _EXP[1]) + (square * _EXP[2] + _EXP[0])
    p = square * p + (r + f32(1))
    with np.errstate(invalid="ignore"):  # NaN has no exponent, and stays NaN
        root = np.ldexp(p, exponent.astype(np.int32))
    power = root * root
    return np.where(x < _SIGMOID_LOW, f32(0), power / (f32(1) + power))


@functools.lru_cache(maxsize=256)
def _packed(start: int, rows: int, n: int, rows_together: bool) -> NDArray[np.bool_]:
    """Return [rows, n]: whether an element is computed in a group of four."""
    lengths = [rows * n] if rows_together else [n] * rows
    packed = np.zeros(rows * n, np.bool_)
    for at, length in zip(itertools.accumulate(lengths, initial=0), lengths, strict=False):
        first = min(-(start + at) % _PACKET, length)
        packed[at + first : at + first + (length - first) // _PACKET * _PACKET] = True
    return packed.reshape(rows, n)

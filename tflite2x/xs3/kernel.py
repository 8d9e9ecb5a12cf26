# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of XC_fc on whole arrays: what the vector unit computes, without its instructions.

For every output channel, with ``rnd(v, s) = floor((v + 2**(s-1)) / 2**s)`` and ``rnd(v, 0) = v``::

    acc = clamp(bias + sum(weights * x), +-(2**31 - 1))
    v   = clamp(rnd(acc, shift1), +-32767)
    y   = clamp(rnd(v * scale + offset_scale * offset, shift2), lowest, highest)

:mod:`tflite2x.xs3.programs` does the same instruction by instruction, and tests hold the two equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import InputError
from tflite2x.xs3.layout import INT32_MAX, Int8, Int16, Int64, Parameters, groups, unpack

#: By shift: what is added before it, and the factor that it is; as floating-point numbers, all of them exact.
_HALVES = np.array([0.0, *(2.0**s for s in range(31))])
_STEPS = 2.0 ** -np.arange(32.0)
#: Largest product of a weight and an input.
_MOST = 128 * 128
#: Outputs computed at a time: the intermediate arrays stay in the cache.
BLOCK = 1 << 16


def fully_connected_8(x: Int8, weights: Int8, bso: Int16, *, symmetric: bool = False) -> Int8:
    """Compute XC_fc with 8-bit outputs.

    Args:
        x: int8 ``[..., C_in]``; ``C_in`` may be smaller than the width P of the weights: what is missing counts as 0.
        weights: int8 ``[C_out, P]``.
        bso: int16 ``[G, 7, 16]`` with ``G = ceil(C_out / 16)``, see :mod:`tflite2x.xs3.layout`.
        symmetric: Saturate at -127 instead of -128, as a library built with symmetric saturation does.

    Returns:
        int8 ``[..., C_out]``.

    Raises:
        InputError: Types, shapes or shifts that the operator does not have.
    """
    return FullyConnected(weights, bso, -127 if symmetric else -128, 127, np.int8)(x)


def fully_connected_16(x: Int8, weights: Int8, bso: Int16) -> Int16:
    """Compute the 16-bit variant: the outputs saturate at +-32767. Arguments as :func:`fully_connected_8`.

    Returns:
        int16 ``[..., C_out]``.
    """
    return FullyConnected(weights, bso, -32767, 32767, np.int16)(x)


class FullyConnected:
    """An XC_fc with its constants prepared, for many calls.

    Args:
        weights: int8 ``[C_out, P]``.
        bso: int16 ``[G, 7, 16]``.
        low: Lowest output.
        high: Highest output.
        dtype: Type of the outputs.
    """

    def __init__(self, weights: Int8, bso: Int16, low: int = -128, high: int = 127, dtype: Any = np.int8) -> None:
        if weights.dtype != np.int8 or weights.ndim != 2:
            raise InputError(
                f"the weights are {weights.dtype} {list(weights.shape)}, not int8 [C_out, P]", where="XC_fc"
            )
        self.channels, self.width = weights.shape
        p = unpack(bso, self.channels)
        if len(bso) != groups(self.channels):
            raise InputError(
                f"the block has {len(bso)} groups, {self.channels} channels need {groups(self.channels)}", where="BSO"
            )
        check_shifts(p)
        self._sums = Accumulator(weights)
        self._low, self._high, self._dtype = float(low), float(high), dtype
        # Rounding shifts as a multiplication and a floor: every value is a multiple of 2**-31 below 2**32, and exact.
        self._start, self._half1, self._step1 = p.bias.astype(np.float64), _HALVES[p.shift1], _STEPS[p.shift1]
        step2 = _STEPS[p.shift2]
        self._scale = p.scale * step2
        self._offset = (p.total_offset + _HALVES[p.shift2]) * step2
        self._saturates = False
        if _MOST * self.width + np.abs(p.bias).max(initial=0) > INT32_MAX:  # rarely
            ends = np.stack(accumulator_range(weights)) + p.bias
            self._saturates = bool(np.any(np.abs(ends) > INT32_MAX))
        if not self._saturates:
            self._start += self._half1

    def __call__(self, x: Int8) -> NDArray[Any]:
        """Return ``[..., C_out]`` for int8 ``[..., C_in]``; what is missing up to P counts as 0."""
        if x.dtype != np.int8 or x.ndim < 1 or x.shape[-1] > self.width:
            raise InputError(
                f"the input is {x.dtype} {list(x.shape)}, not int8 [..., C_in <= {self.width}]", where="XC_fc"
            )
        rows = x.reshape(-1, x.shape[-1])
        out = np.empty((len(rows), self.channels), self._dtype)
        step = max(1, BLOCK // max(1, self.channels))
        for first in range(0, len(rows), step):
            block = slice(first, first + step)
            self.finish(self._sums.as_floats(rows[block]), out[block])
        return out.reshape(*x.shape[:-1], self.channels)

    def finish(self, sums: NDArray[Any], out: NDArray[Any]) -> None:
        """Take sums of products ``[N, C_out]`` (whole numbers of any type) to outputs, which go into ``out``."""
        y = np.add(sums, self._start, dtype=np.float64)
        if self._saturates:
            np.clip(y, -INT32_MAX, INT32_MAX, out=y)
            y += self._half1
        y *= self._step1
        np.floor(y, out=y)
        # Two calls are faster than np.clip on short arrays.
        np.minimum(np.maximum(y, -32767.0, out=y), 32767.0, out=y)
        y *= self._scale
        y += self._offset
        np.floor(y, out=y)
        np.minimum(np.maximum(y, self._low, out=y), self._high, out=y)
        np.copyto(out, y, casting="unsafe")


def check_shifts(parameters: Parameters) -> None:
    """Refuse shifts outside of 0..31, which the C code leaves undefined."""
    if not ((parameters.shift1 | parameters.shift2) & ~31).any():
        return
    for name in ("shift1", "shift2"):
        values = getattr(parameters, name)
        bad = np.flatnonzero((values < 0) | (values > 31))
        if bad.size:
            c = int(bad[0])
            raise InputError(f"{name} of channel {c} is {values[c]}, outside of [0, 31]", where="BSO")


def requantize(acc: Int64, parameters: Parameters, low: int = -128, high: int = 127) -> Int64:
    """Take saturated accumulators ``[..., C]`` to outputs: shift, 16-bit saturation, scale, offset, shift, saturation.

    The sums are exact: where a 32-bit rounding addition would wrap (see :func:`outside_domain`), this does not.
    """
    v = _shift(acc, parameters.shift1)
    np.clip(v, -32767, 32767, out=v)
    v *= parameters.scale
    v += parameters.total_offset
    v = _shift(v, parameters.shift2)
    return np.clip(v, low, high, out=v)


def _shift(values: Int64, shift: Int64) -> Int64:
    """Return ``rnd(values, shift)``: shift right, halves up."""
    half = (np.int64(1) << shift) >> 1
    result: Int64 = values + half
    result >>= shift
    return result


def outside_domain(low: Int64, high: Int64, parameters: Parameters) -> NDArray[np.bool_]:
    """Tell which channels can leave the domain where C code, vector unit and this module agree.

    Outside of it an accumulator saturates on its way (the result then depends on the order of summation), or the
    32-bit addition of a rounding term wraps.

    Args:
        low: Smallest accumulator of each channel, bias included. Because an input of zero is possible everywhere, no
            partial sum in any order is smaller.
        high: Largest accumulator of each channel.
        parameters: The channel's parameters.
    """
    limit = np.int64(INT32_MAX)
    half1, half2 = ((np.int64(1) << s) >> 1 for s in (parameters.shift1, parameters.shift2))
    v = np.stack([np.clip(_shift(a, parameters.shift1), -32767, 32767) for a in (low, high)])
    p = v * parameters.scale + parameters.total_offset
    bad: NDArray[np.bool_] = (low < -limit) | (high > limit) | (high + half1 > limit) | (p.max(0) + half2 > limit)
    return bad


class Accumulator:
    """Exact integer sums ``rows @ weights.T`` through floating-point BLAS.

    Every partial sum of a row is at most ``128 * sum(abs(weights))``, and integers up to 2**24 (2**53) are exact in
    float32 (float64), in any order of summation and with fused multiply-add.

    Args:
        weights: int8 ``[C_out, C_in]``.
    """

    def __init__(self, weights: Int8) -> None:
        bound = _MOST * weights.shape[1]
        if bound > 1 << 24:
            bound = 128 * int(_magnitudes(weights).max(initial=0))
        dtype: Any = np.float32 if bound <= 1 << 24 else np.float64
        self._columns: NDArray[Any] = np.ascontiguousarray(weights.T, dtype)

    def __call__(self, rows: Int8) -> Int64:
        """Return int64 ``[N, C_out]`` for int8 ``[N, C_in]``; rows may be shorter than the weights."""
        return self.as_floats(rows).astype(np.int64)

    def as_floats(self, rows: Int8) -> NDArray[Any]:
        """Return the same whole numbers as float32 or float64."""
        columns = self._columns[: rows.shape[1]]
        sums: NDArray[Any] = rows.astype(columns.dtype) @ columns
        return sums


def _magnitudes(weights: Int8) -> Int64:
    """Return the sum of magnitudes of each row; that of -128 is 128 without its sign bit."""
    return _row_sums(np.abs(weights).view(np.uint8))


def _row_sums(values: NDArray[Any]) -> Int64:
    """Return the sums of rows of bytes; in 32 bits, which are faster, where they cannot leave them."""
    kind = np.int32 if values.shape[1] < 1 << 23 else np.int64
    sums: Int64 = values.sum(axis=1, dtype=kind).astype(np.int64)
    return sums


def accumulator_range(weights: Int8) -> tuple[Int64, Int64]:
    """Return the smallest and largest ``sum(weights * x)`` of each int8 ``[C_out, C_in]`` row over all int8 inputs."""
    total, size = _row_sums(weights), _magnitudes(weights)
    positive, negative = (total + size) // 2, (total - size) // 2
    return 127 * negative - 128 * positive, 127 * positive - 128 * negative

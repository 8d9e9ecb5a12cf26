# SPDX-License-Identifier: Apache-2.0
"""From accumulators to the integers of the output tensor: bias, rescaling, zero point, clamp.

The rescaling is defined on integers (:mod:`tflite2x.interpreter.fixedpoint`, double rounding), but float64 is faster
than int64 by a factor of three, and it gives the same integers when that is proved beforehand from bounds on the
accumulators.

With ``M = m / 2**t``, gemmlowp's two roundings are one floor: ``floor(x * M + 1/2 + e)``. Here ``e`` is
``2**(30 - t)`` with the sign of ``x``, or 0 when there is no right shift (``t <= 31``): floors of quotients nest, and
the second rounding goes away from zero. ``M`` and ``x`` are exact in float64, and ``x * M + 1/2 + e`` is either an
integer or at least ``2**-t`` away from one.

* If ``|x| * m + 2**t`` stays below ``2**53``, every step is exact (``floored``).
* Otherwise the steps round, but results outside of the output's ``b`` bits are clamped, and rounding is monotonic, so
  only ``|x * M| < 2**(b + 1)`` matters. There the three steps err by at most ``3 * 2**(b - 53)`` together, and integers
  come out exactly. So ``t <= 51 - b`` is enough (``clamped``).

When nothing below zero survives the clamp (RELU), the sign of ``e`` does not matter, and bias, zero point, 1/2 and
``e`` come in with one addition, if there are bits enough for all of them (``exact``).

Where none of this holds, int64 arithmetic computes the definition. Accumulators that may leave int32 wrap, as in
the C++.
"""

from __future__ import annotations

import abc
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.fixedpoint import reduced_multiplier, requantize, requantize_int64, wrap_int32
from tflite2x.interpreter.kernel import Array

#: Elements per step: the float64 scratch and the per-channel constants stay in the second-level cache.
_CHUNK = 1 << 14
_EXACT = float(1 << 53)
_INT32 = float(1 << 31)
#: Adding the largest float64 below one half and truncating rounds half away from zero, without the double rounding
#: that adding 0.5 has just below one half.
_HALF = float(np.nextafter(0.5, 0.0))


class Stage(Protocol):
    """The last step of an integer kernel."""

    def __call__(self, acc: Array, out: Array) -> None:
        """Turn accumulators [R, O] (integers, any numeric type) into ``out`` [R, O]; both contiguous."""
        ...


class _PerChannel:
    """Per-channel constants, repeated so that they lie beside flattened accumulators."""

    def __init__(self, values: Array) -> None:
        self._values = values
        same = bool(values.size) and bool(np.all(values == values.flat[0]))
        self._tiled: Array | None = None if same else values
        self._one = values.flat[0] if same else None

    def __call__(self, length: int) -> Any:
        """Return one number when all channels agree, otherwise ``length`` values."""
        if self._tiled is None:
            return self._one
        if self._tiled.size < length:
            self._tiled = np.tile(self._values, -(-length // self._values.size))
        return self._tiled[:length]


class _Chunked(abc.ABC):
    """Walks over flattened accumulators in pieces that fit into the cache."""

    def __init__(self, channels: int, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._step = max(1, _CHUNK // max(1, channels)) * channels

    def __call__(self, acc: Array, out: Array) -> None:
        flat, target = acc.reshape(-1), out.reshape(-1)
        for start in range(0, flat.size, max(1, self._step)):
            self.chunk(flat[start : start + self._step], target[start : start + self._step])

    @abc.abstractmethod
    def chunk(self, acc: Array, out: Array) -> None:
        """Convert one flattened piece; it starts at channel 0."""


class FixedPointStage(_Chunked):
    """Bias, quantized multiplier, zero point and clamp.

    Args:
        mantissa: From ``quantize_multiplier``; [O] int64.
        shift: From ``quantize_multiplier``; [O] int64.
        bias: [O] int64, zero points folded in; the sum of accumulator and bias is what TFLite's accumulator holds.
        bound: [O] float64; no accumulator (without bias) is larger in magnitude.
        zero_point: Of the output.
        low: Lowest output value.
        high: Highest output value.
        dtype: Type of the output.
        wide: The kernel's accumulators have 64 bits and use the 16-bit multiplier (16x8 with int64 bias).
    """

    def __init__(
        self,
        *,
        mantissa: Array,
        shift: Array,
        bias: Array,
        bound: NDArray[np.float64],
        zero_point: int,
        low: int,
        high: int,
        dtype: np.dtype[Any],
        wide: bool = False,
    ) -> None:
        super().__init__(len(bias), np.dtype(dtype))
        self._integer = (mantissa, shift, bias)
        self._wide = wide
        self._zero_point, self._low, self._high = zero_point, low, high
        magnitude = bound + np.abs(bias.astype(np.float64))
        self._wraps = not wide and bool(np.any(magnitude >= _INT32))
        m, t = (reduced_multiplier(mantissa), 15 - shift) if wide else (mantissa, 31 - shift)
        self.path = self._choose(magnitude, m.astype(np.float64), t, shift)
        multiplier = np.ldexp(m.astype(np.float64), -t)
        tie = np.where((t > 31) & (not wide), np.ldexp(1.0, 30 - t), 0.0)
        # Results are moved so that the clamp starts at 0: then the cast, which truncates, is the floor.
        self._offset = float(zero_point - low) + (0.0 if self.path == "floored" else 0.5)
        self._top = float(high - low)
        self._base = np.asarray(low).astype(self.dtype)
        if self.path == "integer":
            self._bias, self._mantissa, self._shift = _PerChannel(bias), _PerChannel(mantissa), _PerChannel(shift)
            return
        self._multiplier = _PerChannel(multiplier)
        if self.path == "exact":
            self._constant = _PerChannel(bias * multiplier + self._offset + tie)
            return
        self._constant = _PerChannel(bias.astype(np.float64))
        self._tie = _PerChannel(tie) if np.any(tie) else None

    def _choose(self, magnitude: NDArray[np.float64], m: NDArray[np.float64], t: Array, shift: Array) -> str:
        """Choose the fastest arithmetic that is proved equal to the definition."""
        bits = 8 * self.dtype.itemsize
        results = magnitude * np.ldexp(m, -t)
        shifted = magnitude * np.ldexp(1.0, np.maximum(shift, 0))
        unusual = abs(self._zero_point) > 1 << bits or self._low > self._high
        # float64 has no int32 to wrap in: neither accumulators, nor results, nor results plus zero point may need it.
        if (
            self._wraps
            or unusual
            or np.any(results >= _INT32 - 2.0**17)
            or (not self._wide and np.any(shifted >= _INT32))
        ):
            return "integer"
        positive = self._low >= self._zero_point
        if positive and np.all(magnitude * m + np.ldexp(2.0 ** (bits + 2), t) < _EXACT):
            return "exact"
        coarse = t <= 51 - bits
        if np.all(coarse):
            return "clamped"
        return "floored" if np.all((magnitude * m + np.ldexp(2.0, t) < _EXACT) | coarse) else "integer"

    def chunk(self, acc: Array, out: Array) -> None:
        """Convert one flattened piece."""
        n = acc.size
        if self.path == "integer":
            out[:] = self._definition(acc.astype(np.int64), n)
            return
        if self.path == "exact":
            y = np.multiply(acc, self._multiplier(n), dtype=np.float64)
            y += self._constant(n)
        else:
            y = np.add(acc, self._constant(n), dtype=np.float64)
            y *= self._multiplier(n)
            if self._tie is not None:
                y += np.copysign(self._tie(n), y)
            if self.path == "floored":
                y += 0.5
                np.floor(y, out=y)
            y += self._offset
        np.maximum(y, 0.0, out=y)
        np.minimum(y, self._top, out=y)
        unsigned = y.astype(np.uint8 if self.dtype.itemsize == 1 else np.uint16)
        # Modulo 2**bits, adding the lowest value undoes the move.
        np.add(unsigned.view(self.dtype), self._base, out=out)

    def _definition(self, x: Array, n: int) -> Array:
        x += self._bias(n)
        if self._wraps:
            x = wrap_int32(x)
        rescale = requantize_int64 if self._wide else requantize
        y = rescale(x, self._mantissa(n), self._shift(n), "double")
        y += self._zero_point
        return np.clip(wrap_int32(y), self._low, self._high)


class RealStage(_Chunked):
    """Bias, a float64 multiplier rounded half away from zero, zero point and clamp.

    LiteRT's reference FULLY_CONNECTED rescales this way, without a quantized multiplier (``reference/integer_ops/
    fully_connected.h``). Results that leave int32 become -2**31, as on x86 (in C++ the cast is undefined).

    Args:
        multiplier: [O] float64: input scale times filter scale, divided by output scale.
        bias: [O] int64, zero points folded in.
        bound: [O] float64; no accumulator (without bias) is larger in magnitude.
        zero_point: Of the output.
        low: Lowest output value.
        high: Highest output value.
        dtype: Type of the output.
        wide: The kernel's accumulators have 64 bits.
    """

    def __init__(
        self,
        *,
        multiplier: NDArray[np.float64],
        bias: Array,
        bound: NDArray[np.float64],
        zero_point: int,
        low: int,
        high: int,
        dtype: np.dtype[Any],
        wide: bool = False,
    ) -> None:
        super().__init__(len(bias), np.dtype(dtype))
        magnitude = bound + np.abs(bias.astype(np.float64))
        self._wraps = not wide and bool(np.any(magnitude >= _INT32))
        self._integer = self._wraps or bool(np.any(magnitude >= _EXACT))
        self._overflows = bool(np.any(magnitude * multiplier >= _INT32 - 2.0**17))
        self._bias = _PerChannel(bias if self._integer else bias.astype(np.float64))
        self._multiplier = _PerChannel(multiplier)
        self._zero_point, self._low, self._high = zero_point, low, high

    def chunk(self, acc: Array, out: Array) -> None:
        """Convert one flattened piece."""
        n = acc.size
        if self._integer:
            x = acc.astype(np.int64) + self._bias(n)
            y = (wrap_int32(x) if self._wraps else x).astype(np.float64)
        else:
            y = np.add(acc, self._bias(n), dtype=np.float64)
        y *= self._multiplier(n)
        y += np.copysign(_HALF, y)
        if self._overflows:
            np.trunc(y, out=y)
            y[~((y >= -_INT32) & (y < _INT32))] = -_INT32
            whole = wrap_int32(y.astype(np.int64) + self._zero_point)
            out[:] = np.clip(whole, self._low, self._high)
            return
        np.clip(y, self._low - self._zero_point, self._high - self._zero_point, out=y)
        out[:] = y.astype(np.int32) + self._zero_point

# SPDX-License-Identifier: Apache-2.0
"""From accumulators to the integers of the output tensor: bias, rescaling, zero point, clamp.

The rescaling is defined on integers (:mod:`tflite2x.interpreter.fixedpoint`, double rounding), but floating point is
faster than int64, and it gives the same integers when that is proved beforehand.

With ``M = m / 2**t``, gemmlowp's two roundings are one floor: ``floor(x * M + 1/2 + e)``. Here ``e`` is
``2**(30 - t)`` with the sign of ``x``, or 0 when there is no right shift (``t <= 31``): floors of quotients nest, and
the second rounding goes away from zero. Where nothing below zero survives the clamp (RELU), the sign does not matter.

**float64.** ``M`` and ``x`` are exact; ``x * M + 1/2 + e`` is either an integer or at least ``2**-t`` away from one.
Results outside of the output's ``b`` bits are clamped, and rounding is monotonic, so only ``|x * M| < 2**(b + 1)``
matters. There the three steps err by at most ``3 * 2**(b - 53)`` together, and integers come out exactly. So
``t <= 51 - b`` is enough. For channels with a smaller multiplier, both formulas are monotonic step functions of ``x``:
they agree everywhere when they agree at both ends of the reachable range and on both sides of every step in it, and
that is simply computed.

**float32**, for long 8-bit outputs. Its error is bounded too, by far less than one half. Results whose distance from a
tie is within that bound, one in some hundreds, are computed again in float64.

Where float64 is not proved, int64 computes the definition. Accumulators that may leave int32 wrap, as in the C++.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.chunks import Chunked, PerChannel
from tflite2x.interpreter.fixedpoint import reduced_multiplier, requantize, requantize_int64, wrap_int32
from tflite2x.interpreter.kernel import Array

_INT32 = float(1 << 31)
#: Below this length the calls cost more than the arithmetic, and float64 needs fewer of them.
_SHORT = 12288
#: Largest share of the distance between integers that float32 may leave undecided.
_UNDECIDED = 1 / 64
#: More steps than this are not worth proving.
_MOST_STEPS = 1 << 12
#: Steps that are proved at once.
_PROOF = 1 << 14


class FixedPointStage(Chunked):
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

    Attributes:
        path: ``float32``, ``float64`` or ``integer``: the fastest arithmetic that was proved.
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
        self._wide, self._zero_point, self._low, self._high = wide, zero_point, low, high
        self._bias, self._mantissa, self._shift = PerChannel(bias), PerChannel(mantissa), PerChannel(shift)
        magnitude = bound + np.abs(bias.astype(np.float64))
        self._wraps = not wide and bool(np.any(magnitude >= _INT32))
        m, t = (reduced_multiplier(mantissa), 15 - shift) if wide else (mantissa, 31 - shift)
        multiplier = np.ldexp(m.astype(np.float64), -t)
        tie = np.where((t > 31) & (not wide), np.ldexp(1.0, 30 - t), 0.0)
        positive = low >= zero_point
        # Results are moved so that the clamp starts at 0: then the cast, which truncates, is the floor.
        offset = zero_point - low + 0.5 + (tie if positive else 0.0 * tie)
        self._constants = tuple(PerChannel(c) for c in (bias.astype(np.float64), multiplier, offset))
        self._tie = None if positive or not np.any(tie) else PerChannel(tie)
        self._top = float(high - low)
        self._unsigned = np.dtype(np.uint8 if self.dtype.itemsize == 1 else np.uint16)
        self._base = np.asarray(low).astype(self.dtype)
        self.path = "float64" if self._is_proved(magnitude, bound, multiplier, t) else "integer"
        if self.path == "float64" and self.dtype.itemsize == 1:
            self._prepare_float32(bias * multiplier + offset - 0.5, multiplier, 0.0 if self._tie is None else tie)

    def _is_proved(
        self, magnitude: NDArray[np.float64], bound: NDArray[np.float64], multiplier: NDArray[np.float64], t: Array
    ) -> bool:
        """Return whether float64 computes the definition for all reachable accumulators."""
        bits = 8 * self.dtype.itemsize
        shifted = magnitude * np.ldexp(1.0, np.maximum(self._shift.values, 0))
        # float64 has no int32 to wrap in: neither accumulators, nor results, nor results plus zero point may need it.
        overflows = np.any(magnitude * multiplier >= _INT32 - 2.0**17) or (not self._wide and np.any(shifted >= _INT32))
        if self._wraps or overflows or abs(self._zero_point) > 1 << bits or self._low > self._high:
            return False
        return self._agrees(np.flatnonzero(t > 51 - bits), bound)

    def _agrees(self, channels: Array, bound: NDArray[np.float64]) -> bool:
        """Compare float64 with the definition at all steps that the accumulators of some channels reach."""
        bias, ends = self._bias.values[channels], np.trunc(bound[channels]).astype(np.int64)
        first, last = (self._rescale(x + bias, channels) for x in (-ends, ends))
        for x, result in ((-ends, first), (ends, last)):
            if not np.array_equal(self._moved(x, channels), self._clamped(result)):
                return False
        first, last = np.maximum(first, self._low - self._zero_point), np.minimum(last, self._high - self._zero_point)
        counts = np.maximum(last - first, 0)
        most = int(counts.max(initial=0))
        if most > _MOST_STEPS:
            return False
        at_once = max(1, _PROOF // max(1, most))
        parts = (slice(start, start + at_once) for start in range(0, len(channels), at_once))
        return all(self._agrees_at(channels[part], first[part], counts[part], ends[part]) for part in parts)

    def _agrees_at(self, channels: Array, first: Array, counts: Array, ends: Array) -> bool:
        """Compare on both sides of the ``counts`` steps to the integers after ``first``."""
        before = np.cumsum(counts) - counts
        steps = np.arange(int(counts.sum())) + np.repeat(first + 1 - before, counts)
        channels, ends = np.repeat(channels, counts), np.repeat(ends, counts)[:, None]
        # The tie moves the step to v by at most one from (v - 1/2) / M, because the mantissa is at least 2**30.
        near = np.ceil((steps - 0.5) / self._constants[1].values[channels]).astype(np.int64)[:, None] + np.arange(-2, 2)
        results = self._rescale(near, channels[:, None])
        if np.any(results[:, 0] >= steps) or np.any(results[:, -1] < steps):
            return False
        points = near - self._bias.values[channels][:, None]
        got = self._moved(points.reshape(-1), np.repeat(channels, points.shape[1])).reshape(points.shape)
        return not np.any((got != self._clamped(results)) & (np.abs(points) <= ends))

    def _moved(self, acc: Array, channels: Array) -> Array:
        """Return what float64 computes, minus the lowest."""
        return np.trunc(self._float64(acc, channels))

    def _clamped(self, results: Array) -> Array:
        """Return the definition's results with zero point and clamp, minus the lowest."""
        clamped: Array = np.clip(results + self._zero_point, self._low, self._high)
        return clamped - self._low

    def _rescale(self, x: Array, channels: Array) -> Array:
        rescale = requantize_int64 if self._wide else requantize
        return rescale(x, self._mantissa.values[channels], self._shift.values[channels], "double")

    def _prepare_float32(self, constant: Array, multiplier: Array, tie: Array | float) -> None:
        # Both operands, the product and the sum are rounded to 24 bits, and so are accumulators in float64.
        reach = 2.0**9 + np.abs(constant)
        self._undecided = float(np.max(4 * reach * 2.0**-24 + np.abs(constant) * 2.0**-24 + tie, initial=0.0))
        if self._undecided <= _UNDECIDED:
            self.path = "float32"
            self._constants32 = (PerChannel(multiplier.astype(np.float32)), PerChannel(constant.astype(np.float32)))

    def chunk(self, acc: Array, out: Array) -> None:
        """Convert one flattened piece."""
        if self.path == "float32" and acc.size >= _SHORT:
            self._float32(acc, out)
        elif self.path != "integer":
            moved = self._float64(acc).astype(self._unsigned)
            # Modulo 2**bits, adding the lowest value undoes the move.
            np.add(moved.view(self.dtype), self._base, out=out)
        else:
            out[:] = self._definition(acc.astype(np.int64))

    def _float64(self, acc: Array, channels: Array | None = None) -> Array:
        """Return results minus the lowest, clamped and to be truncated; ``channels`` where not in order."""
        n = acc.size
        bias, multiplier, offset = (c(n) if channels is None else c.values[channels] for c in self._constants)
        y: Array = np.add(acc, bias, dtype=np.float64)
        y *= multiplier
        if self._tie is not None:
            y += np.copysign(self._tie(n) if channels is None else self._tie.values[channels], y)
        y += offset
        # Two calls are faster than np.clip on short arrays.
        np.maximum(y, 0.0, out=y)
        return np.minimum(y, self._top, out=y)

    def _float32(self, acc: Array, out: Array) -> None:
        multiplier, constant = (c(acc.size) for c in self._constants32)
        y = np.multiply(acc, multiplier, dtype=np.float32, casting="same_kind")
        y += constant
        nearest = np.rint(y)
        np.subtract(y, nearest, out=y)
        np.abs(y, out=y)
        again = np.flatnonzero(y >= np.float32(0.5 - self._undecided))
        np.clip(nearest, np.float32(0), np.float32(self._top), out=nearest)
        moved = nearest.astype(self._unsigned)
        if again.size:
            moved[again] = self._float64(acc[again], again % self.channels)
        np.add(moved.view(self.dtype), self._base, out=out)

    def _definition(self, x: Array) -> Array:
        n = x.size
        x += self._bias(n)
        if self._wraps:
            x = wrap_int32(x)
        rescale = requantize_int64 if self._wide else requantize
        y = rescale(x, self._mantissa(n), self._shift(n), "double")
        y += self._zero_point
        return np.clip(wrap_int32(y), self._low, self._high)

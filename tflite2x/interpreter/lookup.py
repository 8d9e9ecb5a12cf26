# SPDX-License-Identifier: Apache-2.0
"""Lookup tables: LiteRT's own (part of its arithmetic), and ours (functions of few bits, computed once).

LiteRT evaluates many quantized activations through tables that it fills with float32 arithmetic at load time:
``internal/common.h``, LUTPopulateInt8 (256 entries, exact) and LUTPopulateInt16 (513 entries, linear interpolation).

Ours replace any integer function of one byte (or of two bytes, or of one int16) by the table of its values. The table
is made from the direct formula, so that it is exact by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Array, TensorSpec

Int64 = NDArray[np.int64]
#: A float function, called with float32 (or float64) arrays; it must keep the type.
FloatFunction: TypeAlias = Callable[[Array], Array]
#: An integer function, called with int64 arrays; its results fit the output's type.
IntegerFunction: TypeAlias = Callable[..., Array]

# After this number of elements, a table of 65,536 values pays for itself.
_LARGE = 1 << 15


def all_values(dtype: DTypeLike) -> Int64:
    """Return every value of an 8- or 16-bit integer type, in the order of its bit patterns."""
    kind = np.dtype(dtype)
    unsigned = np.arange(1 << (8 * kind.itemsize), dtype=f"u{kind.itemsize}")
    return unsigned.view(kind).astype(np.int64)


def byte_table(function: FloatFunction, source: TensorSpec, target: TensorSpec) -> NDArray[Any]:
    """Fill a table of 256 quantized values (LUTPopulateInt8).

    Args:
        function: The float function.
        source: int8 or uint8 input with its quantization.
        target: Output of the same type.

    Returns:
        256 values of the type, in the order of the input's bit patterns.
    """
    info = np.iinfo(target.dtype)
    inverse_scale = np.float32(1) / np.float32(target.s)
    real = np.float32(source.s) * (all_values(source.dtype) - source.z).astype(np.float32)
    with np.errstate(all="ignore"):
        steps = round_half_away(function(real) * inverse_scale) + np.float32(target.z)
    steps = np.where(np.isnan(steps), np.float32(info.min), steps)
    return np.clip(steps, info.min, info.max).astype(target.dtype)


def int16_table(
    function: FloatFunction,
    input_scale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    dtype: DTypeLike = np.float32,
) -> Int64:
    """Fill a table of 513 values for interpolation (LUTPopulateInt16).

    Every entry but the last is corrected for half of the error at the middle of its interval.

    Args:
        function: The float function.
        input_scale: Scale of the int16 input.
        input_zero_point: Zero point of the int16 input.
        output_scale: Scale of the int16 output.
        output_zero_point: Zero point of the int16 output.
        dtype: Float type of the arithmetic: float32 for operators, float64 inside softmax.
    """
    f: Any = np.dtype(dtype).type
    low, high = -32768, 32767
    input_min = f(f(input_scale) * f(low - input_zero_point))
    input_max = f(f(input_scale) * f(high - input_zero_point))
    output_min = f(f(output_scale) * f(low - output_zero_point))
    output_max = f(f(output_scale) * f(high - output_zero_point))
    step = f((input_max - input_min) / f(512))
    inverse = f(f(65536) / (output_max - output_min))

    index = np.arange(512).astype(dtype)
    with np.errstate(all="ignore"):
        value = round_half_away(function(input_min + index * step) * inverse)
        middle = round_half_away(function(input_min + index * step + step / f(2)) * inverse)
        interpolated = round_half_away((function(input_min + (index + f(1)) * step) * inverse + value) / f(2))
        bias = round_half_away((interpolated - middle) / f(2))
        last = round_half_away(function(np.asarray([input_max], dtype)) * inverse)
    return np.asarray(np.clip(np.concatenate([value - bias, last]), low, high), np.int64)


def interpolate(table: Int64, x: Array) -> Int64:
    """Look int16 values up in a table of 513 (LUTLookup): 9 bits of index, 7 bits of linear interpolation."""
    value = np.asarray(x, np.int64)
    index = 256 + (value >> 7)
    base: Int64 = table[index]
    # The slope is an int16 in C++: a table that jumps by more than that wraps.
    slope = (table[index + 1] - base).astype(np.int16).astype(np.int64)
    return np.asarray((base + ((slope * (value & 0x7F) + 64) >> 7)).astype(np.int16), np.int64)


def sigmoid_table() -> Int64:
    """Return LiteRT's table of the logistic function for int16 LOGISTIC and TANH: steps of 1/24, scale 2**-16.

    Every entry is raised by half of the error that linear interpolation makes in the middle of an interval, which is
    ``-f'' / (8 * 24**2)``; the last one is the highest value. The result equals the constants of ``internal/common.h``.
    """
    value = 1 / (1 + np.exp(-np.arange(256) / 24))
    curvature = value * (1 - value) * (1 - 2 * value)
    table = np.floor(65536 * (value - curvature / (16 * 24 * 24)) + 0.5).astype(np.int64)
    table[255] = 65535
    return table


def _interpolated(magnitude: Array, bits: int, beyond: int) -> Array:
    """Interpolate LiteRT's table of the logistic function at ``magnitude / 2**bits``."""
    table, index = sigmoid_table(), magnitude >> bits
    lower, upper = table[np.minimum(index, 254)], table[np.minimum(index, 254) + 1]
    inside = (lower << bits) + (magnitude & ((1 << bits) - 1)) * (upper - lower)
    return np.where(index >= 255, beyond, inside)


def logistic16(x: Array) -> Array:
    """Return the logistic function of ``x / (3 * 4096)`` with 15 fractional bits (integer_ops/logistic.h)."""
    result = _interpolated(np.abs(x), 9, 0x7FFF << 10)
    return np.where(x >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1) >> 10


def tanh16(x: Array) -> Array:
    """Return tanh of ``x / (3 * 4096)`` with 15 fractional bits (integer_ops/tanh.h)."""
    result = _interpolated(np.abs(x), 8, 0xFFFF << 8) - (1 << 23)
    return np.where(x >= 0, result + (1 << 7), -result + (1 << 7) - 1) >> 8


def unary(function: IntegerFunction, source: DTypeLike, target: DTypeLike) -> Callable[[Array], Array]:
    """Make a fast version of an integer function of one 8- or 16-bit value.

    Args:
        function: int64 array to an array whose values fit ``target``.
        source: Type of the input.
        target: Type of the result.

    Returns:
        A function of arrays of type ``source`` that returns arrays of type ``target``.
    """
    kind, result = np.dtype(source), np.dtype(target)
    unsigned = np.dtype(f"u{kind.itemsize}")
    table: Array | None = function(all_values(kind)).astype(result) if kind.itemsize == 1 else None
    seen = 0

    def run(x: Array) -> Array:
        nonlocal table, seen
        if table is None:
            seen += x.size
            if seen < _LARGE:
                direct: Array = function(x.astype(np.int64)).astype(result)
                return direct
            table = function(all_values(kind)).astype(result)
        return lookup(table, x.view(unsigned))

    return run


def lookup(table: Array, index: Array) -> Array:
    """Return ``table[index]`` for uint8 indices into 256, or uint16 indices into 65,536 values."""
    if index.dtype.itemsize == 1 and table.dtype.itemsize == 1:
        # bytes.translate is three times as fast as take().
        mapped = bytearray(np.ascontiguousarray(index)).translate(table.tobytes())
        return np.frombuffer(mapped, table.dtype).reshape(index.shape)
    return table.take(index)


def binary(
    function: IntegerFunction, source: DTypeLike, target: DTypeLike, second: DTypeLike | None = None
) -> Callable[[Array, Array], Array]:
    """Make a fast version of an integer function of two values that broadcast.

    For pairs of bytes, many elements are looked up in the table of all 65,536 pairs; everything else is computed.

    Args:
        function: Two int64 arrays to an array whose values fit ``target``.
        source: Type of the first input, and of the second unless ``second`` says otherwise.
        target: Type of the result.
        second: Type of the second input.
    """
    first, result = np.dtype(source), np.dtype(target)
    other = np.dtype(source if second is None else second)
    small = first.itemsize == 1 and other.itemsize == 1
    table: Array | None = None
    seen = 0

    def run(a: Array, b: Array) -> Array:
        nonlocal table, seen
        if table is None:
            seen += np.broadcast(a, b).size
            if not small or seen < _LARGE:
                direct: Array = function(a.astype(np.int64), b.astype(np.int64)).astype(result)
                return direct
            pairs = function(all_values(first)[:, None], all_values(other)[None, :])
            table = np.ascontiguousarray(pairs.astype(result)).reshape(-1)
        high = np.left_shift(a.view(np.uint8), 8, dtype=np.uint16)
        return table.take(high + b.view(np.uint8))

    return run

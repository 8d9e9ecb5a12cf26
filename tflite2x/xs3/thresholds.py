# SPDX-License-Identifier: Apache-2.0
"""Where an output code changes: both TFLite and XC_fc are non-decreasing step functions of the integer accumulator.

Either function is described completely by 255 thresholds per channel: the smallest TFLite accumulator whose output is
at least ``y``, for ``y = -127 .. 127``. Thresholds that no int32 accumulator can reach are ``-FAR`` or ``FAR``.
All are found in closed form by exact divisions, and :func:`certify` checks each by evaluating the function itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.fixedpoint import requantize as requantize_tflite
from tflite2x.interpreter.fixedpoint import round_half_away
from tflite2x.interpreter.kernel import Rounding
from tflite2x.xs3.kernel import Accumulator
from tflite2x.xs3.kernel import requantize as requantize_xc
from tflite2x.xs3.layer import Float64, Layer
from tflite2x.xs3.layout import INT32_MAX, INT32_MIN, Int8, Int64, Parameters

#: Output codes that have a threshold: all but the lowest.
CODES = np.arange(-127, 128, dtype=np.int64)
#: Beyond every int32 accumulator.
FAR = 1 << 40
#: Thresholds worked on at a time: the intermediate arrays stay in the cache, and their memory in the process.
BLOCK = 1 << 14


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Split an array ``[rows, columns]`` into groups of rows with about ``BLOCK`` elements."""
    step = max(1, BLOCK // max(1, columns))
    return (slice(first, first + step) for first in range(0, rows, step))


def tflite_outputs(layer: Layer, acc: Int64, rounding: Rounding) -> Int64:
    """Return TFLite's outputs for accumulators ``[..., C]``.

    ``single``: LiteRT's reference kernel multiplies by a float64 and rounds half away from zero
    (``integer_ops/fully_connected.h``). ``double``: TFLite Micro uses a quantized multiplier and gemmlowp's two
    roundings.
    """
    if rounding == "single":
        scaled: Int64 = round_half_away(acc * layer.multipliers).astype(np.int64)
    else:
        scaled = requantize_tflite(acc, *layer.fixed_point, rounding)
    scaled += layer.output_zero_point
    return np.clip(scaled, *layer.activation, out=scaled)


def tflite_run(layer: Layer, x: Int8, rounding: Rounding = "single") -> Int8:
    """Compute a layer as TFLite does: int8 ``[..., C_in]`` -> int8 ``[..., C_out]``."""
    rows = x.reshape(-1, x.shape[-1])
    acc = Accumulator(layer.weights)(rows) + layer.constant
    return tflite_outputs(layer, acc, rounding).astype(np.int8).reshape(*x.shape[:-1], layer.channels)


def tflite_thresholds(layer: Layer, rounding: Rounding) -> Int64:
    """Return the thresholds ``[C, 255]`` of TFLite's layer, fused activation included.

    Raises:
        UnsupportedError: TFLite's own arithmetic leaves int32 for some input, so that there is nothing to compare with.
    """
    _refuse_overflow(layer, rounding)
    steps = CODES - layer.output_zero_point
    result = _single_thresholds(layer, steps) if rounding == "single" else _double_thresholds(layer, steps)
    low, high_code = layer.activation
    result[:, high_code < CODES] = FAR
    result[:, low >= CODES] = -FAR
    return result


def _single_thresholds(layer: Layer, steps: Int64) -> Int64:
    result = np.empty((layer.channels, steps.size), np.int64)
    for part in blocks(*result.shape):
        result[part] = _single_block(layer.multipliers[part, None], steps)
    return result


def _single_block(multiplier: Float64, steps: Int64) -> Float64:
    """Solve ``round(acc * multiplier) >= steps`` in float64, then correct by the function itself."""
    # Halves go away from zero: a half is enough for a step above zero, the others need more than it.
    needed = np.where(steps > 0, steps - 0.5, np.nextafter(steps - 0.5, np.inf))
    with np.errstate(divide="ignore", over="ignore"):
        guess: Float64 = (steps - 0.5) / multiplier
    np.ceil(guess, out=guess)
    np.minimum(np.maximum(guess, -FAR, out=guess), FAR, out=guess)
    # The quotient has 53 bits and the accumulator 32: the guess is off by one at most, on halves and their neighbours.
    early = (guess - 1) * multiplier >= needed
    late = guess * multiplier < needed
    if late.any():
        late &= (guess + 1) * multiplier >= needed
        guess += late
    guess -= early
    return np.minimum(np.maximum(guess, -FAR, out=guess), FAR, out=guess)


def _double_thresholds(layer: Layer, steps: Int64) -> Int64:
    """Undo the division by a power of two (halves away from zero), then the high multiplication (halves up)."""
    mantissa, shift = (a[:, None] for a in layer.fixed_point)
    divisor = np.maximum(mantissa, 1)
    right, left = np.maximum(-shift, 0), np.maximum(shift, 0)
    widened: Int64 = np.left_shift(divisor, left, dtype=np.int64)
    high = (steps << right) - ((np.int64(1) << right) >> 1) + ((steps <= 0) & (right > 0))
    # high * 2**31 - 2**30 <= acc * mantissa * 2**left; what int32 cannot hold is out of reach.
    result = _ceil_divide((2 * np.clip(high, INT32_MIN, INT32_MAX) - 1) << 30, widened)
    result = np.where(high > INT32_MAX, FAR, np.where(high < INT32_MIN, -FAR, result))
    # A multiplier of zero: every output is the zero point.
    result = np.where(mantissa == 0, np.where(steps <= 0, -FAR, FAR), result)
    return np.clip(result, -FAR, FAR)


def xc_thresholds(parameters: Parameters, constant: Int64) -> Int64:
    """Return the thresholds ``[C, 255]`` of XC_fc, in TFLite accumulators.

    Args:
        parameters: Parameters inside of the domain of the kernel (``kernel.outside_domain``), ``scale >= 0``.
        constant: What TFLite adds to the sum of products; XC_fc adds ``parameters.bias``.
    """
    result = np.empty((len(parameters), CODES.size), np.int64)
    for part in blocks(*result.shape):
        result[part] = _xc_block(parameters.select(part), constant[part])
    return result


def _xc_block(parameters: Parameters, constant: Int64) -> Float64:
    unit, step, scale = np.exp2(parameters.shift2), np.exp2(parameters.shift1), parameters.scale.astype(np.float64)
    # In float64 this is exact: the sums have 40 bits, and such a quotient is next to a whole number only if it is one.
    rest = parameters.total_offset + np.floor(unit / 2)
    needed = CODES * unit[:, None]
    needed -= rest[:, None]
    v: Float64 = needed / np.maximum(scale, 1)[:, None]
    np.ceil(v, out=v)
    flat = np.flatnonzero(scale <= 0)
    v[flat] = np.where(needed[flat] <= 0, -FAR, FAR)
    never, always = v > 32767, v <= -32767
    v *= step[:, None]
    v -= (np.floor(step / 2) + parameters.bias - constant)[:, None]
    np.copyto(v, FAR, where=never)
    np.copyto(v, -FAR, where=always)
    return v


def certify(thresholds: Int64, low: Int64, high: Int64, function: str, evaluate: Callable[[Int64], Int64]) -> None:
    """Check thresholds against the function they describe: at each the code is reached, one below it is not.

    Args:
        thresholds: ``[C, 255]``.
        low: Smallest reachable accumulator per channel; thresholds are checked inside of the reachable interval.
        high: Largest reachable accumulator per channel.
        function: What to call the function in the message.
        evaluate: Function from accumulators ``[N, C]`` to outputs ``[N, C]``.

    Raises:
        AssertionError: A threshold is wrong. That is a mistake in this module, never in a model.
    """
    by_code = np.ascontiguousarray(thresholds.T)
    for part in blocks(CODES.size, low.size):
        codes, here = CODES[part, None], by_code[part]
        at, before = (np.minimum(np.maximum(t, low), high) for t in (here, here - 1))
        reached = (evaluate(at) >= codes) == (high >= here)
        missed = (evaluate(before) < codes) == (low < here)
        if not (reached.all() and missed.all()):
            raise AssertionError(f"the thresholds of {function} do not describe it")


def certify_tflite(layer: Layer, thresholds: Int64, rounding: Rounding) -> None:
    """Check what :func:`tflite_thresholds` returned, see :func:`certify`."""
    certify(thresholds, *layer.range, "TFLite", lambda acc: tflite_outputs(layer, acc, rounding))


def certify_xc(layer: Layer, parameters: Parameters, thresholds: Int64) -> None:
    """Check what :func:`xc_thresholds` returned, see :func:`certify`."""
    moved = parameters.bias - layer.constant
    certify(thresholds, *layer.range, "XC_fc", lambda acc: requantize_xc(acc + moved, parameters))


def _refuse_overflow(layer: Layer, rounding: Rounding) -> None:
    reason = layer.accumulator_overflow()
    if not reason:
        ends = np.abs(np.stack(layer.range))
        # The zero point and the rounding come on top of the product: 256 is more than both.
        over = ends * layer.multipliers > INT32_MAX - 256
        if rounding == "double":
            _, shift = layer.fixed_point
            over |= (shift > 0) & (ends * np.exp2(np.maximum(shift, 0)) > INT32_MAX)
        bad = np.flatnonzero(over.any(axis=0))
        if bad.size:
            reason = f"the scaled accumulator of channel {int(bad[0])} can leave int32 in TFLite itself"
    if reason:
        raise UnsupportedError(reason, where=layer.name, hint="TFLite's result is undefined for such inputs.")


def _ceil_divide(a: Int64, b: Int64) -> Int64:
    result: Int64 = -((-a) // b)
    return result

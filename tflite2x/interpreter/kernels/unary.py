# SPDX-License-Identifier: Apache-2.0
"""Functions of one number: ABS, NEG, SQRT, RSQRT, SQUARE, EXP, LOG, SIN, COS, FLOOR, CEIL, ROUND, SIGN, ZEROS_LIKE."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite2x.interpreter import gemmlowp, lookup
from tflite2x.interpreter.elementwise import check_types, each, in_double, one, per_tensor, quiet, scaler, symmetric
from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.registry import kernel

_FLOATS = ("float32", "float16", "bfloat16")
_BY_TABLE = ("float32", "int8 -> int8", "int16 -> int16")


@kernel("ABS", types=("float32", "int32", "int16 (plain)", "int8 -> int8", "int16 -> int16"))
def absolute(ctx: KernelContext) -> Run:
    """ABS (LiteRT elementwise.cc): quantized values are requantized only where the scales differ."""
    name = check_types(ctx, ("float32", "int32", "int8", "int16"))
    source, out = ctx.input(0), ctx.outputs[0]
    if name in ("float32", "int32") or (name == "int16" and not source.is_quantized):
        return one(np.abs)
    per_tensor(ctx, source, out)
    if name == "int16":
        symmetric(ctx, source, out)
    info = np.iinfo(out.dtype)
    same = source.s == out.s
    scale = scaler(float(np.float32(source.s) / np.float32(out.s)))

    def values(x: Array) -> Array:
        magnitude = np.abs(x - source.z)
        return np.clip((magnitude if same else scale(magnitude)) + out.z, info.min, info.max)

    return each(ctx, lookup.unary(values, source.dtype, out.dtype))


@kernel("NEG", types=(*_FLOATS, "int8 (plain)", "int16 (plain)", "int32", "int64"))
def negative(ctx: KernelContext) -> Run:
    """NEG (LiteRT neg.cc): integers are negated as they are, without regard to zero points; the lowest value stays."""
    check_types(ctx, (*_FLOATS, "int8", "int16", "int32", "int64"))
    return one(np.negative)


@kernel("SQUARE", types=("float32",))
def square(ctx: KernelContext) -> Run:
    """SQUARE (LiteRT elementwise.cc)."""
    check_types(ctx, ("float32",))
    return each(ctx, quiet(np.square))


@kernel("SIN", "COS", types=("float32", "float16"))
def sine_cosine(ctx: KernelContext) -> Run:
    """SIN and COS (LiteRT elementwise.cc)."""
    check_types(ctx, ("float32", "float16"))
    return each(ctx, in_double(np.sin if ctx.name == "SIN" else np.cos))


@kernel("FLOOR", types=_FLOATS)
def floor(ctx: KernelContext) -> Run:
    """FLOOR (LiteRT floor.cc)."""
    check_types(ctx, _FLOATS)
    return one(np.floor)


@kernel("CEIL", types=("float32",), verified="LiteRT BUILTIN (BUILTIN_REF lacks it)")
def ceil(ctx: KernelContext) -> Run:
    """CEIL (LiteRT ceil.cc). BUILTIN_REF lacks it; the optimized resolver agrees."""
    check_types(ctx, ("float32",))
    return one(np.ceil)


@kernel("ROUND", types=_FLOATS, verified="LiteRT BUILTIN (BUILTIN_REF lacks it)")
def round_to_even(ctx: KernelContext) -> Run:
    """ROUND, halves to even (LiteRT round.cc). BUILTIN_REF lacks it; the optimized resolver agrees."""
    check_types(ctx, _FLOATS)
    return one(np.rint)


@kernel("SIGN", types=("float32", "float64", "int32"))
def sign(ctx: KernelContext) -> Run:
    """SIGN (LiteRT sign.cc); NaN stays NaN."""
    check_types(ctx, ("float32", "float64", "int32"))
    return each(ctx, quiet(np.sign))


@kernel("ZEROS_LIKE", types=("float32", "int32", "int64"))
def zeros_like(ctx: KernelContext) -> Run:
    """ZEROS_LIKE (LiteRT zeros_like.cc); the value is the same for all samples."""
    check_types(ctx, ("float32", "int32", "int64"))
    return one(lambda x: np.zeros((1, *x.shape[1:]), x.dtype))


@kernel("EXP", types=_BY_TABLE)
def exponential(ctx: KernelContext) -> Run:
    """EXP (LiteRT exp.cc); int8 and int16 by table."""
    return _by_table(ctx, np.exp, np.exp)


@kernel("LOG", types=_BY_TABLE)
def logarithm(ctx: KernelContext) -> Run:
    """LOG (LiteRT elementwise.cc); int8 and int16 by table, where zero and below give the lowest output."""
    out = ctx.outputs[0]

    def above_zero(x: Array) -> Array:
        lowest = np.float32(np.iinfo(out.dtype).min - out.z) * np.float32(out.s)
        return np.where(x > 0, np.log(x), lowest)

    return _by_table(ctx, np.log, above_zero)


def _by_table(ctx: KernelContext, real: Callable[[Array], Array], quantized: Callable[[Array], Array]) -> Run:
    name = check_types(ctx, ("float32", "int8", "int16"))
    if name == "float32":
        return each(ctx, in_double(real))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    function = in_double(quantized)
    if name == "int8":
        table = lookup.byte_table(function, source, out)
        return one(lambda x: lookup.lookup(table, x.view(np.uint8)))
    symmetric(ctx, source, out)
    steps = lookup.int16_table(function, source.s, source.z, out.s, out.z)
    return each(ctx, lookup.unary(lambda x: lookup.interpolate(steps, x), np.int16, np.int16))


def _not_below(ctx: KernelContext, zero_point: int, function: Callable[[Array], Array]) -> Run:
    """Refuse quantized values that stand for negative numbers."""

    def values(x: Array) -> Array:
        if np.any(x < zero_point):
            raise ctx.execution_error(f"{ctx.name} of a negative number")
        return function(x)

    return each(ctx, values)


@kernel("SQRT", types=_BY_TABLE)
def sqrt(ctx: KernelContext) -> Run:
    """SQRT (LiteRT elementwise.cc); quantized in float32, the result truncated. Negative numbers are an error there."""
    name = check_types(ctx, ("float32", "int8", "int16"))
    if name == "float32":
        return each(ctx, quiet(np.sqrt))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    info = np.iinfo(out.dtype)
    scale, step = np.float32(source.s), np.float32(out.s)

    def values(x: Array) -> Array:
        root = np.sqrt(scale * np.maximum(x - source.z, 0).astype(np.float32))
        with np.errstate(all="ignore"):
            steps = root / step
        # On x86-64 a quotient that leaves int32 becomes the lowest int32.
        whole = np.where(steps < 2.0**31, steps, -(2.0**31)).astype(np.int64)
        return np.clip(whole + out.z, info.min, info.max)

    return _not_below(ctx, source.z, lookup.unary(values, source.dtype, out.dtype))


@kernel("RSQRT", types=_BY_TABLE)
def rsqrt(ctx: KernelContext) -> Run:
    """RSQRT (LiteRT elementwise.cc): int8 by Newton-Raphson in fixed point, int16 by table.

    Under ``double`` rounding int16 follows TFLite Micro, which computes it as int8.

    Quantized zero gives the highest output; negative numbers are an error.
    """
    name = check_types(ctx, ("float32", "int8", "int16"))
    if name == "float32":
        return each(ctx, quiet(lambda x: np.float32(1) / np.sqrt(x)))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    if name == "int16":
        symmetric(ctx, source, out)
    if name == "int16" and ctx.rounding == "single":
        highest = np.float32(32767) * np.float32(out.s)
        steps = lookup.int16_table(
            lambda x: np.where(x > 0, np.float32(1) / np.sqrt(x), highest), source.s, source.z, out.s, out.z
        )
        table = lookup.unary(lambda x: lookup.interpolate(steps, x), np.int16, np.int16)
        return _not_below(ctx, source.z, table)
    real = 1 / float(np.sqrt(np.float32(source.s)) * np.float32(out.s))
    mantissa, shift = quantize_multiplier(real, "double")
    info = np.iinfo(out.dtype)

    def values(x: Array) -> Array:
        value = np.maximum(x - source.z, 0)
        inverse, exponent = gemmlowp.inverse_sqrt(value)
        scaled = requantize(np.ones_like(value), inverse, exponent + 20, "double")
        result = requantize(scaled, mantissa, shift - 20, "double") + out.z
        return np.clip(np.where(value == 0, info.max, result), info.min, info.max)

    return _not_below(ctx, source.z, lookup.unary(values, source.dtype, out.dtype))

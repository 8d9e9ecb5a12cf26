# SPDX-License-Identifier: Apache-2.0
"""LOGISTIC, TANH and GELU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter import gemmlowp, lookup
from tflite2x.interpreter.elementwise import (
    check_types,
    each,
    in_double,
    one,
    option,
    per_tensor,
    quiet,
    scaler,
    symmetric,
)
from tflite2x.interpreter.fixedpoint import quantize_multiplier, rounding_divide_by_pot, wrap_int32
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.arithmetic import log2_of
from tflite2x.interpreter.registry import kernel

_FLOATS = ("float32", "float16", "bfloat16")
_TYPES = (*_FLOATS, "int8 -> int8", "uint8 -> uint8", "int16 -> int16")


@kernel("LOGISTIC", types=_TYPES)
def logistic(ctx: KernelContext) -> Run:
    """LOGISTIC (LiteRT activations.cc, reference/logistic.h, integer_ops/logistic.h).

    8 bits: a table filled with float32 arithmetic; under ``double`` rounding int8 follows TFLite Micro: gemmlowp's
    logistic function, output scale 1/256 and zero point -128. int16: interpolation between 256 values.
    """
    name = check_types(ctx, (*_FLOATS, "int8", "uint8", "int16"))
    if name in _FLOATS:
        return each(ctx, in_float32(_logistic32))
    per_tensor(ctx, ctx.input(0), ctx.outputs[0])
    if name == "int16":
        return _int16(ctx, lookup.logistic16, exponents=(0,))
    if name == "int8" and ctx.rounding == "double":
        return _micro(ctx, gemmlowp.logistic, fractional_bits=23, zero_point=-128)
    exponential = in_double(np.exp)
    unit = np.float32(1)
    return _table(ctx, lambda x: unit / (unit + exponential(-x)))


@kernel("TANH", types=_TYPES)
def tanh(ctx: KernelContext) -> Run:
    """TANH (LiteRT activations.cc, integer_ops/tanh.h).

    8 bits: a table filled with float32 arithmetic; under ``double`` rounding int8 follows TFLite Micro: gemmlowp's
    tanh, output scale 1/128 and zero point 0. int16: interpolation in the table of LOGISTIC.
    """
    name = check_types(ctx, (*_FLOATS, "int8", "uint8", "int16"))
    if name in _FLOATS:
        return each(ctx, in_float32(np.tanh))
    per_tensor(ctx, ctx.input(0), ctx.outputs[0])
    if name == "int16":
        return _int16(ctx, lookup.tanh16, exponents=(0, 1))
    if name == "int8" and ctx.rounding == "double":
        return _micro(ctx, gemmlowp.tanh, fractional_bits=24, zero_point=0)
    return _table(ctx, in_double(np.tanh))


@kernel("GELU", types=("float32", "float16", "int8 -> int8", "uint8 -> uint8", "int16 -> int16"))
def gelu(ctx: KernelContext) -> Run:
    """GELU, exact or with the tanh approximation (LiteRT activations.cc, reference/gelu.h).

    8 bits: a table filled with float32 arithmetic; int16: 513 values with interpolation. LiteRT's float version uses
    approximations of erfc and tanh that are off by up to a few units in the last place. Its tables call the C library's
    erfcf, which older libraries do not round correctly: of the 513 values, a rare one differs by one.
    """
    name = check_types(ctx, ("float32", "float16", "int8", "uint8", "int16"))
    half, unit = np.float32(0.5), np.float32(1)
    if option(ctx, "approximate", False):
        factor, cubic, tangent = np.float32(math.sqrt(2 / math.pi)), np.float32(0.044715), in_double(np.tanh)

        def function(x: Array) -> Array:
            result: Array = half * x * (unit + tangent(factor * (x + cubic * x * x * x)))
            return result

    else:
        root, complement = np.float32(-math.sqrt(0.5)), in_double(erfc)

        def function(x: Array) -> Array:
            result: Array = half * x * complement(x * root)
            return result

    if name in _FLOATS:
        return each(ctx, in_float32(function))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    if name != "int16":
        return _table(ctx, function)
    table = lookup.int16_table(function, source.s, source.z, out.s, out.z)
    return each(ctx, lookup.unary(lambda x: lookup.interpolate(table, x), np.int16, np.int16))


def in_float32(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Evaluate a float function in float32 whatever the narrower float type of its argument."""

    def evaluate(x: Array) -> Array:
        wide = np.ascontiguousarray(x, np.float32)  # NumPy's functions depend on the strides, in the last place
        return function(wide).astype(x.dtype, copy=False)

    return quiet(evaluate)


def _logistic32(x: Array) -> Array:
    """The logistic function with LiteRT's two cutoffs; the arguments of exp are bounded so that nothing overflows."""
    result: Array = np.float32(1) / (np.float32(1) + np.exp(-np.maximum(x, np.float32(-9))))
    low = x < np.float32(-9)
    if np.any(low):
        result = np.where(low, np.exp(np.minimum(x, np.float32(0))), result)
    return result


def _table(ctx: KernelContext, function: lookup.FloatFunction) -> Run:
    table = lookup.byte_table(function, ctx.input(0), ctx.outputs[0])
    return one(lambda x: lookup.lookup(table, x.view(np.uint8)))


def _int16(ctx: KernelContext, function: Callable[[Array], Array], exponents: tuple[int, ...]) -> Run:
    """int16 LOGISTIC and TANH: scale the input to steps of 1/(3 * 4096), then interpolate."""
    source, out = ctx.input(0), ctx.outputs[0]
    symmetric(ctx, source, out)
    if log2_of(out.s) != -15:
        raise ctx.unsupported(
            f"the output's scale is {out.s}", "int16 LOGISTIC and TANH need an output scale of 1/32768."
        )
    exponent = log2_of(source.s)
    left_shift = None if exponent is None else 12 + exponent
    if left_shift in exponents:
        multiplier, shift = 3 << left_shift, 0
    else:
        real, shift = source.s * 4096 * 3, 0
        while real <= 32767 / 2 and shift <= 30:
            real, shift = real * 2, shift + 1
        multiplier = int(real)
    rounding = 1 << (shift - 1) if shift > 0 else 0

    def values(x: Array) -> Array:
        return function(wrap_int32(x * multiplier + rounding) >> shift)

    return each(ctx, lookup.unary(values, np.int16, np.int16))


def _micro(ctx: KernelContext, function: Callable[..., Array], fractional_bits: int, zero_point: int) -> Run:
    """TFLite Micro's int8 LOGISTIC and TANH: gemmlowp's functions on inputs with 4 integer bits."""
    source = ctx.input(0)
    real = source.s * (1 << 27)
    scale = scaler(real)
    shift = int(quantize_multiplier(real, "double")[1])
    radius = math.floor(15 * 2.0 ** (27 - shift))

    def values(x: Array) -> Array:
        value = x - source.z
        inside = np.clip(value, -radius, radius)
        result = rounding_divide_by_pot(function(scale(inside), 4), fractional_bits) + zero_point
        result = np.where(value <= -radius, -128, np.where(value >= radius, 127, result))
        return np.clip(result, -128, 127)

    return each(ctx, lookup.unary(values, np.int8, np.int8))


@functools.cache
def _erfc_coefficients() -> NDArray[np.float64]:
    """Chebyshev coefficients of log(erfc(z)) + z**2 in t = 2 / (2 + z), for z in [0, 26]."""

    def logarithm(points: NDArray[np.float64]) -> Any:
        t = (points + 1) / 2 * (1 - 1 / 14) + 1 / 14
        z = 2 / t - 2
        return np.asarray([math.log(math.erfc(v)) + v * v for v in z])

    return np.polynomial.chebyshev.chebinterpolate(logarithm, 60)


def erfc(x: Array) -> Array:
    """Return 1 - erf(x) of float64 arrays, to about 1e-12 relative (NumPy has no such function)."""
    z = np.minimum(np.abs(x), 26.0)
    t = 2 / (2 + z)
    points = (t - 1 / 14) / (1 - 1 / 14) * 2 - 1
    tail = np.exp(np.polynomial.chebyshev.chebval(points, _erfc_coefficients()) - z * z)
    result: Array = np.where(x >= 0, tail, 2 - tail)
    return np.where(np.abs(x) > 26, np.where(x > 0, 0.0, 2.0), result)

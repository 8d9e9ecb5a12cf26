# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX and LOG_SOFTMAX, along the last dimension."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tflite2x.interpreter import gemmlowp, lookup
from tflite2x.interpreter.elementwise import Int64, check_types, in_double, one, option, per_tensor, quiet, type_name
from tflite2x.interpreter.fixedpoint import (
    quantize_multiplier,
    requantize,
    rounding_divide_by_pot,
    saturate,
    saturating_rounding_doubling_high_mul,
    wrap_int32,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.reducing import sequential_sum
from tflite2x.interpreter.registry import kernel

# Fixed-point formats: input differences have 5 integer bits, sums of exponentials 12, LOG_SOFTMAX's output 4.
_DIFFERENCE_BITS, _SUM_BITS, _OUTPUT_BITS = 5, 12, 4


@kernel(
    "SOFTMAX",
    types=(
        "float32", "float16", "int8 -> int8", "int8 -> int16", "uint8 -> uint8", "uint8 -> int16", "int16 -> int16"
    ),
)  # fmt: skip
def softmax(ctx: KernelContext) -> Run:
    """SOFTMAX (LiteRT activations.cc, reference/softmax.h).

    8-bit inputs: gemmlowp's exponential and reciprocal. int16: two tables of 513 values, filled in float64, and the
    multiplier of the input in float32; under ``double`` rounding the other way round, as TFLite Micro does. The
    output's scale is fixed by the arithmetic: 1/256 for 8 bits, 1/32768 (int16 input) or 1/65536 (8-bit input) for
    int16.
    """
    source, out = ctx.input(0), ctx.outputs[0]
    name, target = type_name(source), type_name(out)
    beta = float(np.float32(option(ctx, "beta", 0.0)))
    if name == target and name in ("float32", "float16"):
        return one(rows(quiet(lambda x: _float_softmax(x, np.float32(beta))), out.dtype))
    pairs = (("int8", "int8"), ("int8", "int16"), ("uint8", "uint8"), ("uint8", "int16"), ("int16", "int16"))
    if (name, target) not in pairs:
        raise ctx.unsupported(f"SOFTMAX from {name} to {target}")
    per_tensor(ctx, source)
    if (name, target) in (("int8", "int8"), ("int16", "int16")):
        zero_point, scale = (-128, 1 / 256) if name == "int8" else (0, 1 / 32768)
        per_tensor(ctx, out)
        if out.z != zero_point or abs(out.s - scale) > 0.001 * scale:
            raise ctx.unsupported(
                f"the output has scale {out.s} and zero point {out.z}", f"SOFTMAX gives {scale} and {zero_point}."
            )
    return _int16_softmax(ctx, beta) if name == "int16" else _byte_softmax(ctx, beta)


def rows(function: Callable[[Array], Array], dtype: DTypeLike) -> Callable[[Array], Array]:
    """Let a function of rows take scalars as rows of one, and return empty arrays for empty inputs."""

    def run(x: Array) -> Array:
        if x.size == 0:
            return np.zeros(x.shape, dtype)
        return function(x) if x.ndim > 1 else function(x[:, None])[:, 0]

    return run


def _float_softmax(x: Array, beta: np.float32) -> Array:
    wide = x.astype(np.float32, copy=False)
    exponentials = np.exp((wide - wide.max(axis=-1, keepdims=True)) * beta)
    total = sequential_sum(exponentials, -1)
    stored = exponentials.astype(x.dtype, copy=False).astype(np.float32, copy=False)
    result: Array = (stored / total).astype(x.dtype, copy=False)
    return result


def difference_scaling(ctx: KernelContext, beta: float) -> tuple[Int64, Int64, int]:
    """Multiplier of input differences to 5 integer bits, and the lowest one that fits (PreprocessSoftmaxScaling)."""
    real = min(beta * ctx.input(0).s * (1 << (31 - _DIFFERENCE_BITS)), 2.0**31 - 1)
    if not real > 1:
        raise ctx.unsupported(
            f"the input's scale times beta is {beta * ctx.input(0).s}", "Quantized softmax needs more than 2**-26."
        )
    mantissa, shift = quantize_multiplier(real, "double")
    radius = ((1 << _DIFFERENCE_BITS) - 1) * 2.0 ** (31 - _DIFFERENCE_BITS) / 2.0 ** int(shift)
    return mantissa, shift, -math.floor(radius)


def rescaled_differences(mantissa: Int64, shift: Int64, lowest: int) -> tuple[Int64, Int64]:
    """Return all 256 input differences 0, -1, ... rescaled, and their exponentials; both 0 below ``lowest``."""
    differences = -np.arange(256)
    inside = differences >= lowest
    rescaled = np.where(inside, requantize(np.where(inside, differences, 0), mantissa, shift, "double"), 0)
    exponentials = np.where(inside, gemmlowp.exp_on_negative_values(rescaled, _DIFFERENCE_BITS), 0)
    return rescaled, exponentials


def _byte_softmax(ctx: KernelContext, beta: float) -> Run:
    out = ctx.outputs[0]
    info = np.iinfo(out.dtype)
    bits = 8 * out.dtype.itemsize
    mantissa, shift, lowest = difference_scaling(ctx, beta)
    _, exponentials = rescaled_differences(mantissa, shift, lowest)
    summands = rounding_divide_by_pot(exponentials, _SUM_BITS)

    def values(x: Array) -> Array:
        wide = x.astype(np.int16)
        below = wide.max(axis=-1, keepdims=True) - wide
        total = wrap_int32(summands.take(below).sum(axis=-1, keepdims=True))
        scale, bits_over_unit = gemmlowp.reciprocal(total, _SUM_BITS)
        product = saturating_rounding_doubling_high_mul(exponentials.take(below), scale)
        result = rounding_divide_by_pot(product, bits_over_unit + 31 - bits) + info.min
        return saturate(np.where(below > -lowest, info.min, result), out.dtype)

    return one(rows(values, out.dtype))


def _int16_tables(dtype: DTypeLike) -> tuple[Int64, Int64]:
    """Return the tables of exp(x) and 1 / (1 + x), filled with arithmetic of a float type."""
    f: Any = np.dtype(dtype).type
    unit, steps = f(1), f(65535)
    exponential = lookup.int16_table(in_double(np.exp), float(f(10) / steps), 32767, float(f(2) / steps), 0, dtype)
    reciprocal = lookup.int16_table(
        lambda x: unit / (unit + x), float(unit / steps), -32768, float(f(2) / steps), 0, dtype
    )
    return exponential, reciprocal


def int16_parameters(ctx: KernelContext, beta: float) -> tuple[Int64, Int64, Int64, Int64]:
    """Return mantissa and shift of the input's multiplier, and the tables of exp(x) and 1 / (1 + x), for int16."""
    source = ctx.input(0)
    if source.z != 0:
        raise ctx.unsupported(f"tensor {source.name!r} has the zero point {source.z}", "int16 needs zero point 0.")
    micro = ctx.rounding == "double"
    product = source.s * beta if micro else float(np.float32(source.s) * np.float32(beta))
    return *quantize_multiplier(product / (10 / 65535), "double"), *_int16_tables(np.float32 if micro else np.float64)


def _int16_softmax(ctx: KernelContext, beta: float) -> Run:
    mantissa, shift, exponential, reciprocal = int16_parameters(ctx, beta)

    def values(x: Array) -> Array:
        wide = x.astype(np.int64)
        scaled = requantize(wide - wide.max(axis=-1, keepdims=True), mantissa, shift, "double")
        exponentials = lookup.interpolate(exponential, np.clip(scaled + 32767, -32768, 32767))
        total = exponentials.sum(axis=-1, keepdims=True)
        headroom = gemmlowp.count_leading_zeros(total)
        shifted = ((total << (headroom - 1)) + (1 << 13)) >> 14
        scale = lookup.interpolate(reciprocal, np.clip(shifted - (1 << 15) - (1 << 16), -32768, 32767))
        right = 31 - headroom
        result: Array = (exponentials * scale + (np.int64(1) << (right - 1))) >> right
        return saturate(np.maximum(result, 0), np.int16)

    return one(rows(values, np.int16))


@kernel("LOG_SOFTMAX", types=("float32", "int8 -> int8", "uint8 -> uint8"))
def log_softmax(ctx: KernelContext) -> Run:
    """LOG_SOFTMAX (LiteRT activations.cc, reference/log_softmax.h, integer_ops/log_softmax.h).

    Quantized: gemmlowp's exponential and LiteRT's fixed-point logarithm; output scale 1/16, zero point 127 or 255.
    """
    name = check_types(ctx, ("float32", "int8", "uint8"))
    if name == "float32":
        return one(rows(quiet(_float_log_softmax), np.float32))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    info = np.iinfo(out.dtype)
    if out.s != 1 / 16 or out.z != info.max:
        raise ctx.unsupported(
            f"the output has scale {out.s} and zero point {out.z}", f"LOG_SOFTMAX gives 0.0625 and {info.max}."
        )
    mantissa, shift, lowest = difference_scaling(ctx, 1.0)
    _, exponentials = rescaled_differences(mantissa, shift, lowest)
    all_rescaled = requantize(-np.arange(256), mantissa, shift, "double")
    summands = rounding_divide_by_pot(exponentials, _SUM_BITS)
    # Back from 5 integer bits to input differences.
    reverse = quantize_multiplier(float(1 << (31 - int(shift))) / float(mantissa), "double")
    fraction = 31 - _DIFFERENCE_BITS - _OUTPUT_BITS

    def values(x: Array) -> Array:
        wide = x.astype(np.int16)
        below = wide.max(axis=-1, keepdims=True) - wide
        total = wrap_int32(summands.take(below).sum(axis=-1, keepdims=True))
        logarithm = gemmlowp.log_of_at_least_one(total, _SUM_BITS, _DIFFERENCE_BITS)
        smallest = np.maximum(lowest - 1, requantize(logarithm - (1 << 31), *reverse, "double"))
        result = rounding_divide_by_pot(all_rescaled.take(below) - logarithm, fraction) + info.max
        return saturate(np.where(-below.astype(np.int64) > smallest, result, info.min), out.dtype)

    return one(rows(values, out.dtype))


def _float_log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(sequential_sum(np.exp(shifted), -1))
    return result

# SPDX-License-Identifier: Apache-2.0
"""RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, PRELU, LEAKY_RELU, ELU and HARD_SWISH."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter import lookup
from tflite2x.interpreter.elementwise import (
    QUANTIZED,
    check_types,
    each,
    in_double,
    one,
    option,
    per_tensor,
    quiet,
    scaler,
    shift_right,
    symmetric,
    two,
    type_name,
)
from tflite2x.interpreter.fixedpoint import (
    quantize_multiplier,
    reduced_multiplier,
    round_half_away,
    rounding_divide_by_pot,
    saturate,
    saturating_left_shift,
    saturating_rounding_doubling_high_mul,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec
from tflite2x.interpreter.registry import kernel

#: Operator -> the real numbers that it clamps to.
RELU_BOUNDS = {"RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


@kernel("RELU", "RELU6", types=("float32", "int8 -> int8", "uint8 -> uint8", "int16 -> int16"))
@kernel("RELU_N1_TO_1", "RELU_0_TO_1", types=("float32", "int8 -> int8", "uint8 -> uint8"))
def relu(ctx: KernelContext) -> Run:
    """The RELU family (LiteRT activations.cc, reference/reference_ops.h ReluX).

    Quantized: requantized from the input's to the output's scale (two roundings), then clamped. Under ``double``
    rounding RELU6 follows TFLite Micro, which clamps in the input's scale and does not requantize.
    """
    wide = ctx.name in ("RELU", "RELU6")
    name = check_types(ctx, ("float32", *(QUANTIZED if wide else QUANTIZED[:2])))
    lowest, highest = RELU_BOUNDS[ctx.name]
    if name == "float32":
        low, high = np.float32(lowest), np.float32(highest)
        return each(ctx, quiet(lambda x: np.clip(x, low, high)))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    if name == "int16":
        symmetric(ctx, source, out)
    if is_micro_relu6(ctx):
        bounds = relu_range(ctx.name, source)
        return each(ctx, lookup.unary(lambda x: np.clip(x, *bounds), source.dtype, out.dtype))
    scale = scaler(float(np.float32(source.s) / np.float32(out.s)))
    minimum, maximum = relu_range(ctx.name, out)

    def values(x: Array) -> Array:
        return np.minimum(np.maximum(scale(x - source.z) + out.z, minimum), maximum)

    return each(ctx, lookup.unary(values, source.dtype, out.dtype))


def is_micro_relu6(ctx: KernelContext) -> bool:
    """Whether this is TFLite Micro's RELU6, which takes the output's scale and zero point for the input's."""
    return ctx.name == "RELU6" and ctx.rounding == "double" and type_name(ctx.input(0)) != "uint8"


def relu_range(name: str, out: TensorSpec) -> tuple[int, int]:
    """Return the lowest and highest quantized value that an operator of the RELU family lets through."""
    info = np.iinfo(out.dtype)

    def steps(real: float) -> int:
        return out.z + int(round_half_away(np.float32(real) / np.float32(out.s)))

    lowest, highest = RELU_BOUNDS[name]
    top = int(info.max)
    return max(int(info.min), steps(lowest)), top if np.isinf(highest) else min(top, steps(highest))


@kernel(
    "PRELU",
    types=("float32", "int8 x int8 -> int8", "uint8 x uint8 -> uint8", "int16 x int8 -> int16"),
)
def prelu(ctx: KernelContext) -> Run:
    """PRELU (LiteRT activations.cc, reference/prelu.h): one multiplier for inputs from zero on, one below zero.

    LiteRT computes the multipliers in float32, TFLite Micro (``double`` rounding) in float64.
    """
    source, alpha, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    name = check_types(ctx, ("float32", *QUANTIZED))
    slope = "int8" if name == "int16" else name
    if type_name(alpha) != slope:
        # LiteRT accepts int16, and reads its bytes as if they were int8.
        raise ctx.unsupported(f"PRELU of {name} with alpha of {type_name(alpha)}", f"Alpha must be {slope}.")
    if name == "float32":
        return two(ctx, quiet(_slope))
    per_tensor(ctx, source, alpha, out)
    positive, negative = (scaler(real) for real in prelu_multipliers(ctx))

    def values(x: Array, a: Array) -> Array:
        value = x - source.z
        scaled = np.where(value >= 0, positive(value), negative(value * (a - alpha.z)))
        return saturate(scaled + out.z, out.dtype)

    return two(ctx, lookup.binary(values, source.dtype, out.dtype, alpha.dtype))


def prelu_multipliers(ctx: KernelContext) -> tuple[float, float]:
    """Return the real multipliers of a quantized PRELU from zero on and below zero."""
    source, alpha, out = ctx.input(0).s, ctx.input(1).s, ctx.outputs[0].s
    if ctx.rounding == "double":
        return source / out, source * alpha / out
    f = np.float32
    return float(f(source) / f(out)), float(f(source) * f(alpha) / f(out))


def _slope(x: Array, alpha: Array | np.float32) -> Array:
    """Multiply what is below zero."""
    result = np.asarray(x * alpha)
    np.copyto(result, x, where=x >= 0)
    return result


@kernel("LEAKY_RELU", types=("float32", "int8 -> int8", "uint8 -> uint8", "int16 -> int16"))
def leaky_relu(ctx: KernelContext) -> Run:
    """LEAKY_RELU (LiteRT activations.cc, reference/leaky_relu.h); two roundings under both contracts."""
    name = check_types(ctx, ("float32", *QUANTIZED))
    alpha = np.float32(option(ctx, "alpha", 0.0))
    if name == "float32":
        return each(ctx, quiet(lambda x: _slope(x, alpha)))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    if name == "int16":
        symmetric(ctx, source, out)
    identity = scaler(float(np.float32(source.s) / np.float32(out.s)))
    slope = scaler(abs(float(np.float32(source.s) * alpha / np.float32(out.s))))
    sign = -1 if alpha < 0 else 1

    def values(x: Array) -> Array:
        value = x - source.z
        scaled = np.where(value >= 0, identity(value), sign * slope(value))
        return saturate(scaled + out.z, out.dtype)

    return each(ctx, lookup.unary(values, source.dtype, out.dtype))


@kernel("ELU", types=("float32", "int8 -> int8"), verified="LiteRT BUILTIN (BUILTIN_REF lacks it)")
def elu(ctx: KernelContext) -> Run:
    """ELU (LiteRT activations.cc): expm1 below zero; int8 through a table filled with float32 arithmetic.

    BUILTIN_REF has no ELU: this follows the optimized resolver, whose table is the only int8 version.
    """
    name = check_types(ctx, ("float32", "int8"))
    function = in_double(_elu)
    if name == "float32":
        return each(ctx, function)
    per_tensor(ctx, ctx.input(0), ctx.outputs[0])
    table = lookup.byte_table(function, ctx.input(0), ctx.outputs[0])
    return one(lambda x: lookup.lookup(table, x.view(np.uint8)))


def _elu(x: Array) -> Array:
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


@kernel("HARD_SWISH", types=("float32", "int8 -> int8", "uint8 -> uint8"))
def hard_swish(ctx: KernelContext) -> Run:
    """HARD_SWISH (LiteRT activations.cc, reference/hard_swish.h): 16-bit fixed point for 8-bit types."""
    name = check_types(ctx, ("float32", "int8", "uint8"))
    if name == "float32":
        zero, three, six = np.float32(0), np.float32(3), np.float32(6)
        return each(ctx, quiet(lambda x: x * np.minimum(six, np.maximum(zero, x + three)) / six))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    hires = np.float32(1 / 128) * np.float32(source.s)
    out_multiplier, out_exponent = _multiplier16(float(hires / np.float32(out.s)))
    relu_multiplier, relu_exponent = _multiplier16(float(hires / np.float32(3 / 32768)))
    if out_exponent > 0:
        raise ctx.unsupported(
            "the output's scale is below 1/128 of the input's", "HARD_SWISH cannot gain so much precision."
        )

    def values(x: Array) -> Array:
        value = (x - source.z) << 7
        preshift = saturating_rounding_doubling_high_mul(value, out_multiplier, 16)
        gate = value
        if relu_exponent > 0:
            gate = saturating_left_shift(gate, relu_exponent - 1, 16)
        gate = saturating_rounding_doubling_high_mul(gate, relu_multiplier, 16)
        if relu_exponent > 0:
            gate = saturating_left_shift(gate, 1, 16)
        elif relu_exponent < 0:
            gate = rounding_divide_by_pot(gate, -relu_exponent)
        gate = (gate + (1 << 15)) >> 1
        product = gate * preshift  # the doubling high multiplication of this kernel truncates
        scaled = shift_right(np.sign(product) * (np.abs(product) >> 15), np.asarray(-out_exponent), bits=16)
        return saturate((scaled + out.z).astype(np.int16), out.dtype)

    return each(ctx, lookup.unary(values, source.dtype, out.dtype))


def _multiplier16(real: float) -> tuple[int, int]:
    """Return a quantized multiplier with a 16-bit mantissa (DownScaleInt32ToInt16Multiplier), and its exponent."""
    mantissa, shift = quantize_multiplier(real, "double")
    return int(reduced_multiplier(mantissa)), int(shift)

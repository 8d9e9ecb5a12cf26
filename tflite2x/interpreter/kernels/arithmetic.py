# SPDX-License-Identifier: Apache-2.0
"""ADD, SUB and MUL.

Quantized ADD and SUB bring both inputs to a common scale with 20 (8-bit types) or 15 (int16) extra bits, add, and
requantize; MUL requantizes the product. LiteRT 2.3 rounds twice in all of them, as TFLite Micro does. Differences:
LiteRT computes MUL's multiplier in float32 and SUB's in float64, TFLite Micro the other way round; TFLite Micro never
shifts where int16 scales are powers of two; and its ADD of plain int32 ignores the fused activation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite2x.interpreter import lookup
from tflite2x.interpreter.elementwise import (
    QUANTIZED,
    check_types,
    option,
    per_tensor,
    quiet,
    right_scaler,
    scaler,
    symmetric,
    two,
    type_name,
)
from tflite2x.interpreter.fixedpoint import (
    activation_range,
    activation_range_float,
    round_half_away,
    rounding_divide_by_pot,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec
from tflite2x.interpreter.registry import kernel

_FLOATS = ("float32", "float16")
_RELU, _RELU_N1_TO_1, _RELU6 = 1, 2, 3


def clamp(ctx: KernelContext, values: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """Add the fused activation to arithmetic on floats or plain integers (CalculateActivationRange).

    Floats are clamped to the finite range even without an activation; integers wrap first.
    """
    activation = int(option(ctx, "fused_activation_function", 0))
    dtype = ctx.outputs[0].dtype
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        bounds = {_RELU: (0, info.max), _RELU6: (0, 6), _RELU_N1_TO_1: (-1, 1)}.get(activation)
        if bounds is None:
            return quiet(values)
        low, high = (dtype.type(max(b, info.min)) for b in bounds)
        return quiet(lambda a, b: np.clip(values(a, b), low, high))
    finite = float(np.finfo(dtype).max)
    lowest, highest = (dtype.type(min(max(float(b), -finite), finite)) for b in activation_range_float(activation))

    def clamped(a: Array, b: Array) -> Array:
        result = values(a, b)
        np.clip(result, lowest, highest, out=result)
        return result

    return quiet(clamped)


@kernel(
    "ADD",
    types=(
        "float32", "float16", "int32", "int64", "int16 (plain)", "int8 x int8 -> int8", "uint8 x uint8 -> uint8",
        "int16 x int16 -> int16 (general and power-of-two scales)",
    ),
)  # fmt: skip
def add(ctx: KernelContext) -> Run:
    """ADD (LiteRT add.cc, reference/add.h, integer_ops/add.h).

    Where LiteRT aborts (8-bit output scale below 2**-19 of the input scales) this follows the arithmetic on.
    """
    name = check_types(ctx, (*_FLOATS, "int32", "int64", *QUANTIZED), inputs=2)
    if name not in QUANTIZED or (name == "int16" and not ctx.outputs[0].is_quantized):
        micro = name == "int32" and ctx.rounding == "double"
        return two(ctx, np.add if micro else clamp(ctx, np.add))
    return _sum(ctx, 1)


@kernel(
    "SUB",
    types=(
        "float32", "int32", "int64", "int8 x int8 -> int8", "uint8 x uint8 -> uint8",
        "int16 x int16 -> int16 (general and power-of-two scales)",
    ),
)  # fmt: skip
def sub(ctx: KernelContext) -> Run:
    """SUB (LiteRT sub.cc, reference/sub.h)."""
    name = check_types(ctx, ("float32", "int32", "int64", *QUANTIZED), inputs=2)
    return _sum(ctx, -1) if name in QUANTIZED else two(ctx, clamp(ctx, np.subtract))


def log2_of(scale: float) -> int | None:
    """Return the exponent of a scale that is a power of two, or None (CheckedLog2: float32, tolerance 1e-3)."""
    exponent = np.float32(np.log(np.float32(scale))) * (np.float32(1) / np.float32(np.log(np.float32(2))))
    rounded = round_half_away(np.float32(exponent))
    return int(rounded) if abs(exponent - rounded) < 1e-3 else None


def powers_of_two(ctx: KernelContext) -> list[int] | None:
    """Return the exponents of the scales where an int16 ADD or SUB shifts; None where it multiplies."""
    specs = (ctx.input(0), ctx.input(1), ctx.outputs[0])
    logs = [x for x in (log2_of(spec.s) for spec in specs) if x is not None]
    shifts = ctx.rounding == "single" and option(ctx, "pot_scale_int16", True) and len(logs) == len(specs)
    return logs if shifts else None


def sum_multipliers(ctx: KernelContext, a: float, b: float, out: float, extra: int) -> tuple[float, float, float]:
    """Return the real multipliers of both inputs and of the sum of a quantized ADD or SUB.

    Args:
        ctx: The operator.
        a: Scale of the first input.
        b: Scale of the second input.
        out: Scale of the output.
        extra: Bits that the sum has behind those of the inputs.
    """
    if ctx.name == "SUB" and ctx.rounding == "double":  # TFLite Micro sub_common.cc: all in float32
        f = np.float32
        widest = f(2) * max(f(a), f(b))
        return float(f(a) / widest), float(f(b) / widest), float(widest / (f(1 << extra) * f(out)))
    twice = 2 * max(a, b)
    return a / twice, b / twice, twice / ((1 << extra) * out)


def _sum(ctx: KernelContext, sign: int) -> Run:
    """Quantized a + b or a - b."""
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    per_tensor(ctx, a, b, out)
    low, high = activation_range(int(option(ctx, "fused_activation_function", 0)), out)
    left_shift = 20
    if type_name(out) == "int16":
        symmetric(ctx, a, b, out)
        left_shift = 15
        logs = powers_of_two(ctx)
        if logs is not None:
            return two(ctx, _power_of_two_sum(ctx, sign, logs, low, high))
    real_a, real_b, real_out = sum_multipliers(ctx, a.s, b.s, out.s, left_shift)
    scale_a, scale_b = scaler(real_a), scaler(real_b)
    scale_out = (scaler if sign > 0 else right_scaler)(real_out)

    def left(x: Array) -> Array:
        return scale_a((x - a.z) << left_shift)

    def right(y: Array) -> Array:
        return sign * scale_b((y - b.z) << left_shift)

    def finish(total: Array) -> Array:
        result: Array = scale_out(total)
        result += out.z
        np.clip(result, low, high, out=result)
        return result

    if out.dtype == np.int16:
        # Each scaled input is a function of 16 bits, and fits int32 as the sum does.
        table_a, table_b = lookup.unary(left, a.dtype, np.int32), lookup.unary(right, b.dtype, np.int32)
        return two(ctx, lambda x, y: finish(np.add(table_a(x), table_b(y), dtype=np.int64)).astype(np.int16))
    return two(ctx, lookup.binary(lambda x, y: finish(left(x) + right(y)), a.dtype, out.dtype))


def _power_of_two_sum(
    ctx: KernelContext, sign: int, logs: list[int], low: int, high: int
) -> Callable[[Array, Array], Array]:
    """int16 sums where all scales are powers of two: shift one input to the output's scale, saturate."""
    shift_a, shift_b = logs[2] - logs[0], logs[2] - logs[1]
    if min(shift_a, shift_b) != 0:
        raise ctx.unsupported(
            "int16 inputs with power-of-two scales must not be coarser than the output, and one must have its scale",
            "Set pot_scale_int16 to false in the operator's options.",
        )

    def values(x: Array, y: Array) -> Array:
        left, right = rounding_divide_by_pot(x, shift_a), rounding_divide_by_pot(y, shift_b)
        result: Array = np.clip(np.clip(left + sign * right, -32768, 32767), low, high)
        return result

    return lookup.binary(values, np.int16, np.int16)


@kernel(
    "MUL",
    types=(
        "float32", "float16", "int32", "uint32", "int64", "int16 (plain)", "complex64", "int8 x int8 -> int8",
        "uint8 x uint8 -> uint8", "int16 x int16 -> int16", "int16 x int16 -> int8", "int16 x int16 -> uint8",
    ),
)  # fmt: skip
def mul(ctx: KernelContext) -> Run:
    """MUL (LiteRT mul.cc, reference/mul.h, integer_ops/mul.h)."""
    plain = (*_FLOATS, "int32", "uint32", "int64", "complex64")
    name = check_types(ctx, (*plain, *QUANTIZED), inputs=2, output=False)
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    target = type_name(out)
    if name == "int16" and target in ("int8", "uint8"):
        return two(ctx, _half_precision_product(ctx, out))
    check_types(ctx, (name,), inputs=2)
    if name == "complex64":
        return two(ctx, quiet(_complex_product))
    if name in plain or (name == "int16" and not out.is_quantized):
        return two(ctx, clamp(ctx, np.multiply))
    per_tensor(ctx, a, b, out)
    if name == "int16":
        symmetric(ctx, a, b, out)
    low, high = activation_range(int(option(ctx, "fused_activation_function", 0)), out)
    real = float(np.float32(a.s) * np.float32(b.s) / np.float32(out.s))
    scale = scaler(a.s * b.s / out.s if ctx.rounding == "double" else real)

    def values(x: Array, y: Array) -> Array:
        return np.clip(scale((x - a.z) * (y - b.z)) + out.z, low, high)

    return two(ctx, lookup.binary(values, a.dtype, out.dtype))


def _complex_product(a: Array, b: Array) -> Array:
    """Multiply in four products, each rounded to float32 (NumPy fuses some of them where the processor can)."""
    result = np.empty(np.broadcast_shapes(a.shape, b.shape), np.complex64)
    result.real = a.real * b.real - a.imag * b.imag
    result.imag = a.real * b.imag + a.imag * b.real
    return result


def _half_precision_product(ctx: KernelContext, out: TensorSpec) -> Callable[[Array, Array], Array]:
    """int16 x int16 -> 8 bits: fractions in [-1, 1) whose product keeps its upper byte; the scales play no role."""
    per_tensor(ctx, out)
    low, high = activation_range(int(option(ctx, "fused_activation_function", 0)), out)

    def values(x: Array, y: Array) -> Array:
        product = x * y
        # gemmlowp's 16-bit doubling high multiplication: half away from zero; -1 * -1 saturates.
        nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
        fraction = np.minimum(np.sign(nudged) * (np.abs(nudged) >> 15), 32767)
        return np.clip(rounding_divide_by_pot(fraction, 8), low - out.z, high - out.z) + out.z

    return lookup.binary(values, np.int16, out.dtype)

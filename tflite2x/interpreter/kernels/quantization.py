# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE, DEQUANTIZE and FAKE_QUANT."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter import lookup
from tflite2x.interpreter.blocks import in_blocks
from tflite2x.interpreter.elementwise import each, one, option, per_tensor, quiet, scaler, type_name
from tflite2x.interpreter.fixedpoint import round_half_away, wrap_int32
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec
from tflite2x.interpreter.registry import kernel
from tflite2x.ir.dtypes import integer_range

_REQUANTIZE = {
    "int8": ("int8", "uint8", "int16"),
    "uint8": ("int8", "uint8", "int16"),
    "int16": ("int8", "int16", "int32"),
    "int32": ("int8", "int16"),
}


def along(spec: TensorSpec, values: Array, rank: int) -> Array:
    """Shape per-channel values so that they broadcast along the quantized dimension of an array with a sample axis."""
    axis = spec.axis + 1
    return values.reshape((1,) * axis + (-1,) + (1,) * (rank - axis - 1)) if values.size > 1 else values.reshape(())


@kernel(
    "QUANTIZE",
    types=(
        "float32 -> int8, uint8, int16, int4, uint4 (per-tensor)", "float32 -> int8, uint8, int16 (per-channel)",
        "int8 -> int8, uint8, int16", "uint8 -> int8, uint8, int16", "int16 -> int8, int16, int32",
        "int32 -> int8, int16",
    ),
)  # fmt: skip
def quantize(ctx: KernelContext) -> Run:
    """QUANTIZE (LiteRT quantize.cc, reference/quantize.h, reference/requantize.h).

    From float32: the float32 quotient by the scale, rounded half away from zero. A quotient that leaves int32 becomes
    the lowest int32 first, as on x86-64, and so the lowest output. NaN is an error. Between integers: two roundings.
    """
    source, out = ctx.input(0), ctx.outputs[0]
    name, target = type_name(source), type_name(out)
    if not out.is_quantized:
        raise ctx.unsupported(f"tensor {out.name!r} has no quantization", "QUANTIZE needs the scale of its output.")
    if name == "float32":
        if target not in ("int8", "uint8", "int16", "int4", "uint4"):
            raise ctx.unsupported(f"QUANTIZE from float32 to {target}")
        return _from_float(ctx, out)
    if target not in _REQUANTIZE.get(name, ()):
        raise ctx.unsupported(f"QUANTIZE from {name} to {target}")
    per_tensor(ctx, source, out)
    scale = scaler(source.s / out.s)
    low, high = integer_range(out.type)

    def values(x: Array) -> Array:
        return np.clip(wrap_int32(scale(wrap_int32(x - source.z)) + out.z), low, high)

    if name == "int32":
        return one(lambda x: values(x.astype(np.int64)).astype(out.dtype))
    return each(ctx, lookup.unary(values, source.dtype, out.dtype))


def _from_float(ctx: KernelContext, out: TensorSpec) -> Run:
    low, high = integer_range(out.type)
    finest = float(out.scale.min())
    nearly_half = np.nextafter(np.float32(0.5), np.float32(0))

    def near(x: Array, scale: Array, zero_point: Array) -> Array:
        # Half away from zero, for magnitudes below 2**23: adding the float below one half never passes an integer.
        steps = x / scale
        steps += np.copysign(nearly_half, steps)
        np.trunc(steps, out=steps)
        steps += zero_point
        np.clip(steps, low, high, out=steps)
        return steps.astype(out.dtype)

    def far(x: Array, scale: Array, zero_point: Array) -> Array:
        whole = round_half_away(x / scale)
        whole = np.where(np.abs(whole) < 2.0**31, whole, np.float32(-(2.0**31))).astype(np.int64)
        return np.clip(wrap_int32(whole + zero_point.astype(np.int64)), low, high).astype(out.dtype)

    quick, careful = (quiet(in_blocks(function, out.dtype)) for function in (near, far))

    def values(x: Array) -> Array:
        largest = max(float(x.max(initial=0)), -float(x.min(initial=0)))
        if largest != largest:
            raise ctx.execution_error("QUANTIZE of NaN", "An integer cannot hold it.")
        function = quick if largest < finest * 2.0**20 else careful
        zero_point = along(out, out.zero_point, x.ndim).astype(np.float32)
        result: Array = function(x, along(out, out.scale, x.ndim), zero_point)
        return result

    return one(values)


@kernel(
    "DEQUANTIZE",
    types=(
        "int8, uint8, int16, int4, uint4, int2 -> float32 (per-tensor)",
        "int8, uint8, int4, uint4, int2 -> float32 (per-channel)", "float16 -> float32",
    ),
)  # fmt: skip
def dequantize(ctx: KernelContext) -> Run:
    """DEQUANTIZE (LiteRT dequantize.cc, reference/dequantize.h).

    Per tensor in float64, rounded to float32 once; per channel in float32.
    """
    source = ctx.input(0)
    name = type_name(source)
    if name == "float16":
        return one(lambda x: x.astype(np.float32))
    if name not in ("int8", "uint8", "int16", "int4", "uint4", "int2"):
        raise ctx.unsupported(f"DEQUANTIZE of {name}")
    if not source.is_quantized:
        raise ctx.unsupported(f"tensor {source.name!r} has no quantization", "DEQUANTIZE needs the scale of its input.")
    if source.scale.size == 1:

        def real(x: Array) -> Array:
            return (source.s * (x - np.float64(source.z))).astype(np.float32)

        return each(ctx, lookup.unary(real, source.dtype, np.float32))

    def channels(x: Array) -> Array:
        centered = x.astype(np.int32) - along(source, source.zero_point, x.ndim).astype(np.int32)
        result: Array = along(source, source.scale, x.ndim) * centered.astype(np.float32)
        return result

    return one(channels)


@kernel("FAKE_QUANT", types=("float32",))
def fake_quant(ctx: KernelContext) -> Run:
    """FAKE_QUANT (LiteRT fake_quant.cc, internal/quantization_util.cc): quantize and dequantize, all in float32."""
    if type_name(ctx.input(0)) != "float32":
        raise ctx.unsupported(f"FAKE_QUANT of {type_name(ctx.input(0))}")
    if option(ctx, "narrow_range", False):
        raise ctx.unsupported("FAKE_QUANT with narrow_range", "LiteRT does not run it either.")
    f = np.float32
    low, high = f(option(ctx, "min", 0.0)), f(option(ctx, "max", 0.0))
    largest = f((1 << int(option(ctx, "num_bits", 0))) - 1)
    if not low < high or largest < 1:
        raise ctx.unsupported(f"FAKE_QUANT from {low} to {high} with {int(largest) + 1} values")
    scale = f((high - low) / largest)
    zero_point = f(np.clip(round_half_away(f(-low / scale)), f(0), largest))
    nudged_low, nudged_high = f(-zero_point * scale), f((largest - zero_point) * scale)
    inverse = f(f(1) / scale)

    def values(x: Array) -> Array:
        clamped = np.minimum(nudged_high, np.maximum(nudged_low, x))
        result: Array = round_half_away((clamped - nudged_low) * inverse) * scale + nudged_low
        return result

    return each(ctx, quiet(values))

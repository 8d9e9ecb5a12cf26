# SPDX-License-Identifier: Apache-2.0
"""What elementwise kernels share: type checks, options, multipliers, broadcasting, quiet float arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.blocks import in_blocks
from tflite2x.interpreter.fixedpoint import (
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
    wrap_int32,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec, align_ranks

Int64 = NDArray[np.int64]

#: Integer types whose quantized arithmetic the elementwise kernels know.
QUANTIZED = ("int8", "uint8", "int16")


def option(ctx: KernelContext, name: str, default: Any) -> Any:
    """Return a field of the operator's options, or ``default`` when the file has no options."""
    return default if ctx.options is None else getattr(ctx.options, name, default)


def type_name(spec: TensorSpec) -> str:
    """Return the type of a tensor in lower case: ``int8``, ``float32``, ``int4``, ..."""
    return spec.type.name.lower()


def check_types(ctx: KernelContext, allowed: Iterable[str], *, inputs: int = 1, output: bool = True) -> str:
    """Refuse the operator unless its inputs (and output) have one common type that is allowed.

    Args:
        ctx: The operator.
        allowed: Names of types.
        inputs: How many of the first inputs must have the type.
        output: Whether the output must have it, too.

    Returns:
        The name of the type.
    """
    specs = [ctx.input(i) for i in range(inputs)] + ([ctx.outputs[0]] if output else [])
    names = [type_name(spec) for spec in specs]
    choice = tuple(allowed)
    if names[0] not in choice:
        raise ctx.unsupported(f"type {names[0]} is not supported", f"Supported types: {', '.join(choice)}.")
    if len(set(names)) > 1:
        raise ctx.unsupported(f"the types {', '.join(names)} differ", "All of them must be the same.")
    return names[0]


def per_tensor(ctx: KernelContext, *specs: TensorSpec) -> None:
    """Refuse the operator unless every tensor has exactly one scale, which is positive.

    LiteRT runs many integer kernels without: it takes 0 for the scale, and gets zeros, whatever the inputs.
    """
    for spec in specs:
        if spec.scale.size != 1:
            found = "no quantization" if not spec.is_quantized else f"{spec.scale.size} scales"
            raise ctx.unsupported(f"tensor {spec.name!r} has {found}", "This operator needs per-tensor quantization.")
        if not (np.isfinite(spec.s) and spec.s > 0):
            raise ctx.unsupported(f"tensor {spec.name!r} has the scale {spec.s}", "Scales must be positive and finite.")


def symmetric(ctx: KernelContext, *specs: TensorSpec) -> None:
    """Refuse the operator unless all zero points are 0, as int16 kernels demand."""
    for spec in specs:
        if spec.z != 0:
            raise ctx.unsupported(f"tensor {spec.name!r} has the zero point {spec.z}", "int16 needs zero point 0.")


def scaler(real: float) -> Callable[[Array], Int64]:
    """Return the multiplication of int32 values by a real multiplier, with gemmlowp's two roundings.

    LiteRT's elementwise kernels round twice, like TFLite Micro's: the rounding contract makes no difference to them.
    The result is :func:`tflite2x.interpreter.fixedpoint.requantize` with ``double`` rounding, in fewer passes.
    """
    mantissa, shift = (int(part) for part in quantize_multiplier(real, "double"))
    left, right = max(shift, 0), max(-shift, 0)

    def scale(x: Array) -> Int64:
        product: Int64 = (wrap_int32(x << left) if left else x) * np.int64(mantissa)
        half = 1 << 30
        if right:
            # The second half is rounded away from zero: nested floors with halves that depend on the sign.
            product += (product >> 63) << 31
            half += 1 << (30 + right)
        product += half
        product >>= 31 + right
        return product

    return scale


def right_scaler(real: float) -> Callable[[Array], Int64]:
    """Return the multiplication by a real multiplier where LiteRT only expects multipliers below 1.

    MultiplyByQuantizedMultiplierSmallerThanOneExp: from 1 on the C++ is undefined, see :func:`shift_right`.
    """
    mantissa, shift = quantize_multiplier(real, "double")
    return lambda x: shift_right(saturating_rounding_doubling_high_mul(x, mantissa), -shift)


def shift_right(x: Int64, exponent: Int64, bits: int = 32) -> Int64:
    """Return ``x / 2**exponent`` as compiled C++ computes it (RoundingDivideByPOT).

    Exponents outside of 0 to ``bits - 1`` are undefined in C++ and do occur in LiteRT. Processors with 64 bits then
    shift by the exponent modulo 32, and round up all but negative values; the result has little to do with a quotient.
    """
    defined = (exponent >= 0) & (exponent < bits)
    if np.all(defined):
        return rounding_divide_by_pot(x, exponent)
    compiled = (x >> (exponent & 31)) + (x >= 0)
    return np.where(defined, rounding_divide_by_pot(x, np.clip(exponent, 0, bits - 1)), compiled)


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a float function return infinities and NaN without NumPy's warnings, as C++ does."""

    @functools.wraps(function)
    def silent(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return silent


def in_double(function: Callable[..., Array]) -> Callable[..., Array]:
    """Evaluate a float function in float64 and round once: the result is the same wherever the element stands.

    NumPy's float32 functions may differ in the last place between contiguous and strided arrays, and so between a
    single run and a batch. The C library's, which LiteRT calls, round correctly but for a few arguments in a thousand.
    """

    def evaluate(*arrays: Array) -> Array:
        result: Array = function(*(a.astype(np.float64) for a in arrays)).astype(arrays[0].dtype)
        return result

    return quiet(evaluate)


def one(function: Callable[[Array], Array]) -> Run:
    """Make the second step of a kernel from a function of one array."""

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = inputs[0]
        assert x is not None
        return [function(x)]

    return run


def each(ctx: KernelContext, function: Callable[[Array], Array]) -> Run:
    """Make the second step of a kernel from an elementwise function of one array, in blocks."""
    return one(in_blocks(function, ctx.outputs[0].dtype))


def two(ctx: KernelContext, function: Callable[[Array, Array], Array]) -> Run:
    """Make the second step of a kernel from an elementwise function of two arrays, in blocks.

    The arrays broadcast as TFLite's do; the function gets them with one rank.
    """
    function = in_blocks(function, ctx.outputs[0].dtype)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        a, b = inputs[0], inputs[1]
        assert a is not None
        assert b is not None
        if a.shape[1:] != b.shape[1:]:
            a, b = align_ranks(a, b)
            try:
                np.broadcast_shapes(a.shape, b.shape)
            except ValueError:
                raise ctx.execution_error(f"shapes {a.shape[1:]} and {b.shape[1:]} do not broadcast") from None
        return [function(a, b)]

    return run

# SPDX-License-Identifier: Apache-2.0
"""Other functions of two inputs: MAXIMUM, MINIMUM, SQUARED_DIFFERENCE, POW, ATAN2; and ADD_N."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter import lookup
from tflite2x.interpreter.elementwise import check_types, in_double, per_tensor, quiet, scaler, symmetric, two
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.registry import kernel

_ORDERED = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64")


@kernel("MAXIMUM", "MINIMUM", types=_ORDERED)
def maximum_minimum(ctx: KernelContext) -> Run:
    """MAXIMUM and MINIMUM (LiteRT maximum_minimum.cc).

    Quantized values are compared as they are: inputs and output share one quantization. A NaN in the second input wins,
    a NaN in the first one loses. Tensors without elements may have any type.
    """
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    if a.type == b.type == out.type and a.type.name.lower() not in _ORDERED and 0 in (*a.shape, *b.shape):
        return two(ctx, _nothing(ctx))
    check_types(ctx, _ORDERED, inputs=2)
    largest = ctx.name == "MAXIMUM"
    if ctx.outputs[0].dtype.kind in "iu":
        return two(ctx, np.maximum if largest else np.minimum)
    wins = np.greater if largest else np.less
    return two(ctx, quiet(lambda a, b: np.where(wins(a, b), a, b)))


def _nothing(ctx: KernelContext) -> Callable[[Array, Array], Array]:
    def check(a: Array, b: Array) -> Array:
        if np.broadcast_shapes(a.shape, b.shape)[1:].count(0) == 0:
            raise ctx.unsupported(f"{ctx.name} of {a.dtype}")
        return np.zeros(np.broadcast_shapes(a.shape, b.shape), a.dtype)

    return check


@kernel(
    "SQUARED_DIFFERENCE",
    types=("float32", "int32", "int8 x int8 -> int8", "int16 x int16 -> int16 (TFLite Micro's contract only)"),
)
def squared_difference(ctx: KernelContext) -> Run:
    """SQUARED_DIFFERENCE (LiteRT squared_difference.cc).

    int8: both inputs at a common scale with 7 extra bits, squared, requantized with two roundings. int16, which TFLite
    Micro has and LiteRT has not, under ``double`` rounding: the same without extra bits.
    """
    micro = ("int16",) if ctx.rounding == "double" else ()
    name = check_types(ctx, ("float32", "int32", "int8", *micro), inputs=2)
    if name not in ("int8", "int16"):
        return two(ctx, quiet(lambda a, b: np.square(a - b)))
    a, b, out = ctx.input(0), ctx.input(1), ctx.outputs[0]
    per_tensor(ctx, a, b, out)
    extra = 7
    if name == "int16":
        symmetric(ctx, a, b, out)
        extra = 0
    twice = 2 * max(a.s, b.s)
    scale_a, scale_b = scaler(a.s / twice), scaler(b.s / twice)
    scale_out = scaler(twice * twice / ((1 << 2 * extra) * out.s))
    info = np.iinfo(out.dtype)

    def values(x: Array, y: Array) -> Array:
        difference = scale_a((x - a.z) << extra) - scale_b((y - b.z) << extra)
        return np.clip(scale_out(difference * difference) + out.z, info.min, info.max)

    return two(ctx, lookup.binary(values, out.dtype, out.dtype))


@kernel("POW", types=("float32", "int32"))
def power(ctx: KernelContext) -> Run:
    """POW (LiteRT pow.cc).

    int32: exponents must not be negative. What leaves int32 becomes the lowest int32, as on x86-64, but wraps where one
    exponent of at least 1 serves all elements: there LiteRT multiplies integers.
    """
    name = check_types(ctx, ("float32", "int32"), inputs=2)
    if name == "float32":
        return two(ctx, in_double(np.power))

    def wrapped(a: Array, b: Array) -> Array:
        powers = np.power(a.astype(np.int64), b.astype(np.int64))  # int64 wraps, too: the same lower bits
        return np.where(b >= 1, powers.astype(np.int32), np.int32(1))

    def truncated(a: Array, b: Array) -> Array:
        exact = np.power(a.astype(np.float64), b)
        inside = np.abs(exact) < 2.0**31
        return np.where(inside, np.where(inside, exact, 0), -(2.0**31)).astype(np.int32)

    one_exponent, many_exponents = two(ctx, quiet(wrapped)), two(ctx, quiet(truncated))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        a, b = inputs[0], inputs[1]
        assert a is not None
        assert b is not None
        if np.any(b < 0):
            raise ctx.execution_error("POW of int32 with a negative exponent", "Exponents must be at least 0.")
        # LiteRT looks at the shapes before it aligns the ranks.
        return (one_exponent if a.shape[1:] != b.shape[1:] and b[0].size == 1 else many_exponents)(inputs)

    return run


@kernel("ATAN2", types=("float32", "float64", "float16", "bfloat16"))
def atan2(ctx: KernelContext) -> Run:
    """ATAN2 of y and x (LiteRT atan2.cc), which have one shape: LiteRT pairs elements of other shapes as they come."""
    check_types(ctx, ("float32", "float64", "float16", "bfloat16"), inputs=2)
    compute = two(ctx, in_double(np.arctan2))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        shapes = [a.shape[1:] for a in inputs if a is not None]
        if len(set(shapes)) > 1:
            raise ctx.execution_error(f"inputs of shapes {list(shapes[0])} and {list(shapes[1])} must have one shape")
        return compute(inputs)

    return run


@kernel("ADD_N", types=("float32", "int32"))
def add_n(ctx: KernelContext) -> Run:
    """ADD_N (LiteRT add_n.cc): the inputs have one shape; their sum runs from first to last."""
    check_types(ctx, ("float32", "int32"), inputs=len(ctx.inputs))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        arrays = [a for a in inputs if a is not None]
        if len({a.shape[1:] for a in arrays}) > 1:
            raise ctx.execution_error("the inputs of ADD_N have different shapes")
        with np.errstate(all="ignore"):
            total = arrays[0] + arrays[0].dtype.type(0)
            for array in arrays[1:]:
                total = total + array
        return [total]

    return run

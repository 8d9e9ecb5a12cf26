# SPDX-License-Identifier: Apache-2.0
"""StableHLO operators that LiteRT executes: elementwise ones and padding.

Operands have one shape; there is no broadcasting, no fused activation and no quantization: numbers are taken as stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, room
from tflite2x.interpreter.kernels.layout import given, over_samples, sample_count
from tflite2x.interpreter.registry import kernel

_TYPES = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)
Binary = Callable[[Array, Array], Array]


def maximum(a: Array, b: Array) -> Array:
    """Return ``std::max``: of two numbers where one is NaN, the first."""
    return np.where(a < b, b, a)


def minimum(a: Array, b: Array) -> Array:
    """Return ``std::min``: of two numbers where one is NaN, the first."""
    return np.where(b < a, b, a)


def shift_left(a: Array, b: Array) -> Array:
    """Shift by the lower 5 bits of ``b``, as x86 does with int32 (C++ leaves other distances undefined)."""
    wide = a.astype(np.int32) << (b.astype(np.int32) & 31)
    return wide.astype(a.dtype)


def elementwise(ctx: KernelContext, function: Binary, types: Sequence[str]) -> Run:
    """Prepare a function of two operands of one shape."""
    if ctx.input(0).type != ctx.input(1).type or ctx.input(0).type.name.lower() not in types:
        raise ctx.unsupported(f"types {ctx.input(0).type.name} and {ctx.input(1).type.name}")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        a, b = given(inputs[0]), given(inputs[1])
        if a.shape[1:] != b.shape[1:]:
            raise ctx.execution_error(f"shapes {list(a.shape[1:])} and {list(b.shape[1:])} differ")
        return [function(a, b)]

    return run


@kernel("STABLEHLO_ADD", types=_TYPES)
def add(ctx: KernelContext) -> Run:
    """STABLEHLO_ADD: a + b; integers wrap around."""
    return elementwise(ctx, np.add, _TYPES)


@kernel("STABLEHLO_MULTIPLY", types=_TYPES)
def multiply(ctx: KernelContext) -> Run:
    """STABLEHLO_MULTIPLY: a * b; integers wrap around."""
    return elementwise(ctx, np.multiply, _TYPES)


@kernel("STABLEHLO_MAXIMUM", types=_TYPES)
def maximum_(ctx: KernelContext) -> Run:
    """STABLEHLO_MAXIMUM: the larger of a and b."""
    return elementwise(ctx, maximum, _TYPES)


@kernel("STABLEHLO_MINIMUM", types=_TYPES)
def minimum_(ctx: KernelContext) -> Run:
    """STABLEHLO_MINIMUM: the smaller of a and b."""
    return elementwise(ctx, minimum, _TYPES)


@kernel("STABLEHLO_AND", types=_TYPES[3:], verified="LiteRT BUILTIN (BUILTIN_REF has none)")
def and_(ctx: KernelContext) -> Run:
    """STABLEHLO_AND: bitwise and."""
    return elementwise(ctx, np.bitwise_and, _TYPES[3:])


@kernel("STABLEHLO_SHIFT_LEFT", types=_TYPES[3:6], verified="LiteRT BUILTIN (BUILTIN_REF has none)")
def shift_left_(ctx: KernelContext) -> Run:
    """STABLEHLO_SHIFT_LEFT: a times 2 to the power of b."""
    return elementwise(ctx, shift_left, _TYPES[3:6])


def pad(x: Array, value: Array, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Array:
    """Pad behind the sample axis.

    Args:
        x: [N, ...].
        value: [N] or [1]: what fills the gaps.
        low: Elements before the first one per axis; negative ones are cut off.
        high: Elements behind the last one per axis; negative ones are cut off.
        interior: Elements between neighbours per axis.
    """
    lengths = [(n - 1) * (i + 1) + 1 if n else 0 for n, i in zip(x.shape[1:], interior, strict=True)]
    shape = [n + before + after for n, before, after in zip(lengths, low, high, strict=True)]
    count = sample_count(x, value)
    result = np.empty(room((count, *(max(n, 0) for n in shape)), x.dtype), x.dtype)
    result[...] = value.reshape(-1, *(1,) * len(shape))
    source: list[slice] = []
    target: list[slice] = []
    for length, before, size, gap in zip(lengths, low, shape, interior, strict=True):
        step = gap + 1
        # The first element that lies inside, and where it lands.
        first = max(0, -(before // step)) if before < 0 else 0
        last = -(-min(length, size - before) // step)
        if first >= last:
            return result
        source.append(slice(first, last))
        target.append(slice(before + first * step, before + (last - 1) * step + 1, step))
    result[(slice(None), *target)] = over_samples(x, count)[(slice(None), *source)]
    return result


@kernel("STABLEHLO_PAD", types=_TYPES)
def pad_(ctx: KernelContext) -> Run:
    """STABLEHLO_PAD: padding at the edges (negative: cropping) and between elements (stablehlo_pad.cc)."""
    options = ctx.options
    low, high, interior = ([int(v) for v in (() if values is None else values)] for values in
                           (options.edge_padding_low, options.edge_padding_high, options.interior_padding))  # fmt: skip
    if min(interior, default=0) < 0:
        raise ctx.unsupported("interior padding is negative")
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, value = given(inputs[0]), given(inputs[1])
        if not len(low) == len(high) == len(interior) == x.ndim - 1:
            raise ctx.execution_error(f"padding for {len(low)} axes of a tensor of shape {list(x.shape[1:])}")
        if value.size != len(value):
            raise ctx.execution_error(f"the padding value has {value[0].size} elements")
        result = pad(x, value.reshape(-1), low, high, interior)
        if 0 in result.shape:
            result = np.zeros((len(result), *(0,) * (x.ndim - 1)), x.dtype)  # LiteRT empties every axis then
        return [result]

    return run

# SPDX-License-Identifier: Apache-2.0
"""Operators on bit patterns: RIGHT_SHIFT, BITWISE_XOR, BITCAST."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter.elementwise import check_types, one, two, type_name
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.registry import kernel

_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")
_PACKED = ("int4", "uint4", "int2", "string", "resource", "variant")


@kernel("RIGHT_SHIFT", types=_INTEGERS)
def right_shift(ctx: KernelContext) -> Run:
    """RIGHT_SHIFT (LiteRT right_shift.cc): arithmetic for signed types; the amount is clamped to [0, bits - 1]."""
    check_types(ctx, _INTEGERS, inputs=2)
    dtype = ctx.outputs[0].dtype
    highest = dtype.type(8 * dtype.itemsize - 1)
    return two(ctx, lambda a, b: np.right_shift(a, np.clip(b, dtype.type(0), highest)))


@kernel("BITWISE_XOR", types=_INTEGERS)
def bitwise_xor(ctx: KernelContext) -> Run:
    """BITWISE_XOR (LiteRT bitwise_xor.cc)."""
    check_types(ctx, _INTEGERS, inputs=2)
    return two(ctx, np.bitwise_xor)


@kernel("BITCAST", types=("every type of at least 8 bits to every other",))
def bitcast(ctx: KernelContext) -> Run:
    """BITCAST (LiteRT bitcast.cc): a narrower type adds a last dimension, a wider one consumes it. Little endian."""
    for spec in (ctx.input(0), ctx.outputs[0]):
        if type_name(spec) in _PACKED:
            raise ctx.unsupported(
                f"BITCAST of {type_name(spec)}", "Types must have a whole number of bytes per element."
            )
    source, target = ctx.input(0).dtype, ctx.outputs[0].dtype

    def values(x: Array) -> Array:
        x = np.ascontiguousarray(x)
        if source.itemsize == target.itemsize:
            return x.view(target).copy()
        if source.itemsize > target.itemsize:
            return x[..., None].view(target).copy()
        ratio = target.itemsize // source.itemsize
        if x.ndim < 2 or x.shape[-1] != ratio:
            raise ctx.execution_error(f"BITCAST from {source} to {target} needs a last dimension of {ratio}")
        return x.view(target)[..., 0].copy()

    return one(values)

# SPDX-License-Identifier: Apache-2.0
"""Operators that repeat elements: TILE, BROADCAST_TO, BROADCAST_ARGS.

Sources: LiteRT kernels tile.cc, broadcast_to.cc, internal/reference/broadcast_args.h. Elements are copied, so every
type passes, also those that LiteRT refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, room
from tflite2x.interpreter.kernels.layout import MOVED, given, integers
from tflite2x.interpreter.registry import kernel


@kernel("TILE", types=(*MOVED, "string"))
def tile(ctx: KernelContext) -> Run:
    """TILE: repeat the tensor ``multiples[i]`` times along dimension i."""
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, multiples = given(inputs[0]), integers(given(inputs[1]))
        if len(multiples) != x.ndim - 1 or any(m < 0 for m in multiples):
            raise ctx.execution_error(f"multiples {multiples} do not fit shape {list(x.shape[1:])}")
        room([n * m for n, m in zip(x.shape, (1, *multiples), strict=True)], x.dtype)
        return [np.tile(x, (1, *multiples))]

    return run


@kernel("BROADCAST_TO", types=(*MOVED, "uint32"))
def broadcast_to(ctx: KernelContext) -> Run:
    """BROADCAST_TO: repeat dimensions of length 1 until the tensor has the given shape."""
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, shape = given(inputs[0]), integers(given(inputs[1]))
        missing = len(shape) - (x.ndim - 1)
        fits = missing >= 0 and all(a in (1, b) for a, b in zip(x.shape[1:], shape[missing:], strict=True))
        if not fits or any(d < 0 for d in shape):
            raise ctx.execution_error(f"shape {list(x.shape[1:])} does not broadcast to {shape}")
        aligned = x.reshape(len(x), *(1,) * missing, *x.shape[1:])
        # A real copy: a view with repeated elements is slow in whatever comes next.
        return [np.array(np.broadcast_to(aligned, room((len(x), *shape), x.dtype)))]

    return run


@kernel("BROADCAST_ARGS", types=("int32 x int32 -> int32", "int64 x int64 -> int64"))
def broadcast_args(ctx: KernelContext) -> Run:
    """BROADCAST_ARGS: the shape that two shapes broadcast to."""
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        a, b = given(inputs[0]), given(inputs[1])
        rank = max(a.shape[1], b.shape[1])
        a, b = (np.pad(s, ((0, 0), (rank - s.shape[1], 0)), constant_values=1) for s in (a, b))
        if np.any((a != b) & (a != 1) & (b != 1)):
            raise ctx.execution_error(f"shapes {a[0].tolist()} and {b[0].tolist()} do not broadcast together")
        return [np.where(a == 1, b, a)]

    return run

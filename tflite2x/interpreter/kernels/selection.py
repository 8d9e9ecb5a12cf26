# SPDX-License-Identifier: Apache-2.0
"""Operators that choose between two tensors: SELECT, SELECT_V2.

Sources: LiteRT kernels select.cc and internal/reference/select.h. Elements are copied, so every type passes, also those
that LiteRT refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, align_ranks
from tflite2x.interpreter.kernels.layout import MOVED, given
from tflite2x.interpreter.registry import kernel

Choose = Callable[[Array, Array, Array], Array]

_TYPES = tuple(f"bool x {t} x {t}" for t in MOVED)


@kernel("SELECT", types=_TYPES)
def select(ctx: KernelContext) -> Run:
    """SELECT: a condition of the same shape, a scalar, or a vector that chooses along the first dimension."""

    def choose(condition: Array, x: Array, y: Array) -> Array:
        if x.shape[1:] != y.shape[1:]:
            raise ctx.execution_error(f"shapes {list(x.shape[1:])} and {list(y.shape[1:])} of the choices differ")
        if condition.ndim == 2 and condition.shape[1] == (x.shape[1] if x.ndim > 1 else 0):
            condition = condition.reshape(*condition.shape, *(1,) * (x.ndim - 2))
        elif condition.ndim == 1:
            condition = condition.reshape(-1, *(1,) * (x.ndim - 1))
        elif condition.shape[1:] != x.shape[1:]:
            raise ctx.execution_error(
                f"a condition of shape {list(condition.shape[1:])} does not choose between {list(x.shape[1:])}"
            )
        return np.where(condition, x, y)

    return _selecting(ctx, choose)


@kernel("SELECT_V2", types=_TYPES)
def select_v2(ctx: KernelContext) -> Run:
    """SELECT_V2: condition and choices broadcast to one shape."""

    def choose(condition: Array, x: Array, y: Array) -> Array:
        c, a, b = align_ranks(condition, x, y)
        try:
            return np.where(c, a, b)
        except ValueError:
            shapes = [list(v.shape[1:]) for v in (condition, x, y)]
            raise ctx.execution_error(f"shapes {shapes} do not broadcast together") from None

    return _selecting(ctx, choose)


def _selecting(ctx: KernelContext, choose: Choose) -> Run:
    for i in range(3):
        ctx.input(i)
    output = ctx.outputs[0]
    keeps_shape = math.prod(output.shape) == 1

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        condition, x, y = (given(a) for a in inputs)
        if keeps_shape and all(math.prod(a.shape[1:]) == 1 for a in (condition, x, y)):
            # LiteRT then leaves the output the shape that the model gives it, whatever the ranks of the inputs.
            c, a, b = (v.reshape(len(v), *(1,) * len(output.shape)) for v in (condition, x, y))
            return [np.where(c, a, b)]
        return [choose(condition, x, y)]

    return run

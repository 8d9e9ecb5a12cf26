# SPDX-License-Identifier: Apache-2.0
"""ARG_MAX, ARG_MIN and CUMSUM: walks along one dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.elementwise import check_types, option
from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.reducing import normalized_axis
from tflite2x.interpreter.registry import kernel

_RANKED = ("float32", "int8", "uint8", "int32", "bool")


def along_axis(ctx: KernelContext, function: Callable[[Array, int], Array]) -> Run:
    """Make the second step of a kernel from a function of an array and one axis, which the second input holds."""

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, axis = inputs[0], inputs[1]
        assert x is not None
        assert axis is not None
        value = uniform(axis).reshape(-1)
        if value.size != 1:
            raise ctx.execution_error(f"{ctx.name} needs one axis and got {value.size}")
        with np.errstate(all="ignore"):
            return [function(x, normalized_axis(ctx, int(value[0]), x.ndim))]

    return run


@kernel("ARG_MAX", "ARG_MIN", types=tuple(f"{name} -> int32 or int64" for name in _RANKED))
def arg_extreme(ctx: KernelContext) -> Run:
    """ARG_MAX and ARG_MIN (LiteRT arg_min_max.cc): the first position of the extreme; NaN only where all are NaN."""
    name = check_types(ctx, _RANKED, output=False)
    largest, dtype = ctx.name == "ARG_MAX", ctx.outputs[0].dtype
    find = np.argmax if largest else np.argmin

    def values(x: Array, axis: int) -> Array:
        if x.shape[axis] == 0:
            raise ctx.execution_error(f"{ctx.name} over a dimension of length 0")
        if name == "float32":
            missing = np.isnan(x)
            if np.any(missing):
                worst = np.float32(-np.inf if largest else np.inf)
                filled = np.where(missing, worst, x)
                # Where nothing beats the filling, the first number wins.
                hopeless = (np.max if largest else np.min)(filled, axis) == worst
                return np.asarray(np.where(hopeless, np.argmin(missing, axis), find(filled, axis)), dtype)
        return np.asarray(find(x, axis), dtype)

    return along_axis(ctx, values)


@kernel("CUMSUM", types=("float32", "int32", "int64"))
def cumsum(ctx: KernelContext) -> Run:
    """CUMSUM (LiteRT cumsum.cc), inclusive or exclusive, forward or backward; integers wrap."""
    check_types(ctx, ("float32", "int32", "int64"))
    exclusive, reverse = bool(option(ctx, "exclusive", False)), bool(option(ctx, "reverse", False))

    def values(x: Array, axis: int) -> Array:
        source = np.flip(x, axis) if reverse else x
        result = np.cumsum(source, axis, dtype=x.dtype)
        if exclusive:
            shifted = np.zeros_like(result)
            if x.shape[axis]:
                rest = [slice(None)] * x.ndim
                rest[axis] = slice(1, None)
                front = [slice(None)] * x.ndim
                front[axis] = slice(None, -1)
                shifted[tuple(rest)] = result[tuple(front)]
            result = shifted
        return np.ascontiguousarray(np.flip(result, axis)) if reverse else result

    return along_axis(ctx, values)

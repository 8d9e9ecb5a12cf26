# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D.

Sources: LiteRT ``kernels/pooling.cc``, ``internal/reference/pooling.h``, ``internal/reference/integer_ops/pooling.h``.
What lies outside of the input does not count. Integer averages round half away from zero; zero points and scales of
input and output are taken to be equal. Floats are added in the order of the reference loops.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tflite2x.interpreter.affine import require, require_quantized
from tflite2x.interpreter.fixedpoint import activation_range, activation_range_float
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.registry import kernel
from tflite2x.interpreter.windows import Axis, pad_windows, tap_views, window_axes

#: Takes [batch, H, W, C] and the geometry, returns [batch, H', W', C].
Pool = Callable[[Array, tuple[Axis, ...]], Array]

_TYPES = ("FLOAT32", "INT8", "UINT8", "INT16")


def _pooling(ctx: KernelContext, pool: Pool, types: Sequence[str]) -> Run:
    x_spec, o = ctx.input(0), ctx.options
    require(ctx, x_spec, *types)
    require(ctx, ctx.outputs[0], x_spec.type.name)
    if len(x_spec.shape) != 4:
        raise ctx.unsupported(f"the input of shape {x_spec.shape} must have 4 dimensions")
    if o is None or min(o.stride_h, o.stride_w, o.filter_height, o.filter_width) < 1:
        raise ctx.unsupported("strides and filter sizes must be at least 1")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = inputs[0]
        assert x is not None
        axes = window_axes(o.padding, x.shape[2:4], (o.filter_height, o.filter_width), (o.stride_h, o.stride_w), (1, 1))
        if any(a.out < 0 for a in axes):
            raise ctx.execution_error(f"the window does not fit into the input of shape {x.shape[1:]}")
        if x.size == 0 or any(a.out == 0 for a in axes):
            return [np.zeros((*x.shape[:2], *(a.out for a in axes), x.shape[-1]), x.dtype)]
        out = pool(x.reshape(-1, *x.shape[2:]), axes)
        return [out.reshape(*x.shape[:2], *out.shape[1:])]

    return run


def _range(ctx: KernelContext, activation: int) -> tuple[int, int]:
    """Return the clamp of a fused activation on integers, which needs a scale, or that of the type, which does not."""
    out = ctx.outputs[0]
    if activation in (1, 2, 3):
        require_quantized(ctx, out)
    return activation_range(activation, out)


@functools.lru_cache(maxsize=1024)
def _counts(axes: tuple[Axis, ...]) -> Array:
    """Return how many elements of the input every window sees: [H', W', 1]."""
    per_axis = []
    for a in axes:
        start = np.arange(a.out) * a.stride - a.before
        per_axis.append(np.minimum(start + a.filter, a.size) - np.maximum(start, 0))
    counts: Array = per_axis[0][:, None, None] * per_axis[1][:, None]
    return counts


def _reduce(
    x: Array, axes: tuple[Axis, ...], outside: int | float, dtype: np.dtype[np.generic], ufunc: np.ufunc
) -> Array:
    """Combine windows first along the height, then along the width: for operations whose order does not matter."""
    if all(a.out == 1 and a.before == 0 and a.filter == a.size for a in axes):
        whole_image: Array = ufunc.reduce(x.reshape(len(x), -1, x.shape[-1]), axis=1, dtype=dtype)
        return whole_image.reshape(len(x), 1, 1, -1)
    high, wide = axes
    whole = Axis(x.shape[2], 1, 1, 1, 0, x.shape[2])
    lines = _accumulate(x, (high, whole), outside, dtype, ufunc)
    line = Axis(high.out, 1, 1, 1, 0, high.out)
    return _accumulate(lines, (line, wide), outside, dtype, ufunc)


def _accumulate(
    x: Array, axes: tuple[Axis, ...], outside: int | float, dtype: np.dtype[np.generic], ufunc: np.ufunc
) -> Array:
    """Combine windows tap by tap, in the order of the C++ loops."""
    views = tap_views(pad_windows(x, axes, outside, dtype), axes)
    _, first = next(views)
    acc = np.array(first)
    for _, view in views:
        ufunc(acc, view, out=acc)
    return acc


def _is_global(x: Array, axes: tuple[Axis, ...]) -> bool:
    return all(a.out == 1 and a.before == 0 and a.filter == a.size for a in axes) and x.shape[-1] > 1


def _sum(x: Array, axes: tuple[Axis, ...]) -> Array:
    """Add up float32 windows in the order of the C++ loops."""
    if _is_global(x, axes):
        # NumPy adds whole rows one after the other when the last axis is not the one that is reduced.
        total: Array = np.add.reduce(x.reshape(len(x), -1, x.shape[-1]), axis=1)
        return total.reshape(len(x), 1, 1, -1)
    return _accumulate(x, axes, 0, np.dtype(np.float32), np.add)


@kernel("AVERAGE_POOL_2D", types=("float32", "int8", "uint8", "int16"))
def average_pool_2d(ctx: KernelContext) -> Run:
    """Prepare AVERAGE_POOL_2D."""
    activation = 0 if ctx.options is None else ctx.options.fused_activation_function
    if ctx.input(0).type.name == "FLOAT32":
        low, high = activation_range_float(activation)

        def floats(x: Array, axes: tuple[Axis, ...]) -> Array:
            return np.clip(_sum(x, axes) / _counts(axes).astype(np.float32), low, high)

        return _pooling(ctx, floats, _TYPES)
    bottom, top = _range(ctx, activation)

    def integers(x: Array, axes: tuple[Axis, ...]) -> Array:
        total = _reduce(x, axes, 0, np.dtype(np.int32), np.add)
        count = _counts(axes).astype(np.int32)
        total += np.where(total > 0, count // 2, -(count // 2))
        # The quotient of two integers below 2**31 is never rounded up to the next integer in float64.
        average = np.trunc(total / count)
        return np.clip(average, bottom, top).astype(x.dtype)

    return _pooling(ctx, integers, _TYPES)


@kernel("MAX_POOL_2D", types=("float32", "int8", "uint8", "int16"))
def max_pool_2d(ctx: KernelContext) -> Run:
    """Prepare MAX_POOL_2D. NaN does not count, as in the C++ comparison."""
    activation = 0 if ctx.options is None else ctx.options.fused_activation_function
    low: Any
    high: Any
    ufunc: np.ufunc
    if ctx.input(0).type.name == "FLOAT32":
        low, high = activation_range_float(activation)
        outside, ufunc = float(np.finfo(np.float32).min), np.fmax
    else:
        low, high = _range(ctx, activation)
        outside, ufunc = int(np.iinfo(ctx.input(0).dtype).min), np.maximum

    def pool(x: Array, axes: tuple[Axis, ...]) -> Array:
        out = _reduce(x, axes, outside, x.dtype, ufunc)
        return np.clip(out, np.asarray(low).astype(x.dtype), np.asarray(high).astype(x.dtype), out=out)

    return _pooling(ctx, pool, _TYPES)


@kernel("L2_POOL_2D", types=("float32",))
def l2_pool_2d(ctx: KernelContext) -> Run:
    """Prepare L2_POOL_2D: the root of the mean square."""
    activation = 0 if ctx.options is None else ctx.options.fused_activation_function
    low, high = activation_range_float(activation)

    def pool(x: Array, axes: tuple[Axis, ...]) -> Array:
        squares = _sum(np.square(x), axes)
        return np.clip(np.sqrt(squares / _counts(axes).astype(np.float32)), low, high)

    return _pooling(ctx, pool, ("FLOAT32",))

# SPDX-License-Identifier: Apache-2.0
"""Operators that resize images: RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR.

Sources: LiteRT kernels resize_bilinear.cc, resize_nearest_neighbor.cc and internal/reference/resize_bilinear.h,
internal/reference/resize_nearest_neighbor.h. Images are [batch, height, width, channels].
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, room
from tflite2x.interpreter.kernels.layout import given, integers
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import TensorType

_PART = 1 << 16  # output elements that are computed at a time
_FRACTION = 1 << 10  # positions and weights of the integer kernel count 1024ths


@kernel("RESIZE_BILINEAR", types=("float32", "uint8", "int8", "int16"))
def resize_bilinear(ctx: KernelContext) -> Run:
    """RESIZE_BILINEAR.

    float32 and uint8 compute in float32 (uint8 adds 0.5 and drops the fraction); int8 and int16 compute positions and
    weights in 1024ths and round halves away from zero. Scale and zero point of input and output are not looked at, as
    in LiteRT. Where rounding moves a position of the integer kernel behind the last pixel (for example 1 pixel resized
    to 65 or 80), LiteRT reads outside of the image; this kernel stays on the last pixel.
    """
    spec = ctx.input(0)
    ctx.input(1)
    align, half = _options(ctx)
    if align and half:
        raise ctx.unsupported("align_corners and half_pixel_centers exclude each other")
    kinds = {
        TensorType.FLOAT32: _interpolate_float,
        TensorType.UINT8: _interpolate_float,
        TensorType.INT8: _interpolate_integer,
        TensorType.INT16: _interpolate_integer,
    }
    if spec.type not in kinds:
        raise ctx.unsupported(f"type {spec.type.name}", hint="LiteRT resizes float32, uint8, int8 and int16.")
    interpolate = kinds[spec.type]

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        height, width = _output_size(ctx, x, given(inputs[1]))
        return [interpolate(x, height, width, align, half)]

    return run


def _interpolate_float(x: Array, height: int, width: int, align: bool, half: bool) -> Array:
    y0, y1, dy = float_positions(x.shape[2], height, align, half)
    x0, x1, dx = float_positions(x.shape[3], width, align, half)
    one, channels = np.float32(1), x.shape[4]
    dy = dy[:, None, None]
    # One weight per element of a line: NumPy multiplies long lines much faster than pixel by pixel.
    left, right = np.repeat(one - dx, channels), np.repeat(dx, channels)

    def part(images: Array, rows: slice) -> Array:
        upper = np.multiply(np.take(images, y0[rows], 1), one - dy[rows], dtype=np.float32)
        lower = np.multiply(np.take(images, y1[rows], 1), dy[rows], dtype=np.float32)
        lines = (*upper.shape[:2], width * channels)
        # The four corners are weighted and added in LiteRT's order, so that the roundings agree.
        result = np.take(upper, x0, 2).reshape(lines)
        result *= left
        corner = np.empty((*upper.shape[:2], width, channels), np.float32)
        for source, columns, weight in ((lower, x0, left), (upper, x1, right), (lower, x1, right)):
            # Without "clip", NumPy takes into a copy first; all columns are inside.
            weighted = np.take(source, columns, 2, out=corner, mode="clip").reshape(lines)
            weighted *= weight
            result += weighted
        if x.dtype == np.uint8:
            result += np.float32(0.5)
        return result.reshape(corner.shape)

    return _in_parts(x, height, width, part)


def _in_parts(x: Array, height: int, width: int, part: Callable[[Array, slice], Array]) -> Array:
    """Compute an output of ``height`` x ``width`` pixels in parts that fit into the processor's cache.

    Args:
        x: Images [N, batch, height, width, channels].
        height: Rows of the output.
        width: Columns of the output.
        part: Computes some rows of the output for some images; the result is cast to the type of ``x``.
    """
    images = x.reshape(-1, *x.shape[2:])
    result = np.empty((len(images), height, width, x.shape[4]), x.dtype)
    row = max(1, width * x.shape[4])
    rows = min(height, max(1, _PART // row))
    group = max(1, _PART // (row * height))
    for i in range(0, len(images), group):
        for j in range(0, height, rows):
            block = slice(j, j + rows)
            result[i : i + group, block] = part(images[i : i + group], block)
    return result.reshape(*x.shape[:2], height, width, x.shape[4])


@functools.lru_cache(maxsize=64)
def float_positions(size: int, target: int, align: bool, half: bool) -> tuple[Array, Array, Array]:
    """Return lower and upper source positions and the distance from the lower one, for each target position."""
    if align and target > 1:
        scale = np.float32(size - 1) / np.float32(target - 1)
    else:
        scale = np.float32(size) / np.float32(target)
    place = np.arange(target, dtype=np.float32)
    place = (place + np.float32(0.5)) * scale - np.float32(0.5) if half else place * scale
    lower = np.clip(np.floor(place).astype(np.int32), 0, size - 1)
    upper = np.minimum(np.ceil(place).astype(np.int32), size - 1)
    return lower, upper, place - lower.astype(np.float32)


def _interpolate_integer(x: Array, height: int, width: int, align: bool, half: bool) -> Array:
    # 8 bits times two weights of 10 bits fit into 32 bits, also where positions before the first pixel make the
    # weights larger than 1 (at most 1.5 and 0.5 in each direction).
    wide = np.int32 if x.dtype.itemsize == 1 else np.int64
    y0, y1, dy = integer_positions(x.shape[2], height, align, half)
    x0, x1, dx = integer_positions(x.shape[3], width, align, half)
    dy, dx = dy.astype(wide)[:, None, None], dx.astype(wide)[:, None]
    sign = np.dtype(wide).itemsize * 8 - 1

    def part(images: Array, rows: slice) -> Array:
        lines = np.multiply(np.take(images, y0[rows], 1), _FRACTION - dy[rows], dtype=wide)
        lines += np.multiply(np.take(images, y1[rows], 1), dy[rows], dtype=wide)
        total = np.take(lines, x0, 2)
        total *= _FRACTION - dx
        other = np.take(lines, x1, 2)
        other *= dx
        total += other
        # Division by 2**20, halves away from zero: add half, for negative sums half less one, and round down.
        total += total >> sign
        total += 1 << 19
        total >>= 20
        return total

    return _in_parts(x, height, width, part)


@functools.lru_cache(maxsize=64)
def integer_positions(size: int, target: int, align: bool, half: bool) -> tuple[Array, Array, Array]:
    """Return lower and upper source positions and the distance from the lower one in 1024ths."""
    if align and target > 1:
        scale = (_FRACTION * (size - 1) + (target - 1) // 2) // (target - 1)
    else:
        scale = (_FRACTION * size + target // 2) // target
    place = np.arange(target, dtype=np.int64) * scale
    if half:
        place += scale // 2 - _FRACTION // 2
    lower = np.clip(place // _FRACTION, 0, size - 1)
    upper = np.clip((place + _FRACTION - 1) // _FRACTION, 0, size - 1)
    return lower, upper, place - _FRACTION * lower


@kernel("RESIZE_NEAREST_NEIGHBOR", types=("float32", "float16", "int8", "uint8", "int16", "int32", "bool"))
def resize_nearest_neighbor(ctx: KernelContext) -> Run:
    """RESIZE_NEAREST_NEIGHBOR: pixels are copied; positions are computed in float32."""
    ctx.input(0)
    ctx.input(1)
    align, half = _options(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        height, width = _output_size(ctx, x, given(inputs[1]))
        rows = _nearest(x.shape[2], height, align, half)
        columns = _nearest(x.shape[3], width, align, half)
        return [np.take(np.take(x, rows, 2), columns, 3)]

    return run


@functools.lru_cache(maxsize=64)
def _nearest(size: int, target: int, align: bool, half: bool) -> Array:
    if align and target > 1:
        scale = np.float32(size - 1) / np.float32(target - 1)
    else:
        scale = np.float32(size) / np.float32(target)
    place = (np.arange(target, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
    if align:
        place = place + np.float64(0.5)  # positions are not negative: half away from zero is floor of x + 0.5
    nearest = np.minimum(np.floor(place).astype(np.int32), size - 1)
    return np.asarray(np.maximum(nearest, 0) if half else nearest)


def _options(ctx: KernelContext) -> tuple[bool, bool]:
    options = ctx.options
    return bool(getattr(options, "align_corners", False)), bool(getattr(options, "half_pixel_centers", False))


def _output_size(ctx: KernelContext, x: Array, size: Array) -> tuple[int, int]:
    values = integers(size)
    if x.ndim != 5 or len(values) != 2 or min(values) <= 0 or min(x.shape[2:4]) == 0:
        raise ctx.execution_error(
            f"an image of shape {list(x.shape[1:])} cannot be resized to {values}",
            hint="The image has 4 dimensions (batch, height, width, channels), the size 2 positive values.",
        )
    room((*x.shape[:2], *values, x.shape[4]), x.dtype)  # before the positions take memory
    return values[0], values[1]

# SPDX-License-Identifier: Apache-2.0
"""MEAN, SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY and REDUCE_ALL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.elementwise import QUANTIZED, Int64, check_types, option, per_tensor, symmetric
from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize, requantize_int64, saturate, wrap_int32
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.reducing import reduction_axes, sequential_sum
from tflite2x.interpreter.registry import kernel

_PLAIN = ("float32", "int32", "int64")


def reduction(ctx: KernelContext, function: Callable[[Array, tuple[int, ...]], Array]) -> Run:
    """Make the second step of a reduction from a function of an array and axes that keeps the dimensions."""
    keep = bool(option(ctx, "keep_dims", False))

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, axis = inputs[0], inputs[1]
        assert x is not None
        assert axis is not None
        axes = reduction_axes(ctx, axis, x.ndim)
        with np.errstate(all="ignore"):
            result = function(x, axes)
        return [result if keep else result.reshape([n for i, n in enumerate(result.shape) if i not in axes])]

    return run


def count(x: Array, axes: tuple[int, ...]) -> int:
    """Return how many elements are reduced into one."""
    return int(np.prod([x.shape[i] for i in axes], dtype=np.int64))


def _quantized_multiplier(ctx: KernelContext) -> tuple[Int64, Int64]:
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, source, out)
    if source.dtype == np.int16:
        symmetric(ctx, source, out)
    return quantize_multiplier(source.s / out.s, "double")


def _centered_sum(ctx: KernelContext, x: Array, axes: tuple[int, ...]) -> Int64:
    total = x.sum(axis=axes, keepdims=True, dtype=np.int64) if axes else x.astype(np.int64)
    return wrap_int32(total - ctx.input(0).z * count(x, axes))


@kernel("MEAN", types=(*_PLAIN, "int8 -> int8", "uint8 -> uint8", "int16 -> int16"))
def mean(ctx: KernelContext) -> Run:
    """MEAN (LiteRT reduce.cc, reference/reduce.h QuantizedMeanOrSum).

    Floats are added one by one in float32. Quantized: an int32 sum, and one multiplier for scales and count, with two
    roundings. Plain integers truncate. An empty input gives NaN, or 0 for integers.
    """
    name = check_types(ctx, (*_PLAIN, *QUANTIZED))
    dtype = ctx.outputs[0].dtype
    if name == "float32":
        return reduction(ctx, _float_mean)
    if name in _PLAIN:
        return reduction(ctx, lambda x, axes: _integer_mean(x, axes).astype(dtype))
    mantissa, shift = _quantized_multiplier(ctx)
    zero_point = ctx.outputs[0].z

    def values(x: Array, axes: tuple[int, ...]) -> Array:
        elements = count(x, axes)
        if x.size == 0 or elements == 0:
            return np.zeros([1 if i in axes else n for i, n in enumerate(x.shape)], dtype)
        # Divide the multiplier by the number of elements, with as many bits as fit.
        bits = min(elements.bit_length() - 1, 32, 31 + int(shift))
        divided = (int(mantissa) << bits) // elements
        result = requantize(_centered_sum(ctx, x, axes), divided, int(shift) - bits, "double")
        return saturate(result + zero_point, dtype)

    return reduction(ctx, values)


def _float_mean(x: Array, axes: tuple[int, ...]) -> Array:
    result: Array = sequential_sum(x, axes) / np.float32(count(x, axes))
    return result


def _integer_mean(x: Array, axes: tuple[int, ...]) -> Int64:
    total, elements = x.sum(axis=axes, keepdims=True, dtype=np.int64), count(x, axes)
    return np.asarray(np.sign(total) * (np.abs(total) // elements) if elements else total * 0, np.int64)


@kernel("SUM", types=(*_PLAIN, "bool", "int8 -> int8", "uint8 -> uint8", "int16 -> int16"))
def total(ctx: KernelContext) -> Run:
    """SUM (LiteRT reduce.cc, reference/reduce.h QuantizedMeanOrSum).

    BUILTIN_REF reads int8 and int16 data as uint8, which is wrong. This follows the right arithmetic, which is TFLite
    Micro's, too; the optimized resolver agrees up to its own rounding (it multiplies in float32).
    """
    name = check_types(ctx, (*_PLAIN, "bool", *QUANTIZED))
    dtype = ctx.outputs[0].dtype
    if name == "bool":
        return truth(ctx)
    if name == "float32":
        return reduction(ctx, sequential_sum)
    if name in _PLAIN:
        return reduction(ctx, lambda x, axes: x.sum(axis=axes, keepdims=True, dtype=dtype))
    mantissa, shift = _quantized_multiplier(ctx)
    zero_point = ctx.outputs[0].z

    def values(x: Array, axes: tuple[int, ...]) -> Array:
        if x.size == 0:
            return np.zeros([1 if i in axes else n for i, n in enumerate(x.shape)], dtype)
        return saturate(requantize(_centered_sum(ctx, x, axes), mantissa, shift, "double") + zero_point, dtype)

    return reduction(ctx, values)


@kernel("REDUCE_PROD", types=(*_PLAIN, "bool", "int8 -> int8", "int16 -> int16"))
def product(ctx: KernelContext) -> Run:
    """REDUCE_PROD (LiteRT reduce.cc, reference/reduce.h QuantizedReduceProd).

    Quantized: the product is requantized after every factor, each time with the same multiplier.
    """
    name = check_types(ctx, (*_PLAIN, "bool", *QUANTIZED))
    source, out = ctx.input(0), ctx.outputs[0]
    dtype = out.dtype
    if name == "bool":
        return truth(ctx)
    if name in _PLAIN or not source.is_quantized:
        return reduction(ctx, lambda x, axes: np.multiply.reduce(x, axis=axes, keepdims=True, dtype=dtype))
    if name == "uint8":
        raise ctx.unsupported("REDUCE_PROD of quantized uint8", "LiteRT does not run it either.")
    per_tensor(ctx, source, out)
    if name == "int16":
        symmetric(ctx, source, out)

    def values(x: Array, axes: tuple[int, ...]) -> Array:
        shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
        elements = count(x, axes)
        if x.size == 0:
            return np.zeros(shape, dtype)
        mantissa, shift = quantize_multiplier(source.s / out.s ** (1 / elements), "double")
        kept = tuple(i for i in range(x.ndim) if i not in axes)
        factors = x.astype(np.int64).transpose(axes + kept).reshape(elements, -1) - source.z
        running = factors[0]
        for factor in factors[1:]:
            running = requantize_int64(running * factor, mantissa, shift)
        return saturate(requantize_int64(running, mantissa, shift) + out.z, dtype).reshape(shape)

    return reduction(ctx, values)


@kernel("REDUCE_MAX", "REDUCE_MIN", types=(*_PLAIN, "bool", *QUANTIZED))
def extreme(ctx: KernelContext) -> Run:
    """REDUCE_MAX and REDUCE_MIN (LiteRT reduce.cc): input and output must have one quantization.

    A NaN loses against every number. The result over no elements is the type's lowest or highest finite value.
    """
    name = check_types(ctx, (*_PLAIN, "bool", *QUANTIZED))
    source, out = ctx.input(0), ctx.outputs[0]
    if name == "bool":
        return truth(ctx)
    if name in QUANTIZED and (source.scale.tolist(), source.z) != (out.scale.tolist(), out.z):
        raise ctx.unsupported("input and output of REDUCE_MAX and REDUCE_MIN have different quantization")
    largest = ctx.name == "REDUCE_MAX"
    info = np.finfo(out.dtype) if name == "float32" else np.iinfo(out.dtype)
    start = out.dtype.type(info.min if largest else info.max)
    function = np.fmax if largest else np.fmin

    def values(x: Array, axes: tuple[int, ...]) -> Array:
        return np.asarray(function.reduce(x, axis=axes, keepdims=True, initial=start if x.size == 0 else None))

    return reduction(ctx, values)


@kernel("REDUCE_ANY", "REDUCE_ALL", types=("bool",))
def truth(ctx: KernelContext) -> Run:
    """REDUCE_ANY and REDUCE_ALL (LiteRT reduce.cc); of bool, the other reductions are one or the other."""
    check_types(ctx, ("bool",))
    function = np.logical_or if ctx.name in ("REDUCE_ANY", "REDUCE_MAX", "SUM") else np.logical_and
    return reduction(ctx, lambda x, axes: np.asarray(function.reduce(x, axis=axes, keepdims=True)))

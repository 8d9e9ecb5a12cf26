# SPDX-License-Identifier: Apache-2.0
"""Reductions over sliding windows, and DILATE. Sources: LiteRT ``stablehlo_reduce_window.cc``, ``dilate.cc``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.kernels.layout import given, sample_count
from tflite2x.interpreter.kernels.stablehlo import Binary, pad
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import ReduceWindowFunction

_TYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def _both(a: Array, b: Array) -> Array:
    return np.logical_and(a, b).astype(a.dtype)


def _either(a: Array, b: Array) -> Array:
    return np.logical_or(a, b).astype(a.dtype)


def _larger(a: Array, b: Array) -> Array:
    return np.where(a >= b, a, b)


def _smaller(a: Array, b: Array) -> Array:
    return np.where(a <= b, a, b)


_FUNCTIONS: dict[ReduceWindowFunction, Binary] = {
    ReduceWindowFunction.ADD: np.add,
    ReduceWindowFunction.MUL: np.multiply,
    ReduceWindowFunction.MINIMUM: _smaller,
    ReduceWindowFunction.MAXIMUM: _larger,
    ReduceWindowFunction.ALL: _both,
    ReduceWindowFunction.ANY: _either,
}
_BODIES = {
    "ADD": ReduceWindowFunction.ADD,
    "MUL": ReduceWindowFunction.MUL,
    "MULTIPLY": ReduceWindowFunction.MUL,
    "MINIMUM": ReduceWindowFunction.MINIMUM,
    "MAXIMUM": ReduceWindowFunction.MAXIMUM,
    "LOGICAL_AND": ReduceWindowFunction.ALL,
    "AND": ReduceWindowFunction.ALL,
    "LOGICAL_OR": ReduceWindowFunction.ANY,
    "OR": ReduceWindowFunction.ANY,
}


def _reduce(
    x: Array, start: Array, function: Binary, size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Array:
    """Combine the elements of each window one after the other, beginning with ``start`` ([N] or [1])."""
    reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    shape = [max(0, (n - r) // s + 1) if n >= r else 0 for n, r, s in zip(x.shape[1:], reach, stride, strict=True)]
    result = np.empty((sample_count(x, start), *shape), x.dtype)
    result[...] = start.reshape(-1, *(1,) * len(shape))
    for place in itertools.product(*(range(n) for n in size)):
        view = tuple(
            slice(p * d, p * d + (n - 1) * s + 1, s) if n else slice(0, 0)
            for p, d, n, s in zip(place, dilation, shape, stride, strict=True)
        )
        result = function(result, x[(slice(None), *view)])
    return result


def _prepare_types(ctx: KernelContext) -> None:
    if ctx.input(0).type.name.lower() not in _TYPES or ctx.input(0).type != ctx.input(1).type:
        raise ctx.unsupported(f"types {ctx.input(0).type.name} and {ctx.input(1).type.name}")


def _operands(ctx: KernelContext, inputs: Sequence[Array | None]) -> tuple[Array, Array]:
    x, start = given(inputs[0]), given(inputs[1])
    if start.size != len(start):
        raise ctx.execution_error(f"the initial value has {start[0].size} elements")
    # LiteRT calculates with the bytes of booleans.
    if x.dtype == np.bool_:
        x, start = x.view(np.int8), start.view(np.int8)
    return x, start.reshape(-1)


@kernel("REDUCE_WINDOW", types=_TYPES)
def reduce_window(ctx: KernelContext) -> Run:
    """REDUCE_WINDOW: inputs are x, initial value, window shape, strides, dilations."""
    _prepare_types(ctx)
    function = _FUNCTIONS.get(ctx.options.reduce_function)
    if function is None:
        raise ctx.unsupported(f"reduce function {ctx.options.reduce_function}")
    dtype = ctx.outputs[0].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, start = _operands(ctx, inputs)
        size, stride, dilation = ([int(v) for v in uniform(given(a)).reshape(-1)] for a in inputs[2:5])
        if not len(size) == len(stride) == len(dilation) == x.ndim - 1 or min(*size, *stride, *dilation) < 1:
            raise ctx.execution_error(f"window {size}, strides {stride}, dilations {dilation} for {x.ndim - 1} axes")
        return [_reduce(x, start, function, size, stride, dilation).astype(dtype)]

    return run


@kernel("STABLEHLO_REDUCE_WINDOW", types=_TYPES)
def stablehlo_reduce_window(ctx: KernelContext) -> Run:
    """STABLEHLO_REDUCE_WINDOW: dilate and pad with the initial value, then reduce windows; the body is one operator."""
    _prepare_types(ctx)
    options = ctx.options
    rank = len(options.window_dimensions or ())
    ones = [1] * rank
    size = [int(v) for v in options.window_dimensions or ()]
    stride, spacing, dilation = (
        [int(v) for v in values] if values is not None and len(values) else ones
        for values in (options.window_strides, options.base_dilations, options.window_dilations)
    )
    edges = (
        [int(v) for v in options.padding] if options.padding is not None and len(options.padding) else [0] * 2 * rank
    )
    if not len(stride) == len(spacing) == len(dilation) == rank or len(edges) != 2 * rank:
        raise ctx.unsupported("the window, its strides, dilations and padding have different ranks")
    if min(*size, *stride, *spacing, *dilation, 1) < 1:
        raise ctx.unsupported("a window, stride or dilation is not positive")
    body = ctx.op.calls.get("body_subgraph_index")
    names = [op.name for op in body.operators] if body is not None else []
    if len(names) != 1 or names[0].removeprefix("STABLEHLO_") not in _BODIES:
        raise ctx.unsupported(f"the body computes {', '.join(names) or 'nothing'}; LiteRT knows single operators only")
    function = _FUNCTIONS[_BODIES[names[0].removeprefix("STABLEHLO_")]]
    dtype = ctx.outputs[0].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, start = _operands(ctx, inputs)
        if x.ndim - 1 != rank:
            raise ctx.execution_error(f"a window of {rank} axes on a tensor of shape {list(x.shape[1:])}")
        padded = pad(x, start, edges[0::2], edges[1::2], [d - 1 for d in spacing])
        if 0 in padded.shape:
            raise ctx.execution_error("the padding leaves nothing of the tensor")
        return [_reduce(padded, start, function, size, stride, dilation).astype(dtype)]

    return run

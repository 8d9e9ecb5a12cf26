# SPDX-License-Identifier: Apache-2.0
"""SVDF: a layer over a sliding window of time, as two small products per filter.

Sources: LiteRT ``svdf.cc`` and ``internal/reference/svdf.h``; int8 state as in TFLite Micro's ``svdf_common.cc``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.fixedpoint import saturate, wrap_int32
from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.recurrent.cells import activate
from tflite2x.interpreter.recurrent.lanes import lane_sum
from tflite2x.interpreter.recurrent.matrices import required, weights_input
from tflite2x.interpreter.recurrent.multipliers import quantize_multiplier, requantize
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import ActivationFunctionType, TensorType
from tflite2x.schema.tables import SVDFOptions

_FEATURE, _TIME, _BIAS, _STATE = 1, 2, 3, 4
f32 = np.float32


@kernel(
    "SVDF",
    types=(
        "float32 (float32 weights)",
        "float32 (int8 or uint8 weights, hybrid)",
        "int8 (int8 weights, int16 state)",
        "int8 (int8 weights, int8 state)",
    ),
    verified="LiteRT BUILTIN_REF; int8 state from TFLite Micro's source",
    pure=False,
)
def svdf(ctx: KernelContext) -> Run:
    """SVDF: the newest value of each filter enters a window of the past, which is weighted over time and summed.

    Inputs: x [batch, n_input], feature weights [filters, n_input], time weights [filters, memory], bias [units] or
    nothing, state [batch, memory * filters].
    """
    options = ctx.options_or_default(SVDFOptions)
    rank = int(options.rank)
    filters = ctx.input(_FEATURE).shape[0]
    if rank <= 0 or filters % rank:
        raise ctx.unsupported(f"rank {rank} does not divide {filters} filters")
    if not ctx.input(_STATE).is_variable:
        raise ctx.unsupported(f"input {_STATE} is state and must be a variable tensor")
    return _float(ctx, options) if ctx.input(0).type == TensorType.FLOAT32 else _integer(ctx, options)


def _window(inputs: Sequence[Array | None], memory: int) -> Array:
    """Return the state as [N, batch, filters, memory], moved on by one step."""
    state = required(inputs, _STATE)
    state[..., :-1] = state[..., 1:].copy()
    return state.reshape(*state.shape[:2], -1, memory)


def _float(ctx: KernelContext, options: SVDFOptions) -> Run:
    rank = int(options.rank)
    feature = weights_input(ctx, _FEATURE, asymmetric=bool(options.asymmetric_quantize_inputs))
    time = ctx.input(_TIME)
    scale = f32(1) if time.type == TensorType.FLOAT32 else f32(time.scale[0])
    activation = int(options.fused_activation_function)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        weights = uniform(required(inputs, _TIME)).astype(np.float32) * scale
        window = _window(inputs, weights.shape[1])
        window[..., -1] = feature(inputs).add(np.zeros(1, np.float32), required(inputs, 0))
        total = lane_sum(window * weights)
        total = lane_sum(total.reshape(*total.shape[:2], -1, rank))
        bias = inputs[_BIAS]
        if bias is not None:
            total = total + uniform(bias)
        return [activate(total, activation)]

    return run


def _integer(ctx: KernelContext, options: SVDFOptions) -> Run:
    rank = int(options.rank)
    x, feature, time, state, output = (
        ctx.input(0),
        ctx.input(_FEATURE),
        ctx.input(_TIME),
        ctx.input(_STATE),
        ctx.outputs[0],
    )
    types = (x.type, feature.type, time.type, state.type)
    int8, int16 = TensorType.INT8, TensorType.INT16
    if types not in ((int8, int8, int16, int16), (int8, int8, int8, int8)):
        raise ctx.unsupported(f"types {', '.join(t.name for t in types)}")
    if options.fused_activation_function != ActivationFunctionType.RELU:
        raise ctx.unsupported("an integer SVDF must have the fused activation RELU (which its arithmetic ignores)")
    for spec in (x, feature, time, state, output):
        if not spec.is_quantized:
            raise ctx.unsupported(f"tensor {spec.name!r} has no quantization")
    first = quantize_multiplier(float(f32(x.scale[0]) * f32(feature.scale[0]) / f32(state.scale[0])))
    second = quantize_multiplier(float(f32(state.scale[0]) * f32(time.scale[0]) / f32(output.scale[0])))

    def make(weights: Array) -> tuple[ExactGemm, Array]:
        return ExactGemm(np.ascontiguousarray(weights.T), 128), weights.sum(axis=1, dtype=np.int64) * -x.z

    prepared = None if feature.const is None else make(feature.const)
    clip: Callable[[Array], Array] = lambda a: saturate(a, state.dtype)  # noqa: E731

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        gemm, folded = prepared or make(uniform(required(inputs, _FEATURE)))
        weights = uniform(required(inputs, _TIME)).astype(np.int64)
        window = _window(inputs, weights.shape[1])
        newest = gemm(required(inputs, 0).astype(gemm.dtype)).astype(np.int64) + folded
        window[..., -1] = clip(requantize(wrap_int32(newest), *first))
        total = np.einsum("nbfm,fm->nbf", window.astype(np.int64), weights)
        total = total.reshape(*total.shape[:2], -1, rank).sum(axis=-1)
        bias = inputs[_BIAS]
        if bias is not None:
            total = total + uniform(bias)
        return [saturate(requantize(wrap_int32(total), *second) + output.z, output.dtype)]

    return run

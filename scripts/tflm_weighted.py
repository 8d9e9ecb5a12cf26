# SPDX-License-Identifier: Apache-2.0
"""Operators with weights, and recurrent ones, for comparing with TFLite Micro."""

from __future__ import annotations

from typing import Any

import numpy as np
from tflm_case import ACTIVATIONS, Maker, kind, kinds

from tflite2x.ir import Tensor
from tflite2x.schema import tables
from tflite2x.schema.enums import ActivationFunctionType, Padding


def _weights(make: Maker, shape: tuple[int, ...], channels: int, axis: int, variant: str, zero: bool = False) -> Tensor:
    count = channels if variant == "per-channel" and channels > 1 else 1
    scales: Any = [make.scale(1e-4, 5e-2) for _ in range(count)]
    dtype = "int4" if variant == "int4" else "int8"
    low, high = (-7, 7) if dtype == "int4" else (-127, 127)
    values = make.integers(shape, "int8", low, high)
    zero_point = 0
    if zero and count == 1 and make.rng.random() < 0.2:
        zero_point = make.size(-20, 20)
    return make.constant(
        "w", values, dtype=dtype, scale=scales if count > 1 else scales[0], zero_point=zero_point,
        quantized_dimension=axis,
    )  # fmt: skip


def _bias(make: Maker, x: Tensor, w: Tensor, channels: int, wide: bool, needed: bool = False) -> Tensor | None:
    if not needed and make.rng.random() < 0.25:
        return None
    reach = int(make.one_of(100, 10000, 300000))
    assert x.quantization is not None
    assert w.quantization is not None
    scales = (x.quantization.scale[0] * w.quantization.scale).astype(np.float32)
    values = make.integers((channels,), "int64" if wide else "int32", -reach, reach)
    return make.constant("b", values, scale=[float(s) for s in scales])


def _output(make: Maker, dtype: str, x: Tensor, w: Tensor, depth: int) -> Tensor:
    """Add an output whose range the sums about fill, or not at all."""
    assert x.quantization is not None
    assert w.quantization is not None
    steps = 127 if dtype == "int8" else 32767
    typical = float(x.quantization.scale[0] * np.median(w.quantization.scale)) * depth**0.5 * 70 * steps
    scale = make.scale(typical / steps * 0.2, typical / steps * 4)
    if make.rng.random() < 0.15:
        scale = make.scale(1e-3, 0.5)
    return make.output(dtype, scale=scale, zero_point=make.zero_point(dtype))


@kind(*kinds("FULLY_CONNECTED int8", "per-tensor", "per-channel", "int4"))
@kind(*kinds("FULLY_CONNECTED int16", "per-tensor", "per-channel"))
def fully_connected(make: Maker, op: str, dtype: str, variant: str) -> None:
    batch, depth, channels = make.size(1, 3), make.size(1, 70), make.size(1, 20)
    if variant == "int4":
        depth *= 2
    x = make.input((batch, depth), dtype, **make.quantization(dtype))
    w = _weights(make, (channels, depth), channels, 0, variant, zero=variant == "per-tensor")
    b = _bias(make, x, w, channels, dtype == "int16")
    y = _output(make, dtype, x, w, depth)
    options = tables.FullyConnectedOptions(fused_activation_function=make.one_of(*ACTIVATIONS))
    make.operator(op, [x, w, b], [y], options)


@kind(*kinds("CONV_2D int8", "per-tensor", "per-channel", "int4"))
@kind(*kinds("CONV_2D int16", "per-tensor", "per-channel"))
def convolution(make: Maker, op: str, dtype: str, variant: str) -> None:
    groups = make.one_of(1, 1, 1, 2) if variant != "int4" else 1
    deep, channels = 2 * make.size(1, 4) if variant == "int4" else make.size(1, 5), make.size(1, 6) * groups
    kernel = (make.size(1, 3), make.size(1, 3))
    shape = (make.size(1, 2), make.size(4, 8), make.size(4, 8), deep * groups)
    x = make.input(shape, dtype, **make.quantization(dtype))
    w = _weights(make, (channels, *kernel, deep), channels, 0, variant)
    b = _bias(make, x, w, channels, dtype == "int16" and make.rng.random() < 0.7)
    y = _output(make, dtype, x, w, deep * kernel[0] * kernel[1])
    options = tables.Conv2DOptions(
        padding=make.one_of(Padding.SAME, Padding.VALID),
        stride_w=make.size(1, 2),
        stride_h=make.size(1, 2),
        fused_activation_function=make.one_of(*ACTIVATIONS),
    )
    if make.rng.random() < 0.2:
        options.dilation_w_factor = options.dilation_h_factor = 2
    make.operator(op, [x, w, b], [y], options)


@kind(*kinds("DEPTHWISE_CONV_2D int8", "per-tensor", "per-channel", "int4"))
@kind(*kinds("DEPTHWISE_CONV_2D int16", "per-channel"))
def depthwise(make: Maker, op: str, dtype: str, variant: str) -> None:
    deep, multiplier = make.size(1, 5), make.size(1, 3)
    if variant == "int4":
        deep *= 2
    channels, kernel = deep * multiplier, (make.size(1, 3), make.size(1, 3))
    x = make.input((make.size(1, 2), make.size(4, 8), make.size(4, 8), deep), dtype, **make.quantization(dtype))
    w = _weights(make, (1, *kernel, channels), channels, 3, variant)
    b = _bias(make, x, w, channels, dtype == "int16", needed=True)
    y = _output(make, dtype, x, w, kernel[0] * kernel[1])
    options = tables.DepthwiseConv2DOptions(
        padding=make.one_of(Padding.SAME, Padding.VALID),
        stride_w=make.size(1, 2),
        depth_multiplier=multiplier,
        fused_activation_function=make.one_of(*ACTIVATIONS),
    )
    options.stride_h = options.stride_w
    make.operator(op, [x, w, b], [y], options)


@kind(*kinds("TRANSPOSE_CONV int8", "per-tensor", "per-channel"), *kinds("TRANSPOSE_CONV int16", "per-channel"))
def transpose_convolution(make: Maker, op: str, dtype: str, variant: str) -> None:
    deep, channels, kernel = make.size(1, 4), make.size(1, 5), (make.size(1, 3), make.size(1, 3))
    n, height, width, stride = make.size(1, 2), make.size(1, 5), make.size(1, 5), make.size(1, 2)
    same = bool(make.rng.integers(2))
    out = [height * stride, width * stride]
    if not same:
        out = [(size - 1) * stride + k for size, k in zip((height, width), kernel, strict=True)]
    x = make.input((n, height, width, deep), dtype, **make.quantization(dtype))
    w = _weights(make, (channels, *kernel, deep), channels, 0, variant)
    b = _bias(make, x, w, channels, dtype == "int16")
    shape = make.constant("shape", np.array([n, *out, channels], np.int32))
    y = _output(make, dtype, x, w, deep * kernel[0] * kernel[1])
    options = tables.TransposeConvOptions(
        padding=Padding.SAME if same else Padding.VALID,
        stride_w=stride,
        stride_h=stride,
        fused_activation_function=make.one_of(*ACTIVATIONS),
    )
    make.operator(op, [shape, w, x, b], [y], options)


@kind("BATCH_MATMUL int8", "BATCH_MATMUL int16")
def batch_matmul(make: Maker, op: str, dtype: str) -> None:
    batch, rows, deep, columns = make.shape(0, 2, 3), make.size(1, 5), make.size(1, 20), make.size(1, 5)
    adj_x, adj_y = bool(make.rng.integers(2)), bool(make.rng.integers(2))
    a = make.input((*batch, *((deep, rows) if adj_x else (rows, deep))), dtype, **make.quantization(dtype))
    shape = (*batch, *((columns, deep) if adj_y else (deep, columns)))
    quantization = make.quantization(dtype)
    if make.rng.random() < 0.5:
        b = make.constant("b", make.values(shape, dtype), **quantization)
    else:
        b = make.input(shape, dtype, **quantization)
    y = _output(make, dtype, a, b, deep)
    make.operator(op, [a, b], [y], tables.BatchMatMulOptions(adj_x=adj_x, adj_y=adj_y))


def _state(make: Maker, name: str, shape: tuple[int, ...], dtype: str, **quantization: Any) -> Tensor:
    return make.graph.add_tensor(name, shape, dtype, is_variable=True, **quantization)


@kind("SVDF int8-state", "SVDF int16-state")
def svdf(make: Maker, op: str, variant: str) -> None:
    state_type = variant.removesuffix("-state")
    units, rank, memory, deep, batch = (make.size(1, n) for n in (5, 3, 6, 8, 3))
    filters = units * rank
    x = make.input((batch, deep), "int8", **make.quantization("int8", 1e-2, 1e-1))
    feature = make.constant("feature", make.integers((filters, deep), "int8", -127, 127), scale=make.scale(1e-3, 1e-1))
    small = state_type == "int8"
    time_scale, state_scale = (
        (make.scale(1e-2, 1e-1), make.scale(0.1, 1)) if small else (make.scale(1e-5, 1e-4), make.scale(1e-4, 1e-2))
    )
    limit = 127 if small else 32767
    time = make.constant("time", make.integers((filters, memory), state_type, -limit, limit), scale=time_scale)
    bias = make.constant("bias", make.integers((units,), "int32", -1000, 1000), scale=time_scale * state_scale)
    state = _state(make, "state", (batch, memory * filters), state_type, scale=state_scale)
    y = make.output("int8", **make.quantization("int8", 1e-2, 1.0))
    options = tables.SVDFOptions(rank=rank, fused_activation_function=ActivationFunctionType.RELU)
    make.operator(op, [x, feature, time, bias, state], [y], options)


@kind("UNIDIRECTIONAL_SEQUENCE_LSTM int8", "UNIDIRECTIONAL_SEQUENCE_LSTM int16")
def lstm(make: Maker, op: str, dtype: str) -> None:
    batch, steps, deep, cells = (make.size(1, n) for n in (3, 4, 6, 6))
    time_major = bool(make.rng.integers(2))
    shape = (steps, batch, deep) if time_major else (batch, steps, deep)

    def matrix(name: str, size: tuple[int, int]) -> Tensor:
        return make.constant(name, make.integers(size, "int8", -127, 127), scale=make.scale(1e-3, 3e-2))

    wide = dtype == "int16"
    x = make.input(shape, dtype, **make.quantization(dtype, *((1e-5, 1e-3) if wide else (1e-3, 1e-1))))
    inputs: list[Tensor | None] = [x]
    inputs += [matrix(f"w{gate}", (cells, deep)) for gate in "ifco"]
    inputs += [matrix(f"r{gate}", (cells, cells)) for gate in "ifco"]
    inputs += [None] * 3
    for gate in "ifco":
        values = make.integers((cells,), "int64" if wide else "int32", -10000, 10000)
        inputs.append(make.constant(f"b{gate}", values, scale=make.scale(1e-5, 1e-3)))
    inputs += [None] * 2
    hidden = {"scale": make.scale(2e-5, 1e-4) if wide else make.scale(4e-3, 2e-2), "zero_point": make.zero_point(dtype)}
    inputs.append(_state(make, "h", (batch, cells), dtype, **hidden))
    inputs.append(_state(make, "c", (batch, cells), "int16", scale=2.0 ** make.size(-15, -9)))
    inputs += [None] * 4
    y = make.output(dtype, **hidden)
    options = tables.UnidirectionalSequenceLSTMOptions(
        fused_activation_function=ActivationFunctionType.TANH,
        cell_clip=make.one_of(0.0, 0.3, 1.5, 10.0),
        time_major=time_major,
    )
    operator = make.operator(op, inputs, [y], options)
    gates = [make.graph.add_tensor(f"i{i}", (0,), "int16", scale=make.scale(1e-4, 1e-2)) for i in range(4)]
    operator.intermediates = (*gates, make.graph.add_tensor("hidden", (0,), dtype, **hidden))

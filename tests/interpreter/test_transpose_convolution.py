# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV and CONV_3D_TRANSPOSE against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.interpreter.one_operator import Value, cases, check, random_array, rngs, steering
from tests.interpreter.quantities import BOUNDS, quantization_of, scales
from tflite2x.schema.enums import ActivationFunctionType, Padding
from tflite2x.schema.tables import Conv3DOptions, TransposeConvOptions

ACTIVATIONS = st.sampled_from(list(ActivationFunctionType)[:4])
AXIS = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2))


def output_size(padding, size, filter_size, stride, extra):
    """An output size from which the convolution leads back to ``size``."""
    if padding == Padding.SAME:
        return (size - 1) * stride + 1 + min(extra, stride - 1)
    return (size - 1) * stride + filter_size + min(extra, stride - 1)


def small(rng, shape):
    return rng.integers(-64, 64, shape).astype(np.float32) / 16


@pytest.mark.parametrize(
    "types",
    [
        ("float32", "float32", "float32"), ("int8", "int8", "int32"), ("int8", "int8", None),
        ("uint8", "uint8", "int32"), ("int16", "int8", "int64"), ("int16", "int8", "int32"), ("int16", "int8", None),
    ],
)  # fmt: skip
@cases
@drawn(rngs, AXIS, AXIS, st.integers(1, 2), st.sampled_from([(1, 1), (3, 4), (5, 2)]), st.sampled_from(list(Padding)),
       ACTIVATIONS, st.booleans(), st.booleans())  # fmt: skip
def test_transpose_conv(types, rng, height, width, batch, channels, padding, activation, per_channel, constant):
    dtype, weight_type, bias_type = types
    depth, filters = channels
    shape = [output_size(padding, *a) for a in (height, width)]
    w_shape = (filters, height[1], width[1], depth)
    xq, wq, yq, more = {}, {}, {}, {}
    if dtype == "float32":
        x, w = small(rng, (batch, height[0], width[0], depth)), small(rng, w_shape)
    else:
        low, high = BOUNDS[weight_type]
        x = random_array(rng, (batch, height[0], width[0], depth), dtype)
        w = rng.integers(low, high, w_shape, endpoint=True).astype(weight_type)
        xq = quantization_of(rng, dtype)
        wq = {"scale": scales(rng, filters if per_channel and dtype != "uint8" else 1, False)}
        if dtype == "uint8":
            wq["zero_point"] = int(rng.integers(0, 255))
        spread = np.sqrt(np.prod(w_shape[1:])) * BOUNDS[dtype][1] * high / 3
        yq = quantization_of(rng, dtype, float(np.mean(wq["scale"])) * xq["scale"] * spread / (BOUNDS[dtype][1] / 2))
        if dtype == "int16" and bias_type:
            more = {"quantized_bias_type": {"int32": 2, "int64": 4}[bias_type]}
    inputs = [
        steering([batch, *shape, filters], constant),
        Value(w, constant=True, quantization=wq),
        Value(x, quantization=xq),
    ]
    if bias_type:
        bias = small(rng, (filters,)) if dtype == "float32" else rng.integers(-4000, 4000, filters).astype(bias_type)
        bq = (
            {} if dtype == "float32" else {"scale": [float(np.float32(s) * xq["scale"]) for s in np.ravel(wq["scale"])]}
        )
        inputs.append(Value(bias, constant=True, quantization=bq))
    options = TransposeConvOptions(
        padding=padding, stride_h=height[2], stride_w=width[2], fused_activation_function=activation, **more
    )
    check("TRANSPOSE_CONV", options, inputs, [(dtype, (batch, *shape, filters), yq)], version=4)


@cases
@drawn(rngs, AXIS, AXIS, st.integers(1, 2), st.sampled_from([(1, 1), (3, 4)]), st.sampled_from(list(Padding)),
       ACTIVATIONS)  # fmt: skip
def test_transpose_conv_hybrid(rng, height, width, batch, channels, padding, activation):
    depth, filters = channels
    shape = [output_size(padding, *a) for a in (height, width)]
    w = rng.integers(-127, 127, (filters, height[1], width[1], depth)).astype(np.int8)
    inputs = [
        steering([batch, *shape, filters], True),
        Value(w, constant=True, quantization={"scale": scales(rng, filters, False)}),
        Value(rng.standard_normal((batch, height[0], width[0], depth)).astype(np.float32)),
        Value(rng.standard_normal(filters).astype(np.float32), constant=True),
    ]
    options = TransposeConvOptions(
        padding=padding, stride_h=height[2], stride_w=width[2], fused_activation_function=activation
    )
    # LiteRT rounds every product and every sum, which shows where outputs are small because products cancel.
    check("TRANSPOSE_CONV", options, inputs, [("float32", (batch, *shape, filters))], tolerance=1e-5, version=4)


@cases
@drawn(rngs, st.tuples(AXIS, AXIS, AXIS), st.integers(1, 2), st.sampled_from(list(Padding)), ACTIVATIONS, st.booleans(),
       st.booleans())  # fmt: skip
def test_conv_3d_transpose(rng, axes, batch, padding, activation, with_bias, constant):
    shape = [output_size(padding, *a) for a in axes]
    inputs = [
        steering([batch, *shape, 3], constant),
        Value(small(rng, (*(a[1] for a in axes), 3, 2)), constant=True),
        Value(small(rng, (batch, *(a[0] for a in axes), 2))),
    ]
    if with_bias:
        inputs.append(Value(small(rng, (3,)), constant=True))
    options = Conv3DOptions(
        padding=padding, stride_d=axes[0][2], stride_h=axes[1][2], stride_w=axes[2][2],
        fused_activation_function=activation,
    )  # fmt: skip
    check("CONV_3D_TRANSPOSE", options, inputs, [("float32", (batch, *shape, 3))])

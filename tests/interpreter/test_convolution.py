# SPDX-License-Identifier: Apache-2.0
"""CONV_2D, DEPTHWISE_CONV_2D and CONV_3D against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs
from tests.interpreter.quantities import BOUNDS, quantization_of, scales
from tflite2x.errors import UnsupportedError
from tflite2x.schema.enums import ActivationFunctionType, Padding
from tflite2x.schema.tables import Conv2DOptions, Conv3DOptions, DepthwiseConv2DOptions

ACTIVATIONS = st.sampled_from(list(ActivationFunctionType)[:4])
PADDINGS = st.sampled_from(list(Padding))


@st.composite
def windows(draw, rank=2):
    """Draw padding and per axis (input size, filter size, stride, dilation) such that VALID windows fit."""
    axes = []
    for _ in range(rank):
        filter_size, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        dilation = draw(st.sampled_from([1, 1, 1, 2, 3]))
        axes.append(((filter_size - 1) * dilation + draw(st.integers(1, 6)), filter_size, stride, dilation))
    return draw(PADDINGS), axes


def conv_options(kind, padding, axes, activation, **more):
    return kind(
        padding=padding, stride_h=axes[0][2], stride_w=axes[1][2], dilation_h_factor=axes[0][3],
        dilation_w_factor=axes[1][3], fused_activation_function=activation, **more,
    )  # fmt: skip


def small(rng, shape):
    """Floats whose products and sums are exact: the order of additions does not matter."""
    return rng.integers(-64, 64, shape).astype(np.float32) / 16


def integer_case(rng, op, dtype, weight_type, x_shape, w_shape, axis, per_channel, extreme):
    """Make inputs and output quantization of an integer convolution."""
    channels, taps = w_shape[axis], int(np.prod(w_shape)) // w_shape[axis]
    if op == "CONV_2D":
        taps = int(np.prod(w_shape[1:]))
    x = random_array(rng, x_shape, dtype)
    low, high = BOUNDS["int4" if weight_type == "int4" else "int8" if weight_type == "int8" else "uint8"]
    w = rng.integers(low, high, w_shape, endpoint=True).astype("uint8" if weight_type == "uint8" else "int8")
    xq = quantization_of(rng, dtype)
    wq = {"scale": scales(rng, channels if per_channel else 1, extreme)}
    if weight_type == "uint8":
        wq["zero_point"] = int(rng.integers(0, 255))
    if per_channel:
        wq["quantized_dimension"] = axis
    spread = np.sqrt(taps) * BOUNDS[dtype][1] * high / 3
    yq = quantization_of(rng, dtype, float(np.mean(wq["scale"])) * xq["scale"] * spread / (BOUNDS[dtype][1] / 2))
    bias = rng.integers(-int(spread), int(spread) + 1, channels)
    return x, w, bias, xq, wq, yq


def bias_value(bias, dtype, xq, wq):
    scale = [float(np.float32(xq["scale"]) * np.float32(s)) for s in np.atleast_1d(wq["scale"])]
    return Value(bias.astype(dtype), constant=True, quantization={"scale": scale})


INTEGER_TYPES = [
    ("int8", "int8", "int32"), ("int8", "int4", "int32"), ("uint8", "uint8", "int32"), ("int16", "int8", "int64"),
    ("int16", "int4", "int64"), ("int16", "int8", "int32"),
]  # fmt: skip


@pytest.mark.parametrize("types", INTEGER_TYPES)
@cases
@drawn(rngs, windows(), st.integers(1, 3), st.sampled_from([(3, 4, 1), (1, 5, 1), (4, 6, 2), (3, 6, 3)]), ACTIVATIONS,
       st.booleans(), st.booleans())  # fmt: skip
def test_conv_2d_integers(types, rng, window, batch, channels, activation, per_channel, extreme):
    dtype, weight_type, bias_type = types
    padding, axes = window
    depth, filters, groups = channels
    per_channel = per_channel and dtype != "uint8"
    x_shape = (batch, axes[0][0], axes[1][0], depth)
    w_shape = (filters, axes[0][1], axes[1][1], depth // groups)
    x, w, bias, xq, wq, yq = integer_case(rng, "CONV_2D", dtype, weight_type, x_shape, w_shape, 0, per_channel, extreme)
    more = {"quantized_bias_type": 2 if bias_type == "int32" else 4} if dtype == "int16" else {}
    inputs = [
        Value(x, quantization=xq),
        Value(w, constant=True, quantization=wq, type=weight_type),
        bias_value(bias, bias_type, xq, wq),
    ]
    options = conv_options(Conv2DOptions, padding, axes, activation, **more)
    check("CONV_2D", options, inputs, [(dtype, (1, 1, 1, filters), yq)])


@cases
@drawn(rngs, windows(), st.integers(1, 3), st.sampled_from([(3, 4, 1), (1, 5, 1), (4, 6, 2), (3, 6, 3)]), ACTIVATIONS,
       st.booleans())  # fmt: skip
def test_conv_2d_floats(rng, window, batch, channels, activation, constant):
    padding, axes = window
    depth, filters, groups = channels
    inputs = [
        Value(small(rng, (batch, axes[0][0], axes[1][0], depth))),
        Value(small(rng, (filters, axes[0][1], axes[1][1], depth // groups)), constant, steers=True),
        Value(small(rng, (filters,)), constant=True),
    ]
    options = conv_options(Conv2DOptions, padding, axes, activation)
    check("CONV_2D", options, inputs, [("float32", (1, 1, 1, filters))])


@cases
@drawn(rngs, st.integers(1, 60))
def test_conv_2d_floats_round_like_litert(rng, depth):
    inputs = [
        Value(random_array(rng, (1, 6, 6, depth), "float32")),
        Value(random_array(rng, (8, 3, 3, depth), "float32"), constant=True),
        Value(random_array(rng, (8,), "float32"), constant=True),
    ]
    check("CONV_2D", Conv2DOptions(stride_h=1, stride_w=1), inputs, [("float32", (1, 6, 6, 8))], tolerance=1e-6)


@pytest.mark.parametrize("weight_type", ["int8", "int4"])
@cases
@drawn(rngs, windows(), st.integers(1, 3), st.sampled_from([(3, 4, 1), (1, 5, 1), (4, 6, 2)]), ACTIVATIONS,
       st.booleans())  # fmt: skip
def test_conv_2d_hybrid(weight_type, rng, window, batch, channels, activation, per_channel):
    padding, axes = window
    depth, filters, groups = channels
    low, high = BOUNDS[weight_type]
    w_shape = (filters, axes[0][1], axes[1][1], depth // groups)
    # LiteRT reads past the end of the scales of grouped filters with one scale.
    wq = {"scale": scales(rng, filters if per_channel or groups > 1 else 1, False)}
    inputs = [
        Value(rng.standard_normal((batch, axes[0][0], axes[1][0], depth)).astype(np.float32)),
        Value(rng.integers(max(-127, low), high, w_shape).astype(np.int8), True, quantization=wq, type=weight_type),
        Value(rng.standard_normal(filters).astype(np.float32), constant=True),
    ]
    options = conv_options(Conv2DOptions, padding, axes, activation)
    check("CONV_2D", options, inputs, [("float32", (1, 1, 1, filters))])


@pytest.mark.parametrize("types", [t for t in INTEGER_TYPES if t[1:] not in [("int4", "int64"), ("int8", "int32")]]
                         + [("int8", "int8", "int32")])  # fmt: skip
@cases
@drawn(rngs, windows(), st.integers(1, 3), st.sampled_from([(1, 1), (3, 1), (8, 1), (3, 2), (1, 4)]), ACTIVATIONS,
       st.booleans(), st.booleans())  # fmt: skip
def test_depthwise_integers(types, rng, window, batch, channels, activation, per_channel, extreme):
    dtype, weight_type, bias_type = types
    padding, axes = window
    depth, multiplier = channels
    per_channel = per_channel and dtype != "uint8"
    x_shape = (batch, axes[0][0], axes[1][0], depth)
    w_shape = (1, axes[0][1], axes[1][1], depth * multiplier)
    x, w, bias, xq, wq, yq = integer_case(
        rng, "DEPTHWISE_CONV_2D", dtype, weight_type, x_shape, w_shape, 3, per_channel, extreme
    )
    inputs = [
        Value(x, quantization=xq),
        Value(w, constant=True, quantization=wq, type=weight_type),
        bias_value(bias, bias_type, xq, wq),
    ]
    options = conv_options(DepthwiseConv2DOptions, padding, axes, activation, depth_multiplier=multiplier)
    check("DEPTHWISE_CONV_2D", options, inputs, [(dtype, (1, 1, 1, depth * multiplier), yq)])


@cases
@drawn(rngs, windows(), st.integers(1, 3), st.sampled_from([(1, 1), (3, 1), (8, 1), (3, 2), (1, 4)]), ACTIVATIONS,
       st.booleans(), st.booleans())  # fmt: skip
def test_depthwise_floats(rng, window, batch, channels, activation, constant, with_bias):
    padding, axes = window
    depth, multiplier = channels
    inputs = [
        Value(random_array(rng, (batch, axes[0][0], axes[1][0], depth), "float32")),
        Value(random_array(rng, (1, axes[0][1], axes[1][1], depth * multiplier), "float32"), constant, steers=True),
    ]
    if with_bias:
        inputs.append(Value(random_array(rng, (depth * multiplier,), "float32"), constant=True))
    options = conv_options(DepthwiseConv2DOptions, padding, axes, activation, depth_multiplier=multiplier)
    check("DEPTHWISE_CONV_2D", options, inputs, [("float32", (1, 1, 1, depth * multiplier))], tolerance=1e-6)


@cases
@drawn(rngs, windows(), st.integers(1, 3), st.sampled_from([(1, 1), (3, 1), (3, 2), (1, 4)]), ACTIVATIONS)
def test_depthwise_hybrid(rng, window, batch, channels, activation):
    padding, axes = window
    depth, multiplier = channels
    w_shape = (1, axes[0][1], axes[1][1], depth * multiplier)
    wq = {"scale": scales(rng, w_shape[3], False), "quantized_dimension": 3}
    inputs = [
        Value(rng.standard_normal((batch, axes[0][0], axes[1][0], depth)).astype(np.float32)),
        Value(rng.integers(-127, 127, w_shape).astype(np.int8), constant=True, quantization=wq),
        Value(rng.standard_normal(w_shape[3]).astype(np.float32), constant=True),
    ]
    options = conv_options(DepthwiseConv2DOptions, padding, axes, activation, depth_multiplier=multiplier)
    check("DEPTHWISE_CONV_2D", options, inputs, [("float32", (1, 1, 1, w_shape[3]))])


@cases
@drawn(rngs, windows(3), st.integers(1, 2), ACTIVATIONS, st.booleans())
def test_conv_3d(rng, window, batch, activation, with_bias):
    padding, axes = window
    x_shape = (batch, *(min(a[0], 9) if padding == Padding.SAME else a[0] for a in axes), 2)
    inputs = [
        Value(small(rng, x_shape)),
        Value(small(rng, (*(a[1] for a in axes), 2, 3)), constant=True),
    ]
    if with_bias:
        inputs.append(Value(small(rng, (3,)), constant=True))
    options = Conv3DOptions(
        padding=padding, stride_d=axes[0][2], stride_h=axes[1][2], stride_w=axes[2][2],
        dilation_d_factor=axes[0][3], dilation_h_factor=axes[1][3], dilation_w_factor=axes[2][3],
        fused_activation_function=activation,
    )  # fmt: skip
    check("CONV_3D", options, inputs, [("float32", (1, 1, 1, 1, 3))])


def test_accumulators_wrap_like_litert() -> None:
    inputs = [
        Value(np.full((1, 1, 1, 4), 127, np.int8), quantization={"scale": 1.0, "zero_point": -128}),
        Value(np.full((2, 1, 1, 4), 127, np.int8), constant=True, quantization={"scale": [1.0, 1.0]}),
        Value(np.array([2**31 - 1, 5], np.int32), constant=True, quantization={"scale": [1.0, 1.0]}),
    ]
    output = ("int8", (1, 1, 1, 2), {"scale": float(2.0**24), "zero_point": 0})
    got = check("CONV_2D", Conv2DOptions(stride_h=1, stride_w=1), inputs, [output])
    assert got[0].ravel().tolist() == [-128, 0]


@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_zero_batch(op) -> None:
    kind = Conv2DOptions if op == "CONV_2D" else DepthwiseConv2DOptions
    inputs = [
        Value(np.zeros((0, 4, 4, 2), np.float32)),
        Value(np.ones((2, 3, 3, 2) if op == "CONV_2D" else (1, 3, 3, 2), np.float32), constant=True),
        Value(np.ones(2, np.float32), constant=True),
    ]
    model = one_operator(op, kind(stride_h=1, stride_w=1), inputs, [("float32", (0, 4, 4, 2))])
    assert tflite2x.Interpreter(model).run([inputs[0].array])[0].shape == (0, 4, 4, 2)


def test_padding_of_an_input_with_a_zero_point_adds_nothing() -> None:
    x = Value(np.full((1, 3, 3, 1), 100, np.int8), quantization={"scale": 1.0, "zero_point": 100})
    w = Value(np.full((1, 3, 3, 1), 127, np.int8), constant=True, quantization={"scale": 1.0})
    b = Value(np.zeros(1, np.int32), constant=True, quantization={"scale": 1.0})
    output = ("int8", (1, 3, 3, 1), {"scale": 1.0, "zero_point": 7})
    got = check("CONV_2D", Conv2DOptions(stride_h=1, stride_w=1), [x, w, b], [output], batch=False)
    assert np.all(got[0] == 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stride_h": 0}, "must be at least 1"),
        ({"filter": np.zeros((2, 3, 3, 3), np.float32)}, "2 input channels do not fit"),
        ({"bias": np.zeros(3, np.float32)}, "the bias has shape"),
    ],
)
def test_refuses_what_litert_refuses(change, message) -> None:
    inputs = [
        Value(np.zeros((1, 4, 4, 2), np.float32)),
        Value(change.get("filter", np.zeros((2, 3, 3, 2), np.float32)), constant=True),
        Value(change.get("bias", np.zeros(2, np.float32)), constant=True),
    ]
    options = Conv2DOptions(stride_h=change.get("stride_h", 1), stride_w=1)
    model = one_operator("CONV_2D", options, inputs, [("float32", (1, 4, 4, 2))])
    with pytest.raises(UnsupportedError, match=message):
        tflite2x.Interpreter(model).run([inputs[0].array])


def test_large_layers_are_cut_into_blocks() -> None:
    rng = np.random.default_rng(0)
    inputs = [
        Value(random_array(rng, (2, 70, 70, 24), "int8"), quantization={"scale": 0.02, "zero_point": 3}),
        Value(random_array(rng, (20, 3, 3, 24), "int8"), constant=True, quantization={"scale": scales(rng, 20, False)}),
        Value(rng.integers(-5000, 5000, 20).astype(np.int32), constant=True),
    ]
    output = ("int8", (2, 70, 70, 20), {"scale": 1.5, "zero_point": -5})
    check("CONV_2D", Conv2DOptions(stride_h=1, stride_w=1), inputs, [output])
    inputs[1:] = [
        Value(random_array(rng, (1, 3, 3, 24), "int8"), constant=True,
              quantization={"scale": scales(rng, 24, False), "quantized_dimension": 3}),
        Value(rng.integers(-5000, 5000, 24).astype(np.int32), constant=True),
    ]  # fmt: skip
    output = ("int8", (2, 70, 70, 24), {"scale": 0.4, "zero_point": -5})
    check("DEPTHWISE_CONV_2D", DepthwiseConv2DOptions(stride_h=1, stride_w=1, depth_multiplier=1), inputs, [output])


def test_the_number_of_channels_may_be_open() -> None:
    model = tflite2x.Model.new()
    x = model.main.add_input("x", (1, 1, 1, 1), "float32", shape_signature=(1, -1, -1, -1))
    w = model.main.add_constant("w", np.ones((2, 1, 1, 3), np.float32))
    y = model.main.add_tensor("y", (1, 1, 1, 2), "float32")
    model.main.add_operator("CONV_2D", [x, w, None], [y], Conv2DOptions(stride_h=1, stride_w=1))
    model.main.set_outputs([y])
    (got,) = tflite2x.Interpreter(model).run([np.ones((1, 2, 2, 3), np.float32)])
    np.testing.assert_array_equal(got, np.full((1, 2, 2, 2), 3, np.float32))

# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, assert_same, cases, check, given, one_operator, random_array, rngs
from tests.interpreter.quantities import BOUNDS, quantization_of, scales
from tests.oracle import litert_run
from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.interpreter.fixedpoint import quantize_multiplier, requantize
from tflite2x.ir.quantization import BlockQuantization, Quantization
from tflite2x.schema.enums import ActivationFunctionType, FullyConnectedOptionsWeightsFormat
from tflite2x.schema.tables import FullyConnectedOptions

ACTIVATIONS = st.sampled_from(list(ActivationFunctionType)[:4])
SHAPES = st.tuples(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 40), st.integers(1, 6))


def integer_inputs(rng, types, shape, depth, units, per_channel, extreme):
    dtype, weight_type, bias_type, out_type = types
    low, high = BOUNDS.get(weight_type, (-2, 1))
    w = rng.integers(low, high, (units, depth), endpoint=True)
    w = w.astype({"uint8": "uint8", "int16": "int16"}.get(weight_type, "int8"))
    xq = quantization_of(rng, dtype)
    wq = {"scale": scales(rng, units if per_channel else 1, extreme)}
    if not per_channel and weight_type in ("int8", "uint8"):
        wq["zero_point"] = int(rng.integers(low, high)) if weight_type == "uint8" or rng.random() < 0.3 else 0
        if dtype == "int16":
            wq["zero_point"] = 0
    spread = np.sqrt(depth) * BOUNDS[dtype][1] * max(1, high) / 3
    scale = float(np.mean(wq["scale"])) * xq["scale"] * spread / (BOUNDS[out_type][1] / 2)
    yq = quantization_of(rng, out_type, scale)
    bias = rng.integers(-int(spread), int(spread) + 1, units)
    bias_scale = [float(np.float32(xq["scale"]) * np.float32(s)) for s in np.atleast_1d(wq["scale"])]
    inputs = [
        Value(random_array(rng, shape, dtype), quantization=xq),
        Value(w, constant=True, quantization=wq, type=weight_type),
    ]
    if bias_type:
        inputs.append(Value(bias.astype(bias_type), constant=True, quantization={"scale": bias_scale}))
    else:
        inputs.append(None)
    return inputs, yq


@pytest.mark.parametrize(
    "types",
    [
        ("int8", "int8", "int32", "int8"), ("int8", "int8", None, "int8"), ("int8", "int4", "int32", "int8"),
        ("int8", "int2", "int32", "int8"), ("uint8", "uint8", "int32", "uint8"), ("uint8", "uint8", "int32", "int16"),
        ("int16", "int8", "int64", "int16"), ("int16", "int8", None, "int16"), ("int16", "int8", "int32", "int16"),
        ("int16", "int4", "int64", "int16"), ("int16", "int16", "int64", "int16"),
        ("int16", "int16", "int32", "int16"),
    ],
)  # fmt: skip
@cases
@drawn(rngs, SHAPES, ACTIVATIONS, st.booleans(), st.booleans(), st.booleans())
def test_integers(types, rng, sizes, activation, keep, per_channel, extreme):
    outer, depth, units = sizes
    dtype, _, bias_type, out_type = types
    per_channel = per_channel and dtype != "uint8" and units > 1
    inputs, yq = integer_inputs(rng, types, (*outer, depth), depth, units, per_channel, extreme)
    # LiteRT reads an int32 bias of 16x8 layers wrongly unless the option names its type.
    more = {"quantized_bias_type": {"int32": 2, "int64": 4}[bias_type]} if dtype == "int16" and bias_type else {}
    if out_type == "int16":
        yq["zero_point"] = 0
    options = FullyConnectedOptions(fused_activation_function=activation, keep_num_dims=keep, **more)
    check("FULLY_CONNECTED", options, inputs, [(out_type, (1, units), yq)], version=12)


def test_int32_bias_of_16x8_without_the_option_agrees_with_the_optimized_kernel() -> None:
    rng = np.random.default_rng(3)
    types = ("int16", "int8", "int32", "int16")
    inputs, yq = integer_inputs(rng, types, (50, 30), 30, 20, False, False)
    model = one_operator("FULLY_CONNECTED", FullyConnectedOptions(), inputs, [("int16", (50, 20), yq)])
    expected = litert_run(tflite2x.dumps(model), given(inputs), resolver="BUILTIN_WITHOUT_DEFAULT_DELEGATES")[0]
    got = tflite2x.Interpreter(model).run(given(inputs))[0]
    # The optimized kernel uses a 31-bit multiplier, the reference a float64.
    assert np.abs(got.astype(int) - expected).max() <= 1
    assert np.mean(got == expected) > 0.95


@cases
@drawn(rngs, SHAPES, ACTIVATIONS, st.booleans(), st.booleans(), st.booleans())
def test_floats(rng, sizes, activation, keep, constant, with_bias):
    outer, depth, units = sizes
    inputs = [
        Value(random_array(rng, (*outer, depth), "float32")),
        Value(random_array(rng, (units, depth), "float32"), constant, steers=True),
        Value(random_array(rng, (units,), "float32"), constant, steers=True) if with_bias else None,
    ]
    options = FullyConnectedOptions(fused_activation_function=activation, keep_num_dims=keep)
    check("FULLY_CONNECTED", options, inputs, [("float32", (1, units))], tolerance=1e-6)


@pytest.mark.parametrize("weight_type", ["int8", "int4", "int2", "uint8"])
@cases
@drawn(
    rngs, SHAPES, ACTIVATIONS | st.sampled_from([ActivationFunctionType.TANH, ActivationFunctionType.SIGN_BIT]),
    st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
def test_hybrid(weight_type, rng, sizes, activation, keep, per_channel, asymmetric, with_bias):
    outer, depth, units = sizes
    low, high = {"int4": (-7, 7), "int2": (-1, 1)}.get(weight_type, (-127, 127))
    per_channel = per_channel and units > 1 and weight_type != "uint8"
    w = rng.integers(low, high, (units, depth)).astype(np.int8)
    x = rng.standard_normal((*outer, depth)).astype(np.float32)
    if rng.random() < 0.2:
        x[0] = 0
    inputs = [
        Value(x),
        Value(
            w.view(np.uint8) if weight_type == "uint8" else w,
            constant=True,
            quantization={"scale": scales(rng, units if per_channel else 1, False)},
            type=weight_type,
        ),
        Value(rng.standard_normal(units).astype(np.float32), constant=True) if with_bias else None,
    ]
    options = FullyConnectedOptions(
        fused_activation_function=activation, keep_num_dims=keep, asymmetric_quantize_inputs=asymmetric
    )
    check("FULLY_CONNECTED", options, inputs, [("float32", (1, units))], version=12)


@pytest.mark.parametrize("batch", [1, 4])
@cases
@drawn(rngs, ACTIVATIONS, st.sampled_from([(4, 16), (8, 48)]))
def test_shuffled_weights(batch, rng, activation, shape):
    units, depth = shape
    inputs = [
        Value(random_array(rng, (batch, depth), "uint8"), quantization={"scale": 0.05, "zero_point": 128}),
        Value(random_array(rng, shape, "uint8"), constant=True, quantization={"scale": 0.02, "zero_point": 128}),
        Value(rng.integers(-9000, 9000, units).astype(np.int32), constant=True, quantization={"scale": 0.001}),
    ]
    options = FullyConnectedOptions(
        fused_activation_function=activation, weights_format=FullyConnectedOptionsWeightsFormat.SHUFFLED4x16INT8
    )
    outputs = [("int16", (batch, units), {"scale": 0.005}), ("uint8", (batch, depth))]
    check("FULLY_CONNECTED", options, inputs, outputs, version=2)


def blockwise_model(rng, units, depth, block, activation=0, with_bias=True):
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (3, depth), "float32")
    weights = rng.integers(-8, 8, (units, depth)).astype(np.int8)
    w = graph.add_constant("w", weights, dtype="int4")
    factors = rng.uniform(0.01, 0.1, (units, depth // block)).astype(np.float16)
    s = graph.add_constant("scales", factors)
    w.quantization = Quantization(details=BlockQuantization(scales=s, zero_points=-1, block_size=block))
    bias = rng.standard_normal(units).astype(np.float32)
    b = graph.add_constant("b", bias) if with_bias else None
    y = graph.add_tensor("y", (3, units), "float32")
    options = FullyConnectedOptions(fused_activation_function=activation, asymmetric_quantize_inputs=True)
    graph.add_operator("FULLY_CONNECTED", [x, w, b], [y], options, version=14)
    graph.set_outputs([y])
    return model, weights, factors, bias if with_bias else np.zeros(units, np.float32)


@pytest.mark.parametrize("block", [32, 64])
@pytest.mark.parametrize("with_bias", [True, False])
def test_blockwise_int4_agrees_with_the_optimized_kernel(block, with_bias) -> None:
    rng = np.random.default_rng(block)
    model, _, _, _ = blockwise_model(rng, 8, 128, block, with_bias=with_bias)
    x = rng.standard_normal((3, 128)).astype(np.float32)
    data = tflite2x.dumps(model)
    expected = litert_run(data, [x], resolver="BUILTIN_WITHOUT_DEFAULT_DELEGATES")[0]
    assert_same(tflite2x.Interpreter(model).run([x])[0], expected, 1e-6)


def test_blockwise_int4_is_close_to_real_numbers() -> None:
    rng = np.random.default_rng(7)
    model, weights, factors, bias = blockwise_model(rng, 8, 128, 32, activation=ActivationFunctionType.RELU)
    x = rng.standard_normal((3, 128)).astype(np.float32)
    real = weights * np.repeat(factors.astype(np.float64), 32, axis=1)
    exact = np.maximum(x @ real.T + bias, 0)
    got = tflite2x.Interpreter(model).run([x])[0]
    assert np.abs(got - exact).max() < 0.02 * np.abs(exact).max()


def test_tflite_micro_rounds_with_a_quantized_multiplier() -> None:
    rng = np.random.default_rng(5)
    types = ("int8", "int8", "int32", "int8")
    inputs, yq = integer_inputs(rng, types, (400, 30), 30, 40, False, False)
    model = one_operator("FULLY_CONNECTED", FullyConnectedOptions(), inputs, [("int8", (400, 40), yq)])
    got = tflite2x.Interpreter(model, rounding="double").run(given(inputs))[0]
    x, w, bias = (v.array.astype(np.int64) for v in inputs)
    xq, wq = inputs[0].quantization, inputs[1].quantization
    acc = (x - xq["zero_point"]) @ (w - wq.get("zero_point", 0)).T + bias
    real = float(np.float32(xq["scale"]) * np.float32(wq["scale"])) / float(np.float32(yq["scale"]))
    mantissa, shift = quantize_multiplier(real, "double")
    expected = np.clip(requantize(acc, mantissa, shift, "double") + yq["zero_point"], -128, 127)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("x", "w", "message"),
    [
        (("int8", (1, 4)), ("float32", (2, 4)), "has type FLOAT32, not INT8"),
        (("float32", (1, 4)), ("float32", (2, 2, 2)), "must have 2 dimensions"),
        (("int8", (1, 4)), ("int8", (2, 4)), "has type INT8 but no scale"),
    ],
)
def test_refuses_what_litert_refuses(x, w, message) -> None:
    inputs = [Value(np.zeros(x[1], x[0])), Value(np.zeros(w[1], w[0]), constant=True)]
    model = one_operator("FULLY_CONNECTED", FullyConnectedOptions(), inputs, [(x[0], (1, 2))])
    with pytest.raises(UnsupportedError, match=message):
        tflite2x.Interpreter(model).run(given(inputs))


def test_names_shapes_that_do_not_fit() -> None:
    inputs = [Value(np.zeros((1, 5), np.float32)), Value(np.zeros((2, 4), np.float32), constant=True)]
    model = one_operator("FULLY_CONNECTED", FullyConnectedOptions(), inputs, [("float32", (1, 2))])
    with pytest.raises(ExecutionError, match=r"activations of shape \(1, 5\) do not fit weights of shape \(2, 4\)"):
        tflite2x.Interpreter(model).run(given(inputs))

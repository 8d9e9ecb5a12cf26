# SPDX-License-Identifier: Apache-2.0
"""RNN, UNIDIRECTIONAL_SEQUENCE_RNN, BIDIRECTIONAL_SEQUENCE_RNN and SVDF against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import cases, rngs
from tests.interpreter.stateful import compare, quantized, state
from tflite2x.errors import UnsupportedError
from tflite2x.schema.enums import ActivationFunctionType
from tflite2x.schema.tables import BidirectionalSequenceRNNOptions, RNNOptions, SequenceRNNOptions, SVDFOptions

f32 = np.float32
ACTIVATIONS = st.sampled_from(
    [
        ActivationFunctionType.TANH,
        ActivationFunctionType.RELU,
        ActivationFunctionType.RELU6,
        ActivationFunctionType.NONE,
        ActivationFunctionType.SIGN_BIT,
    ]
)
AUX = st.sampled_from(["", "linked", "stacked"])
SIZES = st.tuples(st.integers(1, 20), st.integers(1, 18), st.integers(1, 3), st.integers(1, 9))


def matrix(graph, rng, name, shape, hybrid):
    if hybrid:
        return graph.add_constant(name, quantized(rng, shape), scale=float(rng.uniform(0.001, 0.01)))
    return graph.add_constant(name, rng.uniform(-0.5, 0.5, shape).astype(f32))


def cell(graph, rng, prefix, n_input, units, hybrid):
    return [
        matrix(graph, rng, prefix + "w", (units, n_input), hybrid),
        matrix(graph, rng, prefix + "r", (units, units), hybrid),
        graph.add_constant(prefix + "b", rng.uniform(-1, 1, units).astype(f32)),
    ]


def values(rng, shape):
    """Return floats, sometimes with a row of zeros, which LiteRT treats on its own."""
    array = rng.standard_normal(shape).astype(f32)
    if rng.integers(4) == 0:
        array[..., 0, :] = 0
    return array


@cases
@given(rngs, SIZES, ACTIVATIONS, st.booleans(), st.booleans(), st.sampled_from(["step", "time_major", "batch_major"]))
def test_rnn(rng, sizes, activation, hybrid, asymmetric, kind):
    n_input, units, batch, steps = sizes
    model = tflite2x.Model.new()
    graph = model.main
    shape = {"step": (batch,), "time_major": (steps, batch), "batch_major": (batch, steps)}[kind]
    x = graph.add_input("x", (*shape, n_input), "float32")
    y = graph.add_tensor("y", (*shape, units), "float32")
    inputs = [x, *cell(graph, rng, "", n_input, units, hybrid), state(graph, "h", (batch, units))]
    common = {"fused_activation_function": activation, "asymmetric_quantize_inputs": asymmetric}
    if kind == "step":
        graph.add_operator("RNN", inputs, [y], RNNOptions(**common))
    else:
        options = SequenceRNNOptions(**common, time_major=kind == "time_major")
        graph.add_operator("UNIDIRECTIONAL_SEQUENCE_RNN", inputs, [y], options)
    graph.set_outputs([y])
    compare(model, [[values(rng, x.shape)] for _ in range(3)])


@cases
@given(
    rngs,
    SIZES,
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "linked", "stacked"]),
)
def test_bidirectional(rng, sizes, other, hybrid, time_major, merge, aux):
    n_input, units, batch, steps = sizes
    if hybrid and merge:
        batch = 1  # LiteRT crashes on more
    model = tflite2x.Model.new()
    graph = model.main
    shape = (steps, batch) if time_major else (batch, steps)
    x = graph.add_input("x", (*shape, n_input), "float32")
    second = graph.add_input("aux", (*shape, n_input), "float32") if aux else None
    inputs = [x, *cell(graph, rng, "f", n_input, units, hybrid), state(graph, "fh", (batch, units))]
    inputs += [*cell(graph, rng, "b", n_input, other, hybrid), state(graph, "bh", (batch, other)), second]
    if aux == "linked":
        inputs += [matrix(graph, rng, n, (u, n_input), hybrid) for n, u in (("fa", units), ("ba", other))]
    else:
        inputs += [None, None]
    outputs = [graph.add_tensor("y", (*shape, units + other if merge else units), "float32")]
    if not merge:
        outputs.append(graph.add_tensor("z", (*shape, other), "float32"))
    options = BidirectionalSequenceRNNOptions(
        time_major=time_major, merge_outputs=merge, fused_activation_function=ActivationFunctionType.TANH
    )
    graph.add_operator("BIDIRECTIONAL_SEQUENCE_RNN", inputs, outputs, options)
    graph.set_outputs(outputs)
    runs = [[rng.standard_normal(x.shape).astype(f32) for _ in range(1 + bool(aux))] for _ in range(2)]
    compare(model, runs)


@cases
@given(rngs, SIZES, st.integers(1, 3), ACTIVATIONS, st.booleans(), st.booleans(), st.booleans())
def test_float_svdf(rng, sizes, rank, activation, hybrid, asymmetric, bias):
    n_input, units, batch, memory = sizes
    filters = units * rank
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (batch, n_input), "float32")
    inputs = [
        x,
        matrix(graph, rng, "feature", (filters, n_input), hybrid),
        matrix(graph, rng, "time", (filters, memory), hybrid),
        graph.add_constant("bias", rng.uniform(-1, 1, units).astype(f32)) if bias else None,
        state(graph, "state", (batch, memory * filters)),
    ]
    y = graph.add_tensor("y", (batch, units), "float32")
    options = SVDFOptions(rank=rank, fused_activation_function=activation, asymmetric_quantize_inputs=asymmetric)
    graph.add_operator("SVDF", inputs, [y], options)
    graph.set_outputs([y])
    compare(model, [[values(rng, x.shape)] for _ in range(4)])


def integer_svdf(rng, sizes, rank, bias, state_type) -> tflite2x.Model:
    n_input, units, batch, memory = sizes
    filters = units * rank
    model = tflite2x.Model.new()
    graph = model.main

    def scale(low, high):
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    x = graph.add_input("x", (batch, n_input), "int8", scale=scale(0.01, 0.1), zero_point=int(rng.integers(-128, 128)))
    small = state_type == "int8"
    time_scale, state_scale = (scale(1e-2, 1e-1), scale(0.1, 1)) if small else (scale(1e-5, 1e-4), scale(1e-4, 1e-2))
    inputs = [
        x,
        graph.add_constant("feature", quantized(rng, (filters, n_input)), scale=scale(0.001, 0.1)),
        graph.add_constant(
            "time",
            quantized(rng, (filters, memory), state_type),
            scale=time_scale,
        ),
        graph.add_constant("bias", rng.integers(-1000, 1000, units).astype(np.int32), scale=1e-6) if bias else None,
        state(graph, "state", (batch, memory * filters), state_type, scale=state_scale),
    ]
    y = graph.add_tensor("y", (batch, units), "int8", scale=scale(0.01, 1), zero_point=int(rng.integers(-128, 128)))
    options = SVDFOptions(rank=rank, fused_activation_function=ActivationFunctionType.RELU)
    graph.add_operator("SVDF", inputs, [y], options)
    graph.set_outputs([y])
    return model


@cases
@given(rngs, SIZES, st.integers(1, 3), st.booleans())
def test_integer_svdf(rng, sizes, rank, bias):
    model = integer_svdf(rng, sizes, rank, bias, "int16")
    compare(model, [[quantized(rng, model.main.inputs[0].shape)] for _ in range(4)])


def test_int8_state_follows_the_definition():
    """TFLite Micro's int8 state, which LiteRT does not have, against a straightforward loop in exact arithmetic."""
    rng = np.random.default_rng(2)
    model = integer_svdf(rng, (3, 2, 1, 4), 2, True, "int8")
    x, feature, time, bias, memory = model.main.operators[0].inputs
    y = model.main.outputs[0]
    first = x.quantization.scale[0] * feature.quantization.scale[0] / memory.quantization.scale[0]
    second = memory.quantization.scale[0] * time.quantization.scale[0] / y.quantization.scale[0]
    window = np.zeros((4, 4), np.int64)
    engine = tflite2x.Interpreter(model)
    for _ in range(6):
        value = quantized(rng, (1, 3))
        newest = feature.data.astype(np.int64) @ (value[0].astype(np.int64) - x.quantization.zero_point[0])
        window = np.concatenate([window[:, 1:], np.clip(np.round(newest * first), -128, 127)[:, None]], axis=1)
        total = (window * time.data).sum(axis=1).reshape(2, 2).sum(axis=1) + bias.data
        expected = np.clip(np.round(total * second) + y.quantization.zero_point[0], -128, 127)
        # Fixed point may round single values the other way.
        assert np.abs(engine.run([value])[0][0] - expected).max() <= 1


def test_unsuitable_ranks_are_refused():
    rng = np.random.default_rng(0)
    model = integer_svdf(rng, (3, 2, 1, 4), 1, False, "int16")
    model.main.operators[0].options.rank = 3
    with pytest.raises(UnsupportedError, match="rank 3 does not divide 2 filters"):
        tflite2x.Interpreter(model).run([np.zeros((1, 3), np.int8)])


@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("op", ["RNN", "UNIDIRECTIONAL_SEQUENCE_RNN"])
def test_empty_sequences_and_no_options(op, batch, steps):
    rng = np.random.default_rng(0)
    model = tflite2x.Model.new()
    graph = model.main
    shape = (batch,) if op == "RNN" else (batch, steps)
    x = graph.add_input("x", (*shape, 3), "float32")
    y = graph.add_tensor("y", (*shape, 2), "float32")
    graph.add_operator(op, [x, *cell(graph, rng, "", 3, 2, False), state(graph, "h", (batch, 2))], [y])
    graph.set_outputs([y])
    compare(model, [[values(rng, x.shape)]] if batch else [[np.zeros(x.shape, f32)]])


def test_svdf_without_options_has_no_rank():
    model = tflite2x.Model.build(
        "SVDF",
        [np.ones((1, 3), f32), np.ones((4, 3), f32), np.ones((4, 5), f32), None, np.zeros((1, 20), f32)],
        [{"shape": (1, 4), "dtype": "float32"}],
    )
    with pytest.raises(UnsupportedError, match="rank 0"):
        tflite2x.Interpreter(model).run([])

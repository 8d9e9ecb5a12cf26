# SPDX-License-Identifier: Apache-2.0
"""LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM against LiteRT."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import cases, rngs
from tests.interpreter.stateful import compare, quantized, state
from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.recurrent.gemmlowp16 import logistic_table, tanh_table
from tflite2x.schema.enums import ActivationFunctionType, LSTMKernelType
from tflite2x.schema.tables import (
    BidirectionalSequenceLSTMOptions,
    LSTMOptions,
    UnidirectionalSequenceLSTMOptions,
)

f32 = np.float32


@dataclasses.dataclass
class Cell:
    """Sizes and parts of a cell."""

    n_input: int
    n_cell: int
    n_output: int
    batch: int
    steps: int
    cifg: bool
    peephole: bool
    norm: bool
    projection: bool
    projection_bias: bool


@st.composite
def cells(draw, norm=True):
    n_cell = draw(st.integers(1, 7))
    projection = draw(st.booleans())
    return Cell(
        n_input=draw(st.integers(1, 6)),
        n_cell=n_cell,
        n_output=draw(st.integers(1, n_cell)) if projection else n_cell,
        batch=draw(st.integers(1, 3)),
        steps=draw(st.integers(1, 4)),
        cifg=draw(st.booleans()),
        peephole=draw(st.booleans()),
        norm=norm and draw(st.booleans()),
        projection=projection,
        projection_bias=draw(st.booleans()),
    )


def float_parameters(graph, rng, c: Cell, prefix="", hybrid=False, diagonal=False, norm_inputs=True):
    """Add constants: weights to projection bias, and layer norm coefficients."""
    hybrid_type = {"dtype": "int8"} if hybrid else {}

    def matrix(name, shape, number=True):
        if hybrid:
            return graph.add_constant(
                prefix + name, quantized(rng, shape), scale=float(rng.uniform(0.002, 0.02)), **hybrid_type
            )
        return graph.add_constant(prefix + name, rng.uniform(-1, 1, shape).astype(f32))

    def vector(name, shape):
        return graph.add_constant(prefix + name, rng.uniform(-1, 1, shape).astype(f32))

    gates = "ifco"
    absent = lambda g: g == "i" and c.cifg  # noqa: E731
    tensors = [None if absent(g) else matrix(f"w{g}", (c.n_cell, c.n_input)) for g in gates]
    if diagonal:
        tensors += [None if absent(g) else vector(f"r{g}", (c.n_cell,)) for g in gates]
    else:
        tensors += [None if absent(g) else matrix(f"r{g}", (c.n_cell, c.n_output)) for g in gates]
    tensors += [matrix(f"p{g}", (c.n_cell,)) if c.peephole and not absent(g) else None for g in "ifo"]
    tensors += [None if absent(g) else vector(f"b{g}", (c.n_cell,)) for g in gates]
    tensors.append(matrix("proj", (c.n_output, c.n_cell)) if c.projection else None)
    tensors.append(vector("projb", (c.n_output,)) if c.projection and c.projection_bias else None)
    norms = [vector(f"n{g}", (c.n_cell,)) if c.norm and not absent(g) else None for g in gates]
    return tensors, norms


ACTIVATIONS = st.sampled_from(
    [ActivationFunctionType.TANH, ActivationFunctionType.RELU, ActivationFunctionType.RELU6,
     ActivationFunctionType.RELU_N1_TO_1]
)  # fmt: skip
CLIPS = st.sampled_from([0.0, 0.3, 1.5])


@cases
@given(rngs, cells(), st.booleans(), st.booleans(), ACTIVATIONS, CLIPS, CLIPS, st.booleans())
def test_float_sequences(rng, c, sequence, time_major, activation, cell_clip, proj_clip, diagonal):
    diagonal = diagonal and sequence and not c.projection
    model = tflite2x.Model.new()
    graph = model.main
    shape = ((c.steps, c.batch) if time_major else (c.batch, c.steps)) if sequence else (c.batch,)
    x = graph.add_input("x", (*shape, c.n_input), "float32")
    weights, norms = float_parameters(graph, rng, c, diagonal=diagonal)
    states = [state(graph, "h", (c.batch, c.n_output)), state(graph, "c", (c.batch, c.n_cell))]
    y = graph.add_tensor("y", (*shape, c.n_output), "float32")
    common = {"fused_activation_function": activation, "cell_clip": cell_clip, "proj_clip": proj_clip}
    if sequence:
        options = UnidirectionalSequenceLSTMOptions(**common, time_major=time_major)
        op = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    else:
        options, op = LSTMOptions(**common), "LSTM"
    inputs = [x, *weights, *states, *norms]
    if not c.norm and rng.integers(2):
        inputs = inputs[:20]
    graph.add_operator(op, inputs, [y], options)
    graph.set_outputs([y])
    runs = [[rng.standard_normal((*shape, c.n_input)).astype(f32)] for _ in range(3)]
    # Normalizing a vector whose elements are nearly equal magnifies the last bit.
    tolerance = 1e-3 if c.norm else 2e-6
    compare(model, runs, tolerance=tolerance, batch_tolerance=tolerance, magnitude=1.0)


@cases
@given(rngs, cells(), st.booleans(), st.booleans(), st.booleans())
def test_hybrid_sequences(rng, c, sequence, time_major, asymmetric):
    model = tflite2x.Model.new()
    graph = model.main
    shape = ((c.steps, c.batch) if time_major else (c.batch, c.steps)) if sequence else (c.batch,)
    x = graph.add_input("x", (*shape, c.n_input), "float32")
    weights, norms = float_parameters(graph, rng, c, hybrid=True)
    states = [state(graph, "h", (c.batch, c.n_output)), state(graph, "c", (c.batch, c.n_cell))]
    y = graph.add_tensor("y", (*shape, c.n_output), "float32")
    common = {"fused_activation_function": ActivationFunctionType.TANH, "asymmetric_quantize_inputs": asymmetric}
    if sequence:
        options = UnidirectionalSequenceLSTMOptions(**common, time_major=time_major)
        op = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    else:
        options, op = LSTMOptions(**common), "LSTM"
    graph.add_operator(op, [x, *weights, *states, *norms], [y], options)
    graph.set_outputs([y])
    runs = [[rng.standard_normal((*shape, c.n_input)).astype(f32)] for _ in range(2)]
    compare(model, runs)


@cases
@given(
    rngs, cells(norm=False), st.booleans(), st.booleans(), st.sampled_from(["none", "linked", "stacked"]), st.booleans()
)
def test_bidirectional(rng, c, time_major, merge, aux, hybrid):
    if not time_major and merge:
        c.batch = 1  # LiteRT steps through the states with the wrong length
    model = tflite2x.Model.new()
    graph = model.main
    shape = (c.steps, c.batch) if time_major else (c.batch, c.steps)
    x = graph.add_input("x", (*shape, c.n_input), "float32")
    forward, _ = float_parameters(graph, rng, c, "fw", hybrid=hybrid)
    backward, _ = float_parameters(graph, rng, c, "bw", hybrid=hybrid)
    states = [
        state(graph, f"{d}{s}", (c.batch, n)) for d in ("f", "b") for s, n in (("h", c.n_output), ("c", c.n_cell))
    ]
    inputs = [x, *forward, *backward, *states]
    linked: list = [None] * 8
    second = None
    if aux != "none":
        second = graph.add_input("aux", (*shape, c.n_input), "float32")
    if aux == "linked":
        sub = dataclasses.replace(c, peephole=False, projection=False)
        linked = float_parameters(graph, rng, sub, "fa", hybrid=hybrid)[0][:4]
        linked += float_parameters(graph, rng, sub, "ba", hybrid=hybrid)[0][:4]
    outputs = [graph.add_tensor("y", (*shape, c.n_output * (1 + merge)), "float32")]
    if not merge:
        outputs.append(graph.add_tensor("z", (*shape, c.n_output), "float32"))
    options = BidirectionalSequenceLSTMOptions(
        fused_activation_function=ActivationFunctionType.TANH, merge_outputs=merge, time_major=time_major
    )
    graph.add_operator("BIDIRECTIONAL_SEQUENCE_LSTM", [*inputs, second, *linked], outputs, options)
    graph.set_outputs(outputs)
    runs = [
        [rng.standard_normal((*shape, c.n_input)).astype(f32) for _ in range(1 + (aux != "none"))] for _ in range(2)
    ]
    tolerance = 0.0 if hybrid else 2e-6
    compare(model, runs, tolerance=tolerance, batch_tolerance=tolerance, magnitude=1.0)


def integer_model(rng, c: Cell, sequence: bool, time_major: bool, cell_exponent: int, clips) -> tflite2x.Model:
    model = tflite2x.Model.new()
    graph = model.main
    shape = ((c.steps, c.batch) if time_major else (c.batch, c.steps)) if sequence else (c.batch,)

    def scale(low, high):
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    def zero():
        return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))

    def matrix(name, size):
        return graph.add_constant(name, quantized(rng, size), scale=scale(1e-3, 3e-2))

    def vector(name, size, dtype, low):
        return graph.add_constant(name, rng.integers(-low, low, size).astype(dtype), scale=scale(1e-5, 1e-3))

    x = graph.add_input("x", (*shape, c.n_input), "int8", scale=scale(1e-3, 1e-1), zero_point=zero())
    absent = lambda g: g == "i" and c.cifg  # noqa: E731
    inputs = [x]
    inputs += [None if absent(g) else matrix(f"w{g}", (c.n_cell, c.n_input)) for g in "ifco"]
    inputs += [None if absent(g) else matrix(f"r{g}", (c.n_cell, c.n_output)) for g in "ifco"]
    inputs += [vector(f"p{g}", (c.n_cell,), "int16", 32767) if c.peephole and not absent(g) else None for g in "ifo"]
    inputs += [None if absent(g) else vector(f"b{g}", (c.n_cell,), "int32", 10000) for g in "ifco"]
    inputs.append(matrix("proj", (c.n_output, c.n_cell)) if c.projection else None)
    inputs.append(vector("projb", (c.n_output,), "int32", 10000) if c.projection and c.projection_bias else None)
    out = {"scale": scale(1e-3, 2e-2), "zero_point": zero()}
    inputs.append(state(graph, "h", (c.batch, c.n_output), "int8", **out))
    inputs.append(state(graph, "c", (c.batch, c.n_cell), "int16", scale=2.0**cell_exponent))
    inputs += [vector(f"n{g}", (c.n_cell,), "int16", 32767) if c.norm and not absent(g) else None for g in "ifco"]
    y = graph.add_tensor("y", (*shape, c.n_output), "int8", **out)
    common = {"fused_activation_function": ActivationFunctionType.TANH, "cell_clip": clips[0], "proj_clip": clips[1]}
    if sequence:
        op, options = "UNIDIRECTIONAL_SEQUENCE_LSTM", UnidirectionalSequenceLSTMOptions(**common, time_major=time_major)
    else:
        op, options = "LSTM", LSTMOptions(**common)
    operator = graph.add_operator(op, inputs, [y], options)
    gates = [graph.add_tensor(f"i{i}", (), "int16", scale=scale(1e-4, 1e-2), zero_point=0) for i in range(4)]
    hidden = graph.add_tensor("hidden", (), "int8", scale=scale(1e-3, 2e-2), zero_point=zero())
    operator.intermediates = (*gates, hidden)
    graph.set_outputs([y])
    return model


@cases
@given(rngs, cells(), st.booleans(), st.booleans(), st.integers(-15, -9), st.tuples(CLIPS, CLIPS))
def test_integer_sequences(rng, c, sequence, time_major, cell_exponent, clips):
    model = integer_model(rng, c, sequence, time_major, cell_exponent, clips)
    shape = model.main.inputs[0].shape
    compare(model, [[quantized(rng, shape)] for _ in range(3)])


def test_integer_long_run():
    """State that wanders for long meets more of the fixed-point range."""
    rng = np.random.default_rng(5)
    c = Cell(5, 16, 16, 2, 60, False, True, True, False, False)
    model = integer_model(rng, c, True, True, -11, (0.0, 0.0))
    compare(model, [[quantized(rng, (60, 2, 5))]])


@cases
@given(rngs, st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_basic_kernel(rng, n_input, n_cell, batch, floating):
    model = tflite2x.Model.new()
    graph = model.main
    total = n_input + n_cell
    if floating:
        x = graph.add_input("x", (batch, n_input), "float32")
        weights = graph.add_constant("w", rng.uniform(-1, 1, (4 * n_cell, total)).astype(f32))
        bias = graph.add_constant("b", rng.uniform(-1, 1, 4 * n_cell).astype(f32))
        h, c = state(graph, "h", (batch, n_cell)), state(graph, "c", (batch, n_cell))
        types: list = [("float32", {})] * 4
        value = lambda: rng.standard_normal((batch, n_input)).astype(f32)  # noqa: E731
    else:
        act = {"scale": 1 / 128, "zero_point": 128}
        x = graph.add_input("x", (batch, n_input), "uint8", **act)
        weights_scale = float(rng.uniform(0.002, 0.05))
        zero = int(rng.integers(1, 256))
        weights = graph.add_constant(
            "w", rng.integers(0, 256, (4 * n_cell, total)).astype(np.uint8), scale=weights_scale, zero_point=zero
        )
        bias = graph.add_constant(
            "b", rng.integers(-2000, 2000, 4 * n_cell).astype(np.int32), scale=weights_scale / 128
        )
        h = state(graph, "h", (batch, n_cell), "uint8", **act)
        c = state(graph, "c", (batch, n_cell), "int16", scale=2.0**-11)
        types = [("uint8", act), ("int16", {"scale": 2.0**-11}), ("uint8", act), ("int16", {"scale": 2.0**-12})]
        value = lambda: rng.integers(0, 256, (batch, n_input)).astype(np.uint8)  # noqa: E731
    sizes = (n_cell, n_cell, total, 4 * n_cell)
    outputs = [
        graph.add_tensor(f"y{i}", (batch, n), t, **q) for i, (n, (t, q)) in enumerate(zip(sizes, types, strict=True))
    ]
    options = LSTMOptions(fused_activation_function=ActivationFunctionType.TANH, kernel_type=LSTMKernelType.BASIC)
    graph.add_operator("LSTM", [x, h, weights, bias, c], outputs, options, version=2)
    graph.set_outputs(outputs)
    compare(model, [[value()] for _ in range(3)], tolerance=2e-6, batch_tolerance=2e-6, magnitude=1.0)


def test_weights_as_inputs():
    """Weights that are computed at run time give the same as constant ones."""
    rng = np.random.default_rng(3)
    c = Cell(3, 4, 2, 2, 3, False, True, True, True, True)
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (c.steps, c.batch, c.n_input), "float32")
    weights, norms = float_parameters(graph, rng, c)
    states = [state(graph, "h", (c.batch, c.n_output)), state(graph, "c", (c.batch, c.n_cell))]
    y = graph.add_tensor("y", (c.steps, c.batch, c.n_output), "float32")
    options = UnidirectionalSequenceLSTMOptions(fused_activation_function=ActivationFunctionType.TANH, time_major=True)
    graph.add_operator("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *weights, *states, *norms], [y], options)
    graph.set_outputs([y])
    value = rng.standard_normal(x.shape).astype(f32)
    (expected,) = tflite2x.Interpreter(model).run([value])
    constants = [t for t in (*weights, *norms) if t is not None]
    arrays = [t.data.copy() for t in constants]
    live = []
    for i, tensor in enumerate(constants):
        new = graph.add_input(f"live{i}", tensor.shape, "float32")
        graph.replace_all_uses(tensor, new)
        live.append(new)
    engine = tflite2x.Interpreter(model)
    np.testing.assert_array_equal(engine.run([value, *arrays])[0], expected)
    engine.reset()
    other = [a * f32(0.5) for a in arrays]
    batch = [np.stack([value, value]), *(np.stack(pair) for pair in zip(arrays, other, strict=True))]
    together = engine.run_batch(batch)[0]
    np.testing.assert_allclose(together[0], expected, rtol=0, atol=1e-6)
    assert not np.allclose(together[0], together[1])


def test_state_must_be_variable():
    rng = np.random.default_rng(0)
    c = Cell(2, 3, 3, 1, 1, False, False, False, False, False)
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 2), "float32")
    weights, _ = float_parameters(graph, rng, c)
    states = [graph.add_constant(n, np.zeros((1, 3), f32)) for n in "hc"]
    y = graph.add_tensor("y", (1, 3), "float32")
    graph.add_operator("LSTM", [x, *weights, *states], [y], LSTMOptions())
    graph.set_outputs([y])
    with pytest.raises(UnsupportedError, match="must be a variable tensor"):
        tflite2x.Interpreter(model).run([np.zeros((1, 2), f32)])


def test_fixed_point_tables_approximate_the_functions():
    x = np.arange(-32768, 32768) / 4096
    assert np.abs(logistic_table(3) / 32768 - 1 / (1 + np.exp(-x))).max() < 2e-4
    assert np.abs(tanh_table(3) / 32768 - np.tanh(x)).max() < 4e-4


@cases
@given(rngs, st.integers(1, 5), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.tuples(CLIPS, CLIPS))
def test_eight_bit_gates(rng, n_input, n_cell, n_output, batch, clips):
    model = tflite2x.Model.new()
    graph = model.main

    def scale(low, high):
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    def matrix(name, size):
        return graph.add_constant(name, quantized(rng, size), scale=scale(1e-3, 3e-2))

    def vector(name, size, dtype, low):
        return graph.add_constant(name, rng.integers(-low, low, size).astype(dtype), scale=scale(1e-5, 1e-3))

    x = graph.add_input("x", (batch, n_input), "int8", scale=scale(1e-3, 1e-1), zero_point=int(rng.integers(-128, 128)))
    out = {"scale": scale(1e-3, 2e-2), "zero_point": int(rng.integers(-128, 128))}
    inputs = [
        x,
        None, *(matrix(f"w{g}", (n_cell, n_input)) for g in "fco"),
        None, *(matrix(f"r{g}", (n_cell, n_output)) for g in "fco"),
        None, None, None,
        None, *(vector(f"b{g}", (n_cell,), "int32", 10000) for g in "fco"),
        matrix("proj", (n_output, n_cell)),
        vector("projb", (n_output,), "int32", 10000),
        state(graph, "h", (batch, n_output), "int8", **out),
        state(graph, "c", (batch, n_cell), "int16", scale=2.0**-15),
        None, *(vector(f"n{g}", (n_cell,), "int16", 32767) for g in "fco"),
    ]  # fmt: skip
    y = graph.add_tensor("y", (batch, n_output), "int8", **out)
    options = LSTMOptions(fused_activation_function=ActivationFunctionType.TANH, cell_clip=clips[0], proj_clip=clips[1])
    operator = graph.add_operator("LSTM", inputs, [y], options)
    operator.intermediates = tuple(
        graph.add_tensor(f"i{i}", (), "int8", scale=scale(1e-3, 1e-1), zero_point=int(rng.integers(-20, 20)))
        for i in range(12)
    )
    graph.set_outputs([y])
    compare(model, [[quantized(rng, (batch, n_input))] for _ in range(3)])


def _small(op, options, batch=2):
    rng = np.random.default_rng(0)
    model = tflite2x.Model.new()
    graph = model.main
    shape = (batch,) if op == "LSTM" else (3, batch) if getattr(options, "time_major", False) else (batch, 3)
    x = graph.add_input("x", (*shape, 2), "float32")
    weights, _ = float_parameters(graph, rng, Cell(2, 4, 4, batch, 3, False, False, False, False, False))
    states = [state(graph, name, (batch, 4)) for name in "hc"]
    y = graph.add_tensor("y", (*shape, 4), "float32")
    graph.add_operator(op, [x, *weights, *states], [y], options)
    graph.set_outputs([y])
    return model


@pytest.mark.parametrize("op", ["LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"])
def test_empty_batch(op):
    tanh = {"fused_activation_function": ActivationFunctionType.TANH}
    options = LSTMOptions(**tanh) if op == "LSTM" else UnidirectionalSequenceLSTMOptions(**tanh, time_major=True)
    model = _small(op, options, batch=0)
    compare(model, [[np.zeros(model.main.inputs[0].shape, f32)]])


def test_no_options():
    """LiteRT refuses an LSTM without options; sequences get those of the schema."""
    with pytest.raises(UnsupportedError, match="no options"):
        tflite2x.Interpreter(_small("LSTM", None)).run([np.ones((2, 2), f32)])
    sequences = [_small("UNIDIRECTIONAL_SEQUENCE_LSTM", o) for o in (None, UnidirectionalSequenceLSTMOptions())]
    one, two = (tflite2x.Interpreter(model).run([np.ones((2, 3, 2), f32)])[0] for model in sequences)
    np.testing.assert_array_equal(one, two)

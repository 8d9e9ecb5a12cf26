# SPDX-License-Identifier: Apache-2.0
"""Random number operators: with a seed they agree with LiteRT, number by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import CASES, Value, assert_same, cases, check, rngs
from tests.interpreter.stateful import run_litert
from tflite2x.errors import ExecutionError
from tflite2x.schema.enums import RngAlgorithm
from tflite2x.schema.tables import RandomOptions, StablehloRngBitGeneratorOptions

SEEDS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 5))


def model_of(op, shape, options, dtype="float32") -> tflite2x.Model:
    model = tflite2x.Model.new()
    graph = model.main
    size = graph.add_constant("shape", np.array(shape, np.int32))
    y = graph.add_tensor("y", shape, dtype)
    graph.add_operator(op, [size], [y], options)
    graph.set_outputs([y])
    return model


@cases
@given(
    st.sampled_from(["RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"]),
    st.lists(st.integers(1, 7), min_size=1, max_size=3),
    SEEDS,
    SEEDS,
)
def test_seeded_floats(op, shape, seed, seed2):
    if seed % 2**32 == 0 and seed2 % 2**32 == 0:
        seed = 1  # no seed at all
    model = model_of(op, shape, RandomOptions(seed=seed, seed2=seed2))
    engine = tflite2x.Interpreter(model)
    for (expected,) in run_litert(tflite2x.dumps(model), [[]] * 3):
        assert_same(engine.run([])[0], expected, 0 if op == "RANDOM_UNIFORM" else 1e-6)
    CASES[op] += 1


def test_streams_go_on_until_reset():
    engine = tflite2x.Interpreter(model_of("RANDOM_UNIFORM", (5,), RandomOptions(seed=3, seed2=4)))
    first, second = engine.run([])[0], engine.run([])[0]
    assert not np.array_equal(first, second)
    engine.reset()
    np.testing.assert_array_equal(engine.run([])[0], first)


def test_without_seed_every_interpreter_differs():
    model = model_of("RANDOM_UNIFORM", (8,), RandomOptions())
    assert not np.array_equal(tflite2x.Interpreter(model).run([])[0], tflite2x.Interpreter(model).run([])[0])


def test_samples_of_a_batch_get_the_numbers_of_runs_in_a_row():
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (3,), "float32")
    size = graph.add_constant("shape", np.array([3], np.int32))
    noise, y = graph.add_tensor("noise", (3,), "float32"), graph.add_tensor("y", (3,), "float32")
    graph.add_operator("RANDOM_UNIFORM", [size], [noise], RandomOptions(seed=3, seed2=4))
    graph.add_operator("ADD", [x, noise], [y])
    graph.set_outputs([y])
    engine = tflite2x.Interpreter(model)
    singles = [engine.run([np.zeros(3, np.float32)])[0] for _ in range(4)]
    engine.reset()
    np.testing.assert_array_equal(engine.run_batch([np.zeros((4, 3), np.float32)])[0], np.stack(singles))


def test_negative_shapes_are_refused():
    model = tflite2x.Model.new()
    size, y = model.main.add_input("shape", (1,), "int32"), model.main.add_tensor("y", (1,), "float32")
    model.main.add_operator("RANDOM_UNIFORM", [size], [y], RandomOptions(seed=1))
    model.main.set_outputs([y])
    engine = tflite2x.Interpreter(model)
    assert engine.run([np.array([4], np.int32)])[0].shape == (4,)
    with pytest.raises(ExecutionError, match="negative length"):
        engine.run([np.array([-4], np.int32)])


@cases
@given(rngs, st.integers(1, 4), st.integers(1, 8), st.integers(0, 9), SEEDS, st.sampled_from(["int32", "int64"]))
def test_multinomial(rng, batch, classes, draws, seed, dtype):
    model = tflite2x.Model.new()
    graph = model.main
    logits = graph.add_input("logits", (batch, classes), "float32")
    number = graph.add_constant("number", np.int32(draws))
    y = graph.add_tensor("y", (batch, draws), dtype)
    graph.add_operator("MULTINOMIAL", [logits, number], [y], RandomOptions(seed=seed, seed2=7))
    graph.set_outputs([y])
    engine = tflite2x.Interpreter(model)
    runs = []
    for _ in range(2):
        value = (rng.standard_normal((batch, classes)) * 3).astype(np.float32)
        value[rng.random(value.shape) < 0.1] = rng.choice([np.inf, -np.inf, np.nan])
        value[:, 0] = 0
        runs.append([value])
    if draws:
        for inputs, (expected,) in zip(runs, run_litert(tflite2x.dumps(model), runs), strict=True):
            np.testing.assert_array_equal(engine.run(inputs)[0], expected)
    else:
        assert engine.run(runs[0])[0].shape == (batch, 0)
    CASES["MULTINOMIAL"] += 1


@cases
@given(
    rngs,
    st.sampled_from([RngAlgorithm.DEFAULT, RngAlgorithm.PHILOX, RngAlgorithm.THREEFRY]),
    st.sampled_from(["int32", "int64", "uint32", "uint64"]),
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.integers(2, 3),
    st.booleans(),
)
def test_bit_generator(rng, algorithm, dtype, shape, length, full):
    if algorithm == RngAlgorithm.THREEFRY:
        length = 2
    state = rng.integers(0, 2**64, length, dtype=np.uint64)
    if full:
        state[1] = 2**64 - 2  # the counter runs over
    check(
        "STABLEHLO_RNG_BIT_GENERATOR",
        StablehloRngBitGeneratorOptions(algorithm=algorithm),
        [Value(state)],
        [("uint64", (length,)), (dtype, shape)],
    )

# SPDX-License-Identifier: Apache-2.0
"""The execution plan: inputs, batches, state, traces."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import tflite2x
from tests.interpreter.small_models import X, Y, adder, chain
from tests.oracle import litert_interpreter
from tflite2x.errors import ExecutionError, InputError
from tflite2x.schema.tables import (
    AddOptions,
    CastOptions,
    FullyConnectedOptions,
    RangeOptions,
    ReshapeOptions,
)


def test_inputs_in_model_order_by_name_and_by_signature():
    interpreter = tflite2x.Interpreter(adder())
    for inputs in ([X, Y], {"y": Y, "x": X}, {"a": X, "b": Y}):
        double, total = interpreter.run(inputs)
        np.testing.assert_array_equal(total, X + Y)
        np.testing.assert_array_equal(double, 2 * (X + Y))
    assert len(interpreter.run({"a": X, "b": Y}, signature="serve")) == 2


def test_the_caller_owns_outputs_and_keeps_inputs():
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (2, 3), "float32")
    y = graph.add_tensor("y", (6,), "float32")
    shape = graph.add_constant("shape", np.array([6], np.int32))
    graph.add_operator("RESHAPE", [x, shape], [y], ReshapeOptions(new_shape=[6]))
    graph.set_outputs([y, x])
    given = X.copy()
    reshaped, passed = tflite2x.Interpreter(model).run([given])
    reshaped[...] = 7
    passed[...] = 8
    np.testing.assert_array_equal(given, X)


def test_constant_outputs_are_copies():
    model = tflite2x.Model.new()
    constant = model.main.add_constant("c", X.copy())
    model.main.set_outputs([constant])
    interpreter = tflite2x.Interpreter(model)
    interpreter.run([])[0][...] = 5
    np.testing.assert_array_equal(interpreter.run([])[0], X)


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        ([X], "1 inputs given, the model has 2"),
        ([X, Y, Y], "3 inputs given, the model has 2"),
        (X, "a single array"),
        (3, "int"),
        ({"x": X}, "no value for input 'y'"),
        ({"x": X, "z": Y}, "no input 'z'"),
        ({"x": X, "a": X, "b": Y}, "given twice"),
        ([X, Y[0]], "1 dimensions"),
        ([X, Y[:1]], "shape (1, 3) does not fit"),
        ([X, Y.astype(np.float64)], "float64 cannot become float32"),
        ([X, Y.astype(np.int64)], "int64 cannot become float32"),
        ([X, [[1, 2], [3]]], "not a rectangular array"),
        ([X, Y.astype(complex)], "complex128 cannot become float32"),
        ([X, np.array([["a"] * 3] * 2)], "cannot become float32"),
    ],
)
def test_wrong_inputs(inputs, what):
    with pytest.raises(InputError) as error:
        tflite2x.Interpreter(adder()).run(inputs)
    assert what in str(error.value)


def test_safe_conversions():
    double, _ = tflite2x.Interpreter(adder()).run([X.astype(np.uint8), [[1, 2, 3], [4, 5, 6.5]]])
    assert double.dtype == np.float32
    assert double[1, 2] == 2 * (5 + 6.5)


def test_python_numbers_must_fit():
    model = tflite2x.Model.new()
    x = model.main.add_input("x", (2,), "int8")
    model.main.set_outputs([x])
    interpreter = tflite2x.Interpreter(model)
    np.testing.assert_array_equal(interpreter.run([[1, -128]])[0], np.array([1, -128], np.int8))
    for bad in ([1, 128], [1.5, 0]):
        with pytest.raises(InputError):
            interpreter.run([bad])


def test_int4_inputs_are_one_per_element():
    model = tflite2x.Model.new()
    x = model.main.add_input("x", (3,), "int4", scale=1.0)
    model.main.set_outputs([x])
    interpreter = tflite2x.Interpreter(model)
    assert interpreter.run([np.array([-8, 0, 7], np.int8)])[0].tolist() == [-8, 0, 7]
    with pytest.raises(InputError, match=r"\[-8, 7\]"):
        interpreter.run([np.array([0, 0, 8], np.int8)])


def test_strings_as_str_or_bytes():
    model = tflite2x.Model.new()
    x = model.main.add_input("x", (2,), "string")
    model.main.set_outputs([x])
    interpreter = tflite2x.Interpreter(model)
    assert interpreter.run([["ä", b"b"]])[0].tolist() == ["ä".encode(), b"b"]
    assert interpreter.run([np.array(["a", "b"])])[0].tolist() == [b"a", b"b"]
    with pytest.raises(InputError, match="not a string"):
        interpreter.run([[1, 2]])


def test_two_inputs_of_one_name_go_by_position():
    model = adder()
    model.main.inputs[1].name = "x"
    interpreter = tflite2x.Interpreter(model)
    interpreter.run([X, Y])
    with pytest.raises(InputError, match="2 inputs are named 'x'"):
        interpreter.run({"x": X})


def test_open_dimensions_and_resize():
    longer = np.ones((5, 3), np.float32)
    np.testing.assert_array_equal(tflite2x.Interpreter(adder(signature=(-1, 3))).run([longer, longer])[1], longer * 2)
    fixed = tflite2x.Interpreter(adder())
    with pytest.raises(InputError, match="resize=True"):
        fixed.run([longer, longer])
    np.testing.assert_array_equal(fixed.run([longer, longer], resize=True)[1], longer * 2)


def test_batches_equal_single_runs():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((5, 2, 3)).astype(np.float32) for _ in range(2))
    interpreter = tflite2x.Interpreter(adder())
    together = interpreter.run_batch({"x": a, "y": b})
    for i in range(5):
        for output, single in zip(together, interpreter.run([a[i], b[i]]), strict=True):
            np.testing.assert_array_equal(output[i], single)
    trace = interpreter.trace([a, b], batched=True)
    assert {t.name: v.shape for t, v in trace.items()} == dict.fromkeys(("x", "y", "total", "double"), (5, 2, 3))


def test_large_batches_run_in_parts():
    rows = (1 << 21) // 4 // 512
    model = adder(shape=(rows, 512))
    engine = tflite2x.Interpreter(model)
    assert engine._session.plan(model.main).largest == 1 << 21
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((5, rows, 512)).astype(np.float32) for _ in range(2))
    tracemalloc.start()
    double, total = engine.run_batch([a, b])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(total, a + b)
    np.testing.assert_array_equal(double, 2 * (a + b))
    # Both outputs twice (parts and joined), and the parts in flight.
    assert peak < 26 * (1 << 21)


def test_wrong_batches():
    interpreter = tflite2x.Interpreter(adder())
    with pytest.raises(InputError, match="different numbers of samples: 2, 3"):
        interpreter.run_batch([np.zeros((2, 2, 3), np.float32), np.zeros((3, 2, 3), np.float32)])
    with pytest.raises(InputError, match="no samples"):
        interpreter.run_batch([np.zeros((0, 2, 3), np.float32)] * 2)
    with pytest.raises(InputError, match="one more axis in front"):
        interpreter.run_batch([X, Y])
    with pytest.raises(InputError, match="run_batch takes"):
        interpreter.run([X[None], Y[None]])
    scalar = adder(shape=())
    with pytest.raises(InputError, match="no sample axis"):
        tflite2x.Interpreter(scalar).run_batch([1.0, 2.0])


def test_constants_come_back_once_per_sample():
    model = adder()
    model.main.set_outputs([model.main.inputs[0], model.main.operators[1].inputs[1]])
    passed, constant = tflite2x.Interpreter(model).run_batch([np.stack([X, Y]), np.stack([Y, X])])
    assert passed.shape == (2, 2, 3)
    np.testing.assert_array_equal(constant, [2.0, 2.0])


def range_model() -> tflite2x.Model:
    """Make a model whose output's length is the value of its input."""
    model = tflite2x.Model.new()
    graph = model.main
    limit = graph.add_input("limit", (), "int32")
    start, step = graph.add_constant("start", np.int32(0)), graph.add_constant("step", np.int32(1))
    y = graph.add_tensor("y", (1,), "int32", shape_signature=(-1,))
    z = graph.add_tensor("z", (1,), "float32", shape_signature=(-1,))
    graph.add_operator("RANGE", [start, limit, step], [y], RangeOptions())
    graph.add_operator("CAST", [y], [z], CastOptions())
    graph.set_outputs([z])
    return model


def test_samples_of_different_shapes():
    interpreter = tflite2x.Interpreter(range_model())
    assert interpreter.run([np.int32(4)])[0].tolist() == [0, 1, 2, 3]
    same = interpreter.run_batch([np.full(3, 2, np.int32)])[0]
    assert same.tolist() == [[0, 1]] * 3
    with pytest.raises(ExecutionError, match="output 0 has different shapes for different samples"):
        interpreter.run_batch([np.array([1, 2], np.int32)])
    trace = interpreter.trace([np.array([1, 2], np.int32)], batched=True)
    assert {t.name for t in trace} == {"limit"}


def state_model() -> tflite2x.Model:
    """Make a model that adds its input to a variable tensor."""
    model = chain("Accumulate")
    graph = model.main
    state = graph.add_tensor("state", (2, 3), "float32", is_variable=True)
    graph.operators[0].set_inputs([graph.inputs[0], state])
    return model


def accumulate(ctx):
    def run(inputs):
        inputs[1][...] += inputs[0]
        return [inputs[1].copy()]

    return run


def test_state_lives_until_reset(register):
    register("Accumulate", accumulate, form="prepared")
    model = state_model()
    interpreter = tflite2x.Interpreter(model)
    interpreter.run([X])
    np.testing.assert_array_equal(interpreter.run([X])[0], 2 * X)
    state = next(t for t in model.main.tensors if t.name == "state")
    np.testing.assert_array_equal(interpreter.trace([X])[state], 3 * X)
    interpreter.reset()
    np.testing.assert_array_equal(interpreter.run([X])[0], X)


def test_state_of_batches(register):
    register("Accumulate", accumulate, form="prepared")
    interpreter = tflite2x.Interpreter(state_model())
    interpreter.run([X])
    batch = np.stack([X, Y, X])
    np.testing.assert_array_equal(interpreter.run_batch([batch])[0], batch + X)
    np.testing.assert_array_equal(interpreter.run_batch([batch])[0], 2 * batch + X)
    for call in (lambda: interpreter.run([X]), lambda: interpreter.run_batch([batch[:2]])):
        with pytest.raises(InputError, match="state belongs to a batch of 3 samples"):
            call()
    interpreter.reset()
    np.testing.assert_array_equal(interpreter.run([X])[0], X)


def test_int8_state_starts_at_its_zero_point():
    model = tflite2x.Model.new()
    state = model.main.add_tensor("state", (2,), "int8", scale=0.5, zero_point=-7, is_variable=True)
    model.main.set_outputs([state])
    interpreter = tflite2x.Interpreter(model)
    assert interpreter.run([])[0].tolist() == [-7, -7]
    interpreter.run([])[0][...] = 3
    assert interpreter.run([])[0].tolist() == [-7, -7]


def test_constant_operators_run_once():
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (3,), "float32")
    half = graph.add_constant("half", np.array([1, 2, 3], np.float16))
    wide = graph.add_tensor("wide", (3,), "float32")
    y = graph.add_tensor("y", (3,), "float32")
    graph.add_operator("DEQUANTIZE", [half], [wide])
    graph.add_operator("ADD", [x, wide], [y], AddOptions())
    graph.set_outputs([y])
    interpreter = tflite2x.Interpreter(model)
    trace = interpreter.trace([np.zeros(3, np.float32)])
    assert trace[wide].tolist() == [1, 2, 3]
    trace[wide][...] = 9
    assert interpreter.run([np.zeros(3, np.float32)])[0].tolist() == [1, 2, 3]
    assert [step.op.name for step in interpreter._session.plan(graph).steps] == ["ADD"]


def test_values_are_released_after_their_last_use(register):
    alive = []

    class Watched(np.ndarray):
        pass

    def make(op, inputs):
        import weakref

        alive[:] = [ref for ref in alive if ref() is not None]
        array = np.zeros((1, 2, 3), np.float32).view(Watched)
        alive.append(weakref.ref(array))
        return [array]

    register("Make", make, form="batched")
    most = []
    register("Count", lambda op, inputs: most.append(len(alive)) or make(op, inputs), form="batched")
    tflite2x.Interpreter(chain(*["Make", "Count"] * 10)).run([X])
    assert max(most) <= 2


def test_unsorted_operators_are_refused():
    model = adder()
    graph = model.main
    graph.operators[0].set_inputs([graph.inputs[0], graph.add_tensor("loose", (2, 3), "float32")])
    with pytest.raises(ExecutionError, match="input 1 \\(tensor 'loose'\\) is neither constant nor computed"):
        tflite2x.Interpreter(model).run([X, Y])
    other = tflite2x.Model.new()
    other.main.set_outputs([other.main.add_tensor("loose", (2, 3), "float32")])
    with pytest.raises(ExecutionError, match="nothing computes the output tensor 'loose'"):
        tflite2x.Interpreter(other).run([])


def test_signatures_and_subgraphs():
    model = adder()
    second = model.add_subgraph("second")
    a = second.add_input("a", (2, 3), "float32")
    b = second.add_tensor("b", (2, 3), "float32")
    second.add_operator("ADD", [a, a], [b], AddOptions())
    second.set_outputs([b])
    model.add_signature("double", second, inputs={"in": a}, outputs={"out": b})
    interpreter = tflite2x.Interpreter(model)
    for choice in ({"signature": "double"}, {"subgraph": 1}, {"subgraph": second}):
        np.testing.assert_array_equal(interpreter.run([X], **choice)[0], 2 * X)
    np.testing.assert_array_equal(interpreter.run({"in": X}, signature="double")[0], 2 * X)
    assert list(interpreter.trace([X], subgraph=1)) == [a, b]
    with pytest.raises(InputError, match="no signature 'other'"):
        interpreter.run([X], signature="other")
    with pytest.raises(InputError, match="no subgraph 2"):
        interpreter.run([X], subgraph=2)
    with pytest.raises(InputError, match="both"):
        interpreter.run([X], subgraph=1, signature="double")


def test_rounding_contract_is_checked():
    with pytest.raises(InputError, match="rounding is 'triple'"):
        tflite2x.Interpreter(adder(), rounding="triple")  # type: ignore[arg-type]


def test_overflow_is_silent_and_the_error_state_is_restored():
    before = np.geterr()
    huge = np.full((2, 3), 3e38, np.float32)
    assert (tflite2x.Interpreter(adder()).run([huge, huge])[1] == np.finfo(np.float32).max).all()
    assert np.geterr() == before


def test_trace_equals_litert():
    rng = np.random.default_rng(1)
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 16), "int8", scale=0.1, zero_point=3)
    w = graph.add_constant("w", rng.integers(-127, 128, (8, 16)).astype(np.int8), scale=[0.02] * 8)
    y = graph.add_tensor("y", (1, 8), "int8", scale=0.3, zero_point=-1)
    z = graph.add_tensor("z", (1, 8), "int8", scale=0.5, zero_point=2)
    graph.add_operator("FULLY_CONNECTED", [x, w, None], [y], FullyConnectedOptions())
    graph.add_operator("ADD", [y, y], [z], AddOptions())
    graph.set_outputs([z])
    oracle = litert_interpreter(tflite2x.dumps(model), preserve_all=True)
    value = rng.integers(-128, 128, (1, 16)).astype(np.int8)
    oracle.set_tensor(x.index, value)
    oracle.invoke()
    trace = tflite2x.Interpreter(model).trace([value])
    assert list(trace) == [x, y, z]
    for tensor, array in trace.items():
        np.testing.assert_array_equal(array, oracle.get_tensor(tensor.index))


def test_only_needed_kernel_modules_are_imported():
    code = (
        "import sys, numpy as np, tflite2x\n"
        "m = tflite2x.Model.new(); g = m.main\n"
        "x = g.add_input('x', (2,), 'float32'); y = g.add_tensor('y', (2,), 'float32')\n"
        "g.add_operator('ADD', [x, x], [y]); g.set_outputs([y])\n"
        "tflite2x.Interpreter(m).run([np.zeros(2, np.float32)])\n"
        "print([n for n in sys.modules if n.startswith('tflite2x.interpreter.kernels.')])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "lstm" not in result.stdout
    assert "convolution" not in result.stdout

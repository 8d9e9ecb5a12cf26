# SPDX-License-Identifier: Apache-2.0
"""Kernels of custom operators: how they are registered, what they may return, and what their failures say."""

from __future__ import annotations

import importlib.metadata
import pickle

import numpy as np
import pytest

import tflite2x
from tests.interpreter.small_models import X, Y, chain
from tflite2x.errors import ExecutionError, PluginError, UnsupportedError
from tflite2x.interpreter.registry import CUSTOM_KERNELS


def test_unknown_custom_operator_says_how_to_register(tmp_path):
    path = tmp_path / "unknown.tflite"
    tflite2x.save(chain("Add2"), path)
    with pytest.raises(UnsupportedError) as error:
        tflite2x.Interpreter(tflite2x.load(path)).run([X])
    text = str(error.value)
    assert str(path) in text
    assert "subgraphs[0].operators[0] (Add2)" in text
    assert "@tflite2x.register_kernel('Add2')" in text
    assert str(pickle.loads(pickle.dumps(error.value))) == text


def test_unknown_builtin_operator():
    model = tflite2x.Model.new()
    x = model.main.add_input("x", (1,), "float32")
    y = model.main.add_tensor("y", (1,), "float32")
    model.main.add_operator("CONCAT_EMBEDDINGS", [x], [y])
    model.main.set_outputs([y])
    with pytest.raises(UnsupportedError, match="no kernel for the builtin operator CONCAT_EMBEDDINGS"):
        tflite2x.Interpreter(model).run([np.zeros(1, np.float32)])


def test_simple_kernel(register):
    seen = []

    @register("Add2")
    def add2(op, inputs):
        seen.append((op.custom_code, inputs[0].shape))
        return inputs[0] + np.float32(2)

    assert callable(add2)
    interpreter = tflite2x.Interpreter(chain("Add2", "Add2"))
    np.testing.assert_array_equal(interpreter.run([X])[0], X + 4)
    np.testing.assert_array_equal(interpreter.run_batch([np.stack([X, Y])])[0], np.stack([X, Y]) + 4)
    assert set(seen) == {("Add2", (2, 3))}


def test_batched_and_prepared_kernels(register):
    shapes, prepared = [], []

    def batched(op, inputs):
        shapes.append(inputs[0].shape)
        return [inputs[0] * 2]

    def prepare(ctx):
        prepared.append(ctx.name)
        return lambda inputs: [inputs[0] + inputs[0].dtype.type(1)]

    register("Twice", batched, form="batched")
    register("Next", prepare, form="prepared")
    interpreter = tflite2x.Interpreter(chain("Twice", "Next"))
    batch = np.stack([X, Y, X])
    np.testing.assert_array_equal(interpreter.run_batch([batch])[0], batch * 2 + 1)
    interpreter.run([X])
    assert shapes == [(3, 2, 3), (1, 2, 3)]
    assert prepared == ["Next"]


def test_registration_refuses_conflicts(register):
    def first(op, inputs):
        return inputs[0]

    def second(op, inputs):
        return inputs[0] * 0

    register("Mine", first)
    with pytest.raises(PluginError) as error:
        register("Mine", second)
    assert "first" in str(error.value)
    assert "second" in str(error.value)
    register("Mine", second, replace=True)
    assert not tflite2x.Interpreter(chain("Mine")).run([X])[0].any()
    with pytest.raises(PluginError, match="CONV_2D is a builtin operator"):
        register("CONV_2D", first)
    with pytest.raises(PluginError, match="form is 'other'"):
        register("Other", first, form="other")


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda op, inputs: inputs[0] @ inputs[0], "failed on inputs of shape (2, 3): ValueError"),
        (lambda op, inputs: 1 / 0, "ZeroDivisionError"),
        (lambda op, inputs: inputs[5], "IndexError"),
        (lambda op, inputs: [inputs[0], inputs[0]], "returned 2 arrays for 1 outputs"),
        (lambda op, inputs: inputs[0].astype(np.float64), "returned float64"),
    ],
)
def test_failing_kernels_say_where(register, function, what):
    register("Bad", function)
    with pytest.raises(ExecutionError) as error:
        tflite2x.Interpreter(chain("Bad")).run([X])
    assert what in str(error.value)
    assert "subgraphs[0].operators[0] (Bad)" in str(error.value)


def test_failing_batched_kernels_say_where(register):
    register("Bad", lambda op, inputs: [inputs[0][:2]], form="batched")
    with pytest.raises(ExecutionError, match="the sample axis must have length 1 or 4"):
        tflite2x.Interpreter(chain("Bad")).run_batch([np.zeros((4, 2, 3), np.float32)])
    register("Worse", lambda op, inputs: [inputs[0][0]], form="batched")
    with pytest.raises(ExecutionError, match="2 dimensions behind the sample axis"):
        tflite2x.Interpreter(chain("Worse")).run_batch([np.zeros((4, 2, 3), np.float32)])


def test_failing_preparation_says_where(register):
    register("Bad", lambda ctx: ctx.options.missing, form="prepared")
    with pytest.raises(UnsupportedError, match=r"operators\[0\] \(Bad\): the kernel cannot prepare"):
        tflite2x.Interpreter(chain("Bad")).run([X])


class _Entry:
    """An entry point, as importlib.metadata lists it."""

    value = "somewhere:function"
    dist = None

    def __init__(self, target):
        self._target = target

    def load(self):
        if isinstance(self._target, Exception):
            raise self._target
        return self._target


def test_kernels_from_entry_points(register, monkeypatch):
    entries = {"Plugged": _Entry(lambda op, inputs: inputs[0] + np.float32(1)), "Broken": _Entry(ImportError("gone"))}
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group, name: [entries[name]] if name in entries else []
    )
    np.testing.assert_array_equal(tflite2x.Interpreter(chain("Plugged")).run([X])[0], X + 1)
    with pytest.raises(PluginError, match="'Broken' cannot be loaded: gone"):
        tflite2x.Interpreter(chain("Broken")).run([X])


@pytest.mark.parametrize(
    ("name", "fn", "form", "text"),
    [
        ("Odd", 3, "simple", "not a function"),
        ("Odd", lambda x: x, "simple", "is called with \\(op, inputs\\)"),
        ("Odd", lambda op, inputs: inputs, "prepared", "is called with \\(ctx\\)"),
        ("", lambda op, inputs: inputs, "simple", "no custom code"),
        (7, lambda op, inputs: inputs, "simple", "no custom code"),
    ],
)
def test_kernels_that_cannot_be_called_are_refused_at_once(name, fn, form, text):
    with pytest.raises(PluginError, match=text):
        tflite2x.register_kernel(name, fn, form=form)
    assert name not in CUSTOM_KERNELS


@pytest.mark.parametrize("form", ["simple", "batched"])
@pytest.mark.parametrize(
    ("result", "text"),
    [(None, "returned None"), (np.float32(3), "shape \\(\\)"), ([np.zeros(4, np.float32)], "\\(4,\\)")],
)
def test_a_kernel_that_returns_no_such_tensor(register, form, result, text):
    register("Odd", lambda op, inputs: result, form=form)
    shape = {"shape": (1, 4), "dtype": "float32"}
    engine = tflite2x.Interpreter(tflite2x.Model.build("Odd", [shape], [shape]))
    for call in (engine.run, engine.trace):
        with pytest.raises(ExecutionError, match=text):
            call([np.zeros((1, 4), np.float32)])
    with pytest.raises(ExecutionError, match=text):
        engine.run_batch([np.zeros((2, 1, 4), np.float32)])

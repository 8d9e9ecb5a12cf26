# SPDX-License-Identifier: Apache-2.0
"""Models that load and cannot be right: every tool works, or says with one typed error where, what and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tflite2x.errors import Tflite2xError
from tflite2x.explain.diagnose import diagnose
from tflite2x.explain.diff import diff
from tflite2x.explain.inspect import inspect, to_json
from tflite2x.explain.inspect_text import render
from tflite2x.explain.report import layer_errors, report
from tflite2x.export import LANGUAGES, export
from tflite2x.ir import Model
from tflite2x.rewrite.registry import find_pass, library_names
from tflite2x.verification.samples import stretch
from tflite2x.xs3.report import prove_model

#: What an error says when an exception that nobody thought of is behind it.
_UNEXPECTED = ("bug of the pass", "should not happen", "Error: ")


def healthy() -> Model:
    """FULLY_CONNECTED, RESHAPE, SOFTMAX on int8."""
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "int8", scale=0.5, zero_point=3)
    w = graph.add_constant("w", np.arange(8, dtype=np.int8).reshape(2, 4), scale=0.25)
    y = graph.add_tensor("y", (1, 2), "int8", scale=1.0)
    shape = graph.add_constant("shape", np.array([1, 2], np.int32))
    r = graph.add_tensor("r", (1, 2), "int8", scale=1.0)
    z = graph.add_tensor("z", (1, 2), "int8", scale=1 / 256, zero_point=-128)
    options = tflite2x.schema.tables
    graph.add_operator("FULLY_CONNECTED", [x, w, None], [y], options.FullyConnectedOptions())
    graph.add_operator("RESHAPE", [y, shape], [r], options.ReshapeOptions())
    graph.add_operator("SOFTMAX", [r], [z], options.SoftmaxOptions(beta=1.0))
    graph.set_outputs([z])
    return model


def tools(model: Model, folder: Path) -> Iterator[Callable[[], Any]]:
    """Everything that can be done with a model."""
    x = [np.zeros(t.shape, np.int8) for t in model.main.inputs]
    yield model.check
    yield lambda: tflite2x.dumps(model)
    yield lambda: tflite2x.Interpreter(model).run(x)
    yield lambda: tflite2x.Interpreter(model).run_batch([np.stack([a, a]) for a in x])
    yield lambda: diagnose(model, x, {t.name or "": np.ones(t.shape, np.int8) for t in model.main.outputs})
    yield from (lambda op=op: tflite2x.explain(op) for op in model.main.operators)
    yield lambda: to_json(inspect(model)) + render(inspect(model))
    yield lambda: diff(healthy(), model) + diff(model, healthy())
    yield lambda: report(model, layer_errors(model, {"x": np.stack([x[0], x[0]])}))
    yield lambda: report(model)
    yield from (lambda lang=lang: export(model, folder, lang=lang, test_vectors=1) for lang in LANGUAGES)
    yield lambda: tflite2x.verify(healthy(), model, samples=2)
    yield lambda: prove_model(model.clone(), "best", "single", 1)
    for name in library_names():
        if name not in ("fixpoint", "set-shape"):
            yield lambda name=name: find_pass(name)()(model.clone())
    yield lambda: tflite2x.optimize(model.clone(), verify=tflite2x.Verify(samples=2))


def unknown_type(model: Model) -> None:
    model.main.tensors[2]._dtype = 99


def unknown_type_of_the_input(model: Model) -> None:
    model.main.tensors[0]._dtype = 99


def unknown_activation(model: Model) -> None:
    model.main.operators[0].options.fused_activation_function = 77


def softmax_without_input(model: Model) -> None:
    model.main.operators[2].set_inputs([])


def reshape_with_an_absent_input(model: Model) -> None:
    model.main.operators[1].set_inputs([None, model.main.tensors[3]])


def operators_removed(model: Model) -> None:
    for op in reversed(model.main.operators):
        model.main.set_outputs([])
        model.main.remove_operator(op)
    model.main.set_outputs([model.main.tensors[5]])


def constant_without_bytes(model: Model) -> None:
    model.main.tensors[1]._buffer = model.buffers[0]


def no_outputs(model: Model) -> None:
    model.main.set_outputs([])


def variable_of_another_shape(model: Model) -> None:
    model.main.tensors[2].is_variable, model.main.tensors[2].shape = True, (3, 5)


def string_input(model: Model) -> None:
    model.main.tensors[0]._dtype = tflite2x.TensorType.STRING


def scales_that_fit_no_axis(model: Model) -> None:
    quantization = model.main.tensors[2].quantization
    quantization.scale, quantization.zero_point = np.full(1000, 0.1, np.float32), np.zeros(1000, np.int64)


def infinite_scale(model: Model) -> None:
    model.main.tensors[0].quantization.scale = np.array([np.inf], np.float32)


def nan_scale(model: Model) -> None:
    model.main.tensors[2].quantization.scale = np.array([np.nan], np.float32)


def float_layer_with_a_nan_scale(model: Model) -> None:
    """DEQUANTIZE multiplies with the scale as it is."""
    graph = model.main
    out = graph.outputs[0]
    real = graph.add_tensor("real", out.shape, "float32")
    graph.add_operator("DEQUANTIZE", [out], [real])
    graph.set_outputs([real])
    out.quantization.scale = np.array([np.nan], np.float32)


def scales_of_a_constant_that_fit_no_axis(model: Model) -> None:
    quantization = model.main.tensors[1].quantization
    quantization.scale, quantization.zero_point = np.full(3, 0.1, np.float32), np.zeros(3, np.int64)


def zero_point_outside_of_the_type(model: Model) -> None:
    model.main.tensors[0].quantization.zero_point = np.array([2**63 - 1], np.int64)


def bias_of_one_value(model: Model) -> None:
    bias = model.main.add_constant("b", np.array(3, np.int32), scale=0.125)
    model.main.operators[0].set_input(2, bias)


def output_left_out(model: Model) -> None:
    op = model.main.operators[1]
    op.outputs[0]._producer = None
    op._outputs = (None,)


def output_of_a_custom_operator_left_out(model: Model) -> None:
    graph = model.main
    made = graph.add_tensor("made", (1, 2), "int8", scale=1.0)
    op = graph.add_operator("Unknown", [graph.operators[0].outputs[0]], [made], custom_options=b"")
    op._outputs = (None, made)
    graph.set_outputs([*graph.outputs, made])


DAMAGES = [
    output_left_out,
    output_of_a_custom_operator_left_out,
    scales_of_a_constant_that_fit_no_axis,
    zero_point_outside_of_the_type,
    bias_of_one_value,
    scales_that_fit_no_axis,
    infinite_scale,
    nan_scale,
    float_layer_with_a_nan_scale,
    unknown_type,
    unknown_type_of_the_input,
    unknown_activation,
    softmax_without_input,
    reshape_with_an_absent_input,
    operators_removed,
    constant_without_bytes,
    no_outputs,
    variable_of_another_shape,
    string_input,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_only_typed_errors(damage: Callable[[Model], None], tmp_path: Path) -> None:
    model = healthy()
    damage(model)
    errors = []
    for tool in tools(model, tmp_path):
        try:
            tool()
        except Tflite2xError as error:
            errors.append(str(error))
    assert [e for e in errors if any(part in e for part in _UNEXPECTED)] == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_a_damaged_model_equals_itself(damage: Callable[[Model], None]) -> None:
    model = healthy()
    damage(model)
    assert diff(model, model.clone()) == []


def test_the_healthy_model_needs_no_error(tmp_path: Path) -> None:
    for tool in tools(healthy(), tmp_path):
        tool()


def test_own_values_of_a_tensor_that_is_a_shape() -> None:
    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (2, 2), "int8", scale=1.0)
    pads = graph.add_input("pads", (2, 2), "int32")
    y = graph.add_tensor("y", (4, 4), "int8", scale=1.0)
    graph.add_operator("PAD", [x, pads], [y])
    graph.set_outputs([y])
    ones = np.ones((2, 2), np.int32)
    found = diagnose(model, [np.ones((2, 2), np.int8), ones], {"pads": ones + 1, "y": np.ones((4, 4), np.int8)})
    assert found.findings


def test_a_bias_of_one_value_is_not_that_of_all_channels() -> None:
    model = healthy()
    bias_of_one_value(model)
    with pytest.raises(Tflite2xError, match=r"operators\[0\] \(FULLY_CONNECTED\): a bias of 1 values for 2 channels"):
        tflite2x.Interpreter(model).run([np.zeros((1, 4), np.int8)])


def test_explaining_a_tensor_of_a_wrong_size_takes_no_memory() -> None:
    model = healthy()
    model.main.tensors[4].shape = (1, 2**31 - 1)
    assert "would take" in (tflite2x.explain(model.main.operators[1]).reason or "")


def test_an_open_dimension_of_length_zero_cannot_be_stretched() -> None:
    x = Model.new().main.add_input("x", (0,), "float32", shape_signature=(-1,))
    assert stretch(np.zeros((2, 0), np.float32), x, 3).shape == (2, 0)

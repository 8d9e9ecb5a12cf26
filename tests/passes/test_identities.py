# SPDX-License-Identifier: Apache-2.0
"""remove-identities: every operator that can do nothing, and its neighbours that do something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.passes.helpers import int8, names, oracle_agrees, reasons, run
from tflite2x.ir import Model
from tflite2x.schema.enums import MirrorPadMode, TensorType
from tflite2x.schema.tables import (
    CastOptions,
    MirrorPadOptions,
    ReshapeOptions,
    SliceOptions,
    StridedSliceOptions,
    TransposeOptions,
)

SHAPE = (2, 3, 4)


def between(code: str, constants: list[Any], options: Any, shape: tuple[int, ...] = SHAPE, **out: Any) -> Model:
    """Make NEG, the operator, NEG on float32 [2, 3, 4]."""
    model = Model.new()
    g = model.main
    x = g.add_input("x", SHAPE, "float32")
    a = g.add_tensor("a", SHAPE, "float32")
    g.add_operator("NEG", [x], [a])
    b = g.add_tensor("b", shape, out.get("dtype", "float32"))
    extra = [g.add_constant(f"k{i}", np.array(c, np.int32)) for i, c in enumerate(constants)]
    g.add_operator(code, [a, *extra], [b], options)
    c = g.add_tensor("c", shape, out.get("dtype", "float32"))
    g.add_operator("NEG", [b], [c])
    g.set_outputs([c])
    return model


NOTHING = [
    ("RESHAPE", [SHAPE], ReshapeOptions()),
    ("RESHAPE", [], ReshapeOptions(new_shape=[2, -1, 4])),
    ("TRANSPOSE", [[0, 1, 2]], TransposeOptions()),
    ("PAD", [np.zeros((3, 2))], None),
    ("MIRROR_PAD", [np.zeros((3, 2))], MirrorPadOptions(mode=MirrorPadMode.REFLECT)),
    ("SLICE", [[0, 0, 0], [2, -1, 4]], SliceOptions()),
    ("STRIDED_SLICE", [[0, 0, 0], [2, 3, 4], [1, 1, 1]], StridedSliceOptions()),
    ("STRIDED_SLICE", [[1, 0, 0], [1, 3, 9], [1, 1, 1]], StridedSliceOptions(begin_mask=1, end_mask=1)),
    ("CAST", [], CastOptions(in_data_type=TensorType.FLOAT32, out_data_type=TensorType.FLOAT32)),
]
SOMETHING = [
    ("RESHAPE", [(4, 3, 2)], ReshapeOptions(), (4, 3, 2), "it makes shape [4, 3, 2] from [2, 3, 4]"),
    ("TRANSPOSE", [[0, 2, 1]], TransposeOptions(), (2, 4, 3), "it makes shape [2, 4, 3] from [2, 3, 4]"),
    ("STRIDED_SLICE", [[-1, 0, 0], [-3, 3, 4], [-1, 1, 1]], StridedSliceOptions(), SHAPE, "it has strides [-1, 1, 1]"),
    ("SLICE", [[0, 0, 1], [2, 3, 3]], SliceOptions(), (2, 3, 3), "it makes shape [2, 3, 3] from [2, 3, 4]"),
]


@pytest.mark.parametrize(("code", "constants", "options"), NOTHING)
def test_operators_that_do_nothing(code: str, constants: list[Any], options: Any) -> None:
    model = between(code, constants, options)
    before = tflite2x.dumps(model)
    run(model, "remove-identities,cleanup")
    assert names(model) == ["NEG", "NEG"]
    oracle_agrees(before, tflite2x.dumps(model))


@pytest.mark.parametrize(("code", "constants", "options", "shape", "reason"), SOMETHING)
def test_operators_that_do_something(
    code: str, constants: list[Any], options: Any, shape: tuple[int, ...], reason: str
) -> None:
    model = between(code, constants, options, shape)
    assert reasons(run(model, "remove-identities")) == [reason]
    assert names(model) == ["NEG", code, "NEG"]


def test_square_transpose_is_seen() -> None:
    model = Model.new()
    g = model.main
    x, y = g.add_input("x", (3, 3), "float32"), g.add_tensor("y", (3, 3), "float32")
    g.add_operator("TRANSPOSE", [x, g.add_constant("p", np.array([1, 0], np.int32))], [y], TransposeOptions())
    g.set_outputs([y])
    assert reasons(run(model, "remove-identities")) == ["it transposes by [1, 0]"]


def test_output_keeps_its_name() -> None:
    model = between(*NOTHING[0])
    g = model.main
    g.set_outputs([g.operators[1].outputs[0]])
    run(model, "remove-identities,cleanup")
    assert names(model) == ["NEG"]
    assert g.outputs[0].name == "b"


def test_input_to_output_stays() -> None:
    model = Model.new()
    g = model.main
    x, y = g.add_input("x", (1, 4), "float32"), g.add_tensor("y", (1, 4), "float32")
    g.add_operator("RESHAPE", [x, g.add_constant("s", np.array([1, 4], np.int32))], [y], ReshapeOptions())
    g.set_outputs([y])
    assert reasons(run(model, "remove-identities")) == ["the output 'y' would be 'x', an input of the graph"]


def test_two_reshapes_and_two_transposes() -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (2, 3, 4), "float32")
    steps: list[tuple[str, Any, list[int], tuple[int, ...]]] = [
        ("RESHAPE", ReshapeOptions(), [6, 4], (6, 4)),
        ("RESHAPE", ReshapeOptions(), [4, 6], (4, 6)),
        ("RESHAPE", ReshapeOptions(), [3, 2, 4], (3, 2, 4)),
        ("TRANSPOSE", TransposeOptions(), [1, 2, 0], (2, 4, 3)),
        ("TRANSPOSE", TransposeOptions(), [2, 0, 1], (3, 2, 4)),
    ]
    for i, (code, options, values, shape) in enumerate(steps):
        y = g.add_tensor(f"t{i}", shape, "float32")
        g.add_operator(code, [x, g.add_constant(f"k{i}", np.array(values, np.int32))], [y], options)
        x = y
    g.set_outputs([x])
    before = tflite2x.dumps(model)
    run(model, "remove-identities,cleanup")
    assert names(model) == ["RESHAPE"]
    assert g.outputs[0].name == "t4"
    oracle_agrees(before, tflite2x.dumps(model))


@pytest.mark.parametrize(("scale", "left"), [(0.1, 1), (0.2, 3)])
def test_dequantize_quantize(scale: float, left: int) -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 8), "int8", scale=0.05)
    a, b = int8(g, "a", (1, 8)), g.add_tensor("b", (1, 8), "float32")
    c = int8(g, "c", (1, 8), scale)
    g.add_operator("QUANTIZE", [x], [a])
    g.add_operator("DEQUANTIZE", [a], [b])
    g.add_operator("QUANTIZE", [b], [c])
    g.set_outputs([c])
    before = tflite2x.dumps(model)
    run(model, "remove-identities,cleanup")
    assert len(names(model)) == left
    oracle_agrees(before, tflite2x.dumps(model))


def test_dynamic_shapes_are_not_fixed() -> None:
    model = between("RESHAPE", [[2, 3, 4]], ReshapeOptions())
    for t in (*model.main.inputs, *model.main.tensors[:3]):
        t.shape_signature = (-1, 3, 4)
    assert reasons(run(model, "remove-identities")) == ["it fixes the dynamic shape of 'a' to [2, 3, 4]"]
    model = between("RESHAPE", [[-1, 3, 4]], ReshapeOptions())
    for t in (*model.main.inputs, *model.main.tensors):
        if t.shape == SHAPE:
            t.shape_signature = (-1, 3, 4)
    run(model, "remove-identities")
    assert names(model) == ["NEG", "NEG"]


def test_requantize_that_does_nothing() -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 8), "float32")
    a, b = int8(g, "a", (1, 8)), int8(g, "b", (1, 8))
    g.add_operator("QUANTIZE", [x], [a])
    g.add_operator("QUANTIZE", [a], [b])
    g.set_outputs([b])
    run(model, "remove-identities,cleanup")
    assert names(model) == ["QUANTIZE"]


def test_a_strided_slice_without_options_has_no_masks() -> None:
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", (2, 3), "float32")
    ends = (("begin", [0, 0]), ("end", [2, 3]), ("strides", [1, 1]))
    constants = [graph.add_constant(name, np.array(values, np.int32)) for name, values in ends]
    y, z = graph.add_tensor("y", (2, 3), "float32"), graph.add_tensor("z", (2, 3), "float32")
    graph.add_operator("STRIDED_SLICE", [x, *constants], [y])
    graph.add_operator("RELU", [y], [z])
    graph.set_outputs([z])
    run(model, "remove-identities")
    assert [op.name for op in graph.operators] == ["RELU"]

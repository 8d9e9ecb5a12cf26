# SPDX-License-Identifier: Apache-2.0
"""Small models and inputs that several tests of the execution plan use."""

from __future__ import annotations

import numpy as np

import tflite2x
from tflite2x.schema.tables import AddOptions, MulOptions


def chain(*names: str, shape=(2, 3)) -> tflite2x.Model:
    """Make a model of custom operators, one after the other."""
    model = tflite2x.Model.new()
    graph = model.main
    tensor = graph.add_input("x", shape, "float32")
    for i, name in enumerate(names):
        output = graph.add_tensor(f"t{i}", shape, "float32")
        graph.add_operator(name, [tensor], [output])
        tensor = output
    graph.set_outputs([tensor])
    return model


def adder(shape=(2, 3), signature=None) -> tflite2x.Model:
    """Make a model that computes x + y and (x + y) * 2."""
    model = tflite2x.Model.new()
    graph = model.main
    x = graph.add_input("x", shape, "float32", shape_signature=signature)
    y = graph.add_input("y", shape, "float32", shape_signature=signature)
    total = graph.add_tensor("total", shape, "float32")
    double = graph.add_tensor("double", shape, "float32")
    two = graph.add_constant("two", np.float32(2.0) * np.ones((), np.float32))
    graph.add_operator("ADD", [x, y], [total], AddOptions())
    graph.add_operator("MUL", [total, two], [double], MulOptions())
    graph.set_outputs([double, total])
    model.add_signature("serve", graph, inputs={"a": x, "b": y}, outputs={"d": double, "t": total})
    return model


X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = np.ones((2, 3), np.float32)

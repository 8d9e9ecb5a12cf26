# SPDX-License-Identifier: Apache-2.0
"""Small models, built by hand."""

from __future__ import annotations

import numpy as np

import tflite2x
from tflite2x.ir import Model
from tflite2x.schema.tables import AddOptions, FullyConnectedOptions, SubOptions


def chain(layers: int = 3, width: int = 16, *, float_io: bool = True, signature: bool = True, seed: int = 0) -> Model:
    """Make QUANTIZE, FULLY_CONNECTED..., DEQUANTIZE; sizes and seeds decide the weights."""
    rng = np.random.default_rng(seed)
    model = Model.new()
    graph = model.main
    if float_io:
        source = graph.add_input("in", (1, width), "float32")
        x = graph.add_tensor("quantized", (1, width), "int8", scale=0.05, zero_point=-3)
        graph.add_operator("QUANTIZE", [source], [x])
    else:
        source = x = graph.add_input("in", (1, width), "int8", scale=0.05, zero_point=-3)
    for i in range(layers):
        values = rng.integers(-127, 128, (width, width)).astype(np.int8)
        weights = graph.add_constant(f"weights{i}", values, scale=np.full(width, 0.01, np.float32), zero_point=0)
        bias = graph.add_constant(f"bias{i}", rng.integers(-500, 500, width).astype(np.int32), scale=0.0005)
        y = graph.add_tensor(f"layer{i}", (1, width), "int8", scale=0.1 + 0.01 * i, zero_point=i)
        graph.add_operator("FULLY_CONNECTED", [x, weights, bias], [y], FullyConnectedOptions())
        x = y
    if float_io:
        out = graph.add_tensor("out", (1, width), "float32")
        graph.add_operator("DEQUANTIZE", [x], [out])
        x = out
    graph.set_outputs([x])
    if signature:
        model.add_signature("serving", graph, inputs={"x": source}, outputs={"y": x})
    return tflite2x.loads(tflite2x.dumps(model))


def two_inputs() -> Model:
    """Make (a - b) + b on two quantized inputs of one type."""
    model = Model.new()
    graph = model.main
    a = graph.add_input("a", (1, 8), "int8", scale=0.1, zero_point=0)
    b = graph.add_input("b", (1, 8), "int8", scale=0.1, zero_point=0)
    difference = graph.add_tensor("difference", (1, 8), "int8", scale=0.2, zero_point=0)
    total = graph.add_tensor("total", (1, 8), "int8", scale=0.2, zero_point=0)
    graph.add_operator("SUB", [a, b], [difference], SubOptions(), version=2)
    graph.add_operator("ADD", [difference, b], [total], AddOptions(), version=2)
    graph.set_outputs([total, difference])
    model.add_signature("serving", graph, inputs={"left": a, "right": b}, outputs={"t": total, "d": difference})
    return model

# SPDX-License-Identifier: Apache-2.0
"""Random graphs of elementwise operators, as hypothesis strategies."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tflite2x

UNARY = ("RELU", "LOGISTIC", "TANH", "ABS", "NEG")
BINARY = ("ADD", "MUL", "SUB", "MAXIMUM")


@st.composite
def graphs(draw: Any) -> tflite2x.Model:
    """Draw a model: constants, shared buffers, unused tensors, optional inputs, several outputs, signatures."""
    model = tflite2x.Model.new(draw(st.none() | st.text(max_size=5)))
    for index in range(draw(st.integers(1, 2))):
        graph = model.main if index == 0 else model.add_subgraph(draw(st.none() | st.just("other")))
        values = [graph.add_input(f"in{i}", (1, 4), "float32") for i in range(draw(st.integers(0, 3)))]
        for i in range(draw(st.integers(0 if values else 1, 2))):
            data = np.arange(4, dtype=np.float32).reshape(1, 4) + i
            constant = graph.add_constant(f"c{i}", data)
            if draw(st.booleans()) and model.buffers[-1].nbytes:
                constant.buffer = draw(st.sampled_from([b for b in model.buffers if b.nbytes == 16]))
            values.append(constant)
        for i in range(draw(st.integers(0, 6))):
            out = graph.add_tensor(draw(st.none() | st.just(f"t{i}")), (1, 4), "float32")
            if draw(st.booleans()):
                graph.add_operator(draw(st.sampled_from(UNARY)), [draw(st.sampled_from(values))], [out])
            else:
                pair = [draw(st.sampled_from(values)), draw(st.sampled_from(values))]
                graph.add_operator(draw(st.sampled_from(BINARY)), pair, [out], version=draw(st.integers(1, 2)))
            values.append(out)
        graph.set_outputs(draw(st.lists(st.sampled_from(values), max_size=3)))
        if draw(st.booleans()):
            model.add_signature(
                f"s{index}",
                graph,
                inputs={f"i{i}": t for i, t in enumerate(graph.inputs)},
                outputs={f"o{i}": t for i, t in enumerate(graph.outputs)},
            )
    if draw(st.booleans()):
        model.add_metadata("note", draw(st.binary(max_size=8)))
    return model

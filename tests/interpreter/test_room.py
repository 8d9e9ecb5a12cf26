# SPDX-License-Identifier: Apache-2.0
"""Shapes that come from values and options: damaged ones are an error before they take memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tflite2x
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import Conv2DOptions, OneHotOptions

BIG = 1 << 30
X = np.zeros((1, 4, 4, 2), np.float32)
INT = np.int32
CASES: dict[str, tuple[list[Any], Any]] = {
    "PAD": ([X, np.array([[0, 0], [0, BIG], [0, 0], [0, 0]], INT)], None),
    "PADV2": ([X, np.array([[0, 0], [0, BIG], [0, 0], [0, 0]], INT), np.ones((), np.float32)], None),
    "FILL": ([np.array([BIG, 4], INT), np.ones((), np.float32)], None),
    "TILE": ([X, np.array([1, BIG, 1, 1], INT)], None),
    "BROADCAST_TO": ([X[:, :1], np.array([1, BIG, 4, 2], INT)], None),
    "RESIZE_BILINEAR": ([X, np.array([BIG, 4], INT)], None),
    "RESIZE_NEAREST_NEIGHBOR": ([X, np.array([BIG, 4], INT)], None),
    "SPACE_TO_BATCH_ND": ([X, np.array([1, 1], INT), np.array([[0, BIG], [0, 0]], INT)], None),
    "ONE_HOT": ([np.zeros(9, INT), np.array(BIG, INT), np.ones((), np.float32), X[0, 0, 0, 0]], OneHotOptions()),
    "RANGE": ([np.array(0, INT), np.array(BIG, INT), np.array(1, INT)], None),
    "SCATTER_ND": ([np.zeros((1, 1), INT), np.ones((1, 4), np.float32), np.array([BIG, 4], INT)], None),
    "CONV_2D": (
        [X, np.ones((2, 3, 3, 2), np.float32), None],
        Conv2DOptions(stride_w=1, stride_h=1, dilation_w_factor=BIG, dilation_h_factor=1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_results_that_no_model_means(name: str) -> None:
    arrays, options = CASES[name]
    model = tflite2x.Model.new()
    graph = model.main
    tensors: list[Any] = [
        None if a is None else graph.add_input(f"x{i}", a.shape, a.dtype.name) for i, a in enumerate(arrays)
    ]
    dtype = "int32" if name == "RANGE" else "float32"
    graph.set_outputs([graph.add_tensor("y", (1,), dtype)])
    graph.add_operator(name, tensors, list(graph.outputs), options)
    with pytest.raises(ExecutionError, match=rf"operators\[0\] \({name}\): an array of shape .* would take .* GB"):
        tflite2x.Interpreter(model).run([a for a in arrays if a is not None])

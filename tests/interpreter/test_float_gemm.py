# SPDX-License-Identifier: Apache-2.0
"""Long float sums are added in the reference's order: equal bit for bit, in batches too."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tflite2x.interpreter.float_gemm import product_in_order
from tflite2x.interpreter.ordered_convolution import MANY_WINDOWS
from tflite2x.interpreter.windows import window_axes
from tflite2x.schema.enums import Padding
from tflite2x.schema.tables import Conv2DOptions, FullyConnectedOptions

SHAPES = [(1, 784, 10), (3, 600, 1), (49, 700, 256), (2, 5, 7), (0, 5, 3)]


@pytest.mark.parametrize(("rows", "depth", "columns"), SHAPES)
def test_products_are_added_one_after_the_other(rows: int, depth: int, columns: int) -> None:
    rng = np.random.default_rng(depth)
    x, w = rng.normal(size=(rows, depth)).astype(np.float32), rng.normal(size=(depth, columns)).astype(np.float32)
    total = np.zeros((rows, columns), np.float32)
    for k in range(depth):
        total = total + x[:, k, None] * w[k]
    assert (product_in_order(x, w) == total).all()
    assert product_in_order(x.reshape(1, rows, depth), w).shape == (1, rows, columns)


@pytest.mark.parametrize(("depth", "columns"), [(257, 1), (784, 28), (2000, 600)])
def test_fully_connected_equals_litert(depth: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(columns, depth)).astype(np.float32), rng.normal(size=columns).astype(np.float32)
    model = tflite2x.Model.build(
        "FULLY_CONNECTED",
        [{"shape": (2, depth), "dtype": "float32"}, w, b],
        [{"shape": (2, columns), "dtype": "float32"}],
        FullyConnectedOptions(),
    )
    x = rng.normal(size=(3, 2, depth)).astype(np.float32)
    batch = tflite2x.Interpreter(model).run_batch([x])[0]
    for sample, found in zip(x, batch, strict=True):
        assert (found == litert_run(tflite2x.dumps(model), [sample])[0]).all()


@pytest.mark.parametrize("padding", [Padding.SAME, Padding.VALID])
@pytest.mark.parametrize(
    ("height", "width", "size", "channels", "outputs", "stride", "dilation"),
    [
        (40, 20, (3, 5), 40, 3, (1, 1), (1, 1)),
        (65, 70, (4, 3), 60, 1, (2, 3), (1, 1)),
        (50, 31, (3, 3), 65, 8, (1, 1), (2, 3)),
        (1, 1200, (1, 7), 90, 2, (1, 2), (1, 3)),
        (90, 60, (2, 2), 150, 40, (2, 2), (3, 1)),
    ],
)
def test_convolution_with_many_windows_equals_litert(
    height: int,
    width: int,
    size: tuple[int, int],
    channels: int,
    outputs: int,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
) -> None:
    rng = np.random.default_rng(1)
    w, b = rng.normal(size=(outputs, *size, channels)).astype(np.float32), rng.normal(size=outputs).astype(np.float32)
    axes = window_axes(padding, (height, width), size, stride, dilation)
    model = tflite2x.Model.build(
        "CONV_2D",
        [{"shape": (1, height, width, channels), "dtype": "float32"}, w, b],
        [{"shape": (1, axes[0].out, axes[1].out, outputs), "dtype": "float32"}],
        Conv2DOptions(
            padding=padding, stride_h=stride[0], stride_w=stride[1],
            dilation_h_factor=dilation[0], dilation_w_factor=dilation[1],
        ),
    )  # fmt: skip
    assert axes[0].out * axes[1].out >= MANY_WINDOWS
    x = rng.normal(size=(2, 1, height, width, channels)).astype(np.float32)
    batch = tflite2x.Interpreter(model).run_batch([x])[0]
    for sample, found in zip(x, batch, strict=True):
        assert (found == litert_run(tflite2x.dumps(model), [sample])[0]).all()


@pytest.mark.parametrize(("size", "channels"), [(3, 65), (1, 600), (5, 100)])
def test_convolution_equals_litert(size: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(4, size, size, channels)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    model = tflite2x.Model.build(
        "CONV_2D",
        [{"shape": (1, 7, 6, channels), "dtype": "float32"}, w, b],
        [{"shape": (1, 7, 6, 4), "dtype": "float32"}],
        Conv2DOptions(stride_w=1, stride_h=1),
    )
    x = rng.normal(size=(2, 1, 7, 6, channels)).astype(np.float32)
    batch = tflite2x.Interpreter(model).run_batch([x])[0]
    for sample, found in zip(x, batch, strict=True):
        assert (found == litert_run(tflite2x.dumps(model), [sample])[0]).all()

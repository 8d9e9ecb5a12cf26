# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs
from tests.interpreter.quantities import quantization_of
from tflite2x.errors import UnsupportedError
from tflite2x.schema.enums import ActivationFunctionType, Padding
from tflite2x.schema.tables import Pool2DOptions

AXIS = st.tuples(st.integers(0, 6), st.integers(1, 5), st.integers(1, 4))


@pytest.mark.parametrize(
    ("op", "dtype"),
    [(op, t) for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D") for t in ("float32", "int8", "uint8", "int16")]
    + [("L2_POOL_2D", "float32")],
)
@cases
@drawn(rngs, AXIS, AXIS, st.integers(1, 3), st.integers(1, 5), st.sampled_from(list(Padding)),
       st.sampled_from(list(ActivationFunctionType)[:4]), st.booleans())  # fmt: skip
def test_pooling(op, dtype, rng, height, width, batch, channels, padding, activation, whole):
    sizes = [extra + size for extra, size, _ in (height, width)]
    filters = sizes if whole else [height[1], width[1]]
    quantization = {} if dtype == "float32" else quantization_of(rng, dtype)
    x = random_array(rng, (batch, *sizes, channels), dtype)
    options = Pool2DOptions(
        padding=padding, stride_h=height[2], stride_w=width[2], filter_height=filters[0], filter_width=filters[1],
        fused_activation_function=activation,
    )  # fmt: skip
    # Sums of floats are in the order of LiteRT's loops, except along a single channel.
    tolerance = 1e-6 if dtype == "float32" else 0.0
    check(op, options, [Value(x, quantization=quantization)], [(dtype, (1, 1, 1, channels), quantization)],
          tolerance=tolerance)  # fmt: skip


def test_maximum_ignores_nan() -> None:
    x = np.array([1, np.nan, -3, np.nan], np.float32).reshape(1, 2, 2, 1)
    options = Pool2DOptions(stride_h=1, stride_w=1, filter_height=2, filter_width=2, padding=Padding.VALID)
    check("MAX_POOL_2D", options, [Value(x)], [("float32", (1, 1, 1, 1))], batch=False)


def test_refuses_what_litert_refuses() -> None:
    x = Value(np.zeros((1, 2, 2, 1), np.int8), quantization={"scale": 1.0})
    model = one_operator("L2_POOL_2D", Pool2DOptions(stride_h=1, stride_w=1, filter_height=1, filter_width=1), [x],
                         [("int8", (1, 2, 2, 1), {"scale": 1.0})])  # fmt: skip
    with pytest.raises(UnsupportedError, match="has type INT8, not FLOAT32"):
        tflite2x.Interpreter(model).run([x.array])
    model = one_operator("MAX_POOL_2D", Pool2DOptions(), [x], [("int8", (1, 2, 2, 1), {"scale": 1.0})])
    with pytest.raises(UnsupportedError, match="at least 1"):
        tflite2x.Interpreter(model).run([x.array])


@pytest.mark.parametrize("op", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_without_windows_there_is_no_output(op: str, dtype: str) -> None:
    options = Pool2DOptions(padding=Padding.VALID, stride_h=1, stride_w=4, filter_height=2, filter_width=5)
    (got,) = check(op, options, [Value(np.zeros((1, 3, 4, 2), dtype))], [(dtype, (1, 1, 1, 2))])
    assert got.size == 0


def test_a_fused_activation_needs_a_scale() -> None:
    options = Pool2DOptions(stride_h=1, stride_w=1, filter_height=1, filter_width=1, fused_activation_function=1)
    model = one_operator("MAX_POOL_2D", options, [Value(np.zeros((1, 2, 2, 1), np.int8))], [("int8", (1, 2, 2, 1))])
    with pytest.raises(UnsupportedError, match="no scale"):
        tflite2x.Interpreter(model).run([np.zeros((1, 2, 2, 1), np.int8)])

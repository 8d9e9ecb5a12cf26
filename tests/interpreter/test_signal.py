# SPDX-License-Identifier: Apache-2.0
"""RFFT2D, parts of complex numbers, BUCKETIZE and DILATE against LiteRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.interpreter.one_operator import Value, cases, check, random_array, rngs, shapes, steering
from tflite2x.schema.tables import BucketizeOptions, DilateOptions, Rfft2dOptions


@cases
@given(shape=shapes(2, 4, 9), rng=rngs, height=st.sampled_from([1, 2, 4, 8]), width=st.sampled_from([2, 4, 8, 16]))
def test_rfft2d(shape: Any, rng: Any, height: int, width: int) -> None:
    value = random_array(rng, shape, "float32")
    result = (*shape[:-2], height, width // 2 + 1)
    inputs = [Value(value), steering([height, width], True)]
    check("RFFT2D", Rfft2dOptions(), inputs, [("complex64", result)], tolerance=1e-6)


@pytest.mark.parametrize("op", ["COMPLEX_ABS", "REAL", "IMAG"])
@cases
@given(shape=shapes(), rng=rngs)
def test_parts_of_complex_numbers(op: str, shape: Any, rng: Any) -> None:
    value = (random_array(rng, shape, "float32") + 1j * random_array(rng, shape, "float32")).astype(np.complex64)
    check(op, None, [Value(np.asarray(value))], [("float32", shape)], tolerance=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@cases
@given(shape=shapes(), rng=rngs, boundaries=st.lists(st.integers(-20, 20).map(lambda n: n / 2), max_size=9).map(sorted))
def test_bucketize(dtype: str, shape: Any, rng: Any, boundaries: list[float]) -> None:
    value = np.asarray(random_array(rng, shape, dtype))
    value = np.asarray(np.rint(value % 20 - 10)).astype(dtype)
    options = BucketizeOptions(boundaries=np.asarray(boundaries, np.float32))
    check("BUCKETIZE", options, [Value(value)], [("int32", shape)])


@pytest.mark.parametrize("dtype", ["float32", "int8", "int32", "int64"])
@cases
@given(shape=shapes(1, 4, 4), rng=rngs, data=st.data(), constant=st.booleans())
def test_dilate(dtype: str, shape: Any, rng: Any, data: st.DataObject, constant: bool) -> None:
    steps = data.draw(st.lists(st.integers(1, 3), min_size=len(shape), max_size=len(shape)))
    result = tuple((n - 1) * d + 1 for n, d in zip(shape, steps, strict=True))
    inputs = [
        Value(random_array(rng, shape, dtype)), steering(steps, constant), Value(random_array(rng, (), dtype), True)
    ]  # fmt: skip
    check("DILATE", DilateOptions(), inputs, [(dtype, result)])

# SPDX-License-Identifier: Apache-2.0
"""AudioSpectrogram, Mfcc and NumericVerify: custom operators that LiteRT registers itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes, steering
from tests.interpreter.quantizations import quantizations
from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.schema import flexbuffers


@cases
@given(rngs, st.integers(1, 200), st.integers(1, 3), st.integers(2, 70), st.integers(1, 40), st.booleans())
def test_spectrogram(rng: Any, time: int, channels: int, window: int, stride: int, squared: bool) -> None:
    options = flexbuffers.encode({"window_size": window, "stride": stride, "magnitude_squared": squared})
    x = Value(rng.standard_normal((time, channels)).astype(np.float32))
    check("AudioSpectrogram", None, [x], [("float32", (1, 1, 1))], custom_options=options, tolerance=1e-6)


@cases
@given(rngs, shapes(2, 2, 4), st.integers(2, 130), st.integers(1, 40), st.integers(1, 40), st.data())
def test_mfcc(rng: Any, shape: Any, bins: int, bands: int, count: int, data: st.DataObject) -> None:
    assume(count <= bands)
    rate = data.draw(st.sampled_from([8000, 16000, 44100]))
    low = data.draw(st.integers(0, 300))
    # Above half of the rate, there are no bins.
    high = data.draw(st.integers(low + 1, rate // 2 + 1000))
    options = flexbuffers.encode(
        {
            "upper_frequency_limit": float(high), "lower_frequency_limit": float(low),
            "filterbank_channel_count": bands, "dct_coefficient_count": count,
        }
    )  # fmt: skip
    x = Value(np.square(rng.standard_normal((*shape, bins))).astype(np.float32))
    inputs = [x, steering(rate, data.draw(st.booleans()))]
    check("Mfcc", None, inputs, [("float32", (*shape, count))], custom_options=options, tolerance=1e-6)


@cases
@given(st.data(), shapes(0, 4, 4), rngs, st.sampled_from(["int8", "uint8", "int16", "float16"]))
def test_numeric_verify(data: st.DataObject, shape: Any, rng: Any, dtype: str) -> None:
    quantization = {} if dtype == "float16" else data.draw(quantizations(dtype))
    inputs = [
        Value(random_array(rng, shape, dtype), quantization=quantization),
        Value(random_array(rng, shape, "float32")),
    ]
    options = flexbuffers.encode({"tolerance": 5.0, "log_if_failed": False})
    check("NumericVerify", None, inputs, [("float32", shape)], custom_options=options)


def test_numeric_verify_tells_of_differences() -> None:
    x = Value(np.array([10, 20], np.int8), quantization={"scale": 0.5, "zero_point": 0})
    options = flexbuffers.encode({"tolerance": 2.0, "log_if_failed": True})
    for reference, fits in (([5.5, 9], True), ([5, 11.5], False)):
        inputs = [x, Value(np.float32(reference))]
        if fits:
            check("NumericVerify", None, inputs, [("float32", (2,))], custom_options=options, batch=False)
        else:
            model = one_operator("NumericVerify", None, inputs, [("float32", (2,))], custom_options=options)
            with pytest.raises(ExecutionError, match=r"by up to 1\.5, more than 1"):
                tflite2x.Interpreter(model).run([v.array for v in inputs])


@pytest.mark.parametrize(
    ("op", "options", "shape"),
    [
        ("AudioSpectrogram", {"window_size": 1, "stride": 1}, (4, 1)),
        ("AudioSpectrogram", {"window_size": 4}, (4, 1)),
        ("AudioSpectrogram", {"window_size": 4, "stride": 1}, (4,)),
        ("Mfcc", {}, (1, 1, 8)),
        (
            "Mfcc",
            {"upper_frequency_limit": 400, "filterbank_channel_count": 4, "dct_coefficient_count": 5},
            (1, 1, 8),
        ),
    ],
)
def test_impossible_options_are_refused(op: str, options: Any, shape: Any) -> None:
    inputs = [Value(np.ones(shape, np.float32)), *([steering(8000, True)] if op == "Mfcc" else [])]
    model = one_operator(op, None, inputs, [("float32", (1, 1, 1))], custom_options=flexbuffers.encode(options))
    with pytest.raises(UnsupportedError):
        tflite2x.Interpreter(model).run([inputs[0].array])

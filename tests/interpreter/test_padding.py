# SPDX-License-Identifier: Apache-2.0
"""PAD, PADV2, MIRROR_PAD against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes, steering
from tflite2x.errors import ExecutionError
from tflite2x.schema.enums import MirrorPadMode
from tflite2x.schema.tables import MirrorPadOptions, PadOptions, PadV2Options

TYPES = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")


@cases
@drawn(
    rngs,
    shapes(1, 5, 4),
    st.data(),
    st.sampled_from(TYPES),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([np.int32, np.int64]),
)
def test_pad(rng, shape, data, dtype, constant, with_value, quantized, kind):
    paddings = [[data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))] for _ in shape]
    quantization = {}
    if quantized and dtype in ("int8", "uint8", "int16"):
        low = {"int8": -128, "uint8": 0, "int16": 0}[dtype]
        high = {"int8": 127, "uint8": 255, "int16": 0}[dtype]
        quantization = {"scale": 0.5, "zero_point": data.draw(st.integers(low, high))}
    inputs = [
        Value(random_array(rng, shape, dtype), quantization=quantization),
        steering(paddings, constant, kind),
    ]
    if with_value:
        inputs.append(Value(random_array(rng, (), dtype), data.draw(st.booleans()), quantization=quantization))
    output = (dtype, (), quantization)
    check("PADV2" if with_value else "PAD", PadV2Options() if with_value else PadOptions(), inputs, [output])


@cases
@drawn(rngs, shapes(1, 4, 5), st.data(), st.sampled_from(TYPES), st.sampled_from(list(MirrorPadMode)), st.booleans())
def test_mirror_pad(rng, shape, data, dtype, mode, constant):
    offset = 1 if mode == MirrorPadMode.REFLECT else 0
    paddings = [[data.draw(st.integers(0, n - offset)), data.draw(st.integers(0, n - offset))] for n in shape]
    kind = data.draw(st.sampled_from([np.int32, np.int64]))
    inputs = [Value(random_array(rng, shape, dtype)), steering(paddings, constant, kind)]
    check("MIRROR_PAD", MirrorPadOptions(mode=mode), inputs, [(dtype, ())])


@pytest.mark.parametrize(
    ("op", "options", "paddings", "message"),
    [
        ("PAD", PadOptions(), [[0, -1]], "negative"),
        ("PAD", PadOptions(), [[0, 1], [0, 1]], "rank 1"),
        ("MIRROR_PAD", MirrorPadOptions(mode=MirrorPadMode.REFLECT), [[3, 0]], "more than length 3"),
    ],
)
def test_errors(op, options, paddings, message):
    x = np.zeros(3, np.float32)
    model = one_operator(op, options, [Value(x), steering(paddings, True)], [("float32", (3,))])
    with pytest.raises(ExecutionError, match=message):
        tflite2x.Interpreter(model).run([x])


def test_paddings_that_differ_between_samples_of_one_shape():
    x, paddings = np.arange(3, dtype=np.float32), np.array([[1, 0]], np.int32)
    model = one_operator("PAD", PadOptions(), [Value(x), Value(paddings)], [("float32", (4,))])
    out = tflite2x.Interpreter(model).run_batch([np.stack([x, x]), np.stack([paddings, paddings[:, ::-1]])])
    assert out[0].tolist() == [[0, 0, 1, 2], [0, 1, 2, 0]]

# SPDX-License-Identifier: Apache-2.0
"""Functions of one number against LiteRT's reference kernels, quantized ones on all values of the type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes
from tests.interpreter.quantizations import every, quantizations
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import (
    AbsOptions,
    CosOptions,
    ExpOptions,
    NegOptions,
    SignOptions,
    SquareOptions,
    ZerosLikeOptions,
)

OPTIONS: dict[str, Any] = {
    "ABS": AbsOptions, "NEG": NegOptions, "COS": CosOptions, "EXP": ExpOptions, "SQUARE": SquareOptions,
    "SIGN": SignOptions, "ZEROS_LIKE": ZerosLikeOptions,
}  # fmt: skip
EXACT = ["ABS", "NEG", "SQUARE", "SQRT", "FLOOR", "CEIL", "ROUND", "SIGN", "ZEROS_LIKE"]
LIBRARY = ["RSQRT", "EXP", "LOG", "SIN", "COS"]


def options(op: str) -> Any:
    return OPTIONS[op]() if op in OPTIONS else None


def resolver(op: str) -> str:
    return "BUILTIN_WITHOUT_DEFAULT_DELEGATES" if op in ("CEIL", "ROUND") else "BUILTIN_REF"  # BUILTIN_REF lacks them


@pytest.mark.parametrize("op", [*EXACT, *LIBRARY])
@cases
@given(shape=shapes(0, 5, 6), rng=rngs, halves=st.booleans())
def test_float(op: str, shape: Any, rng: Any, halves: bool) -> None:
    value = random_array(rng, shape, "float32")
    if halves:
        value = np.asarray(np.rint(value * 2) / 2, np.float32)
    if op in ("SQRT", "RSQRT", "LOG"):
        value = np.asarray(np.abs(value) + np.float32(1e-3))
    if op == "EXP":
        value = np.asarray(np.minimum(value, np.float32(80)))
    tolerance = 0.0 if op in EXACT else 1e-6
    check(op, options(op), [Value(value)], [("float32", shape)], tolerance=tolerance, resolver=resolver(op))


@pytest.mark.parametrize(
    ("op", "dtype"),
    [("ABS", "int32"), ("ABS", "int16"), ("NEG", "int32"), ("NEG", "int64"), ("NEG", "int8"), ("NEG", "int16"),
     ("SIGN", "int32"), ("SIGN", "float64"), ("ZEROS_LIKE", "int32"), ("ZEROS_LIKE", "int64")],
)  # fmt: skip
@cases
@given(shape=shapes(), rng=rngs)
def test_plain(op: str, dtype: str, shape: Any, rng: Any) -> None:
    check(op, options(op), [Value(random_array(rng, shape, dtype))], [(dtype, shape)])


@pytest.mark.parametrize("op", ["ABS", "SQRT", "RSQRT", "EXP", "LOG"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@cases
@given(data=st.data())
def test_quantized(op: str, dtype: str, data: st.DataObject) -> None:
    source, out = data.draw(quantizations(dtype)), data.draw(quantizations(dtype))
    value = every(dtype)
    if op in ("SQRT", "RSQRT"):
        value = value[value >= source["zero_point"]]
    check(op, options(op), [Value(value, quantization=source)], [(dtype, value.shape, out)])


def test_square_root_of_a_negative_number_is_refused() -> None:
    q = {"scale": 0.1, "zero_point": 3}
    value = Value(np.int8([3, 2]), quantization=q)
    model = one_operator("SQRT", None, [value], [("int8", (2,), q)])
    with pytest.raises(ExecutionError, match="negative"):
        tflite2x.Interpreter(model).run([value.array])

# SPDX-License-Identifier: Apache-2.0
"""float16 and bfloat16 elementwise operators against LiteRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests.interpreter.one_operator import Value, cases, check, rngs
from tflite2x.schema.tables import (
    AddOptions,
    ATan2Options,
    CastOptions,
    CosOptions,
    EqualOptions,
    GeluOptions,
    LessOptions,
    MaximumMinimumOptions,
    MulOptions,
    NegOptions,
    SoftmaxOptions,
)

UNARY: dict[str, Any] = {
    "LOGISTIC": lambda: None, "TANH": lambda: None, "FLOOR": lambda: None, "ROUND": lambda: None, "NEG": NegOptions,
    "SIN": lambda: None, "COS": CosOptions, "GELU": GeluOptions, "SOFTMAX": lambda: SoftmaxOptions(beta=1.0),
}  # fmt: skip
BINARY: dict[str, Any] = {
    "ADD": AddOptions, "MUL": MulOptions, "MAXIMUM": MaximumMinimumOptions, "MINIMUM": MaximumMinimumOptions,
    "ATAN2": ATan2Options, "EQUAL": EqualOptions, "LESS": LessOptions,
}  # fmt: skip
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def compare(op: str, options: Any, dtype: str, rng: Any, count: int, target: str | None = None) -> None:
    kind: Any = np.float16
    if dtype == "bfloat16":
        kind = pytest.importorskip("ml_dtypes").bfloat16
    arrays = [np.asarray(np.rint(rng.standard_normal((4, 5)) * 64) / 32, np.float32).astype(kind) for _ in range(count)]
    # The Python interface of LiteRT takes no bfloat16 arrays: they are constants there.
    inputs = [Value(a, constant=dtype == "bfloat16", type=dtype) for a in arrays]
    resolver = "BUILTIN_WITHOUT_DEFAULT_DELEGATES" if op == "ROUND" else "BUILTIN_REF"
    check(op, options, inputs, [(target or dtype, (4, 5))], tolerance=EPSILON[dtype], resolver=resolver)


@pytest.mark.parametrize("op", list(UNARY))
@cases
@given(rng=rngs)
def test_float16(op: str, rng: Any) -> None:
    compare(op, UNARY[op](), "float16", rng, 1)


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH", "FLOOR", "ROUND"])
@cases
@given(rng=rngs)
def test_bfloat16_to_float(op: str, rng: Any) -> None:
    compare(op, UNARY[op](), "bfloat16", rng, 1)


@pytest.mark.parametrize("op", list(BINARY))
@cases
@given(rng=rngs)
def test_two_float16(op: str, rng: Any) -> None:
    compare(op, BINARY[op](), "float16", rng, 2, "bool" if op in ("EQUAL", "LESS") else None)


@cases
@given(rng=rngs)
def test_cast_from_bfloat16(rng: Any) -> None:
    compare("CAST", CastOptions(), "bfloat16", rng, 1, "float32")

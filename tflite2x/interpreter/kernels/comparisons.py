# SPDX-License-Identifier: Apache-2.0
"""EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER and GREATER_EQUAL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tflite2x.interpreter import lookup
from tflite2x.interpreter.elementwise import check_types, per_tensor, quiet, right_scaler, two
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.registry import kernel

_NUMBERS = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64")
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
}


@kernel("EQUAL", "NOT_EQUAL", types=(*_NUMBERS, "bool", "string"))
def equality(ctx: KernelContext) -> Run:
    """EQUAL and NOT_EQUAL (LiteRT comparisons.cc); see ``ordering``. int16 is rescaled, too, when it is quantized.

    LiteRT leaves the result of NOT_EQUAL unwritten for int16 without quantization; here it is computed.
    """
    name = check_types(ctx, (*_NUMBERS, "bool", "string"), inputs=2, output=False)
    if name in ("int8", "uint8") or (name == "int16" and ctx.input(0).is_quantized):
        return _quantized(ctx)
    function = _FUNCTIONS[ctx.name]
    return two(ctx, quiet(lambda a, b: np.asarray(function(a, b), np.bool_)))


@kernel("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", types=_NUMBERS)
def ordering(ctx: KernelContext) -> Run:
    """LESS, LESS_EQUAL, GREATER, GREATER_EQUAL (LiteRT comparisons.cc, reference/comparisons.h).

    8-bit values are compared after each is rescaled to real units with 8 extra bits and two roundings, so that values
    that differ by little count as equal. Scales of 1 and more are undefined in LiteRT: see ``right_scaler``.
    """
    name = check_types(ctx, _NUMBERS, inputs=2, output=False)
    return _quantized(ctx) if name in ("int8", "uint8") else two(ctx, quiet(_FUNCTIONS[ctx.name]))


def _quantized(ctx: KernelContext) -> Run:
    a, b, function = ctx.input(0), ctx.input(1), _FUNCTIONS[ctx.name]
    per_tensor(ctx, a, b)
    scale_a, scale_b = right_scaler(a.s), right_scaler(b.s)

    def values(x: Array, y: Array) -> Array:
        result: Array = function(scale_a((x - a.z) << 8), scale_b((y - b.z) << 8))
        return result

    return two(ctx, lookup.binary(values, a.dtype, np.bool_))

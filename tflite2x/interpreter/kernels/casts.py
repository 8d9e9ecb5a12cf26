# SPDX-License-Identifier: Apache-2.0
"""CAST."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite2x.interpreter.elementwise import each, one, quiet, type_name
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.registry import kernel
from tflite2x.ir.dtypes import integer_range

_NUMBERS = (
    "float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
    "bool", "complex64",
)  # fmt: skip
_NARROW = ("int4", "uint4", "int2")


@kernel(
    "CAST",
    types=(f"{', '.join(_NUMBERS)}: each to each", "int4, uint4, int2 -> float32", "float32 -> int4, uint4, int2"),
)
def cast(ctx: KernelContext) -> Run:
    """CAST (LiteRT cast.cc).

    Integers wrap; floats truncate toward zero and saturate, NaN becomes the highest integer; everything but zero is
    true; complex numbers lose their imaginary part.
    """
    source, out = ctx.input(0), ctx.outputs[0]
    name, target = type_name(source), type_name(out)
    dtype = out.dtype
    if name in _NARROW and target == "float32":
        return one(lambda x: x.astype(np.float32))
    if name == "float32" and target in _NARROW:
        low, high = integer_range(out.type)
        return one(quiet(lambda x: np.trunc(np.clip(x, low, high)).astype(dtype)))
    if name not in _NUMBERS or target not in _NUMBERS:
        raise ctx.unsupported(f"CAST from {name} to {target}")
    if name == "complex64" and target != "complex64":
        return one(quiet(lambda x: _convert(x.real, dtype)))
    return each(ctx, quiet(lambda x: _convert(x, dtype)))


def _convert(x: Array, dtype: np.dtype[Any]) -> Array:
    if dtype == np.bool_:
        result: Array = x != 0
        return result
    if np.dtype(dtype).kind in "iu" and x.dtype.kind not in "iub":
        return _saturate(x, dtype)
    if dtype.itemsize == 2 and dtype.kind not in "iu":
        x = x.astype(np.float32)  # narrow floats are made from float32, with two roundings from wider types
    return x.astype(dtype)


def _saturate(x: Array, dtype: np.dtype[Any]) -> Array:
    """Convert floats to integers as LiteRT's SafeCast does."""
    info = np.iinfo(dtype)
    wide = x.astype(np.float64)
    beyond = wide >= float(info.max // 2 + 1) * 2
    below = wide < float(info.min)
    inside = np.where(beyond | below | np.isnan(wide), 0, wide)
    result = np.trunc(inside).astype(dtype)
    result = np.where(beyond | np.isnan(wide), dtype.type(info.max), result)
    return np.where(below, dtype.type(info.min), result)

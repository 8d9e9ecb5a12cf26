# SPDX-License-Identifier: Apache-2.0
"""Strategies for quantization parameters and for shapes that broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.interpreter.one_operator import Value, random_array

Array = NDArray[Any]


def scales(low: int = -12, high: int = 1) -> st.SearchStrategy[float]:
    """Draw float32 scales from 2**low on: powers of two, their neighbours, and anything between."""
    near = st.sampled_from([1.0, 1 + 2**-23, 1 - 2**-24, 1 + 2**-12, 1 - 2**-12, 1.0001])
    between = st.floats(1, 2, width=32)
    return st.builds(lambda e, m: float(np.float32(m * 2.0**e)), st.integers(low, high), near | between)


def zero_points(dtype: str) -> st.SearchStrategy[int]:
    """Draw zero points, the ends of the type among them; 0 for int16, which has no others."""
    if dtype == "int16":
        return st.just(0)
    info = np.iinfo(dtype)
    return st.sampled_from([int(info.min), int(info.max), 0]) | st.integers(int(info.min), int(info.max))


def quantizations(dtype: str, low: int = -12, high: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the quantization of a tensor."""
    return st.fixed_dictionaries({"scale": scales(low, high), "zero_point": zero_points(dtype)})


def every(dtype: str) -> Array:
    """Return all values of an 8- or 16-bit type."""
    info = np.iinfo(dtype)
    return np.arange(info.min, info.max + 1).astype(dtype)


def all_pairs(dtype: str, a: dict[str, Any], b: dict[str, Any], constant: bool = False) -> list[Value]:
    """Return two inputs that broadcast to all pairs of two 8-bit values."""
    return [Value(every(dtype).reshape(256, 1), quantization=a), Value(every(dtype), constant, quantization=b)]


@st.composite
def broadcast_shapes(draw: st.DrawFn, rank: int = 6) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Draw two shapes that broadcast, and the result; equal shapes are frequent."""
    result = draw(st.lists(st.integers(1, 4), max_size=rank).map(tuple))
    if draw(st.integers(0, 3)) == 0:
        return result, result, result

    def part() -> tuple[int, ...]:
        kept = result[draw(st.integers(0, len(result))) :] if draw(st.booleans()) else result
        return tuple(1 if draw(st.integers(0, 2)) == 0 else n for n in kept)

    a, b = part(), part()
    return a, b, np.broadcast_shapes(a, b)


def special_floats(rng: np.random.Generator, shape: tuple[int, ...], share: float = 0.2) -> Array:
    """Return floats of many sizes with infinities, zeros and the largest values among them."""
    values = random_array(rng, shape, "float32")
    rare = rng.choice(np.float32([np.inf, -np.inf, 0.0, -0.0, 3.4e38, -3.4e38, 1e-40]), shape)
    return np.where(rng.random(shape) < share, rare, values).astype(np.float32)

# SPDX-License-Identifier: Apache-2.0
"""Random quantization parameters for tests of kernels with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

BOUNDS = {"int4": (-8, 7), "int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


def quantization_of(rng: np.random.Generator, dtype: str, scale: float | None = None) -> dict[str, Any]:
    """Return a scale, and a zero point where the type may have one; often at an end of the range."""
    low, high = (0, 0) if dtype == "int16" else BOUNDS[dtype]
    zero_point = int(rng.choice([low, high, 0, rng.integers(low, high, endpoint=True)]))
    return {"scale": float(rng.uniform(0.001, 0.5)) if scale is None else scale, "zero_point": zero_point}


def scales(rng: np.random.Generator, count: int, extreme: bool) -> Any:
    """Return filter scales: close together, or powers of two and their neighbours over a wide range."""
    if not extreme:
        values = rng.uniform(0.001, 0.01, count)
    else:
        values = 2.0 ** rng.integers(-14, -3, count) * rng.choice([1, 1 - 2.0**-24, 1 + 2.0**-23], count)
    return [float(v) for v in values] if count > 1 else float(values[0])

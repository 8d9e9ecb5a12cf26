# SPDX-License-Identifier: Apache-2.0
"""Layers and parameters to test with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.xs3 import Layer, Parameters, pack
from tflite2x.xs3.kernel import accumulator_range, outside_domain


def f32(value: Any) -> Any:
    """Round to float32 and widen, as scales read from a file are."""
    return np.asarray(np.float32(value), np.float64)[()]


def plausible(rng: np.random.Generator, channels: int, columns: int, per_channel: bool = True, **changes: Any) -> Layer:
    """Make a layer as training and conversion make them: the outputs of random inputs fill a good part of int8."""
    weights = np.clip(np.round(rng.normal(0, 40, (channels, columns))), -127, 127).astype(np.int8)
    input_scale = float(f32(rng.uniform(0.01, 0.1)))
    weight_scales = np.atleast_1d(f32(rng.uniform(0.002, 0.01, channels if per_channel else 1)))
    wide = weights.astype(np.float64)
    spread = input_scale * weight_scales.mean() * np.sqrt(np.einsum("ij,ij->i", wide, wide).mean() * 5461)
    bias = np.round(rng.normal(0, 0.5, channels) * spread / (input_scale * weight_scales))
    values: dict[str, Any] = {
        "weights": weights,
        "bias": bias.astype(np.int32),
        "input_scale": input_scale,
        "input_zero_point": int(rng.integers(-128, 128)),
        "weight_scales": weight_scales,
        "output_scale": float(f32(spread * rng.uniform(4, 10) / 255)),
        "output_zero_point": int(rng.integers(-60, 60)),
    }
    return Layer(**values | changes)


def random_parameters(rng: np.random.Generator, weights: NDArray[np.int8]) -> NDArray[np.int16]:
    """Make a BSO block with parameters from the whole domain of the kernel, extreme ones included."""
    channels = len(weights)
    low, high = accumulator_range(weights)

    def draw() -> Parameters:
        limit = np.exp2(rng.uniform(0, 31, channels))
        bias = np.clip(rng.uniform(-1, 1, channels) * limit, -(2**31) + 1, 2**31 - 1)
        corner = np.array([-32768, -1, 0, 1, 32767])
        pick = rng.random((3, channels)) < 0.2
        a, b, c = np.where(pick, rng.choice(corner, (3, channels)), rng.integers(-32768, 32768, (3, channels)))
        return Parameters(bias.astype(np.int64), rng.integers(0, 32, channels), a, b, c, rng.integers(0, 32, channels))

    parameters = draw()
    for _ in range(1000):
        bad = outside_domain(low + parameters.bias, high + parameters.bias, parameters)
        if not bad.any():
            return pack(parameters)
        parameters = draw().where(bad, parameters)
    raise AssertionError("no parameters inside of the domain were found")

# SPDX-License-Identifier: Apache-2.0
"""Combining values that go to the same place, in their order."""

from __future__ import annotations

import math

import numpy as np

from tflite2x.interpreter.kernel import Array


def combine_at(ufunc: np.ufunc, result: Array, places: Array, values: Array) -> None:
    """Combine ``values`` into ``result`` in place, one entry after the other where several go to one place.

    NumPy has fast loops for single elements and one index; rows and two indices take it three to seven times as long.

    Args:
        ufunc: ``np.add`` and the like.
        result: [N, P, *rest], contiguous.
        places: [N, E], or [1, E] for all samples: below P.
        values: [N, E, *rest], or [1, E, *rest] for all samples.
    """
    samples, number, rest = len(result), result.shape[1], math.prod(result.shape[2:])
    first = np.arange(samples)[:, None] * number + places
    index = first.reshape(-1, 1) * rest + np.arange(rest)
    values = np.broadcast_to(values, (samples, *values.shape[1:]))
    ufunc.at(result.reshape(-1), index.reshape(-1), values.reshape(-1))

# SPDX-License-Identifier: Apache-2.0
"""Taking the sample axis apart and putting it together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, SampleDependent


def pick(array: Array, sample: int) -> Array:
    """Return one sample of an array with a sample axis of length N or 1, with a sample axis of length 1."""
    return array if len(array) == 1 else array[sample : sample + 1]


def stack(parts: Sequence[Array]) -> Array:
    """Join the results of single samples along the sample axis.

    Raises:
        SampleDependent: The results have different shapes.
    """
    if len({part.shape[1:] for part in parts}) != 1:
        raise SampleDependent
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def spread(array: Array, samples: int) -> Array:
    """Return an array of the caller's own whose sample axis has its full length."""
    if len(array) != samples:
        return np.repeat(array, samples, axis=0)
    return array if array.flags.owndata and array.flags.writeable else array.copy()

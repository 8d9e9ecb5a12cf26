# SPDX-License-Identifier: Apache-2.0
"""How good a model's outputs are: accuracy, agreement with a reference, relative error."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """What can be said about the outputs of one model; None where it does not apply.

    Attributes:
        name: The model.
        samples: Number of samples.
        accuracy: Share of samples whose largest output is the label's.
        agreement: Share of samples whose largest output is that of the reference.
        relative_error: Mean over samples of ``norm(output - reference) / norm(reference)``, where the reference is not
            zero.
        seconds: Time that the outputs took.
    """

    name: str
    samples: int
    accuracy: float | None = None
    agreement: float | None = None
    relative_error: float | None = None
    seconds: float = 0.0


def score(
    name: str, outputs: Array, labels: Array | None = None, reference: Array | None = None, seconds: float = 0.0
) -> Score:
    """Score the outputs of a model.

    Args:
        name: The model.
        outputs: Real numbers ``[N, ...]``; classes are compared where a sample is a vector of more than one value.
        labels: Integers ``[N]``.
        reference: Outputs to compare with; those of another number of values per sample are passed over.
        seconds: Time that the outputs took.
    """
    rows = _rows(outputs)
    chosen = rows.argmax(axis=1)
    classes = sum(n > 1 for n in outputs.shape[1:]) == 1
    accuracy = agreement = error = None
    if classes and labels is not None and labels.shape == (len(rows),) and _are_classes(labels, rows.shape[1]):
        accuracy = float((chosen == labels).mean())
    expected = None if reference is None else _rows(reference)
    if expected is not None and expected.shape == rows.shape:
        if classes:
            agreement = float((chosen == expected.argmax(axis=1)).mean())
        size = np.linalg.norm(expected, axis=1)
        gaps = np.linalg.norm(rows - expected, axis=1)
        error = float((gaps[size > 0] / size[size > 0]).mean()) if np.any(size > 0) else None
    return Score(name, len(rows), accuracy, agreement, error, seconds)


def _rows(values: Array) -> NDArray[np.float64]:
    return values.reshape(len(values), -1).astype(np.float64)


def _are_classes(labels: Array, count: int) -> bool:
    return bool(labels.dtype.kind in "iu" and labels.size and labels.min() >= 0 and labels.max() < count)

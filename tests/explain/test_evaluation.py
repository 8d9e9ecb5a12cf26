# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tflite2x.explain.evaluation import score

OUTPUTS = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.5, 0.4]], np.float32)


def test_accuracy_agreement_and_error():
    reference = np.array([[0.0, 1.0], [1.0, 0.0], [0.6, 0.4], [1.0, 0.0]])
    s = score("m", OUTPUTS, np.array([1, 0, 1, 1]), reference)
    assert (s.samples, s.accuracy, s.agreement) == (4, 0.75, 0.75)
    gaps = np.linalg.norm(OUTPUTS - reference, axis=1) / np.linalg.norm(reference, axis=1)
    assert s.relative_error == pytest.approx(gaps.mean())


def test_the_batch_axis_of_a_model_does_not_matter():
    s = score("m", OUTPUTS[:, None, :], np.array([1, 0, 1, 0]), OUTPUTS)
    assert (s.accuracy, s.agreement, s.relative_error) == (1.0, 1.0, 0.0)


def test_references_of_zero_are_left_out_of_the_mean():
    reference = OUTPUTS.copy()
    reference[0] = 0
    assert score("m", OUTPUTS, None, reference).relative_error == 0.0
    assert score("m", OUTPUTS, None, np.zeros_like(OUTPUTS)).relative_error is None


def test_what_does_not_apply_is_none():
    s = score("m", OUTPUTS, np.array([1, 0, 1, 2]), np.zeros((4, 3)))
    assert (s.accuracy, s.agreement, s.relative_error) == (None, None, None)
    s = score("m", np.ones((4, 3, 5)), np.array([1, 0, 1, 2]), np.ones((4, 3, 5)))
    assert (s.accuracy, s.agreement, s.relative_error) == (None, None, 0.0)
    s = score("m", np.ones((4, 1)), np.array([0, 0, 0, 0]), np.ones((4, 1)))
    assert (s.accuracy, s.agreement) == (None, None)

# SPDX-License-Identifier: Apache-2.0
"""Models whose outputs have other shapes for other samples: they are compared one sample at a time."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

import tflite2x
from tflite2x import CheckFailedError, Pass, PassResult, Pipeline, Verify
from tflite2x.errors import RaggedOutputError
from tflite2x.ir import Model


def places_of_large_values() -> Model:
    """Float input, an operator that does nothing, a comparison with a constant, and WHERE."""
    model = Model.new()
    g = model.main
    x = g.add_input("x", (8,), "float32")
    same = g.add_tensor("same", (8,), "float32")
    g.add_operator("RESHAPE", [x, g.add_constant("shape", np.array([8], np.int32))], [same])
    flags, places = g.add_tensor("flags", (8,), "bool"), g.add_tensor("places", (-1, 1), "int64")
    g.add_operator("GREATER", [same, g.add_constant("limit", np.float32(0.5))], [flags])
    g.add_operator("WHERE", [flags], [places])
    g.set_outputs([places])
    return model


@dataclasses.dataclass(frozen=True)
class OtherLimit(Pass):
    """Claims to change nothing, and moves the limit."""

    name: ClassVar[str] = "other-limit"

    def run(self, model: Model) -> PassResult:
        model.main.tensor("limit").data = np.float32(0.25)
        return PassResult(modified=True)


def test_a_batch_says_what_is_wrong() -> None:
    model = places_of_large_values()
    samples = np.linspace(-1, 2, 24, dtype=np.float32).reshape(3, 8)
    with pytest.raises(RaggedOutputError, match="one at a time"):
        tflite2x.Interpreter(model).run_batch([samples])


def test_good_passes_are_shown_to_be_good() -> None:
    model = places_of_large_values()
    before = model.clone()
    report = Pipeline.parse("remove-identities,cleanup").run(model, Verify(samples=8))
    assert [op.name for op in model.main.operators] == ["GREATER", "WHERE"]
    assert report.total.samples >= 8
    result = tflite2x.verify(before, model, samples=8)
    assert result.equal
    assert result.samples >= 8


def test_wrong_passes_are_caught() -> None:
    model = places_of_large_values()
    with pytest.raises(CheckFailedError, match="other-limit"):
        Pipeline([OtherLimit()]).run(model, Verify(samples=8))
    other = places_of_large_values()
    other.main.tensor("limit").data = np.float32(0.25)
    result = tflite2x.verify(model, other, samples=8)
    assert not result.equal


def test_own_samples() -> None:
    model, other = places_of_large_values(), places_of_large_values()
    samples = np.linspace(-1, 2, 24, dtype=np.float32).reshape(3, 8)
    assert tflite2x.verify(model, other, samples={"x": samples}).samples == 3

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.xs3.golden import cases
from tflite2x.errors import UnsupportedError
from tflite2x.xs3.layer import Layer
from tflite2x.xs3.lowering_2021 import lower_2021

LOWERINGS = list(cases("xc_fc_lowering_2021"))


def golden_layer(case) -> Layer:
    scale, zero_point = case["osc"]
    bias = case["b"] if case["hasb"] else None
    return Layer(
        weights=case["W"],
        bias=bias,
        input_scale=float(case["isc"]),
        input_zero_point=int(case["izp"]),
        weight_scales=case["ws"],
        output_scale=float(scale),
        output_zero_point=int(zero_point),
    )


def test_there_are_golden_lowerings():
    assert len(LOWERINGS) == 20


@pytest.mark.parametrize("case", LOWERINGS)
def test_golden_lowerings_byte_for_byte(case):
    weights, bso = lower_2021(golden_layer(case))
    assert weights.tobytes() == case["Wx"].tobytes()
    assert bso.tobytes() == case["BSO"].tobytes()
    assert (weights.shape, bso.shape) == (case["Wx"].shape, case["BSO"].shape)


def test_offset_of_the_published_example():
    layer = Layer(np.ones((1, 4), np.int8), None, 0.01, 0, np.array([0.01]), 0.1, -13)
    _, bso = lower_2021(layer)
    assert (bso[0, 4, 0], bso[0, 5, 0], bso[0, 6, 0]) == (5221, -5222, 21)


def test_huge_multipliers_are_refused():
    layer = Layer(np.ones((1, 4), np.int8), None, 1000.0, 0, np.array([1000.0]), 0.1, 0, name="fc")
    with pytest.raises(UnsupportedError, match=r"fc: the multiplier of channel 0 is so large"):
        lower_2021(layer)


def test_tiny_multipliers_are_refused():
    layer = Layer(np.ones((1, 4), np.int8), None, 1e-9, 0, np.array([1e-9]), 1.0, 0, name="fc")
    with pytest.raises(UnsupportedError, match=r"fc: the multiplier of channel 0 is so small"):
        lower_2021(layer)

# SPDX-License-Identifier: Apache-2.0
"""The two functions that the proof compares are the ones that run: TFLite's layer and the operator XC_fc."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.passes.test_xc_fc import model_of
from tests.xs3.layers import plausible
from tflite2x import ActivationFunctionType as Activation
from tflite2x.passes.xc_fc import XcFc
from tflite2x.xs3 import fully_connected_8, layer_of, lower_best
from tflite2x.xs3.thresholds import tflite_run


def layers():
    rng = np.random.default_rng(0)
    for per_channel in (True, False):
        yield plausible(rng, 12, 40, per_channel=per_channel)
    # Powers of two make halves, where roundings part.
    layer = plausible(rng, 12, 6, per_channel=False)
    for exponent in (0, 1, 4, 9):
        scale = np.array([2.0**-exponent])
        yield dataclasses.replace(layer, input_scale=1.0, weight_scales=scale, output_scale=1.0)
    yield dataclasses.replace(layer, output_scale=layer.input_scale * float(layer.weight_scales[0]) / 3.0)


@pytest.mark.parametrize("activation", [Activation.NONE, Activation.RELU, Activation.RELU6])
@pytest.mark.parametrize("layer", list(layers()))
def test_the_reference_is_what_litert_and_the_interpreter_compute(layer, activation):
    model = model_of(layer, activation)
    x = np.random.default_rng(1).integers(-128, 128, (400, 1, layer.weights.shape[1]), np.int8)
    read = layer_of(model.main.operators[0])
    for rounding in ("single", "double"):
        (expected,) = tflite2x.Interpreter(model, rounding=rounding).run_batch([x])
        np.testing.assert_array_equal(tflite_run(read, x, rounding), expected)
    data = tflite2x.dumps(model)
    litert = np.stack([litert_run(data, [sample])[0] for sample in x[:60]])
    np.testing.assert_array_equal(tflite_run(read, x[:60]), litert)


def test_the_operator_computes_what_was_proved():
    layer = plausible(np.random.default_rng(2), 33, 45)
    model = model_of(layer)
    x = np.random.default_rng(3).integers(-128, 128, (300, 1, 45), np.int8)
    expected = fully_connected_8(x, *lower_best(layer_of(model.main.operators[0])))
    XcFc()(model)
    np.testing.assert_array_equal(tflite2x.Interpreter(model).run_batch([x])[0], expected)

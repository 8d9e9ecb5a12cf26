# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.xs3.layers import f32, plausible
from tflite2x.errors import UnsupportedError
from tflite2x.xs3 import Layer, fully_connected_8, lower_2021, lower_best, prove, unpack
from tflite2x.xs3.kernel import requantize
from tflite2x.xs3.layout import pack
from tflite2x.xs3.thresholds import certify, tflite_outputs, tflite_run, tflite_thresholds, xc_thresholds

ROUNDINGS = ("single", "double")
LOWERINGS = (lower_2021, lower_best)


def wild(rng: np.random.Generator, channels: int, columns: int) -> Layer:
    """A layer nobody trained: common divisors, multipliers from 2**-12 to 2**8, clamps."""
    weights = rng.integers(-9, 10, (channels, columns)) * rng.choice([1, 2, 3, 7, 14])
    limit = 2 ** int(rng.integers(1, 14))
    return Layer(
        weights=weights.clip(-128, 127).astype(np.int8),
        bias=rng.integers(-limit, limit, channels).astype(np.int32) if rng.random() < 0.8 else None,
        input_scale=float(f32(2.0 ** rng.uniform(-8, 0))),
        input_zero_point=int(rng.integers(-128, 128)),
        weight_scales=np.atleast_1d(f32(2.0 ** rng.uniform(-6, 4, channels if rng.random() < 0.5 else 1))),
        output_scale=float(f32(2.0 ** rng.uniform(-4, 2))),
        output_zero_point=int(rng.choice([-128, 127, rng.integers(-128, 128)])),
        activation=[(-128, 127), (-128, 127), (-5, 127), (-128, 99), (-5, 99)][rng.integers(5)],
    )


ALL_PAIRS = np.stack(np.meshgrid(*[np.arange(-128, 128)] * 2, indexing="ij"), -1).reshape(-1, 2).astype(np.int8)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("lower", LOWERINGS)
@pytest.mark.parametrize("seed", range(6))
def test_the_proof_equals_trying_every_input(seed, lower, rounding):
    rng = np.random.default_rng(seed)
    bounds = set()
    for _ in range(4):
        layer = wild(rng, 3, 2)
        weights, bso = lower(layer)
        proof = prove(layer, weights, bso, rounding)
        gap = np.abs(tflite_run(layer, ALL_PAIRS, rounding).astype(int) - fully_connected_8(ALL_PAIRS, weights, bso))
        acc = ALL_PAIRS.astype(int) @ layer.weights.T
        assert proof.bound == gap.max()
        assert proof.channel_bound.tolist() == gap.max(axis=0).tolist()
        counted = [len(np.unique(acc[gap[:, c] > 0, c])) for c in range(layer.channels)]
        assert proof.channel_differing.tolist() == counted
        assert proof.exact
        assert proof.attained
        assert (proof.witness is None) == (proof.bound == 0)
        bounds.add(proof.bound)
    assert bounds


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_plausible_layers_are_within_one_step_and_best_is_better(rounding):
    rng = np.random.default_rng(7)
    differing = dict.fromkeys(LOWERINGS, 0)
    mismatches = dict.fromkeys(LOWERINGS, 0)
    for channels, columns in ((10, 784), (16, 30), (33, 64), (1, 128), (5, 9)):
        layer = plausible(rng, channels, columns, per_channel=channels % 2 == 0)
        x = rng.integers(-128, 128, (20_000, columns), np.int8)
        expected = tflite_run(layer, x, rounding)
        for lower in LOWERINGS:
            weights, bso = lower_best(layer, rounding) if lower is lower_best else lower_2021(layer)
            proof = prove(layer, weights, bso, rounding)
            gap = np.abs(fully_connected_8(x, weights, bso).astype(int) - expected)
            assert gap.max() <= proof.bound == 1
            assert proof.attained
            assert proof.witness is not None
            differing[lower] += proof.differing
            mismatches[lower] += int((gap > 0).sum())
    # A grid half as fine gives one half; few channels scatter around it. The corpus is held to one half as a whole.
    assert differing[lower_best] <= 0.55 * differing[lower_2021]
    assert mismatches[lower_best] <= 0.55 * mismatches[lower_2021]


def test_the_witness_shows_the_difference_and_is_an_input():
    layer = plausible(np.random.default_rng(3), 8, 50)
    weights, bso = lower_best(layer)
    witness = prove(layer, weights, bso).witness
    assert witness is not None
    assert witness.x.shape == (50,)
    assert witness.x.dtype == np.int8
    assert tflite_run(layer, witness.x)[witness.channel] == witness.tflite
    assert fully_connected_8(witness.x, weights, bso)[witness.channel] == witness.xc
    assert witness.tflite != witness.xc


def test_a_damaged_block_gets_its_true_bound():
    layer = plausible(np.random.default_rng(4), 20, 60)
    weights, bso = lower_best(layer)
    parameters = unpack(bso, 20)
    scale = parameters.scale.copy()
    scale[7] = scale[7] // 2
    broken = pack(dataclasses.replace(parameters, scale=scale))
    proof = prove(layer, weights, broken)
    assert proof.bound > 20
    assert int(np.argmax(proof.channel_bound)) == 7
    assert proof.witness is not None
    assert abs(proof.witness.tflite - proof.witness.xc) == proof.bound


def test_no_difference_is_a_bound_of_zero():
    # Multiplier 1/2 exactly, a stage without lost bits: both functions are the same.
    layer = Layer(np.eye(4, dtype=np.int8), None, 0.5, 0, np.array([1.0]), 1.0, 0)
    proof = prove(layer, *lower_best(layer))
    assert (proof.bound, proof.differing, proof.attained, proof.witness) == (0, 0, True, None)


def test_certify_notices_a_wrong_threshold():
    layer = plausible(np.random.default_rng(5), 3, 40)
    low, high = layer.range
    thresholds = tflite_thresholds(layer, "single")
    column = int(np.flatnonzero(((thresholds > low[:, None]) & (thresholds < high[:, None])).all(axis=0))[0])
    for shift in (-1, 1):
        wrong = thresholds.copy()
        wrong[1, column] += shift
        with pytest.raises(AssertionError, match="thresholds of TFLite"):
            certify(wrong, low, high, "TFLite", lambda acc: tflite_outputs(layer, acc, "single"))
    _, bso = lower_best(layer)
    parameters = unpack(bso, 3)
    moved = parameters.bias - layer.constant
    good = xc_thresholds(parameters, layer.constant)
    certify(good, low, high, "XC_fc", lambda acc: requantize(acc + moved, parameters))


def test_refusals_say_why():
    rng = np.random.default_rng(6)
    layer = plausible(rng, 4, 12, name="dense")
    weights, bso = lower_best(layer)
    with pytest.raises(UnsupportedError, match="dense: the weights of the XC_fc are not those"):
        prove(layer, -weights, bso)
    negative = pack(dataclasses.replace(unpack(bso), scale=-unpack(bso).scale))
    with pytest.raises(UnsupportedError, match=r"dense: channel 0: the scale is negative"):
        prove(layer, weights, negative)
    far = pack(dataclasses.replace(unpack(bso), bias=np.full(16, 2**31 - 1)))
    with pytest.raises(UnsupportedError, match="can leave 32 bits"):
        prove(layer, weights, far)
    huge = dataclasses.replace(layer, bias=np.full(4, 2**31 - 5, np.int32))
    with pytest.raises(UnsupportedError, match="outside of int32, in TFLite itself"):
        lower_best(huge)
    with pytest.raises(UnsupportedError, match="outside of int32, in TFLite itself"):
        prove(huge, *lower_2021(huge))

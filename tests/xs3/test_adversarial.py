# SPDX-License-Identifier: Apache-2.0
"""Layers made to break the lowering: each is proved, and the proof holds on inputs, or it is refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from tests.xs3.layers import f32, plausible
from tflite2x.errors import UnsupportedError
from tflite2x.xs3 import Layer, fully_connected_8, lower_2021, lower_best, prove
from tflite2x.xs3.thresholds import tflite_run


def layer(weights, multiplier, *, bias=None, zx=0, zy=0, activation=(-128, 127)) -> Layer:
    weights = np.asarray(weights, np.int8)
    scales = np.atleast_1d(f32(multiplier))
    bias = None if bias is None else np.broadcast_to(np.asarray(bias, np.int32), len(weights)).copy()
    return Layer(weights, bias, 1.0, zx, scales, 1.0, zy, activation=activation, name="adversarial")


def normal(channels=6, columns=40, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(np.round(rng.normal(0, 40, (channels, columns))), -128, 127).astype(np.int8)


ONE_HOT = np.zeros((9, 30), np.int8)
ONE_HOT[np.arange(8), np.arange(8)] = [1, -1, 2, 50, -128, 127, 3, -77]

CASES = {
    **{
        f"multiplier near 2**{e}, {d:+d} ulp": layer(normal(), np.float32(2.0**e) * np.float32(1 + d * 2.0**-23))
        for e in (-3, -9, -12, -15, -20)
        for d in (-1, 0, 1)
    },
    **{
        f"multiplier {name} a 15-bit tie": layer(normal(), 2.0**-10 * (1 + (2 * 12345 + 1) / 2**15) * (1 + d))
        for name, d in (("below", -1e-6), ("at", 0.0), ("above", 1e-6))
    },
    **{f"output zero point {z}": layer(normal(), 0.011, zy=z, zx=z) for z in (-128, -127, 126, 127)},
    "one-hot weights": layer(ONE_HOT, 0.9, bias=3, zy=-5),
    "one-hot weights, multiplier above 1": layer(ONE_HOT, 3.3, bias=-3, zy=100),
    "all-zero rows": layer(np.zeros((5, 12)), 0.01, bias=[-20000, -1, 0, 1, 20000], zy=17),
    "all-zero rows, large bias": layer(np.zeros((3, 12)), 1e-6, bias=[2**31 - 1, -(2**31), 0], zy=-128),
    "constant output": layer(normal(3), 1e-7, bias=5, zy=3),
    "bias far above": layer(normal(), 0.01, bias=10**8),
    "bias far below": layer(normal(), 0.01, bias=-(10**8), zy=40),
    "bias near the end of int32": layer(normal(), 2.0**-24, bias=2**31 - 10**6),
    "bias near the start of int32": layer(normal(), 2.0**-24, bias=-(2**31) + 10**6),
    "bias over the end of int32": layer(normal(), 2.0**-24, bias=2**31 - 10),
    "input zero point pushes over int32": layer(np.full((2, 8192), 127), 2.0**-22, bias=2**31 - 2 * 10**8, zx=-128),
    "multiplier 300": layer(normal(), 300.0, zy=-3),
    "multiplier 70000": layer(normal(), 70000.0, zy=5),
    "multiplier 2**30": layer(normal(1, 4), 2.0**30),
    "multiplier 1": layer(normal(), 1.0),
    "multiplier 1.0000001": layer(normal(), 1.0000001),
    "multiplier 2**-21": layer(np.full((4, 8192), 127), 2.0**-21, zy=9),
    "multiplier 2**-26": layer(np.full((4, 8192), -128), 2.0**-26, bias=[1, 2**29, -(2**29), 0], zy=-60),
    "multiplier 2**-33": layer(normal(), 2.0**-33, bias=2**30),
    "few codes far from zero": layer(normal(), 2.0**-15, zy=120),
    "one threshold": layer(normal(8, 20), 2.0**-17, bias=2**16, zy=-77),
    "low clamp": layer(normal(), 0.01, zy=-20, activation=(-20, 127)),
    "high clamp": layer(normal(), 0.01, zy=-20, activation=(-128, 60)),
    "both clamps": layer(normal(), 0.01, zy=-20, activation=(-20, 60)),
    "clamp above everything reachable": layer(normal(), 1e-5, zy=0, activation=(-100, 100)),
    "clamp to one code": layer(normal(), 0.01, zy=127, activation=(127, 127)),
}


@pytest.mark.parametrize("rounding", ["single", "double"])
@pytest.mark.parametrize("lower", [lower_2021, lower_best])
@pytest.mark.parametrize("name", CASES)
def test_proved_or_refused_but_never_wrong(name, lower, rounding):
    case = CASES[name]
    try:
        weights, bso = lower(case)
        proof = prove(case, weights, bso, rounding)
    except UnsupportedError:
        return
    rng = np.random.default_rng(1)
    columns = case.weights.shape[1]
    x = rng.integers(-128, 128, (600, columns), np.int8)
    x[:50] = rng.choice([-128, 127], (50, columns))
    # Inputs along each channel's own extremes sweep the whole range of its accumulator.
    share = np.linspace(0, 1, 101)[:, None, None]
    ends = [np.where(case.weights > 0, a, b) for a, b in ((-128, 127), (127, -128))]
    sweep = np.round(ends[0] + share * (ends[1] - ends[0])).astype(np.int8).reshape(-1, columns)
    x = np.concatenate([x, sweep])
    gap = np.abs(tflite_run(case, x, rounding).astype(int) - fully_connected_8(x, weights, bso))
    assert (gap.max(axis=0) <= proof.channel_bound).all()
    if proof.attained:
        assert proof.bound == 0 or proof.witness is not None


#: What `best` must reach: these are hard, not hopeless.
EXPECTED = dict.fromkeys(CASES, 1) | {"both clamps": 255}
REFUSED = {
    "bias over the end of int32",
    "input zero point pushes over int32",
    "multiplier 70000",
    "multiplier 2**30",
}


@pytest.mark.parametrize("name", CASES)
def test_best_stays_within_one_step(name):
    case = CASES[name]
    if name in REFUSED:
        with pytest.raises(UnsupportedError, match="in TFLite itself"):
            prove(case, *lower_best(case))
        return
    assert prove(case, *lower_best(case)).bound <= EXPECTED[name]


@pytest.mark.parametrize("name", CASES)
def test_best_is_never_worse_than_2021(name):
    case = CASES[name]
    try:
        old = prove(case, *lower_2021(case))
    except UnsupportedError:
        return
    new = prove(case, *lower_best(case))
    assert (new.channel_bound <= old.channel_bound).all()
    assert (new.channel_differing[new.channel_bound <= 1] <= old.channel_differing[new.channel_bound <= 1]).all()


def test_largest_layer_in_under_a_second():
    import time

    case = plausible(np.random.default_rng(0), 1000, 1280)
    start = time.perf_counter()
    proof = prove(case, *lower_best(case))
    # A second on an idle core; three leave room for a busy one.
    assert time.perf_counter() - start < 3
    assert proof.bound == 1

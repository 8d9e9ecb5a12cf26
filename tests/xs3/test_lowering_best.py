# SPDX-License-Identifier: Apache-2.0
"""The search of the best parameters, held to a plain version of itself: one candidate after the other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.xs3.layers import plausible
from tflite2x.xs3 import lowering_best
from tflite2x.xs3.thresholds import CODES, tflite_thresholds


def plain_search(p, grid, phases, nudges, clamped):
    """What ``_search_grid`` returns, in accumulators instead of grid steps and with every pass spelled out."""
    step, unit, scale, centre = (a[:, None] for a in (2**grid.shift1, 2**grid.shift2, grid.scale, grid.centre))
    codes = (CODES * unit - np.floor(unit / 2)) / scale
    low, high, half = p.low[:, None], p.high[:, None] + 1, np.floor(step / 2)
    pivot = lowering_best._pivot(p, grid, codes)[:, None]
    best = [(np.inf, None, None)] * len(p.low)
    for phase in range(phases):
        moved = centre + np.floor(phase * step / phases) - half
        for nudge in np.linspace(-0.5, 0.5, nudges):
            wanted = (p.multiplier[:, None] * moved + p.zero_point[:, None]) * unit
            total = np.round(wanted + (pivot + nudge) * scale)
            v = np.ceil(codes - total / scale)
            acc = v * step + moved - half
            if clamped:
                acc = np.where(v <= -32767, low, np.where(v > 32767, high, acc))
            costs = np.einsum("ij,ij->i", p.weight, np.abs(np.clip(acc, low, high) - p.target))
            for c, cost in enumerate(costs):
                if cost < best[c][0]:
                    best[c] = (cost, moved[c, 0], total[c, 0])
    return (np.array(column) for column in zip(*best, strict=True))


def problem_and_grid(layer, shift1):
    p = lowering_best._problem(layer, tflite_thresholds(layer, "single"))
    p = p.select(np.flatnonzero(p.varies))
    shift1 = np.broadcast_to(np.asarray(shift1, np.float64), p.low.shape)
    slope, centre = p.multiplier * 2**shift1, lowering_best._centre(p, shift1)
    shift2 = lowering_best._second_shift(slope, np.abs(p.multiplier * centre + p.zero_point))
    return p, lowering_best._Grid(shift1, centre, np.clip(np.round(slope * 2**shift2), 1, 32767), shift2)


LAYERS = {
    "wide": lambda rng: plausible(rng, 20, 100),
    # Few accumulators: the ends of the interval cut thresholds off.
    "narrow": lambda rng: plausible(rng, 20, 2),
    "low clamp": lambda rng: plausible(rng, 20, 60, activation=(10, 127)),
    "both clamps": lambda rng: plausible(rng, 20, 60, activation=(-60, 40)),
    # Many accumulators per code: the 16 bits saturate at a fine grid.
    "coarse": lambda rng: plausible(
        rng, 20, 300, input_scale=0.05, weight_scales=np.array([0.005]), output_scale=0.25, activation=(10, 120)
    ),
    "halves": lambda rng: plausible(
        rng, 20, 30, input_scale=0.125, weight_scales=np.array([0.125]), output_scale=0.5, output_zero_point=3
    ),
}


@pytest.mark.parametrize("shift1", [0, 1, 2, 5, "mixed"])
@pytest.mark.parametrize("name", LAYERS)
def test_search_equals_a_plain_one(name, shift1):
    rng = np.random.default_rng([list(LAYERS).index(name), 8])
    layer = LAYERS[name](rng)
    channels = int(lowering_best._problem(layer, tflite_thresholds(layer, "single")).varies.sum())
    assert channels > 5
    p, grid = problem_and_grid(layer, rng.integers(0, 6, channels) if shift1 == "mixed" else shift1)
    for clamped in (False, True):
        found = lowering_best._search_grid(p, grid, 8, 5, clamped)
        cost, centre, total = plain_search(p, grid, 8, 5, clamped)
        # Bit for bit: the parameters of a layer must not depend on how fast they are found.
        np.testing.assert_array_equal(found.cost, cost)
        np.testing.assert_array_equal(found.centre, centre)
        np.testing.assert_array_equal(found.total, total)


@pytest.mark.parametrize("name", LAYERS)
def test_a_channel_does_not_depend_on_its_neighbours(name):
    """Passes that no channel of a block needs are left out; that must not be seen in the others."""
    layer = LAYERS[name](np.random.default_rng([list(LAYERS).index(name), 9]))
    p, grid = problem_and_grid(layer, 3)
    for clamped in (False, True):
        together = lowering_best._search_grid(p, grid, 8, 9, clamped)
        for c in range(len(p.low)):
            one = np.array([c])
            alone = lowering_best._search_grid(p.select(one), grid.select(one), 8, 9, clamped)
            for field in dataclasses.fields(alone):
                assert getattr(alone, field.name)[0] == getattr(together, field.name)[c]


@pytest.mark.parametrize("inner", [-1, 0, 1, 2])
@pytest.mark.parametrize("place", [0, 32640, -32640])
@pytest.mark.parametrize("clamped", [False, True])
def test_costs_where_thresholds_just_leave(inner, place, clamped):
    """One threshold beyond the interval, or beyond the 16 bits, is enough for the passes that deal with it."""
    codes = CODES[None] + place + np.arange(-2, 3)[:, None] + 0.25
    offsets, ones = np.full((2, 5), [[0.0], [0.5]]), np.ones(5)
    for c in range(5):
        for low, high in ((place - 127.0 + inner, 1e6), (-1e6, place + 127.0 - inner)):
            v = np.ceil(codes[c] - offsets[:, c, None])
            if clamped:
                v = np.where(v <= -32767, low, np.where(v > 32767, high, v))
            target, ends = codes[[c]], (low * ones[:1], high * ones[:1])
            found = lowering_best._costs(codes[[c]], offsets[:, [c]], target, np.ones((1, 255)), *ends, clamped)
            np.testing.assert_array_equal(found[:, 0], np.abs(np.clip(v, low, high) - target).sum(axis=1))

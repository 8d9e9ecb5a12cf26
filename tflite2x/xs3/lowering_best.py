# SPDX-License-Identifier: Apache-2.0
"""Parameters for XC_fc that agree with TFLite more often than the formulas of 2021, for the same kernel.

TFLite's layer is a step function of the accumulator with at most 255 thresholds. XC_fc can put its thresholds only on a
grid of ``2**shift1``, at the places where ``v * scale + offset`` passes a code. Per channel:

1. The interval of accumulators that int8 inputs can reach, and TFLite's thresholds inside of it.
2. ``shift1`` is the smallest that lets the 16-bit stage span these thresholds: the finest grid. Saturation beyond them
   is harmless, because the output is already at its last code.
3. The middle of the thresholds is taken off the bias and put into the offset, which is exact and centres the 16-bit
   stage. Where a fused activation clamps one end, the stage is placed so that its saturation *is* that clamp.
4. ``scale / 2**shift2`` is the multiplier times ``2**shift1`` with as many bits as the 32-bit sum allows.
5. What is left are two choices below one grid step: where the grid lies, and the offset. Both are searched, and each
   pair is judged by the accumulators that would differ from TFLite.

The judgement weighs accumulators half evenly between the first and the last threshold, and half by how often random
inputs would meet them (a normal distribution), because wide layers see only the middle of their range. At the end a
channel keeps the result of 2021 where that is better.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import InputError, UnsupportedError
from tflite2x.interpreter.kernel import Rounding
from tflite2x.xs3 import reach
from tflite2x.xs3.layer import Float64, Layer
from tflite2x.xs3.layout import Int8, Int16, Int64, Parameters, pack, pad_weights
from tflite2x.xs3.lowering_2021 import parameters_2021
from tflite2x.xs3.offsets import nearest_product
from tflite2x.xs3.proof import compare, outside
from tflite2x.xs3.thresholds import CODES, tflite_outputs, tflite_thresholds, xc_thresholds

#: Channels searched together: their arrays stay in the cache.
BLOCK = 64
#: Half of the span of the 16-bit stage, less the room that a shift of the grid and a nudge of the offset need.
HALF_SPAN = 32764
#: Stands for the bound of parameters that cannot be used.
WRONG = 1 << 20


def lower_best(layer: Layer, rounding: Rounding = "single") -> tuple[Int8, Int16]:
    """Lower a layer with the fewest differences from TFLite that the search finds.

    Args:
        layer: The layer; a fused activation that clamps one end of the output is folded into the parameters.
        rounding: Which TFLite to agree with: ``single`` for LiteRT, ``double`` for TFLite Micro.

    Returns:
        Padded weights int8 ``[C_out, P]`` and the BSO block int16 ``[G, 7, 16]``.

    Raises:
        UnsupportedError: TFLite's own arithmetic leaves int32 for some input, or no parameters fit their fields.
    """
    try:
        return pad_weights(layer.weights), pack(parameters_best(layer, rounding))
    except InputError as error:
        raise UnsupportedError(f"no parameters fit: {error.what}", where=layer.name) from error


def parameters_best(layer: Layer, rounding: Rounding = "single") -> Parameters:
    """Return the parameters of :func:`lower_best`, one set per output channel."""
    target = tflite_thresholds(layer, rounding)
    found = _constant(layer, rounding)
    problem = _problem(layer, target)
    order = np.flatnonzero(problem.varies)
    # Few channels leave time for a finer search, which gains half a percent. Never look at the clock here: the result
    # must depend on the layer only.
    phases, nudges = (32, 17) if order.size <= BLOCK else (8, 9)
    for first in range(0, order.size, BLOCK):
        block = order[first : first + BLOCK]
        best = _search(problem.select(block), phases, nudges)
        for field in dataclasses.fields(Parameters):
            getattr(found, field.name)[block] = getattr(best, field.name)
    return _keep_better(layer, target, problem, found)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """What the search needs to know of each channel; float64 ``[C]``, ``[C, 255]`` where said."""

    constant: Float64
    low: Float64
    high: Float64
    multiplier: Float64
    zero_point: Float64
    target: Float64  # [C, 255] TFLite's thresholds, clipped to low .. high + 1
    weight: Float64  # [C, 255] how much one accumulator counts at each threshold
    first: Float64  # first and last threshold inside of the interval
    last: Float64
    varies: NDArray[np.bool_]
    clamps_low: NDArray[np.bool_]
    clamps_high: NDArray[np.bool_]

    def select(self, index: NDArray[np.int64]) -> _Problem:
        return _Problem(*(getattr(self, f.name)[index] for f in dataclasses.fields(self)))


def _problem(layer: Layer, target: Int64) -> _Problem:
    low, high = layer.range
    inside = (target > low[:, None]) & (target <= high[:, None])
    first = np.where(inside, target, np.iinfo(np.int64).max).min(axis=1)
    last = np.where(inside, target, np.iinfo(np.int64).min).max(axis=1)
    varies: NDArray[np.bool_] = np.any(inside, axis=1, keepdims=True)[:, 0]
    clipped = np.clip(target, low[:, None], (high + 1)[:, None]).astype(np.float64)
    wide = layer.weights.astype(np.float64)
    mean = layer.constant - 0.5 * wide.sum(axis=1)
    # The variance of a uniform int8 is (2**16 - 1) / 12.
    deviation = np.sqrt(65535 / 12 * np.einsum("ij,ij->i", wide, wide)) + 1e-9
    normal = np.exp(-0.5 * ((clipped - mean[:, None]) / deviation[:, None]) ** 2)
    normal /= deviation[:, None] * np.sqrt(2 * np.pi)
    span = np.where(varies, (last - first).astype(np.float64), 0) + 1 / np.maximum(layer.multipliers, 1e-30)
    activation = (np.full(layer.channels, bound) for bound in layer.activation)
    lowest, highest = activation
    # A clamp matters where accumulators beyond it are reachable at all.
    below = np.where(varies, first - low, 0) > 0
    return _Problem(
        constant=layer.constant.astype(np.float64),
        low=low.astype(np.float64),
        high=high.astype(np.float64),
        multiplier=layer.multipliers,
        zero_point=np.full(layer.channels, float(layer.output_zero_point)),
        target=clipped,
        weight=0.5 * normal + 0.5 / span[:, None],
        first=np.where(varies, first, 0).astype(np.float64),
        last=np.where(varies, last, 0).astype(np.float64),
        varies=varies,
        clamps_low=below & (lowest > -128) & inside[np.arange(layer.channels), np.clip(lowest + 128, 0, 254)],
        clamps_high=(highest < 127) & inside[np.arange(layer.channels), np.clip(highest + 126, 0, 254)],
    )


def _constant(layer: Layer, rounding: Rounding) -> Parameters:
    """Return parameters for channels whose output does not depend on the input.

    The code comes from the offset. The scale is zero, so that the bias does not matter, and zero cannot overflow.
    """
    code = tflite_outputs(layer, layer.range[0], rounding)
    zero = np.zeros(layer.channels, np.int64)
    return Parameters(zero.copy(), zero.copy(), zero.copy(), zero + 256, code, zero + 8)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The part of the parameters that a search keeps fixed, float64 ``[C]``."""

    shift1: Float64
    centre: Float64
    scale: Float64
    shift2: Float64

    def select(self, index: NDArray[np.int64]) -> _Grid:
        return _Grid(*(getattr(self, f.name)[index] for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """The best candidate so far, per channel."""

    cost: Float64
    shift1: Float64
    centre: Float64
    scale: Float64
    total: Float64
    shift2: Float64

    @classmethod
    def none(cls, channels: int) -> _Best:
        return cls(np.full(channels, np.inf), *np.zeros((5, channels)))

    def take(self, channels: NDArray[np.int64], found: _Best) -> None:
        """Replace those of ``channels`` for which ``found`` is better; of equal ones the first stays."""
        better = found.cost < self.cost[channels]
        for field in dataclasses.fields(self):
            getattr(self, field.name)[channels[better]] = getattr(found, field.name)[better]


def _search(p: _Problem, phases: int, nudges: int) -> Parameters:
    half_range = (p.last - p.first) / 2
    finest = np.maximum(np.ceil(np.log2(np.maximum(half_range, 1) / HALF_SPAN)), 0)
    best = _Best.none(finest.size)
    # Saturation is looked at for all channels of a block as soon as one needs it.
    clamped = bool((p.clamps_low | p.clamps_high).any())

    def search(where: NDArray[np.bool_], grid: _Grid, phases: int) -> None:
        channels = np.flatnonzero(where)
        if channels.size:
            best.take(channels, _search_grid(p.select(channels), grid.select(channels), phases, nudges, clamped))

    for coarser in range(4):
        shift1 = finest + coarser
        slope = p.multiplier * np.exp2(shift1)
        centre = _centre(p, shift1)
        code = p.multiplier * centre + p.zero_point
        shift2 = _second_shift(slope, np.abs(code))
        scale = np.clip(np.round(slope * np.exp2(shift2)), 1, 32767)
        # A coarser grid pays only while it buys bits of the scale, and nothing is better than no difference.
        useful = (coarser == 0) | ((best.scale < 1 << 14) & (best.cost > 0))
        if not useful.any():
            break
        search(useful, _Grid(shift1, centre, scale, shift2), phases)
        # Without lost bits the thresholds can be met exactly, even where TFLite rounds halves to the other side: a
        # slope that is a little wrong on purpose moves the halves above and below zero apart.
        exact = useful & (shift1 == 0) & (best.cost > 0)
        for wrong in (1, -1):
            search(exact & (best.cost > 0), _Grid(shift1, centre, np.clip(scale + wrong, 1, 32767), shift2), 1)
    return _parameters(p, best)


def _centre(p: _Problem, shift1: Float64) -> Float64:
    """Return the accumulator that the 16-bit stage takes for zero."""
    step = np.exp2(shift1)
    middle = np.floor((p.first + p.last) / 2)
    # The first value above negative saturation is -32766, and the last one +32767 (which is saturation itself).
    low = p.first + 32766 * step + np.floor(step / 2)
    high = p.last - 32767 * step + np.floor(step / 2)
    centre: Float64 = np.where(p.clamps_low, low, np.where(p.clamps_high, high, middle))
    return centre


def _second_shift(slope: Float64, code: Float64) -> Float64:
    """Return the largest shift2 for which scale, offset and their sum still fit (16, 31 and 32 bits)."""
    scale_fits = np.log2(32767 / slope)
    offset_fits = 30 - np.log2(code + 1)
    sum_fits = 31 - np.log2(32767 * slope + code + 2)
    largest: Float64 = np.floor(np.minimum(np.minimum(scale_fits, offset_fits), sum_fits) + 1e-12)
    return np.clip(largest, 0, 31)


def _search_grid(p: _Problem, grid: _Grid, phases: int, nudges: int, clamped: bool) -> _Best:
    """Try places of the grid and nudges of the offset.

    Args:
        p: The channels.
        grid: What stays as it is; only ``centre`` moves below one step.
        phases: Places of the grid.
        nudges: Nudges of the offset at each.
        clamped: Whether saturation of the 16-bit stage stands for the ends of the interval.

    Returns:
        The first of the best candidates.
    """
    step, unit = np.exp2(grid.shift1), np.exp2(grid.shift2)
    codes = (CODES * unit[:, None] - np.floor(unit / 2)[:, None]) / grid.scale[:, None]
    pivot = _pivot(p, grid, codes)
    # All candidates at once: places [phases, C], offsets [phases, nudges, C].
    moved = grid.centre + np.floor(np.arange(phases)[:, None] * step / phases) - np.floor(step / 2)
    wanted = (p.multiplier * moved + p.zero_point) * unit
    nudged = (pivot + np.linspace(-0.5, 0.5, nudges)[:, None]) * grid.scale
    totals = np.round(wanted[:, None] + nudged)
    costs = np.full(totals.shape, np.inf)
    # A grid of few accumulators has few places: the same place again cannot be better than before.
    fresh = np.ones(moved.shape, np.bool_)
    fresh[1:] = moved[1:] != moved[:-1]
    # Everything in grid steps, which is exact: steps are powers of two, and all that they divide are whole numbers.
    base, weight = (p.target - grid.centre[:, None]) / step[:, None], p.weight * step[:, None]
    zero = moved - np.floor(step / 2)
    low, high = (p.low - zero) / step, (p.high + 1 - zero) / step
    for phase, tried in enumerate(fresh):
        c = np.flatnonzero(tried)
        if c.size:
            index = slice(None) if c.size == step.size else c  # views where all take part
            target = base[index] - ((zero[phase] - grid.centre) / step)[index, None]
            offsets = (totals[phase] / grid.scale)[:, index]
            costs[phase][:, index] = _costs(
                codes[index], offsets, target, weight[index], low[phase, index], high[phase, index], clamped
            )
    phase, nudge = np.unravel_index(costs.reshape(-1, step.size).argmin(axis=0), costs.shape[:2])
    c = np.arange(step.size)
    total = totals[phase, nudge, c]
    return _Best(costs[phase, nudge, c], grid.shift1, moved[phase, c], grid.scale, total, grid.shift2)


def _pivot(p: _Problem, grid: _Grid, codes: Float64) -> Float64:
    """Return the offset that evens out the errors of the thresholds where the weight is, in steps of the grid.

    The scale is rounded, and TFLite's own roundings move its thresholds. A threshold is an integer, on average half a
    step above the real number behind it; where no bits are lost, it is met as the integer that it is.
    """
    low, high, centre = p.low[:, None], (p.high + 1)[:, None], grid.centre[:, None]
    step, unit = np.exp2(grid.shift1), np.exp2(grid.shift2)
    pull = np.where((p.target > low) & (p.target < high), p.weight, 0)
    plain = ((p.multiplier * grid.centre + p.zero_point) * unit / grid.scale)[:, None]
    error = codes - plain - (p.target - 0.5 - centre) / step[:, None]
    if (step <= 1).any():
        ideal = (p.target - centre) / step[:, None]
        whole = ideal * (p.multiplier * step * unit / grid.scale - 1)[:, None]
        error = np.where(step[:, None] > 1, error, whole)
    pivot: Float64 = np.einsum("ij,ij->i", pull, error) / np.maximum(pull.sum(axis=1), 1e-300)
    return pivot


def _costs(
    codes: Float64, offsets: Float64, target: Float64, weight: Float64, low: Float64, high: Float64, clamped: bool
) -> Float64:
    """Return the weighted distances ``[N, C]`` of thresholds from their targets, for offsets ``[N, C]``.

    This is where the time goes: few passes over ``[C, 255]``, all in one array.

    Args:
        codes: Thresholds without offset ``[C, 255]``, ascending; here and below in steps of the grid.
        offsets: What is taken off.
        target: Where the thresholds should be ``[C, 255]``.
        weight: What a step counts ``[C, 255]``.
        low: Start of the interval ``[C]``.
        high: One beyond its end ``[C]``.
        clamped: Whether the 16-bit stage saturates.
    """
    least, most = np.ceil(codes[:, 0] - offsets.max(axis=0)), np.ceil(codes[:, -1] - offsets.min(axis=0))
    # Most of the time no threshold leaves the interval or the 16 bits, and the passes for that are not needed.
    leaves = bool(((least < low) | (most > high)).any())
    saturates = clamped and bool(((least <= -32767) | (most > 32767)).any())
    low, high = low[:, None], high[:, None]
    v, costs = np.empty_like(codes), np.empty_like(offsets)
    for offset, cost in zip(offsets, costs, strict=True):
        np.subtract(codes, offset[:, None], out=v)
        np.ceil(v, out=v)
        if saturates:
            v = np.where(v <= -32767, low, np.where(v > 32767, high, v))
        if leaves or saturates:
            np.minimum(np.maximum(v, low, out=v), high, out=v)
        v -= target
        np.einsum("ij,ij->i", weight, np.abs(v, out=v), out=cost)
    return costs


def _parameters(p: _Problem, best: _Best) -> Parameters:
    a, b = nearest_product(best.total.astype(np.int64))
    return Parameters(
        bias=(p.constant - best.centre).astype(np.int64),
        shift1=best.shift1.astype(np.int64),
        scale=best.scale.astype(np.int64),
        offset_scale=a,
        offset=b,
        shift2=best.shift2.astype(np.int64),
    )


def _keep_better(layer: Layer, target: Int64, problem: _Problem, found: Parameters) -> Parameters:
    """Return ``found``, except for the channels where the parameters of 2021 are better in any respect."""
    try:
        old = parameters_2021(layer).select(slice(0, layer.channels))
    except UnsupportedError:
        return found
    progression = reach.steps(layer.weights)
    results = []
    for parameters in (found, old):
        refused = outside(layer, parameters)[0]
        usable = parameters.where(~refused, _neutral(layer))
        thresholds = xc_thresholds(usable, layer.constant)
        comparison = compare(layer, progression, target, thresholds)
        gap = np.abs(np.clip(thresholds, layer.range[0][:, None], layer.range[1][:, None] + 1) - problem.target)
        cost = np.einsum("ij,ij->i", problem.weight, gap)
        results.append((np.where(refused, WRONG, comparison.bound), comparison.differing, cost))
    (bound, differing, cost), (bound_old, differing_old, cost_old) = results
    worse = (differing > differing_old) | (cost > cost_old)
    return old.where((bound_old < bound) | ((bound_old == bound) & worse), found)


def _neutral(layer: Layer) -> Parameters:
    """Return parameters that are inside of every domain, to stand in for refused ones."""
    zero = np.zeros(layer.channels, np.int64)
    return Parameters(layer.constant, zero, zero, zero, zero, zero)

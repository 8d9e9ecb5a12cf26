# SPDX-License-Identifier: Apache-2.0
"""The exact worst case of XC_fc against TFLite, over all int8 inputs.

Both functions see an input only through one integer accumulator per channel, and both are non-decreasing step
functions of it (:mod:`tflite2x.xs3.thresholds`). Comparing two lists of 255 thresholds inside of the interval of
reachable accumulators therefore says everything: the largest difference, and how many accumulators have one. The result
is a bound for every input. It is attained when the accumulators in question are reachable
(:mod:`tflite2x.xs3.reach`), and then an input that shows it is constructed and run through both.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.kernel import Rounding
from tflite2x.xs3 import reach
from tflite2x.xs3.kernel import fully_connected_8, outside_domain
from tflite2x.xs3.layer import Layer
from tflite2x.xs3.layout import INT32_MAX, INT32_MIN, Int8, Int16, Int64, Parameters, unpack
from tflite2x.xs3.thresholds import blocks, certify_tflite, certify_xc, tflite_run, tflite_thresholds, xc_thresholds


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """An input that shows the largest difference of a layer.

    Attributes:
        channel: Output channel.
        x: int8 ``[C_in]``.
        tflite: What TFLite computes there.
        xc: What XC_fc computes there.
    """

    channel: int
    x: Int8
    tflite: int
    xc: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """What holds for a layer over all int8 inputs.

    Attributes:
        name: The layer.
        rounding: The TFLite contract that it was compared with.
        bound: Largest ``|XC_fc - TFLite|`` in output steps.
        differing: Accumulators with a difference, summed over channels.
        accumulators: All accumulators (members of the progressions of :mod:`tflite2x.xs3.reach`; where these are not
            full, a few near their ends cannot occur), summed over channels.
        exact: Whether ``differing`` counts reachable accumulators only, in every channel. If not, it is an upper bound.
        attained: Whether some input shows ``bound``; None when that is not known.
        witness: Such an input, run through both; None when ``bound`` is 0 or none was found.
        channel_bound: ``bound`` per channel.
        channel_differing: ``differing`` per channel.
        channel_accumulators: ``accumulators`` per channel.
    """

    name: str
    rounding: Rounding
    bound: int
    differing: int
    accumulators: int
    exact: bool
    attained: bool | None
    witness: Witness | None
    channel_bound: Int64
    channel_differing: Int64
    channel_accumulators: Int64

    @property
    def share(self) -> float:
        """Share of the accumulators that differ."""
        return self.differing / max(1, self.accumulators)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Bounds per channel of two lists of thresholds: see :func:`compare`.

    Attributes:
        bound: Largest difference per channel.
        differing: Members of the progression that differ, per channel.
        first: Thresholds of TFLite as members of the progression, ``[C, 255]``.
        second: Thresholds of XC_fc.
    """

    bound: Int64
    differing: Int64
    first: Int64
    second: Int64


def prove(
    layer: Layer, weights: Int8, bso: Int16, rounding: Rounding = "single", rows: reach.Rows | None = None
) -> Proof:
    """Bound the difference between a layer in TFLite and its XC_fc, for all inputs.

    Args:
        layer: The TFLite layer.
        weights: Weights of the XC_fc: the layer's, padded with columns of zeros.
        bso: Parameters of the XC_fc, however they were made.
        rounding: Which TFLite: ``single`` for LiteRT, ``double`` for TFLite Micro.
        rows: What inputs reach in the layer's weights, from earlier proofs.

    Raises:
        UnsupportedError: Nothing can be proved, with the reason: TFLite's own arithmetic overflows, the kernel's
            arithmetic is undefined or depends on the order of summation, or the parameters belong to other weights.
    """
    return Prover(layer, weights, bso, rows).prove(rounding)


class Prover:
    """An XC_fc and the layer that it replaces, for proofs against several TFLites.

    Args:
        layer: The TFLite layer.
        weights: Weights of the XC_fc: the layer's, padded with columns of zeros.
        bso: Parameters of the XC_fc.
        rows: What inputs reach in the layer's weights, from earlier proofs.

    Raises:
        UnsupportedError: The parameters belong to other weights.
    """

    def __init__(self, layer: Layer, weights: Int8, bso: Int16, rows: reach.Rows | None = None) -> None:
        width = layer.weights.shape[1]
        if not np.array_equal(weights[:, :width], layer.weights) or np.any(weights[:, width:]):
            raise UnsupportedError("the weights of the XC_fc are not those of the layer", where=layer.name)
        self._layer, self._weights, self._bso = layer, weights, bso
        self._parameters = unpack(bso, layer.channels)
        self._rows = reach.Rows(layer.weights) if rows is None else rows

    @functools.cached_property
    def _thresholds(self) -> Int64:
        """Thresholds of the XC_fc, which are the same for every TFLite."""
        layer, parameters = self._layer, self._parameters
        refuse(layer, parameters)
        thresholds = xc_thresholds(parameters, layer.constant)
        certify_xc(layer, parameters, thresholds)
        return thresholds

    def prove(self, rounding: Rounding) -> Proof:
        """Bound the difference from one TFLite, see :func:`prove`."""
        layer, rows = self._layer, self._rows
        tflite = tflite_thresholds(layer, rounding)
        xc = self._thresholds
        certify_tflite(layer, tflite, rounding)
        progression = rows.steps
        result = compare(layer, progression, tflite, xc)
        differing, known = result.differing.copy(), progression.full | (result.differing == 0)
        sets: dict[int, reach.Reachable] = {}
        for c in np.flatnonzero(~known).tolist():
            found = rows[c]
            if found.known:
                sets[c] = found
                known[c] = True
                differing[c] = found.count(*_gaps(result, c, 1)).sum()
        bound = int(result.bound.max(initial=0))
        if bound and sets:
            result, bound = _tighten(result, sets)
        witness = _witness(layer, self._weights, self._bso, rounding, result, rows, sets) if bound else None
        attained = True if witness or not bound else None
        return Proof(
            name=layer.name,
            rounding=rounding,
            bound=bound,
            differing=int(differing.sum()),
            accumulators=int(progression.count.sum()),
            exact=bool(known.all()),
            attained=attained,
            witness=witness,
            channel_bound=result.bound,
            channel_differing=differing,
            channel_accumulators=progression.count,
        )


def refuse(layer: Layer, parameters: Parameters) -> None:
    """Refuse parameters outside of the domain in which the kernel is one function on every implementation.

    Raises:
        UnsupportedError: Some channel can leave it.
    """
    bad, reason = outside(layer, parameters)
    if bad.any():
        c = int(np.flatnonzero(bad)[0])
        raise UnsupportedError(f"channel {c}: {reason}", where=layer.name)


def outside(layer: Layer, parameters: Parameters) -> tuple[NDArray[np.bool_], str]:
    """Tell which channels have parameters that nothing can be proved about, with the reason."""
    bias = parameters.bias
    moved = bias - layer.constant
    low, high = (end + moved for end in layer.range)
    bad = (bias < INT32_MIN) | (bias > INT32_MAX) | outside_domain(low, high, parameters)
    if bad.any():
        return bad, "the accumulator, its bias or a rounding addition of XC_fc can leave 32 bits"
    return parameters.scale < 0, "the scale is negative, so that outputs fall with the accumulator"


def compare(layer: Layer, progression: reach.Steps, tflite: Int64, xc: Int64) -> Comparison:
    """Compare thresholds ``[C, 255]`` inside of the reachable intervals.

    Channel by channel the codes differ at ``k`` by the number of thresholds of one function at or below ``k`` minus
    that of the other. As both lists are sorted, the largest difference is the largest ``d`` for which a threshold of
    the one lies below the threshold ``d - 1`` places earlier of the other, and the members that differ are the union of
    the intervals between equal places.
    """
    first, second = np.empty((2, *tflite.shape), np.int64)
    bound, differing = np.empty((2, layer.channels), np.int64)
    low = layer.range[0]
    for part in blocks(*tflite.shape):
        for thresholds, members in ((tflite, first), (xc, second)):
            _members(thresholds[part], low[part, None], progression.step[part], progression.count[part], members[part])
        bound[part], differing[part] = _differences(first[part], second[part])
    return Comparison(bound, differing, first, second)


def _members(thresholds: Int64, low: Int64, step: Int64, count: Int64, out: Int64) -> None:
    """Write thresholds ``[C, 255]`` as members of progressions: how many of their accumulators lie below each."""
    np.subtract(thresholds, low, out=out)
    coarse = np.flatnonzero(step > 1)
    out[coarse] = -(-out[coarse] // step[coarse, None])
    np.minimum(np.maximum(out, 0, out=out), count[:, None], out=out)


def _differences(first: Int64, second: Int64) -> tuple[Int64, Int64]:
    """Return the largest difference and the number of members that differ, per row of ascending members."""
    bound = np.zeros(len(first), np.int64)
    # Where a later threshold lies below an earlier one, they are of different lists, because each of these ascends.
    start, end = np.minimum(first, second), np.maximum(first, second)
    for distance in range(1, start.shape[1] + 1):
        more = (start[:, distance - 1 :] < end[:, : start.shape[1] - distance + 1]).any(axis=1)
        if not more.any():
            break
        bound[more] = distance
    np.maximum(start[:, 1:], end[:, :-1], out=start[:, 1:])
    end -= start
    return bound, np.maximum(end, 0, out=end).sum(axis=1)


def _gaps(result: Comparison, channel: int, distance: int) -> tuple[Int64, Int64]:
    """Return disjoint intervals of members that differ by at least ``distance``: where they begin, and end.

    Between the ``j``-th thresholds of both lists and those ``distance - 1`` places on, at most one of the two functions
    is ahead; because the lists are sorted, so are the ends of these intervals.
    """
    first, second = result.first[channel], result.second[channel]
    start = np.minimum(first, second)[distance - 1 :]
    end = np.maximum(first, second)[: len(start)]
    start[1:] = np.maximum(start[1:], end[:-1])
    inside = start < end
    return start[inside], end[inside]


def _tighten(result: Comparison, sets: dict[int, reach.Reachable]) -> tuple[Comparison, int]:
    """Lower the bounds of the channels whose reachable accumulators are known one by one."""
    bound = result.bound.copy()
    for c, found in sets.items():
        while bound[c] and not found.count(*_gaps(result, c, int(bound[c]))).any():
            bound[c] -= 1
    return dataclasses.replace(result, bound=bound), int(bound.max(initial=0))


def _witness(
    layer: Layer,
    weights: Int8,
    bso: Int16,
    rounding: Rounding,
    result: Comparison,
    rows: reach.Rows,
    sets: dict[int, reach.Reachable],
) -> Witness | None:
    """Construct an input that shows the bound, and check it by running both kernels."""
    worst = np.flatnonzero(result.bound == result.bound.max())
    ready = [c for c in worst.tolist() if rows.steps.full[c] or c in sets]
    if not ready:
        return None
    channel = ready[0]
    found = rows[channel]
    middle = found.top // 2
    gaps = zip(*(ends.tolist() for ends in _gaps(result, channel, int(result.bound[channel]))), strict=True)
    hits = (found.nearest(middle, a, b) for a, b in gaps)
    best = min((k for k in hits if k is not None), key=lambda k: abs(k - middle), default=None)
    if best is None:
        return None
    x = found.find_input(best)
    tflite = int(tflite_run(layer, x, rounding)[channel])
    xc = int(fully_connected_8(x, weights, bso)[channel])
    if abs(tflite - xc) != result.bound[channel]:
        raise AssertionError(f"{layer.name}: the witness of channel {channel} does not show the bound")
    return Witness(channel, x, tflite, xc)

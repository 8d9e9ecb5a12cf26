# SPDX-License-Identifier: Apache-2.0
"""Which mistakes explain the values: every single one, then combinations of two."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tflite2x.explain.diagnosis.matching import equal_values, gaps
from tflite2x.explain.diagnosis.mistakes import Mistake, keys
from tflite2x.explain.diagnosis.recipe import EXACT, SUM_FIELDS, Recipe
from tflite2x.explain.diagnosis.segment import EVERYWHERE, Guess, Segment
from tflite2x.interpreter.kernel import Array

#: Values that candidates are compared on first; what survives is compared on all.
_SAMPLE = 4096
#: Bound on the work of the search for pairs, in units of ``Segment.cost``.
_WORK = 1_500_000_000
#: Evidence in bits from which on a complete explanation by one mistake, or by two, is called certain.
_CERTAIN = {1: 14.0, 2: 26.0}
#: Share of the differing values that may lie at the ends of the type when something is called certain.
_HIDING = 0.7
#: Share of all values that may be one number, or two (both ends of a clamp), when something is called certain.
_MONOTONE = 0.9
#: Share of the differing values from which on an incomplete explanation is worth naming.
_WORTH = 0.5
#: Fewer values than this are made by chance.
_FEW = 4


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One or two mistakes with what they explain.

    Attributes:
        guesses: The mistakes and where they are made.
        explained: Number of values that come out exactly.
        fixed: How many of these differ from the expected values.
        broken: Number of values that were as expected and that the mistakes would change.
        distance: How far the values are from those that the mistakes lead to, on average.
    """

    guesses: tuple[Guess, ...]
    explained: int
    fixed: int
    broken: int
    distance: float = 0.0

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the mistakes."""
        return keys(g.mistake for g in self.guesses)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the search found.

    Attributes:
        certainty: ``certain``: one explanation makes all values, and they are enough to rule out chance; ``likely``:
            one does, on little evidence; ``ambiguous``: several do; ``partial``: the best one makes most of the
            differing values; ``none``.
        explanations: The complete ones, or the best incomplete one; one entry per set of names.
        same: Further ways to the same names that explain as much.
        values: Number of values.
        differing: Number of values that differ.
        bits: Evidence in bits.
        tried: Number of combinations tried.
        base: Recipe of the last operator that everything is compared with: not exact where values are not rounded.
        unrounded: That the values are not rounded is all that is wrong with them.
    """

    certainty: str
    explanations: tuple[Explanation, ...]
    same: tuple[Explanation, ...]
    values: int
    differing: int
    bits: float
    tried: int
    base: Recipe = EXACT
    unrounded: bool = False


class Search:
    """Compares the values of somebody with those that mistakes lead to.

    Args:
        segment: The operators that computed the value.
        mine: The values [N, ...], float64.
    """

    def __init__(self, segment: Segment, mine: Array) -> None:
        self.segment = segment
        self.mine = np.asarray(mine, np.float64)
        self.base = self._base()
        expected = segment.expected if self.base == EXACT else segment.evaluate((), self.base)
        self.expected = np.asarray(segment.expected if expected is None else expected, np.float64)
        self._tolerance = self._allowed()
        self.equal = self._same(self.expected, self.mine)
        self.differing = int(np.count_nonzero(~self.equal))
        self._select = self._choose()
        self._target = self.mine.reshape(-1)[self._select]
        self._equal = self.equal.reshape(-1)[self._select]
        self._expected = self.expected.reshape(-1)[self._select]
        self.tried = 0

    def verdict(self) -> Verdict:
        """Search."""
        if not self.differing:
            return self._unrounded()
        if not np.isfinite(self.mine).all() and np.isfinite(self.expected).all():
            return self._result("none", [], [], 0.0)  # no mistake here makes infinities or NaN
        guesses = self.segment.guesses()
        singles = [e for g in guesses if (e := self._try((g,))) is not None]
        complete = self._complete(singles)
        if not complete:
            # Numbers that are read off the values fit more easily: only where nothing else fits.
            fitted = self._fitted()
            guesses = [*guesses, *fitted]
            singles += [e for g in fitted if (e := self._try((g,))) is not None]
            complete = self._complete(singles)
        partial = max(singles, key=_gain, default=None)
        if not complete:
            pairs = self._pairs(guesses, singles)
            complete = self._complete(pairs)
            best = max(pairs, key=_gain, default=None)
            needed = 0 if partial is None else _gain(partial) + max(1, 0.1 * self._differing_selected)
            if best is not None and _gain(best) >= needed:
                partial = best
        if complete:
            return self._decide(complete)
        if partial is not None and _gain(partial) >= _WORTH * self._differing_selected:
            full = self._measure(partial.guesses)
            if full is not None and full.fixed >= _FEW and full.fixed - full.broken >= _WORTH * self.differing:
                return self._result("partial", [full], [], 0.0)
        return self._result("none", [], [], 0.0)

    # What is compared, and how.

    def _base(self) -> Recipe:
        """Values with fractions of an integer tensor are compared before the rounding."""
        whole = np.all(self.mine == np.rint(self.mine))
        last = self.segment.models[-1]
        if whole or self.segment.target.numpy_dtype.kind not in "iu" or "rounding" not in last.fields:
            return EXACT
        return EXACT.changed(rounding="none", cast="none")

    def _allowed(self) -> float:
        if self.base == EXACT and self.segment.target.numpy_dtype.kind in "iu":
            return 0.0
        finite = self.expected[np.isfinite(self.expected)]
        return 2e-6 * float(np.max(np.abs(finite), initial=0.0)) + 1e-12

    def _same(self, a: Array, b: Array) -> Array:
        if self._tolerance == 0.0:
            return np.asarray(a == b)
        with np.errstate(invalid="ignore"):
            near = np.abs(a - b) <= self._tolerance + 2e-6 * np.abs(b)
        return np.asarray(np.where(np.isfinite(a) & np.isfinite(b), near, equal_values(a, b)))

    def _choose(self) -> Array:
        """Choose the values to compare first: half of them values that differ."""
        flat = self.equal.reshape(-1)
        if flat.size <= _SAMPLE:
            return np.arange(flat.size)
        rng = np.random.default_rng(0)
        parts = [np.flatnonzero(~flat), np.flatnonzero(flat)]
        sizes = [min(len(parts[0]), _SAMPLE // 2)]
        sizes.append(min(len(parts[1]), _SAMPLE - sizes[0]))
        return np.sort(np.concatenate([rng.choice(p, n, replace=False) for p, n in zip(parts, sizes, strict=True)]))

    @property
    def _differing_selected(self) -> int:
        return int(np.count_nonzero(~self._equal))

    def _try(self, guesses: tuple[Guess, ...]) -> Explanation | None:
        """Measure on the selected values; None where the mistakes make no difference there."""
        self.tried += 1
        values = self.segment.evaluate(guesses, self.base, self._select)
        if values is None or values.shape != self._target.shape:
            return None
        if np.array_equal(values, self._expected):
            return None
        same = self._same(values, self._target)
        fixed, broken = np.count_nonzero(same & ~self._equal), np.count_nonzero(~same & self._equal)
        distance = float(np.mean(np.minimum(gaps(values, self._target), 1e6)))
        return Explanation(guesses, int(np.count_nonzero(same)), int(fixed), int(broken), distance)

    def _measure(self, guesses: tuple[Guess, ...]) -> Explanation | None:
        values = self.segment.evaluate(guesses, self.base)
        if values is None or values.shape != self.mine.shape:
            return None
        same = self._same(values, self.mine)
        fixed, broken = np.count_nonzero(same & ~self.equal), np.count_nonzero(~same & self.equal)
        return Explanation(guesses, int(np.count_nonzero(same)), int(fixed), int(broken))

    def _complete(self, explanations: Sequence[Explanation]) -> list[Explanation]:
        full = (self._measure(e.guesses) for e in explanations if e.explained == self._target.size)
        return [e for e in full if e is not None and e.explained == self.mine.size]

    # Combinations of two.

    def _pairs(self, guesses: Sequence[Guess], singles: Sequence[Explanation]) -> list[Explanation]:
        ranked = sorted(singles, key=lambda e: (-_gain(e), e.distance))
        budget = int(np.clip(_WORK / self.segment.cost, 300, 5000))
        found: list[Explanation] = []
        effective = [e.guesses[0] for e in singles]
        chosen: list[tuple[Guess, Guess]] = []
        if len(self.segment.ops) == 1:
            first = {e.guesses[0]: rank for rank, e in enumerate(ranked)}
            every = [(a, b) for i, a in enumerate(guesses) for b in guesses[i + 1 :] if compatible(a, b)]
            every.sort(key=lambda p: (_sums(p), min(first.get(p[0], 999), first.get(p[1], 999))))
            chosen = every
            budget = self._within(every)
        else:
            leaders = [e.guesses[0] for e in ranked[: max(4, budget // max(1, len(effective)))]]
            seen = set()
            for a in leaders:
                for b in effective:
                    if compatible(a, b) and (b, a) not in seen:
                        seen.add((a, b))
                        chosen.append((a, b))
        for pair in chosen[:budget]:
            result = self._try(pair)
            if result is not None and result.fixed:
                found.append(result)
        return self._needed(found, singles)

    def _within(self, pairs: Sequence[tuple[Guess, Guess]]) -> int:
        """Return how many of the pairs fit the budget; those that need new sums cost more, and come last."""
        cheap = sum(_sums(p) == 0 for p in pairs)
        dear = int(np.clip(_WORK / (self.segment.cost * 4), 50, len(pairs)))
        return cheap + dear

    def _needed(self, pairs: Sequence[Explanation], singles: Sequence[Explanation]) -> list[Explanation]:
        """Drop pairs of which one mistake alone explains as much."""
        alone = {e.guesses[0]: e for e in singles}
        kept = []
        for pair in pairs:
            parts = [alone[g] for g in pair.guesses if g in alone]
            if all(_gain(pair) > _gain(p) for p in parts):
                kept.append(pair)
        return kept

    def _fitted(self) -> list[Guess]:
        """Mistakes whose numbers are read off the values: clamps at the lowest and highest value there is."""
        target = self.segment.target
        last = len(self.segment.ops) - 1
        model = self.segment.models[last]
        if target.numpy_dtype.kind not in "iu" or not {"bounds", "cast"} <= model.fields or self.base != EXACT:
            return []
        if not model.applies("bounds", None):
            return []
        info = np.iinfo(target.numpy_dtype)
        if not np.all(np.abs(self.mine) < 2.0**31) or np.ptp(self.mine) == 0:
            return []  # no numbers, or one number everywhere, which any clamp could make
        low, high = int(self.mine.min()), int(self.mine.max())
        found: list[Mistake] = []
        if (low, high) != (info.min, info.max):
            clamp: tuple[tuple[str, object], ...] = (("bounds", (low, high)), ("cast", "none"))
            title = f"clamped to {low} ... {high}"
            found = [_bounds_mistake(title, clamp), _bounds_mistake(title, (*clamp, ("activation", "none")))]
        found += self._wrapped_bounds(info)
        return [Guess(last, m) for m in found]

    def _wrapped_bounds(self, info: np.iinfo[np.signedinteger]) -> list[Mistake]:
        """Clamps outside of the type, before a cast that wraps around: where mine stays at one value."""
        free = self.segment.evaluate((), EXACT.changed(cast="none", activation="none"))
        if free is None or free.shape != self.mine.shape:
            return []
        span = float(info.max) - float(info.min) + 1
        below, above = free < info.min, free > info.max
        low, high = float(info.min), float(info.max)
        wide_low, wide_high = -np.inf, np.inf
        if below.any():
            wide_low = float((self.mine[below] - span).min())
            low = wide_low if wide_low < low else low
        if above.any():
            wide_high = float((self.mine[above] + span).max())
            high = wide_high if wide_high > high else high
        acts = bool(np.any(free[below] < low) or np.any(free[above] > high))
        if not acts or (low, high) == (float(info.min), float(info.max)):
            return []
        bounds = (int(low), int(high))
        title = f"clamped to {bounds[0]} ... {bounds[1]}, which the cast then wraps around"
        changes: tuple[tuple[str, object], ...] = (("bounds", bounds), ("cast", "wrap"))
        return [_bounds_mistake(title, changes), _bounds_mistake(title, (*changes, ("order", "cast first")))]

    # How sure.

    def _decide(self, complete: Sequence[Explanation]) -> Verdict:
        groups: dict[tuple[str, ...], list[Explanation]] = {}
        for explanation in complete:
            groups.setdefault(explanation.keys, []).append(explanation)
        first = [self._best(group) for group in groups.values()]
        same = [e for group in groups.values() for e in group if e not in first]
        bits = self._evidence()
        if len(first) > 1:
            return self._result("ambiguous", first, same, bits)
        # Behind values that saturate because of one mistake, another one can hide.
        counts = np.sort(np.unique(self.mine, return_counts=True)[1])
        hidden = float(self._at_bound()[~self.equal].mean()) > _HIDING or counts[-2:].sum() > _MONOTONE * self.mine.size
        enough = bits >= _CERTAIN[len(first[0].guesses)] and not hidden
        return self._result("certain" if enough else "likely", first, same, bits)

    @staticmethod
    def _best(group: Sequence[Explanation]) -> Explanation:
        """Prefer mistakes in one operator: that they are made elsewhere, too, has no effect on the values."""
        return min(group, key=lambda e: sum(g.scope == EVERYWHERE for g in e.guesses))

    def _evidence(self) -> float:
        """Return how many bits the values that differ are worth: how far off they are, and which of them."""
        gap = np.abs(self.mine - self.expected)[~self.equal]
        bound = self._at_bound()
        at_bound = bound[~self.equal]
        n, d = self.mine.size, self.differing
        which = (math.lgamma(n + 1) - math.lgamma(d + 1) - math.lgamma(n - d + 1)) / math.log(2)
        weights = np.where(at_bound, 0.1, np.where(gap >= 2, 6.0, 1.0))
        return float(weights.sum()) + min(which, 64.0) * (1.0 - float(bound.mean()))

    def _at_bound(self) -> Array:
        """Where values are at the ends of the type: nearly any computation that goes too far ends there."""
        if self.segment.target.numpy_dtype.kind not in "iu":
            return np.zeros(self.mine.shape, bool)
        info = np.iinfo(self.segment.target.numpy_dtype)
        return np.asarray((self.mine == info.min) | (self.mine == info.max))

    def _unrounded(self) -> Verdict:
        if self.base == EXACT:
            return self._result("equal", [], [], 0.0)
        from tflite2x.explain.diagnosis.mistakes import MISTAKES

        mistake = next(m for m in MISTAKES if m.key == "not rounded")
        guess = Guess(len(self.segment.ops) - 1, mistake)
        changed = int(np.count_nonzero(self.mine != self.segment.expected))
        explanation = Explanation((guess,), self.mine.size, changed, 0)
        return dataclasses.replace(self._result("certain", [explanation], [], 64.0), differing=changed, unrounded=True)

    def _result(
        self, certainty: str, explanations: Sequence[Explanation], same: Sequence[Explanation], bits: float
    ) -> Verdict:
        return Verdict(
            certainty, tuple(explanations), tuple(same), self.mine.size, self.differing, bits, self.tried, self.base
        )


def _gain(explanation: Explanation) -> int:
    return explanation.fixed - explanation.broken


def compatible(a: Guess, b: Guess) -> bool:
    """Whether two mistakes can be made together: they are about different choices, or in different operators."""
    if a.mistake.key == b.mistake.key:
        return False
    if a.scope != b.scope and EVERYWHERE not in (a.scope, b.scope):
        return True
    shared = a.mistake.fields & b.mistake.fields
    values = [dict(g.mistake.changes) for g in (a, b)]
    return all(values[0][name] == values[1][name] for name in shared) and a.mistake.changes != b.mistake.changes


def _sums(pair: tuple[Guess, Guess]) -> int:
    """Whether a pair needs sums that neither mistake alone needs."""
    return int(all(set(SUM_FIELDS) & g.mistake.fields for g in pair))


def _bounds_mistake(title: str, changes: tuple[tuple[str, object], ...]) -> Mistake:
    return Mistake("clamp bounds", title, "Clamp to the range of the type, and to that of the activation.", changes)

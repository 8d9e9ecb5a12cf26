# SPDX-License-Identifier: Apache-2.0
"""From a verdict to what is reported: names, places, remedies, and a few values computed both ways."""

from __future__ import annotations

import numpy as np

from tflite2x.explain.diagnosis.findings import Example, Named
from tflite2x.explain.diagnosis.matching import gaps
from tflite2x.explain.diagnosis.recipe import EXACT
from tflite2x.explain.diagnosis.search import Explanation, Search, Verdict
from tflite2x.explain.diagnosis.segment import EVERYWHERE, Segment

#: Values that are shown side by side.
SHOWN = 5


def common_names(verdict: Verdict) -> tuple[str, ...]:
    """Return the names that every complete explanation has, such as a mistake beside several kinds of rounding."""
    if verdict.certainty != "ambiguous":
        return ()
    return tuple(sorted(set.intersection(*(set(e.keys) for e in verdict.explanations))))


def left_over(segment: Segment, search: Search, verdict: Verdict) -> str:
    """Say what an incomplete explanation leaves over."""
    if verdict.certainty != "partial":
        return ""
    values = segment.evaluate(verdict.explanations[0].guesses, search.base)
    if values is None or values.shape != search.mine.shape:
        return ""
    gap = np.abs(values - search.mine)
    count = int(np.count_nonzero(gap > 0))
    guess = " (another rounding?)" if gap.max() <= 1 else ""
    return f"{count:,} values are left over, by up to {gap.max():g}{guess}"


def named_of(segment: Segment, verdict: Verdict) -> tuple[Named, ...]:
    """Put a verdict's explanations into words."""
    result = []
    for explanation in verdict.explanations:
        # Further ways, not the same ones at further places.
        said = {tuple(g.mistake for g in explanation.guesses)}
        ways = []
        for other in verdict.same:
            what = tuple(g.mistake for g in other.guesses)
            if other.keys == explanation.keys and what not in said:
                said.add(what)
                ways.append(other)
        result.append(
            Named(
                mistakes=explanation.keys,
                titles=_titles(segment, explanation),
                remedies=tuple(dict.fromkeys(g.mistake.remedy for g in explanation.guesses)),
                explained=explanation.explained,
                fixed=explanation.fixed,
                ways=tuple(" and ".join(_titles(segment, e)) for e in ways[:6]),
            )
        )
    return tuple(result)


def _titles(segment: Segment, explanation: Explanation) -> tuple[str, ...]:
    titles = []
    for guess in explanation.guesses:
        place = ""
        if guess.scope == EVERYWHERE:
            place = ", in every operator where it can be"
        elif len(segment.ops) > 1:
            place = f", in {segment.ops[guess.scope].where}"
        titles.append(guess.mistake.title + place)
    return tuple(titles)


def examples_of(segment: Segment, search: Search, verdict: Verdict) -> tuple[Example, ...]:
    """Choose values that differ, the most telling ones first, and compute them both ways."""
    base = EXACT if verdict.unrounded else search.base
    right = segment.expected.astype(np.float64) if verdict.unrounded else search.expected
    mine, expected = search.mine.reshape(-1), right.reshape(-1)
    gap = gaps(mine, expected)
    chosen = np.flatnonzero(gap > 0 if verdict.unrounded else ~search.equal.reshape(-1))
    guesses = verdict.explanations[0].guesses if verdict.explanations else ()
    if guesses:
        values = segment.evaluate(guesses, search.base)
        if values is not None:
            good = chosen[values.reshape(-1)[chosen] == mine[chosen]]
            chosen = good if good.size else chosen
    # One value per size of difference, largest first, then further ones.
    order = chosen[np.argsort(-gap[chosen], kind="stable")]
    _, firsts = np.unique(gap[order], return_index=True)
    ordered = [*order[np.sort(firsts)], *order]
    picked = np.array(list(dict.fromkeys(int(i) for i in ordered))[:SHOWN])
    picked.sort()
    exact = segment.steps((), picked, base)
    wrong = segment.steps(guesses, picked, search.base) if guesses else {}
    shape = search.mine.shape
    examples = []
    for row, position in enumerate(picked):
        index = tuple(int(i) for i in np.unravel_index(position, shape))
        examples.append(
            Example(
                index=index if shape[0] > 1 else index[1:],
                expected=float(expected[position]),
                mine=float(mine[position]),
                exact={k: float(v[row]) for k, v in exact.items()},
                wrong={k: float(v[row]) for k, v in wrong.items()},
            )
        )
    return tuple(examples)

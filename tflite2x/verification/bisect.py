# SPDX-License-Identifier: Apache-2.0
"""Which rewrites of a pass break the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tflite2x.errors import Tflite2xError

if TYPE_CHECKING:
    from tflite2x.interpreter import KernelCache
    from tflite2x.rewrite.pipeline import Step
    from tflite2x.verification.config import Verify

#: How many times a pass may be run again to find the rewrite that breaks the model.
_TRIES = 64


def bisect(step: Step, config: Verify, kernels: KernelCache | None = None) -> list[str]:
    """Return the smallest set of rewrites found that breaks the model; empty when it cannot be told.

    Halves are tried in turn. Two rewrites that break the model only together are returned together.

    Args:
        step: The pass that broke the model.
        config: How models are compared.
        kernels: Kernels that are prepared already.
    """
    from tflite2x.verification.session import VerifySession

    places = list(dict.fromkeys(r.where for r in step.result.replaced))
    if not places:
        return []
    tries = 0

    def breaks(chosen: Sequence[str]) -> bool:
        nonlocal tries
        tries += 1
        try:
            again = step.repeat(chosen)
            each = dataclasses.replace(config, every="pass", oracle=None)
            return not VerifySession(each, again.before, search=False, kernels=kernels).check(again).passed
        except Tflite2xError:
            return True

    if breaks([]):
        return []  # the pass does not ask where it may rewrite
    while len(places) > 1 and tries < _TRIES:
        middle = len(places) // 2
        halves = places[:middle], places[middle:]
        found = next((half for half in halves if breaks(half)), None)
        if found is None:
            return _together(places, breaks, _TRIES - tries)
        places = found
    return places


def _together(places: list[str], breaks: Callable[[Sequence[str]], bool], tries: int) -> list[str]:
    """Leave out what is not needed to break the model, one by one."""
    kept = list(places)
    for place in places[:tries]:
        rest = [p for p in kept if p != place]
        if breaks(rest):
            kept = rest
    return kept

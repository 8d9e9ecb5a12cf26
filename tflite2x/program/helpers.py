# SPDX-License-Identifier: Apache-2.0
"""Helper functions of generated code: which ones a piece of code needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def helper_texts(names: Iterable[str], texts: Mapping[str, str], needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the helpers named and those that they call, in an order in which they can be defined.

    Args:
        names: The helpers that the code calls.
        texts: All helpers of a language; each stands behind those that it calls.
        needs: Helper -> helpers that it calls.
    """
    wanted = set(names)
    while more := {n for name in wanted for n in needs.get(name, ())} - wanted:
        wanted |= more
    return [text for name, text in texts.items() if name in wanted]

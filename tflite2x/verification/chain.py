# SPDX-License-Identifier: Apache-2.0
"""Several passes in a row, seen as one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tflite2x.errors import PassError
from tflite2x.rewrite.pipeline import Step
from tflite2x.rewrite.result import Claim, PassResult
from tflite2x.verification.adapt import join_links
from tflite2x.verification.operators import successors

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph
    from tflite2x.rewrite.interface import SubgraphLinks

_NAME = "the first pass"


class Chain:
    """What the passes of a pipeline did to a model, all together.

    Tensors and subgraphs stay the same objects from pass to pass, so that those which the last model has in common with
    the first one are known from the first pass. Passes that compute the same by construction need not be told.

    Args:
        step: The first pass.
    """

    def __init__(self, step: Step) -> None:
        self._before = step.before
        self._subgraphs = dict(step.subgraphs)
        self._tensors = {**step.tensors, **successors(step)}
        self._links: dict[Subgraph, SubgraphLinks | None] = dict(step.links)

    def add(self, step: Step) -> None:
        """Take in the next pass."""
        for old, new in step.result.successors:
            if old in self._tensors:
                self._tensors[new] = self._tensors[old]
        for graph, links in step.links.items():
            if graph not in self._links or self._links[graph] is not None:
                self._links[graph] = join_links(self._links.get(graph), links)

    def step(self, model: Model) -> Step | None:
        """Return one pass that leads from the first model to the last one, without a claim.

        Args:
            model: The last model.

        Returns:
            The pass; None when no single interface change says what happened to the interface.
        """
        known = {}
        for graph in model.subgraphs:
            links = self._links.get(graph)
            if links is not None:
                known[graph] = links
            elif graph in self._links:
                return None
        subgraphs = {g: old for g, old in self._subgraphs.items() if g in known}
        tensors = {t: old for t, old in self._tensors.items() if any(g.holds(t) for g in known)}
        claim = Claim(None, "several passes")
        return Step(_NAME, self._before, model, PassResult(True, claim=claim), claim, known, subgraphs, tensors, _once)


def _once(places: Collection[str]) -> Step:
    raise PassError(f"several passes cannot be run again at {len(places)} places only")

# SPDX-License-Identifier: Apache-2.0
"""What is known about a failed check: two models, samples that tell them apart, and the pass between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.verification.adapt import Trail
from tflite2x.verification.locate import locate
from tflite2x.verification.running import Batch

if TYPE_CHECKING:
    from tflite2x.interpreter import KernelCache
    from tflite2x.ir import Model, Tensor
    from tflite2x.rewrite.pipeline import Step
    from tflite2x.rewrite.report import Difference
    from tflite2x.verification.config import Verify

Array = NDArray[Any]
#: How many times a pass may be run again to find the rewrite that breaks the model.
_TRIES = 64


@dataclasses.dataclass(slots=True)
class Failure:
    """A failed check.

    Attributes:
        step: The pass.
        before: The model before it, with samples.
        after: The model after it, with the same samples in its interface.
        tensors: Tensors after it with their counterparts before it.
        rounding: Rounding contract of the interpreter.
    """

    step: Step
    before: tuple[Model, Batch]
    after: tuple[Model, Batch]
    tensors: dict[Tensor, Tensor]
    rounding: Literal["single", "double"] = "single"

    def __post_init__(self) -> None:
        """Keep a copy of the model after the pass: the pipeline takes back what it did to the original."""
        model, batch = self.after
        copy = model.clone()
        graphs = dict(zip(model.subgraphs, copy.subgraphs, strict=True))
        copies = {t: c for g, k in graphs.items() for t, c in zip(g.tensors, k.tensors, strict=True)}
        self.after = copy, Batch(graphs[batch.graph], batch.inputs, batch.resize)
        self.tensors = {copies[t]: old for t, old in self.tensors.items() if t in copies}

    def locate(self, trail: Trail, outputs: Sequence[Array]) -> Difference | None:
        """Return the first tensor that differs."""
        return locate(self.before, self.after, self.tensors, trail, outputs, rounding=self.rounding)


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
    if len(places) < 2:
        return []
    tries = 0

    def breaks(chosen: Sequence[str]) -> bool:
        nonlocal tries
        tries += 1
        try:
            again = step.repeat(chosen)
            return (
                not VerifySession(
                    dataclasses.replace(config, every="pass"), again.before, search=False, kernels=kernels
                )
                .check(again)
                .passed
            )
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


def _together(places: list[str], breaks: Any, tries: int) -> list[str]:
    """Leave out what is not needed to break the model, one by one."""
    kept = list(places)
    for place in places[:tries]:
        rest = [p for p in kept if p != place]
        if breaks(rest):
            kept = rest
    return kept

# SPDX-License-Identifier: Apache-2.0
"""``Verify``: how thoroughly models are compared."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from tflite2x.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tflite2x.ir import Model, Subgraph
    from tflite2x.verification.session import VerifySession

Samples = int | str | os.PathLike[str] | Mapping[str, "NDArray[Any]"]


@dataclasses.dataclass(frozen=True)
class Verify:
    """How models are compared while a pipeline runs.

    Attributes:
        samples: A number of samples (structured and seeded random ones), or the user's own: an ``.npz`` file or arrays
            by input name, each [N, *shape].
        seed: Seed of the random samples.
        every: ``pass`` compares after each pass; ``end`` compares the last model with the first one, and checks the
            passes one by one, each against its claim, only when they differ in a bit (also where a pass claims LSB).
            Models that cannot run as a whole are checked after each pass in any case.
        rounding: Rounding contract of the interpreter: ``single`` as in LiteRT, ``double`` as in TFLite Micro.
        oracle: ``litert`` runs LiteRT beside the interpreter where it can (entry points with signatures, sequences of
            calls where there is state) and reports where they disagree, and what LiteRT was not asked.
    """

    samples: Samples = 32
    seed: int = 0
    every: Literal["pass", "end"] = "pass"
    rounding: Literal["single", "double"] = "single"
    oracle: Literal["litert"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.samples, int) and self.samples < 1:
            raise InputError(f"{self.samples} samples cannot show anything", hint="Ask for at least one.")
        if self.seed < 0:
            raise InputError(f"the seed is {self.seed}", hint="Give 0 or more.")

    @property
    def own(self) -> str | os.PathLike[str] | Mapping[str, NDArray[Any]] | None:
        """The user's samples, or None."""
        return None if isinstance(self.samples, int) else self.samples

    @property
    def count(self) -> int:
        """Number of samples to generate."""
        return self.samples if isinstance(self.samples, int) else 0

    def own_samples(self, graph: Subgraph) -> list[NDArray[Any]]:
        """Return the user's samples for the inputs of a subgraph."""
        from tflite2x.verification.samples import from_user

        assert self.own is not None
        signatures = [s for s in graph.model.signatures if s.subgraph is graph]
        names = {name: tensor for s in signatures for name, tensor in s.inputs.items()}
        return from_user(self.own, graph, names)

    def start(self, model: Model) -> VerifySession:
        """Begin with the model before the first pass."""
        from tflite2x.verification.session import VerifySession

        return VerifySession(self, model)

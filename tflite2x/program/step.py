# SPDX-License-Identifier: Apache-2.0
"""What all steps of an integer program have in common."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.program.values import Const, Value


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One function call of the program.

    Attributes:
        kind: Name of the function.
        inputs: What it reads.
        output: What it writes; several steps may write parts of one value.
        origin: The operator, such as ``CONV_2D (operator 3)``.
    """

    kind: ClassVar[str]
    inputs: tuple[Value | Const, ...]
    output: Value
    origin: str

    @property
    def function(self) -> str:
        """Name of the function that computes this kind of step, with its variant of rescaling."""
        rescaling = getattr(self, "rescaling", None)
        return f"{self.kind}_{rescaling}" if rescaling in ("real", "wide") else self.kind

    def parameters(self) -> dict[str, int | float | Const]:
        """Return the parameters by name."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: v for k, v in values.items() if isinstance(v, int | float | Const)}

    @property
    def constants(self) -> list[Const]:
        """Arrays that the step reads, parameters first."""
        return [v for v in (*self.parameters().values(), *self.inputs) if isinstance(v, Const)]

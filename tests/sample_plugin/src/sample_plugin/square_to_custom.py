# SPDX-License-Identifier: Apache-2.0
"""Replace x * x by the custom operator SAMPLE_SQUARE.

::

    x -> MUL (x, x) -> y     ==>     x -> SAMPLE_SQUARE -> y

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from tflite2x.rewrite import PatternPass


@dataclasses.dataclass(frozen=True)
class SquareToCustom(PatternPass):
    """Replace x * x by SAMPLE_SQUARE.

    Attributes:
        note: A text that goes into the operator's options.
    """

    name: ClassVar[str] = "square-to-custom"
    note: str = ""

    def pattern(self, p: Any, x: Any) -> Any:
        return p.MUL(p.where(x, dtype="float32"), x, out="y")

    def rewrite(self, m: Any, b: Any) -> Any:
        return b("SAMPLE_SQUARE")(m.x, like=m.y, custom_options=self.note.encode() or None)

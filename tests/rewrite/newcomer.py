# SPDX-License-Identifier: Apache-2.0
import dataclasses
from typing import ClassVar

import tflite2x


@tflite2x.register_pass
@dataclasses.dataclass(frozen=True)
class RemoveMulByOne(tflite2x.PatternPass):
    """Remove multiplications by one. Claim: exact."""

    name: ClassVar[str] = "remove-mul-by-one"

    def pattern(self, p, x, one):
        return p.MUL(p.where(x, dtype="float32"), p.constant(one), out="y")

    def check(self, m):
        m.require((m.one.data == 1).all(), f"'{m.one.name}' is not 1 everywhere")
        m.require(m.x.shape == m.y.shape, f"it broadcasts {m.x.shape} to {m.y.shape}")

    def rewrite(self, m, b):
        return m.x

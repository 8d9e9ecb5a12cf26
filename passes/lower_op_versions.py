# SPDX-License-Identifier: Apache-2.0
"""Give every operator the smallest version that its features need.

::

    FULLY_CONNECTED version 9 (int8)     ==>     FULLY_CONNECTED version 4

A runtime refuses versions that it does not know ("Didn't find op for builtin opcode ... version"), even where the
operator uses nothing new; converters and quantizers often leave larger numbers than needed. What an operator needs
follows from types, options and shapes. Operators whose rules are not known are left alone when their version is above
1.

Claim: exact. The version does not change what is computed.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tflite2x.passes._common import operators
from tflite2x.passes._versions import smallest_version
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model


@dataclasses.dataclass(frozen=True)
class LowerOpVersions(Pass):
    """Give every operator the smallest version that its features need."""

    name: ClassVar[str] = "lower-op-versions"

    def run(self, model: Model) -> PassResult:
        """Look at every operator; codes that nothing uses any more go."""
        result = PassResult()
        before = {op.code for op in operators(model)}
        for op in operators(model):
            if op.custom_code is not None or op.version <= 1:
                continue
            wanted = smallest_version(op)
            if wanted is None:
                result.leave(op, f"version {op.version}; what {op.name} needs is not known")
            elif wanted < op.version and sites.allowed(op.where):
                result.replace(op, f"version {op.version} became {wanted}")
                result.count("versions lowered")
                op.set_code(op.opcode, wanted)
        for code in before - {op.code for op in operators(model)}:
            model.remove_operator_code(code)
        return result

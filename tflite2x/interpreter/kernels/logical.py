# SPDX-License-Identifier: Apache-2.0
"""LOGICAL_AND, LOGICAL_OR and LOGICAL_NOT."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter.elementwise import check_types, one, two
from tflite2x.interpreter.kernel import KernelContext, Run
from tflite2x.interpreter.registry import kernel


@kernel("LOGICAL_AND", "LOGICAL_OR", types=("bool",))
def logical(ctx: KernelContext) -> Run:
    """LOGICAL_AND and LOGICAL_OR (LiteRT logical.cc)."""
    check_types(ctx, ("bool",), inputs=2)
    return two(ctx, np.logical_and if ctx.name == "LOGICAL_AND" else np.logical_or)


@kernel("LOGICAL_NOT", types=("bool",))
def logical_not(ctx: KernelContext) -> Run:
    """LOGICAL_NOT (LiteRT elementwise.cc)."""
    check_types(ctx, ("bool",))
    return one(np.logical_not)

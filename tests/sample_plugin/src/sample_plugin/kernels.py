# SPDX-License-Identifier: Apache-2.0
"""The kernel of SAMPLE_SQUARE."""

from __future__ import annotations

from typing import Any


def square(op: Any, inputs: Any) -> Any:
    """Multiply the input with itself."""
    return inputs[0] * inputs[0]

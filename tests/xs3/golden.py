# SPDX-License-Identifier: Apache-2.0
"""The golden vectors: numbers that XMOS's own code produced (golden/README.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "golden"


def cases(name: str) -> Iterator[dict[str, Any]]:
    """Yield one dictionary per case: array name without its number -> array."""
    with np.load(FOLDER / f"{name}.npz") as data:
        numbers = sorted({key.rsplit("_", 1)[1] for key in data.files if "_" in key})
        for number in numbers:
            suffix = f"_{number}"
            yield {key.removesuffix(suffix): data[key] for key in data.files if key.endswith(suffix)}

# SPDX-License-Identifier: Apache-2.0
"""An independent reader: the object API that ships inside ai-edge-litert, and a comparison field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest


def read(data: bytes) -> Any:
    """Read a model with the generated object API."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    return schema.ModelT.InitFromPackedBuf(bytearray(data), 0)


def differences(a: Any, b: Any, path: str = "model") -> Iterator[str]:
    """Yield every place where two object trees differ; floats are compared bit for bit."""
    if a is None or b is None or type(a) is not type(b):
        if a is not b:
            yield f"{path}: {a!r} became {b!r}"[:300]
    elif isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
            yield f"{path}: {a.size} elements of {a.dtype} became {b.size} of {b.dtype}"
    elif isinstance(a, list):
        if len(a) != len(b):
            yield f"{path}: {len(a)} items became {len(b)}"
        else:
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                yield from differences(x, y, f"{path}[{i}]")
    elif isinstance(a, float):
        if np.float64(a).tobytes() != np.float64(b).tobytes():
            yield f"{path}: {a!r} became {b!r}"
    elif hasattr(a, "__dict__"):
        for name in vars(a):
            yield from differences(getattr(a, name), getattr(b, name), f"{path}.{name}")
    elif a != b:
        yield f"{path}: {a!r} became {b!r}"[:300]

# SPDX-License-Identifier: Apache-2.0
"""Registration of kernels for one test."""

from __future__ import annotations

import pytest

import tflite2x
from tflite2x.interpreter.registry import CUSTOM_KERNELS, unregister_kernel


@pytest.fixture
def register():
    """Register kernels of custom operators and forget them afterwards."""
    before = set(CUSTOM_KERNELS)
    yield tflite2x.register_kernel
    for name in set(CUSTOM_KERNELS) - before:
        unregister_kernel(name)

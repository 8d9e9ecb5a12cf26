# SPDX-License-Identifier: Apache-2.0
"""Which module of ``tflite2x.interpreter.kernels`` declares which operator, so that only needed modules are imported.

A test proves that this table and the declarations agree.
"""

from __future__ import annotations

KERNEL_TABLE: dict[str, str] = {}

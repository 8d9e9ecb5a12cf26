# SPDX-License-Identifier: Apache-2.0
"""The pipelines that ``optimize`` runs for a target."""

from __future__ import annotations

#: Target -> pipeline.
TARGETS = {
    "xcore": "strip-float-io,xc-fc,cleanup",
    "tflite": "strip-float-io,cleanup",
}

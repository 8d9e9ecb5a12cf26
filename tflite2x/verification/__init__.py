# SPDX-License-Identifier: Apache-2.0
"""Whether two models compute the same: samples, interface adapters, comparison in LSB, reports."""

from __future__ import annotations

from tflite2x.verification.config import Verify
from tflite2x.verification.optimizing import optimize
from tflite2x.verification.pair import PairResult, verify
from tflite2x.verification.reproducer import replay, reproduce

__all__ = ["PairResult", "Verify", "optimize", "replay", "reproduce", "verify"]

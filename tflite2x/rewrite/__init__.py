# SPDX-License-Identifier: Apache-2.0
"""Passes, pipelines, and patterns: everything that rewrites a model. Knows nothing of numerics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tflite2x.rewrite.base import Candidate as Candidate
    from tflite2x.rewrite.base import Pass as Pass
    from tflite2x.rewrite.group import Group as Group
    from tflite2x.rewrite.interface import InterfaceChange as InterfaceChange
    from tflite2x.rewrite.pipeline import CheckFailedError as CheckFailedError
    from tflite2x.rewrite.pipeline import Pipeline as Pipeline
    from tflite2x.rewrite.registry import register_pass as register_pass
    from tflite2x.rewrite.report import Report as Report
    from tflite2x.rewrite.result import Claim as Claim
    from tflite2x.rewrite.result import PassResult as PassResult
    from tflite2x.rewrite.rule import PatternPass as PatternPass

_HOME = {
    "Candidate": "base",
    "CheckFailedError": "pipeline",
    "Claim": "result",
    "Group": "group",
    "InterfaceChange": "interface",
    "Pass": "base",
    "PassResult": "result",
    "PatternPass": "rule",
    "Pipeline": "pipeline",
    "Report": "report",
    "register_pass": "registry",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(f"tflite2x.rewrite.{_HOME[name]}"), name)
    raise AttributeError(f"module 'tflite2x.rewrite' has no attribute '{name}'")

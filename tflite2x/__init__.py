# SPDX-License-Identifier: Apache-2.0
"""Load, rewrite, verify and write TFLite models.

Everything below is imported when it is first used, so that ``import tflite2x`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tflite2x import xs3 as xs3
    from tflite2x.errors import Tflite2xError as Tflite2xError
    from tflite2x.explain import explain as explain
    from tflite2x.interpreter import Interpreter as Interpreter
    from tflite2x.interpreter import register_kernel as register_kernel
    from tflite2x.ir import Buffer as Buffer
    from tflite2x.ir import Metadata as Metadata
    from tflite2x.ir import Model as Model
    from tflite2x.ir import Operator as Operator
    from tflite2x.ir import Quantization as Quantization
    from tflite2x.ir import Signature as Signature
    from tflite2x.ir import Subgraph as Subgraph
    from tflite2x.ir import Tensor as Tensor
    from tflite2x.ir import dumps as dumps
    from tflite2x.ir import load as load
    from tflite2x.ir import loads as loads
    from tflite2x.ir import save as save
    from tflite2x.rewrite import CheckFailedError as CheckFailedError
    from tflite2x.rewrite import Claim as Claim
    from tflite2x.rewrite import InterfaceChange as InterfaceChange
    from tflite2x.rewrite import Pass as Pass
    from tflite2x.rewrite import PassResult as PassResult
    from tflite2x.rewrite import PatternPass as PatternPass
    from tflite2x.rewrite import Pipeline as Pipeline
    from tflite2x.rewrite import Report as Report
    from tflite2x.rewrite import register_pass as register_pass
    from tflite2x.schema.enums import ActivationFunctionType as ActivationFunctionType
    from tflite2x.schema.enums import BuiltinOperator as BuiltinOperator
    from tflite2x.schema.enums import Padding as Padding
    from tflite2x.schema.enums import TensorType as TensorType
    from tflite2x.verification import PairResult as PairResult
    from tflite2x.verification import Verify as Verify
    from tflite2x.verification import optimize as optimize
    from tflite2x.verification import reproduce as reproduce
    from tflite2x.verification import verify as verify

__version__ = "0.1.0"

#: Public name -> module that defines it.
_HOME = {
    **dict.fromkeys(
        ("Buffer", "Metadata", "Model", "Operator", "Quantization", "Signature", "Subgraph", "Tensor", "dumps", "load",
         "loads", "save"),
        "tflite2x.ir",
    ),
    **dict.fromkeys(("ActivationFunctionType", "BuiltinOperator", "Padding", "TensorType"), "tflite2x.schema.enums"),
    **dict.fromkeys(("Interpreter", "register_kernel"), "tflite2x.interpreter"),
    "Tflite2xError": "tflite2x.errors",
    **dict.fromkeys(
        ("CheckFailedError", "Claim", "InterfaceChange", "Pass", "PassResult", "PatternPass", "Pipeline", "Report",
         "register_pass"),
        "tflite2x.rewrite",
    ),
    **dict.fromkeys(("PairResult", "Verify", "optimize", "reproduce", "verify"), "tflite2x.verification"),
}  # fmt: skip
_ROOMS = frozenset({"errors", "explain", "export", "interpreter", "ir", "passes", "program", "rewrite", "schema",
                    "verification", "xs3"})  # fmt: skip

__all__ = sorted([*_HOME, "explain", "xs3"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"tflite2x.{name}")
    raise AttributeError(f"module 'tflite2x' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_ROOMS])

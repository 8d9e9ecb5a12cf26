# SPDX-License-Identifier: Apache-2.0
"""The names that others rely on, and that nothing is imported before it is needed."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest

import tflite2x
import tflite2x.passes
from tflite2x.rewrite.registry import library_names

PUBLIC = [
    "BuiltinOperator",
    "TensorType",
    "Padding",
    "ActivationFunctionType",
    "Buffer",
    "Metadata",
    "Model",
    "Operator",
    "Quantization",
    "Signature",
    "Subgraph",
    "Tensor",
    "dumps",
    "load",
    "loads",
    "save",
    "Interpreter",
    "register_kernel",
    "Pass",
    "PassResult",
    "Pipeline",
    "Claim",
    "InterfaceChange",
    "Report",
    "CheckFailedError",
    "register_pass",
    "Verify",
    "verify",
    "optimize",
    "PairResult",
    "Tflite2xError",
    "xs3",
]


def test_public_names_are_there() -> None:
    for name in PUBLIC:
        assert getattr(tflite2x, name) is not None, name
    assert set(PUBLIC) <= set(tflite2x.__all__)
    assert set(tflite2x.__all__) <= set(dir(tflite2x))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tflite2x.nonsense


def test_public_names_are_documented() -> None:
    for name in tflite2x.__all__:
        assert inspect.getdoc(getattr(tflite2x, name)), name


def test_every_pass_of_the_library_can_be_imported_by_its_class_name() -> None:
    classes = [getattr(tflite2x.passes, name) for name in tflite2x.passes.__all__]
    assert sorted(c.name for c in classes) == library_names()
    for cls in classes:
        assert dataclasses.is_dataclass(cls)
        assert cls.__dataclass_params__.frozen
        assert cls.__module__ == f"tflite2x.passes.{cls.name.replace('-', '_')}"
        assert sys.modules[cls.__module__].__doc__


def test_a_pipeline_of_objects() -> None:
    from tflite2x.passes import Cleanup, StripFloatIO

    pipeline = tflite2x.Pipeline([StripFloatIO(), Cleanup()])
    assert str(pipeline) == "strip-float-io,cleanup"


@pytest.mark.parametrize("code", ["import tflite2x", "import tflite2x, tflite2x.errors, tflite2x.cli"])
def test_imports_are_lazy(code: str) -> None:
    heavy = ("numpy", "networkx", "tflite", "flatbuffers", "rich", "ai_edge_litert")
    check = f"import sys; {code}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", check], text=True).strip() == "[]"


def test_passes_cannot_be_imported_under_another_name() -> None:
    result = subprocess.run([sys.executable, "-c", "import passes"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Import tflite2x.passes instead" in result.stderr or "No module named 'passes'" in result.stderr

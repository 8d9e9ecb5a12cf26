# SPDX-License-Identifier: Apache-2.0
"""The table of kernels and what the modules declare are one and the same."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import tflite2x
from tflite2x.interpreter import kernels
from tflite2x.interpreter.registry import BUILTIN_KERNELS, all_kernels, builtin_kernel
from tflite2x.interpreter.table import KERNEL_TABLE
from tflite2x.schema.enums import BuiltinOperator

#: Custom operators that LiteRT has kernels for by itself.
LITERT_CUSTOM = {"TFLite_Detection_PostProcess", "Mfcc", "AudioSpectrogram", "NumericVerify"}


def test_table_and_declarations_agree():
    modules = [m.name for m in pkgutil.iter_modules(kernels.__path__)]
    for module in modules:
        importlib.import_module(f"tflite2x.interpreter.kernels.{module}")
    declared = {
        name: kernel.prepare.__module__.removeprefix("tflite2x.interpreter.kernels.")
        for name, kernel in BUILTIN_KERNELS.items()
    }
    # A kernel may be defined by a loop in the module that the table names.
    assert set(declared) == set(KERNEL_TABLE)
    assert {n: m for n, m in declared.items() if m in modules} == {
        n: m for n, m in KERNEL_TABLE.items() if declared[n] in modules
    }
    assert set(all_kernels()) == set(KERNEL_TABLE)


def test_names_are_operators():
    builtin = {name for name in KERNEL_TABLE if name in BuiltinOperator.__members__}
    assert set(KERNEL_TABLE) - builtin <= LITERT_CUSTOM


def test_every_kernel_says_types_and_verification():
    for name, kernel in all_kernels().items():
        assert kernel.types, name
        assert kernel.verified, name
        assert kernel.prepare.__doc__ or kernel.prepare.__module__, name


def test_litert_has_no_builtin_operator_that_is_missing_here():
    module = pytest.importorskip("ai_edge_litert.interpreter")
    for name in sorted(set(BuiltinOperator.__members__) - set(KERNEL_TABLE) - {"CUSTOM"}):
        model = tflite2x.Model.new()
        x = model.main.add_input("x", (2,), "float32")
        y = model.main.add_tensor("y", (2,), "float32")
        model.main.add_operator(name, [x], [y])
        model.main.set_outputs([y])
        with pytest.raises(ValueError, match="Didn't find op for builtin opcode"):
            module.Interpreter(model_content=tflite2x.dumps(model))


def test_names_without_kernel():
    assert builtin_kernel("CONCAT_EMBEDDINGS") is None
    assert builtin_kernel("no operator") is None

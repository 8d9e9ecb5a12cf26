# SPDX-License-Identifier: Apache-2.0
"""The NumPy interpreter: kernels, fixed-point arithmetic, the execution plan, trace."""

from __future__ import annotations

from tflite2x.interpreter.interpreter import Interpreter
from tflite2x.interpreter.kernel import KernelContext, TensorSpec
from tflite2x.interpreter.registry import register_kernel, unregister_kernel
from tflite2x.interpreter.sharing import KernelCache

__all__ = ["Interpreter", "KernelCache", "KernelContext", "TensorSpec", "register_kernel", "unregister_kernel"]

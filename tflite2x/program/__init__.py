# SPDX-License-Identifier: Apache-2.0
"""Programs: what a model computes, as a list of steps; those of a quantized model have exact integer parameters.

One lowering serves everything that prints arithmetic: ``tflite2x explain`` and its NumPy functions, and the exports to
C, Rust and NumPy. The numbers come from the interpreter's own kernels and fixed-point functions.
"""

from tflite2x.program.lowering import Lowering, Program, lower
from tflite2x.program.values import Const, Value

__all__ = ["Const", "Lowering", "Program", "Value", "lower"]

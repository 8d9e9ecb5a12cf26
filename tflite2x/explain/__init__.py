# SPDX-License-Identifier: Apache-2.0
"""What a model is, and why numbers differ: functions that return data, and renderers that print it.

``tflite2x.explain`` is this package and a function at once: ``tflite2x.explain(op)`` is
:func:`tflite2x.explain.arithmetic.explain`.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tflite2x.explain.arithmetic import Explanation
    from tflite2x.interpreter.kernel import Rounding
    from tflite2x.ir import Operator


class _Callable(types.ModuleType):
    """A module that can be called."""

    def __call__(self, op: Operator, rounding: Rounding = "single") -> Explanation:
        """Explain one operator, see :func:`tflite2x.explain.arithmetic.explain`."""
        from tflite2x.explain.arithmetic import explain

        return explain(op, rounding)


sys.modules[__name__].__class__ = _Callable
#: This package as what it is now: type checkers cannot see that a module can be called.
explain = cast(_Callable, sys.modules[__name__])

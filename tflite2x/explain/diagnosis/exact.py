# SPDX-License-Identifier: Apache-2.0
"""Running one operator exactly, with the interpreter's kernel, on arrays that come from somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.interpreter.batching import pick, stack
from tflite2x.interpreter.kernel import Array, KernelContext, Rounding, SampleDependent
from tflite2x.interpreter.registry import find_kernel
from tflite2x.interpreter.session import Session
from tflite2x.interpreter.specs import constant_value, tensor_spec

if TYPE_CHECKING:
    from tflite2x.ir import Operator


class ExactOperator:
    """One operator, ready to run on any values of its inputs.

    Args:
        op: The operator.
        rounding: The rounding contract.

    Attributes:
        op: The operator.
        context: What kernels know about it.

    Raises:
        UnsupportedError: It has no kernel, or the kernel cannot do its types or options.
    """

    def __init__(self, op: Operator, rounding: Rounding) -> None:
        self.op = op
        self._session = Session(rounding)
        self.context = KernelContext(
            op=op,
            inputs=tuple(None if t is None else tensor_spec(t, constant_value(t)) for t in op.inputs),
            outputs=tuple(tensor_spec(t) for t in op.outputs),
            intermediates=tuple(None if t is None else tensor_spec(t) for t in op.intermediates),
            rounding=rounding,
            runtime=self._session,
        )
        with np.errstate(all="ignore"):
            self._run = find_kernel(op).prepare(self.context)

    def run(self, inputs: Sequence[Array | None]) -> list[Array]:
        """Compute the outputs; every array has a sample axis."""
        samples = max([len(a) for a in inputs if a is not None], default=1)
        self._session.begin(samples)
        with np.errstate(all="ignore"):
            try:
                return list(self._run(inputs))
            except SampleDependent:
                parts = self._session.by_sample(
                    lambda i: list(self._run([None if a is None else pick(a, i) for a in inputs]))
                )
                return [stack(column) for column in zip(*parts, strict=True)]

# SPDX-License-Identifier: Apache-2.0
"""Running one operator exactly, with the interpreter's kernel, on arrays that come from somewhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.interpreter.batching import pick, stack
from tflite2x.interpreter.kernel import Array, KernelContext, Rounding, SampleDependent, TensorSpec
from tflite2x.interpreter.registry import find_kernel
from tflite2x.interpreter.session import Session
from tflite2x.interpreter.specs import constant_value, tensor_spec

if TYPE_CHECKING:
    from tflite2x.ir import Operator


@dataclasses.dataclass(frozen=True, slots=True)
class _Context(KernelContext):
    """What a kernel knows, with options that may be others than the operator's.

    Attributes:
        chosen: The options.
    """

    chosen: Any = None

    @property
    def options(self) -> Any:
        """The options to compute with."""
        return self.chosen


class ExactOperator:
    """One operator, ready to run on any values of its inputs.

    Args:
        op: The operator.
        rounding: The rounding contract.
        first: Another description of its first input.
        options: Other options.

    Attributes:
        op: The operator.
        context: What kernels know about it.

    Raises:
        UnsupportedError: It has no kernel, or the kernel cannot do its types or options.
    """

    def __init__(
        self, op: Operator, rounding: Rounding, *, first: TensorSpec | None = None, options: Any = None
    ) -> None:
        self.op = op
        self._session = Session(rounding)
        specs = [None if t is None else tensor_spec(t, constant_value(t)) for t in op.inputs]
        self.context = _Context(
            op=op,
            inputs=tuple(specs if first is None else [first, *specs[1:]]),
            outputs=tuple(tensor_spec(t) for t in op.outputs),
            intermediates=tuple(None if t is None else tensor_spec(t) for t in op.intermediates),
            rounding=rounding,
            runtime=self._session,
            chosen=op.options if options is None else options,
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

# SPDX-License-Identifier: Apache-2.0
"""Kernels that interpreters of several models have in common.

Versions of one model, such as those before and after a pass, consist of the same operators for the most part, and
preparing a kernel (widening weights, proving the arithmetic of its last step) costs more than running it once. What
``prepare`` may look at is little: the operator's kind and options, the specs of its tensors, the rounding contract.
Where all of that is equal, one prepared kernel serves them all.
"""

from __future__ import annotations

import dataclasses
import itertools
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Rounding, Run, Runtime, SampleDependent, TensorSpec

if TYPE_CHECKING:
    from tflite2x.interpreter.registry import Kernel
    from tflite2x.ir import Tensor

#: Bytes of constants behind the kernels that are kept. Prepared, they take up to eight times as much.
_KEPT = 32 * 1024 * 1024
#: Bytes at both ends of a constant that are looked at first.
_ENDS = 64
#: What a kernel without constants counts for.
_LEAST = 4096


Prepare = Callable[["Kernel", KernelContext], Run]


@dataclasses.dataclass(slots=True, eq=False)
class Prepared:
    """A prepared kernel; equal to itself only.

    Attributes:
        run: Second step of the kernel. Its errors name the operator that it was prepared for.
        size: Bytes of the constants behind it.
    """

    run: Run
    size: int


class KernelCache:
    """Prepared kernels, to be given to one interpreter after another, but not to several threads.

    The kernels that were used last are kept, as many as a bound on their constants allows. Constants count as the bytes
    that they are, and bytes that models share must not be changed in place.

    Args:
        kept: Bytes of constants behind the kernels that are kept.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._size = 0
        self._kernels: dict[Hashable, Prepared] = {}  # those used last at the end
        self._tokens: dict[int, tuple[weakref.ref[memoryview], int]] = {}
        self._alike: dict[Hashable, list[tuple[weakref.ref[memoryview], int]]] = {}
        self._numbers = itertools.count()
        self._runtimes: dict[Rounding, Runtime] = {}

    def __len__(self) -> int:
        """Return the number of kernels that are kept."""
        return len(self._kernels)

    def prepare(
        self, kernel: Kernel, context: KernelContext, sources: Sequence[Hashable | None], prepare: Prepare
    ) -> tuple[Run, Prepared | None]:
        """Return the ``run`` of an operator, and what it shares with equal operators; None when it shares nothing.

        Args:
            kernel: Its kernel. Only pure kernels of this package are shared: others may keep state or look around.
            context: What the kernel sees.
            sources: For each input that is constant, what tells it from all others; None when nothing does.
            prepare: Prepares a kernel.
        """
        key = _operator_key(kernel, context, sources)
        if key is None:
            return prepare(kernel, context), None
        found = self._kernels.pop(key, None)
        if found is not None:
            self._kernels[key] = found
            return _anchored(found.run, lambda: prepare(kernel, context)), found
        run = prepare(kernel, self._without_session(context))
        size = _LEAST + sum(s.const.nbytes for s in context.inputs if s is not None and s.const is not None)
        made = self._kernels[key] = Prepared(run, size)
        self._size += size
        while self._size > self._kept and len(self._kernels) > 1:
            self._size -= self._kernels.pop(next(iter(self._kernels))).size
        return run, made

    def _without_session(self, context: KernelContext) -> KernelContext:
        """Return a context for a pure kernel, which may outlive the session and needs none."""
        runtime = self._runtimes.get(context.rounding)
        if runtime is None:
            from tflite2x.interpreter.session import Session

            runtime = self._runtimes[context.rounding] = Session(context.rounding)
        c = context
        return KernelContext(c.op, c.inputs, c.outputs, c.intermediates, c.rounding, runtime)

    def token(self, tensor: Tensor) -> Hashable | None:
        """Return what tells the bytes of a constant from all others; None where they are not plain bytes of the file.

        Copies of a model share the bytes, so that they are not read; others are compared with those of equal length and
        equal ends.
        """
        if tensor.external_buffer is not None or tensor.sparsity is not None:
            return None
        data = tensor.buffer.data
        if data is None:
            return b""
        if len(data) <= _ENDS:
            return bytes(data)
        key, tokens = id(data), self._tokens
        known = tokens.get(key)
        if known is None or known[0]() is not data:
            reference = weakref.ref(data, lambda dead: _forget(tokens, key, dead))
            ends = len(data), bytes(data[:_ENDS]), bytes(data[-_ENDS:])
            alike = self._alike.setdefault(ends, [])
            alike[:] = [entry for entry in alike if entry[0]() is not None]
            number = next((n for r, n in alike if _same(r(), data)), None)
            if number is None:
                number = next(self._numbers)
            alike.append((reference, number))
            known = tokens[key] = reference, number
        return known[1]


def _same(a: memoryview | None, b: memoryview) -> bool:
    return a is not None and bool(np.array_equal(np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8)))


def _forget(tokens: dict[int, tuple[weakref.ref[memoryview], int]], key: int, dead: weakref.ref[memoryview]) -> None:
    known = tokens.get(key)
    if known is not None and known[0] is dead:  # the next object may have the number already
        del tokens[key]


def _operator_key(kernel: Kernel, context: KernelContext, sources: Sequence[Hashable | None]) -> Hashable | None:
    """Return what tells an operator from all that are prepared in another way; None when it is not to be shared."""
    op = context.op
    if not kernel.pure or op.calls or not getattr(kernel.prepare, "__module__", "").startswith("tflite2x."):
        return None
    options = _options(op.options)
    if (
        options is None
        or op.other_options is not None
        or any(t is not None and t.sparsity is not None for t in op.inputs)
    ):
        return None
    specs: list[Hashable] = []
    for spec, source in itertools.zip_longest((*context.inputs, *context.outputs, *context.intermediates), sources):
        if spec is not None and ((spec.const is not None and source is None) or _details(spec)):
            return None
        specs.append(None if spec is None else (_spec(spec), source))
    counts = len(context.inputs), len(context.outputs), len(context.intermediates)
    return (
        kernel.prepare,
        op.name,
        op.version,
        options,
        bytes(op.custom_options or b""),
        context.rounding,
        counts,
        *specs,
    )


def _options(options: Any) -> str | None:
    """Return options as text that is equal for equal options only; None where values are more than numbers."""
    if options is None:
        return ""
    values = [getattr(options, field.name) for field in options.FIELDS]
    for value in values:
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if part is not None and not isinstance(part, (bool, int, float, str)):
                return None
    return f"{type(options).__name__}{values!r}"


def _details(spec: TensorSpec) -> bool:
    """Whether the quantization refers to more than numbers: blocks have scales in tensors of their own."""
    return spec.quantization is not None and spec.quantization.details is not None


def _spec(spec: TensorSpec) -> Hashable:
    """Return all that a spec says, apart from the name and the constant."""
    q = spec.quantization
    stored = None
    if q is not None:
        own = None if q.zero_point.shape == spec.zero_point.shape else q.zero_point  # the spec may fill them up
        stored = (q.quantized_dimension, _bytes(own), _bytes(q.min), _bytes(q.max))
    return (
        spec.type, spec.dtype.str, spec.shape, spec.scale.tobytes(), spec.zero_point.tobytes(), spec.axis,
        spec.is_variable, spec.const is None, stored,
    )  # fmt: skip


def _bytes(array: Array | None) -> Hashable:
    return None if array is None else (array.shape, array.tobytes())


def _anchored(shared: Run, prepare: Callable[[], Run]) -> Run:
    """Return a run that uses a shared kernel, and one of its own where that fails, so that errors name the operator.

    Args:
        shared: The kernel, prepared for an equal operator.
        prepare: Prepares the operator's own kernel.
    """

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        try:
            return shared(inputs)
        except SampleDependent:
            raise
        except Exception:
            return prepare()(inputs)

    return run

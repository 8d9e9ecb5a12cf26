# SPDX-License-Identifier: Apache-2.0
"""The interpreter: runs a model with NumPy, bit for bit like LiteRT's reference kernels."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from tflite2x.errors import ExecutionError, InputError, RaggedOutputError, Tflite2xError
from tflite2x.interpreter.batching import pick, spread, stack
from tflite2x.interpreter.inputs import Inputs, arrange, convert
from tflite2x.interpreter.kernel import Array, Rounding, SampleDependent
from tflite2x.interpreter.plan import Part, Plan
from tflite2x.interpreter.session import Session

if TYPE_CHECKING:
    from tflite2x.interpreter.sharing import KernelCache
    from tflite2x.ir import Model, Operator, Subgraph, Tensor

T = TypeVar("T")

#: Bytes of the largest tensor of a batch that runs at once.
_PART = 1 << 22


@dataclasses.dataclass(frozen=True)
class Ragged(Generic[T]):
    """Results of samples that ran one by one."""

    parts: list[T]


class Interpreter:
    """Runs a model.

    Kernels are prepared when a subgraph runs for the first time; later edits of the model are not noticed. State
    (variable tensors, resource variables, hash tables, random number streams) lives from run to run until ``reset``.

    Args:
        model: The model; it is not changed.
        rounding: ``single`` follows LiteRT's reference kernels, ``double`` TFLite Micro. Most kernels of both round
            twice, as gemmlowp does; :mod:`tflite2x.interpreter.micro` lists those that differ.
        kernels: Kernels prepared by earlier interpreters, for models that have operators in common; None to prepare
            all of them.

    Attributes:
        model: The model.
        rounding: The rounding contract.

    Raises:
        InputError: ``rounding`` is neither.
    """

    def __init__(self, model: Model, rounding: Rounding = "single", *, kernels: KernelCache | None = None) -> None:
        if rounding not in ("single", "double"):
            raise InputError(f"rounding is {rounding!r}", hint="Choose 'single' (LiteRT) or 'double' (TFLite Micro).")
        self.model = model
        self.rounding: Rounding = rounding
        self._session = Session(rounding, kernels)
        self._single: dict[Operator, tuple[tuple[Tensor, ...], Plan]] = {}

    def run(
        self,
        inputs: Inputs,
        *,
        signature: str | None = None,
        subgraph: Subgraph | int | None = None,
        resize: bool = False,
    ) -> list[Array]:
        """Run the model once.

        Args:
            inputs: One array per input, in model order or by name (tensor name, or name in the signature). Arrays of
                another type are converted only if no value can change. INT4 values come as int8, one per element;
                strings as str or bytes.
            signature: Key of the signature to run; its subgraph decides. Default: the main subgraph.
            subgraph: The subgraph to run, or its index, instead of ``signature``.
            resize: Accept other lengths than those that the file fixes, like LiteRT's ``resize_tensor_input``.
                Dimensions that the file leaves open (-1 in ``shape_signature``) take any length without this.

        Returns:
            The outputs in model order; arrays of the caller's own.

        Raises:
            InputError: Wrong number, name, shape or type of inputs.
            UnsupportedError: An operator has no kernel, or its kernel cannot do its types or options.
            ExecutionError: An operator met values that it cannot compute with.
        """
        with self._guard():
            target, arrays = self._inputs(inputs, signature, subgraph, batched=False, resize=resize)
            self._session.begin(1)
            return [spread(a, 1)[0, ...] for a in self._whole(target, arrays)]

    def run_batch(
        self,
        inputs: Inputs,
        *,
        signature: str | None = None,
        subgraph: Subgraph | int | None = None,
        resize: bool = False,
    ) -> list[Array]:
        """Run the model on N samples as one vectorised pass.

        The results are those of N runs. A model with state starts every sample from the present state, and keeps N
        states until ``reset`` or a batch of another size is refused.

        Args:
            inputs: Like for ``run``, every array with one more axis in front, of length N.
            signature: Like for ``run``.
            subgraph: Like for ``run``.
            resize: Like for ``run``; never needed for the sample axis.

        Returns:
            The outputs in model order, with a sample axis of length N.

        Raises:
            InputError: Like for ``run``; or the inputs have different numbers of samples.
            UnsupportedError: Like for ``run``.
            ExecutionError: Like for ``run``; or an output's shape differs between samples.
        """
        with self._guard():
            target, arrays = self._inputs(inputs, signature, subgraph, batched=True, resize=resize)
            samples = self._count(arrays)
            outputs = self._batch(lambda part: self._whole(target, part), arrays, samples)
            if isinstance(outputs, Ragged):
                return [_join(parts, f"output {i}") for i, parts in enumerate(zip(*outputs.parts, strict=True))]
            return [spread(a, samples) for a in outputs]

    def trace(
        self,
        inputs: Inputs,
        *,
        batched: bool = False,
        signature: str | None = None,
        subgraph: Subgraph | int | None = None,
        resize: bool = False,
    ) -> dict[Tensor, Array]:
        """Run the model and return the value of every tensor that was an input or was computed.

        Tensors of subgraphs that operators called are included, with the values of the last call. Variable tensors
        have their values after the run.

        Args:
            inputs: Like for ``run``, or like for ``run_batch`` with ``batched``.
            batched: The arrays have a sample axis; so do those in the trace. A tensor that only some samples computed,
                or whose shape differs between samples, is left out.
            signature: Like for ``run``.
            subgraph: Like for ``run``.
            resize: Like for ``run``.

        Returns:
            Tensor objects of the model with their values, in the order of computation.

        Raises:
            InputError: Like for ``run``.
            UnsupportedError: Like for ``run``.
            ExecutionError: Like for ``run``.
        """
        with self._guard():
            target, arrays = self._inputs(inputs, signature, subgraph, batched=batched, resize=resize)
            samples = self._count(arrays) if batched else 1

            def record(part: Sequence[Array]) -> dict[Tensor, Array]:
                self._session.record = {}
                try:
                    self._whole(target, part)
                    return self._session.record
                finally:
                    self._session.record = None

            # The values inside of called subgraphs are only those of the last sample, unless samples run one by one.
            found = self._batch(record, arrays, samples, one_by_one=target.calls_subgraphs)
            if isinstance(found, Ragged):
                return _common(found.parts)
            return {t: spread(a, samples) if batched else spread(a, 1)[0, ...] for t, a in found.items()}

    def run_operator(self, op: Operator, values: Mapping[Tensor, Array], samples: int = 1) -> dict[Tensor, Array]:
        """Run one operator on values that are known.

        Args:
            op: The operator; it calls no subgraph.
            values: What the tensors hold that it reads, with a sample axis; more does no harm. Constants need not be
                there.
            samples: How many samples there are where the operator reads constants only.

        Returns:
            The values of the tensors that it computes, with a sample axis.

        Raises:
            InputError: A value is missing.
            UnsupportedError: Like for ``run``.
            ExecutionError: Like for ``run``; or a shape differs between samples.
        """
        found = self._single.get(op)
        if found is None:
            given = tuple(dict.fromkeys(t for t in op.inputs if t is not None and not t.is_constant))
            found = self._single[op] = given, Plan(op.subgraph, self._session, Part((op,), given, op.outputs))
        given, plan = found
        missing = next((t for t in given if t not in values), None)
        if missing is not None:
            raise InputError(f"no value for tensor {missing.name!r}", where=op.where)
        arrays = [values[t] for t in given]
        with self._guard():
            samples = self._count(arrays) if arrays else samples
            outputs = self._batch(lambda part: self._whole(plan, part), arrays, samples)
            if isinstance(outputs, Ragged):
                columns = zip(op.outputs, zip(*outputs.parts, strict=True), strict=True)
                outputs = [_join(parts, f"tensor {t.name!r}") for t, parts in columns]
        return {
            t: a if len(a) == samples else np.repeat(a, samples, axis=0)
            for t, a in zip(op.outputs, outputs, strict=True)
        }

    def reset(self) -> None:
        """Forget all state, as if the interpreter were new."""
        self._session.reset()

    def _inputs(
        self, inputs: Inputs, signature: str | None, subgraph: Subgraph | int | None, *, batched: bool, resize: bool
    ) -> tuple[Plan, list[Array]]:
        graph, names = self._target(signature, subgraph)
        tensors = tuple(graph.inputs)
        values = arrange(inputs, tensors, names)
        arrays = [
            convert(value, tensor, index, batched=batched, resize=resize)
            for index, (value, tensor) in enumerate(zip(values, tensors, strict=True))
        ]
        return self._session.plan(graph), arrays

    def _target(self, signature: str | None, subgraph: Subgraph | int | None) -> tuple[Subgraph, Mapping[str, Tensor]]:
        """Return the subgraph to run and further names of its inputs."""
        signatures = {s.key: s for s in self.model.signatures}
        if signature is not None:
            if subgraph is not None:
                raise InputError("both a signature and a subgraph are given", hint="Give one of them.")
            if signature not in signatures:
                listing = ", ".join(map(repr, signatures)) or "none"
                raise InputError(f"the model has no signature {signature!r}", hint=f"Signatures: {listing}.")
            return signatures[signature].subgraph, signatures[signature].inputs
        graph = self.model.main if subgraph is None else subgraph
        if isinstance(graph, int):
            if not 0 <= graph < len(self.model.subgraphs):
                raise InputError(f"the model has no subgraph {graph}", hint=f"It has {len(self.model.subgraphs)}.")
            graph = self.model.subgraphs[graph]
        own = [s for s in signatures.values() if s.subgraph is graph]
        return graph, own[0].inputs if len(own) == 1 else {}

    @staticmethod
    def _count(arrays: Sequence[Array]) -> int:
        counts = sorted({len(a) for a in arrays})
        if len(counts) > 1:
            raise InputError(f"the inputs have different numbers of samples: {', '.join(map(str, counts))}")
        if counts == [0]:
            raise InputError("the batch has no samples")
        return counts[0] if counts else 1

    def _whole(self, plan: Plan, arrays: Sequence[Array]) -> list[Array]:
        """Run all samples; in parts where no state tells the difference, to bound memory and stay in caches."""
        session = self._session
        samples, most = session.samples, max(1, _PART // max(plan.largest, 1))
        if samples <= most or not plan.stateless or session.record is not None:
            return plan.run(session, arrays)
        parts = []
        try:
            for start in range(0, samples, most):
                session.samples = min(most, samples - start)
                outputs = plan.run(session, [a[start : start + most] for a in arrays])
                parts.append([spread(output, session.samples) for output in outputs])
        finally:
            session.samples = samples
        return [stack(column) for column in zip(*parts, strict=True)]

    def _batch(
        self,
        function: Callable[[Sequence[Array]], T],
        arrays: Sequence[Array],
        samples: int,
        *,
        one_by_one: bool = False,
    ) -> T | Ragged[T]:
        """Run all samples at once, or one by one where shapes or control flow differ between them."""
        session = self._session
        session.begin(samples)
        before = session.snapshot() if samples > 1 else None
        if samples == 1 or not one_by_one:
            try:
                return function(arrays)
            except SampleDependent as error:
                if before is None:
                    raise ExecutionError("a kernel cannot compute even a single sample") from error
                session.restore(before)
        try:
            return Ragged(session.by_sample(lambda i: function([pick(a, i) for a in arrays])))
        except SampleDependent as error:
            raise ExecutionError(
                "the model's state has another shape after every sample", hint="Run the samples one at a time."
            ) from error

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Silence NumPy (overflow is part of the arithmetic here) and add the file to errors."""
        try:
            with np.errstate(all="ignore"):
                yield
        except Tflite2xError as error:
            if self.model.path is not None:
                error.at(str(self.model.path))
            raise


def _join(parts: Sequence[Array], what: str) -> Array:
    try:
        return spread(stack(parts), len(parts))
    except SampleDependent:
        shapes = ", ".join(sorted({str(p.shape[1:]) for p in parts}))
        raise RaggedOutputError(
            f"{what} has different shapes for different samples: {shapes}", hint="Run the samples one at a time."
        ) from None


def _common(traces: Sequence[dict[Tensor, Array]]) -> dict[Tensor, Array]:
    """Stack what all samples have in common."""
    result = {}
    for tensor in traces[0]:
        parts = [trace[tensor] for trace in traces if tensor in trace]
        if len(parts) == len(traces) and len({p.shape for p in parts}) == 1:
            result[tensor] = spread(stack(parts), len(parts))
    return result

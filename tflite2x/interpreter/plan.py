# SPDX-License-Identifier: Apache-2.0
"""The execution plan of one subgraph: prepared kernels, constants, and when each value can be forgotten."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from tflite2x.errors import ExecutionError, Tflite2xError, UnsupportedError
from tflite2x.interpreter.batching import pick, stack
from tflite2x.interpreter.kernel import Array, KernelContext, Run, SampleDependent, TensorSpec
from tflite2x.interpreter.registry import Kernel, find_kernel
from tflite2x.interpreter.specs import tensor_spec
from tflite2x.ir.fitting import missing_operands

if TYPE_CHECKING:
    from tflite2x.interpreter.session import Session
    from tflite2x.interpreter.sharing import KernelCache, Prepared
    from tflite2x.ir import Operator, Subgraph, Tensor

_ABSENT = -1


@dataclasses.dataclass(slots=True)
class Step:
    """One operator, ready to run.

    Attributes:
        op: The operator.
        run: Second step of its kernel.
        inputs: Slots of the inputs; -1 stands for an optional input that is absent.
        outputs: Slots of the outputs.
        specs: What the outputs must look like.
        release: Slots that nobody needs after this step.
    """

    op: Operator
    run: Run
    inputs: list[int]
    outputs: list[int]
    specs: tuple[TensorSpec, ...]
    release: list[int] = dataclasses.field(default_factory=list)

    def execute(self, session: Session, args: Sequence[Array | None]) -> Sequence[Array]:
        """Compute the outputs of all samples at once, or sample by sample where the kernel asks for it."""
        if session.samples == 1:
            try:
                return self._compute(args, 1)
            except SampleDependent as error:
                raise ExecutionError("the kernel cannot compute even a single sample", where=self.op.where) from error
        # A subgraph that fails half way has changed state already.
        before = session.snapshot() if self.op.calls else None
        try:
            return self._compute(args, session.samples)
        except SampleDependent:
            if before is not None:
                session.restore(before)
            results = session.by_sample(
                lambda i: self._compute([None if a is None else pick(a, i) for a in args], 1),
            )
            return [stack(parts) for parts in zip(*results, strict=True)]

    def _compute(self, args: Sequence[Array | None], samples: int) -> Sequence[Array]:
        try:
            outputs = self.run(args)
        except Tflite2xError as error:
            if not error.where:
                error.at(self.op.where)
            raise
        except SampleDependent:
            raise
        except MemoryError as error:
            raise ExecutionError(
                f"not enough memory for the result on inputs of shape {_shapes(args)}",
                where=self.op.where,
                hint="A shape or size is wrong, or the batch is too large.",
            ) from error
        except Exception as error:
            raise ExecutionError(
                f"the kernel failed on inputs of shape {_shapes(args)}: {type(error).__name__}: {error}",
                where=self.op.where,
                hint="The shapes or values do not fit this operator.",
            ) from error
        if len(outputs) != len(self.outputs):
            raise ExecutionError(
                f"the kernel returned {len(outputs)} arrays for {len(self.outputs)} outputs", where=self.op.where
            )
        for array, spec in zip(outputs, self.specs, strict=True):
            if array.dtype != spec.dtype:
                raise ExecutionError(
                    f"the kernel returned {array.dtype} for tensor {spec.name!r}, which is {spec.dtype}",
                    where=self.op.where,
                )
            if array.ndim == 0 or len(array) not in (1, samples):
                raise ExecutionError(
                    f"the kernel returned shape {array.shape} for tensor {spec.name!r}; "
                    f"the sample axis must have length 1 or {samples}",
                    where=self.op.where,
                )
        return outputs


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """A prepared operator, for all plans of one session.

    Attributes:
        consts: Which inputs were constants.
        run: Second step of its kernel.
        shared: What it shares with equal operators of other models; None for nothing.
    """

    consts: tuple[bool, ...]
    run: Run
    shared: Prepared | None


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Some operators of a subgraph.

    Attributes:
        operators: The operators, in their order.
        inputs: Tensors whose values are given.
        outputs: Tensors to compute.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors that take part."""
        inside = (t for op in self.operators for t in (*op.inputs, *op.outputs) if t is not None)
        return tuple(dict.fromkeys((*self.inputs, *inside, *self.outputs)))


class Plan:
    """A subgraph, ready to run any number of times with any number of samples.

    Operators run in the order of the file, like in LiteRT. Operators that depend on constants only are computed here,
    once, so that kernels further on can prepare what follows from them (for example weights behind DEQUANTIZE).

    Args:
        subgraph: What to run. The plan does not notice later edits.
        session: State and rounding contract.
        part: Some of its operators only; None for all of them.

    Attributes:
        subgraph: The subgraph.
        tensors: Its tensors; their positions are the slots.
        inputs: Slots of the inputs.
        outputs: Slots of the outputs.
        steps: The operators that run every time.
        folded: Slots of what was computed here.
        calls_subgraphs: Whether an operator calls another subgraph.
        stateless: Whether a run leaves nothing behind.
        largest: Bytes of the largest tensor that one sample computes, as far as the file tells.

    Raises:
        UnsupportedError: An operator has no kernel, or its kernel cannot do its types or options.
        ExecutionError: An operator reads a tensor that nothing computes.
    """

    def __init__(self, subgraph: Subgraph, session: Session, part: Part | None = None) -> None:
        what: Subgraph | Part = subgraph if part is None else part
        self.subgraph = subgraph
        self.tensors: tuple[Tensor, ...] = what.tensors
        slots = {tensor: slot for slot, tensor in enumerate(self.tensors)}
        self.inputs = [slots[tensor] for tensor in what.inputs]
        self.outputs = [slots[tensor] for tensor in what.outputs]
        self.folded: list[int] = []
        self.calls_subgraphs = any(op.calls for op in what.operators)
        self.stateless = True
        self.largest = 0
        self._template: list[Array | None] = [None] * len(self.tensors)
        self._derived: dict[int, Hashable | None] = {}
        self._variables: list[tuple[int, TensorSpec]] = []
        self.steps: list[Step] = []
        specs: dict[int, TensorSpec] = {}

        def spec(tensor: Tensor) -> TensorSpec:
            slot = slots[tensor]
            if slot not in specs:
                specs[slot] = session.spec(tensor, given=slot in known and not tensor.is_variable)
                value = specs[slot].const
                if value is not None:
                    self._template[slot] = value[None]
                if tensor.is_variable:
                    self._variables.append((slot, specs[slot]))
                    known.add(slot)
            return specs[slot]

        # What the caller gives wins over what the file says.
        known = set(self.inputs)
        for op in what.operators:
            self._add(op, slots, spec, known, specs, session)
        for slot in self.outputs:
            spec(self.tensors[slot])
            if slot not in known and self._template[slot] is None:
                raise ExecutionError(
                    f"nothing computes the output tensor {self.tensors[slot].name!r}", where=subgraph.where
                )
        self._variable_slots = {slot for slot, _ in self._variables}
        self.stateless &= not self._variables
        self._plan_releases()

    def _add(
        self,
        op: Operator,
        slots: dict[Tensor, int],
        spec: Callable[[Tensor], TensorSpec],
        known: set[int],
        specs: dict[int, TensorSpec],
        session: Session,
    ) -> None:
        """Prepare one operator; compute it now if its outputs are constant."""
        kernel = find_kernel(op)
        inputs = [_ABSENT if t is None else slots[t] for t in op.inputs]
        input_specs = tuple(None if t is None else spec(t) for t in op.inputs)
        for index, slot in enumerate(inputs):
            if slot != _ABSENT and slot not in known and self._template[slot] is None:
                raise ExecutionError(
                    f"input {index} (tensor {self.tensors[slot].name!r}) is neither constant nor computed before",
                    where=op.where,
                    hint="Sort the operators, or give the tensor a value.",
                )
        missing = missing_operands(op)
        if missing:
            raise UnsupportedError(missing, where=op.where, hint="The model may be damaged.")
        outputs = [slots[t] for t in op.outputs]
        known.update(outputs)  # an output hides data that the file may have for it
        output_specs = tuple(spec(t) for t in op.outputs)
        consts = tuple(s is not None and s.const is not None for s in input_specs)
        ready = session.ready.get(op)
        if ready is None or ready.consts != consts:
            context = KernelContext(
                op=op,
                inputs=input_specs,
                outputs=output_specs,
                intermediates=tuple(None if t is None else tensor_spec(t) for t in op.intermediates),
                rounding=session.rounding,
                runtime=session,
            )
            if session.kernels is None:
                run, shared = _prepare(kernel, context), None
            else:
                sources = [None if slot == _ABSENT else self._source(slot, session.kernels) for slot in inputs]
                run, shared = session.kernels.prepare(kernel, context, sources, _prepare)
            ready = session.ready[op] = Ready(consts, run, shared)
        run, shared = ready.run, ready.shared
        step = Step(op, run, inputs, outputs, output_specs)
        constant = all(slot == _ABSENT or self._template[slot] is not None for slot in inputs)
        if not (kernel.pure and inputs and constant) or any(s.is_variable for s in output_specs):
            self.steps.append(step)
            self.stateless &= kernel.pure
            for output in output_specs:
                self.largest = max(self.largest, abs(math.prod(output.shape)) * output.dtype.itemsize)
            return
        args = [None if slot == _ABSENT else self._template[slot] for slot in inputs]
        for i, (slot, tensor, value) in enumerate(zip(outputs, op.outputs, step.execute(session, args), strict=True)):
            value = value.view()
            value.flags.writeable = False
            self._template[slot] = value
            specs[slot] = tensor_spec(tensor, value[0, ...])
            self.folded.append(slot)
            # What equal operators compute from equal constants is equal.
            self._derived[slot] = None if shared is None else (shared, i)

    def _source(self, slot: int, kernels: KernelCache) -> Hashable | None:
        """Return what tells the constant in a slot from all others; None when nothing does."""
        if slot in self._derived:
            return self._derived[slot]
        return None if self._template[slot] is None else kernels.token(self.tensors[slot])

    def constant(self, slot: int) -> Array | None:
        """Return the value of a slot that is known before the model runs, with a sample axis of length 1."""
        return self._template[slot]

    def _plan_releases(self) -> None:
        keep = {*self.outputs, *self._variable_slots}
        seen: set[int] = {slot for slot, value in enumerate(self._template) if value is not None}
        for step in reversed(self.steps):
            for slot in {*step.inputs, *step.outputs} - {_ABSENT} - keep - seen:
                step.release.append(slot)
                seen.add(slot)

    def run(self, session: Session, inputs: Sequence[Array]) -> list[Array]:
        """Compute the outputs; every array has a sample axis of length N or 1.

        Raises:
            SampleDependent: Shapes differ between samples; run the subgraph with one sample at a time.
            ExecutionError: An operator met values that it cannot compute with.
        """
        values = list(self._template)
        for slot, array in zip(self.inputs, inputs, strict=True):
            values[slot] = array
        for slot, spec in self._variables:
            tensor, given = self.tensors[slot], values[slot]
            values[slot] = session.variable(tensor, spec) if given is None else session.set_variable(tensor, given)
        record = session.record
        if record is not None:
            record.update((self.tensors[slot], _value(values[slot])) for slot in (*self.inputs, *self.folded))
        for step in self.steps:
            args = [None if slot == _ABSENT else values[slot] for slot in step.inputs]
            for slot, array in zip(step.outputs, step.execute(session, args), strict=True):
                if slot in self._variable_slots:
                    _assign(_value(values[slot]), array, step.op)
                else:
                    values[slot] = array
                if record is not None:
                    # A view of a variable tensor would change with it.
                    record[self.tensors[slot]] = array.copy() if self._variables else array
            if record is None:
                for slot in step.release:
                    values[slot] = None
        if record is not None:
            record.update((self.tensors[slot], _value(values[slot])) for slot in self._variable_slots)
        outputs = ((slot, _value(values[slot])) for slot in self.outputs)
        return [array.copy() if slot in self._variable_slots else array for slot, array in outputs]


def _prepare(kernel: Kernel, context: KernelContext) -> Run:
    try:
        return kernel.prepare(context)
    except Tflite2xError as error:
        if not error.where:
            error.at(context.op.where)
        raise
    except Exception as error:
        raise UnsupportedError(
            f"the kernel cannot prepare this operator: {type(error).__name__}: {error}",
            where=context.op.where,
            hint="Its options, types or quantization do not fit together.",
        ) from error


def _assign(state: Array, array: Array, op: Operator) -> None:
    """Store a result in a variable tensor, which keeps its shape."""
    if array.shape[1:] != state.shape[1:]:
        raise ExecutionError(
            f"a result of shape {list(array.shape[1:])} for a variable tensor of shape {list(state.shape[1:])}",
            where=op.where,
        )
    state[...] = array


def _value(array: Array | None) -> Array:
    assert array is not None, "the plan checks that every tensor it reads has a value"
    return array


def _shapes(arrays: Sequence[Array | None]) -> str:
    return ", ".join("-" if a is None else str(a.shape[1:]) for a in arrays)

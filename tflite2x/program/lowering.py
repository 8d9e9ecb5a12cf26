# SPDX-License-Identifier: Apache-2.0
"""From operators of a model to the steps of an integer program."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tflite2x.errors import ExecutionError, Tflite2xError, UnsupportedError
from tflite2x.interpreter.kernel import KernelContext, Rounding, Run, SampleDependent, TensorSpec, room
from tflite2x.interpreter.registry import find_kernel
from tflite2x.interpreter.session import Session
from tflite2x.interpreter.specs import constant_value, tensor_spec
from tflite2x.ir.dtypes import type_name
from tflite2x.ir.fitting import missing_operands
from tflite2x.program.steps import DequantizeFloat, FloatStep, QuantizeFloat, Step
from tflite2x.program.steps_float import Float
from tflite2x.program.values import Array, Const, Names, Value, identifier
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor

Lowerer = Callable[["Work"], list[Step]]
_LOWERERS: dict[str, Lowerer] = {}
_FLOATS: dict[str, Lowerer] = {}
_TYPED: dict[tuple[str, str], Lowerer] = {}
_EXPORTED: dict[tuple[str, str], Lowerer] = {}
_MODULES = (
    "weighted", "elementwise", "sixteen_bits", "reducing", "matrices", "moving", "state", "recurrent", "floats",
    "typed_floats", "typed_float_functions", "plain", "detection", "lstm",
)  # fmt: skip


def lowers(
    *names: str, floats: bool = False, types: tuple[str, ...] = (), exported: tuple[str, ...] = ()
) -> Callable[[Lowerer], Lowerer]:
    """Declare the decorated function as the lowering of operators.

    Args:
        names: The operators.
        floats: It is for float32 data, and its steps only print as NumPy.
        types: It is for data of these types, and goes before one for all types.
        exported: It is for data of these types, in exports only.
    """

    def declare(function: Lowerer) -> Lowerer:
        for name in names:
            _TYPED.update({(name, kind): function for kind in types})
            _EXPORTED.update({(name, kind): function for kind in exported})
            if not types and not exported:
                (_FLOATS if floats else _LOWERERS)[name] = function
        return function

    return declare


def _data_type(op: Operator) -> str:
    """Return FLOAT32 if an operator computes on it, otherwise the type of its first input."""
    kinds = [type_name(t.dtype).upper() for t in op.inputs if t is not None]
    return "FLOAT32" if "FLOAT32" in kinds else kinds[0] if kinds else ""


@functools.cache
def lowerers() -> dict[str, Lowerer]:
    """Return the lowering of every operator that has one."""
    for module in _MODULES:
        importlib.import_module(f"tflite2x.program.{module}")
    return _LOWERERS


@dataclasses.dataclass(frozen=True)
class Program:
    """A model as a list of steps.

    Attributes:
        name: Identifier made of the model's name.
        source: File name of the model, or a description.
        inputs: In the order of the model.
        outputs: In the order of the model; a constant where the model's output does not depend on its inputs.
        steps: In the order of execution.
        rounding: Rounding contract.
        states: Values that live from run to run, and where they start.
    """

    name: str
    source: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value | Const, ...]
    steps: tuple[Step, ...]
    rounding: Rounding
    states: dict[Value, Const] = dataclasses.field(default_factory=dict)

    @property
    def constants(self) -> list[Const]:
        """Arrays that steps and outputs read, and where states start, each once."""
        found = [c for step in self.steps for c in step.constants]
        found += [o for o in self.outputs if isinstance(o, Const)]
        return list(dict.fromkeys([*found, *self.states.values()]))

    @property
    def arithmetic(self) -> Literal["integer", "interface", "float"]:
        """What it computes on: integers, integers behind a float32 interface, or float32 somewhere inside."""
        if any(isinstance(step, Float | FloatStep) for step in self.steps):
            return "float"
        return "interface" if any(isinstance(s, QuantizeFloat | DequantizeFloat) for s in self.steps) else "integer"


class Lowering:
    """Lowers operators of one subgraph; remembers names and constants.

    Args:
        subgraph: The subgraph.
        rounding: Rounding contract, as for the interpreter.
        floats: Lower float32 arithmetic, too, to steps that only print as NumPy.
        exported: Lower float32 arithmetic, too, to steps that print in every language.
    """

    def __init__(
        self, subgraph: Subgraph, rounding: Rounding = "single", *, floats: bool = False, exported: bool = False
    ) -> None:
        self.subgraph = subgraph
        self._floats = floats
        self._exported = exported
        self.names = Names()
        self._session = Session(rounding)
        self._known: dict[Tensor, Array | None] = {}
        self._operands: dict[Tensor, Value | Const] = {}
        self._variables: dict[int, Value] = {}
        self._initial: dict[int, Array] | None = None
        self.states: dict[Value, Const] = {}

    def variable(self, handle: Operator) -> Value:
        """Return the value that stands for a resource variable, given its VAR_HANDLE.

        Raises:
            UnsupportedError: It has no value before the first run.
        """
        number = int(run_kernel(self.prepare(handle), [])[0].reshape(-1)[0])
        if number not in self._variables:
            if self._initial is None:
                session = Session(self._session.rounding)
                for op in self.subgraph.operators:
                    if op.name == "CALL_ONCE":
                        for graph in op.calls.values():
                            session.call(graph, [])
                self._initial = {k: v[0] for k, v in session.resources.items() if isinstance(k, int)}
            start = self._initial.get(number)
            if start is None:
                raise UnsupportedError("the variable has no value before the first run", where=handle.where)
            wish = str(getattr(handle.options, "shared_name", None) or f"variable_{number}")
            value = Value(self.names(f"state_{wish}"), start.shape, start.dtype.name)
            self._variables[number] = value
            self.states[value] = Const(self.names(f"{value.name}_start"), start, f"start of {value.name}")
        return self._variables[number]

    def known(self, tensor: Tensor) -> Array | None:
        """Return the value of a tensor that does not depend on the model's inputs, or None."""
        if tensor not in self._known:
            self._known[tensor] = None  # a cycle ends here
            # What cannot be computed from the shapes in the file is not known before the model runs.
            with contextlib.suppress(ExecutionError, UnsupportedError):
                self._known[tensor] = self._evaluate(tensor)
        return self._known[tensor]

    def _evaluate(self, tensor: Tensor) -> Array | None:
        if tensor.is_input or tensor.is_variable:
            return None
        op = tensor.producer
        if op is None:
            return constant_value(tensor)
        if op.name in ("SHAPE", "RANK") and op.inputs and op.inputs[0] is not None:
            args: list[Array | None] = [np.zeros((1, *op.inputs[0].shape), np.int8)]
            if -1 in (op.inputs[0].shape_signature or ()) and len(op.inputs[0].shape) == 0:
                return None
        else:
            values = [None if t is None else self.known(t) for t in op.inputs]
            missing = any(v is None for v, t in zip(values, op.inputs, strict=True) if t is not None)
            if missing or not op.inputs or not find_kernel(op).pure:
                return None
            args = [None if v is None else v[None] for v in values]
        if op.name in ("SHAPE", "RANK"):
            shape = op.inputs[0].shape if op.inputs[0] is not None else ()
            value = np.asarray(shape if op.name == "SHAPE" else len(shape), tensor_spec(tensor).dtype)
            return value
        outputs = run_kernel(self.prepare(op), args)
        return np.asarray(outputs[op.outputs.index(tensor)][0])

    def context(self, op: Operator) -> KernelContext:
        """Describe an operator to its kernel, with everything known about constants."""

        def spec(t: Tensor | None) -> TensorSpec | None:
            return None if t is None else tensor_spec(t, self.known(t))

        return KernelContext(
            op=op,
            inputs=tuple(spec(t) for t in op.inputs),
            outputs=tuple(tensor_spec(t) for t in op.outputs if t is not None),
            intermediates=tuple(None if t is None else tensor_spec(t) for t in op.intermediates),
            rounding=self._session.rounding,
            runtime=self._session,
        )

    def prepare(self, op: Operator, context: KernelContext | None = None) -> Run:
        """Prepare the interpreter's kernel of an operator, which also checks the operator."""
        return find_kernel(op).prepare(context or self.context(op))

    def operand(self, tensor: Tensor, shape: tuple[int, ...] | None = None) -> Value | Const:
        """Return what stands for a tensor in the program; ``shape`` is its shape at run time, if not as in the file."""
        if tensor not in self._operands:
            producer, spec = tensor.producer, tensor_spec(tensor)
            known = self.known(tensor)
            if tensor.is_variable and producer is None and not tensor.is_input:
                self._operands[tensor] = self._variable_tensor(tensor)
            elif known is not None:
                self._operands[tensor] = Const(self.names(f"{tensor.name or 'constant'}"), known, f"{tensor.name}")
            else:
                if producer is None:
                    wish = tensor.name or "input"
                else:
                    port = "" if len(producer.outputs) == 1 else f"_{producer.outputs.index(tensor)}"
                    wish = f"{producer.name}_{producer.index}{port}"
                present = tuple(tensor.shape) if shape is None else shape
                self._operands[tensor] = Value(self.names(wish), present, spec.dtype.name, spec)
        return self._operands[tensor]

    def _variable_tensor(self, tensor: Tensor) -> Value:
        """Return the value that stands for a variable tensor: zeros, or int8 zero points, before the first run."""
        spec = tensor_spec(tensor)
        value = Value(self.names(f"state_{tensor.name}"), tuple(tensor.shape), spec.dtype.name, spec)
        start = np.full(value.shape, spec.z if spec.dtype == np.int8 else 0, spec.dtype)
        self.states[value] = Const(self.names(f"{value.name}_start"), start, f"start of {value.name}")
        return value

    def lower(self, op: Operator) -> list[Step]:
        """Return the steps of one operator.

        Raises:
            UnsupportedError: There is no lowering for the operator, its types or its options.
        """
        function = lowerers().get(op.name)
        function = _TYPED.get((op.name, _data_type(op)), function)
        first = op.inputs[0] if op.inputs else None
        if self._floats and first is not None and first.dtype == TensorType.FLOAT32:
            function = _FLOATS.get(op.name, function)
        if self._exported:
            function = _EXPORTED.get((op.name, _data_type(op)), function)
        missing = missing_operands(op)
        if missing:
            raise UnsupportedError(missing, where=op.where, hint="The model may be damaged.")
        if function is None:
            form = "form" if self._exported else "integer form"
            raise UnsupportedError(f"{op.name} has no {form} here", where=op.where)
        work = Work(self, op, self.context(op))
        for tensor in (*op.inputs, *op.outputs):
            if tensor is not None and 0 in tensor.shape:
                raise UnsupportedError(f"tensor {tensor.name!r} of shape {tensor.shape} is empty", where=op.where)
            if tensor is not None:
                scale = tensor.quantization.scale if tensor.quantization is not None else np.zeros(0)
                if not np.isfinite(scale).all() and tensor.dtype != TensorType.FLOAT32:
                    what = f"a scale of tensor {tensor.name!r} is no finite number"
                    raise UnsupportedError(what, where=op.where, hint="The model may be damaged.")
                room([abs(n) for n in tensor.shape], np.dtype(np.int64))  # lowerings make tables of places
        try:
            self.prepare(op, work.ctx)
            return function(work)
        except Tflite2xError:
            raise
        except Exception as error:
            raise UnsupportedError(
                f"the operator cannot be lowered: {type(error).__name__}: {error}",
                where=op.where,
                hint="Its options, types or shapes do not fit together.",
            ) from error


@dataclasses.dataclass(frozen=True)
class Work:
    """One operator on its way into the program.

    Attributes:
        lowering: Names and constants.
        op: The operator.
        ctx: The operator as its kernel sees it.
    """

    lowering: Lowering
    op: Operator
    ctx: KernelContext

    @property
    def label(self) -> str:
        """Prefix of the names of this operator's constants."""
        return identifier(f"{self.op.name}_{self.op.index}")

    @property
    def origin(self) -> str:
        """The operator, for comments."""
        return f"{self.op.name} (operator {self.op.index})"

    def input(self, index: int) -> Value | Const:
        """Return an input that is computed at run time, or a constant used like one."""
        tensor = self.op.inputs[index]
        if tensor is None:
            raise self.ctx.unsupported(f"input {index} is missing")
        return self.lowering.operand(tensor)

    def output(self, index: int = 0, shape: tuple[int, ...] | None = None) -> Value:
        """Return an output; ``shape`` is for operators whose files say none, or a wrong one."""
        tensor = self.op.outputs[index]
        assert tensor is not None, "Lowering.lower checks that no output is left out"
        value = self.lowering.operand(tensor, shape)
        assert isinstance(value, Value)
        return value

    def constant(self, index: int, what: str) -> Array:
        """Return the value of an input that must be known before the model runs."""
        value = self.ctx.input(index).const
        if value is None:
            raise self.ctx.unsupported(f"{what} (input {index}) is computed at run time")
        return value

    def const(self, name: str, data: Any, note: str = "", dtype: Any = None) -> Const:
        """Make a constant of this operator."""
        return Const(self.lowering.names(f"{self.label}_{name}"), np.ascontiguousarray(data, dtype), note)

    def common(self, *inputs: int, output: int = 0) -> dict[str, Any]:
        """Return the fields that every step has."""
        return {
            "inputs": tuple(self.input(i) for i in inputs), "output": self.output(output), "origin": self.origin,
        }  # fmt: skip


def run_kernel(run: Run, arrays: list[Array | None]) -> list[Array]:
    """Call the second step of a kernel without NumPy's warnings."""
    with np.errstate(all="ignore"):
        try:
            return list(run(arrays))
        except SampleDependent as error:
            raise UnsupportedError("the result's shape depends on values") from error


def lower(model: Model, rounding: Rounding = "single", name: str = "") -> Program:
    """Lower the main subgraph of a model: integer operators to integer steps, float32 operators to float32 steps.

    Args:
        model: The model; it is not changed.
        rounding: ``single`` as LiteRT's reference kernels, ``double`` as TFLite Micro.
        name: Name of the program; by default that of the file.

    Raises:
        UnsupportedError: Operators that have no form: one error that lists all of them.
    """
    graph = model.main
    lowering = Lowering(graph, rounding, exported=True)
    steps: list[Step] = []
    problems: list[str] = []
    inputs = []
    for tensor in graph.inputs:
        value = lowering.operand(tensor)
        assert isinstance(value, Value)
        inputs.append(value)
    for op in graph.operators:
        try:
            if all(t is not None and lowering.known(t) is not None for t in op.outputs) and op.outputs:
                continue
            steps += lowering.lower(op)
        except Tflite2xError as error:
            problems.append(f"{error.where or op.where}: {error.what}")
    if problems:
        listing = "".join(f"\n  {p}" for p in problems)
        raise UnsupportedError(
            f"{len(problems)} of {len(graph.operators)} operators have no form as code:{listing}",
            where=str(model.path or ""),
            hint="Nothing was written. `tflite2x explain` shows operators, `tflite2x extract` takes parts out.",
        )
    outputs = tuple(lowering.operand(t) for t in graph.outputs)
    stem = model.path.stem if model.path is not None else "model"
    source = model.path.name if model.path is not None else (model.description or "a model in memory")
    needed = _needed(steps, {*outputs, *lowering.states})
    _check_values({*inputs, *lowering.states}, needed, outputs, graph)
    return Program(identifier(name or stem), source, tuple(inputs), outputs, needed, rounding, lowering.states)


def _check_values(
    known: set[Value], steps: tuple[Step, ...], outputs: tuple[Value | Const, ...], graph: Subgraph
) -> None:
    """Refuse programs that read what nothing has computed, as the interpreter does."""
    for step in steps:
        missing = next((v for v in step.inputs if isinstance(v, Value) and v not in known), None)
        if missing is not None:
            raise ExecutionError(
                f"{step.origin} reads '{missing.spec.name if missing.spec else missing.name}', which is neither "
                "constant nor computed before",
                where=graph.where,
                hint="Sort the operators, or give the tensor a value.",
            )
        known.add(step.output)
    for index, value in enumerate(outputs):
        if isinstance(value, Value) and value not in known:
            raise ExecutionError(
                f"nothing computes '{value.spec.name if value.spec else value.name}'",
                where=f"{graph.where}.outputs[{index}]",
            )


def _needed(steps: list[Step], live: set[Value | Const]) -> tuple[Step, ...]:
    """Drop steps whose results nobody reads; ``live`` is what is needed in the end."""
    kept: list[Step] = []
    for step in reversed(steps):
        if step.output in live:
            live.update(step.inputs)
            kept.append(step)
    return tuple(reversed(kept))

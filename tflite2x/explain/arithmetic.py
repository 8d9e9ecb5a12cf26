# SPDX-License-Identifier: Apache-2.0
"""The exact arithmetic of operators with their numbers, as plain data.

``tflite2x.explain(op)`` returns an :class:`Explanation`; :mod:`tflite2x.explain.arithmetic_text` prints it.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import textwrap
from typing import TYPE_CHECKING, Any

from tflite2x.errors import InputError, Tflite2xError, UnsupportedError
from tflite2x.explain.inspect import QuantizationInfo
from tflite2x.explain.plain import plain, plain_table
from tflite2x.explain.plain_numpy import Printer
from tflite2x.interpreter.specs import tensor_spec
from tflite2x.ir.dtypes import type_name
from tflite2x.program.formulas import Channel, Facts, facts
from tflite2x.program.lowering import Work
from tflite2x.program.numpy_code import one_line, operator_code
from tflite2x.program.values import identifier
from tflite2x.schema.enums import TensorType
from tflite2x.schema.table import Table

if TYPE_CHECKING:
    from tflite2x.interpreter.kernel import Rounding
    from tflite2x.ir import Model, Operator, Tensor
    from tflite2x.program.step import Step

#: Bounds beyond are those of float32.
_FINITE = 1 << 100
#: Operators that print as NumPy as a whole, not step by step.
_CELLS = ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM")

__all__ = [
    "Channel",
    "Explanation",
    "Facts",
    "Operand",
    "explain",
    "explain_model",
    "find",
    "numpy_function",
    "to_json",
]


@dataclasses.dataclass(frozen=True)
class Operand:
    """A tensor that the operator reads or writes.

    Attributes:
        role: ``input 0``, ``output 0``, ...
        index: Position in the subgraph.
        name: Name in the model.
        type: Element type, such as ``int8``.
        shape: Length of each dimension.
        constant: Whether the file holds its value.
        quantization: Scales and zero points, or None.
    """

    role: str
    index: int
    name: str | None
    type: str
    shape: list[int]
    constant: bool
    quantization: QuantizationInfo | None


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One operator.

    Attributes:
        subgraph: Index of the subgraph.
        index: Position in the subgraph.
        operator: Such as ``CONV_2D``, or the custom code.
        options: Options by field name.
        inputs: What it reads.
        outputs: What it writes.
        rounding: ``single`` (LiteRT) or ``double`` (TFLite Micro): whose arithmetic this is.
        steps: The arithmetic; empty when there is no integer form.
        reason: Why there is no integer form, or None.
    """

    subgraph: int
    index: int
    operator: str
    options: dict[str, Any]
    inputs: list[Operand]
    outputs: list[Operand]
    rounding: str
    steps: list[Facts]
    reason: str | None


def explain(op: Operator, rounding: Rounding = "single") -> Explanation:
    """Explain one operator.

    Args:
        op: The operator.
        rounding: ``single`` for LiteRT's reference kernels, ``double`` for TFLite Micro.

    Returns:
        Shapes, types, quantization, formulas, multipliers (real and as integers), folded biases, clamps, and the range
        that accumulators can reach.
    """
    return _explain(op, Printer(op.subgraph, rounding), rounding)


def explain_model(model: Model, rounding: Rounding = "single") -> list[Explanation]:
    """Explain every operator of every subgraph, in order."""
    found = []
    for graph in model.subgraphs:
        printer = Printer(graph, rounding)
        found += [_explain(op, printer, rounding) for op in graph.operators]
    return found


def find(model: Model, *, op: int | None = None, tensor: str | None = None) -> Operator:
    """Return an operator of the main subgraph by position, or by the name of a tensor that it computes.

    For a tensor that no operator computes (an input or a constant), the first operator that reads it.

    Raises:
        InputError: There is none.
    """
    graph = model.main
    if op is not None:
        if not 0 <= op < len(graph.operators):
            raise InputError(
                f"there is no operator {op}", hint=f"The model has operators 0 to {len(graph.operators) - 1}."
            )
        return graph.operators[op]
    named = [t for t in graph.tensors if t.name == tensor or str(t.index) == tensor]
    if not named:
        import difflib

        close = difflib.get_close_matches(tensor or "", [t.name for t in graph.tensors if t.name], 1, 0.4)
        hint = f"Did you mean {close[0]!r}?" if close else "`tflite2x inspect` lists the tensors."
        raise InputError(f"there is no tensor {tensor!r}", hint=hint)
    producer = named[0].producer
    if producer is not None:
        return producer
    if not named[0].consumers:
        raise InputError(f"no operator computes or reads tensor {tensor!r}")
    return named[0].consumers[0]


def numpy_function(op: Operator, rounding: Rounding = "single") -> str:
    """Return an operator as NumPy source code that can be pasted and run: it imports NumPy (2 or newer) only.

    The function takes the operator's run-time inputs, in order, and returns its outputs; constants stand before it.
    That of an LSTM takes its two states behind the input, and returns the new ones behind the output.

    Raises:
        UnsupportedError: The operator has no such form.
    """
    printer = Printer(op.subgraph, rounding)
    if op.outputs and all(t is not None and printer.lowering.known(t) is not None for t in op.outputs):
        raise UnsupportedError("the operator's result is constant", where=op.where)
    model = op.subgraph.model
    source = model.path.name if model.path is not None else "a model in memory"
    contract = "LiteRT's reference kernel" if rounding == "single" else "TFLite Micro"
    tensors = [
        f"{role} {_line(t)}"
        for role, group in (("in: ", op.inputs), ("out:", op.outputs))
        for t in group
        if t is not None and (t.producer is not None or t.is_input or role == "out:")
    ]
    doc = [f"{op.name}, operator {op.index} of {one_line(source)}, as {contract} computes it.", "", *tensors]
    name, text = identifier(f"{op.name}_{op.index}_numpy"), "\n".join(doc)
    if op.name in _CELLS:
        from tflite2x.explain.printed_lstm import lstm_code

        return lstm_code(Work(printer.lowering, op, printer.lowering.context(op)), name, text)
    steps = printer.steps(op)
    if not steps:
        raise UnsupportedError("the operator computes nothing", where=op.where)
    return operator_code(name, steps, text)


def _line(tensor: Tensor) -> str:
    spec = tensor_spec(tensor)
    quantization = f" scale {spec.s:.9g} zero point {spec.z}" if spec.scale.size == 1 else ""
    return f"{spec.dtype} {list(tensor.shape)}{quantization}  {tensor.name or ''}"


def to_json(found: Explanation | list[Explanation]) -> str:
    """Return explanations as JSON; the fields are those of the dataclasses."""
    data = [dataclasses.asdict(e) for e in found] if isinstance(found, list) else dataclasses.asdict(found)
    return json.dumps(plain(data), indent=2)


def _explain(op: Operator, printer: Printer, rounding: Rounding) -> Explanation:
    steps, reason = list[Facts](), None
    try:
        if op.outputs and all(t is not None and printer.lowering.known(t) is not None for t in op.outputs):
            reason = "the result is constant: it does not depend on the model's inputs"
        else:
            steps = [_facts(step) for step in printer.steps(op)]
            reason = None if steps else "it computes nothing"
    except Tflite2xError as error:
        reason = error.what
        first = op.inputs[0] if op.inputs else None
        if op.name in _CELLS and first is not None and first.dtype == TensorType.INT8:
            reason = "many steps around a state: --numpy prints them as a function"
    return Explanation(
        subgraph=op.subgraph.index,
        index=op.index,
        operator=op.name,
        options=plain_table(op.options) if isinstance(op.options, Table) else {},
        inputs=[_operand(f"input {i}", t) for i, t in enumerate(op.inputs) if t is not None],
        outputs=[_operand(f"output {i}", t) for i, t in enumerate(op.outputs) if t is not None],
        rounding=rounding,
        steps=steps,
        reason=reason,
    )


def _facts(step: Step) -> Facts:
    """Describe a step; those without formulas of their own by what their class says of them."""
    found = facts(step)
    if found.formulas == [f"y = {step.kind}(x)"]:
        # A family's formula stands with its base class.
        docs = [inspect.cleandoc(c.__doc__ or "").partition("\n\nAttributes:")[0] for c in type(step).__mro__[:2]]
        about = "\n\n".join([d for d in docs[1:] if "=" in d] + docs[:1]).replace("``", "")
        operation = getattr(step, "operation", "")
        lines = [f"operation: {operation}"] if operation else []
        lines += [line for part in about.split("\n\n") for line in textwrap.wrap(" ".join(part.split()), 108)]
        found = dataclasses.replace(found, formulas=lines)
    if found.clamp is not None and max(map(abs, found.clamp)) > _FINITE:
        low, high = (None if abs(v) > _FINITE else v for v in found.clamp)
        bounds = [f"y >= {low}" if low is not None else "", f"y <= {high}" if high is not None else ""]
        clamp = ", ".join(b for b in bounds if b) or "none but to finite numbers"
        found = dataclasses.replace(found, clamp=None, formulas=[*found.formulas, f"clamp: {clamp}"])
    return found


def _operand(role: str, tensor: Tensor) -> Operand:
    spec, q = tensor_spec(tensor), tensor.quantization
    info = None
    if spec.is_quantized:
        info = QuantizationInfo(
            scales=[float(s) for s in spec.scale], zero_points=[int(z) for z in spec.zero_point],
            axis=spec.axis if spec.scale.size > 1 else None, min=[], max=[],
            details=None if q is None or q.details is None else type(q.details).__name__,
        )  # fmt: skip
    return Operand(
        role, tensor.index, tensor.name, type_name(tensor.dtype), list(tensor.shape), tensor.is_constant, info
    )

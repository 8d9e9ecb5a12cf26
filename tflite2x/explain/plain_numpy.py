# SPDX-License-Identifier: Apache-2.0
"""Operators without quantized arithmetic as NumPy calls: comparisons, choices, conversions, look-ups, plain integers.

They only print: the exports have no form for them. Shapes at run time are those of the model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.elementwise import option
from tflite2x.program.lowering import Lowering, Work
from tflite2x.program.steps import FloatStep, Step
from tflite2x.program.values import Const

if TYPE_CHECKING:
    from tflite2x.interpreter.kernel import Rounding
    from tflite2x.ir import Operator, Subgraph

Lines = Callable[[Work], list[str]]
_PRINTED: dict[str, Lines] = {}

_BINARY = {
    "EQUAL": "np.equal", "NOT_EQUAL": "np.not_equal", "LESS": "np.less", "LESS_EQUAL": "np.less_equal",
    "GREATER": "np.greater", "GREATER_EQUAL": "np.greater_equal", "LOGICAL_AND": "np.logical_and",
    "LOGICAL_OR": "np.logical_or", "ADD": "np.add", "SUB": "np.subtract", "MUL": "np.multiply",
    "BITWISE_XOR": "np.bitwise_xor",
}  # fmt: skip
_UNARY = {
    "LOGICAL_NOT": "np.logical_not({0})", "ABS": "np.abs({0})", "NEG": "-{0}", "ZEROS_LIKE": "np.zeros_like({0})",
    "SIN": "np.sin({0}.astype(np.float64)).astype({0}.dtype)",
    "COS": "np.cos({0}.astype(np.float64)).astype({0}.dtype)",
}  # fmt: skip


def _prints(*names: str) -> Callable[[Lines], Lines]:
    def declare(function: Lines) -> Lines:
        _PRINTED.update(dict.fromkeys(names, function))
        return function

    return declare


def plain_steps(work: Work) -> list[Step]:
    """Return the operator as one step of NumPy lines.

    Raises:
        UnsupportedError: There is no such form for the operator or its types.
    """
    function, op = _PRINTED.get(work.op.name), work.op
    if function is None or len(op.outputs) != 1 or any(t is None for t in op.inputs):
        raise work.ctx.unsupported(f"{op.name} has no NumPy form here")
    work.lowering.prepare(op, work.ctx)  # refuses what does not fit together
    inputs = tuple(work.input(i) for i in range(len(op.inputs)))
    body = function(work)
    constants = tuple(v for v in inputs if isinstance(v, Const))
    return [FloatStep(inputs=inputs, output=work.output(), origin=work.origin, body=tuple(body), arrays=constants)]


def _names(work: Work) -> list[str]:
    return [work.input(i).name for i in range(len(work.op.inputs))]


def _plain(work: Work, *kinds: str) -> None:
    """Refuse quantized tensors, and other kinds of types."""
    specs = [s for s in (*work.ctx.inputs, *work.ctx.outputs) if s is not None]
    if any(s.is_quantized and s.dtype.kind in "iu" for s in specs):
        raise work.ctx.unsupported(f"{work.op.name} of quantized integers has no NumPy form here")
    if any(s.dtype.kind not in "".join(kinds) for s in specs):
        types = ", ".join(s.type.name for s in specs)
        raise work.ctx.unsupported(f"{work.op.name} of {types} has no NumPy form here")


def _result(work: Work, text: str) -> str:
    out = work.output()
    return f"{out.name} = np.asarray({text}, np.{out.dtype}).reshape({tuple(int(n) for n in out.shape)})"


@_prints(*_BINARY)
def _binary(work: Work) -> list[str]:
    _plain(work, "biuf")
    activation = int(option(work.ctx, "fused_activation_function", 0))
    if activation or (work.op.name in ("ADD", "SUB", "MUL") and work.ctx.outputs[0].dtype.kind == "f"):
        raise work.ctx.unsupported(f"{work.op.name} with a fused activation has no NumPy form here")
    return [_result(work, f"{_BINARY[work.op.name]}({', '.join(_names(work)[:2])})")]


@_prints(*_UNARY)
def _unary(work: Work) -> list[str]:
    _plain(work, "biuf")
    return [_result(work, _UNARY[work.op.name].format(_names(work)[0]))]


@_prints("CAST")
def _cast(work: Work) -> list[str]:
    _plain(work, "biuf")
    x, source, target = _names(work)[0], work.ctx.input(0).dtype, work.ctx.outputs[0].dtype
    if target == np.bool_:
        return [_result(work, f"{x} != 0")]
    if target.kind in "iu" and source.kind == "f":
        info = np.iinfo(target)
        # Floats beyond the type saturate, and NaN becomes its highest value.
        beyond = float(info.max // 2 + 1) * 2
        return [
            f"wide = {x}.astype(np.float64)",
            f"high, low = ~(wide < {beyond!r}), wide < {float(info.min)!r}",
            f"whole = np.trunc(np.where(high | low, 0, wide)).astype(np.{target.name})",
            _result(work, f"np.where(high, {info.max}, np.where(low, {info.min}, whole))"),
        ]
    return [_result(work, f"{x}.astype(np.{target.name})")]


@_prints("SELECT", "SELECT_V2")
def _select(work: Work) -> list[str]:
    condition, x, y = _names(work)
    shape, rank = work.input(0).shape, len(work.input(1).shape)
    if work.op.name == "SELECT" and len(shape) == 1 and rank > 1:  # chooses along the first dimension
        condition = f"{condition}.reshape({(shape[0], *(1,) * (rank - 1))})"
    return [_result(work, f"np.where({condition}, {x}, {y})")]


@_prints("GATHER")
def _gather(work: Work) -> list[str]:
    if int(option(work.ctx, "batch_dims", 0)):
        raise work.ctx.unsupported("GATHER with batch dimensions has no NumPy form here")
    x, indices = _names(work)
    return [_result(work, f"np.take({x}, {indices}, axis={int(option(work.ctx, 'axis', 0))})")]


@_prints("GATHER_ND")
def _gather_nd(work: Work) -> list[str]:
    x, indices = _names(work)
    return [_result(work, f"{x}[tuple(np.moveaxis({indices}, -1, 0))]")]


@_prints("EMBEDDING_LOOKUP")
def _embedding(work: Work) -> list[str]:
    _plain(work, "iuf")
    indices, table = _names(work)
    return [_result(work, f"{table}[{indices}]")]


class Printer:
    """Steps of operators for printing: quantized arithmetic and float32 in the interpreter's order where they exist.

    Otherwise what the exports have (float32 functions without a C library, float activations with integer weights), and
    otherwise plain NumPy calls.

    Args:
        subgraph: The subgraph.
        rounding: The rounding contract.
    """

    def __init__(self, subgraph: Subgraph, rounding: Rounding) -> None:
        self.lowering = Lowering(subgraph, rounding, floats=True)
        self._exported = Lowering(subgraph, rounding, exported=True)

    def steps(self, op: Operator) -> list[Step]:
        """Return the steps of one operator.

        Raises:
            UnsupportedError: It has none of the three forms; the message is about the first one.
        """
        return self.forms(op)[0]

    def forms(self, op: Operator) -> tuple[list[Step], Lowering]:
        """Return the steps of one operator, and the lowering that names their values."""
        try:
            return self.lowering.lower(op), self.lowering
        except UnsupportedError as error:
            first = error
        with contextlib.suppress(UnsupportedError):
            return self._exported.lower(op), self._exported
        with contextlib.suppress(UnsupportedError):
            return plain_steps(Work(self.lowering, op, self.lowering.context(op))), self.lowering
        raise first

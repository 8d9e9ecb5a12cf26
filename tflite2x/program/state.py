# SPDX-License-Identifier: Apache-2.0
"""Lowering of resource variables: streaming models keep the end of the last input in them.

A variable becomes a value that lives from run to run. CALL_ONCE is run here, once: what it leaves in a variable is
where the variable starts, and starts again after a reset.
"""

from __future__ import annotations

from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import Copy, Step
from tflite2x.program.values import Value


@lowers("VAR_HANDLE", "CALL_ONCE")
def nothing(work: Work) -> list[Step]:
    """VAR_HANDLE names a variable, and CALL_ONCE has happened before: no step."""
    del work
    return []


def _variable(work: Work) -> Value:
    tensor = work.op.inputs[0]
    handle = None if tensor is None else tensor.producer
    if handle is None or handle.name != "VAR_HANDLE":
        raise work.ctx.unsupported("a resource variable without a VAR_HANDLE")
    return work.lowering.variable(handle)


@lowers("READ_VARIABLE")
def read(work: Work) -> list[Step]:
    """READ_VARIABLE: a copy of the present value."""
    variable = _variable(work)
    if variable.size != work.output().size or variable.dtype != work.output().dtype:
        raise work.ctx.unsupported(f"a variable of shape {variable.shape} is read as {work.output().shape}")
    return [Copy(inputs=(variable,), output=work.output(), origin=work.origin, size=variable.size)]


@lowers("ASSIGN_VARIABLE")
def assign(work: Work) -> list[Step]:
    """ASSIGN_VARIABLE: the value that the next read gives."""
    variable, value = _variable(work), work.input(1)
    if variable.size != value.size or variable.dtype != value.dtype:
        raise work.ctx.unsupported(f"a variable of shape {variable.shape} is assigned {value.shape}")
    return [Copy(inputs=(value,), output=variable, origin=work.origin, size=variable.size)]

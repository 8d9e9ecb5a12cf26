# SPDX-License-Identifier: Apache-2.0
"""What belongs to which operator: its options, and at least one input and output.

Most tables of options are called like their operator; the others are shared by several (LiteRT
core/api/flatbuffer_conversions.cc).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tflite2x.schema import tables
from tflite2x.schema.enums import BuiltinOperator
from tflite2x.schema.table import Table

if TYPE_CHECKING:
    from tflite2x.ir.operator import Operator

_SHARED: dict[type[Table], str] = {
    tables.Pool2DOptions: "AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D",
    tables.ReducerOptions: "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL",
    tables.MaximumMinimumOptions: "MAXIMUM MINIMUM",
    tables.L2NormOptions: "L2_NORMALIZATION",
    tables.SequenceRNNOptions: "UNIDIRECTIONAL_SEQUENCE_RNN",
    tables.RandomOptions: "RANDOM_STANDARD_NORMAL RANDOM_UNIFORM MULTINOMIAL",
    tables.Conv3DOptions: "CONV_3D CONV_3D_TRANSPOSE",
}
#: Operators that may have no first input, or no first output; so may all of StableHLO.
_FREE = "CUSTOM DELEGATE PLACEHOLDER_FOR_GREATER_OP_CODES CALL CALL_ONCE IF WHILE"
_NO_INPUT = frozenset(f"{_FREE} VAR_HANDLE HASHTABLE".split())
_NO_OUTPUT = frozenset(f"{_FREE} ASSIGN_VARIABLE HASHTABLE_IMPORT".split())


@functools.cache
def _classes() -> dict[int, type[Table]]:
    unions = (cls for union in ("BuiltinOptions", "BuiltinOptions2") for cls in tables.UNIONS[union] if cls is not None)
    by_name = {cls.__name__.removesuffix("Options").upper(): cls for cls in unions}
    names = ((op, by_name.get(op.name.replace("_", ""))) for op in BuiltinOperator)
    found = {int(op): cls for op, cls in names if cls is not None}
    found.update((int(BuiltinOperator[name]), cls) for cls, names in _SHARED.items() for name in names.split())
    return found


def options_fit(opcode: int, options: Table) -> bool:
    """Whether ``options`` are those of the operator; True where the schema has none for it."""
    expected = _classes().get(int(opcode))
    return expected is None or type(options) is expected


def missing_operands(op: Operator) -> str:
    """Say what an operator cannot do without and lacks; empty for nothing.

    Files may leave out outputs, as they may leave out optional inputs, but nothing here can compute such an operator.
    """
    if any(t is None for t in op.outputs):
        return "an output is left out"
    opcode = op.opcode
    if not isinstance(opcode, BuiltinOperator) or opcode.name.startswith("STABLEHLO"):
        return ""
    if opcode.name not in _NO_INPUT and (not op.inputs or op.inputs[0] is None):
        return "the operator has no first input"
    return "the operator has no output" if opcode.name not in _NO_OUTPUT and not op.outputs else ""

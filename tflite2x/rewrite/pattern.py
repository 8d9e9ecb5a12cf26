# SPDX-License-Identifier: Apache-2.0
"""The pattern language: a pattern is a function over operators.

::

    def pattern(self, p, x, weights, bias):
        y = p.CONV_2D(x, p.constant(weights), p.optional(bias), op="conv", fused_activation_function=NONE)
        return p.any_of("RELU", "RELU6")(y, op="activation")

Parameters behind ``p`` are values that the pattern binds: tensors of the model, under their names. ``p.NAME(...)``
stands for an operator of that kind with these inputs; ``p("XC_fc")(...)`` for a custom one. What the function returns
are the values that the replacement computes: one, or several.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tflite2x.schema.enums import BuiltinOperator, TensorType

#: Operators whose two first inputs may be swapped.
COMMUTATIVE = frozenset({"ADD", "MUL", "MAXIMUM", "MINIMUM", "LOGICAL_AND", "LOGICAL_OR", "EQUAL", "NOT_EQUAL"})


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """A tensor that the pattern binds to a name.

    Attributes:
        name: The name.
        constant: It must be a constant (True) or computed (False); None accepts both.
        optional: The input may be absent; the name is then bound to None.
        dtypes: Names of the types accepted; empty accepts all.
        rank: Number of dimensions; None accepts all.
        quantized: It must have a single scale (True), or none (False); None accepts both.
        rest: It stands for all inputs from here on, and is bound to a tuple.
    """

    name: str
    constant: bool | None = None
    optional: bool = False
    dtypes: frozenset[str] = frozenset()
    rank: int | None = None
    quantized: bool | None = None
    rest: bool = False


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class OperatorPattern:
    """An operator that the pattern asks for.

    Attributes:
        kinds: Names of the kinds accepted.
        inputs: What it reads; None stands for an input that must be absent.
        options: Fields of its options: a value, or a function that accepts or refuses the value.
        name: Name to bind the operator to, or empty.
        outputs: Number of outputs.
        commutative: Whether the first two inputs may be swapped.
        keep: The replacement leaves the operator in the graph, so that others may read it as well.
    """

    kinds: frozenset[str]
    inputs: tuple[Value | None, ...]
    options: dict[str, Any]
    name: str
    outputs: int
    commutative: bool
    keep: bool

    @property
    def text(self) -> str:
        """The kinds, for messages."""
        return " or ".join(sorted(self.kinds))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Output:
    """One output of an operator of the pattern.

    Attributes:
        operator: The operator.
        index: Which output.
        name: Name to bind the tensor to, or empty.
    """

    operator: OperatorPattern
    index: int
    name: str = ""


Value = Variable | Output


@dataclasses.dataclass(frozen=True, slots=True)
class Pattern:
    """A whole pattern.

    Attributes:
        outputs: The values that the replacement computes.
    """

    outputs: tuple[Output, ...]

    @property
    def anchor(self) -> OperatorPattern:
        """The operator that matching starts from: the one that computes the first value."""
        return self.outputs[0].operator


class PatternBuilder:
    """The ``p`` of a pattern function."""

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        if kind not in BuiltinOperator.__members__:
            raise AttributeError(f"there is no operator {kind}; custom operators are written p('{kind}')(...)")
        return self.any_of(kind)

    def __call__(self, custom_code: str) -> Callable[..., Any]:
        """Stand for a custom operator."""
        return self.any_of(custom_code)

    def any_of(self, *kinds: str) -> Callable[..., Any]:
        """Stand for an operator of any of several kinds."""

        def make(
            *inputs: Value | None,
            op: str = "",
            out: str = "",
            outputs: int = 1,
            commutative: bool | None = None,
            keep: bool = False,
            **options: Any,
        ) -> Output | tuple[Output, ...]:
            swap = all(kind in COMMUTATIVE for kind in kinds) if commutative is None else commutative
            node = OperatorPattern(frozenset(kinds), inputs, options, op, outputs, swap and len(inputs) == 2, keep)
            values = tuple(Output(node, i, out if i == 0 else "") for i in range(outputs))
            return values[0] if outputs == 1 else values

        return make

    def constant(self, value: Variable) -> Variable:
        """Ask for a constant."""
        return dataclasses.replace(value, constant=True)

    def computed(self, value: Variable) -> Variable:
        """Ask for a value that is not a constant."""
        return dataclasses.replace(value, constant=False)

    def optional(self, value: Variable) -> Variable:
        """Let the input be absent."""
        return dataclasses.replace(value, optional=True)

    def rest(self, value: Variable) -> Variable:
        """Stand for all inputs from here on."""
        return dataclasses.replace(value, rest=True)

    def where(
        self,
        value: Variable,
        *,
        dtype: str | Sequence[str] = (),
        rank: int | None = None,
        quantized: bool | None = None,
    ) -> Variable:
        """Ask for a type (by name, such as ``int8``), a number of dimensions, or a single scale.

        What is not given stays as it was asked for before.

        Raises:
            ValueError: There is no type of this name.
        """
        names = frozenset(n.upper() for n in ((dtype,) if isinstance(dtype, str) else dtype))
        unknown = sorted(n.lower() for n in names - set(TensorType.__members__))
        if unknown:
            raise ValueError(f"there is no type {' or '.join(unknown)}; '{value.name}' could never match")
        return dataclasses.replace(
            value,
            dtypes=names or value.dtypes,
            rank=value.rank if rank is None else rank,
            quantized=value.quantized if quantized is None else quantized,
        )


def build(function: Callable[..., Any], parameters: Sequence[str]) -> Pattern:
    """Call a pattern function and return the pattern.

    Args:
        function: The function, bound to its pass.
        parameters: Names of its parameters behind ``p``.

    Raises:
        TypeError: It returns something else than outputs of operators.
    """
    returned = function(PatternBuilder(), *(Variable(name) for name in parameters))
    outputs = returned if isinstance(returned, tuple) else (returned,)
    if not outputs or not all(isinstance(o, Output) for o in outputs):
        raise TypeError("a pattern returns the output of an operator, or a tuple of outputs")
    return Pattern(outputs)

# SPDX-License-Identifier: Apache-2.0
"""Matching a pattern at an operator, with a reason whenever it does not match."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from tflite2x.ir.dtypes import type_name
from tflite2x.rewrite.pattern import OperatorPattern, Output, Pattern, Value, Variable
from tflite2x.rewrite.sites import place

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Tensor


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the program
    """A match does not hold; the reason is the message.

    Attributes:
        complete: All operators of the pattern were found; what is in the way are other users of the tensors inside.
    """

    def __init__(self, reason: str, *, complete: bool = False) -> None:
        super().__init__(reason)
        self.complete = complete


class Match:
    """What a pattern found: names of the pattern are attributes.

    Attributes:
        root: The operator that computes the first value.
        outputs: The tensors that the replacement computes.
        operators: The operators that the replacement takes away.
        inherited: What earlier replacements of this run claim about the tensors inside, in LSB; a claim adds to it.
    """

    def __init__(self, root: Operator) -> None:
        self.inherited = 0
        self.root = root
        self.outputs: tuple[Tensor, ...] = ()
        self.bound: dict[str, Any] = {}
        self.found: dict[OperatorPattern, Operator] = {}

    @property
    def operators(self) -> list[Operator]:
        """The operators that the replacement takes away, in the order of the pattern from its end."""
        return [op for pattern, op in self.found.items() if not pattern.keep]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["bound"][name]
        except KeyError:
            raise AttributeError(f"the pattern binds no '{name}'") from None

    def require(self, condition: object, reason: str) -> None:
        """Refuse the match unless ``condition`` holds; ``reason`` says what was seen instead."""
        if not condition:
            raise Refusal(reason)

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the match."""
        raise Refusal(reason)

    def copy(self) -> Match:
        """Return a copy to try an alternative with."""
        new = Match(self.root)
        new.outputs, new.bound, new.found = self.outputs, dict(self.bound), dict(self.found)
        return new


def match(pattern: Pattern, op: Operator) -> Match:
    """Match a pattern whose anchor is ``op``.

    Raises:
        Refusal: It does not match, or tensors inside are needed elsewhere; with the reason.
    """
    last = Refusal("the pattern does not match")
    for found in _match_operator(pattern.anchor, op, Match(op)):
        try:
            complete = found
            for output in pattern.outputs[1:]:
                complete = _match_branch(output, complete)
            _finish(pattern, complete)
        except Refusal as refusal:
            last = refusal
            continue
        return complete
    raise last


def _match_branch(output: Output, match: Match) -> Match:
    """Match an operator that computes a further value: it reads something that is bound already."""
    if output.operator in match.found:
        return match
    seen = [t for op in match.found.values() for t in (*op.inputs, *op.outputs) if t is not None]
    last = Refusal(f"nothing reads these values that is {output.operator.text}")
    for candidate in dict.fromkeys(user for tensor in seen for user in tensor.consumers):
        if candidate in match.found.values() or candidate.name not in output.operator.kinds:
            continue
        try:
            return next(_match_operator(output.operator, candidate, match))
        except Refusal as refusal:
            last = refusal
    raise last


def _match_operator(pattern: OperatorPattern, op: Operator, match: Match) -> Iterator[Match]:
    """Yield the ways in which an operator matches; raise the last reason when there is none."""
    known = match.found.get(pattern)
    if known is not None:
        if known is not op:
            raise Refusal(f"{place(op)} and {place(known)} should be one operator")
        yield match
        return
    if op.name not in pattern.kinds:
        raise Refusal(f"{place(op)} is not {pattern.text}")
    if len(op.outputs) != pattern.outputs:
        raise Refusal(f"{place(op)} has {len(op.outputs)} outputs, not {pattern.outputs}")
    for field, wanted in pattern.options.items():
        _check_option(op, field, wanted)
    start = match.copy()
    start.found[pattern] = op
    if pattern.name:
        start.bound[pattern.name] = op
    orders = [op.inputs]
    if pattern.commutative and len(op.inputs) == 2:
        orders.append(op.inputs[::-1])
    yield from _any_of(_match_inputs(pattern, op, order, 0, start) for order in orders)


def _any_of(attempts: Iterable[Iterator[Match]]) -> Iterator[Match]:
    """Yield what any attempt yields; when none yields anything, raise the first reason."""
    first: Refusal | None = None
    matched = False
    for attempt in attempts:
        try:
            for found in attempt:
                matched = True
                yield found
        except Refusal as refusal:
            first = first or refusal
    if not matched and first is not None:
        raise first


def _check_option(op: Operator, field: str, wanted: Any) -> None:
    if op.options is not None and not hasattr(op.options, field):
        # A misspelled option in a pattern would otherwise be silently one that never has the value.
        known = ", ".join(f.name for f in dataclasses.fields(op.options) if f.name != "extras") or "none"
        raise Refusal(f"{place(op)} has no option '{field}'; it has {known}")
    actual = getattr(op.options, field, None)
    accepted = wanted(actual) if callable(wanted) else actual == wanted
    if not accepted:
        shown = getattr(actual, "name", actual)
        need = "" if callable(wanted) else f", not {getattr(wanted, 'name', wanted)}"
        raise Refusal(f"{field} of {place(op)} is {shown}{need}")


def _match_inputs(
    pattern: OperatorPattern, op: Operator, inputs: tuple[Tensor | None, ...], position: int, match: Match
) -> Iterator[Match]:
    if position == len(pattern.inputs):
        extra = [t for t in inputs[position:] if t is not None]
        if extra:
            raise Refusal(f"{place(op)} has {len(inputs)} inputs, not {position}")
        yield match
        return
    value = pattern.inputs[position]
    if isinstance(value, Variable) and value.rest:
        new = match.copy()
        new.bound[value.name] = inputs[position:]
        yield new
        return
    tensor = inputs[position] if position < len(inputs) else None
    found = _match_value(value, tensor, f"input {position} of {place(op)}", match)
    yield from _any_of(_match_inputs(pattern, op, inputs, position + 1, m) for m in found)


def _match_value(value: Value | None, tensor: Tensor | None, where: str, match: Match) -> Iterator[Match]:
    if value is None:
        if tensor is not None:
            raise Refusal(f"{where} is '{tensor.name}', and should be absent")
        yield match
        return
    if isinstance(value, Variable):
        yield _bind(value, tensor, where, match)
        return
    if tensor is None:
        raise Refusal(f"{where} is absent, and should come from {value.operator.text}")
    if tensor.producer is None:
        kind = "a constant" if tensor.is_constant else "an input of the graph"
        raise Refusal(f"{where} ('{tensor.name}') is {kind}, not the output of {value.operator.text}")
    if tensor.producer.name not in value.operator.kinds:
        raise Refusal(f"{where} ('{tensor.name}') comes from {place(tensor.producer)}, not from {value.operator.text}")
    for found in _match_operator(value.operator, tensor.producer, match):
        if found.found[value.operator].outputs[value.index] is not tensor:
            raise Refusal(f"{where} ('{tensor.name}') is not output {value.index} of {place(tensor.producer)}")
        if value.name:
            found.bound[value.name] = tensor
        yield found


def _bind(variable: Variable, tensor: Tensor | None, where: str, match: Match) -> Match:
    if variable.name in match.bound and match.bound[variable.name] is not tensor:
        raise Refusal(f"{where} should be the same as '{variable.name}'")
    if tensor is None:
        if not variable.optional:
            raise Refusal(f"{where} ({variable.name}) is absent")
    else:
        _check_variable(variable, tensor, f"{where} ('{tensor.name}')")
    new = match.copy()
    new.bound[variable.name] = tensor
    return new


def _check_variable(variable: Variable, tensor: Tensor, where: str) -> None:
    if variable.constant is not None and tensor.is_constant != variable.constant:
        raise Refusal(f"{where} is {'a' if tensor.is_constant else 'not a'} constant")
    if variable.dtypes and type_name(tensor.dtype).upper() not in variable.dtypes:
        wanted = " or ".join(sorted(n.lower() for n in variable.dtypes))
        raise Refusal(f"{where} is {type_name(tensor.dtype)}, not {wanted}")
    if variable.rank is not None and len(tensor.shape) != variable.rank:
        raise Refusal(f"{where} has shape {list(tensor.shape)}, not {variable.rank} dimensions")
    if variable.quantized is not None:
        scales = tensor.quantization.scale.size if tensor.quantization is not None else 0
        if (scales == 1) != variable.quantized:
            raise Refusal(f"{where} has {scales} scales")


def _finish(pattern: Pattern, match: Match) -> None:
    """Bind the values to replace and check that nothing else needs what is inside."""
    outputs = []
    for output in pattern.outputs:
        op = match.found[output.operator]
        outputs.append(op.outputs[output.index])
        if output.name:
            match.bound[output.name] = op.outputs[output.index]
    match.outputs = tuple(outputs)

    def refuse(reason: str) -> NoReturn:
        raise Refusal(reason, complete=True)

    inside = set(match.operators)
    for op in match.operators:
        for tensor in op.outputs:
            if tensor in match.outputs:
                continue
            others = [user for user in tensor.consumers if user not in inside]
            if others:
                refuse(f"'{tensor.name}' inside of the match is read by {place(others[0])} as well")
            if tensor.is_output:
                refuse(f"'{tensor.name}' inside of the match is an output of the graph")
            if tensor.is_variable:
                refuse(f"'{tensor.name}' inside of the match is a variable")

# SPDX-License-Identifier: Apache-2.0
"""Options of passes: from text to the types of dataclass fields, and back."""

from __future__ import annotations

import dataclasses
import functools
import numbers
import re
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, Union

from tflite2x.errors import PipelineError

if TYPE_CHECKING:
    from tflite2x.rewrite.base import Pass

#: A value as written: one word, or a list of words.
Value = str | tuple[str, ...]


class Quoted(str):
    """A word that stood in quotation marks: always a text, never ``none`` or a number."""

    __slots__ = ()


_PLAIN = re.compile(r"[^\s,{}()\[\]=\"#\\]+")
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@functools.cache
def option_fields(cls: type[Pass]) -> tuple[tuple[dataclasses.Field[Any], str, Any], ...]:
    """Return the options of a pass: (field, key in texts, resolved type)."""
    hints = typing.get_type_hints(cls)
    return tuple((f, f.name.replace("_", "-"), hints[f.name]) for f in dataclasses.fields(cls) if f.init)


def convert(value: Value, kind: Any) -> Any:
    """Convert a written value to a type.

    Supported: ``bool``, ``int``, ``float``, ``str``, ``Literal``, ``X | None`` (``none``), ``tuple[X, ...]`` and
    ``tuple[X, Y]``.

    Raises:
        ValueError: The text does not fit; the message says what would, such as ``a whole number``.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _convert_union(value, kind, arguments)
    if origin is tuple:
        words = value if isinstance(value, tuple) else (value,)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(convert(word, arguments[0]) for word in words)
        if len(words) != len(arguments):
            raise ValueError(describe(kind))
        return tuple(convert(word, argument) for word, argument in zip(words, arguments, strict=True))
    if isinstance(value, tuple):
        raise ValueError(describe(kind))
    if origin is Literal:
        for choice in arguments:
            if str(choice) == value:
                return choice
        raise ValueError(describe(kind))
    return _convert_scalar(value, kind)


def _convert_union(value: Value, kind: Any, arguments: tuple[Any, ...]) -> Any:
    quoted = isinstance(value, Quoted)
    if types.NoneType in arguments and value == "none" and not quoted:
        return None
    for argument in arguments:
        if argument is not types.NoneType and not (quoted and argument in (bool, int, float)):
            try:
                return convert(value, argument)
            except ValueError:
                continue
    raise ValueError(describe(kind))


def _convert_scalar(value: str, kind: Any) -> Any:
    if kind is bool:
        if value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
    elif kind is str:
        return str(value)
    elif kind in (int, float):
        try:
            return int(value, 0) if kind is int else float(value)
        except ValueError:
            pass
    else:
        raise TypeError(f"options of type {kind} have no text form")
    raise ValueError(describe(kind))


def fits(value: Any, kind: Any) -> bool:
    """Whether a value given in Python has the type of an option; types without a text form accept everything."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is tuple:
        if not isinstance(value, tuple | list):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(fits(v, arguments[0]) for v in value)
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    if origin is Literal:
        return value in arguments
    if kind in (int, float):
        return isinstance(value, numbers.Integral if kind is int else numbers.Real)
    return not isinstance(kind, type) or isinstance(value, kind)


def check_options(pass_: Pass) -> None:
    """Check that the options of a pass made in Python have the types that they are declared with.

    Raises:
        PipelineError: One has another type, or a value that is none of the choices.
    """
    for field, key, kind in option_fields(type(pass_)):
        value = getattr(pass_, field.name)
        if not fits(value, kind):
            passes = "passes in a tuple, such as (Cleanup(),)"
            wanted = passes if field.metadata.get("body") else describe(kind)
            raise PipelineError(f"option '{key}' is {value!r}", where=f"pass {pass_.name}", hint=f"It takes {wanted}.")


def describe(kind: Any) -> str:
    """Return what fits a type, for messages and documentation: ``a whole number``, ``one of best, 2021``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if a is types.NoneType else describe(a) for a in arguments)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"a list [..] of values, each {describe(arguments[0])}"
        return f"a list [..] of {len(arguments)} values"
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))


def format_value(value: Any) -> str:
    """Write the value of an option so that parsing gives it back."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{' '.join(format_value(v) for v in value)}]"
    text = repr(float(value)) if isinstance(value, float) else str(value)
    if _PLAIN.fullmatch(text) and not (isinstance(value, str) and _looks_typed(text)):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _looks_typed(text: str) -> bool:
    """Whether a text would be read as something else where an option accepts several types."""
    if text.lower() in _TRUE | _FALSE | {"none"}:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True

# SPDX-License-Identifier: Apache-2.0
"""The text form of pipelines: ``xc-fc{params=best threads=4},cleanup``.

Grammar (blanks and line breaks between tokens do not matter)::

    pipeline = item ("," item)*
    item     = NAME [ "{" option (("," | blank) option)* "}" ] [ "(" pipeline ")" ]  |  "@" PATH
    option   = NAME [ "=" value ]                    # no value: true
    value    = WORD | '"' text '"' | "[" value (("," | blank) value)* "]"

A file named by ``@PATH`` holds a pipeline; there, line ends separate items as well and ``#`` starts a comment.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tflite2x.errors import FileAccessError, PipelineError
from tflite2x.rewrite.options import Quoted, Value, format_value, option_fields

if TYPE_CHECKING:
    from tflite2x.rewrite.base import Pass

_BLANK = re.compile(r"(?:\s|#[^\n]*)+")
_WORD = re.compile(r"[^\s,{}()\[\]=\"#]+")
_MAX_NESTING = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A pipeline text and where it comes from, for messages."""

    text: str
    origin: str = ""

    def error(self, position: int, what: str, hint: str = "", *, length: int = 1) -> PipelineError:
        """Make an error with the line and a caret below the position."""
        start = self.text.rfind("\n", 0, position) + 1
        end = self.text.find("\n", position)
        line = self.text[start : end if end >= 0 else len(self.text)]
        row, column = self.text.count("\n", 0, position), position - start
        where = f"{self.origin}:{row + 1}:{column + 1}" if self.origin else f"pipeline, column {position + 1}"
        shown = "".join("\t" if c == "\t" else " " for c in line[:column])
        drawing = f"\n  {line}\n  {shown}{'^' * max(1, min(length, len(line) - column))}"
        return PipelineError(what, where=where, hint=f"{hint}{drawing}".strip("\n") if hint else drawing)


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """``key=value`` as written, with its position in the text."""

    key: str
    value: Value
    position: int
    value_position: int


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One pass as written."""

    name: str
    options: tuple[Option, ...]
    body: tuple[Item, ...] | None
    source: Source
    position: int

    def error(self, what: str, hint: str = "") -> PipelineError:
        """Make an error that points at the name of this item."""
        return self.source.error(self.position, what, hint, length=len(self.name))


def parse_items(text: str, *, origin: str = "", base: Path | None = None, nesting: int = 0) -> tuple[Item, ...]:
    """Split a pipeline text into items; files named with ``@`` are read.

    Args:
        text: The text.
        origin: File that it comes from, for messages.
        base: Folder that relative ``@`` paths start from; the current one when None.
        nesting: How deep in ``@`` files this text is.

    Raises:
        PipelineError: The text does not follow the grammar; the message shows the place with a caret.
        FileAccessError: An ``@`` file cannot be read.
    """
    return _Parser(Source(text, origin), base or Path(), nesting).pipeline()


class _Parser:
    def __init__(self, source: Source, base: Path, nesting: int) -> None:
        self.source, self.text, self.base, self.nesting = source, source.text, base, nesting
        self.at = 0

    def pipeline(self) -> tuple[Item, ...]:
        items = self.items(close="")
        if self.at < len(self.text):
            raise self.error(f"unexpected '{self.text[self.at]}'", "Passes are separated by commas.")
        return items

    def items(self, close: str) -> tuple[Item, ...]:
        found: list[Item] = []
        lines_separate = bool(self.source.origin)
        self.blank()
        while self.at < len(self.text) and self.peek() != close:
            found += self.item()
            broke = "\n" in self.blank()
            if self.peek() == ",":
                comma = self.at
                self.at += 1
                self.blank()
                if self.at == len(self.text) and not lines_separate:
                    raise self.source.error(comma, "a pass is missing behind the comma")
            elif not (broke and lines_separate):
                break
        return tuple(found)

    def item(self) -> list[Item]:
        if self.peek() == "@":
            return self.included()
        position = self.at
        name = self.word("the name of a pass")
        options: tuple[Option, ...] = ()
        body: tuple[Item, ...] | None = None
        self.blank(lines=False)
        if self.peek() == "{":
            options = self.options()
            self.blank(lines=False)
        if self.peek() == "(":
            opened = self.at
            self.at += 1
            body = self.items(close=")")
            if self.peek() != ")":
                raise (
                    self.source.error(opened, "this '(' is not closed")
                    if self.at >= len(self.text)
                    else self.error(f"expected ',' or ')' but found '{self.text[self.at]}'")
                )
            self.at += 1
        return [Item(name, options, body, self.source, position)]

    def included(self) -> list[Item]:
        position = self.at
        self.at += 1
        path = Path(self.quoted() if self.peek() == '"' else self.word("the path of a recipe"))
        path = path if path.is_absolute() else self.base / path
        if self.nesting >= _MAX_NESTING:
            raise self.source.error(position, "recipes include each other too deeply", "Does one include itself?")
        try:
            text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise FileAccessError(f"cannot read the recipe: {reason}", where=str(path)) from error
        return list(parse_items(text, origin=str(path), base=path.parent, nesting=self.nesting + 1))

    def options(self) -> tuple[Option, ...]:
        opened = self.at
        self.at += 1
        found: list[Option] = []
        while True:
            self.separators()
            if self.at >= len(self.text):
                raise self.source.error(opened, "this '{' is not closed")
            if self.peek() == "}":
                self.at += 1
                return tuple(found)
            position = self.at
            key = self.word("the name of an option")
            value: Value = "true"
            value_position = self.at
            if self.peek() == "=":
                self.at += 1
                value_position = self.at
                value = self.value()
            found.append(Option(key, value, position, value_position))

    def value(self) -> Value:
        if self.peek() == '"':
            return self.quoted()
        if self.peek() != "[":
            return self.word("a value")
        opened = self.at
        self.at += 1
        values: list[str] = []
        while True:
            self.separators()
            if self.at >= len(self.text):
                raise self.source.error(opened, "this '[' is not closed")
            if self.peek() == "]":
                self.at += 1
                return tuple(values)
            values.append(self.quoted() if self.peek() == '"' else self.word("a value"))

    def quoted(self) -> Quoted:
        opened, out = self.at, ""
        self.at += 1
        while self.at < len(self.text):
            c = self.text[self.at]
            self.at += 1
            if c == '"':
                return Quoted(out)
            if c == "\\" and self.at < len(self.text):
                c = self.text[self.at]
                self.at += 1
            out += c
        raise self.source.error(opened, "this quotation mark is not closed")

    def word(self, expected: str) -> str:
        match = _WORD.match(self.text, self.at)
        if match is None:
            found = f"'{self.text[self.at]}'" if self.at < len(self.text) else "the end"
            raise self.error(f"expected {expected} but found {found}")
        self.at = match.end()
        return match.group()

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def blank(self, *, lines: bool = True) -> str:
        if not lines and self.source.origin:  # in a file the end of the line ends the item
            while self.peek() and self.peek() in " \t":
                self.at += 1
            return ""
        match = _BLANK.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match.group()

    def separators(self) -> None:
        while self.blank() or self.peek() == ",":
            self.at += self.peek() == ","

    def error(self, what: str, hint: str = "") -> PipelineError:
        return self.source.error(self.at, what, hint)


def format_pass(pass_: Pass) -> str:
    """Write a pass as text; options that have their default value are left out."""
    options: list[str] = []
    body = ""
    for field, key, _ in option_fields(type(pass_)):
        value = getattr(pass_, field.name)
        if field.metadata.get("body"):
            body = f"({','.join(format_pass(member) for member in value)})"
        elif value != _default(field):
            options.append(key if value is True else f"{key}={format_value(value)}")
    return pass_.name + (f"{{{' '.join(options)}}}" if options else "") + body


def _default(field: dataclasses.Field[object]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else dataclasses.MISSING

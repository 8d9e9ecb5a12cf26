# SPDX-License-Identifier: Apache-2.0
"""``tflite2x set-metadata``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def set_metadata(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    text: Annotated[
        list[str],
        typer.Option(
            "--text", metavar="NAME=TEXT", help="Set an entry to a text. Repeat for more.", show_default=False
        ),
    ] = [],  # noqa: B006 - typer makes a new list
    file: Annotated[
        list[str],
        typer.Option("--file", metavar="NAME=FILE", help="Set an entry to the bytes of a file.", show_default=False),
    ] = [],  # noqa: B006
    remove: Annotated[
        list[str], typer.Option("--remove", metavar="NAME", help="Remove an entry.", show_default=False)
    ] = [],  # noqa: B006
    description: Annotated[
        str | None, typer.Option("--description", help="Set the description; empty removes it.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write; MODEL itself by default.", show_default=False
        ),
    ] = None,
) -> None:
    """Set, replace or remove metadata of a model; every other field of the file keeps its value."""
    from tflite2x.errors import FileAccessError, InputError
    from tflite2x.ir import load, save

    entries: dict[str, bytes] = {}
    for kind, given in (("--text", text), ("--file", file)):
        for item in given:
            name, equals, value = item.partition("=")
            if not name or not equals:
                raise InputError(f"{kind} {item} is not NAME=VALUE", hint=f"Write {kind} NAME=VALUE.")
            if name in entries or name in remove:
                raise InputError(
                    f"metadata '{name}' is to be set and removed, or set twice", hint="Ask for one of them."
                )
            if kind == "--text":
                entries[name] = value.encode()
            else:
                try:
                    entries[name] = Path(value).read_bytes()
                except OSError as error:
                    raise FileAccessError(f"cannot read: {error.strerror}", where=value) from error
    if not (entries or remove or description is not None):
        raise InputError("nothing to set or remove", hint="Use --text, --file, --remove or --description.")
    loaded = load(model)
    known = {entry.name for entry in loaded.metadata}
    for name in remove:
        if name not in known:
            listing = ", ".join(sorted(f"'{n}'" for n in known if n)) or "none"
            raise InputError(f"the model has no metadata '{name}'", hint=f"It has {listing}.")
    for entry in loaded.metadata:
        if entry.name in remove or entry.name in entries:
            loaded.remove_metadata(entry)
            if entry.buffer is not loaded.buffers[0] and entry.buffer not in loaded.used_buffers():
                loaded.remove_buffer(entry.buffer)
    for name, data in entries.items():
        loaded.add_metadata(name, data)
    if description is not None:
        loaded.description = description or None
    save(loaded, output if output is not None else model)

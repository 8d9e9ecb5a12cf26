# SPDX-License-Identifier: Apache-2.0
"""What passes there are: for ``tflite2x passes`` and for documentation."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from typing import Any

from tflite2x.errors import PluginError
from tflite2x.rewrite.group import Group
from tflite2x.rewrite.options import describe, format_value, option_fields
from tflite2x.rewrite.registry import Entry, find_pass, pass_entries
from tflite2x.rewrite.targets import TARGETS

Description = dict[str, Any]


def describe_pass(name: str) -> Description:
    """Return name, owner, summary, documentation and options of a pass.

    Raises:
        PipelineError: No pass has this name.
        PluginError: The pass cannot be loaded.
    """
    cls = find_pass(name)
    owner = next((e.owner for e in pass_entries() if e.name == name), cls.__module__)
    attributes = _attributes(cls)
    options = []
    for field, key, kind in option_fields(cls):
        if field.metadata.get("body"):
            continue
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        options.append(
            {
                "name": key,
                "takes": describe(kind),
                "default": None if required else format_value(default),
                "required": required,
                "help": attributes.get(field.name, ""),
            }
        )
    return {
        "name": name,
        "owner": owner,
        "summary": cls.summary(),
        "group": issubclass(cls, Group),
        "targets": [t for t, text in TARGETS.items() if name in text.split(",")],
        "options": options,
        "documentation": cls.documentation(),
    }


def describe_all() -> list[Description]:
    """Return the description of every pass, in alphabetical order.

    A plug-in that cannot be loaded is listed with the reason as its summary: the others are there all the same.
    """
    return [_describe_or_say(entry) for entry in pass_entries()]


def _describe_or_say(entry: Entry) -> Description:
    try:
        return describe_pass(entry.name)
    except PluginError as error:
        said = {"summary": f"cannot be loaded: {error}", "documentation": str(error)}
        return {"name": entry.name, "owner": entry.owner, "group": False, "targets": [], "options": [], **said}


def _attributes(cls: type[object]) -> dict[str, str]:
    """Return what the Attributes section of a class says about each field."""
    lines = inspect.cleandoc(cls.__doc__ or "").splitlines()
    found: dict[str, str] = {}
    name = ""
    start = lines.index("Attributes:") + 1 if "Attributes:" in lines else len(lines)
    for line in lines[start:]:
        if line and not line.startswith(" "):
            break
        head, colon, text = line.strip().partition(":")
        if line.startswith("    ") and not line.startswith("     ") and colon and head.isidentifier():
            name = head
            found[name] = text.strip()
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found


def render_list(passes: list[Description]) -> str:
    """Render one line per pass, and the pipelines of the targets."""
    width = max((len(p["name"]) for p in passes), default=0)
    lines = []
    for entry in passes:
        options = ", ".join(o["name"] for o in entry["options"])
        lines.append(f"{entry['name']:<{width}}  {entry['summary']}" + (f" [{options}]" if options else ""))
    lines += ["", *(f"--target {target}: {text}" for target, text in TARGETS.items())]
    return "\n".join(lines) + "\n"


def render_pass(entry: Description) -> str:
    """Render the documentation of one pass."""
    lines = [f"{entry['name']} ({entry['owner']})", "", *entry["documentation"].splitlines(), ""]
    if entry["options"]:
        lines.append("Options:")
        for option in entry["options"]:
            default = "required" if option["required"] else f"default {option['default']}"
            lines.append(f"  {option['name']}: {option['takes']} ({default})")
            lines += textwrap.wrap(option["help"], 100, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines).rstrip() + "\n"

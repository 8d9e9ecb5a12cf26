# SPDX-License-Identifier: Apache-2.0
"""Which passes exist: one file per pass in ``tflite2x.passes``, plus entry points of other packages.

Nothing is imported to answer whether a name exists; a module is imported when its pass is asked for.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import pkgutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tflite2x.errors import PipelineError, PluginError

if TYPE_CHECKING:
    from tflite2x.rewrite.base import Pass

ENTRY_POINTS = "tflite2x.passes"
_PACKAGE = "tflite2x.passes"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A pass that can be loaded.

    Attributes:
        name: Name of the pass.
        owner: The package that ships it, with its version where known.
        module: Module that holds it.
        attribute: Class in the module; found by its ``name`` when empty.
    """

    name: str
    owner: str
    module: str
    attribute: str = ""


_registered: dict[str, type[Pass]] = {}


def register_pass(cls: type[Pass]) -> type[Pass]:
    """Make a pass known in this process under its name (for notebooks and tests; packages use entry points).

    Registering the same class again is harmless. Works as a class decorator.

    Raises:
        PluginError: The name is missing or taken.
    """
    if not cls.name:
        raise PluginError("the class has no name", where=cls.__qualname__, hint="Set the class variable 'name'.")
    taken = _registered.get(cls.name)
    known = _entries().get(cls.name)
    if known is not None or (taken is not None and _identity(taken) != _identity(cls)):
        owner = known.owner if known is not None else _identity(taken) if taken is not None else ""
        raise PluginError(
            f"the pass '{cls.name}' is claimed by {owner} and by {_identity(cls)}", hint="Rename one of them."
        )
    _registered[cls.name] = cls
    return cls


def _identity(cls: type[Pass]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def library_names() -> list[str]:
    """Return the names of the passes that come with tflite2x, in alphabetical order."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    modules = (m.name for m in pkgutil.iter_modules(folders or []))
    return sorted(m.replace("_", "-") for m in modules if not m.startswith("_"))


@functools.cache
def _library() -> dict[str, Entry]:
    return {name: Entry(name, "tflite2x", f"{_PACKAGE}.{name.replace('-', '_')}") for name in library_names()}


def merge(library: Iterable[Entry], plugins: Iterable[Entry]) -> dict[str, Entry]:
    """Put entries into one table.

    Raises:
        PluginError: Two owners claim one name; both are named.
    """
    table: dict[str, Entry] = {}
    for entry in (*library, *plugins):
        other = table.setdefault(entry.name, entry)
        if other != entry:
            raise PluginError(
                f"the pass '{entry.name}' is claimed by {other.owner} and by {entry.owner}",
                hint="Uninstall one of them or ask its authors for another name.",
            )
    return table


def plugin_entries() -> Iterator[Entry]:
    """Read the entry points of installed packages (without importing the packages)."""
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        owner = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
        yield Entry(point.name, owner, point.module, point.attr)


@functools.cache
def _plugins() -> tuple[Entry, ...]:
    return tuple(plugin_entries())


@functools.cache
def _entries() -> dict[str, Entry]:
    return merge(_library().values(), _plugins())


def pass_entries() -> list[Entry]:
    """Return every pass that can be named in a pipeline, in alphabetical order."""
    extra = (Entry(name, cls.__module__, cls.__module__, cls.__qualname__) for name, cls in _registered.items())
    return sorted((*_entries().values(), *extra), key=lambda entry: entry.name)


def find_pass(name: str) -> type[Pass]:
    """Return the class of a pass; imports its module.

    Raises:
        PipelineError: No pass has this name.
        PluginError: Several packages claim the name, the module cannot be imported, or does not hold such a pass.
    """
    if name in _registered:
        return _registered[name]
    # Clashes over other names do not matter here.
    claims = [entry for entry in (*_library().values(), *_plugins()) if entry.name == name]
    entry = merge([], claims).get(name)
    if entry is None:
        names = [e.name for e in pass_entries()]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "'tflite2x passes' lists them."
        raise PipelineError(f"there is no pass '{name}'", hint=hint)
    return load_entry(entry)


def load_entry(entry: Entry) -> type[Pass]:
    """Import the class behind an entry.

    Raises:
        PluginError: The module cannot be imported, or does not hold such a pass.
    """
    from tflite2x.rewrite.base import Pass

    try:
        module = importlib.import_module(entry.module)
    except Exception as error:  # whatever the code of others raises
        what = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise PluginError(
            f"the pass '{entry.name}' of {entry.owner} cannot be imported: {what}", where=entry.module
        ) from error
    if entry.attribute:
        found: object = module
        for part in entry.attribute.split("."):
            found = getattr(found, part, None)
        candidates: list[object] = [found]
    else:
        candidates = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, Pass) and candidate.name == entry.name:
            return candidate
    raise PluginError(
        f"{entry.module} holds no pass with the name '{entry.name}'",
        where=entry.owner,
        hint="The class derives from tflite2x.Pass and sets name: ClassVar[str] to the name of the entry point.",
    )

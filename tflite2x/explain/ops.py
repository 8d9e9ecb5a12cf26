# SPDX-License-Identifier: Apache-2.0
"""Which operators the interpreter can run."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json

from tflite2x.explain.plain import printable, table


@dataclasses.dataclass(frozen=True)
class KernelInfo:
    """An operator that the interpreter has a kernel for.

    Attributes:
        name: Operator, or custom code.
        types: Combinations of element types, such as ``int8 x int8 -> int8``.
        verified: What its numbers were compared with; empty for kernels that a user registered.
        custom: Whether it is a custom operator.
    """

    name: str
    types: list[str]
    verified: str
    custom: bool


def operators() -> list[KernelInfo]:
    """Return all kernels: builtin operators by name, then custom operators by name."""
    from tflite2x.interpreter import registry

    builtin = registry.all_kernels()
    for module in registry.CUSTOM_MODULES.values():
        importlib.import_module(module)
    found = [KernelInfo(k.name, list(k.types), k.verified, k.name in registry.CUSTOM_MODULES) for k in builtin.values()]
    custom = {k.name: KernelInfo(k.name, list(k.types), k.verified, True) for k in registry.CUSTOM_KERNELS.values()}
    # Plug-ins are named, not loaded: a broken one must not keep the others from being listed.
    for entry in importlib.metadata.entry_points(group=registry.ENTRY_POINT_GROUP):
        custom.setdefault(entry.name, KernelInfo(entry.name, [], f"plug-in {entry.value}", True))
    return found + [custom[name] for name in sorted(custom)]


def to_json(kernels: list[KernelInfo]) -> str:
    """Return the kernels as a JSON list."""
    return json.dumps([dataclasses.asdict(k) for k in kernels], indent=2)


def render(kernels: list[KernelInfo]) -> str:
    """Return the table that ``tflite2x ops`` prints: a line for each combination of types."""
    rows = []
    for kernel in kernels:
        name = printable(kernel.name) + (" (custom)" if kernel.custom else "")
        for i, types in enumerate(kernel.types or ["-"]):
            rows.append([name, types, kernel.verified or "-"] if i == 0 else ["", types, ""])
    return f"{table(['operator', 'types', 'verified against'], rows)}\n\n{len(kernels)} operators"

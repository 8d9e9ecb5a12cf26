# SPDX-License-Identifier: Apache-2.0
"""Which memory holds which value: buffers of one type, reused when their value is no longer needed."""

from __future__ import annotations

import dataclasses

from tflite2x.program import Program, Value
from tflite2x.program.steps import Step


@dataclasses.dataclass
class Slot:
    """A buffer.

    Attributes:
        name: Identifier in generated code.
        dtype: Element type.
        size: Number of elements: the largest value that it holds.
    """

    name: str
    dtype: str
    size: int


def assign(program: Program) -> tuple[list[Slot], dict[Value, Slot]]:
    """Give every value that steps compute a buffer.

    A step's output never shares a buffer with its inputs, and the model's outputs stay until the end.

    Returns:
        The buffers, and which one each value lives in.
    """
    last: dict[Value, int] = {}
    for position, step in enumerate(program.steps):
        for value in (*step.inputs, step.output):
            if isinstance(value, Value):
                last[value] = position
    for value in program.outputs:
        if isinstance(value, Value):
            last[value] = len(program.steps)
    slots: list[Slot] = []
    free: list[Slot] = []
    home: dict[Value, Slot] = {}
    for position, step in enumerate(program.steps):
        if step.output not in home and step.output not in program.states:
            home[step.output] = _take(step, slots, free)
        used = dict.fromkeys(v for v in (*step.inputs, step.output) if isinstance(v, Value) and v in home)
        free += [home[v] for v in used if last[v] == position]
    return slots, home


def _take(step: Step, slots: list[Slot], free: list[Slot]) -> Slot:
    dtype, size = step.output.dtype, step.output.size
    fitting = sorted((s for s in free if s.dtype == dtype), key=lambda s: (s.size < size, abs(s.size - size)))
    if fitting:
        slot = fitting[0]
        free.remove(slot)
        slot.size = max(slot.size, size)
        return slot
    slot = Slot(f"buffer_{len(slots)}", dtype, size)
    slots.append(slot)
    return slot

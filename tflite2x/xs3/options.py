# SPDX-License-Identifier: Apache-2.0
"""The custom options of XC_fc: how its work is spread over hardware threads, and which scratch memory it asks for.

They are a flexbuffer map: ``par`` holds the number of threads ``th`` and the channel ranges ``cg`` (inclusive), which
the runtime walks in order; ``mem`` holds the bytes of weights and of parameters that ``th`` ranges need at a time.
The result of the operator does not depend on either.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from flatbuffers import flexbuffers

from tflite2x.errors import FormatError
from tflite2x.xs3.layout import GROUP, padded_width

#: Bytes of the parameters of one group: 7 rows of 16 values of 16 bits.
GROUP_BYTES = 7 * GROUP * 2
MAX_THREADS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How the output channels are worked off.

    Attributes:
        threads: Ranges computed at the same time.
        channel_groups: First and last channel (inclusive) of every range, in order.
        memory: Scratch bytes for weights and for parameters, or None.
    """

    threads: int
    channel_groups: tuple[tuple[int, int], ...]
    memory: tuple[int, int] | None = None


@functools.lru_cache(maxsize=256)
def plan(channels: int, columns: int, threads: int = 1) -> Plan:
    """Spread ``channels`` outputs of a layer with ``columns`` inputs over at most ``threads`` threads.

    A full group costs 1 and a shorter one 2; the number of threads with the least cost per thread wins, and that is
    always the largest one that still has a group for each thread.

    Raises:
        ValueError: ``threads`` is outside of 1..5.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise ValueError(f"threads is {threads}, outside of 1..{MAX_THREADS}")
    ranges = tuple((first, min(first + GROUP, channels) - 1) for first in range(0, channels, GROUP))
    used = min(threads, len(ranges))
    weights = padded_width(columns) * (ranges[used - 1][1] + 1) if ranges else 0
    return Plan(used, ranges, (weights, GROUP_BYTES * used))


@functools.lru_cache(maxsize=256)  # writing a flexbuffer takes its time
def encode(layout: Plan) -> bytes:
    """Write the options as the flexbuffer map that the runtime reads."""
    value: dict[str, Any] = {"par": {"th": layout.threads, "cg": [list(r) for r in layout.channel_groups]}}
    if layout.memory is not None:
        value["mem"] = list(layout.memory)
    return bytes(flexbuffers.Dumps(value))


@functools.lru_cache(maxsize=256)  # and so does walking one
def decode(data: bytes) -> Plan | None:
    """Read options; None when they say nothing about threads (the later converter wrote none).

    Raises:
        FormatError: The bytes are not a flexbuffer map of this form.
    """
    if not data:
        return None
    try:
        value = flexbuffers.Loads(data)
        par = value.get("par")
        if par is None:
            return None
        memory = value.get("mem")
        ranges = tuple((int(first), int(last)) for first, last in par["cg"])
        return Plan(int(par["th"]), ranges, None if memory is None else (int(memory[0]), int(memory[1])))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"the custom options of XC_fc are not a map with par and mem ({error})") from error

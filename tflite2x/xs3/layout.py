# SPDX-License-Identifier: Apache-2.0
"""How XC_fc keeps its constants in memory: padded weights and the bias-shift-offset block (BSO).

The seven parameters of output channel ``c`` lie at ``bso[c // 16, :, c % 16]``:

| row | name | meaning |
|---|---|---|
| 0 | bias_hi | upper half of the 32-bit bias |
| 1 | bias_lo | lower half, unsigned |
| 2 | shift1 | first right shift, 0..31 |
| 3 | scale | multiplier |
| 4 | offset_scale | one factor of the offset |
| 5 | offset | the other factor; their product is added |
| 6 | shift2 | second right shift, 0..31 |
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import InputError

Int64 = NDArray[np.int64]
Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]

#: Output channels that the vector unit computes together.
GROUP = 16
#: The kernel reads weights by 32-bit words.
WORD = 4
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """The per-channel numbers of XC_fc, as int64 arrays of one length (one value per output channel).

    Attributes:
        bias: Start of the accumulator, an int32 value.
        shift1: Right shift of the accumulator, 0..31.
        scale: int16 factor of the shifted accumulator.
        offset_scale: int16 factor of the offset.
        offset: int16 factor of the offset; ``offset_scale * offset`` is added to the scaled value.
        shift2: Right shift of the sum, 0..31.
    """

    bias: Int64
    shift1: Int64
    scale: Int64
    offset_scale: Int64
    offset: Int64
    shift2: Int64

    @property
    def total_offset(self) -> Int64:
        """The product that is added before the second shift."""
        return self.offset_scale * self.offset

    def __len__(self) -> int:
        return len(self.bias)

    def select(self, index: Any) -> Parameters:
        """Return the parameters of the channels that ``index`` (slice, mask or indices) selects."""
        return Parameters(*(getattr(self, f.name)[index] for f in dataclasses.fields(self)))

    def where(self, mask: NDArray[np.bool_], other: Parameters) -> Parameters:
        """Return these parameters where ``mask`` holds, and those of ``other`` elsewhere."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self))
        return Parameters(*(np.where(mask, a, b) for a, b in pairs))


def groups(channels: int) -> int:
    """Return the number of groups of 16 that hold ``channels`` output channels."""
    return -(-channels // GROUP)


def padded_width(columns: int) -> int:
    """Return the width of the padded weights for an input of ``columns`` elements."""
    return -(-columns // WORD) * WORD


def pad_weights(weights: Int8) -> Int8:
    """Pad the columns of int8 ``[C_out, C_in]`` weights with zeros to a multiple of four."""
    missing = padded_width(weights.shape[1]) - weights.shape[1]
    return np.pad(weights, [(0, 0), (0, missing)])


def pack(parameters: Parameters) -> Int16:
    """Lay parameters out as a BSO block, int16 ``[ceil(C / 16), 7, 16]``; missing channels are zero.

    Raises:
        InputError: A value does not fit in its field.
    """
    limits = {"bias": (INT32_MIN, INT32_MAX), "shift1": (0, 31), "shift2": (0, 31)}
    for field in dataclasses.fields(parameters):
        values = getattr(parameters, field.name)
        low, high = limits.get(field.name, (-(1 << 15), (1 << 15) - 1))
        bad = np.flatnonzero((values < low) | (values > high))
        if bad.size:
            c = int(bad[0])
            raise InputError(f"{field.name} of channel {c} is {values[c]}, outside of [{low}, {high}]", where="BSO")
    count = groups(len(parameters))
    rows = np.zeros((7, count * GROUP), np.int16)
    halves = np.stack([parameters.bias >> 16, parameters.bias & 0xFFFF])
    used = rows[:, : len(parameters)]
    used[:2] = halves.astype(np.uint16).view(np.int16)
    names = ("shift1", "scale", "offset_scale", "offset", "shift2")
    used[2:] = np.stack([getattr(parameters, name) for name in names])
    return np.ascontiguousarray(rows.reshape(7, count, GROUP).transpose(1, 0, 2))


def unpack(bso: Int16, channels: int | None = None) -> Parameters:
    """Read the parameters of the first ``channels`` output channels (all sixteen of each group by default).

    Raises:
        InputError: The block is not int16 ``[G, 7, 16]``, or holds fewer channels.
    """
    if bso.dtype != np.int16 or bso.ndim != 3 or bso.shape[1:] != (7, GROUP):
        raise InputError(f"the block is {bso.dtype} {list(bso.shape)}, not int16 [G, 7, {GROUP}]", where="BSO")
    available = bso.shape[0] * GROUP
    count = available if channels is None else channels
    if count > available:
        raise InputError(f"the block holds {available} channels, {count} are needed", where="BSO")
    rows = bso.transpose(1, 0, 2).reshape(7, available)[:, :count].astype(np.int64)
    return Parameters(rows[0] * 65536 + (rows[1] & 0xFFFF), rows[2], rows[3], rows[4], rows[5], rows[6])

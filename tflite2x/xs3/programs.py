# SPDX-License-Identifier: Apache-2.0
"""Programs for the vector unit: they show how the machine is meant to be used, and they are exact.

Each takes a :class:`~tflite2x.xs3.vpu.VPU` and executes one vector instruction per line; ``vpu.counts`` says how many.
Address arithmetic and loops are the scalar unit's business and are plain Python here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import ExecutionError
from tflite2x.xs3.layout import GROUP, Int8, Int16, groups
from tflite2x.xs3.vpu import ACCUMULATORS, BYTES, VPU


def fully_connected_8(vpu: VPU, x: Int8, weights: Int8, bso: Int16, *, symmetric: bool = False) -> Int8:
    """Compute one input vector through XC_fc, in groups of 16 output channels as the assembly does.

    Args:
        vpu: The unit.
        x: int8 ``[P]``; P is a multiple of 4.
        weights: int8 ``[C_out, P]``.
        bso: int16 ``[G, 7, 16]``.
        symmetric: Saturate at -127 instead of -128.

    Returns:
        int8 ``[C_out]``.
    """
    y = np.zeros(len(weights), np.int8)
    for group in range(groups(len(weights))):
        first = group * GROUP
        rows = weights[first : first + GROUP]
        _accumulate(vpu, x, rows, bso[group])
        _scale_and_offset(vpu, bso[group])
        out = y[first : first + GROUP]
        if symmetric:
            vpu.VSETC(8)
            vpu.VLSAT(bso[group, 6])
            vpu.VSTRPV(out, (1 << len(out)) - 1)
        else:
            _store_down_to_128(vpu, bso[group, 6], out)
    return y


def fully_connected_16(vpu: VPU, x: Int8, weights: Int8, bso: Int16) -> Int16:
    """Compute one input vector with 16-bit outputs; arguments as :func:`fully_connected_8`.

    Returns:
        int16 ``[C_out]``.
    """
    y = np.zeros(len(weights), np.int16)
    for group in range(groups(len(weights))):
        first = group * GROUP
        _accumulate(vpu, x, weights[first : first + GROUP], bso[group])
        _scale_and_offset(vpu, bso[group])
        vpu.VLSAT(bso[group, 6])
        out = y[first : first + GROUP]
        vpu.VSTRPV(out, (1 << (2 * len(out))) - 1)
    return y


def _accumulate(vpu: VPU, x: Int8, rows: Int8, block: Int16) -> None:
    """Leave ``bias + rows @ x`` in the accumulators: first the elements that fill no vector, then blocks of 32."""
    vpu.VSETC(8)
    vpu.VLDD(block[0])
    vpu.VLDR(block[1])
    width = x.size
    lead = width % BYTES
    if lead:
        # The unit reads 32 bytes that end where the leading elements end. What lies before them is masked out of the
        # input, so that it does not matter what the weights are multiplied with there.
        head = np.zeros(BYTES, np.int8)
        head[BYTES - lead :] = x[:lead]
        _multiply(vpu, head, _leading(rows, lead))
    for start in range(lead, width, BYTES):
        _multiply(vpu, x[start : start + BYTES], rows[:, start : start + BYTES])


def _leading(rows: Int8, lead: int) -> Int8:
    """Return what the unit reads for the leading elements: they end the vector, and older bytes come before them."""
    flat = np.concatenate([np.zeros(BYTES, np.int8), rows.ravel()])
    ends = BYTES + lead + rows.shape[1] * np.arange(len(rows))
    read: Int8 = flat[ends[:, None] + np.arange(-BYTES, 0)]
    return read


def _multiply(vpu: VPU, x: Int8, chunk: Int8) -> None:
    """Add 16 dot products of one chunk of 16 rows x 32 columns. Each VLMACCR feeds the last accumulator and rotates."""
    vpu.VLDC(x)
    zeros = np.zeros(BYTES, np.int8)
    for row in range(ACCUMULATORS - 1, -1, -1):
        # A short group still takes sixteen turns, or its accumulators would not come back to their places.
        vpu.VLMACCR(chunk[row] if row < len(chunk) else zeros)


def _scale_and_offset(vpu: VPU, block: Int16) -> None:
    """Take 32-bit accumulators to ``rnd16(acc, shift1) * scale + offset_scale * offset``, again in the accumulators."""
    stage = np.zeros(ACCUMULATORS, np.int16)
    vpu.VSETC(16)
    vpu.VLSAT(block[2])
    vpu.VSTR(stage)
    vpu.VCLRDR()
    vpu.VLDC(stage)
    vpu.VLMACC(block[3])
    vpu.VLDC(block[4])
    vpu.VLMACC(block[5])


def _store_down_to_128(vpu: VPU, shifts: Int16, out: Int8) -> None:
    """Shift, saturate to -128..127 and store. The unit saturates to -127; -128 comes from a prefilled output."""
    prefill = np.full(BYTES, -128, np.int8)
    below = np.full(ACCUMULATORS, 127, np.int16)
    stage, word = np.zeros(ACCUMULATORS, np.int16), np.zeros(BYTES // 4, np.uint32)
    lanes = (1 << len(out)) - 1
    vpu.VLSAT(shifts)
    vpu.VSTR(stage)
    vpu.VLADD(below)
    vpu.VDEPTH1()  # one bit per lane: the value is below -127
    vpu.VSTR(word)
    vpu.VLDR(prefill)
    vpu.VSTRPV(out, lanes)
    vpu.VLASHR(stage, -8)  # saturates beyond 8 bits ...
    vpu.VDEPTH8()  # ... and takes the upper byte again
    vpu.VSTRPV(out, lanes & ~int(word[0]))


def prepare_matrix(weights: Int8) -> Int8:
    """Arrange int8 ``[rows, columns]`` for :func:`xs3_matmul`: padded to 16 x 32 chunks, each band of 16 rows flipped.

    VLMACCR rotates the accumulators upwards, so that a band meets its last row first.

    Returns:
        int8 ``[bands, 16, chunks * 32]``.
    """
    rows, columns = weights.shape
    padded = np.pad(weights, [(0, -rows % ACCUMULATORS), (0, -columns % BYTES)])
    return np.ascontiguousarray(padded.reshape(-1, ACCUMULATORS, padded.shape[1])[:, ::-1])


def xs3_matmul(vpu: VPU, matrix: Int8, x: Int8) -> NDArray[np.int32]:
    """Multiply a prepared matrix by a vector, in bands of 16 rows and chunks of 32 columns.

    Args:
        vpu: The unit, which is switched to 8-bit mode.
        matrix: Result of :func:`prepare_matrix`.
        x: int8 ``[columns]``; padded with zeros here to whole chunks.

    Returns:
        int32 ``[bands * 16]``: the accumulators, which a kernel would go on to shift and saturate.
    """
    bands, _, width = matrix.shape
    if x.size > width:
        raise ExecutionError(f"the vector has {x.size} elements, the matrix {width} columns", where="xs3_matmul")
    vector = np.pad(x, (0, width - x.size))
    y = np.zeros((bands, ACCUMULATORS), np.int32)
    high, low = np.zeros(ACCUMULATORS, np.int16), np.zeros(ACCUMULATORS, np.uint16)
    vpu.VSETC(8)
    for band in range(bands):
        vpu.VCLRDR()
        for start in range(0, width, BYTES):
            vpu.VLDC(vector[start : start + BYTES])
            for row in matrix[band, :, start : start + BYTES]:
                vpu.VLMACCR(row)
        vpu.VSTD(high)
        vpu.VSTR(low)
        y[band] = high.astype(np.int32) * 65536 + low
    return y.reshape(-1)

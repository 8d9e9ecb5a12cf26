# SPDX-License-Identifier: Apache-2.0
"""The vector unit of an XS3 core (xcore.ai), instruction by instruction.

The unit has three registers of 32 bytes: ``vR`` (results), ``vD`` (upper halves of accumulators) and ``vC`` (a factor).
A mode says how bytes form elements: 32 elements of 8 bits, 16 of 16 bits, or 8 of 32 bits. In the 8- and 16-bit modes
vD and vR together also hold sixteen 32-bit accumulators: accumulator ``k`` is ``vD.s16[k] * 65536 + vR.u16[k]``.

Everything saturates symmetrically: an n-bit lane to ``+-(2**(n-1) - 1)``. Right shifts round half up where they round.

Memory is whatever array is handed to an instruction: 32 bytes of it, of any element type. Every instruction is counted.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import ExecutionError
from tflite2x.xs3.layout import Int64

Memory = NDArray[Any]
#: Bytes of a register.
BYTES = 32
#: Accumulators in the 8- and 16-bit modes.
ACCUMULATORS = 16
_TYPES: dict[int, Any] = {8: np.int8, 16: np.int16, 32: np.int32}


@dataclasses.dataclass(frozen=True, slots=True)
class Revision:
    """How a revision of XMOS's model of the unit rounds, where revisions differ.

    Attributes:
        name: When that was the state of the model.
        vlmul_rounds: Modes (bits) in which VLMUL rounds half up; in the others it rounds down.
        vlashr_rounds: Whether VLASHR rounds half up when it shifts right by less than ``bits - 1``; else down.
    """

    name: str
    vlmul_rounds: frozenset[int]
    vlashr_rounds: bool


_ALL = frozenset({8, 16, 32})
REVISIONS = {
    r.name: r
    for r in (
        Revision("2020-12", frozenset(), False),
        Revision("2022-10", _ALL, True),
        Revision("2022-12", _ALL - {16}, True),
        Revision("2023-02", _ALL, True),
    )
}

P = ParamSpec("P")
R = TypeVar("R")


def _instruction(method: Callable[Concatenate[VPU, P], R]) -> Callable[Concatenate[VPU, P], R]:
    """Count every call of an instruction under its name."""

    @functools.wraps(method)
    def counted(self: VPU, *args: P.args, **kwargs: P.kwargs) -> R:
        self.counts[method.__name__] += 1
        return method(self, *args, **kwargs)

    return counted  # type: ignore[return-value]  # the wrapper keeps the signature; only ``self`` loses its type


class VPU:
    """One vector unit: registers, mode and instruction counts.

    Args:
        bits: Element size at the start: 8, 16 or 32; :meth:`VSETC` changes it.
        revision: Name of an entry of ``REVISIONS``, or a :class:`Revision`.

    Attributes:
        vR, vD, vC: The registers, uint8 ``[32]``; :meth:`lanes` views them as elements.
        counts: Instruction name -> number of executions.
    """

    def __init__(self, bits: int = 8, revision: str | Revision = "2020-12") -> None:
        self.revision = REVISIONS[revision] if isinstance(revision, str) else revision
        self.vR: NDArray[np.uint8] = np.zeros(BYTES, np.uint8)
        self.vD: NDArray[np.uint8] = np.zeros(BYTES, np.uint8)
        self.vC: NDArray[np.uint8] = np.zeros(BYTES, np.uint8)
        self.counts: collections.Counter[str] = collections.Counter()
        self._set_mode(bits)

    def _set_mode(self, bits: int) -> None:
        if bits not in _TYPES:
            raise ExecutionError(f"the mode is {bits} bits", where="VPU", hint="There are 8, 16 and 32.")
        self.bits = bits
        self.dtype = np.dtype(_TYPES[bits])
        #: Elements per register.
        self.elements = BYTES * 8 // bits

    @property
    def instructions(self) -> int:
        """Number of instructions executed."""
        return self.counts.total()

    def lanes(self, register: NDArray[np.uint8]) -> NDArray[Any]:
        """View a register as signed elements of the present mode."""
        return register.view(self.dtype)

    @property
    def accumulators(self) -> Int64:
        """The sixteen 32-bit accumulators that vD and vR hold, as int64."""
        if self.bits == 32:
            raise ExecutionError("the 40-bit accumulators of the 32-bit mode cannot be used", where="VPU")
        return self.vD.view(np.int16).astype(np.int64) * 65536 + self.vR.view(np.uint16)

    @accumulators.setter
    def accumulators(self, values: Int64) -> None:
        self.vD.view(np.int16)[:] = values >> 16
        self.vR.view(np.uint16)[:] = values & 0xFFFF

    def _load(self, memory: Memory) -> NDArray[np.uint8]:
        if memory.nbytes != BYTES:
            raise ExecutionError(f"an operand has {memory.nbytes} bytes, not {BYTES}", where="VPU")
        return np.ascontiguousarray(memory).view(np.uint8).reshape(BYTES)

    def _elements(self, memory: Memory) -> Int64:
        return self.lanes(self._load(memory)).astype(np.int64)

    def _result(self, values: Int64) -> None:
        """Put saturated elements into vR."""
        self.lanes(self.vR)[:] = saturate(values, self.bits)

    # --- mode, loads and stores ------------------------------------------------------------------------------------

    @_instruction
    def VSETC(self, bits: int) -> None:  # noqa: N802
        """Set the mode: elements of 8, 16 or 32 bits. The registers keep their bytes."""
        self._set_mode(bits)

    @_instruction
    def VCLRDR(self) -> None:  # noqa: N802
        """Clear vD and vR, and with them the accumulators."""
        self.vD[:] = 0
        self.vR[:] = 0

    @_instruction
    def VLDR(self, memory: Memory) -> None:  # noqa: N802
        """Load vR."""
        self.vR[:] = self._load(memory)

    @_instruction
    def VLDD(self, memory: Memory) -> None:  # noqa: N802
        """Load vD."""
        self.vD[:] = self._load(memory)

    @_instruction
    def VLDC(self, memory: Memory) -> None:  # noqa: N802
        """Load vC."""
        self.vC[:] = self._load(memory)

    @_instruction
    def VSTR(self, memory: Memory) -> None:  # noqa: N802
        """Store vR."""
        self._store(memory, self.vR)

    @_instruction
    def VSTD(self, memory: Memory) -> None:  # noqa: N802
        """Store vD."""
        self._store(memory, self.vD)

    @_instruction
    def VSTC(self, memory: Memory) -> None:  # noqa: N802
        """Store vC."""
        self._store(memory, self.vC)

    def _store(self, memory: Memory, register: NDArray[np.uint8]) -> None:
        if memory.nbytes != BYTES:
            raise ExecutionError(f"the target has {memory.nbytes} bytes, not {BYTES}", where="VPU")
        memory[...] = register.view(memory.dtype).reshape(memory.shape)

    @_instruction
    def VSTRPV(self, memory: NDArray[Any], mask: int) -> None:  # noqa: N802
        """Store the bytes of vR whose bit is set in the 32-bit ``mask``; the target may end behind the last of them."""
        chosen = np.flatnonzero((mask >> np.arange(BYTES)) & 1)
        target = memory.view(np.uint8)
        if chosen.size and chosen[-1] >= target.size:
            raise ExecutionError(f"byte {chosen[-1]} is behind the end of the target", where="VPU")
        target[chosen] = self.vR[chosen]

    # --- elementwise -----------------------------------------------------------------------------------------------

    @_instruction
    def VLADD(self, memory: Memory) -> None:  # noqa: N802
        """``vR = sat(vR + memory)``."""
        self._result(self.lanes(self.vR) + self._elements(memory))

    @_instruction
    def VLSUB(self, memory: Memory) -> None:  # noqa: N802
        """``vR = sat(memory - vR)``: memory minus register."""
        self._result(self._elements(memory) - self.lanes(self.vR))

    @_instruction
    def VLMUL(self, memory: Memory) -> None:  # noqa: N802
        """``vR = sat(vR * memory / 2**(bits - 2))``, rounded as the revision says: 1.0 is ``2**(bits - 2)``."""
        product = self.lanes(self.vR) * self._elements(memory)
        rounds = self.bits in self.revision.vlmul_rounds
        self._result(round_shift(product, self.bits - 2) if rounds else product >> (self.bits - 2))

    @_instruction
    def VLASHR(self, memory: Memory, shift: int) -> None:  # noqa: N802
        """``vR = sat(memory >> shift)``, rounded as the revision says; a negative shift goes to the left."""
        values = self._elements(memory)
        if shift < 0:
            # A shift by the element size already saturates everything but zero.
            self._result(values << min(-shift, self.bits))
        elif shift >= self.bits - 1:
            self._result(values >> (self.bits - 1))
        else:
            self._result(round_shift(values, shift) if self.revision.vlashr_rounds else values >> shift)

    # --- multiply and accumulate -----------------------------------------------------------------------------------

    @_instruction
    def VLMACC(self, memory: Memory) -> None:  # noqa: N802
        """``acc[k] = sat32(acc[k] + vC[k] * memory[k])`` for all sixteen; in 8-bit mode of the first 16 elements."""
        products = (self.lanes(self.vC) * self._elements(memory))[:ACCUMULATORS]
        self.accumulators = saturate(self.accumulators + products, 32)

    @_instruction
    def VLMACCR(self, memory: Memory) -> None:  # noqa: N802
        """Add the dot product of vC and memory to the last accumulator, then rotate all up by one.

        The sum of all products is exact and saturates once; it ends up in accumulator 0. After sixteen of these every
        accumulator has had its turn, the last one first: rows of weights are therefore met in descending order.
        """
        self._rotate(int((self.lanes(self.vC) * self._elements(memory)).sum()))

    @_instruction
    def VLMACCR1(self, memory: Memory) -> None:  # noqa: N802
        """The same for single bits, where 0 stands for +1 and 1 for -1: half of the dot product, 256 bits at a time.

        Per 32-bit word: ``(2 * popcount(~(vC ^ memory)) - 32) / 2``.
        """
        bits = np.unpackbits(~(self.vC ^ self._load(memory)))
        equal = bits.reshape(-1, 32).sum(axis=1, dtype=np.int64)
        self._rotate(int(((2 * equal - 32) // 2).sum()))

    def _rotate(self, addend: int) -> None:
        acc = np.roll(self.accumulators, 1)
        acc[0] = saturate(acc[:1] + addend, 32)[0]
        self.accumulators = acc

    @_instruction
    def VADDDR(self) -> None:  # noqa: N802
        """Add all accumulators into accumulator 0, saturating once; the others become 0.

        XMOS's models leave this instruction out; this is what its use in their assembly of 2019 needs.
        """
        total = np.zeros(ACCUMULATORS, np.int64)
        total[0] = saturate(self.accumulators.sum(keepdims=True), 32)[0]
        self.accumulators = total

    # --- accumulators to elements ----------------------------------------------------------------------------------

    @_instruction
    def VLSAT(self, shifts: Memory) -> None:  # noqa: N802
        """Shift every accumulator right by its own amount, round half up, saturate to an element of vR; clear vD.

        ``shifts`` holds sixteen 16-bit amounts. In 8-bit mode the upper half of vR becomes 0. The rounding term is
        added in 32 bits and wraps.
        """
        self._saturate_accumulators(shifts, -((1 << (self.bits - 1)) - 1))

    @_instruction
    def VLSAT_FIXED(self, shifts: Memory) -> None:  # noqa: N802
        """VLSAT with the lowest 8-bit value -128 (a later addition to XMOS's model)."""
        self._saturate_accumulators(shifts, -128 if self.bits == 8 else -((1 << (self.bits - 1)) - 1))

    def _saturate_accumulators(self, shifts: Memory, low: int) -> None:
        amounts = self._load(shifts).view(np.uint16).astype(np.int64)
        if amounts.max() > 31:
            raise ExecutionError(f"VLSAT shifts by {amounts.max()}", where="VPU", hint="Shifts are 0 to 31.")
        half = (np.int64(1) << amounts) >> 1
        rounded = (self.accumulators + half).astype(np.int32).astype(np.int64) >> amounts
        self.vD[:] = 0
        self.vR[:] = 0
        self.lanes(self.vR)[:ACCUMULATORS] = np.clip(rounded, low, (1 << (self.bits - 1)) - 1)

    @_instruction
    def VPOS(self) -> None:  # noqa: N802
        """``lane[k] = max(accumulator k truncated to an element, 0)`` for the first 16 lanes (8 in 32-bit mode).

        In 16- and 32-bit mode that is a ReLU of vR. In 8-bit mode it is not: lane k comes from byte 2k of vR.
        """
        if self.bits == 8:
            self.lanes(self.vR)[:ACCUMULATORS] = np.maximum(self.vR.view(np.int8)[::2].copy(), 0)
        else:
            self.lanes(self.vR)[:] = np.maximum(self.lanes(self.vR), 0)

    # --- depth reduction -------------------------------------------------------------------------------------------

    @_instruction
    def VDEPTH1(self) -> None:  # noqa: N802
        """Bit i of vR's first word = element i is negative; the rest of vR becomes 0."""
        word = np.packbits(self.lanes(self.vR) < 0, bitorder="little")
        self.vR[:] = 0
        self.vR[: word.size] = word

    @_instruction
    def VDEPTH8(self) -> None:  # noqa: N802
        """Reduce 16- or 32-bit elements to their upper 8 bits, rounded half up, at the start of vR; the rest is 0."""
        self._reduce(8)

    @_instruction
    def VDEPTH16(self) -> None:  # noqa: N802
        """Reduce 32-bit elements to their upper 16 bits, rounded half up, at the start of vR; the rest is 0."""
        self._reduce(16)

    def _reduce(self, bits: int) -> None:
        if self.bits <= bits:
            raise ExecutionError(
                f"VDEPTH{bits} in {self.bits}-bit mode", where="VPU", hint="It makes elements narrower."
            )
        values = saturate(round_shift(self.lanes(self.vR).astype(np.int64), self.bits - bits), bits)
        narrow = values.astype(_TYPES[bits]).view(np.uint8)
        self.vR[:] = 0
        self.vR[: narrow.size] = narrow


def saturate(values: Int64, bits: int) -> Int64:
    """Clamp to ``+-(2**(bits - 1) - 1)``."""
    limit = (1 << (bits - 1)) - 1
    return np.clip(values, -limit, limit)


def round_shift(values: Int64, shift: int) -> Int64:
    """Return ``values / 2**shift``, halves up."""
    result: Int64 = (values + ((1 << shift) >> 1)) >> shift
    return result

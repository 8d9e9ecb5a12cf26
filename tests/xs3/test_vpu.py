# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tflite2x.errors import ExecutionError
from tflite2x.xs3 import VPU

RNG = np.random.default_rng(0)
TYPES = {8: np.int8, 16: np.int16, 32: np.int32}


def vector(bits: int) -> np.ndarray:
    return np.frombuffer(RNG.bytes(32), TYPES[bits]).copy()


def loaded(bits: int, revision: str = "2020-12") -> VPU:
    """A unit with random registers; the loads are not counted."""
    vpu = VPU(bits, revision)
    for load in (vpu.VLDR, vpu.VLDD, vpu.VLDC):
        load(vector(bits))
    vpu.counts.clear()
    return vpu


def sat(value: int, bits: int) -> int:
    limit = 2 ** (bits - 1) - 1
    return max(-limit, min(limit, value))


def rnd(value: int, shift: int) -> int:
    return (value + (2 ** (shift - 1) if shift else 0)) >> shift


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_loads_and_stores_move_32_bytes_and_copy_them(bits):
    vpu = VPU(bits)
    source = vector(bits)
    for load, store in ((vpu.VLDR, vpu.VSTR), (vpu.VLDD, vpu.VSTD), (vpu.VLDC, vpu.VSTC)):
        load(source)
        kept, target = source.copy(), np.zeros_like(source)
        source[:] = 0
        store(target)
        np.testing.assert_array_equal(target, kept)
        source[:] = kept
    assert vpu.instructions == 6


def test_operands_of_another_size_are_refused():
    vpu = VPU()
    with pytest.raises(ExecutionError, match="31 bytes, not 32"):
        vpu.VLDR(np.zeros(31, np.int8))
    with pytest.raises(ExecutionError, match="the target has 16 bytes"):
        vpu.VSTR(np.zeros(8, np.int16))
    with pytest.raises(ExecutionError, match="the mode is 64 bits"):
        vpu.VSETC(64)


def test_vclrdr_leaves_vc():
    vpu = loaded(8)
    kept = vpu.vC.copy()
    vpu.VCLRDR()
    assert not vpu.vD.any()
    assert not vpu.vR.any()
    np.testing.assert_array_equal(vpu.vC, kept)


def test_vstrpv_stores_single_bytes():
    vpu = loaded(8)
    target = np.zeros(9, np.int8)
    vpu.VSTRPV(target, 0b1_0000_0101)
    np.testing.assert_array_equal(np.flatnonzero(target != 0), np.flatnonzero(np.isin(np.arange(9), [0, 2, 8])))
    np.testing.assert_array_equal(target[[0, 2, 8]], vpu.vR.view(np.int8)[[0, 2, 8]])
    with pytest.raises(ExecutionError, match="byte 9 is behind the end"):
        vpu.VSTRPV(target, 1 << 9)


def test_accumulators_are_split_over_vd_and_vr():
    vpu = VPU()
    values = RNG.integers(-(2**31), 2**31, 16)
    vpu.accumulators = values
    np.testing.assert_array_equal(vpu.accumulators, values)
    np.testing.assert_array_equal(vpu.vD.view(np.int16), values >> 16)
    with pytest.raises(ExecutionError, match="40-bit"):
        _ = VPU(32).accumulators


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_vladd_vlsub(bits):
    vpu, memory = loaded(bits), vector(bits)
    before = vpu.lanes(vpu.vR).tolist()
    vpu.VLADD(memory)
    after = vpu.lanes(vpu.vR).tolist()
    assert after == [sat(a + b, bits) for a, b in zip(before, memory.tolist(), strict=True)]
    vpu.VLSUB(memory)
    assert vpu.lanes(vpu.vR).tolist() == [sat(b - a, bits) for a, b in zip(after, memory.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("revision", "rounding_modes"),
    [("2020-12", ()), ("2022-10", (8, 16, 32)), ("2022-12", (8, 32)), ("2023-02", (8, 16, 32))],
)
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_vlmul_rounds_as_its_revision_does(bits, revision, rounding_modes):
    vpu, memory = loaded(bits, revision), vector(bits)
    before = vpu.lanes(vpu.vR).tolist()
    vpu.VLMUL(memory)
    divide = rnd if bits in rounding_modes else lambda value, shift: value >> shift
    expected = [sat(divide(a * b, bits - 2), bits) for a, b in zip(before, memory.tolist(), strict=True)]
    assert vpu.lanes(vpu.vR).tolist() == expected


@pytest.mark.parametrize(("revision", "rounds"), [("2020-12", False), ("2022-10", True)])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_vlashr(bits, revision, rounds):
    for shift in (0, 1, 3, bits - 2, bits - 1, bits + 9, -1, -5, -bits, -100):
        vpu, memory = VPU(bits, revision), vector(bits)
        vpu.VLASHR(memory, shift)
        result = vpu.lanes(vpu.vR).tolist()
        if shift < 0:
            expected = [sat(v << -shift, bits) for v in memory.tolist()]
        elif shift >= bits - 1:
            expected = [-1 if v < 0 else 0 for v in memory.tolist()]
        else:
            divide = rnd if rounds else lambda value, amount: value >> amount
            expected = [sat(divide(v, shift), bits) for v in memory.tolist()]
        assert result == expected


@pytest.mark.parametrize("bits", [8, 16])
def test_vlmacc_multiplies_the_first_sixteen_elements(bits):
    vpu, memory = loaded(bits), vector(bits)
    c, acc = vpu.lanes(vpu.vC).tolist(), vpu.accumulators.tolist()
    vpu.VLMACC(memory)
    expected = [sat(a + x * y, 32) for a, x, y in zip(acc, c[:16], memory.tolist()[:16], strict=True)]
    assert vpu.accumulators.tolist() == expected


@pytest.mark.parametrize("bits", [8, 16])
def test_vlmaccr_adds_to_the_last_accumulator_and_rotates(bits):
    vpu, memory = loaded(bits), vector(bits)
    c, acc = vpu.lanes(vpu.vC).tolist(), vpu.accumulators.tolist()
    vpu.VLMACCR(memory)
    total = sum(x * y for x, y in zip(c, memory.tolist(), strict=True))
    assert vpu.accumulators.tolist() == [sat(acc[15] + total, 32), *acc[:15]]


def test_vlmaccr_saturates_symmetrically():
    vpu = VPU()
    vpu.accumulators = np.full(16, -(2**31) + 5)
    vpu.VLDC(np.full(32, 127, np.int8))
    vpu.VLMACCR(np.full(32, -128, np.int8))
    assert vpu.accumulators[0] == -(2**31) + 1
    assert vpu.accumulators[1] == -(2**31) + 5


def test_vlmaccr1_is_half_of_the_dot_product_of_signs():
    vpu = loaded(8)
    memory = vector(8)
    signs = [1 - 2 * np.unpackbits(v.view(np.uint8)).astype(int) for v in (vpu.vC, memory)]
    acc = vpu.accumulators.tolist()
    vpu.VLMACCR1(memory)
    assert vpu.accumulators.tolist() == [sat(acc[15] + int(signs[0] @ signs[1]) // 2, 32), *acc[:15]]


@pytest.mark.parametrize("bits", [8, 16])
def test_vlsat_shifts_each_accumulator_by_its_own_amount(bits):
    vpu = VPU(bits)
    acc = RNG.integers(-(2**30), 2**30, 16)
    shifts = np.arange(2, 32, 2)[np.arange(16) % 15].astype(np.uint16)
    vpu.accumulators = acc
    vpu.VLSAT(shifts)
    expected = [sat(rnd(a, s), bits) for a, s in zip(acc.tolist(), shifts.tolist(), strict=True)]
    assert vpu.lanes(vpu.vR).tolist() == expected + [0] * (vpu.elements - 16)
    assert not vpu.vD.any()


def test_vlsat_wraps_where_the_rounding_term_leaves_32_bits():
    vpu = VPU(16)
    vpu.accumulators = np.full(16, 2**31 - 1)
    vpu.VLSAT(np.full(16, 4, np.uint16))
    assert set(vpu.vR.view(np.int16).tolist()) == {-32767}
    with pytest.raises(ExecutionError, match="VLSAT shifts by 32"):
        vpu.VLSAT(np.full(16, 32, np.uint16))


def test_vlsat_fixed_reaches_minus_128():
    for name, lowest in (("VLSAT", -127), ("VLSAT_FIXED", -128)):
        vpu = VPU(8)
        vpu.accumulators = np.full(16, -5000)
        getattr(vpu, name)(np.zeros(16, np.uint16))
        assert vpu.vR.view(np.int8)[:16].tolist() == [lowest] * 16


def test_vpos_is_a_relu_except_in_8_bit_mode():
    for bits in (16, 32):
        vpu = loaded(bits)
        before = vpu.lanes(vpu.vR).tolist()
        vpu.VPOS()
        assert vpu.lanes(vpu.vR).tolist() == [max(v, 0) for v in before]
    vpu = loaded(8)
    acc, upper = vpu.accumulators.tolist(), vpu.vR.view(np.int8)[16:].tolist()
    vpu.VPOS()
    low_bytes = [((a + 128) & 0xFF) - 128 for a in acc]
    assert vpu.vR.view(np.int8).tolist() == [max(v, 0) for v in low_bytes] + upper


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_vdepth1_collects_signs(bits):
    vpu = loaded(bits)
    expected = sum(1 << i for i, v in enumerate(vpu.lanes(vpu.vR).tolist()) if v < 0)
    vpu.VDEPTH1()
    assert vpu.vR.view(np.uint32).tolist() == [expected, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("bits", "to"), [(16, 8), (32, 8), (32, 16)])
def test_vdepth_keeps_the_upper_part(bits, to):
    vpu = loaded(bits)
    vpu.lanes(vpu.vR)[0] = np.iinfo(TYPES[bits]).max
    expected = [sat(rnd(v, bits - to), to) for v in vpu.lanes(vpu.vR).tolist()]
    getattr(vpu, f"VDEPTH{to}")()
    got = vpu.vR.view(TYPES[to]).tolist()
    assert got == expected + [0] * (len(got) - len(expected))
    with pytest.raises(ExecutionError, match=f"VDEPTH{to} in {to}-bit mode"):
        getattr(VPU(to), f"VDEPTH{to}")()


def test_vaddr_sums_all_accumulators():
    vpu = VPU()
    vpu.accumulators = np.arange(16) * 1000
    vpu.VADDDR()
    assert vpu.accumulators.tolist() == [120000] + [0] * 15


def test_every_instruction_is_counted_once():
    vpu = loaded(8)
    vpu.VLADD(vector(8))
    vpu.VLMACCR(vector(8))
    vpu.VLMACCR(vector(8))
    assert dict(vpu.counts) == {"VLADD": 1, "VLMACCR": 2}
    assert vpu.instructions == 3

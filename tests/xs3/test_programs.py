# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.xs3.golden import cases
from tests.xs3.layers import plausible, random_parameters
from tflite2x.errors import ExecutionError
from tflite2x.xs3 import VPU, fully_connected_8, fully_connected_16, lower_2021, lower_best, programs


@pytest.mark.parametrize("case", list(cases("xc_fc_kernel")))
def test_golden_vectors(case):
    x, w, bso = case["X"], case["W"], case["BSO"]
    np.testing.assert_array_equal(programs.fully_connected_8(VPU(), x, w, bso), case["Y"])
    np.testing.assert_array_equal(programs.fully_connected_8(VPU(), x, w, bso, symmetric=True), case["Ysym"])
    np.testing.assert_array_equal(programs.fully_connected_16(VPU(), x, w, bso), case["Y16"])


def assert_equal_to_kernel(x, weights, bso):
    vpu = VPU()
    np.testing.assert_array_equal(programs.fully_connected_8(vpu, x, weights, bso), fully_connected_8(x, weights, bso))
    for symmetric in (programs.fully_connected_8(vpu, x, weights, bso, symmetric=True),):
        np.testing.assert_array_equal(symmetric, fully_connected_8(x, weights, bso, symmetric=True))
    np.testing.assert_array_equal(
        programs.fully_connected_16(vpu, x, weights, bso), fully_connected_16(x, weights, bso)
    )


def random_case(rng: np.random.Generator) -> None:
    channels, columns = int(rng.integers(1, 40)), 4 * int(rng.integers(1, 40))
    if rng.random() < 0.5:
        layer = plausible(rng, channels, columns, per_channel=rng.random() < 0.5)
        weights, bso = lower_2021(layer) if rng.random() < 0.5 else lower_best(layer)
    else:
        limit = int(rng.choice([2, 10, 128]))
        weights = rng.integers(-limit, limit, (channels, columns)).astype(np.int8)
        bso = random_parameters(rng, weights)
    x = rng.integers(-128, 128, columns).astype(np.int8)
    if rng.random() < 0.2:
        x = rng.choice([-128, 127], columns).astype(np.int8)
    assert_equal_to_kernel(x, weights, bso)


@pytest.mark.parametrize("seed", range(8))
def test_random_layers_equal_the_kernel(seed):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        random_case(rng)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(100, 200))
def test_ten_thousand_random_layers_equal_the_kernel(seed):
    rng = np.random.default_rng(seed)
    for _ in range(100):
        random_case(rng)


@pytest.mark.parametrize(
    ("channels", "columns"), [(1, 8192), (40, 2048), pytest.param(1500, 8192, marks=pytest.mark.sweep)]
)
def test_large_layers(channels, columns):
    rng = np.random.default_rng(channels)
    layer = plausible(rng, channels, columns)
    x = rng.integers(-128, 128, columns).astype(np.int8)
    assert_equal_to_kernel(x, *lower_2021(layer))


def test_instruction_counts_of_the_fully_connected_program():
    vpu = VPU()
    weights = np.ones((20, 36), np.int8)
    programs.fully_connected_8(vpu, np.ones(36, np.int8), weights, random_parameters(np.random.default_rng(0), weights))
    # Two groups; per group one chunk for the 4 leading columns and one for the other 32: 16 turns each.
    assert vpu.counts["VLMACCR"] == 2 * 2 * 16
    assert vpu.counts["VLSAT"] == 2 * 2
    assert vpu.instructions == vpu.counts.total() == 2 * (2 * 17 + 3 + 8 + 10)


@pytest.mark.parametrize(("rows", "columns"), [(16, 32), (10, 784), (33, 65), (1, 1)])
def test_matmul_in_bands_and_chunks(rows, columns):
    rng = np.random.default_rng(rows)
    weights = rng.integers(-128, 128, (rows, columns), np.int8)
    x = rng.integers(-128, 128, columns, np.int8)
    vpu = VPU()
    product = programs.xs3_matmul(vpu, programs.prepare_matrix(weights), x)
    np.testing.assert_array_equal(product[:rows], weights.astype(int) @ x.astype(int))
    assert not product[rows:].any()
    bands, chunks = -(-rows // 16), -(-columns // 32)
    assert vpu.counts["VLMACCR"] == bands * chunks * 16
    assert vpu.counts["VLDC"] == bands * chunks


def test_the_bands_are_flipped_because_accumulators_rotate_upwards():
    weights = np.arange(20, dtype=np.int8)[:, None].repeat(3, axis=1)
    matrix = programs.prepare_matrix(weights)
    assert matrix.shape == (2, 16, 32)
    assert matrix[0, :, 0].tolist() == list(range(15, -1, -1))
    assert matrix[1, :, 0].tolist() == [0] * 12 + [19, 18, 17, 16]
    with pytest.raises(ExecutionError, match="33 elements, the matrix 32 columns"):
        programs.xs3_matmul(VPU(), matrix, np.zeros(33, np.int8))

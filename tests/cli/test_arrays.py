# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tflite2x.cli.arrays import fit_type, npy_bytes, read_arrays
from tflite2x.errors import InputError


def test_strings_become_fixed_width() -> None:
    strings = np.array([b"a", b"longer", b""], object)
    assert np.load(io.BytesIO(npy_bytes(strings))).tolist() == [b"a", b"longer", b""]


def test_strings_that_would_be_cut_are_refused() -> None:
    with pytest.raises(InputError, match="NUL"):
        npy_bytes(np.array([b"a\0"], object), "out")


def test_bfloat16_becomes_float32() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, -2], ml_dtypes.bfloat16)
    loaded = np.load(io.BytesIO(npy_bytes(array)))
    assert (loaded.dtype, loaded.tolist()) == (np.float32, [1.5, -2.0])


@pytest.mark.parametrize(
    ("array", "dtype", "fits"),
    [
        (np.array([1, 255]), np.uint8, True),
        (np.array([1, 256]), np.uint8, False),
        (np.array([-1]), np.uint8, False),
        (np.array([3.0]), np.int8, True),
        (np.array([3.5]), np.int8, False),
        (np.array([np.nan]), np.int8, False),
        (np.array([1e300]), np.float32, True),
        (np.array([2**53 + 1]), np.float64, False),
        (np.array([True]), np.float32, True),
        (np.array([2]), np.bool_, False),
        (np.array([b"a"]), np.float32, False),
    ],
)
def test_types_are_converted_where_no_value_changes(array: np.ndarray, dtype: type, fits: bool) -> None:
    result = fit_type(array, np.dtype(dtype))
    assert result.dtype == (dtype if fits else array.dtype)


def test_damaged_compressed_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, x=np.arange(10000.0))
    data = bytearray(path.read_bytes())
    data[60:200] = bytes(b ^ 0x5A for b in data[60:200])
    path.write_bytes(data)
    with pytest.raises(InputError, match="decompressing"):
        read_arrays(path)

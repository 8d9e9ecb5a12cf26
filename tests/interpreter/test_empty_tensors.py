# SPDX-License-Identifier: Apache-2.0
"""Operators that move data, on tensors without elements, against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

from tests.interpreter.one_operator import Value, check, steering
from tflite2x.schema.tables import (
    BatchToSpaceNDOptions,
    ConcatenationOptions,
    DynamicUpdateSliceOptions,
    FullyConnectedOptions,
    GatherNdOptions,
    GatherOptions,
    MatrixDiagOptions,
    OneHotOptions,
    PackOptions,
    PadOptions,
    ReverseSequenceOptions,
    ReverseV2Options,
    ScatterNdOptions,
    SelectV2Options,
    SliceOptions,
    SpaceToBatchNDOptions,
    SpaceToDepthOptions,
    SplitOptions,
    SplitVOptions,
    StridedSliceOptions,
    TopKV2Options,
)


def data(*shape, dtype=np.float32):
    return Value(np.arange(np.prod(shape)).reshape(shape).astype(dtype))


def fixed(*values):
    return [steering(v, True) for v in values]


@pytest.mark.parametrize(
    ("op", "options", "inputs"),
    [
        ("PAD", PadOptions(), [data(0, 2), *fixed([[1, 2], [0, 1]])]),
        ("CONCATENATION", ConcatenationOptions(axis=0), [data(0, 2), data(3, 2), data(0, 2)]),
        ("PACK", PackOptions(values_count=2, axis=0), [data(0, 2), data(0, 2)]),
        ("SPLIT", SplitOptions(num_splits=1), [*fixed(0), data(0, 2)]),
        ("SPLIT_V", SplitVOptions(num_splits=1), [data(3, 0), *fixed([3], 0)]),
        ("SLICE", SliceOptions(), [data(0, 2), *fixed([0, 1], [0, 1])]),
        ("STRIDED_SLICE", StridedSliceOptions(), [data(0, 2), *fixed([0, 1], [5, 2], [1, 1])]),
        (
            "STRIDED_SLICE",
            StridedSliceOptions(begin_mask=3, end_mask=3),
            [data(0, 2), *fixed([0, 1], [5, 2], [-1, -1])],
        ),
        ("REVERSE_V2", ReverseV2Options(), [data(0, 2), *fixed([0])]),
        ("REVERSE_SEQUENCE", ReverseSequenceOptions(seq_dim=1, batch_dim=0), [data(2, 3, 0), *fixed([1, 2])]),
        ("DYNAMIC_UPDATE_SLICE", DynamicUpdateSliceOptions(), [data(2, 2), data(0, 2), *fixed([1, 0])]),
        ("GATHER", GatherOptions(axis=0), [data(2, 0), *fixed([1, 0, 1])]),
        ("GATHER_ND", GatherNdOptions(), [data(2, 3), Value(np.zeros((0, 1), np.int32))]),
        ("SCATTER_ND", ScatterNdOptions(), [Value(np.zeros((0, 1), np.int32)), data(0, 3), *fixed([2, 3])]),
        ("SELECT_V2", SelectV2Options(), [data(0, 1, dtype=np.bool_), data(1, 3), data()]),
        ("ONE_HOT", OneHotOptions(axis=-1), [data(0, dtype=np.int32), *fixed(3), data(), data()]),
        ("MATRIX_DIAG", MatrixDiagOptions(), [data(0, 2)]),
        ("SPACE_TO_DEPTH", SpaceToDepthOptions(block_size=2), [data(0, 2, 2, 1)]),
        ("SPACE_TO_BATCH_ND", SpaceToBatchNDOptions(), [data(1, 2, 2, 0), *fixed([2, 2], [[0, 0], [0, 0]])]),
        ("BATCH_TO_SPACE_ND", BatchToSpaceNDOptions(), [data(4, 2, 2, 0), *fixed([2, 2], [[0, 0], [0, 0]])]),
        ("TOPK_V2", TopKV2Options(), [data(0, 3), *fixed(2)]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_no_elements(op, options, inputs):
    outputs = [("float32", ()), ("int32", ())] if op == "TOPK_V2" else [("float32", ())]
    check(op, options, inputs, outputs)


_SCALED = {"scale": 0.1, "zero_point": 0}


@pytest.mark.parametrize("shape", [(0, 8), (0, 2, 8), (2, 0, 8)])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ("float32", "float32"),
        ("float32", "int8"),
        ("int8", "int8"),
        ("int8", "int4"),
        ("uint8", "uint8"),
        ("int16", "int8"),
    ],
)
def test_fully_connected_without_rows(shape, keep, given, weights):
    x = Value(np.zeros(shape, given), quantization={} if given == "float32" else _SCALED)
    w = Value(
        np.ones((4, 8), "int8" if weights == "int4" else weights),
        constant=True,
        type=weights,
        quantization={} if weights == "float32" else _SCALED,
    )
    out = (given, (*shape[:-1], 4) if keep else (0, 4), x.quantization)
    options = FullyConnectedOptions(keep_num_dims=keep)
    check("FULLY_CONNECTED", options, [x, w, None], [out])


@pytest.mark.parametrize("dtype", ["uint32", "bool", "float64", "complex64"])
def test_the_larger_of_nothing_may_have_any_type(dtype):
    check("MAXIMUM", None, [data(0, 2, dtype=dtype), data(1, 2, dtype=dtype)], [(dtype, (0, 2))])

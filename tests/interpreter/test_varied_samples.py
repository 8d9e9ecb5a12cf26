# SPDX-License-Identifier: Apache-2.0
"""Batches whose samples differ in what says how to compute: results equal those of single runs."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.interpreter.one_operator import Value, assert_same, one_operator
from tflite2x.schema.tables import (
    DynamicUpdateSliceOptions,
    ExpandDimsOptions,
    GatherNdOptions,
    GatherOptions,
    OneHotOptions,
    ReshapeOptions,
    ReverseV2Options,
    SelectV2Options,
    SliceOptions,
    SplitOptions,
    StridedSliceOptions,
    TransposeOptions,
    UniqueOptions,
    WhereOptions,
)

X = np.arange(9, dtype=np.float32).reshape(3, 3)


def ints(value):
    return np.array(value, np.int32)


@pytest.mark.parametrize(
    ("op", "options", "samples", "outputs"),
    [
        ("RESHAPE", ReshapeOptions(), [(X, ints([9, 1])), (X, ints([9, 1])), (X + 1, ints([-1, 1]))], ["float32"]),
        ("TRANSPOSE", TransposeOptions(), [(X, ints([0, 1])), (X, ints([1, 0])), (X + 1, ints([1, 0]))], ["float32"]),
        ("SLICE", SliceOptions(), [(X, ints([i, 1]), ints([1, 2])) for i in range(3)], ["float32"]),
        (
            "STRIDED_SLICE",
            StridedSliceOptions(shrink_axis_mask=1),
            [(X, ints([i, 0]), ints([i + 1, 3]), ints([1, 2])) for i in range(3)],
            ["float32"],
        ),
        ("EXPAND_DIMS", ExpandDimsOptions(), [(X[:1, :1], ints(0)), (X[1:2, 1:2], ints(2))], ["float32"]),
        ("SPLIT", SplitOptions(num_splits=1), [(ints(0), X), (ints(1), X + 1)], ["float32"]),
        ("REVERSE_V2", ReverseV2Options(), [(X, ints([0])), (X, ints([1]))], ["float32"]),
        ("GATHER", GatherOptions(axis=1), [(X, ints([0, 2])), (X + 1, ints([2, 1]))], ["float32"]),
        ("GATHER", GatherOptions(axis=1, batch_dims=1), [(X, ints([0, 2, 1])), (X + 1, ints([2, 1, 0]))], ["float32"]),
        ("GATHER_ND", GatherNdOptions(), [(X, ints([[0, 2]])), (X + 1, ints([[2, 1]]))], ["float32"]),
        (
            "DYNAMIC_UPDATE_SLICE",
            DynamicUpdateSliceOptions(),
            [(X, X[:1, :2] - 5, ints([i, i])) for i in range(3)],
            ["float32"],
        ),
        (
            "ONE_HOT",
            OneHotOptions(axis=-1),
            [
                (ints([0, 2]), ints(3), np.float32(1), np.float32(0)),
                (ints([1, 1]), ints(3), np.float32(5), np.float32(-1)),
            ],
            ["float32"],
        ),
        ("SELECT_V2", SelectV2Options(), [(X > 3, X, -X), (X > 5, X + 1, X)], ["float32"]),
        ("WHERE", WhereOptions(), [(X > 3,), (X < 5,)], ["int64"]),
        ("UNIQUE", UniqueOptions(), [(ints([1, 2, 1]),), (ints([7, 5, 5]),)], ["int32", "int32"]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_samples_that_differ(op, options, samples, outputs):
    samples = [[np.asarray(a) for a in sample] for sample in samples]
    model = one_operator(op, options, [Value(a) for a in samples[0]], [(kind, (1,)) for kind in outputs])
    engine = tflite2x.Interpreter(model)
    together = engine.run_batch([np.stack(column) for column in zip(*samples, strict=True)])
    for i, sample in enumerate(samples):
        for output, single in zip(together, engine.run(sample), strict=True):
            assert_same(output[i], single)

# SPDX-License-Identifier: Apache-2.0
"""SLICE, STRIDED_SLICE, DYNAMIC_UPDATE_SLICE, REVERSE_V2, REVERSE_SEQUENCE against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, shapes, steering
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import (
    DynamicUpdateSliceOptions,
    ReverseSequenceOptions,
    ReverseV2Options,
    SliceOptions,
    StridedSliceOptions,
)

TYPES = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")


@cases
@drawn(rngs, shapes(1, 6, 5), st.data(), st.sampled_from((*TYPES, "string")), st.booleans())
def test_slice(rng, shape, data, dtype, constant):
    begin = [data.draw(st.integers(0, n)) for n in shape]
    size = [data.draw(st.integers(-1, n - b)) for n, b in zip(shape, begin, strict=True)]
    if dtype == "string":
        begin, size = [min(b, n - 1) for b, n in zip(begin, shape, strict=True)], [s or -1 for s in size]
    kind = data.draw(st.sampled_from([np.int32, np.int64]))
    inputs = [Value(random_array(rng, shape, dtype)), steering(begin, constant, kind), steering(size, constant, kind)]
    check("SLICE", SliceOptions(), inputs, [(dtype, ())])


@st.composite
def strided(draw):
    """Draw a shape with entries and masks; an ellipsis that has nothing left to take is drawn too."""
    shape = draw(shapes(1, 6, 4))
    entries = draw(st.integers(0, len(shape)))
    new = draw(st.integers(0, 2)) if entries else 0
    kinds = draw(st.permutations(["plain"] * entries + ["new"] * new))
    # Without anything left for the ellipsis, LiteRT gives it a dimension all the same, and with new axes it then reads
    # outside of the shape.
    if kinds and draw(st.booleans()) and (new == 0 or entries < len(shape)):
        kinds = list(kinds)
        kinds[draw(st.integers(0, len(kinds) - 1))] = "ellipsis"
    taken = sum(k == "plain" for k in kinds)
    span = max(1, len(shape) - taken) if "ellipsis" in kinds else 0
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    begin, end, strides = [], [], []
    axis = 0
    for i, kind in enumerate(kinds):
        bit = 1 << i
        if kind == "ellipsis":
            masks["ellipsis_mask"] |= bit
            axis += span
            values = (draw(st.integers(-3, 3)), draw(st.integers(-3, 3)), 1)
        elif kind == "new":
            masks["new_axis_mask"] |= bit
            values = (draw(st.integers(-3, 3)), draw(st.integers(-3, 3)), draw(st.sampled_from([1, 2, -1])))
        else:
            size = shape[axis] if axis < len(shape) else 1
            axis += 1
            if draw(st.integers(0, 3)) == 0:
                masks["shrink_axis_mask"] |= bit
                values = (draw(st.integers(-size, size - 1)), draw(st.integers(-7, 7)), 1)
                if draw(st.integers(0, 4)) == 0:
                    masks["begin_mask"] |= bit
            else:
                for mask in ("begin_mask", "end_mask"):
                    if draw(st.integers(0, 2)) == 0:
                        masks[mask] |= bit
                stride = draw(st.sampled_from([1, 1, 1, 2, 3, -1, -2, -3]))
                values = (draw(st.integers(-8, 8)), draw(st.integers(-8, 8)), stride)
        for column, value in zip((begin, end, strides), values, strict=True):
            column.append(value)
    return shape, begin, end, strides, masks


@cases
@drawn(rngs, strided(), st.sampled_from((*TYPES, "string")), st.sampled_from(["constant", "live"]))
def test_strided_slice(rng, case, dtype, how):
    shape, begin, end, strides, masks = case
    inputs = [Value(random_array(rng, shape, dtype))]
    inputs += [steering(np.array(v, np.int32), how == "constant") for v in (begin, end, strides)]
    check("STRIDED_SLICE", StridedSliceOptions(**masks), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(1, 4, 6), st.data(), st.sampled_from(("float32", "int8")), st.booleans())
def test_strided_slice_with_offset(rng, shape, data, dtype, constant):
    begin = [data.draw(st.integers(0, n - 1)) for n in shape]
    length = [data.draw(st.integers(1, n - b)) for n, b in zip(shape, begin, strict=True)]
    strides = [data.draw(st.integers(1, 2)) for _ in shape]
    inputs = [
        Value(random_array(rng, shape, dtype)),
        steering(begin, constant),
        steering(length, True),
        steering(strides, True),
    ]
    check("STRIDED_SLICE", StridedSliceOptions(offset=True), inputs, [(dtype, ())])


@pytest.mark.parametrize(
    ("begin", "end", "stride", "masks", "message"),
    [
        (0, 3, 0, {}, "stride 0"),
        (5, 6, 1, {"shrink_axis_mask": 1}, "index 5 with stride 1 is outside of length 3"),
        (2, 3, -1, {"shrink_axis_mask": 1}, "index 2 with stride -1"),
        (1, 3, 1, {"offset": True}, "3 positions from 1 on"),
    ],
)
def test_strided_slice_refuses(begin, end, stride, masks, message):
    x = np.zeros(3, np.float32)
    inputs = [Value(x), *(steering([v], True) for v in (begin, end, stride))]
    model = one_operator("STRIDED_SLICE", StridedSliceOptions(**masks), inputs, [("float32", (3,))])
    with pytest.raises(ExecutionError, match=message):
        tflite2x.Interpreter(model).run([x])


@cases
@drawn(rngs, shapes(1, 5, 5), st.data(), st.sampled_from(TYPES), st.sampled_from([np.int32, np.int64]))
def test_dynamic_update_slice(rng, shape, data, dtype, kind):
    update = [data.draw(st.integers(0, n)) for n in shape]
    start = [data.draw(st.integers(-2, 6)) for _ in shape]
    inputs = [
        Value(random_array(rng, shape, dtype)),
        Value(random_array(rng, update, dtype)),
        steering(start, data.draw(st.booleans()), kind),
    ]
    check("DYNAMIC_UPDATE_SLICE", DynamicUpdateSliceOptions(), inputs, [(dtype, ())])


@cases
@drawn(rngs, shapes(1, 5, 4), st.data(), st.sampled_from(TYPES), st.booleans())
def test_reverse(rng, shape, data, dtype, constant):
    low = data.draw(st.integers(0, len(shape) - 1))
    axes = data.draw(st.permutations(range(low, data.draw(st.integers(low, len(shape) - 1)) + 1)))
    axes = [a - len(shape) if data.draw(st.booleans()) else a for a in axes]
    inputs = [Value(random_array(rng, shape, dtype)), steering(axes, constant)]
    check("REVERSE_V2", ReverseV2Options(), inputs, [(dtype, ())])


def test_reverse_takes_axes_apart():
    x = np.arange(8, dtype=np.int32).reshape(2, 2, 2)
    model = one_operator("REVERSE_V2", ReverseV2Options(), [Value(x), steering([0, 2], True)], [("int32", x.shape)])
    np.testing.assert_array_equal(tflite2x.Interpreter(model).run([x])[0], x[::-1, :, ::-1])


@cases
@drawn(
    rngs,
    shapes(2, 4, 5),
    st.data(),
    st.sampled_from(("float32", "uint8", "int16", "int32", "int64")),
    st.sampled_from([np.int32, np.int64]),
)
def test_reverse_sequence(rng, shape, data, dtype, kind):
    seq, batch, *_ = data.draw(st.permutations(range(len(shape))))
    lengths = rng.integers(0, shape[seq] + 1, shape[batch]).astype(kind)
    inputs = [Value(random_array(rng, shape, dtype)), Value(lengths, data.draw(st.booleans()))]
    check("REVERSE_SEQUENCE", ReverseSequenceOptions(seq_dim=seq, batch_dim=batch), inputs, [(dtype, shape)])

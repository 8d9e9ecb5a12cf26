# SPDX-License-Identifier: Apache-2.0
"""RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR, and moves between space and depth or batch, against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import tflite2x
from tests.interpreter.one_operator import Value, cases, check, one_operator, random_array, rngs, steering
from tflite2x.errors import ExecutionError
from tflite2x.schema.tables import (
    BatchToSpaceNDOptions,
    DepthToSpaceOptions,
    ResizeBilinearOptions,
    ResizeNearestNeighborOptions,
    SpaceToBatchNDOptions,
    SpaceToDepthOptions,
)

SIDES = st.integers(1, 12)
PLACES = st.sampled_from([{}, {"align_corners": True}, {"half_pixel_centers": True}])
MOVED = ("float32", "int8", "uint8", "int32", "int64")


@cases
@drawn(rngs, SIDES, SIDES, SIDES, SIDES, PLACES, st.sampled_from(("float32", "int8", "uint8", "int16")), st.booleans())
def test_resize_bilinear(rng, height, width, rows, columns, places, dtype, constant):
    x = random_array(rng, (2, height, width, 3), dtype)
    inputs = [Value(x), steering([rows, columns], constant)]
    check("RESIZE_BILINEAR", ResizeBilinearOptions(**places), inputs, [(dtype, ())], tolerance=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "int16"])
@pytest.mark.parametrize("shape", [(1, 20, 30, 33), (40, 5, 6, 7)])
def test_resize_bilinear_in_parts(dtype, shape):
    """Images that are larger than what is computed at a time, and many small ones."""
    x = random_array(np.random.default_rng(0), shape, dtype)
    inputs = [Value(x), steering([2 * shape[1] + 3, 3 * shape[2] - 1], True)]
    options = ResizeBilinearOptions(half_pixel_centers=True)
    check("RESIZE_BILINEAR", options, inputs, [(dtype, ())], tolerance=1e-6)


@cases
@drawn(rngs, st.integers(1, 70), st.integers(1, 300), PLACES, st.sampled_from(("int8", "uint8", "int16")))
def test_resize_bilinear_of_long_rows(rng, width, columns, places, dtype):
    if dtype != "uint8" and last_position(width, columns, **places) >= 1024 * width:
        return  # LiteRT reads outside of the image
    inputs = [Value(random_array(rng, (1, 1, width, 2), dtype)), steering([1, columns], True)]
    check("RESIZE_BILINEAR", ResizeBilinearOptions(**places), inputs, [(dtype, ())])


@cases
@drawn(
    rngs,
    st.integers(1, 40),
    st.integers(1, 60),
    SIDES,
    SIDES,
    st.one_of(PLACES, st.just({"align_corners": True, "half_pixel_centers": True})),
    st.sampled_from(("float32", "float16", "int8", "uint8", "int16", "int32", "bool")),
    st.booleans(),
)
def test_resize_nearest_neighbor(rng, height, rows, width, columns, places, dtype, constant):
    inputs = [Value(random_array(rng, (1, height, width, 2), dtype)), steering([rows, columns], constant)]
    check("RESIZE_NEAREST_NEIGHBOR", ResizeNearestNeighborOptions(**places), inputs, [(dtype, ())])


def last_position(size, target, align_corners=False, half_pixel_centers=False):
    """Return the position of the last pixel in 1024ths, as LiteRT's integer kernel computes it."""
    scale = (1024 * size + target // 2) // target
    if align_corners and target > 1:
        scale = (1024 * (size - 1) + (target - 1) // 2) // (target - 1)
    return (target - 1) * scale + (scale // 2 - 512 if half_pixel_centers else 0)


def test_resize_bilinear_stays_inside_where_litert_does_not():
    assert last_position(1, 80) >= 1024
    x = np.array([5, -7], np.int8).reshape(1, 1, 1, 2)
    inputs = [Value(x), steering([1, 80], True)]
    model = one_operator("RESIZE_BILINEAR", ResizeBilinearOptions(), inputs, [("int8", (1, 1, 80, 2))])
    got = tflite2x.Interpreter(model).run([x])[0]
    np.testing.assert_array_equal(got, np.broadcast_to(x, (1, 1, 80, 2)))


def test_resize_refuses_empty_sizes():
    x = np.zeros((1, 2, 2, 1), np.float32)
    inputs = [Value(x), steering([0, 3], True)]
    model = one_operator("RESIZE_BILINEAR", ResizeBilinearOptions(), inputs, [("float32", (1, 1, 3, 1))])
    with pytest.raises(ExecutionError, match=r"\[1, 2, 2, 1\] cannot be resized to \[0, 3\]"):
        tflite2x.Interpreter(model).run([x])


@cases
@drawn(rngs, *[st.integers(1, 3)] * 5, st.sampled_from(MOVED))
def test_space_and_depth(rng, batch, height, width, depth, block, dtype):
    x = random_array(rng, (batch, height * block, width * block, depth), dtype)
    check("SPACE_TO_DEPTH", SpaceToDepthOptions(block_size=block), [Value(x)], [(dtype, ())])
    x = random_array(rng, (batch, height, width, depth * block * block), dtype)
    check("DEPTH_TO_SPACE", DepthToSpaceOptions(block_size=block), [Value(x)], [(dtype, ())])


@cases
@drawn(
    rngs,
    st.sampled_from((3, 4)),
    st.data(),
    st.sampled_from((*MOVED, "int16", "float16", "bool")),
    st.booleans(),
    st.booleans(),
)
def test_space_and_batch(rng, rank, data, dtype, constant, quantized):
    dimensions = rank - 2
    blocks = [data.draw(st.integers(1, 3)) for _ in range(dimensions)]
    small = [data.draw(st.integers(1, 3)) for _ in range(dimensions)]
    batch, depth = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 3))
    pads = []
    for b, s in zip(blocks, small, strict=True):
        total = data.draw(st.integers(0, min(3, b * s - 1)))
        before = data.draw(st.integers(0, total))
        pads.append([before, total - before])
    space = [b * s - sum(p) for b, s, p in zip(blocks, small, pads, strict=True)]
    quantization = {}
    if quantized and dtype in ("int8", "uint8"):
        zero_point = data.draw(st.integers(0, 127))
        quantization = {"scale": 0.5, "zero_point": zero_point}
    steers = [steering(blocks, constant), steering(pads, constant)]
    x = Value(random_array(rng, (batch, *space, depth), dtype), quantization=quantization)
    check("SPACE_TO_BATCH_ND", SpaceToBatchNDOptions(), [x, *steers], [(dtype, (), quantization)])
    x = Value(random_array(rng, (batch * int(np.prod(blocks)), *small, depth), dtype), quantization=quantization)
    check("BATCH_TO_SPACE_ND", BatchToSpaceNDOptions(), [x, *steers], [(dtype, (), quantization)])

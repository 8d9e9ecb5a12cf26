# SPDX-License-Identifier: Apache-2.0
"""Pooling, reductions, resizing and data movement, for comparing with TFLite Micro."""

from __future__ import annotations

import numpy as np
from tflm_case import ACTIVATIONS, Maker, kind, kinds

from tflite2x.schema import tables
from tflite2x.schema.enums import MirrorPadMode, Padding, TensorType

_TYPES = ("int8", "int16")


def _same(make: Maker, op: str, inputs: list, options: object, dtype: str, q: dict) -> None:  # type: ignore[type-arg]
    make.operator(op, inputs, [make.output(dtype, **q)], options)


@kind(*(f"{op} {dtype}" for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D") for dtype in _TYPES))
def pool(make: Maker, op: str, dtype: str) -> None:
    q = make.quantization(dtype)
    x = make.input((make.size(1, 2), make.size(2, 8), make.size(2, 8), make.size(1, 5)), dtype, **q)
    options = tables.Pool2DOptions(
        padding=make.one_of(Padding.SAME, Padding.VALID),
        stride_w=make.size(1, 3),
        stride_h=make.size(1, 3),
        filter_width=make.size(1, 4),
        filter_height=make.size(1, 4),
        fused_activation_function=make.one_of(*ACTIVATIONS),
    )
    options.filter_width = min(options.filter_width, x.shape[2])
    options.filter_height = min(options.filter_height, x.shape[1])
    _same(make, op, [x], options, dtype, q)


@kind(*(f"{op} {dtype}" for op in ("MEAN", "SUM") for dtype in _TYPES), "MEAN float32", "SUM float32")
@kind("REDUCE_MAX int8", "REDUCE_MIN int8", "REDUCE_ALL bool")
def reduce(make: Maker, op: str, dtype: str) -> None:
    shape = make.shape(1, 4, 7)
    q = make.quantization(dtype)
    if dtype == "bool":
        x = make.given([make.rng.random(shape) < 0.9 for _ in range(2)])
    else:
        x = make.input(shape, dtype, **q)
    axes = [i for i in range(len(shape)) if make.rng.random() < 0.6] or [0]
    if len(shape) == 4 and make.rng.random() < 0.3:
        axes = [1, 2]
    axis = make.constant("axis", np.array(axes, np.int32))
    if op in ("MEAN", "SUM") and make.rng.random() < 0.7:
        q = make.quantization(dtype, *((1e-3, 0.5) if op == "MEAN" else (1e-2, 5)))
    keep = bool(make.rng.integers(2)) or len(axes) == len(shape)
    _same(make, op, [x, axis], tables.ReducerOptions(keep_dims=keep), dtype, q)


@kind("RESIZE_BILINEAR int8", "RESIZE_BILINEAR float32")
@kind("RESIZE_NEAREST_NEIGHBOR int8", "RESIZE_NEAREST_NEIGHBOR int16", "RESIZE_NEAREST_NEIGHBOR float32")
def resize(make: Maker, op: str, dtype: str) -> None:
    q = make.quantization(dtype)
    x = make.input((make.size(1, 2), make.size(1, 7), make.size(1, 7), make.size(1, 4)), dtype, **q)
    size = make.constant("size", np.array([make.size(1, 12), make.size(1, 12)], np.int32))
    align, half = make.one_of((False, False), (True, False), (False, True))
    if op == "RESIZE_BILINEAR":
        options: object = tables.ResizeBilinearOptions(align_corners=align, half_pixel_centers=half)
    else:
        options = tables.ResizeNearestNeighborOptions(align_corners=align, half_pixel_centers=half)
    _same(make, op, [x, size], options, dtype, q)


@kind(*kinds("CONCATENATION", "int8", "int16", "int32", "float32"))
def concatenation(make: Maker, op: str, dtype: str) -> None:
    shape, q = make.shape(1, 4), make.quantization(dtype)
    axis = make.size(0, len(shape) - 1)
    sizes = [(*shape[:axis], make.size(1, 5), *shape[axis + 1 :]) for _ in range(make.size(1, 4))]
    parts = [make.input(size, dtype, **q) for size in sizes]
    _same(make, op, list(parts), tables.ConcatenationOptions(axis=axis), dtype, q)


@kind(*kinds("PAD", "int8", "int16", "int32", "float32"), *kinds("PADV2", "int8", "int16"))
@kind("MIRROR_PAD int8", "MIRROR_PAD float32")
def pad(make: Maker, op: str, dtype: str) -> None:
    shape, q = make.shape(1, 4, 6), make.quantization(dtype)
    x = make.input(shape, dtype, **q)
    mode = make.one_of(MirrorPadMode.REFLECT, MirrorPadMode.SYMMETRIC)
    mirrored = op == "MIRROR_PAD"
    most = [n - (mode == MirrorPadMode.REFLECT) if mirrored else 3 for n in shape]
    amounts = make.constant("amounts", np.array([[make.size(0, n), make.size(0, n)] for n in most], np.int32))
    inputs = [x, amounts]
    if op == "PADV2":
        inputs.append(make.constant("value", make.values((1,), dtype), **q))
    _same(make, op, inputs, tables.MirrorPadOptions(mode=mode) if mirrored else None, dtype, q)


@kind(*kinds("STRIDED_SLICE", *_TYPES), *kinds("SLICE", *_TYPES), *kinds("TRANSPOSE", *_TYPES))
@kind(*kinds("SPLIT", *_TYPES), *kinds("PACK", *_TYPES), *kinds("UNPACK", "int8"), *kinds("GATHER", "int8"))
@kind("SPLIT_V int8", "GATHER_ND int8", "SELECT_V2 int8")
@kind("SPACE_TO_DEPTH int8", "DEPTH_TO_SPACE int8", "SPACE_TO_BATCH_ND int8", "BATCH_TO_SPACE_ND int8")
@kind("REVERSE_V2 int8", "BROADCAST_TO int8", "SQUEEZE int8", "EXPAND_DIMS int8", "RESHAPE int8")
def move(make: Maker, op: str, dtype: str) -> None:
    q = make.quantization(dtype)
    shape = (make.size(1, 2) * 2, make.size(1, 3) * 2, make.size(1, 3) * 2, make.size(1, 2) * 4)
    x = make.input(shape, dtype, **q)

    def vector(*values: int) -> object:
        return make.constant(f"v{len(make.graph.tensors)}", np.array(values, np.int32))

    begin = [make.size(0, n - 1) for n in shape]
    size = [make.size(1, n - b) for n, b in zip(shape, begin, strict=True)]
    outputs = [make.output(dtype, **q)]
    inputs: list[object] = [x]
    options: object = None
    if op == "STRIDED_SLICE":
        inputs += [vector(*begin), vector(*(b + s for b, s in zip(begin, size, strict=True)))]
        inputs.append(vector(*(make.size(1, 2) for _ in shape)))
        options = tables.StridedSliceOptions(begin_mask=make.size(0, 15), end_mask=make.size(0, 15))
    elif op == "SLICE":
        inputs += [vector(*begin), vector(*size)]
    elif op == "TRANSPOSE":
        inputs.append(vector(*(int(v) for v in make.rng.permutation(4))))
    elif op == "SPLIT":
        inputs = [make.constant("axis", np.int32(1)), x]
        outputs.append(make.output(dtype, "z", **q))
        options = tables.SplitOptions(num_splits=2)
    elif op == "PACK":
        inputs.append(make.input(shape, dtype, **q))
        options = tables.PackOptions(values_count=2, axis=make.size(0, 3))
    elif op == "UNPACK":
        outputs += [make.output(dtype, f"z{i}", **q) for i in range(shape[3] - 1)]
        options = tables.UnpackOptions(num=shape[3], axis=3)
    elif op == "GATHER":
        inputs.append(vector(*(make.size(0, shape[1] - 1) for _ in range(make.size(1, 5)))))
        options = tables.GatherOptions(axis=1)
    elif op == "SPLIT_V":
        inputs += [vector(1, shape[1] - 1), make.constant("axis", np.int32(1))]
        outputs.append(make.output(dtype, "z", **q))
        options = tables.SplitVOptions(num_splits=2)
    elif op == "GATHER_ND":
        inputs.append(make.constant("at", make.integers((3, 2), "int32", 0, 1)))
    elif op == "SELECT_V2":
        inputs = [make.input((*shape[:3], 1), "bool"), x, make.input(shape, dtype, **q)]
        options = tables.SelectV2Options()
    elif op == "SPACE_TO_DEPTH":
        options = tables.SpaceToDepthOptions(block_size=2)
    elif op == "DEPTH_TO_SPACE":
        options = tables.DepthToSpaceOptions(block_size=2)
    elif op == "SPACE_TO_BATCH_ND":
        # TFLite Micro does not set the value that it pads with: no padding here.
        inputs += [vector(2, 2), make.constant("p", np.zeros((2, 2), np.int32))]
    elif op == "BATCH_TO_SPACE_ND":
        inputs += [vector(2, 1), make.constant("p", np.array([[0, 1], [0, 0]], np.int32))]
    elif op == "REVERSE_V2":
        inputs.append(vector(make.size(0, 3)))
    elif op == "BROADCAST_TO":
        inputs.append(vector(3, *shape))
    elif op == "EXPAND_DIMS":
        inputs.append(vector(make.size(0, 4)))
    elif op == "RESHAPE":
        inputs.append(vector(shape[0] * shape[1], -1))
    make.operator(op, inputs, outputs, options)  # type: ignore[arg-type]


@kind("ARG_MAX int8", "ARG_MIN int8")
def position(make: Maker, op: str, dtype: str) -> None:
    shape = make.shape(1, 4, 6)
    x = make.input(shape, dtype, **make.quantization(dtype))
    axis = make.constant("axis", np.int32(make.size(0, len(shape) - 1)))
    options = tables.ArgMaxOptions if op == "ARG_MAX" else tables.ArgMinOptions
    make.operator(op, [x, axis], [make.output("int32")], options(output_type=TensorType.INT32))

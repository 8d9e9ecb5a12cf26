# SPDX-License-Identifier: Apache-2.0
"""One model with every operator, type and geometry that has an integer form, and small models for single questions."""

from __future__ import annotations

from typing import Any

import numpy as np

import tflite2x
from tflite2x import ActivationFunctionType as Act
from tflite2x.ir import Model, Subgraph, Tensor
from tflite2x.schema import tables as o
from tflite2x.schema.enums import MirrorPadMode, Padding


class Zoo:
    """Builds a graph whose operators all read the inputs, and whose outputs are all results."""

    def __init__(self, seed: int = 0) -> None:
        self.model: Model = Model.new("zoo")
        self.graph: Subgraph = self.model.main
        self.rng = np.random.default_rng(seed)
        self.outputs: list[Tensor] = []
        self.count = 0

    def const(self, values: Any, dtype: Any = np.int32, **quantization: Any) -> Tensor:
        self.count += 1
        return self.graph.add_constant(f"constant {self.count}", np.asarray(values, dtype), **quantization)

    def out(self, shape: tuple[int, ...], dtype: str = "int8", scale: float = 0.1, zero: int = 0) -> Tensor:
        self.count += 1
        quantization = {} if dtype in ("int64", "float32") else {"scale": scale, "zero_point": zero}
        return self.graph.add_tensor(f"result {self.count}", shape, dtype, **quantization)

    def op(self, name: str, inputs: list[Tensor | None], outputs: list[Tensor], options: Any = None) -> list[Tensor]:
        self.graph.add_operator(name, inputs, outputs, options)
        self.outputs += outputs
        return outputs

    def weights(self, shape: tuple[int, ...], dtype: Any, channels: int, axis: int, zero: int = 0) -> Tensor:
        info = np.iinfo(dtype)
        low = info.min + 1 if info.min else 0
        scale = self.rng.uniform(0.002, 0.02, channels) if channels else [0.01]
        return self.const(
            self.rng.integers(low, info.max + 1, shape), dtype, scale=scale.tolist() if channels else scale,
            zero_point=[zero] * max(1, channels), quantized_dimension=axis,
        )  # fmt: skip

    def bias(self, count: int, dtype: Any = np.int32) -> Tensor:
        return self.const(self.rng.integers(-4000, 4000, count), dtype, scale=[0.001])

    def finish(self) -> Model:
        self.graph.set_outputs(self.outputs)
        return tflite2x.loads(tflite2x.dumps(self.model))


def _weighted(z: Zoo, x: Tensor, u: Tensor, h: Tensor) -> None:
    conv, depth = o.Conv2DOptions, o.DepthwiseConv2DOptions
    same, valid = Padding.SAME, Padding.VALID
    z.op(
        "CONV_2D",
        [x, z.weights((5, 3, 2, 4), np.int8, 5, 0), z.bias(5)],
        [z.out((1, 3, 4, 5), zero=-7)],
        conv(padding=same, stride_h=2, stride_w=2, fused_activation_function=Act.RELU),
    )
    z.op(
        "CONV_2D",
        [x, z.weights((6, 2, 2, 2), np.int8, 6, 0), None],
        [z.out((1, 4, 6, 6), scale=0.5)],
        conv(padding=valid, stride_h=1, stride_w=1, dilation_h_factor=2, dilation_w_factor=2),
    )
    z.op(
        "CONV_2D",
        [u, z.weights((3, 1, 1, 4), np.uint8, 0, 0, 120), z.bias(3)],
        [z.out((1, 6, 8, 3), "uint8", 0.3, 99)],
        conv(padding=valid, stride_h=1, stride_w=1, fused_activation_function=Act.RELU6),
    )
    z.op(
        "CONV_2D",
        [h, z.weights((3, 2, 3, 4), np.int8, 3, 0), z.bias(3, np.int64)],
        [z.out((1, 6, 8, 3), "int16", 0.01)],
        conv(padding=same, stride_h=1, stride_w=1),
    )
    z.op(
        "DEPTHWISE_CONV_2D",
        [x, z.weights((1, 3, 3, 8), np.int8, 8, 3), z.bias(8)],
        [z.out((1, 6, 8, 8), zero=4)],
        depth(padding=same, stride_h=1, stride_w=1, depth_multiplier=2, fused_activation_function=Act.RELU_N1_TO_1),
    )
    z.op(
        "DEPTHWISE_CONV_2D",
        [u, z.weights((1, 2, 3, 4), np.uint8, 0, 3, 130), z.bias(4)],
        [z.out((1, 3, 4, 4), "uint8", 0.2, 128)],
        depth(padding=same, stride_h=2, stride_w=2, depth_multiplier=1),
    )
    z.op(
        "DEPTHWISE_CONV_2D",
        [h, z.weights((1, 2, 2, 4), np.int8, 4, 3), None],
        [z.out((1, 5, 7, 4), "int16", 0.004)],
        depth(padding=valid, stride_h=1, stride_w=1, depth_multiplier=1),
    )
    dense = o.FullyConnectedOptions
    z.op(
        "FULLY_CONNECTED",
        [x, z.weights((7, 192), np.int8, 7, 0), z.bias(7)],
        [z.out((1, 7), scale=2.5, zero=11)],
        dense(fused_activation_function=Act.RELU),
    )
    z.op("FULLY_CONNECTED", [x, z.weights((3, 4), np.int8, 0, 0), None], [z.out((48, 3), scale=0.05)], dense())
    z.op(
        "FULLY_CONNECTED",
        [u, z.weights((3, 4), np.uint8, 0, 0, 140), z.bias(3)],
        [z.out((48, 3), "uint8", 0.3, 90)],
        dense(),
    )
    transposed = o.TransposeConvOptions
    z.op("TRANSPOSE_CONV", [z.const([1, 12, 16, 3]), z.weights((3, 3, 3, 4), np.int8, 3, 0), x, z.bias(3)],
         [z.out((1, 12, 16, 3), scale=0.3, zero=-9)], transposed(padding=same, stride_h=2, stride_w=2))  # fmt: skip
    z.op("TRANSPOSE_CONV", [z.const([1, 8, 17, 2]), z.weights((2, 3, 2, 4), np.uint8, 0, 0, 130), u, z.bias(2)],
         [z.out((1, 8, 17, 2), "uint8", 0.2, 90)], transposed(padding=valid, stride_h=1, stride_w=2))  # fmt: skip
    z.op("TRANSPOSE_CONV", [z.const([1, 7, 9, 2]), z.weights((2, 2, 2, 4), np.int8, 2, 0), h],
         [z.out((1, 7, 9, 2), "int16", 0.01)], transposed(padding=valid, stride_h=1, stride_w=1))  # fmt: skip
    z.op("BATCH_MATMUL", [x, z.weights((4, 3), np.int8, 0, 0, 3)], [z.out((1, 6, 8, 3), zero=2)],
         o.BatchMatMulOptions())  # fmt: skip
    z.op("BATCH_MATMUL", [x, x], [z.out((1, 6, 8, 8), scale=2.0, zero=2)], o.BatchMatMulOptions(adj_y=True))
    z.op("BATCH_MATMUL", [x, x], [z.out((1, 6, 4, 4), scale=2.0, zero=2)], o.BatchMatMulOptions(adj_x=True))
    z.op("FULLY_CONNECTED", [h, z.weights((2, 4), np.int8, 0, 0), z.bias(2, np.int64)],
         [z.out((48, 2), "int16", 0.01)], dense())  # fmt: skip


def _elementwise(z: Zoo, x: Tensor, u: Tensor, h: Tensor, y: Tensor) -> None:
    full = (1, 6, 8, 4)
    channel = z.const(z.rng.integers(-100, 100, (4,)), np.int8, scale=[0.03], zero_point=[5])
    column = z.const(z.rng.integers(-100, 100, (6, 1, 1)), np.int8, scale=[0.03], zero_point=[5])
    z.op("ADD", [x, y], [z.out(full, scale=0.15, zero=-3)], o.AddOptions(fused_activation_function=Act.RELU6))
    z.op("ADD", [x, channel], [z.out(full, scale=0.12)], o.AddOptions())
    z.op("ADD", [h, h], [z.out(full, "int16", 0.003)], o.AddOptions(pot_scale_int16=False))
    p = z.op("RELU", [h], [z.out(full, "int16", 2.0**-9)])[0]
    z.op("ADD", [p, p], [z.out(full, "int16", 2.0**-9)], o.AddOptions())
    q = z.op("RELU", [h], [z.out(full, "int16", 2.0**-11)])[0]
    z.op("SUB", [q, p], [z.out(full, "int16", 2.0**-9)], o.SubOptions(fused_activation_function=Act.RELU))
    z.op("LOGISTIC", [h], [z.out(full, "int16", 2.0**-15)])
    z.op("TANH", [h], [z.out(full, "int16", 2.0**-15)])
    z.op("TANH", [z.op("RELU", [h], [z.out(full, "int16", 2.0**-11)])[0]], [z.out(full, "int16", 2.0**-15)])
    z.op("LEAKY_RELU", [h], [z.out(full, "int16", 0.003)], o.LeakyReluOptions(alpha=0.2))
    z.op("GELU", [h], [z.out(full, "int16", 0.002)], o.GeluOptions())
    z.op("EXP", [h], [z.out(full, "int16", 0.01)], o.ExpOptions())
    z.op("SUB", [column, y], [z.out(full, scale=0.2, zero=9)], o.SubOptions())
    z.op("SUB", [u, u], [z.out(full, "uint8", 0.2, 128)], o.SubOptions())
    z.op("MUL", [x, y], [z.out(full, scale=0.9, zero=-30)], o.MulOptions(fused_activation_function=Act.RELU))
    z.op("MUL", [u, u], [z.out(full, "uint8", 0.5, 17)], o.MulOptions())
    z.op("MUL", [h, h], [z.out(full, "int16", 0.02)], o.MulOptions())
    z.op("SQUARED_DIFFERENCE", [x, channel], [z.out(full, scale=0.9, zero=-40)], o.SquaredDifferenceOptions())
    slope = z.const(z.rng.integers(-100, 100, (1, 1, 4)), np.int8, scale=[0.01], zero_point=[-4])
    z.op("PRELU", [x, slope], [z.out(full, scale=0.07, zero=20)])
    z.op("MAXIMUM", [x, column], [z.out(full)], o.MaximumMinimumOptions())
    z.op("MINIMUM", [u, u], [z.out(full, "uint8")], o.MaximumMinimumOptions())
    for name in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"):
        z.op(name, [x], [z.out(full, scale=0.07, zero=-20)])
    z.op("RELU", [h], [z.out(full, "int16", 0.001)])
    z.op("QUANTIZE", [x], [z.out(full, "uint8", 0.1, 131)], o.QuantizeOptions())
    z.op("QUANTIZE", [u], [z.out(full, "int8", 0.03, -9)], o.QuantizeOptions())
    z.op("QUANTIZE", [h], [z.out(full, "int8", 0.2, 3)], o.QuantizeOptions())
    z.op("QUANTIZE", [x], [z.out(full, "int16", 0.001)], o.QuantizeOptions())
    z.op("DEQUANTIZE", [x], [z.out(full, "float32")], o.DequantizeOptions())
    z.op("DEQUANTIZE", [h], [z.out(full, "float32")], o.DequantizeOptions())
    z.op("LOGISTIC", [x], [z.out(full, scale=1 / 256, zero=-128)])
    z.op("TANH", [u], [z.out(full, "uint8", 1 / 128, 128)])
    z.op("HARD_SWISH", [x], [z.out(full, scale=0.1, zero=-100)], o.HardSwishOptions())
    z.op("LEAKY_RELU", [x], [z.out(full, scale=0.09)], o.LeakyReluOptions(alpha=0.2))
    z.op("ELU", [x], [z.out(full, scale=0.1)])


def _reducing(z: Zoo, x: Tensor, u: Tensor, h: Tensor) -> None:
    def pool(**fields: Any) -> o.Pool2DOptions:
        return o.Pool2DOptions(**{"stride_h": 2, "stride_w": 2, "filter_height": 3, "filter_width": 3, **fields})

    same, valid = Padding.SAME, Padding.VALID
    z.op("MAX_POOL_2D", [x], [z.out((1, 3, 4, 4), zero=3)], pool(padding=same))
    z.op(
        "MAX_POOL_2D",
        [u],
        [z.out((1, 2, 3, 4), "uint8", 0.1, 100)],
        pool(padding=valid, fused_activation_function=Act.RELU),
    )
    z.op("AVERAGE_POOL_2D", [x], [z.out((1, 3, 4, 4), zero=3)], pool(padding=same))
    z.op("AVERAGE_POOL_2D", [u], [z.out((1, 2, 3, 4), "uint8", 0.1, 100)], pool(padding=valid))
    z.op("AVERAGE_POOL_2D", [h], [z.out((1, 6, 8, 4), "int16", 0.002)], pool(padding=same, stride_h=1, stride_w=1))
    z.op("MEAN", [x, z.const([1, 2])], [z.out((1, 4), scale=0.08, zero=5)], o.ReducerOptions())
    z.op("MEAN", [u, z.const([3, -3])], [z.out((1, 1, 8, 1), "uint8", 0.1, 60)], o.ReducerOptions(keep_dims=True))
    z.op("SUM", [x, z.const([2])], [z.out((1, 6, 4), scale=0.5)], o.ReducerOptions())
    z.op("REDUCE_MAX", [x, z.const([1, 3])], [z.out((1, 8), scale=0.1, zero=3)], o.ReducerOptions())
    z.op("REDUCE_MIN", [u, z.const([2])], [z.out((1, 6, 1, 4), "uint8", 0.1, 100)], o.ReducerOptions(keep_dims=True))
    z.op("SOFTMAX", [h], [z.out((1, 6, 8, 4), "int16", 2.0**-15)], o.SoftmaxOptions(beta=0.7))
    z.op("SOFTMAX", [x], [z.out((1, 6, 8, 4), scale=1 / 256, zero=-128)], o.SoftmaxOptions(beta=1.0))
    z.op("SOFTMAX", [u], [z.out((1, 6, 8, 4), "uint8", 1 / 256)], o.SoftmaxOptions(beta=0.5))
    z.op("ARG_MAX", [x, z.const([3])], [z.out((1, 6, 8), "int64")], o.ArgMaxOptions(output_type=4))
    z.op("ARG_MIN", [u, z.const([1])], [z.out((1, 8, 4), "int64")], o.ArgMinOptions(output_type=4))
    z.op(
        "RESIZE_BILINEAR",
        [x, z.const([9, 5])],
        [z.out((1, 9, 5, 4), zero=3)],
        o.ResizeBilinearOptions(half_pixel_centers=True),
    )
    z.op("RESIZE_BILINEAR", [u, z.const([12, 32])], [z.out((1, 12, 32, 4), "uint8", 0.1, 100)],
         o.ResizeBilinearOptions(half_pixel_centers=True))  # fmt: skip
    z.op("RESIZE_BILINEAR", [u, z.const([11, 29])], [z.out((1, 11, 29, 4), "uint8", 0.1, 100)],
         o.ResizeBilinearOptions(align_corners=True))  # fmt: skip
    point = z.op("RESHAPE", [u, z.const([1, 1, 1, 192])], [z.out((1, 1, 1, 192), "uint8", 0.1, 100)])[0]
    z.op("RESIZE_BILINEAR", [point, z.const([3, 7])], [z.out((1, 3, 7, 192), "uint8", 0.1, 100)],
         o.ResizeBilinearOptions())  # fmt: skip
    z.op("RESIZE_BILINEAR", [h, z.const([4, 15])], [z.out((1, 4, 15, 4), "int16", 0.002)],
         o.ResizeBilinearOptions(align_corners=True))  # fmt: skip


def _moving(z: Zoo, x: Tensor, u: Tensor, h: Tensor) -> None:
    like: dict[str, Any] = {"scale": 0.1, "zero": 3}
    z.op("RESHAPE", [x, z.const([8, 24])], [z.out((8, 24), **like)], o.ReshapeOptions(new_shape=[8, 24]))
    z.op("TRANSPOSE", [x, z.const([0, 3, 1, 2])], [z.out((1, 4, 6, 8), **like)], o.TransposeOptions())
    z.op("TRANSPOSE", [h, z.const([2, 0, 1, 3])], [z.out((8, 1, 6, 4), "int16", 0.002)], o.TransposeOptions())
    z.op(
        "STRIDED_SLICE",
        [x, z.const([0, 5, 1, 0]), z.const([1, 0, 8, 3]), z.const([1, -2, 3, 1])],
        [z.out((1, 3, 3, 3), **like)],
        o.StridedSliceOptions(),
    )
    z.op(
        "STRIDED_SLICE",
        [x, z.const([0, 2, 0, 0]), z.const([1, 3, 8, 4]), z.const([1, 1, 1, 1])],
        [z.out((1, 8, 4), **like)],
        o.StridedSliceOptions(shrink_axis_mask=2),
    )
    z.op(
        "SLICE",
        [u, z.const([0, 1, 2, 1]), z.const([1, 4, -1, 2])],
        [z.out((1, 4, 6, 2), "uint8", 0.1, 100)],
        o.SliceOptions(),
    )
    z.op("PAD", [x, z.const([[0, 0], [1, 2], [0, 3], [2, 0]])], [z.out((1, 9, 11, 6), **like)], o.PadOptions())
    z.op(
        "PADV2",
        [x, z.const([[0, 0], [1, 1], [1, 1], [0, 0]]), z.const([-77], np.int8, scale=[0.1], zero_point=[3])],
        [z.out((1, 8, 10, 4), **like)],
        o.PadV2Options(),
    )
    z.op(
        "MIRROR_PAD",
        [x, z.const([[0, 0], [2, 2], [1, 0], [0, 0]])],
        [z.out((1, 10, 9, 4), **like)],
        o.MirrorPadOptions(mode=MirrorPadMode.REFLECT),
    )
    stored = z.const(z.rng.integers(-128, 128, (1, 6, 3, 4)), np.int8, scale=[0.1], zero_point=[3])
    z.op("CONCATENATION", [x, stored, x], [z.out((1, 6, 19, 4), **like)], o.ConcatenationOptions(axis=2))
    z.op("CONCATENATION", [u, z.out_of_uint8], [z.out((1, 6, 8, 8), "uint8", 0.15, 90)], o.ConcatenationOptions(axis=3))
    z.op("PACK", [x, x], [z.out((1, 6, 2, 8, 4), **like)], o.PackOptions(values_count=2, axis=2))
    z.op("UNPACK", [x], [z.out((1, 6, 8), **like) for _ in range(4)], o.UnpackOptions(num=4, axis=3))
    z.op("SPLIT", [z.const(2), x], [z.out((1, 6, 4, 4), **like) for _ in range(2)], o.SplitOptions(num_splits=2))
    z.op(
        "SPLIT_V",
        [x, z.const([1, 5]), z.const(1)],
        [z.out((1, 1, 8, 4), **like), z.out((1, 5, 8, 4), **like)],
        o.SplitVOptions(num_splits=2),
    )
    z.op(
        "RESIZE_NEAREST_NEIGHBOR",
        [x, z.const([7, 13])],
        [z.out((1, 7, 13, 4), **like)],
        o.ResizeNearestNeighborOptions(half_pixel_centers=True),
    )
    z.op("SPACE_TO_DEPTH", [x], [z.out((1, 3, 4, 16), **like)], o.SpaceToDepthOptions(block_size=2))
    z.op("DEPTH_TO_SPACE", [x], [z.out((1, 12, 16, 1), **like)], o.DepthToSpaceOptions(block_size=2))
    z.op(
        "SPACE_TO_BATCH_ND",
        [x, z.const([2, 2]), z.const([[1, 1], [0, 2]])],
        [z.out((4, 4, 5, 4), **like)],
        o.SpaceToBatchNDOptions(),
    )
    z.op("TILE", [x, z.const([1, 2, 1, 3])], [z.out((1, 12, 8, 12), **like)], o.TileOptions())
    z.op("REVERSE_V2", [x, z.const([2])], [z.out((1, 6, 8, 4), **like)], o.ReverseV2Options())
    z.op("GATHER", [x, z.const([5, 0, 3, 3])], [z.out((1, 4, 8, 4), **like)], o.GatherOptions(axis=1))
    z.op("SQUEEZE", [x], [z.out((6, 8, 4), **like)], o.SqueezeOptions(squeeze_dims=[0]))
    z.op("EXPAND_DIMS", [h, z.const([1])], [z.out((1, 1, 6, 8, 4), "int16", 0.002)], o.ExpandDimsOptions())  # fmt: skip


def streaming() -> Model:
    """Build a model that keeps the last six values of its inputs in a resource variable."""
    z = Zoo(seed=3)
    init, same = z.model.add_subgraph("start"), {"scale": 0.1, "zero_point": 3}
    handle = init.add_tensor("handle", (1,), "resource")
    init.add_operator("VAR_HANDLE", [], [handle], o.VarHandleOptions(container="", shared_name="ring"))
    start = init.add_constant("start", z.rng.integers(-128, 128, (1, 6)).astype(np.int8), **same)
    init.add_operator("ASSIGN_VARIABLE", [handle, start], [], o.AssignVariableOptions())
    z.graph.add_operator("CALL_ONCE", [], [], o.CallOnceOptions(init_subgraph_index=init.index))
    x = z.graph.add_input("x", (1, 2), "int8", **same)
    ring = z.graph.add_tensor("ring", (1,), "resource")
    z.graph.add_operator("VAR_HANDLE", [], [ring], o.VarHandleOptions(container="", shared_name="ring"))
    old, both, new = (z.graph.add_tensor(n, (1, s), "int8", **same) for n, s in (("old", 6), ("both", 8), ("new", 6)))
    z.graph.add_operator("READ_VARIABLE", [ring], [old], o.ReadVariableOptions())
    z.graph.add_operator("CONCATENATION", [old, x], [both], o.ConcatenationOptions(axis=1))
    ends = (z.const([0, 2]), z.const([1, 8]), z.const([1, 1]))
    z.graph.add_operator("STRIDED_SLICE", [both, *ends], [new], o.StridedSliceOptions())
    z.graph.add_operator("ASSIGN_VARIABLE", [ring, new], [], o.AssignVariableOptions())
    z.op("FULLY_CONNECTED", [both, z.weights((3, 8), np.int8, 0, 0), z.bias(3)], [z.out((1, 3), scale=0.5)],
         o.FullyConnectedOptions())  # fmt: skip
    return z.finish()


def windowed(state: str = "int16") -> Model:
    """Build a model with two SVDF layers, whose windows live in variable tensors."""
    z = Zoo(seed=4)
    x = z.graph.add_input("x", (2, 5), "int8", scale=0.1, zero_point=3)
    for number, (depth, rank) in enumerate(((5, 2), (3, 1))):
        filters, memory, units = 6 // number if number else 6, 4 + number, 3 if number == 0 else 6
        window = z.graph.add_tensor(
            f"window {number}", (2, filters * memory), state, scale=0.02, zero_point=0, is_variable=True
        )
        weights = z.weights((filters, depth), np.int8, 0, 0)
        over_time = z.const(
            z.rng.integers(-100, 100, (filters, memory)), np.int16 if state == "int16" else np.int8, scale=[0.01]
        )
        (x,) = z.op("SVDF", [x, weights, over_time, z.bias(units), window], [z.out((2, units), scale=0.1, zero=-7)],
                    o.SVDFOptions(rank=rank, fused_activation_function=Act.RELU))  # fmt: skip
    return z.finish()


def recurrent(name: str = "UNIDIRECTIONAL_SEQUENCE_LSTM", *, time_major: bool = False, clip: float = 10.0) -> Model:
    """Build an int8 LSTM with 3 units that reads 5 numbers at a time, two rows in a batch."""
    z = Zoo(seed=6)
    batch, time, depth, units = 2, 4, 5, 3
    shape = (time, batch) if time_major else (batch, time)
    shape = (batch,) if name == "LSTM" else shape
    inputs: list[Tensor | None] = [None] * 24
    inputs[0] = z.graph.add_input("x", (*shape, depth), "int8", scale=0.03, zero_point=-11)
    for gate in range(4):
        inputs[1 + gate] = z.const(z.rng.integers(-127, 128, (units, depth)), np.int8, scale=[0.011 + gate / 400])
        inputs[5 + gate] = z.const(z.rng.integers(-127, 128, (units, units)), np.int8, scale=[0.007 + gate / 400])
        inputs[12 + gate] = z.bias(units)
    inputs[18] = z.graph.add_tensor("h", (batch, units), "int8", scale=1 / 128, zero_point=4, is_variable=True)
    inputs[19] = z.graph.add_tensor("c", (batch, units), "int16", scale=2.0**-11, zero_point=0, is_variable=True)
    output = z.graph.add_tensor("y", (*shape, units), "int8", scale=1 / 128, zero_point=4)
    options: Any = o.LSTMOptions(fused_activation_function=Act.TANH, cell_clip=clip)
    if name != "LSTM":
        options = o.UnidirectionalSequenceLSTMOptions(
            fused_activation_function=Act.TANH, cell_clip=clip, time_major=time_major
        )
    op = z.graph.add_operator(name, inputs, [output], options)
    between = [z.graph.add_tensor(f"gate {i}", (), "float32") for i in range(4)]
    op.intermediates = (*between, z.graph.add_tensor("hidden", (), "int8", scale=1 / 128, zero_point=4))
    z.outputs = [output]
    return z.finish()


def zoo(*families: str, seed: int = 0) -> Model:
    """Build the model; without names, with all families of operators."""
    z = Zoo(seed)
    full = (1, 6, 8, 4)
    x = z.graph.add_input("x", full, "int8", scale=0.1, zero_point=3)
    y = z.graph.add_input("Stateful/Call:0 y", full, "int8", scale=0.04, zero_point=-50)
    u = z.graph.add_input('u*/ \\"', full, "uint8", scale=0.1, zero_point=100)
    v = z.graph.add_input("static", full, "uint8", scale=0.13, zero_point=120)
    h = z.graph.add_input("acc", full, "int16", scale=0.002)
    f = z.graph.add_input("f", (1, 5), "float32")
    z.out_of_uint8 = v  # type: ignore[attr-defined]
    wanted = families or ("weighted", "elementwise", "reducing", "moving")
    if "weighted" in wanted:
        _weighted(z, x, u, h)
    if "elementwise" in wanted:
        _elementwise(z, x, u, h, y)
    if "reducing" in wanted:
        _reducing(z, x, u, h)
    if "moving" in wanted:
        _moving(z, x, u, h)
    z.op("QUANTIZE", [f], [z.out((1, 5), scale=0.1, zero=3)], o.QuantizeOptions())
    return z.finish()

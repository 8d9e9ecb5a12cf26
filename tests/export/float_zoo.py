# SPDX-License-Identifier: Apache-2.0
"""One model with every float32 operator that can be exported."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.export.zoo import Zoo
from tflite2x import ActivationFunctionType as Act
from tflite2x.ir import Model, Tensor
from tflite2x.schema import flexbuffers
from tflite2x.schema import tables as o
from tflite2x.schema.enums import Padding, TensorType

FULL = (1, 6, 8, 4)
#: Operators whose functions C libraries may round differently.
INEXACT = ("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "ELU", "GELU", "EXP", "LOG", "POW")
#: Operators that LiteRT's BUILTIN_REF lacks.
NOT_IN_REFERENCE = ("ELU", "CEIL", "ROUND")


class Floats(Zoo):
    """Builds float32 operators; with ``reference`` only those that LiteRT's reference kernels have."""

    reference = False

    def values(self, shape: tuple[int, ...], spread: float = 1.0) -> Tensor:
        return self.const(self.rng.normal(size=shape) * spread, np.float32)

    def result(self, *shape: int, dtype: str = "float32") -> Tensor:
        self.count += 1
        return self.graph.add_tensor(f"result {self.count}", shape, dtype)

    def one(self, name: str, inputs: list[Tensor | None], *shape: int, options: Any = None) -> Tensor:
        return self.op(name, inputs, [self.result(*(shape or FULL))], options)[0]


def _weighted(z: Floats, x: Tensor) -> None:
    same, valid = Padding.SAME, Padding.VALID
    conv, depth, dense = o.Conv2DOptions, o.DepthwiseConv2DOptions, o.FullyConnectedOptions
    z.one("CONV_2D", [x, z.values((5, 3, 2, 4)), z.values((5,))], 1, 3, 4, 5,
          options=conv(padding=same, stride_h=2, stride_w=2, fused_activation_function=Act.RELU6))  # fmt: skip
    z.one("CONV_2D", [x, z.values((6, 2, 2, 2)), z.values((6,)) if z.reference else None], 1, 4, 6, 6,
          options=conv(padding=valid, stride_h=1, stride_w=1, dilation_h_factor=2, dilation_w_factor=2))  # fmt: skip
    wide = z.one("TILE", [x, z.const([1, 1, 1, 40])], 1, 6, 8, 160, options=o.TileOptions())
    z.one("CONV_2D", [wide, z.values((3, 2, 2, 160)), z.values((3,))], 1, 6, 8, 3,
          options=conv(padding=same, stride_h=1, stride_w=1))  # fmt: skip
    z.one("DEPTHWISE_CONV_2D", [x, z.values((1, 3, 3, 8)), z.values((8,))], 1, 6, 8, 8,
          options=depth(padding=same, stride_h=1, stride_w=1, depth_multiplier=2,
                        fused_activation_function=Act.RELU_N1_TO_1))  # fmt: skip
    z.one("TRANSPOSE_CONV", [z.const([1, 12, 16, 3]), z.values((3, 3, 3, 4)), x, z.values((3,))], 1, 12, 16, 3,
          options=o.TransposeConvOptions(padding=same, stride_h=2, stride_w=2))  # fmt: skip
    z.one("TRANSPOSE_CONV", [z.const([1, 8, 17, 2]), z.values((2, 3, 2, 4)), x], 1, 8, 17, 2,
          options=o.TransposeConvOptions(padding=valid, stride_h=1, stride_w=2))  # fmt: skip
    z.one("FULLY_CONNECTED", [x, z.values((7, 192)), z.values((7,))], 1, 7,
          options=dense(fused_activation_function=Act.RELU))  # fmt: skip
    z.one("FULLY_CONNECTED", [x, z.values((3, 4)), None], 1, 6, 8, 3, options=dense(keep_num_dims=True))
    z.one("BATCH_MATMUL", [x, z.values((4, 3))], 1, 6, 8, 3, options=o.BatchMatMulOptions())
    z.one("BATCH_MATMUL", [x, x], 1, 6, 4, 4, options=o.BatchMatMulOptions(adj_x=True))
    z.one("BATCH_MATMUL", [x, x], 1, 6, 8, 8, options=o.BatchMatMulOptions(adj_y=True))


def _hybrid(z: Floats, x: Tensor) -> None:
    """float32 activations that meet int8 weights."""
    same = Padding.SAME
    dense, conv = o.FullyConnectedOptions, o.Conv2DOptions
    z.one("FULLY_CONNECTED", [x, z.weights((7, 192), np.int8, 0, 0), z.values((7,))], 1, 7,
          options=dense(fused_activation_function=Act.RELU))  # fmt: skip
    z.one("FULLY_CONNECTED", [x, z.weights((3, 4), np.int8, 3, 0), None], 48, 3, options=dense())
    z.one("FULLY_CONNECTED", [x, z.weights((5, 12), np.int8, 0, 0), z.values((5,))], 16, 5,
          options=dense(asymmetric_quantize_inputs=True))  # fmt: skip
    z.one("CONV_2D", [x, z.weights((5, 3, 2, 4), np.int8, 0, 0), z.values((5,))], 1, 3, 4, 5,
          options=conv(padding=same, stride_h=2, stride_w=2, fused_activation_function=Act.RELU6))  # fmt: skip
    z.one("CONV_2D", [x, z.weights((6, 2, 2, 4), np.int8, 6, 0), z.values((6,))], 1, 6, 8, 6,
          options=conv(padding=same, stride_h=1, stride_w=1))  # fmt: skip
    z.one("DEPTHWISE_CONV_2D", [x, z.weights((1, 3, 3, 8), np.int8, 8, 3), z.values((8,))], 1, 6, 8, 8,
          options=o.DepthwiseConv2DOptions(padding=same, stride_h=1, stride_w=1, depth_multiplier=2))  # fmt: skip


def _elementwise(z: Floats, x: Tensor, y: Tensor) -> None:
    channel, column = z.values((4,)), z.values((6, 1, 1))
    z.one("ADD", [x, y], options=o.AddOptions(fused_activation_function=Act.RELU6))
    z.one("ADD", [x, channel], options=o.AddOptions())
    z.one("SUB", [column, y], options=o.SubOptions(fused_activation_function=Act.RELU))
    z.one("MUL", [x, y], options=o.MulOptions())
    z.one("DIV", [x, y], options=o.DivOptions())
    z.one("MAXIMUM", [x, column], options=o.MaximumMinimumOptions())
    z.one("MINIMUM", [x, y], options=o.MaximumMinimumOptions())
    z.one("SQUARED_DIFFERENCE", [x, channel], options=o.SquaredDifferenceOptions())
    z.one("PRELU", [x, z.values((1, 1, 4))])
    names = ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LOGISTIC", "TANH", "ABS", "NEG", "FLOOR", "SIGN"]
    for name in names if z.reference else [*names, *NOT_IN_REFERENCE]:
        z.one(name, [x])
    z.one("HARD_SWISH", [x], options=o.HardSwishOptions())
    z.one("LEAKY_RELU", [x], options=o.LeakyReluOptions(alpha=0.2))
    z.one("GELU", [x], options=o.GeluOptions(approximate=True))
    z.one("GELU", [x], options=o.GeluOptions())
    squared = z.one("SQUARE", [x], options=o.SquareOptions())
    z.one("SQRT", [squared])
    z.one("RSQRT", [squared])
    z.one("LOG", [squared])
    z.one("POW", [squared, y], options=o.PowOptions())
    z.one("EXP", [x], options=o.ExpOptions())


def _reducing(z: Floats, x: Tensor) -> None:
    def pool(**fields: Any) -> o.Pool2DOptions:
        return o.Pool2DOptions(**{"stride_h": 2, "stride_w": 2, "filter_height": 3, "filter_width": 3, **fields})

    keep = o.ReducerOptions(keep_dims=True)
    z.one("MAX_POOL_2D", [x], 1, 3, 4, 4, options=pool(padding=Padding.SAME))
    z.one("AVERAGE_POOL_2D", [x], 1, 3, 4, 4, options=pool(padding=Padding.SAME, fused_activation_function=Act.RELU))
    z.one("AVERAGE_POOL_2D", [x], 1, 1, 1, 4, options=pool(filter_height=6, filter_width=8, padding=Padding.VALID))
    z.one("MEAN", [x, z.const([1, 2])], 1, 4, options=o.ReducerOptions())
    z.one("MEAN", [x, z.const([3, -3])], 1, 1, 8, 1, options=keep)
    z.one("SUM", [x, z.const([2])], 1, 6, 4, options=o.ReducerOptions())
    z.one("REDUCE_PROD", [x, z.const([3])], 1, 6, 8, options=o.ReducerOptions())
    z.one("REDUCE_MAX", [x, z.const([1, 3])], 1, 1, 8, 1, options=keep)
    z.one("REDUCE_MIN", [x, z.const([0, 1, 2, 3])], 1, 1, 1, 1, options=keep)
    z.one("SOFTMAX", [x], options=o.SoftmaxOptions(beta=1.5))
    z.one("LOG_SOFTMAX", [x], options=o.LogSoftmaxOptions())
    z.one("L2_NORMALIZATION", [x], options=o.L2NormOptions())
    place = z.result(1, 6, 8, dtype="int64")
    z.op("ARG_MAX", [x, z.const([3])], [place], o.ArgMaxOptions(output_type=TensorType.INT64))
    for options in (
        o.ResizeBilinearOptions(), o.ResizeBilinearOptions(half_pixel_centers=True),
        o.ResizeBilinearOptions(align_corners=True),
    ):  # fmt: skip
        z.one("RESIZE_BILINEAR", [x, z.const([9, 13])], 1, 9, 13, 4, options=options)


def _plain(z: Floats, x: Tensor, y: Tensor) -> None:
    """Numbers without a scale."""
    a = z.graph.add_input("a", (3, 4), "int32")
    b = z.graph.add_input("b", (4,), "int64")

    def of(dtype: str, *shape: int) -> Tensor:
        return z.result(*(shape or FULL), dtype=dtype)

    z.op("ADD", [a, z.const([[7], [2**30], [-1]])], [of("int32", 3, 4)], o.AddOptions())
    z.op("SUB", [b, z.const([2**62], np.int64)], [of("int64", 4)], o.SubOptions())
    z.op("MUL", [a, a], [of("int32", 3, 4)], o.MulOptions())
    less = z.op("LESS", [x, y], [of("bool")], o.LessOptions())[0]
    for name in ("EQUAL", "NOT_EQUAL", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"):
        z.op(name, [a, z.const([5, 0, -3, 9])], [of("bool", 3, 4)])
    more = z.op("GREATER", [x, z.const([0.5], np.float32)], [of("bool")], o.GreaterOptions())[0]
    z.op("LOGICAL_AND", [less, more], [of("bool")], o.LogicalAndOptions())
    z.op("LOGICAL_OR", [less, more], [of("bool")], o.LogicalOrOptions())
    z.one("SELECT_V2", [less, x, z.values((4,))], options=o.SelectV2Options())
    z.op("SELECT", [z.const([True, False, True], np.bool_), a, z.const(np.zeros((3, 4)))], [of("int32", 3, 4)],
         o.SelectOptions())  # fmt: skip
    for tensor, shape, targets in (
        (x, FULL, ("int8", "uint8", "int32", "int64", "bool")),
        (a, (3, 4), ("int8", "uint8", "int64", "float32", "bool")),
        (b, (4,), ("int32", "int16", "float32")), (less, FULL, ("float32", "int32")),
    ):  # fmt: skip
        for target in targets:
            z.op("CAST", [tensor], [of(target, *shape)])
    inside = z.op("ARG_MAX", [x, z.const([3])], [of("int32", 1, 6, 8)], o.ArgMaxOptions(output_type=TensorType.INT32))[
        0
    ]
    z.one("GATHER", [y, inside], 1, 6, 8, 1, 6, 8, options=o.GatherOptions(axis=3))
    pairs = z.op("RESHAPE", [inside, z.const([24, 2])], [of("int32", 24, 2)], o.ReshapeOptions(new_shape=[24, 2]))[0]
    square = z.op("RESHAPE", [y, z.const([4, 6, 8])], [of("float32", 4, 6, 8)], o.ReshapeOptions())[0]
    z.one("GATHER_ND", [square, pairs], 24, 8, options=o.GatherNdOptions())
    rows = z.op("RESHAPE", [inside, z.const([48])], [of("int32", 48)], o.ReshapeOptions(new_shape=[48]))[0]
    z.one("EMBEDDING_LOOKUP", [rows, z.values((4, 3))], 48, 3)


def _moving(z: Floats, x: Tensor) -> None:
    z.one("PAD", [x, z.const([[0, 0], [1, 2], [0, 3], [2, 0]])], 1, 9, 11, 6, options=o.PadOptions())
    z.one("TRANSPOSE", [x, z.const([0, 3, 1, 2])], 1, 4, 6, 8, options=o.TransposeOptions())
    z.one("CONCATENATION", [x, x], 1, 6, 16, 4, options=o.ConcatenationOptions(axis=2))
    z.one("RESHAPE", [x, z.const([8, 24])], 8, 24, options=o.ReshapeOptions(new_shape=[8, 24]))
    z.one("RESIZE_NEAREST_NEIGHBOR", [x, z.const([7, 3])], 1, 7, 3, 4, options=o.ResizeNearestNeighborOptions())


def detector(*, regular: bool, dtype: str, seed: int = 0) -> Model:
    """Build TFLite_Detection_PostProcess of 30 boxes and 4 classes."""
    z = Floats(seed)
    number, classes, most = 30, 4, 8
    scaled: dict[str, Any] = {"scale": 0.04, "zero_point": 120} if dtype == "uint8" else {}
    boxes = z.graph.add_input("boxes", (1, number, 4), dtype, **scaled)
    scores = z.graph.add_input("scores", (1, number, classes + 1), dtype, **scaled)
    anchors = z.const(z.rng.uniform(0.1, 0.5, (number, 4)), np.float32)
    names = ("detected boxes", "detected classes", "detected scores", "number")
    outputs = [z.graph.add_tensor(name, (), "float32") for name in names]
    options = {
        "max_detections": most, "max_classes_per_detection": 1, "detections_per_class": 3, "num_classes": classes,
        "use_regular_nms": regular, "nms_score_threshold": 0.2, "nms_iou_threshold": 0.4, "y_scale": 10.0,
        "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
    }  # fmt: skip
    z.graph.add_operator("TFLite_Detection_PostProcess", [boxes, scores, anchors], outputs,
                         custom_options=flexbuffers.encode(options))  # fmt: skip
    z.outputs = outputs
    return z.finish()


def float_zoo(*families: str, seed: int = 0, reference: bool = False) -> Model:
    """Build the model; without names, with all families of operators."""
    z = Floats(seed)
    z.reference = reference
    x = z.graph.add_input("exp_of", FULL, "float32")
    y = z.graph.add_input("limit", FULL, "float32")
    wanted = families or ("weighted", "hybrid", "elementwise", "reducing", "plain", "moving")
    if "weighted" in wanted:
        _weighted(z, x)
    if "hybrid" in wanted:
        _hybrid(z, x)
    if "elementwise" in wanted:
        _elementwise(z, x, y)
    if "reducing" in wanted:
        _reducing(z, x)
    if "plain" in wanted:
        _plain(z, x, y)
    if "moving" in wanted:
        _moving(z, x)
    if families == ():
        quantized = z.op("QUANTIZE", [x], [z.out(FULL, "uint8", 0.1, 100)], o.QuantizeOptions())[0]
        z.op("RESIZE_BILINEAR", [quantized, z.const([9, 13])], [z.out((1, 9, 13, 4), "uint8", 0.1, 100)],
             o.ResizeBilinearOptions())  # fmt: skip
        z.one("DEQUANTIZE", [quantized], options=o.DequantizeOptions())
    return z.finish()

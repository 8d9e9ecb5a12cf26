# SPDX-License-Identifier: Apache-2.0
"""Random models of one operator of every kind, with quantization like a converter's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tflite2x.schema.tables import (
    AddOptions,
    ConcatenationOptions,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    DequantizeOptions,
    FullyConnectedOptions,
    LeakyReluOptions,
    MulOptions,
    PadOptions,
    Pool2DOptions,
    QuantizeOptions,
    ReducerOptions,
    SoftmaxOptions,
    SubOptions,
    TransposeConvOptions,
)

if TYPE_CHECKING:
    from tflite2x.ir import Model

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model with its inputs, and the operator in which something is planted."""

    model: Model
    inputs: tuple[Array, ...]
    operator: int
    text: str


class Draw:
    """A model in the making, and the numbers it is made of; in half of the models scales are powers of two.

    Ties are frequent then.
    """

    def __init__(self, rng: np.random.Generator, kind: str) -> None:
        self.rng, self.kind = rng, kind
        self.name, _, self.type = kind.partition(" ")
        self.type = {"": "int8", "integers": "int8", "hybrid": "float32"}.get(self.type, self.type)
        self.neat = bool(rng.random() < 0.5)
        self.model = tflite2x.Model.new()
        self.graph = self.model.main
        self.inputs: list[Array] = []

    def scale(self, low: float, high: float) -> float:
        return self.near(float(np.exp(self.rng.uniform(np.log(low), np.log(high)))))

    def near(self, value: float) -> float:
        return float(2.0 ** np.round(np.log2(value))) if self.neat else float(np.float32(value))

    def zero(self) -> int:
        if self.type == "int16":
            return 0
        value = int(self.rng.choice([-128, *self.rng.integers(-100, 100, 3)]))
        return value + 128 if self.type == "uint8" else value

    def values(self, *shape: int) -> Array:
        if self.type == "float32":
            return self.rng.normal(self.rng.choice([0.0, 0.7]), 1, shape).astype(np.float32)
        info = np.iinfo(self.type)
        return self.rng.integers(info.min, info.max + 1, shape).astype(self.type)

    def source(self, array: Array, **quantization: Any) -> Any:
        self.inputs.append(array)
        return self.graph.add_input(f"x{len(self.inputs)}", array.shape, array.dtype.name, **quantization)

    def target(self, shape: tuple[int, ...], dtype: str, **quantization: Any) -> Any:
        return self.graph.add_tensor("y", shape, dtype, **quantization)

    def activation(self) -> int:
        return int(self.rng.choice([0, 1, 1, 3]))

    def done(self, inputs: list[Any], output: Any, options: Any = None, name: str = "") -> Case:
        self.graph.add_operator(name or self.name, inputs, [output], options)
        self.graph.set_outputs([output])
        return Case(self.model, tuple(self.inputs), 0, self.kind)


def random_case(rng: np.random.Generator, kind: str) -> Case:
    """Make a model of one operator of a kind of ``planted_kinds.OPERATORS``."""
    draw = Draw(rng, kind)
    return _MAKERS[draw.name](draw)


def _linear(d: Draw) -> Case:
    rng, name, hybrid = d.rng, d.name, d.type == "float32"
    values = d.values(9, 42) if name == "FULLY_CONNECTED" else d.values(2 if hybrid else 1, 9, 7, 6)
    shape, outputs, axis = {
        "FULLY_CONNECTED": ((16, 42), 16, 0), "CONV_2D": ((10, 3, 3, 6), 10, 0),
        "DEPTHWISE_CONV_2D": ((1, 3, 3, 12), 12, 3), "TRANSPOSE_CONV": ((10, 3, 3, 6), 10, 0),
    }[name]  # fmt: skip
    old = d.type == "uint8"
    whole = np.clip(np.rint(rng.normal(0, 50, shape)), -127, 127).astype(np.int8)
    z_w = int(rng.integers(90, 170)) if old else 0
    w = np.clip(whole.astype(int) + z_w, 0, 255).astype(np.uint8) if old else whole
    per_channel = not old and (name != "FULLY_CONNECTED" or rng.random() < 0.3)
    s_w = [d.scale(0.001, 0.02) for _ in range(outputs)] if per_channel else [d.scale(0.001, 0.02)]
    weights = d.graph.add_constant("w", w, scale=s_w, zero_point=[z_w] * len(s_w), quantized_dimension=axis)
    activation, stride, padding = d.activation(), int(rng.integers(1, 3)), int(rng.choice([0, 0, 1]))
    common = {"padding": padding, "stride_w": stride, "stride_h": stride, "fused_activation_function": activation}
    sizes = [-(-n // stride) if padding == 0 else (n - 3) // stride + 1 for n in (9, 7)]
    options: Any = Conv2DOptions(**common)
    y_shape: tuple[int, ...] = (len(values), *sizes, outputs)
    if name == "FULLY_CONNECTED":
        options, y_shape = FullyConnectedOptions(fused_activation_function=activation), (9, outputs)
        options.asymmetric_quantize_inputs = hybrid and bool(rng.random() < 0.5)
    elif name == "DEPTHWISE_CONV_2D":
        options = DepthwiseConv2DOptions(**common, depth_multiplier=2)
    elif name == "TRANSPOSE_CONV":
        options = TransposeConvOptions(**common)
        y_shape = (1, *(n * stride if padding == 0 else (n - 1) * stride + 3 for n in (9, 7)), outputs)
    bias: Any = None
    if hybrid:
        x = d.source(values)
        if rng.random() < 0.9:
            bias = d.graph.add_constant("b", rng.normal(0, 0.5, outputs).astype(np.float32))
        return d.done([x, weights, bias], d.target(y_shape, "float32"), options)
    wide = d.type == "int16"
    s_x, z_x, z_y = d.scale(0.004, 0.2) / (256 if wide else 1), d.zero(), d.zero()
    large = wide and rng.random() < 0.5  # sums beyond 32 bits
    spread = s_x * 90 * (200 if wide else 1) * float(np.mean(s_w)) * 50 * np.sqrt(w.size // outputs)
    s_y = d.near(spread * (200 if large else 1) / (rng.uniform(40, 90) * (200 if wide else 1)))
    bias_scale = [s_x * s for s in s_w]
    b = np.rint(rng.normal(0, 8000 if wide else 30, outputs) * s_y / np.array(bias_scale))
    if rng.random() < 0.9 or large:
        narrow = wide and not large and hasattr(options, "quantized_bias_type") and rng.random() < 0.3
        b = b.astype(np.int64) if wide and not narrow else np.clip(b, -(2**31), 2**31 - 1).astype(np.int32)
        bias = d.graph.add_constant("b", b, scale=bias_scale, zero_point=[0] * len(s_w))
        if narrow:
            options.quantized_bias_type = tflite2x.schema.enums.TensorType.INT32
    x = d.source(values, scale=s_x, zero_point=z_x)
    y = d.target(y_shape, d.type, scale=s_y, zero_point=z_y)
    if name == "TRANSPOSE_CONV":
        return d.done([d.graph.add_constant("shape", np.array(y_shape, np.int32)), weights, x, bias], y, options)
    return d.done([x, weights, bias], y, options)


def _pool(d: Draw) -> Case:
    rng = d.rng
    q = {"scale": d.scale(0.004, 0.2), "zero_point": d.zero()}
    width, padding = int(rng.integers(2, 4)), int(rng.integers(2))
    options = Pool2DOptions(padding=padding, stride_w=2, stride_h=2, filter_width=width, filter_height=2,
                            fused_activation_function=d.activation())  # fmt: skip
    shape = (1, 5, 4, 6) if padding == 0 else (1, 4, (7 - width) // 2 + 1, 6)
    return d.done([d.source(d.values(1, 9, 7, 6), **q)], d.target(shape, d.type, **q), options)


def _two(d: Draw) -> Case:
    rng, name = d.rng, d.name
    wide = d.type == "int16"
    d.neat = d.neat and not wide  # powers of two are another operator then
    s_a, s_b = (d.scale(0.01, 0.1) / (256 if wide else 1) for _ in "ab")
    extent = 110 * s_a * 110 * s_b if name == "MUL" else 90 * (s_a + s_b)
    s_y = d.near(extent / rng.uniform(90, 160))
    a = d.source(d.values(1, 5, 4, 7), scale=s_a, zero_point=d.zero())
    shape = (1, 5, 4, 7) if rng.random() < 0.7 else (1, 1, 1, 7)
    b = d.source(d.values(*shape), scale=s_b, zero_point=d.zero())
    table = {"ADD": AddOptions, "SUB": SubOptions, "MUL": MulOptions}[name]
    y = d.target((1, 5, 4, 7), d.type, scale=s_y, zero_point=d.zero())
    return d.done([a, b], y, table(fused_activation_function=d.activation()))


def _mean(d: Draw) -> Case:
    x = d.source(d.values(1, 6, 5, 40), scale=d.scale(0.02, 0.1), zero_point=d.zero())
    s_y = float(x.quantization.scale[0]) * (1 if d.rng.random() < 0.3 else float(d.rng.uniform(0.1, 0.6)))
    axes = d.graph.add_constant("axes", np.array([1, 2], np.int32))
    zero = x.quantization.zero_point[0] if s_y == float(x.quantization.scale[0]) else d.zero()
    return d.done([x, axes], d.target((1, 40), d.type, scale=d.near(s_y), zero_point=int(zero)), ReducerOptions())


def _pad(d: Draw) -> Case:
    q = {"scale": 0.05, "zero_point": d.zero()}
    amounts = d.graph.add_constant("paddings", np.array([[0, 0], [1, 2], [1, 0], [0, 0]], np.int32))
    return d.done([d.source(d.values(1, 5, 4, 6), **q), amounts], d.target((1, 8, 5, 6), d.type, **q), PadOptions())


def _joined(d: Draw) -> Case:
    other = d.type == "uint8"
    q = {"scale": d.scale(0.01, 0.1), "zero_point": d.zero()}
    tensors = []
    for channels in (6, 6, 4):
        own = {"scale": q["scale"] * float(d.rng.uniform(0.3, 1)), "zero_point": d.zero()}
        tensors.append(d.source(d.values(1, 5, 4, channels), **(own if other else q)))
    return d.done(tensors, d.target((1, 5, 4, 16), d.type, **q), ConcatenationOptions(axis=3))


def _softmax(d: Draw) -> Case:
    x = d.source(d.values(8, 12), scale=d.scale(0.01, 0.06) / (256 if d.type == "int16" else 1), zero_point=d.zero())
    beta = 1.0 if d.rng.random() < 0.5 else float(d.rng.uniform(0.3, 2))
    if d.type == "int16":
        return d.done([x], d.target((8, 12), "int16", scale=1 / 32768, zero_point=0), SoftmaxOptions(beta=beta))
    return d.done([x], d.target((8, 12), "int8", scale=1 / 256, zero_point=-128), SoftmaxOptions(beta=beta))


def _curve(d: Draw) -> Case:
    x = d.source(d.values(4, 30), scale=d.scale(0.01, 0.06), zero_point=d.zero())
    logistic = d.name == "LOGISTIC"
    return d.done([x], d.target((4, 30), "int8", scale=1 / (256 if logistic else 128), zero_point=-128 * logistic))


def _slope(d: Draw) -> Case:
    rng = d.rng
    x = d.source(d.values(1, 5, 4, 8), scale=d.scale(0.02, 0.1), zero_point=int(rng.integers(-60, 60)))
    s_y = d.near(float(x.quantization.scale[0]) * float(rng.uniform(0.4, 2.5)))
    y = d.target((1, 5, 4, 8), d.type, scale=s_y, zero_point=d.zero())
    if d.name == "PRELU":
        alpha = rng.integers(-128, 128, (1, 1, 8), dtype=np.int8)
        q = {"scale": d.scale(0.002, 0.01), "zero_point": int(rng.integers(-50, 50))}
        return d.done([x, d.graph.add_constant("alpha", alpha, **q)], y)
    options = LeakyReluOptions(alpha=float(rng.uniform(0.05, 0.5))) if d.name == "LEAKY_RELU" else None
    return d.done([x], y, options)


def _quantize(d: Draw) -> Case:
    rng, s_y = d.rng, d.scale(0.004, 0.2)
    y = d.target((1, 60), "int8", scale=s_y, zero_point=d.zero())
    if d.kind == "QUANTIZE":
        steps = rng.integers(-300, 300, (1, 60)) / 2 if d.neat else rng.uniform(-150, 150, (1, 60))
        return d.done([d.source((steps * s_y).astype(np.float32))], y, QuantizeOptions())
    s_x = d.near(s_y * float(rng.uniform(0.3, 1.5)))
    return d.done([d.source(d.values(1, 60), scale=s_x, zero_point=d.zero())], y, QuantizeOptions())


def _dequantize(d: Draw) -> Case:
    x = d.source(d.values(3, 20), scale=d.scale(0.004, 0.2), zero_point=int(d.rng.integers(-100, 100)) or 3)
    return d.done([x], d.target((3, 20), "float32"), DequantizeOptions())


def _vector(d: Draw) -> Case:
    """XC_fc with parameters that come close to every limit."""
    rng, columns, width = d.rng, 42, 44
    channels = int(rng.choice([20, 32, 45]))
    w = np.zeros((channels, width), np.int8)
    w[:, :columns] = rng.integers(-127, 128, (channels, columns))
    groups = -(-channels // 16)
    block = np.zeros((groups * 16, 7), np.int64)
    used = block[:channels]
    bias = rng.integers(-400_000, 400_000, channels)
    used[:, 0], used[:, 1] = bias >> 16, bias & 0xFFFF
    used[:, 2] = rng.integers(3, 5, channels)
    used[:, 3] = rng.integers(1500, 5000, channels)
    used[:, 4], used[:, 5] = rng.integers(1000, 4000, channels), rng.integers(-6000, 6000, channels)
    used[:, 6] = 20
    packed = (block & 0xFFFF).astype(np.uint16).view(np.int16).reshape(groups, 16, 7).transpose(0, 2, 1)
    x = d.source(d.values(1, columns), scale=0.05, zero_point=d.zero())
    y = d.target((1, channels), "int8", scale=0.1, zero_point=d.zero() or 7)
    return d.done([x, d.graph.add_constant("w", w), d.graph.add_constant("bso", np.ascontiguousarray(packed))], y)


_MAKERS: dict[str, Callable[[Draw], Case]] = {
    **dict.fromkeys(("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"), _linear),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("ADD", "SUB", "MUL"), _two),
    **dict.fromkeys(("LOGISTIC", "TANH"), _curve),
    **dict.fromkeys(("RELU", "RELU6", "LEAKY_RELU", "PRELU"), _slope),
    "MEAN": _mean, "PAD": _pad, "CONCATENATION": _joined, "SOFTMAX": _softmax, "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize, "XC_fc": _vector,
}  # fmt: skip

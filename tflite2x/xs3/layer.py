# SPDX-License-Identifier: Apache-2.0
"""A quantized fully connected layer as plain arrays: what is lowered, and what it is proved against."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import InputError
from tflite2x.interpreter.fixedpoint import quantize_multiplier
from tflite2x.xs3.kernel import accumulator_range
from tflite2x.xs3.layout import INT32_MAX, INT32_MIN, Int8, Int64

Float64 = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """One TFLite FULLY_CONNECTED with int8 input, weights and output.

    Attributes:
        weights: int8 ``[C_out, C_in]``, zero point 0.
        bias: int32 ``[C_out]``, or None.
        input_scale: float32 value, widened to float64 (as all scales here).
        input_zero_point: Within int8.
        weight_scales: One per layer or one per output channel.
        output_scale: Per tensor.
        output_zero_point: Within int8.
        bias_scales: Scales of the bias tensor; only the 2021 formulas read them. None when there is no bias or it
            carries no scale: then the product of input and weight scales stands in.
        activation: Lowest and highest output code that the fused activation leaves.
        name: For messages.
    """

    weights: Int8
    bias: NDArray[np.int32] | None
    input_scale: float
    input_zero_point: int
    weight_scales: Float64
    output_scale: float
    output_zero_point: int
    bias_scales: Float64 | None = None
    activation: tuple[int, int] = (-128, 127)
    name: str = "layer"

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.weights.dtype != np.int8:
            raise self.error(f"the weights are {self.weights.dtype} {list(self.weights.shape)}, not int8 [C_out, C_in]")
        for what, values in (("weight", self.weight_scales), ("bias", self.bias_scales)):
            if values is not None and values.shape not in ((1,), (self.channels,)):
                raise self.error(f"there are {values.size} {what} scales for {self.channels} channels")
        if self.bias is not None and self.bias.shape != (self.channels,):
            raise self.error(f"the bias has shape {list(self.bias.shape)}, not [{self.channels}]")
        scales = [self.input_scale, self.output_scale, *self.weight_scales.tolist()]
        if not all(np.isfinite(s) and s > 0 for s in scales):
            raise self.error("a scale is not a positive number")
        if not all(-128 <= z <= 127 for z in (self.input_zero_point, self.output_zero_point)):
            raise self.error("a zero point is outside of int8")

    def error(self, what: str) -> InputError:
        """Make the error for a layer that is not well formed."""
        return InputError(what, where=self.name)

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return int(self.weights.shape[0])

    @functools.cached_property
    def constant(self) -> Int64:
        """What TFLite adds to ``sum(weights * x)``: bias minus the input zero point's share; int64 ``[C_out]``."""
        bias = np.zeros(self.channels, np.int64) if self.bias is None else self.bias.astype(np.int64)
        shares: Int64 = self.weights.sum(axis=1, dtype=np.int64)
        return bias - self.input_zero_point * shares

    @functools.cached_property
    def range(self) -> tuple[Int64, Int64]:
        """The smallest and the largest TFLite accumulator of each channel over all int8 inputs."""
        low, high = accumulator_range(self.weights)
        return low + self.constant, high + self.constant

    @functools.cached_property
    def multipliers(self) -> Float64:
        """Real multipliers ``[C_out]``, in float64: input scale times weight scale, divided by output scale.

        LiteRT's reference kernel computes with these (``integer_ops/fully_connected.h``).
        """
        return np.broadcast_to(self.input_scale * self.weight_scales / self.output_scale, (self.channels,))

    @functools.cached_property
    def fixed_point(self) -> tuple[Int64, Int64]:
        """Mantissas and shifts ``[C_out]`` of the multipliers, as TFLite Micro computes them.

        A single weight scale is multiplied with the input's in float32, several in float64 (``kernel_util.cc``,
        GetQuantizedConvolutionMultipler; ``fully_connected_common.cc``).
        """
        real = self.multipliers
        if self.weight_scales.size == 1:
            product = np.float64(np.float32(self.input_scale) * np.float32(self.weight_scales[0]))
            real = np.full(self.channels, product / self.output_scale)
        return quantize_multiplier(real, "double")

    def accumulator_overflow(self) -> str:
        """Say which channel's accumulator can leave int32 in TFLite itself; empty when none can.

        Beyond int32 the reference kernels are undefined, so nothing can be proved against them.
        """
        low, high = self.range
        bad = np.flatnonzero((low < INT32_MIN) | (high > INT32_MAX))
        if not bad.size:
            return ""
        c = int(bad[0])
        return f"the accumulator of channel {c} can reach [{low[c]}, {high[c]}], outside of int32, in TFLite itself"

# SPDX-License-Identifier: Apache-2.0
"""What the kernels with weights share: checks, multipliers, and the choice of the last step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import ExecutionError
from tflite2x.interpreter.chunks import Stage
from tflite2x.interpreter.convolve import Finish
from tflite2x.interpreter.fixedpoint import (
    activation_range,
    activation_range_float,
    integer_limits,
    quantize_multiplier,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec, uniform
from tflite2x.interpreter.output_stage import FixedPointStage

_INT32_TYPE = 2  # TensorType.INT32


@dataclasses.dataclass(frozen=True, slots=True)
class Quantized:
    """The scales and zero points of an integer operator with weights.

    Attributes:
        multiplier: [O] float64: input scale times filter scale, divided by output scale.
        input_zero_point: Of the activations.
        filter_zero_point: Of the weights; 0 where LiteRT ignores it.
        output: The output's spec.
        low: Lowest output value, with the fused activation.
        high: Highest output value.
        magnitude: Largest magnitude that the activations' type holds.
        wide: Accumulators have 64 bits and the 16-bit multiplier.
    """

    multiplier: NDArray[np.float64]
    input_zero_point: int
    filter_zero_point: int
    output: TensorSpec
    low: int
    high: int
    magnitude: int
    wide: bool

    def fixed_point(self, bound: NDArray[np.float64], bias: Array) -> FixedPointStage:
        """Make the last step with a quantized multiplier."""
        mantissa, shift = quantize_multiplier(self.multiplier, "double")
        return FixedPointStage(
            mantissa=mantissa,
            shift=shift,
            bias=bias,
            bound=bound,
            zero_point=self.output.z,
            low=self.low,
            high=self.high,
            dtype=self.output.dtype,
            wide=self.wide,
        )


def require(ctx: KernelContext, spec: TensorSpec, *names: str) -> None:
    """Refuse the operator unless ``spec`` has one of the types named."""
    if spec.type.name not in names:
        raise ctx.unsupported(f"tensor {spec.name!r} has type {spec.type.name}, not {' or '.join(names)}")


def require_quantized(ctx: KernelContext, *specs: TensorSpec) -> None:
    """Refuse the operator unless all tensors have scales."""
    for spec in specs:
        if not spec.is_quantized:
            raise ctx.unsupported(f"tensor {spec.name!r} has type {spec.type.name} but no scale")


def channel_scales(ctx: KernelContext, filter_: TensorSpec, channels: int) -> NDArray[np.float32]:
    """Return one filter scale per output channel; refuse counts that fit neither per-tensor nor per-channel."""
    if filter_.scale.size not in (1, channels):
        raise ctx.unsupported(
            f"tensor {filter_.name!r} has {filter_.scale.size} scales for {channels} channels",
            hint="Weights have one scale, or one per output channel.",
        )
    scales = filter_.scale.astype(np.float32, copy=False)
    return scales if len(scales) == channels else np.full(channels, scales[0])


def quantized(
    ctx: KernelContext,
    x: TensorSpec,
    filter_: TensorSpec,
    bias: TensorSpec | None,
    channels: int,
    activation: int,
    *,
    float32_product: bool = False,
    filter_zero_point: int = 0,
) -> Quantized:
    """Collect the quantization of an operator with integer activations and weights.

    Args:
        ctx: The operator.
        x: The activations.
        filter_: The weights.
        bias: The bias, if there is one.
        channels: Number of output channels.
        activation: The fused activation.
        float32_product: Round the product of input and filter scale to float32, as ``kernel_util.cc`` does in
            GetQuantizedConvolutionMultipler, but not in PopulateConvolutionQuantizationParams.
        filter_zero_point: Zero point of the weights, where the kernel does not ignore it.
    """
    output = ctx.outputs[0]
    require_quantized(ctx, x, filter_, output)
    scales = channel_scales(ctx, filter_, channels)
    product = (np.float32(x.s) * scales).astype(np.float64) if float32_product else x.s * scales.astype(np.float64)
    if x.type.name == "INT16" and (x.z or output.z):
        raise ctx.unsupported("int16 tensors with a zero point other than 0", hint="16x8 quantization is symmetric.")
    low, high = activation_range(activation, output)
    lowest, highest = integer_limits(x.dtype)
    return Quantized(
        multiplier=product / output.s,
        input_zero_point=x.z,
        filter_zero_point=filter_zero_point,
        output=output,
        low=low,
        high=high,
        magnitude=max(-lowest, highest),
        wide=_is_wide(ctx, x, bias),
    )


def _is_wide(ctx: KernelContext, x: TensorSpec, bias: TensorSpec | None) -> bool:
    """Whether a 16x8 kernel adds up in 64 bits."""
    if x.type.name != "INT16":
        return False
    if bias is None:
        return getattr(ctx.options, "quantized_bias_type", None) != _INT32_TYPE
    return bias.type.name == "INT64"


def effective_bias(q: Quantized, weights: Array, bias: Array | None) -> Array:
    """Fold the input's zero point into the bias: ``bias - z * sum(weights)``; weights are integers [..., K, O]."""
    # Sums in 32 bits are faster, where they cannot leave them.
    kind = np.int32 if weights.dtype.itemsize == 1 and weights.shape[-2] < 1 << 23 else np.int64
    sums = weights.sum(axis=-2, dtype=kind).astype(np.int64).reshape(-1)
    folded: Array = -q.input_zero_point * sums
    if bias is not None and bias.size != sums.size:  # one value would broadcast; LiteRT refuses it
        raise ExecutionError(f"a bias of {bias.size} values for {sums.size} channels")
    return folded if bias is None else folded + bias.astype(np.int64).reshape(-1)


#: Takes [batch, ...], returns [batch, ...].
Apply = Callable[[Array], Array]


def as_finish(stage: Stage) -> Finish:
    """Make the last step of a convolution from one that does not care about the image."""
    return lambda acc, out, _first: stage(acc, out)


def float_finish(activation: int, bias: Array | None) -> Finish:
    """Make the last step of a float convolution: bias and clamp."""
    low, high = activation_range_float(activation)

    def finish(acc: Array, out: Array, _first: int) -> None:
        if bias is None:
            np.clip(acc, low, high, out=out, casting="same_kind")
            return
        np.add(acc, bias, out=out, casting="same_kind")
        np.clip(out, low, high, out=out)

    return finish


def hybrid_finish(
    activation: int, bias: Array | None, row_scale: Array, channel_scale: Array | None, *, joined: bool = False
) -> Finish:
    """Make the last step of a convolution with dynamically quantized activations.

    Args:
        activation: The fused activation.
        bias: [O] float32, or None.
        row_scale: [batch] float32.
        channel_scale: [O] float32; None when ``row_scale`` holds the filter's scale already.
        joined: Multiply the two scales with each other first, like DEPTHWISE_CONV_2D and FULLY_CONNECTED; not the
            accumulator with one and then the other, like CONV_2D. The last bit depends on it.
    """
    low, high = activation_range_float(activation)

    def finish(acc: Array, out: Array, first: int) -> None:
        factor = row_scale[first : first + len(acc), None, None]
        np.copyto(out, acc, casting="same_kind")  # rounds to float32, as the C++ conversion from int32 does
        if channel_scale is not None and joined:
            factor = factor * channel_scale
        elif channel_scale is not None:
            np.multiply(out, channel_scale, out=out)
        np.multiply(out, factor, out=out)
        if bias is not None:
            np.add(out, bias, out=out)
        np.clip(out, low, high, out=out)

    return finish


def constant_or_uniform(spec: TensorSpec | None, value: Array | None) -> Array | None:
    """Return a weight or bias without its sample axis; samples that differ are left to the plan."""
    if spec is None:
        return None
    if spec.const is not None:
        return spec.const
    return None if value is None else uniform(value)


def with_weights(
    ctx: KernelContext,
    build: Callable[[Array, Array | None, int], Apply],
    data: int = 0,
    filter_: int = 1,
    bias: int = 2,
) -> Run:
    """Make ``run`` from a function that builds the computation from weights, bias and input channels.

    Constant weights are built once per number of channels; here, unless the file leaves that open. Others are built at
    every call.
    """
    x_spec, w_spec, b_spec = ctx.input(data), ctx.input(filter_), ctx.optional(bias)
    ready: dict[int, Apply] = {}
    constant = w_spec.const is not None and (b_spec is None or b_spec.const is not None)
    tensor = ctx.op.inputs[data]
    is_open = tensor is not None and tensor.shape_signature is not None and tensor.shape_signature[-1:] == (-1,)
    if constant and w_spec.const is not None and x_spec.shape and not is_open:
        ready[x_spec.shape[-1]] = build(w_spec.const, None if b_spec is None else b_spec.const, x_spec.shape[-1])

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = inputs[data]
        assert x is not None
        apply = ready.get(x.shape[-1])
        if apply is None:
            weights = constant_or_uniform(w_spec, inputs[filter_])
            assert weights is not None
            extra = inputs[bias] if len(inputs) > bias else None
            apply = build(weights, constant_or_uniform(b_spec, extra), x.shape[-1])
            if constant:
                ready[x.shape[-1]] = apply
        x = np.ascontiguousarray(x)  # BLAS rounds differently along other strides
        out = apply(x.reshape(len(x) * x.shape[1], *x.shape[2:]))  # samples are images, like those of the model's batch
        return [out.reshape(*x.shape[:2], *out.shape[1:])]

    return run


def check_bias(ctx: KernelContext, channels: int, *types: str) -> None:
    """Refuse a bias of another type or length, or with a zero point."""
    bias = ctx.optional(2)
    if bias is None:
        return
    require(ctx, bias, *types)
    if bias.shape and math.prod(bias.shape) != channels:
        raise ctx.unsupported(f"the bias has shape {bias.shape} for {channels} output channels")
    if bias.type.name != "FLOAT32" and bias.z:
        raise ctx.unsupported("the bias has a zero point other than 0")

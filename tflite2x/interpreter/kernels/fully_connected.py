# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED.

Sources: LiteRT ``kernels/fully_connected.cc``, ``internal/reference/fully_connected.h``,
``internal/reference/integer_ops/fully_connected.h``; TensorFlow Lite Micro ``kernels/fully_connected_common.cc``.

* int8, uint8, 16x8: exact sums, bias, then LiteRT's reference multiplies by a float64 and rounds half away from zero.
  TFLite Micro (``rounding="double"``), and LiteRT for sparse int8 weights, use a quantized multiplier.
* int16 x int16: 64-bit sums and the 16-bit quantized multiplier under both contracts.
* LiteRT reads an int32 bias of a 16x8 layer as int64 unless the option ``quantized_bias_type`` says INT32, which gives
  garbage (its optimized kernels do not): here the bias's type decides.
* Hybrid (float32 with int8, int4 or int2 weights): every row of activations is quantized at run time, symmetrically or,
  with ``asymmetric_quantize_inputs``, asymmetrically. uint8 weights are read as int8, as LiteRT does.
* Blockwise int4 weights: LiteRT's reference path ignores the blocks' scales. Here they count, activations are quantized
  asymmetrically as in the optimized kernel, and the fused activation is applied.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.affine import (
    Apply,
    Quantized,
    channel_scales,
    constant_or_uniform,
    effective_bias,
    float_finish,
    hybrid_finish,
    quantized,
    require,
)
from tflite2x.interpreter.blockwise import block_scales
from tflite2x.interpreter.chunks import Stage
from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.fixedpoint import activation_range_float
from tflite2x.interpreter.float_gemm import FULLY_CONNECTED_LIMIT, float_product
from tflite2x.interpreter.hybrid import quantize_asymmetric, quantize_symmetric
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec
from tflite2x.interpreter.kernels.shuffled_weights import shuffle_activations, unshuffle_weights
from tflite2x.interpreter.real_stage import RealStage
from tflite2x.interpreter.recurrent.cells import activate
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import ActivationFunctionType
from tflite2x.schema.tables import FullyConnectedOptions

_INTEGER_WEIGHTS = ("INT8", "INT4", "INT2")
_WEIGHTS = {
    "FLOAT32": ("FLOAT32", "UINT8", *_INTEGER_WEIGHTS),
    "INT8": _INTEGER_WEIGHTS,
    "UINT8": ("UINT8",),
    "INT16": (*_INTEGER_WEIGHTS, "INT16"),
}
_SHUFFLED = 1  # FullyConnectedOptionsWeightsFormat.SHUFFLED4x16INT8


#: Fused activations that LiteRT applies behind dynamic quantization, and nowhere else.
_ONLY_HYBRID = (ActivationFunctionType.TANH, ActivationFunctionType.SIGN_BIT)


@dataclasses.dataclass(frozen=True, slots=True)
class _Layer:
    """One operator with its weights [O, K] and bias; methods make functions from rows [N, R, K] to [N, R, O]."""

    ctx: KernelContext
    weights: Array
    bias: Array | None

    @property
    def activation(self) -> int:
        return int(_options(self.ctx).fused_activation_function)

    def floats(self) -> Apply:
        matrix = np.ascontiguousarray(self.weights.T, np.float32)
        finish = float_finish(self.activation, self.bias)
        product = float_product(matrix, FULLY_CONNECTED_LIMIT)

        def apply(rows: Array) -> Array:
            # One product per sample: BLAS rounds differently with the number of rows.
            out = np.empty((*rows.shape[:2], matrix.shape[1]), np.float32)
            finish(product(rows), out, 0)
            return out

        return apply

    def integers(self) -> Apply:
        ctx, x, filter_, bias_spec = self.ctx, self.ctx.input(0), self.ctx.input(1), self.ctx.optional(2)
        per_channel = filter_.scale.size > 1
        fixed_point = ctx.rounding == "double" or filter_.type.name == "INT16" or _is_sparse(ctx)
        q = quantized(
            ctx, x, filter_, bias_spec, len(self.weights), self.activation,
            float32_product=fixed_point and not per_channel,
            filter_zero_point=0 if per_channel else filter_.z,
        )  # fmt: skip
        if filter_.type.name == "INT16":
            q = dataclasses.replace(q, wide=True)
        matrix: Array = self.weights.T
        if q.filter_zero_point:
            narrow = np.int16 if self.weights.dtype.itemsize == 1 else np.int32  # wide numbers cost memory
            matrix = matrix.astype(narrow) - q.filter_zero_point
        gemm = ExactGemm(matrix, q.magnitude)
        folded = effective_bias(q, matrix, self.bias)
        stage: Stage
        if fixed_point:
            stage = q.fixed_point(gemm.bound, folded)
        else:
            made = functools.partial(
                RealStage, multiplier=q.multiplier, bias=folded, zero_point=q.output.z, low=q.low, high=q.high,
                dtype=q.output.dtype, wide=q.wide,
            )  # fmt: skip
            stage = made(bound=gemm.limit)
            if not stage.is_plain:
                stage = made(bound=gemm.bound)
        return _exact(gemm, stage, q)

    def shuffled(self) -> Apply:
        """Old uint8 layers with weights in the order of an ARM kernel, with the sign bit flipped."""
        ctx, x, filter_ = self.ctx, self.ctx.input(0), self.ctx.input(1)
        q = quantized(ctx, x, filter_, ctx.optional(2), len(self.weights), self.activation, float32_product=True)
        q = dataclasses.replace(
            q, input_zero_point=128, output=dataclasses.replace(q.output, zero_point=np.zeros(1, int))
        )
        matrix = unshuffle_weights(ctx, self.weights).astype(np.int64).T
        gemm = ExactGemm(matrix, q.magnitude)
        return _exact(gemm, q.fixed_point(gemm.bound, effective_bias(q, matrix, self.bias)), q)

    def hybrid(self) -> Apply:
        filter_ = self.ctx.input(1)
        scales = channel_scales(self.ctx, filter_, len(self.weights))
        per_channel = filter_.scale.size > 1
        asymmetric = bool(_options(self.ctx).asymmetric_quantize_inputs)
        gemm = ExactGemm(self.weights.view(np.int8).astype(np.int64).T, 255 if asymmetric else 127)

        def apply(rows: Array) -> Array:
            quantized_rows, scale = _quantize_rows(rows, asymmetric)
            out = np.empty((*rows.shape[:2], len(self.weights)), np.float32)
            row_scale = scale if per_channel else scale * scales[0]
            by_channel = scales if per_channel else None
            finish = hybrid_finish(self.activation, self.bias, row_scale, by_channel, joined=True)
            finish(
                gemm(quantized_rows.astype(gemm.dtype, copy=False))[:, None],
                out.reshape(len(scale), 1, len(self.weights)),
                0,
            )
            return activate(out, self.activation) if self.activation in _ONLY_HYBRID else out

        return apply

    def blockwise(self, scales: Array) -> Apply:
        """Weights with one scale per block of inputs; ``scales`` is [O, blocks]."""
        count = scales.shape[1]
        blocks = self.weights.astype(np.int64).reshape(len(self.weights), count, -1).transpose(1, 2, 0)
        gemm = ExactGemm(blocks, 255)
        factors = np.ascontiguousarray(scales.T, np.float64)[:, None]
        low, high = activation_range_float(self.activation)

        def apply(rows: Array) -> Array:
            quantized_rows, scale = _quantize_rows(rows, True)
            parts = quantized_rows.reshape(len(scale), count, rows.shape[2] // count).swapaxes(0, 1).astype(gemm.dtype)
            total = (gemm(parts) * factors).sum(axis=0) * scale[:, None]
            if self.bias is not None:
                total += self.bias
            result: Array = np.clip(total, low, high).astype(np.float32)
            return result.reshape(*rows.shape[:2], len(self.weights))

        return apply


def _exact(gemm: ExactGemm, stage: Stage, q: Quantized) -> Apply:
    def apply(rows: Array) -> Array:
        acc = gemm(_flat(rows).astype(gemm.dtype))
        out = np.empty(acc.shape, q.output.dtype)
        stage(acc, out)
        return out.reshape(*rows.shape[:2], out.shape[-1])

    return apply


def _flat(rows: Array) -> Array:
    """Join samples and rows; there may be none."""
    return rows.reshape(rows.shape[0] * rows.shape[1], rows.shape[2])


def _quantize_rows(rows: Array, asymmetric: bool) -> tuple[Array, Array]:
    rows = _flat(rows)
    if not asymmetric:
        return quantize_symmetric(rows)
    quantized_rows, scale, zero_point = quantize_asymmetric(rows)
    quantized_rows -= zero_point.astype(np.float32)[:, None]
    return quantized_rows, scale


def _is_sparse(ctx: KernelContext) -> bool:
    tensor = ctx.op.inputs[1]
    return tensor is not None and getattr(tensor, "sparsity", None) is not None


def _options(ctx: KernelContext) -> FullyConnectedOptions:
    return ctx.options_or_default(FullyConnectedOptions)


def _check(ctx: KernelContext, x: TensorSpec, filter_: TensorSpec, bias: TensorSpec | None) -> None:
    require(ctx, x, *_WEIGHTS)
    require(ctx, filter_, *_WEIGHTS[x.type.name])
    require(ctx, ctx.outputs[0], *(("UINT8", "INT16") if x.type.name == "UINT8" else (x.type.name,)))
    if len(filter_.shape) != 2:
        raise ctx.unsupported(f"weights of shape {filter_.shape} must have 2 dimensions")
    if bias is not None:
        require(ctx, bias, *(("FLOAT32",) if x.type.name == "FLOAT32" else ("INT32", "INT64")))
        if bias.shape and math.prod(bias.shape) != filter_.shape[0]:
            raise ctx.unsupported(f"the bias has shape {bias.shape} for {filter_.shape[0]} output channels")
    if filter_.type.name in ("INT4", "INT2") and np.any(filter_.zero_point):
        raise ctx.unsupported("the weights have a zero point other than 0")
    if _options(ctx).weights_format == _SHUFFLED and (x.type.name, ctx.outputs[0].type.name) != ("UINT8", "INT16"):
        raise ctx.unsupported("shuffled weights need uint8 activations and an int16 output")


@kernel(
    "FULLY_CONNECTED",
    types=(
        "float32 x float32 -> float32", "int8 x int8 -> int8", "int8 x int4 -> int8", "int8 x int2 -> int8",
        "uint8 x uint8 -> uint8", "uint8 x uint8 -> int16", "int16 x int8 -> int16", "int16 x int4 -> int16",
        "int16 x int16 -> int16", "float32 x int8 -> float32", "float32 x int4 -> float32",
        "float32 x int2 -> float32", "float32 x int4 (blockwise) -> float32",
    ),
)  # fmt: skip
def fully_connected(ctx: KernelContext) -> Run:
    """Prepare FULLY_CONNECTED: activations [..., K], weights [O, K], bias [O]."""
    x_spec, w_spec, b_spec = ctx.input(0), ctx.input(1), ctx.optional(2)
    _check(ctx, x_spec, w_spec, b_spec)
    keep, shuffled = _options(ctx).keep_num_dims, _options(ctx).weights_format == _SHUFFLED

    def build(weights: Array, bias: Array | None) -> Apply:
        layer = _Layer(ctx, weights, bias)
        if weights.shape[1] == 0:
            return lambda rows: np.zeros((*rows.shape[:2], len(weights)), ctx.outputs[0].dtype)
        if shuffled:
            return layer.shuffled()
        if x_spec.type.name != "FLOAT32":
            return layer.integers()
        if w_spec.type.name == "FLOAT32":
            return layer.floats()
        scales = block_scales(ctx, w_spec)
        return layer.hybrid() if scales is None else layer.blockwise(scales)

    ready = None
    if w_spec.const is not None and (b_spec is None or b_spec.const is not None):
        ready = build(w_spec.const, None if b_spec is None else b_spec.const)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, weights = inputs[0], constant_or_uniform(w_spec, inputs[1])
        assert x is not None
        assert weights is not None
        x = np.ascontiguousarray(x)  # BLAS rounds differently along other strides
        extra = inputs[2] if len(inputs) > 2 else None
        apply = ready or build(weights, constant_or_uniform(b_spec, extra))
        units, depth = weights.shape
        batch = math.prod(x.shape[1:-1]) if depth == 0 else x[0].size // depth
        if ((keep or depth == 0) and x.shape[-1] != depth) or batch * depth != x[0].size:
            raise ctx.execution_error(f"activations of shape {x.shape[1:]} do not fit weights of shape {weights.shape}")
        out = apply(x.reshape(len(x), batch, depth))
        shape = (*x.shape[1:-1], units) if keep else (batch, units)
        result = out.reshape(len(x), *shape)
        return [result, shuffle_activations(ctx, x.reshape(len(x), batch, depth))] if shuffled else [result]

    return run

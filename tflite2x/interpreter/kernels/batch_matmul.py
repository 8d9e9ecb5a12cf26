# SPDX-License-Identifier: Apache-2.0
"""BATCH_MATMUL.

Sources: LiteRT ``kernels/batch_matmul.cc``, ``internal/reference/batch_matmul.h``.

* int8: exact 32-bit sums, quantized multiplier (the product of the scales is rounded to float32 first). With an int32
  output the sums themselves, zero points ignored.
* int16 with int16 or int8: 64-bit sums and the 16-bit multiplier.
* Hybrid (float32 with int8): every row of the left operand is quantized at run time. With more than one batch dimension
  longer than 1, LiteRT takes scales and row sums from wrong places; here every row keeps its own.
* float32: one BLAS product per matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.affine import require, require_quantized
from tflite2x.interpreter.exact_gemm import exact_dtype
from tflite2x.interpreter.fixedpoint import quantize_multiplier
from tflite2x.interpreter.hybrid import quantize_asymmetric, quantize_symmetric
from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec, align_ranks
from tflite2x.interpreter.output_stage import FixedPointStage
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.tables import BatchMatMulOptions

#: Multiplies [N, ..., R, K] with [N, ..., K, C]; ranks agree.
Multiply = Callable[[Array, Array], Array]

_RIGHT = {"FLOAT32": ("FLOAT32", "INT8"), "INT8": ("INT8",), "INT16": ("INT16", "INT8")}


def _floats(left: Array, right: Array) -> Array:
    return np.asarray(np.matmul(np.ascontiguousarray(left), right))


def _centred(x: Array, zero_point: int, dtype: np.dtype[np.generic]) -> Array:
    wide = x.astype(dtype)
    if zero_point:
        wide -= zero_point
    return wide


def _largest(spec: TensorSpec, zero_point: int) -> int:
    if spec.const is not None:
        return int(np.abs(spec.const.astype(np.int64) - zero_point).max(initial=0))
    info = np.iinfo(spec.dtype)
    return max(int(info.max) - zero_point, zero_point - int(info.min))


def _integers(ctx: KernelContext, left_spec: TensorSpec, right_spec: TensorSpec) -> Multiply:
    output = ctx.outputs[0]
    raw = output.type.name == "INT32"
    zero_left, zero_right = (0, 0) if raw else (left_spec.z, right_spec.z)
    largest = _largest(left_spec, zero_left) * _largest(right_spec, zero_right)
    wide = left_spec.type.name == "INT16"
    mantissa = shift = np.zeros(1, np.int64)
    if not raw:
        require_quantized(ctx, left_spec, right_spec, output)
        product = float(np.float32(left_spec.s) * np.float32(right_spec.s))
        mantissa, shift = quantize_multiplier([product / output.s], "double")
    info = np.iinfo(output.dtype)
    stages: dict[int, FixedPointStage] = {}

    def stage(depth: int) -> FixedPointStage:
        if depth not in stages:
            stages[depth] = FixedPointStage(
                mantissa=mantissa, shift=shift, bias=np.zeros(1, np.int64), bound=np.array([float(largest * depth)]),
                zero_point=output.z, low=int(info.min), high=int(info.max), dtype=output.dtype, wide=wide,
            )  # fmt: skip
        return stages[depth]

    def multiply(left: Array, right: Array) -> Array:
        depth = left.shape[-1]
        dtype = exact_dtype(float(largest) * depth)
        acc = np.matmul(_centred(left, zero_left, dtype), _centred(right, zero_right, dtype))
        if raw:
            return np.asarray(acc.astype(np.int64).astype(np.int32))
        out = np.empty(acc.shape, output.dtype)
        stage(depth)(acc.reshape(-1, 1), out.reshape(-1, 1))
        return out

    return multiply


def _hybrid(ctx: KernelContext, right_spec: TensorSpec) -> Multiply:
    require_quantized(ctx, right_spec)
    asymmetric = bool(ctx.options_or_default(BatchMatMulOptions).asymmetric_quantize_inputs)
    scales = right_spec.scale

    def multiply(left: Array, right: Array) -> Array:
        depth = left.shape[-1]
        rows = left.reshape(math.prod(left.shape[:-1]), depth)
        zero_point = np.zeros(len(rows), np.int64)
        if asymmetric:
            quantized, scale, zero_point = quantize_asymmetric(rows)
        else:
            quantized, scale = quantize_symmetric(rows)
        wide = right.astype(exact_dtype(256.0 * 256.0 * depth))
        acc = np.matmul(quantized.reshape(left.shape).astype(wide.dtype, copy=False), wide)
        factor, zero = (_at_row(v, left.shape) for v in (scale, zero_point.astype(wide.dtype)))
        if asymmetric:
            acc = acc - zero * wide.sum(axis=-2, keepdims=True)
        return np.asarray(acc.astype(np.float32) * (factor * scales), np.float32)

    return multiply


def _at_row(values: Array, shape: tuple[int, ...]) -> Array:
    """Return what LiteRT takes for each row's scale or zero point: [N, *batch, R, 1] of ``values`` [N * batch * R].

    Its reference code moves on by one matrix of R rows along every batch axis alike, so that with several batch axes
    longer than 1, rows get the scale of others (internal/reference/batch_matmul.h). That is followed. What it does
    likewise with the sums of weights of several batch axes is not: it reads sums that it did not compute.
    """
    of_sample = values.reshape(shape[0], -1)
    batch, rows = shape[1:-2], shape[-2]
    if sum(n > 1 for n in batch) > 1:
        matrix = np.add.reduce(np.indices(batch)) if batch else np.zeros((), int)
        of_sample = of_sample[:, (matrix[..., None] * rows + np.arange(rows)).reshape(-1)]
    return of_sample.reshape(*shape[:-1], 1)


@kernel(
    "BATCH_MATMUL",
    types=(
        "float32 x float32 -> float32", "int8 x int8 -> int8", "int8 x int8 -> int32", "int16 x int16 -> int16",
        "int16 x int8 -> int16", "float32 x int8 -> float32",
    ),
)  # fmt: skip
def batch_matmul(ctx: KernelContext) -> Run:
    """Prepare BATCH_MATMUL: [..., R, K] x [..., K, C], either with its last two axes swapped; batch axes broadcast."""
    left_spec, right_spec, o = ctx.input(0), ctx.input(1), ctx.options_or_default(BatchMatMulOptions)
    kind = left_spec.type.name
    require(ctx, left_spec, *_RIGHT)
    require(ctx, right_spec, *_RIGHT[kind])
    require(ctx, ctx.outputs[0], *(("INT8", "INT32") if kind == "INT8" else (kind,)))
    for spec in (left_spec, right_spec):
        if not 2 <= len(spec.shape) <= 5:
            raise ctx.unsupported(f"tensor {spec.name!r} of shape {spec.shape} must have 2 to 5 dimensions")
    if kind == "INT16" and (left_spec.z or right_spec.z or ctx.outputs[0].z):
        raise ctx.unsupported("int16 tensors with a zero point other than 0", hint="16-bit quantization is symmetric.")
    multiply: Multiply
    if kind != "FLOAT32":
        multiply = _integers(ctx, left_spec, right_spec)
    else:
        multiply = _floats if right_spec.type.name == "FLOAT32" else _hybrid(ctx, right_spec)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        assert inputs[0] is not None
        assert inputs[1] is not None
        left, right = align_ranks(inputs[0], inputs[1])
        left = np.ascontiguousarray(left.swapaxes(-1, -2) if o.adj_x else left)
        right = np.ascontiguousarray(right).swapaxes(-1, -2) if o.adj_y else np.ascontiguousarray(right)
        try:
            np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
            fits = left.shape[-1] == right.shape[-2]
        except ValueError:
            fits = False
        if not fits:
            raise ctx.execution_error(f"matrices {left.shape[1:]} and {right.shape[1:]} do not fit")
        return [multiply(left, right)]

    return run

# SPDX-License-Identifier: Apache-2.0
"""L2_NORMALIZATION and LOCAL_RESPONSE_NORMALIZATION."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter import gemmlowp
from tflite2x.interpreter.elementwise import check_types, one, option, per_tensor, quiet
from tflite2x.interpreter.fixedpoint import requantize, wrap_int32
from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.reducing import sequential_sum
from tflite2x.interpreter.registry import kernel


@kernel("L2_NORMALIZATION", types=("float32", "int8 -> int8", "uint8 -> uint8"))
def l2_normalization(ctx: KernelContext) -> Run:
    """L2_NORMALIZATION along the last dimension (LiteRT l2norm.cc, reference/l2normalization.h).

    Quantized: the inverse square root by Newton-Raphson in fixed point; output scale 1/128, zero point 0 or 128. The
    input's scale cancels, so that the input may have none.
    """
    name = check_types(ctx, ("float32", "int8", "uint8"))
    if int(option(ctx, "fused_activation_function", 0)):
        raise ctx.unsupported("L2_NORMALIZATION with a fused activation", "LiteRT does not run it either.")
    if name == "float32":
        return one(quiet(_float_l2))
    source, out = ctx.input(0), ctx.outputs[0]
    per_tensor(ctx, out)
    info = np.iinfo(out.dtype)
    middle = 0 if name == "int8" else 128
    if out.s != 1 / 128 or out.z != middle:
        raise ctx.unsupported(
            f"the output has scale {out.s} and zero point {out.z}", f"L2_NORMALIZATION gives {1 / 128} and {middle}."
        )

    def values(x: Array) -> Array:
        centered = x.astype(np.int64) - source.z
        total = wrap_int32((centered * centered).sum(axis=-1, keepdims=True))
        mantissa, shift = gemmlowp.inverse_sqrt(total)
        if name == "int8":
            result = requantize(centered, mantissa, shift + 7, "double")
        else:
            result = requantize(centered << 7, mantissa, shift, "double") + middle
        return np.clip(result, info.min, info.max).astype(out.dtype)

    return one(values)


def _float_l2(x: Array) -> Array:
    norm = np.sqrt(sequential_sum(x * x, -1))
    result: Array = x / np.maximum(norm, np.float32(1e-6))
    return result


@kernel("LOCAL_RESPONSE_NORMALIZATION", types=("float32",))
def local_response_normalization(ctx: KernelContext) -> Run:
    """LOCAL_RESPONSE_NORMALIZATION over channels (LiteRT local_response_norm.cc, reference/reference_ops.h).

    BUILTIN_REF sums the channels from ``c - radius`` to ``c + radius - 1``; this follows it.
    """
    check_types(ctx, ("float32",))
    radius = int(option(ctx, "radius", 0))
    bias, alpha, beta = (np.float32(option(ctx, field, 0.0)) for field in ("bias", "alpha", "beta"))

    def values(x: Array) -> Array:
        squares, depth = x * x, x.shape[-1]
        total = np.zeros_like(x)
        for offset in range(-min(radius, depth), min(radius, depth)):
            first, last = max(0, -offset), min(depth, depth - offset)
            total[..., first:last] += squares[..., first + offset : last + offset]
        result: Array = x * np.power(bias + alpha * total, -beta)
        return result

    return one(quiet(values))

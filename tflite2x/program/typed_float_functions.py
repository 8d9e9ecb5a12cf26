# SPDX-License-Identifier: Apache-2.0
"""Lowering of float32 functions of one tensor, for exports; see :mod:`tflite2x.program.typed_floats`."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.elementwise import option
from tflite2x.interpreter.kernels.activations import RELU_BOUNDS
from tflite2x.interpreter.kernels.resizing import float_positions
from tflite2x.program.elementwise import merge
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.reducing import resize_bilinear as resize_integers
from tflite2x.program.steps import ArgMax, Step
from tflite2x.program.steps_float import (
    FloatLogSoftmax,
    FloatNormalize,
    FloatReduce,
    FloatResizeBilinear,
    FloatSoftmax,
    FloatUnary,
)
from tflite2x.program.typed_floats import same_shape

_FLOAT = ("FLOAT32",)
_UNARY = {
    "LOGISTIC": "logistic", "TANH": "tanh", "ELU": "elu", "HARD_SWISH": "hard_swish", "EXP": "exp", "LOG": "log",
    "SQRT": "sqrt", "RSQRT": "rsqrt", "SQUARE": "square", "ABS": "abs", "NEG": "neg",
    "FLOOR": "floor", "CEIL": "ceil", "ROUND": "round", "SIGN": "sign",
}  # fmt: skip


@lowers(*_UNARY, exported=_FLOAT)
def unary(work: Work) -> list[Step]:
    """Functions of one number."""
    return [FloatUnary(**work.common(0), operation=_UNARY[work.op.name], size=work.output().size)]


@lowers(*RELU_BOUNDS, exported=_FLOAT)
def relu(work: Work) -> list[Step]:
    """The RELU family."""
    low, high = RELU_BOUNDS[work.op.name]
    return [FloatUnary(**work.common(0), operation="clamp", size=work.output().size, low=low, high=high)]


@lowers("LEAKY_RELU", exported=_FLOAT)
def leaky_relu(work: Work) -> list[Step]:
    """LEAKY_RELU."""
    alpha = float(np.float32(option(work.ctx, "alpha", 0.0)))
    return [FloatUnary(**work.common(0), operation="leaky_relu", size=work.output().size, alpha=alpha)]


@lowers("GELU", exported=_FLOAT)
def gelu(work: Work) -> list[Step]:
    """GELU, with the tanh approximation or with erfc."""
    name = "gelu_tanh" if option(work.ctx, "approximate", False) else "gelu"
    return [FloatUnary(**work.common(0), operation=name, size=work.output().size)]


def _rows(work: Work) -> dict[str, Any]:
    x = work.input(0)
    depth = x.shape[-1] if x.shape else 1
    return {**work.common(0), "rows": x.size // depth, "depth": depth}


@lowers("SOFTMAX", exported=_FLOAT)
def softmax(work: Work) -> list[Step]:
    """SOFTMAX along the last dimension."""
    return [FloatSoftmax(**_rows(work), beta=float(np.float32(option(work.ctx, "beta", 0.0))))]


@lowers("LOG_SOFTMAX", exported=_FLOAT)
def log_softmax(work: Work) -> list[Step]:
    """LOG_SOFTMAX along the last dimension."""
    return [FloatLogSoftmax(**_rows(work))]


@lowers("L2_NORMALIZATION", exported=_FLOAT)
def l2_normalization(work: Work) -> list[Step]:
    """L2_NORMALIZATION along the last dimension."""
    return [FloatNormalize(**_rows(work))]


_REDUCED = {"MEAN": "mean", "SUM": "sum", "REDUCE_PROD": "prod", "REDUCE_MAX": "max", "REDUCE_MIN": "min"}


@lowers(*_REDUCED, exported=_FLOAT)
def reduce(work: Work) -> list[Step]:
    """Reductions over constant axes."""
    shape = work.input(0).shape
    rank = len(shape)
    axes = sorted({int(a) % rank for a in work.constant(1, "the axes").reshape(-1)}) if rank else []
    strides = [math.prod(shape[i + 1 :]) for i in range(rank)]
    kept = [i for i in range(rank) if i not in axes]
    outer_count, outer = merge([shape[i] for i in kept], [[strides[i] for i in kept]])
    inner_count, inner = merge([shape[i] for i in axes], [[strides[i] for i in axes]])
    return [
        FloatReduce(
            **work.common(0), operation=_REDUCED[work.op.name],
            kept_rank=len(outer_count), kept=work.const("kept", [outer_count, *outer], dtype=np.int32),
            reduced_rank=len(inner_count), reduced=work.const("reduced", [inner_count, *inner], dtype=np.int32),
            elements=math.prod(shape[i] for i in axes), axes=tuple(axes),
        )
    ]  # fmt: skip


@lowers("ARG_MAX", "ARG_MIN", exported=_FLOAT)
def arg_max(work: Work) -> list[Step]:
    """ARG_MAX and ARG_MIN along a constant axis."""
    shape = work.input(0).shape
    axis = int(work.constant(1, "the axis").reshape(-1)[0]) % len(shape)
    return [
        ArgMax(
            **work.common(0), outer=math.prod(shape[:axis]), length=shape[axis], inner=math.prod(shape[axis + 1 :]),
            sign=1 if work.op.name == "ARG_MAX" else -1,
        )
    ]  # fmt: skip


@lowers("RESIZE_BILINEAR", exported=("FLOAT32", "UINT8"))
def resize_bilinear(work: Work) -> list[Step]:
    """RESIZE_BILINEAR of float32 and uint8: LiteRT computes both in float32, but integers may do for uint8."""
    if work.input(0).dtype == "uint8":
        with contextlib.suppress(UnsupportedError):
            return resize_integers(work)
    x, out, o = work.input(0).shape, work.output().shape, work.ctx.options
    height, width = (int(v) for v in work.constant(1, "the size").reshape(-1))
    same_shape(work, (x[0], height, width, x[3]))
    align, half = bool(o.align_corners), bool(o.half_pixel_centers)
    top, bottom, dy = float_positions(x[1], height, align, half)
    left, right, dx = float_positions(x[2], width, align, half)
    return [
        FloatResizeBilinear(
            **work.common(0), batch=x[0], in_h=x[1], in_w=x[2], channels=x[3], out_h=out[1], out_w=out[2],
            rows=work.const("rows", np.stack([top, bottom]), "upper and lower row", np.int32),
            columns=work.const("columns", np.stack([left, right]), "left and right column", np.int32),
            dy=work.const("dy", dy, "distance from the upper row", np.float32),
            dx=work.const("dx", dx, "distance from the left column", np.float32),
            half=0.5 if work.input(0).dtype == "uint8" else 0.0,
        )
    ]  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Blockwise quantization: scales for blocks of weights, kept in a tensor of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, TensorSpec


def block_scales(ctx: KernelContext, weights: TensorSpec) -> Array | None:
    """Return the scales of blockwise quantized weights as float32 [rows, blocks]; None for other weights.

    Consecutive blocks of ``block_size`` elements along a row share one scale.
    """
    details: Any = getattr(weights.quantization, "details", None)
    if details is None or not getattr(details, "block_size", 0):
        return None
    if details.axes is not None or isinstance(details.scales, int):
        raise ctx.unsupported(f"the blockwise quantization of tensor {weights.name!r} names no tensor of scales")
    scales = details.scales.data
    if scales is None:
        raise ctx.unsupported(f"the scales of tensor {weights.name!r} are not constant")
    if not isinstance(details.zero_points, int) and np.any(details.zero_points.data):
        raise ctx.unsupported(f"the blocks of tensor {weights.name!r} have zero points other than 0")
    rows = weights.shape[0]
    depth = int(np.prod(weights.shape[1:]))
    if depth % details.block_size or scales.size != rows * depth // details.block_size:
        raise ctx.unsupported(
            f"{scales.size} scales for blocks of {details.block_size} do not fit tensor {weights.name!r} of shape "
            f"{weights.shape}"
        )
    return np.asarray(scales, np.float32).reshape(rows, -1)

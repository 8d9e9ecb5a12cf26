# SPDX-License-Identifier: Apache-2.0
"""Lowering of BATCH_MATMUL of int8 values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tflite2x.program.elementwise import multiplier, quantized_type
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import BatchMatmul, Step
from tflite2x.program.values import fits


def layout(work: Work) -> dict[str, Any]:
    """Return the fields that say which element meets which; batch dimensions broadcast."""
    o = work.ctx.options
    adj_x, adj_y = bool(getattr(o, "adj_x", False)), bool(getattr(o, "adj_y", False))
    a, b = work.input(0).shape, work.input(1).shape
    rows, depth = (a[-1], a[-2]) if adj_x else (a[-2], a[-1])
    columns = b[-2] if adj_y else b[-1]
    batch = np.broadcast_shapes(a[:-2], b[:-2])
    if (*batch, rows, columns) != work.output().shape:
        raise work.ctx.unsupported(f"the output's shape is {(*batch, rows, columns)} at run time, not as in the model")
    at = [np.broadcast_to(np.arange(math.prod(s[:-2])).reshape(s[:-2]), batch).reshape(-1) for s in (a, b)]
    return {
        "matrices": math.prod(batch), "rows": rows, "depth": depth, "columns": columns,
        "a_at": work.const("a_at", at[0], "which matrix of a", np.int32),
        "b_at": work.const("b_at", at[1], "which matrix of b", np.int32),
        "a_row": 1 if adj_x else depth, "a_depth": rows if adj_x else 1,
        "b_depth": 1 if adj_y else columns, "b_column": depth if adj_y else 1,
    }  # fmt: skip


@lowers("BATCH_MATMUL")
def batch_matmul(work: Work) -> list[Step]:
    """BATCH_MATMUL of int8 values."""
    quantized_type(work, "INT8")
    a, b, out = work.ctx.input(0), work.ctx.input(1), work.ctx.outputs[0]
    if (b.type.name, out.type.name) != ("INT8", "INT8"):
        raise work.ctx.unsupported(f"BATCH_MATMUL of int8 and {b.type.name} to {out.type.name}")
    fields = layout(work)
    if fields["depth"] * 255 * 255 >= 1 << 31:
        raise work.ctx.unsupported("a sum that int32 may not hold")
    low, high = fits("int8")
    mantissa, shift = multiplier(float(np.float32(a.s) * np.float32(b.s)) / out.s)
    return [
        BatchMatmul(
            **work.common(0, 1), **fields, a_zero=a.z, b_zero=b.z, y_zero=out.z, mantissa=mantissa, shift=shift,
            low=low, high=high,
        )
    ]  # fmt: skip

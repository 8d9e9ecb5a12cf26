# SPDX-License-Identifier: Apache-2.0
"""Lowering of layers with integer weights and float32 activations, for exports."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite2x.interpreter.affine import channel_scales
from tflite2x.interpreter.blockwise import block_scales
from tflite2x.program.lowering import Work
from tflite2x.program.steps import Step
from tflite2x.program.steps_hybrid import (
    HybridConv2d,
    HybridDepthwiseConv2d,
    HybridFullyConnected,
    QuantizeRows,
    RowScales,
)
from tflite2x.program.values import Const, Value

#: LiteRT quantizes so many elements at a time.
_GROUP = 8


def quantize_rows(work: Work, rows: int, depth: int, *, asymmetric: bool) -> tuple[list[Step], tuple[Value, Value]]:
    """Return the steps that quantize the first input row by row, and what they compute: integers and scales."""
    x = work.input(0)
    names = work.lowering.names
    scales = Value(names(f"{work.label}_row_scales"), (rows, 3), "float32")
    integers = Value(names(f"{work.label}_quantized"), x.shape, "int16")
    base: dict[str, Any] = {"origin": work.origin, "rows": rows, "depth": depth}
    return [
        RowScales(inputs=(x,), output=scales, asymmetric=int(asymmetric), **base),
        QuantizeRows(
            inputs=(x, scales), output=integers, whole=depth // _GROUP * _GROUP, low=-128 if asymmetric else -127,
            **base,
        ),
    ], (integers, scales)  # fmt: skip


def _constants(work: Work, units: int, bias: Const, bounds: dict[str, Any]) -> dict[str, Any]:
    filter_ = work.ctx.input(1)
    if block_scales(work.ctx, filter_) is not None:
        raise work.ctx.unsupported("float32 activations with blockwise quantized weights")
    # uint8 weights are read as int8, as LiteRT does.
    weights = np.ascontiguousarray(work.constant(1, "the weights")).view(np.int8)
    scales = np.broadcast_to(channel_scales(work.ctx, filter_, units), (units,))
    return {
        "weights": work.const("weights", weights),
        "scale": work.const("scale", scales, "scale of the weights", np.float32),
        "bias": bias,
        **bounds,
    }


def fully_connected(
    work: Work, rows: int, units: int, depth: int, bias: Const, bounds: dict[str, Any], *, asymmetric: bool
) -> list[Step]:
    """FULLY_CONNECTED: every row of activations has a scale of its own."""
    fields = _constants(work, units, bias, bounds)
    steps, inputs = quantize_rows(work, rows, depth, asymmetric=asymmetric)
    return [
        *steps,
        HybridFullyConnected(
            inputs=inputs, output=work.output(), origin=work.origin, **fields, joined=1, rows=rows, depth=depth,
            units=units,
        ),
    ]  # fmt: skip


def convolution(work: Work, fields: dict[str, Any], bias: Const, bounds: dict[str, Any]) -> list[Step]:
    """CONV_2D and DEPTHWISE_CONV_2D: every image has a scale of its own; ``fields`` are those of the geometry."""
    depthwise = work.op.name == "DEPTHWISE_CONV_2D"
    constants = _constants(work, fields["out_c"], bias, bounds)
    scales = constants["scale"].data
    symmetric = not depthwise and fields["groups"] == 1 and bool(np.all(scales == scales[0]))
    batch = fields["batch"]
    steps, inputs = quantize_rows(work, batch, work.input(0).size // batch, asymmetric=not symmetric)
    kind = HybridDepthwiseConv2d if depthwise else HybridConv2d
    return [
        *steps,
        kind(
            inputs=inputs, output=work.output(), origin=work.origin, **constants, joined=int(symmetric or depthwise),
            **fields,
        ),
    ]  # fmt: skip

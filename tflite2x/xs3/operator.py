# SPDX-License-Identifier: Apache-2.0
"""XC_fc for the interpreter: the kernel as the runtime of 2020-2021 sees the operator.

It takes three inputs (activations, padded weights, BSO block) and flattens the first; the shape of the output comes
from the model. Neither quantization nor custom options change the result. A model whose file gives the operator more
than one row is refused, because the runtime would leave the others uncomputed, and so is one that would make it read
beyond a tensor. Where the file leaves the number of rows open and the caller chooses another than one, every row is
computed as the one would be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter import register_kernel
from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.xs3 import options
from tflite2x.xs3.kernel import FullyConnected
from tflite2x.xs3.layout import GROUP, WORD, groups

CUSTOM_CODE = "XC_fc"


def prepare(ctx: KernelContext) -> Run:
    """Check an XC_fc against what the runtime requires, and return the function that computes it."""
    if len(ctx.inputs) != 3 or len(ctx.outputs) != 1:
        raise ctx.unsupported(f"XC_fc has {len(ctx.inputs)} inputs and {len(ctx.outputs)} outputs, not 3 and 1")
    x, weights, bso, out = ctx.input(0), ctx.input(1), ctx.input(2), ctx.outputs[0]
    for spec, name in ((x, "INT8"), (weights, "INT8"), (bso, "INT16"), (out, "INT8")):
        if spec.type.name != name:
            raise ctx.unsupported(f"tensor {spec.name!r} has type {spec.type.name}, not {name}")
    if len(weights.shape) != 2 or weights.shape[1] % WORD:
        raise ctx.unsupported(
            f"the weights have shape {list(weights.shape)}", hint="XC_fc needs two axes, the second a multiple of 4."
        )
    channels, width = weights.shape
    if tuple(bso.shape) != (groups(channels), 7, GROUP):
        raise ctx.unsupported(f"the BSO has shape {list(bso.shape)}, not {[groups(channels), 7, GROUP]}")
    if math.prod(out.shape) != channels:
        raise ctx.unsupported(f"the output has {math.prod(out.shape)} elements for {channels} channels")
    columns = math.prod(x.shape)
    if not width - WORD < columns <= width:
        raise ctx.unsupported(
            f"the input has {columns} elements, the weights have {width} columns",
            hint="XC_fc computes one row; the padding of its weights is shorter than four columns.",
        )
    _check_groups(ctx, channels)

    def layer(w: Array, block: Array) -> FullyConnected:
        if np.any(w[:, columns:]):
            raise ctx.execution_error("weights in the padding are not zero: the runtime would read beyond the input")
        return FullyConnected(w, block)

    ready = None
    if weights.const is not None and bso.const is not None:
        ready = layer(weights.const, bso.const)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        data, *constants = inputs
        assert data is not None
        rows = data[0].size // columns
        if rows * columns != data[0].size or (rows != 1 and out.shape[:1] != (1,)):
            raise ctx.execution_error(f"the input has the shape {list(data.shape[1:])}, not rows of {columns}")
        shape = out.shape if rows == 1 else (rows, *out.shape[1:])
        compute = ready or layer(*(uniform(a) for a in constants if a is not None))
        return [compute(data.reshape(-1, columns)).reshape(len(data), *shape)]

    return run


def _check_groups(ctx: KernelContext, channels: int) -> None:
    """Refuse channel ranges that the runtime would not walk through from the first channel to the last."""
    plan = options.decode(bytes(ctx.op.custom_options or b""))
    if plan is None:
        return
    expected = options.plan(channels, 0).channel_groups
    if plan.channel_groups != expected:
        raise ctx.unsupported(
            f"the custom options list the channel ranges {list(plan.channel_groups)[:4]} for {channels} channels",
            hint="Weights and parameters are read in order: groups of 16 from channel 0 on.",
        )


register_kernel(CUSTOM_CODE, prepare, form="prepared", replace=True, pure=True)

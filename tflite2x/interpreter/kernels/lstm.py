# SPDX-License-Identifier: Apache-2.0
"""LSTM operators: one step, a sequence, a sequence in both directions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.recurrent.basic_lstm import prepare_basic
from tflite2x.interpreter.recurrent.cells import FloatCell
from tflite2x.interpreter.recurrent.integer8_cell import Integer8Cell
from tflite2x.interpreter.recurrent.integer_cell import IntegerCell, scales_of
from tflite2x.interpreter.recurrent.micro_cell import MicroCell, is_micro
from tflite2x.interpreter.recurrent.parameters import BACKWARD, FORGET, FORWARD, FULL, Layout, collect
from tflite2x.interpreter.recurrent.sequence import Cell, run_sequence
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import LSTMKernelType, TensorType
from tflite2x.schema.tables import BidirectionalSequenceLSTMOptions, LSTMOptions, UnidirectionalSequenceLSTMOptions

_TYPES = (
    "float32 (float32 weights)",
    "float32 (int8 or uint8 weights, hybrid)",
    "int8 (int8 weights, int16 cell state)",
)
Options = LSTMOptions | UnidirectionalSequenceLSTMOptions | BidirectionalSequenceLSTMOptions
MakeCell = Callable[[Sequence[Array | None]], Cell]


def _cell(ctx: KernelContext, layout: Layout, options: Options, *, time_major: bool = True) -> MakeCell:
    """Return a function that makes the cell; constant parameters are prepared once."""
    parameters = collect(ctx, layout, options)
    x, weights = ctx.input(0).type, ctx.input(layout.weights[FORGET]).type
    micro = ctx.rounding == "double" and ctx.name == "UNIDIRECTIONAL_SEQUENCE_LSTM" and is_micro(ctx)
    make: Callable[..., Cell]
    if x == TensorType.FLOAT32 and weights == TensorType.FLOAT32:
        make = functools.partial(FloatCell, rows_together=time_major)
    elif x == TensorType.FLOAT32 and weights in (TensorType.INT8, TensorType.UINT8):
        asymmetric = bool(options.asymmetric_quantize_inputs)
        make = functools.partial(FloatCell, hybrid=True, asymmetric=asymmetric, rows_together=time_major)
    elif micro and x in (TensorType.INT8, TensorType.INT16) and weights == TensorType.INT8:
        make = functools.partial(MicroCell, ctx=ctx)
    elif x == TensorType.INT8 and weights == TensorType.INT8 and layout is FULL:
        if len(ctx.intermediates) == 12:
            if ctx.name != "LSTM":
                raise ctx.unsupported("12 intermediate tensors (8-bit gates) are for LSTM only")
            make = functools.partial(Integer8Cell, ctx=ctx)
        else:
            layer_norm = ctx.optional(layout.norm[FORGET]) is not None
            scales = scales_of(ctx, layout.output_state, layout.cell_state, layer_norm=layer_norm)
            make = functools.partial(IntegerCell, s=scales, rows_together=time_major)
    else:
        raise ctx.unsupported(f"input {x.name} with weights {weights.name}")
    ready: list[tuple[object, Cell]] = []

    def cell(inputs: Sequence[Array | None]) -> Cell:
        p = parameters(inputs)
        if not ready or ready[0][0] is not p:
            ready[:] = [(p, make(p))]
        return ready[0][1]

    if all(s is None or s.const is not None or i in (0, layout.output_state, layout.cell_state)
           for i, s in enumerate(ctx.inputs)):  # fmt: skip
        cell([])
    return cell


def _state(inputs: Sequence[Array | None], index: int) -> Array:
    state = inputs[index]
    assert state is not None
    return state


@kernel("LSTM", types=(*_TYPES, "int8 (8-bit gates)", "uint8 basic kernel", "float32 basic kernel"), pure=False)
def lstm(ctx: KernelContext) -> Run:
    """LSTM: one step of a full cell (20 or 24 inputs) or of a basic one (5 inputs).

    With int8 weights (hybrid), floats equal LiteRT's bit for bit, its approximations of tanh and the sigmoid included.
    With float weights, products differ by the order in which LiteRT's library adds them up: about 1e-7 of the values
    inside of the cell. Layer normalization magnifies that where the values of a row are nearly equal. Without a fused
    activation LiteRT leaves in place what its buffers hold, and its results mean nothing; here that is the identity.
    """
    if ctx.options is None:
        raise ctx.unsupported("it has no options", "They say which of its two kernels is meant.")
    if ctx.options.kernel_type == LSTMKernelType.BASIC:
        return prepare_basic(ctx)
    _check_full(ctx)
    cell = _cell(ctx, FULL, ctx.options)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = _state(inputs, 0)
        states = _state(inputs, FULL.output_state), _state(inputs, FULL.cell_state)
        # A third axis is time.
        steps = x[None] if x.ndim == 3 else np.moveaxis(x, 1, 0)
        result = run_sequence(cell(inputs), steps, *states)
        return [result[0] if x.ndim == 3 else np.moveaxis(result, 0, 1)]

    return run


def _check_full(ctx: KernelContext) -> None:
    if len(ctx.inputs) not in (20, 24):
        raise ctx.unsupported(f"{len(ctx.inputs)} inputs; a full LSTM has 20 or 24")
    if len(ctx.outputs) != 1:
        raise ctx.unsupported(f"{len(ctx.outputs)} outputs; a full LSTM has one")


@kernel(
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    types=(*_TYPES, "int16 (int8 weights, int16 cell state; TFLite Micro's contract only)"),
    pure=False,
)
def unidirectional(ctx: KernelContext) -> Run:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: a full cell along the time axis; floats as in LSTM.

    Under ``double`` rounding a quantized cell without variants follows TFLite Micro, which also takes int16 activations
    (with int64 biases); LiteRT has other arithmetic for the gates.
    """
    _check_full(ctx)
    options = ctx.options_or_default(UnidirectionalSequenceLSTMOptions)
    cell = _cell(ctx, FULL, options, time_major=bool(options.time_major))
    time_axis = 1 if options.time_major else 2

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = _state(inputs, 0)
        states = _state(inputs, FULL.output_state), _state(inputs, FULL.cell_state)
        result = run_sequence(cell(inputs), np.moveaxis(x, time_axis, 0), *states)
        return [np.moveaxis(result, 0, time_axis)]

    return run


@kernel("BIDIRECTIONAL_SEQUENCE_LSTM", types=_TYPES[:2], pure=False)
def bidirectional(ctx: KernelContext) -> Run:
    """BIDIRECTIONAL_SEQUENCE_LSTM: two cells, one along the time axis and one against it; floats as in LSTM.

    Input 39 is a second input of both cells if there are weights for it, and else the input of the backward cell.
    """
    if len(ctx.inputs) != 48:
        raise ctx.unsupported(f"{len(ctx.inputs)} inputs; a bidirectional LSTM has 48")
    options = ctx.options_or_default(BidirectionalSequenceLSTMOptions)
    time_major, merge = bool(options.time_major), bool(options.merge_outputs)
    forward, backward = (_cell(ctx, part, options, time_major=time_major) for part in (FORWARD, BACKWARD))
    time_axis = 1 if time_major else 2
    if len(ctx.outputs) != 2 - merge:
        raise ctx.unsupported(f"{len(ctx.outputs)} outputs; with merge_outputs = {merge} there are {2 - merge}")
    linked = ctx.optional(FORWARD.aux[FORGET]) is not None

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = np.moveaxis(_state(inputs, 0), time_axis, 0)
        second = None if inputs[39] is None else np.moveaxis(inputs[39], time_axis, 0)
        aux = second if linked else None
        results = []
        for layout, make, source in (
            (FORWARD, forward, x),
            (BACKWARD, backward, x if linked or second is None else second),
        ):
            states = _state(inputs, layout.output_state), _state(inputs, layout.cell_state)
            result = run_sequence(make(inputs), source, *states, forward=layout is FORWARD, aux=aux)
            results.append(np.moveaxis(result, 0, time_axis))
        return [np.concatenate(results, axis=-1)] if merge else results

    return run

# SPDX-License-Identifier: Apache-2.0
"""Plain recurrent operators: output = activation(W x + R output + bias). Source: LiteRT internal/kernel_utils.cc."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.recurrent.cells import activate
from tflite2x.interpreter.recurrent.matrices import required, weights_input
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import TensorType
from tflite2x.schema.tables import BidirectionalSequenceRNNOptions, RNNOptions, SequenceRNNOptions

_TYPES = ("float32 (float32 weights)", "float32 (int8 or uint8 weights, hybrid)")
Options = RNNOptions | SequenceRNNOptions | BidirectionalSequenceRNNOptions
#: Steps of one cell: inputs [time, N, batch, n], auxiliary inputs, the operator's inputs -> outputs.
Cell = Callable[[Array, Array | None, Sequence[Array | None]], Array]


def _cell(ctx: KernelContext, options: Options, first: int, aux: int = -1, *, forward: bool = True) -> Cell:
    """Prepare a cell whose weights, recurrent weights, bias and state start at input ``first``."""
    if ctx.input(0).type != TensorType.FLOAT32:
        raise ctx.unsupported(f"input of type {ctx.input(0).type.name}")
    asymmetric = bool(options.asymmetric_quantize_inputs)
    weights = weights_input(ctx, first, asymmetric=asymmetric)
    recurrent = weights_input(ctx, first + 1, asymmetric=asymmetric)
    linked = None if aux < 0 or ctx.optional(aux) is None else weights_input(ctx, aux, asymmetric=asymmetric)
    ctx.input(first + 2)
    if not ctx.input(first + 3).is_variable:
        raise ctx.unsupported(f"input {first + 3} is state and must be a variable tensor")
    activation = int(options.fused_activation_function)

    def run(x: Array, second: Array | None, inputs: Sequence[Array | None]) -> Array:
        state = required(inputs, first + 3)
        hidden = state.reshape(len(state), x.shape[2], state.shape[-1])
        shares = weights(inputs).add(uniform(required(inputs, first + 2)), x)
        if linked is not None and second is not None:
            shares = linked(inputs).add(shares, second)
        repeat = recurrent(inputs)
        results = [hidden] * len(x)
        order: Iterable[int] = range(len(x)) if forward else reversed(range(len(x)))
        for t in order:
            hidden = activate(repeat.add(shares[t], hidden), activation)
            results[t] = hidden
        state[...] = hidden.reshape(state.shape)
        return np.stack(results) if results else np.zeros((0, *hidden.shape), np.float32)

    return run


@kernel("RNN", types=_TYPES, pure=False)
def rnn(ctx: KernelContext) -> Run:
    """RNN: one step."""
    cell = _cell(ctx, ctx.options_or_default(RNNOptions), 1)
    return lambda inputs: [cell(required(inputs, 0)[None], None, inputs)[0]]


@kernel("UNIDIRECTIONAL_SEQUENCE_RNN", types=_TYPES, pure=False)
def unidirectional(ctx: KernelContext) -> Run:
    """UNIDIRECTIONAL_SEQUENCE_RNN: steps along the time axis."""
    options = ctx.options_or_default(SequenceRNNOptions)
    cell = _cell(ctx, options, 1)
    axis = 1 if options.time_major else 2

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        return [np.moveaxis(cell(np.moveaxis(required(inputs, 0), axis, 0), None, inputs), 0, axis)]

    return run


@kernel("BIDIRECTIONAL_SEQUENCE_RNN", types=_TYPES, pure=False)
def bidirectional(ctx: KernelContext) -> Run:
    """BIDIRECTIONAL_SEQUENCE_RNN: one cell along the time axis and one against it.

    Input 9 is a second input of both cells if there are weights for it, and else the input of the backward cell.
    Two peculiarities of bidirectional_sequence_rnn.cc are kept: without time_major the backward cell reads input 0 in
    any case, and with time_major a hybrid cell runs over the sequence as often as it has steps.
    """
    if len(ctx.inputs) != 12:
        raise ctx.unsupported(f"{len(ctx.inputs)} inputs; a bidirectional RNN has 12")
    options = ctx.options_or_default(BidirectionalSequenceRNNOptions)
    merge = bool(options.merge_outputs)
    if len(ctx.outputs) != 2 - merge:
        raise ctx.unsupported(f"{len(ctx.outputs)} outputs; with merge_outputs = {merge} there are {2 - merge}")
    forward, backward = _cell(ctx, options, 1, aux=10), _cell(ctx, options, 5, aux=11, forward=False)
    linked = ctx.optional(10) is not None
    time_major = bool(options.time_major)
    axis = 1 if time_major else 2
    repeated = time_major and ctx.input(1).type != TensorType.FLOAT32

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = np.moveaxis(required(inputs, 0), axis, 0)
        second = None if inputs[9] is None else np.moveaxis(inputs[9], axis, 0)
        aux = second if linked else None
        back = x if linked or second is None or not time_major else second
        results: list[Array] = []
        for _ in range(len(x) if repeated else 1):
            results = [forward(x, aux, inputs), backward(back, aux, inputs)]
        results = [np.moveaxis(result, 0, axis) for result in results]
        return [np.concatenate(results, axis=-1)] if merge else results

    return run

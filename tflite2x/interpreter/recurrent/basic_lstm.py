# SPDX-License-Identifier: Apache-2.0
"""The basic LSTM kernel: one matrix for all gates, in float32 or in 8 bits with 16-bit internals.

Sources: LiteRT ``lstm.cc`` (namespace basic) and ``internal/optimized/optimized_ops.h``, LstmCell. Unlike the full
kernel, its product comes from ruy, whose second rounding is half up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.exact_gemm import ExactGemm
from tflite2x.interpreter.fixedpoint import (
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_left_shift,
    saturating_rounding_doubling_high_mul,
    wrap_int32,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.recurrent.eigen import sigmoid, tanh
from tflite2x.interpreter.recurrent.gemmlowp16 import logistic_table, tanh_table
from tflite2x.schema.enums import TensorType

#: Joined inputs, weights, bias, state -> new activation, new state, gates.
Step = Callable[[Array, Array, Array, Array], tuple[Array, Array, Array]]
_ACTIVATION, _WEIGHTS, _BIAS, _STATE = 1, 2, 3, 4
_FLOAT = (TensorType.FLOAT32,) * 5
_QUANTIZED = (TensorType.UINT8, TensorType.UINT8, TensorType.UINT8, TensorType.INT32, TensorType.INT16)


def prepare_basic(ctx: KernelContext) -> Run:
    """Prepare the basic LSTM: inputs are x, previous activation, weights, bias, previous state."""
    if len(ctx.inputs) != 5 or len(ctx.outputs) != 4:
        raise ctx.unsupported(f"{len(ctx.inputs)} inputs and {len(ctx.outputs)} outputs; a basic LSTM has 5 and 4")
    types = tuple(ctx.input(i).type for i in range(5))
    compute: Step
    if types == _FLOAT:
        compute = _float
    elif types == _QUANTIZED:
        compute = _quantized(ctx)
    else:
        raise ctx.unsupported(f"types {', '.join(t.name for t in types)}")
    variable = {i: ctx.input(i).is_variable for i in (_ACTIVATION, _STATE)}

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, activation, weights, bias, state = (a for a in inputs if a is not None)
        samples = max(len(x), len(activation), len(state))
        joined = np.concatenate([np.broadcast_to(a, (samples, *a.shape[1:])) for a in (x, activation)], axis=-1)
        new_activation, new_state, gates = compute(joined, uniform(weights), uniform(bias), state)
        for index, value in ((_ACTIVATION, new_activation), (_STATE, new_state)):
            if variable[index]:
                target = inputs[index]
                assert target is not None
                target[...] = value
        return [new_activation, new_state, joined, gates]

    return run


def _float(joined: Array, weights: Array, bias: Array, state: Array) -> tuple[Array, Array, Array]:
    gates = joined @ weights.T + bias
    enter, update, forget, leave = np.split(gates, 4, axis=-1)
    enter, forget, leave = (sigmoid(gate, rows_together=False) for gate in (enter, forget, leave))
    new_state = enter * tanh(update) + forget * state
    return leave * tanh(new_state), new_state, gates


def _quantized(ctx: KernelContext) -> Step:
    """Return the 8-bit step: gates are Q3.12, the state Q4.11, activations uint8 with zero point 128."""
    state_bits = 15 + math.log2(ctx.outputs[1].s)
    if state_bits != 4:
        raise ctx.unsupported(f"the state has {state_bits} integer bits; LiteRT does 4 only (scale 2**-11)")
    mantissa, shift = quantize_multiplier(4096 * ctx.input(_BIAS).s, "double")
    weights_zero = ctx.input(_WEIGHTS).z

    def step(joined: Array, weights: Array, bias: Array, state: Array) -> tuple[Array, Array, Array]:
        gemm = ExactGemm(np.ascontiguousarray(weights.T.astype(np.int64) - weights_zero), 128)
        centered = joined.astype(np.int64) - 128
        total = wrap_int32(gemm(centered.astype(gemm.dtype)).astype(np.int64) + bias)
        gates = np.clip(_rescale(total, mantissa, shift), -32768, 32767)
        enter, update, forget, leave = np.split(gates + 32768, 4, axis=-1)
        entered = _multiply(logistic_table(3)[enter], tanh_table(3)[update])
        kept = _multiply(logistic_table(3)[forget], state)
        new_state = np.clip(rounding_divide_by_pot(entered, 4) + kept, -32768, 32767)
        narrow = saturating_left_shift(new_state, 1, bits=16)
        activation = _multiply(logistic_table(3)[leave], tanh_table(3)[narrow + 32768])
        byte = np.clip(rounding_divide_by_pot(activation, 8), -128, 127) + 128
        return byte.astype(np.uint8), new_state.astype(np.int16), gates.astype(np.int16)

    return step


def _multiply(a: Array, b: Array) -> Array:
    return saturating_rounding_doubling_high_mul(a, b, bits=16)


def _rescale(x: Array, mantissa: Array, shift: Array) -> Array:
    """Multiply by a quantized multiplier like ruy: two roundings, both half up."""
    right = np.maximum(-shift, 0)
    product = saturating_rounding_doubling_high_mul(wrap_int32(x << np.maximum(shift, 0)), mantissa)
    result: Array = (product + (np.int64(1) << right >> 1)) >> right
    return result

# SPDX-License-Identifier: Apache-2.0
"""The SHUFFLED4x16INT8 weights format of old uint8 FULLY_CONNECTED operators.

Source: LiteRT ``internal/reference/fully_connected.h`` (ShuffledFullyConnected). Weights lie in blocks of 4 outputs by
16 inputs; their sign bit is flipped, so that reading them as int8 subtracts the zero point 128.
"""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext


def unshuffle_weights(ctx: KernelContext, weights: Array) -> Array:
    """Return int8 weights [O, K] from shuffled uint8 weights of that shape."""
    units, depth = weights.shape
    if units % 4 or depth % 16:
        raise ctx.unsupported(f"shuffled weights of shape {weights.shape} must be multiples of 4 and 16")
    blocks = weights.reshape(units // 4, depth // 16, 4, 16)
    return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3)).reshape(units, depth).view(np.int8)


def shuffle_activations(ctx: KernelContext, x: Array) -> Array:
    """Return the operator's second output: activations [N, batch, K] with the sign bit flipped, in blocks of 16."""
    samples, batch, depth = x.shape
    if batch not in (1, 4):
        raise ctx.execution_error(f"shuffled weights work with batches of 1 or 4, not {batch}")
    flipped = x ^ np.uint8(0x80)
    blocks = flipped.reshape(samples, batch, depth // 16, 16).swapaxes(1, 2)
    return np.ascontiguousarray(blocks).reshape(samples, batch, depth)

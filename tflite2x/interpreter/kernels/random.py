# SPDX-License-Identifier: Apache-2.0
"""Random numbers. With a seed, the numbers are those of LiteRT; a stream goes on from run to run until ``reset``.

Source: LiteRT ``random_ops.cc``. N samples in one batch get the numbers that N runs would get one after the other.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.counter_random import (
    Uint32,
    normal_float,
    philox,
    philox_stream,
    threefry,
    uniform_double,
    uniform_float,
)
from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.kernels.layout import given
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import RngAlgorithm, TensorType
from tflite2x.schema.tables import RandomOptions

#: Words that one block of the stream holds.
_BLOCK = 4


class _Stream:
    """The stream of one operator; its position lives in the runtime's resources."""

    def __init__(self, ctx: KernelContext) -> None:
        self._runtime = ctx.runtime
        self._key = ("random", ctx.op)
        options = ctx.options_or_default(RandomOptions)
        # The released LiteRT keeps the lower 32 bits of a seed, as a signed number.
        self._seeds = tuple(((int(s) + (1 << 31)) % (1 << 32)) - (1 << 31) for s in (options.seed, options.seed2))

    def take(self, blocks: int, skip: int) -> list[Uint32]:
        """Return ``blocks`` blocks for each sample, and move on by ``skip`` blocks per sample."""
        seeds = (secrets.randbits(64), secrets.randbits(64)) if self._seeds == (0, 0) else self._seeds
        state = self._runtime.resources.get(self._key, (*seeds, 0))
        seed, seed2, position = state
        samples = self._runtime.samples
        self._runtime.resources[self._key] = (seed, seed2, position + samples * skip)
        return [philox_stream(seed, seed2, position + i * skip, blocks) for i in range(samples)]


def _floats(ctx: KernelContext, *, normal: bool) -> Run:
    if ctx.outputs[0].type != TensorType.FLOAT32:
        raise ctx.unsupported(f"output of type {ctx.outputs[0].type.name}; LiteRT makes FLOAT32 only")
    ctx.input(0)
    stream = _Stream(ctx)
    convert = normal_float if normal else uniform_float

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        shape = tuple(int(n) for n in uniform(given(inputs[0])))
        if min(shape, default=0) < 0:
            raise ctx.execution_error(f"a shape with a negative length: {list(shape)}")
        count = math.prod(shape)
        blocks = -(-count // _BLOCK)
        values = [convert(words).reshape(-1)[:count] for words in stream.take(blocks, blocks)]
        return [np.stack(values).reshape(len(values), *shape)]

    return run


@kernel("RANDOM_UNIFORM", types=("float32",), pure=False)
def random_uniform(ctx: KernelContext) -> Run:
    """RANDOM_UNIFORM: floats in [0, 1)."""
    return _floats(ctx, normal=False)


@kernel("RANDOM_STANDARD_NORMAL", types=("float32",), pure=False)
def random_standard_normal(ctx: KernelContext) -> Run:
    """RANDOM_STANDARD_NORMAL: normal floats with mean 0 and deviation 1 (Box-Muller)."""
    return _floats(ctx, normal=True)


@kernel("MULTINOMIAL", types=("float32 -> int32", "float32 -> int64"), pure=False)
def multinomial(ctx: KernelContext) -> Run:
    """MULTINOMIAL: draws classes with the probabilities softmax(logits); infinite or NaN logits are impossible."""
    if ctx.input(0).type != TensorType.FLOAT32:
        raise ctx.unsupported(f"logits of type {ctx.input(0).type.name}")
    if ctx.outputs[0].type not in (TensorType.INT32, TensorType.INT64):
        raise ctx.unsupported(f"output of type {ctx.outputs[0].type.name}")
    ctx.input(1)
    stream = _Stream(ctx)
    dtype = ctx.outputs[0].dtype

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        logits, draws = given(inputs[0]), int(uniform(given(inputs[1])).reshape(-1)[0])
        if logits.ndim != 3 or logits.shape[2] == 0 or draws < 0:
            raise ctx.execution_error(f"{draws} draws from logits of shape {list(logits.shape[1:])}")
        rows = logits.shape[1]
        taken = stream.take(-(-rows * draws * 2 // _BLOCK), rows * ((draws + 3) // 4 * 4) * 2 * 256)
        results = [_draw(logits[min(i, len(logits) - 1)], words, draws) for i, words in enumerate(taken)]
        return [np.stack(results).astype(dtype)]

    return run


def _draw(logits: Array, words: Uint32, draws: int) -> Array:
    """Draw classes for the rows of [rows, classes] logits."""
    finite = np.isfinite(logits)
    lowest = np.finfo(np.float32).min
    largest = np.where(finite, logits, lowest).max(axis=1, keepdims=True).astype(np.float64)
    odds = np.where(finite, np.exp(logits.astype(np.float64) - largest), 0.0)
    steps = np.cumsum(odds, axis=1)
    flat = words.reshape(-1)
    unit = uniform_double(flat[0::2], flat[1::2])[: len(logits) * draws].reshape(len(logits), draws)
    target = unit * steps[:, -1:]
    result: Array = (steps[:, None, :] <= target[:, :, None]).sum(axis=2)
    return result


@kernel("STABLEHLO_RNG_BIT_GENERATOR", types=("uint64 -> int32, int64, uint32, uint64",))
def rng_bit_generator(ctx: KernelContext) -> Run:
    """STABLEHLO_RNG_BIT_GENERATOR: random bits from a state; the outputs are the next state and the bits.

    Source: LiteRT ``rng_bit_generator.cc``.
    """
    output = ctx.outputs[1]
    if output.dtype.kind not in "iu" or output.dtype.itemsize not in (4, 8):
        raise ctx.unsupported(f"output of type {output.type.name}")
    threes = ctx.options.algorithm == RngAlgorithm.THREEFRY
    if ctx.input(0).type != TensorType.UINT64:
        raise ctx.unsupported(f"state of type {ctx.input(0).type.name}")
    shape = output.shape
    words = math.prod(shape) * output.dtype.itemsize // 4

    def sample(state: Array) -> tuple[Array, Array]:
        halves = np.ascontiguousarray(state).view(np.uint32)
        key = int(halves[0]), int(halves[1])
        width = 2 if threes else 4
        blocks = -(-words // width)
        start = int(halves[2]) | int(halves[3]) << 32
        count = (np.uint64(start) + np.arange(blocks + 1, dtype=np.uint64)).astype(np.uint64)
        counters = np.empty((blocks + 1, width), np.uint32)
        counters[:, 0], counters[:, 1] = count & np.uint64(0xFFFFFFFF), count >> np.uint64(32)
        if not threes:
            counters[:, 2:] = halves[4:6] if len(state) == 3 else halves[:2]
        values = (threefry if threes else philox)(key, counters[:-1])
        after = halves.copy()
        after[2:4] = counters[-1, :2]
        return after.view(np.uint64), values.reshape(-1)[:words].copy().view(output.dtype).reshape(shape)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        states = given(inputs[0])
        if states.shape[1:] not in ((2,), (2 if threes else 3,)):
            raise ctx.execution_error(f"a state of shape {list(states.shape[1:])}")
        results = [sample(state) for state in states]
        return [np.stack([r[0] for r in results]), np.stack([r[1] for r in results])]

    return run

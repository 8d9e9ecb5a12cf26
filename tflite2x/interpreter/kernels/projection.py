# SPDX-License-Identifier: Apache-2.0
"""Operators of text features: LSH_PROJECTION, SKIP_GRAM. Sources: LiteRT kernels lsh_projection.cc, skip_gram.cc."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from tflite2x.interpreter.farmhash import fingerprint64
from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.kernels.layout import given, over_samples, sample_count, single_sample
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import LSHProjectionType


@kernel("LSH_PROJECTION", types=("float32 x any x float32 -> int32", "float32 x any -> int32"))
def lsh_projection(ctx: KernelContext) -> Run:
    """LSH_PROJECTION: one bit per seed, the sign of a (weighted) sum of hashes of the input's entries.

    An entry is one index of the first dimension; its bytes follow the four bytes of the seed. The DENSE form returns
    the bits, the SPARSE form one number per row of seeds, with the row's number above its bits. Of strings, LiteRT
    takes the memory of the whole tensor, lengths and all, and cuts it into as many entries; so does this.
    """
    form = getattr(ctx.options, "type", 0)
    if form not in (LSHProjectionType.SPARSE, LSHProjectionType.DENSE):
        raise ctx.unsupported(f"projection type {form!r}")
    ctx.input(0)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        seeds, x = uniform(given(inputs[0])), given(inputs[1])
        weights = given(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else None
        if x.dtype == object:
            single_sample(x)  # the bytes of an entry depend on the lengths of all strings
        if seeds.ndim != 2 or seeds.shape[1] > 32 or x.ndim < 2 or x.shape[1] < 1:
            raise ctx.execution_error(
                f"seeds of shape {list(seeds.shape)} (at most 32 columns) for an input of shape {list(x.shape[1:])}"
            )
        if weights is not None and weights.shape[1:] != x.shape[1:2]:
            raise ctx.execution_error(f"weights of shape {list(weights.shape[1:])} for {x.shape[1]} entries")
        values = _hash_entries(seeds.reshape(-1), _memory(x) if x.dtype == object else x)
        if weights is not None:
            count = sample_count(x, weights)
            values = over_samples(values, count) * over_samples(weights, count)[:, None, :].astype(np.float64)
        # LiteRT adds in float64 from the first entry to the last.
        bits = (np.add.accumulate(values, axis=2)[..., -1] > 0).astype(np.int32)
        if form == LSHProjectionType.DENSE:
            return [bits]
        rows, columns = seeds.shape
        place = np.arange(columns - 1, -1, -1)
        number = (bits.reshape(len(bits), rows, columns).astype(np.int64) << place).sum(2)
        return [(number + (np.arange(rows, dtype=np.int64) << columns)).astype(np.int32)]

    return run


def _memory(strings: Array) -> Array:
    """Return the bytes of a string tensor [1, entries, ...] in LiteRT (string_util.h), cut into equal entries.

    In front stand the number of strings and the places of their beginnings and of the end, as int32.
    """
    entries, flat = strings.shape[1], [bytes(s) for s in strings.reshape(-1)]
    places = np.cumsum([4 * (len(flat) + 2), *(len(s) for s in flat)])
    memory = np.concatenate([[len(flat)], places]).astype("<i4").tobytes() + b"".join(flat)
    size = len(memory) // entries
    return np.frombuffer(memory[: size * entries], np.uint8).reshape(1, entries, size)


def _hash_entries(seeds: Array, x: Array) -> Array:
    """Return float64 [samples, seeds, entries]: the fingerprint of seed and entry, taken as a signed number."""
    samples, entries = x.shape[:2]
    item = np.ascontiguousarray(x).reshape(samples, entries, -1).view(np.uint8).reshape(samples, 1, entries, -1)
    head = np.ascontiguousarray(seeds).view(np.uint8).reshape(1, -1, 1, 4)
    shape = (samples, head.shape[1], entries)
    keys = np.concatenate([np.broadcast_to(head, (*shape, 4)), np.broadcast_to(item, (*shape, item.shape[3]))], 3)
    return fingerprint64(keys.reshape(-1, keys.shape[3])).view(np.int64).astype(np.float64).reshape(shape)


@kernel("SKIP_GRAM", types=("string",))
def skip_gram(ctx: KernelContext) -> Run:
    """SKIP_GRAM: all n-grams of the words of the first string, with up to ``max_skip_size`` words left out in between.

    As in LiteRT, a first word behind white space is lost, unless it is the only one, which keeps its white space.
    """
    names = ("ngram_size", "max_skip_size", "include_all_ngrams")
    size, skip, shorter = (int(getattr(ctx.options, name, 0)) for name in names)
    ctx.input(0)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x = given(inputs[0])
        single_sample(x)
        if x.size == 0:
            raise ctx.execution_error("SKIP_GRAM needs a string")
        words = _words(bytes(x.reshape(-1)[0]))
        grams = list(_grams(words, size, skip, shorter)) if len(words) >= size else []
        result = np.empty((1, len(grams)), object)
        result[0, :] = grams
        return [result]

    return run


def _words(text: bytes) -> list[bytes]:
    words, begin = [], 0
    for space in re.finditer(rb"[ \t\n\v\f\r]", text):
        end = space.start()
        if end == 0:
            continue
        if end > begin and not text[begin : begin + 1].isspace():
            words.append(text[begin:end])
        begin = end + 1
    return [*words, text[begin:]] if len(text) > begin else words


def _grams(words: Sequence[bytes], size: int, skip: int, shorter: int) -> Iterator[bytes]:
    """Yield n-grams in LiteRT's order: for each beginning the longest continuations first."""

    def grow(gram: tuple[bytes, ...], last: int) -> Iterator[bytes]:
        if len(gram) < size:
            for following in range(last + 1, min(last + 2 + skip, len(words))):
                yield from grow((*gram, words[following]), following)
        if len(gram) == size or shorter:
            yield b" ".join(gram)

    for begin in range(len(words)):
        yield from grow((words[begin],), begin)

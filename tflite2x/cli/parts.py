# SPDX-License-Identifier: Apache-2.0
"""Samples run in parts, so that memory stays bounded and progress can be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite2x.cli.arrays import Array
    from tflite2x.interpreter import Interpreter


def run_in_parts(
    interpreter: Interpreter,
    arrays: Sequence[Array],
    size: int,
    label: str,
    *,
    resize: bool = False,
    signature: str | None = None,
) -> Iterator[list[Array]]:
    """Run samples, and yield the outputs of one part after the other.

    Every sample starts from the interpreter's state, and random numbers go on: models with either run in one piece.

    Args:
        interpreter: The interpreter.
        arrays: One array of samples per input.
        size: Samples in a part.
        label: What the progress line says.
        resize: As for ``Interpreter.run_batch``.
        signature: As for ``Interpreter.run_batch``.
    """
    from tflite2x.cli.progress import Progress

    samples = {len(array) for array in arrays if array.ndim}
    if len(samples) != 1 or max(samples) <= size or not _is_pure(interpreter):
        yield interpreter.run_batch(list(arrays), resize=resize, signature=signature)
        return
    (count,) = samples
    with Progress(label, count) as progress:
        for start in range(0, count, size):
            chunk = [array[start : start + size] for array in arrays]
            yield interpreter.run_batch(chunk, resize=resize, signature=signature)
            progress.step(len(chunk[0]))


def _is_pure(interpreter: Interpreter) -> bool:
    from tflite2x.interpreter.registry import find_kernel

    graphs = interpreter.model.subgraphs
    return all(find_kernel(op).pure for graph in graphs for op in graph.operators) and not any(
        tensor.is_variable for graph in graphs for tensor in graph.tensors
    )

# SPDX-License-Identifier: Apache-2.0
"""Running every entry point of a model on batches of samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import ExecutionError, RaggedOutputError, Tflite2xError, UnsupportedError
from tflite2x.interpreter import Interpreter
from tflite2x.verification.samples import generate_all, has_open_shape, stretch
from tflite2x.verification.structure import is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor
    from tflite2x.verification.config import Verify

Array = NDArray[Any]

#: Calls in a row for models with state; each takes the samples in another order.
CALLS = 3
#: Bytes of tensor values that are kept from one pass to the next.
MEMORY = 256 * 1024 * 1024
#: Samples with other lengths along open dimensions, and that length.
OPEN_SAMPLES, OPEN_LENGTH = 2, 2


@dataclasses.dataclass(slots=True)
class Batch:
    """Samples for one entry point.

    Attributes:
        graph: The subgraph of the model as it is now.
        inputs: Arrays [N, *shape], one per input of ``graph``.
        resize: The shapes are others than those in the file.
        values: What the tensors of ``graph`` hold for these samples, as far as it is known.
    """

    graph: Subgraph
    inputs: list[Array]
    resize: bool = False
    values: dict[Tensor, Array] = dataclasses.field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.inputs[0]) if self.inputs else 1


def entry_points(model: Model) -> list[Subgraph]:
    """Return the subgraphs that callers enter: those of signatures, or else the main one, in model order."""
    entered = {signature.subgraph for signature in model.signatures}
    return [g for i, g in enumerate(model.subgraphs) if g in entered or (i == 0 and (g.inputs or g.outputs))]


def run_batches(interpreter: Interpreter, batches: Sequence[Batch]) -> list[list[Array]]:
    """Run all batches and return the outputs of each; a model with state is called several times in a row.

    Args:
        interpreter: Runs the model, from the beginning.
        batches: Samples; ``graph`` belongs to the model.
    """
    stateful = is_stateful(interpreter.model.subgraphs)
    interpreter.reset()
    found: list[list[list[Array]]] = [[] for _ in batches]
    for call in range(CALLS if stateful else 1):
        for batch, results in zip(batches, found, strict=True):
            inputs = [np.roll(a, call, axis=0) for a in batch.inputs] if call else batch.inputs
            results.append(_run(interpreter, batch, inputs))
    return [
        results[0] if len(results) == 1 else [np.concatenate(parts) for parts in zip(*results, strict=True)]
        for results in found
    ]


def failing_batch(interpreter: Interpreter, batches: Sequence[Batch]) -> tuple[int, Tflite2xError] | None:
    """Return the number of the first batch that does not run, and why; None when each of them runs alone."""
    for i, batch in enumerate(batches):
        try:
            run_batches(interpreter, [batch])
        except Tflite2xError as error:
            return i, error
    return None


def _run(interpreter: Interpreter, batch: Batch, inputs: list[Array]) -> list[Array]:
    if batch.inputs and _can_keep(batch, inputs):
        values = interpreter.trace(inputs, batched=True, subgraph=batch.graph, resize=batch.resize)
        if all(t in values for t in batch.graph.outputs):
            batch.values = values
            return [values[t] for t in batch.graph.outputs]
    if batch.inputs:
        return interpreter.run_batch(inputs, subgraph=batch.graph, resize=batch.resize)
    return [a[None] for a in interpreter.run([], subgraph=batch.graph)]


def _can_keep(batch: Batch, inputs: list[Array]) -> bool:
    """Whether the values of all tensors may be kept: no state, no calls, and not too much memory."""
    if inputs is not batch.inputs or is_stateful(batch.graph.model.subgraphs):
        return False
    if any(op.calls for op in batch.graph.operators):
        return False
    graph = batch.graph
    tensors = (*graph.inputs, *(t for op in graph.operators for t in op.outputs if t is not None))
    return batch.count * sum(t.nbytes for t in tensors) <= MEMORY


def make_batches(interpreter: Interpreter, config: Verify) -> tuple[list[Batch], list[list[Array]], list[str]]:
    """Make the samples that a model runs on.

    Random integers that turn out to be indices beyond their tensor are restricted to 0 and 1.

    Args:
        interpreter: Runs the model.
        config: What the user asked for.

    Returns:
        The batches, the outputs of the model for each, and remarks.

    Raises:
        UnsupportedError: The interpreter cannot run the model.
        ExecutionError: The model does not run on the samples.
    """
    model = interpreter.model
    graphs = entry_points(model)
    if config.own is not None:
        batches = [Batch(g, config.own_samples(g), resize=True) for g in graphs if g.inputs]
        return *run_apart(interpreter, batches), []
    notes: list[str] = []
    batches = [Batch(g, generate_all(g, config.count, config.seed)) for g in graphs]
    try:
        batches, outputs = run_apart(interpreter, batches)
    except ExecutionError as error:
        notes.append(f"integer inputs restricted to 0 and 1 ({error.what})")
        batches = [Batch(g, generate_all(g, config.count, config.seed, restricted=True)) for g in graphs]
        batches, outputs = run_apart(interpreter, batches)
    if not is_stateful(model.subgraphs):
        for graph, batch in {b.graph: b for b in batches}.items():
            if has_open_shape(graph):
                # The last samples are random ones.
                pairs = zip(batch.inputs, graph.inputs, strict=True)
                extra = Batch(graph, [stretch(a[-OPEN_SAMPLES:], t, OPEN_LENGTH) for a, t in pairs], resize=True)
                try:
                    outputs += run_batches(interpreter, [extra])
                    batches.append(extra)
                except (ExecutionError, UnsupportedError):
                    notes.append(f"{graph.where} does not run with {OPEN_LENGTH} along its open dimensions")
    return batches, outputs, notes


def run_apart(interpreter: Interpreter, batches: list[Batch]) -> tuple[list[Batch], list[list[Array]]]:
    """Run batches; where the shapes of outputs follow from values, make every sample a batch of its own first."""
    try:
        return batches, run_batches(interpreter, batches)
    except RaggedOutputError:
        if is_stateful(interpreter.model.subgraphs):
            raise
        apart = [Batch(b.graph, [a[i : i + 1] for a in b.inputs], b.resize) for b in batches for i in range(b.count)]
        return apart, run_batches(interpreter, apart)

# SPDX-License-Identifier: Apache-2.0
"""Two models with inputs of their own, and what the later one should compute: what a reproducer replays."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.interpreter import Interpreter
from tflite2x.verification.adapt import Expectation, Trail
from tflite2x.verification.compare import Comparison, compare
from tflite2x.verification.locate import difference
from tflite2x.verification.pair import PairResult, is_unknown
from tflite2x.verification.running import Batch, run_batches
from tflite2x.verification.session import cannot_verify
from tflite2x.verification.structure import is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph
    from tflite2x.rewrite.interface import SubgraphLinks

Array = NDArray[Any]
#: Kinds of NumPy types that every .npz file keeps, and that inputs may have when they are given by name.
_PLAIN = "biufcO"


@dataclasses.dataclass(slots=True)
class Call:
    """Samples of one entry point.

    Attributes:
        before: Samples for the model before the pass.
        after: The same samples as the model after it takes them.
        outputs: What the model before computes. Of a model with state, what several rounds of calls in a row compute,
            one behind the other; see ``running.run_batches``.
        expected: What the model after should compute.
    """

    before: Batch
    after: Batch
    outputs: list[Array]
    expected: list[Expectation]


@dataclasses.dataclass(slots=True)
class Recording:
    """Two models and the calls that tell them apart.

    Attributes:
        before: The model before the pass.
        after: The model after it.
        calls: In this order; what one leaves behind in a model with state, the next one sees.
        rounding: Rounding contract of the interpreter.
    """

    before: Model
    after: Model
    calls: list[Call]
    rounding: Literal["single", "double"] = "single"

    @property
    def stateful(self) -> bool:
        """Whether a call may leave something behind that later calls see."""
        return any(is_stateful(model.subgraphs) for model in (self.before, self.after))

    @property
    def plain(self) -> bool:
        """Whether both files and one file of inputs say it all: one entry point, one interface, no state."""
        if len(self.calls) != 1 or self.stateful:
            return False
        (call,) = self.calls
        graphs = call.before.graph, call.after.graph
        return (
            graphs == (self.before.main, self.after.main)
            and not (self.before.signatures or self.after.signatures)
            and bool(call.before.inputs)
            and len(call.before.inputs) == len(call.after.inputs)
            and all(compare(a, b).equal for a, b in zip(call.before.inputs, call.after.inputs, strict=True))
            and all(_declared(a, t) for b in (call.before, call.after) for a, t in _inputs(b))
            and len(call.outputs) == len(call.expected)
            and all(e.value is a and not e.pending for a, e in zip(call.outputs, call.expected, strict=True))
            and [t.dtype for t in graphs[0].outputs] == [t.dtype for t in graphs[1].outputs]
        )

    def play(self) -> PairResult:
        """Run both models on their inputs and compare the later one with what is expected of it.

        Raises:
            UnsupportedError: An operator has no kernel.
            ExecutionError: The model before does not run on its inputs.
        """
        started = time.perf_counter()
        notes = []
        for call, outputs in zip(
            self.calls, run(self.before, [c.before for c in self.calls], self.rounding), strict=True
        ):
            if not all(compare(a, b).equal for a, b in zip(call.outputs, outputs, strict=True)):
                notes = ["before.tflite does not compute expected.npz any more"]
        total, first, failed = Comparison(), None, ""
        try:
            results = run(self.after, [c.after for c in self.calls], self.rounding)
        except (UnsupportedError, ExecutionError) as error:
            if is_unknown(self.after, error):
                raise cannot_verify(error) from error
            results, failed = [], str(error)
        for call, outputs in zip(self.calls, results, strict=not failed):
            for i, (expected, actual) in enumerate(zip(call.expected, outputs, strict=True)):
                if expected.value is None:
                    continue
                adapted = expected.adapted(actual)
                value = expected.value[: len(adapted)]  # what does not fill the last of the larger samples is left out
                found = compare(value, adapted)
                total.add(found)
                if first is None and not found.equal:
                    tensor = call.after.graph.outputs[i]
                    where = call.after.graph.where if tensor.producer is None else tensor.producer.where
                    first = difference(tensor.name, where, value, adapted)
        return PairResult(
            samples=sum(call.before.count for call in self.calls),
            **total.summary(),
            first=first,
            adapters=tuple(r.text for c in self.calls for e in c.expected for r in e.pending),
            notes=tuple(notes),
            shapes=total.shapes,
            failure=failed,
            ms=(time.perf_counter() - started) * 1e3,
        )


def record(
    before: Model,
    after: Model,
    batches: Sequence[tuple[Batch, Batch]],
    links: Mapping[Subgraph, SubgraphLinks],
    rounding: Literal["single", "double"] = "single",
) -> Recording:
    """Run the model before a pass and note what the model after it should compute.

    Args:
        before: The model before the pass.
        after: The model after it.
        batches: Samples for both, by entry point.
        links: How the interface of each subgraph of ``after`` changed.
        rounding: Rounding contract of the interpreter.

    Raises:
        UnsupportedError: The model before does not run.
        ExecutionError: The model before does not run on its inputs.
    """
    recording = Recording(before, after, [], rounding)
    outputs = run(before, [b for b, _ in batches], rounding)
    for (old, new), values in zip(batches, outputs, strict=True):
        trail = Trail(values)
        trail.follow(links.get(new.graph))
        recording.calls.append(Call(old, new, values, trail.expected))
    return recording


def run(model: Model, batches: Sequence[Batch], rounding: Literal["single", "double"] = "single") -> list[list[Array]]:
    """Run a model from the beginning on batches of any shape and return the outputs of each."""
    fitting = [dataclasses.replace(b, values={}, resize=_resized(b)) for b in batches]
    return run_batches(Interpreter(model, rounding), fitting)


def _resized(batch: Batch) -> bool:
    return any(a.shape[1:] != tuple(t.shape) for a, t in _inputs(batch))


def _inputs(batch: Batch) -> list[tuple[Array, Any]]:
    return list(zip(batch.inputs, batch.graph.inputs, strict=True))


def _declared(array: Array, tensor: Any) -> bool:
    return array.shape[1:] == tuple(tensor.shape) and array.dtype.kind in _PLAIN

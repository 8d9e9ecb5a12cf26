# SPDX-License-Identifier: Apache-2.0
"""Comparing two models from anywhere."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

from tflite2x.errors import ExecutionError, InputError, Tflite2xError, UnsupportedError
from tflite2x.interpreter import Interpreter, KernelCache
from tflite2x.interpreter.registry import find_kernel
from tflite2x.rewrite.pipeline import Step
from tflite2x.rewrite.report import Difference, NotRun, plain
from tflite2x.rewrite.result import PassResult
from tflite2x.verification.adapt import Trail, follow_inputs
from tflite2x.verification.align import align_entries, align_interface, align_tensors
from tflite2x.verification.compare import Comparison
from tflite2x.verification.config import Samples, Verify
from tflite2x.verification.failure import Failure, crash
from tflite2x.verification.locate import operator_at
from tflite2x.verification.oracle import second_opinion
from tflite2x.verification.partial import PartialCheck
from tflite2x.verification.running import Batch, failing_batch, make_batches, run_batches
from tflite2x.verification.session import cannot_verify
from tflite2x.verification.structure import find_changes

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph
    from tflite2x.rewrite.interface import SubgraphLinks


@dataclasses.dataclass(frozen=True, slots=True)
class PairResult:
    """How two models compare.

    Attributes:
        samples: How many samples ran, over all entry points; 0 where both models cannot run as a whole and compute the
            same expressions.
        worst_lsb: Largest difference of a quantized or integer output, in LSB; None without such outputs.
        worst_relative: Largest difference of a float output relative to its largest magnitude; None without such
            outputs.
        share: Share of output values that differ, 0 to 1.
        distribution: Number of integer output values by difference in LSB.
        first: The first tensor that differs; None when nothing does.
        adapters: Conversions at the interface, as texts.
        notes: Remarks, such as samples that had to be restricted.
        shapes: Shapes or types of outputs that do not agree; empty when all do.
        failure: Why the second model does not run on samples on which the first one runs; empty when it does.
        not_run: Operators that cannot run, which both models have in common. What they compute was made up, equally for
            both, and what they read was compared.
        ms: Time that it took.
    """

    samples: int
    worst_lsb: float | None
    worst_relative: float | None
    share: float
    distribution: dict[str, int]
    first: Difference | None
    adapters: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shapes: str = ""
    failure: str = ""
    not_run: tuple[NotRun, ...] = ()
    ms: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether both models run and all outputs are equal bit for bit."""
        return not self.share and not self.shapes and not self.failure

    def within(self, lsb: float = 0, relative: float = 0.0) -> bool:
        """Whether outputs differ by at most ``lsb`` (integers) and ``relative`` of the largest magnitude (floats)."""
        if self.equal:
            return True
        return (
            not self.shapes
            and not self.failure
            and (self.worst_lsb or 0.0) <= lsb
            and (self.worst_relative or 0.0) <= relative
            and (lsb > 0 or relative > 0)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return plain({"equal": self.equal, **dataclasses.asdict(self)})  # type: ignore[no-any-return]


def verify(
    model_a: Model | str | os.PathLike[str],
    model_b: Model | str | os.PathLike[str],
    *,
    samples: Samples = 32,
    seed: int = 0,
    adapt: bool = False,
    rounding: Literal["single", "double"] = "single",
    oracle: Literal["litert"] | None = None,
) -> PairResult:
    """Compare what two models compute on the same samples.

    Args:
        model_a: A model, or its path. Samples are made for its interface.
        model_b: The other one.
        samples: Number of samples, or the user's own (an ``.npz`` file or arrays by input name).
        seed: Seed of random samples.
        adapt: Convert where the types of the interfaces differ, as the tensors' quantization declares.
        rounding: Rounding contract of the interpreter.
        oracle: ``litert`` runs LiteRT beside the interpreter where it can; what it says is among the notes.

    Raises:
        InputError: The interfaces do not match.
        UnsupportedError: An operator cannot run, and is not the same in both models.
    """
    started = time.perf_counter()
    a, b = _model(model_a), _model(model_b)
    config, kernels = Verify(samples, seed, rounding=rounding), KernelCache()
    entries = dict(align_entries(a, b))
    links = {x: align_interface(x, y, adapt=adapt) for x, y in entries.items()}
    try:
        batches, expected, notes = make_batches(Interpreter(a, rounding, kernels=kernels), config)
    except (UnsupportedError, ExecutionError):
        return _in_part(a, b, entries, links, config, kernels, started)
    batches, expected = _known(batches, expected, entries)
    others = [
        Batch(entries[batch.graph], follow_inputs(batch.inputs, links[batch.graph], []), batch.resize)
        for batch in batches
    ]
    total, first, failed = Comparison(), None, ""
    try:
        actual = run_batches(Interpreter(b, rounding, kernels=kernels), others)
    except (UnsupportedError, ExecutionError) as error:
        if is_unknown(b, error):
            raise cannot_verify(error) from error
        failed, actual = str(error), []
        i, why = failing_batch(Interpreter(b, rounding, kernels=kernels), others) or (0, error)
        tensors = align_tensors(batches[i].graph, others[i].graph, links[batches[i].graph])
        first = crash("", (a, batches[i]), (b, others[i]), tensors, why, rounding).locate_failing(why)
    if oracle is not None and not failed:
        notes = [*notes, f"A: {second_opinion(a, batches, expected)}", f"B: {second_opinion(b, others, actual)}"]
    for batch, other, want, got in zip(batches, others, expected, actual, strict=not failed):
        trail = Trail(want)
        trail.follow(links[batch.graph])
        found, _ = trail.compare(got)
        total.add(found)
        if first is None and not found.equal:
            tensors = align_tensors(batch.graph, other.graph, links[batch.graph])
            first = Failure("", (a, batch), (b, other), tensors, rounding).locate(trail, got)
    return PairResult(
        samples=sum(batch.count for batch in batches),
        **total.summary(),
        first=first,
        adapters=_adapters(links),
        notes=tuple(notes),
        shapes=total.shapes,
        failure=failed,
        ms=(time.perf_counter() - started) * 1e3,
    )


def _in_part(
    a: Model,
    b: Model,
    entries: dict[Subgraph, Subgraph],
    links: dict[Subgraph, SubgraphLinks],
    config: Verify,
    kernels: KernelCache,
    started: float,
) -> PairResult:
    """Compare models that cannot run as a whole, without the operators that cannot run."""
    subgraphs = dict(zip(b.subgraphs, a.subgraphs, strict=False)) | {y: x for x, y in entries.items()}
    every = {y: links[x] if x in links else align_interface(x, y, adapt=False) for y, x in subgraphs.items()}
    tensors = {new: old for y, x in subgraphs.items() for new, old in align_tensors(x, y, every[y]).items()}
    result = PassResult(modified=True)
    step = Step("", a, b, result, result.claim, every, subgraphs, tensors, _once)
    changes = find_changes(a, b, subgraphs, tensors, every)
    verdict = PartialCheck(config, kernels).check(step, changes, search=True)
    return PairResult(
        samples=verdict.samples,
        worst_lsb=verdict.worst_lsb,
        worst_relative=verdict.worst_relative,
        share=verdict.share,
        distribution=verdict.distribution,
        first=verdict.first,
        adapters=_adapters(links),
        notes=tuple(verdict.notes),
        failure="" if verdict.passed or verdict.share else verdict.reason,
        not_run=tuple(verdict.not_run),
        ms=(time.perf_counter() - started) * 1e3,
    )


def _once(places: Collection[str]) -> Step:
    raise InputError(f"two models are no pass that could be run again at {len(places)} places")


def _adapters(links: dict[Subgraph, SubgraphLinks]) -> tuple[str, ...]:
    return tuple(k.adapter.text for s in links.values() for k in (*s.inputs, *s.outputs) if k.adapter is not None)


def is_unknown(model: Model, error: Tflite2xError) -> bool:
    """Whether an operator that has no kernel at all is why a model does not run, which says nothing about it."""
    op = operator_at(model, error)
    try:
        return op is None or find_kernel(op) is None
    except UnsupportedError:
        return True


def _known(batches: list[Batch], outputs: list[Any], entries: dict[Any, Any]) -> tuple[list[Batch], list[Any]]:
    kept = [(b, o) for b, o in zip(batches, outputs, strict=True) if b.graph in entries]
    return [b for b, _ in kept], [o for _, o in kept]


def _model(source: Model | str | os.PathLike[str]) -> Model:
    from tflite2x.ir import Model, load

    if isinstance(source, Model):
        return source
    try:
        return load(source)
    except Tflite2xError as error:
        path = str(os.fspath(source))
        raise (error if path in str(error) else error.at(path)) from None

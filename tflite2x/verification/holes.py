# SPDX-License-Identifier: Apache-2.0
"""Models with operators that the interpreter cannot run: taking these out, so that the rest can be checked.

What such an operator computes becomes an input, and what it reads becomes an output. When two versions of a model
compute equal outputs for all values of these inputs, and the operators that were taken out are the same in both, then
the versions are equal.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tflite2x.errors import ExecutionError, UnsupportedError
from tflite2x.interpreter import Interpreter, KernelCache
from tflite2x.interpreter.registry import find_kernel
from tflite2x.verification.locate import operator_at
from tflite2x.verification.running import Batch, entry_points, make_batches, run_apart
from tflite2x.verification.samples import generate

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Subgraph, Tensor
    from tflite2x.verification.config import Verify

_OPERATOR = re.compile(r"subgraphs\[(\d+)\]\.operators\[(\d+)\]")


@dataclasses.dataclass(slots=True)
class Punched:
    """A copy of a model without some operators.

    Attributes:
        model: The copy.
        graphs: Subgraphs of the model with their copies.
        tensors: Tensors of the model with their copies.
        kept: For each subgraph, the numbers of the operators that the copy still has.
    """

    model: Model
    graphs: dict[Subgraph, Subgraph]
    tensors: dict[Tensor, Tensor]
    kept: list[list[int]]

    def holds(self, op: Operator) -> bool:
        """Whether an operator of the model is in the copy."""
        return op.index in self.kept[op.subgraph.index]

    def original(self, text: str) -> str:
        """Return a text about the copy with the operators numbered as in the model."""

        def number(found: re.Match[str]) -> str:
            graph, index = int(found[1]), int(found[2])
            return f"subgraphs[{graph}].operators[{self.kept[graph][index]}]"

        return _OPERATOR.sub(number, text)


def punch(model: Model, holes: Sequence[Operator], reads: Mapping[Operator, Sequence[int]] | None = None) -> Punched:
    """Return a copy of a model without some operators.

    Their outputs become inputs behind those that the subgraph has, in the order of ``holes``; what they read becomes
    outputs. Subgraphs that they call become entry points.

    Args:
        model: The model, which stays as it is.
        holes: The operators to take out.
        reads: Which of their inputs to put out; all that are no constants when left out.
    """
    copy = model.clone()
    graphs = dict(zip(model.subgraphs, copy.subgraphs, strict=True))
    tensors = {t: c for g, k in graphs.items() for t, c in zip(g.tensors, k.tensors, strict=True)}
    twins = {op: graphs[op.subgraph].operators[op.index] for op in holes}
    entered = {signature.subgraph for signature in copy.signatures} | {copy.main}
    called = {twin: list(twin.calls.values()) for twin in twins.values()}
    for graph in copy.subgraphs:
        own = [op for op in holes if graphs[op.subgraph] is graph]
        made = [t for op in own for t in twins[op].outputs]
        read = [twins[op].inputs[i] for op in own for i in (_computed(op) if reads is None else reads[op])]
        for op in own:
            twins[op].set_outputs(())
        graph.remove_operators([twins[op] for op in own])
        graph.set_inputs([*graph.inputs, *made])
        graph.set_outputs([*graph.outputs, *(t for t in read if t is not None)])
    for graph in dict.fromkeys(g for one in called.values() for g in one):
        if graph not in entered:
            inputs = {f"in_{i}": t for i, t in enumerate(graph.inputs)}
            outputs = {f"out_{i}": t for i, t in enumerate(graph.outputs)}
            copy.add_signature(f"called subgraph {graph.index}", graph, inputs=inputs, outputs=outputs)
    kept = [[i for i, op in enumerate(g.operators) if op not in twins] for g in model.subgraphs]
    return Punched(copy, graphs, tensors, kept)


def _computed(op: Operator) -> list[int]:
    return [i for i, t in enumerate(op.inputs) if t is not None and not t.is_constant]


@dataclasses.dataclass(slots=True)
class Runnable:
    """What of a model can run.

    Attributes:
        holes: The operators that cannot, each with the reason.
        punched: The model without them.
        batches: Samples for it.
        notes: Remarks on the samples.
    """

    holes: dict[Operator, str]
    punched: Punched
    batches: list[Batch]
    notes: list[str]


def find_runnable(model: Model, config: Verify, kernels: KernelCache) -> Runnable:
    """Find the operators that cannot run, by taking them out until the rest runs.

    Args:
        model: The model.
        config: What samples to make.
        kernels: Kernels that are prepared already.

    Raises:
        UnsupportedError: It does not run for another reason.
        ExecutionError: It does not run for another reason.
    """
    operators = [op for graph in model.subgraphs for op in graph.operators]
    holes: dict[Operator, str] = {}
    for op in operators:
        try:
            find_kernel(op)
        except UnsupportedError as error:
            holes[op] = error.what
    while True:
        _add_callers(operators, holes)
        ordered = {op: holes[op] for op in operators if op in holes}
        punched = punch(model, list(ordered))
        try:
            return Runnable(ordered, punched, *_batches(model, punched, config, kernels))
        except (UnsupportedError, ExecutionError) as error:
            failed = operator_at(punched.model, error)
            if failed is None:
                raise
            graph = model.subgraphs[failed.subgraph.index]
            holes[graph.operators[punched.kept[graph.index][failed.index]]] = error.what


def _add_callers(operators: Sequence[Operator], holes: dict[Operator, str]) -> None:
    """Take out operators whose subgraphs have another interface without the operators that cannot run."""
    changed = True
    while changed:
        changed = False
        graphs = {op.subgraph for op in holes}
        for op in operators:
            inside = [g for g in op.calls.values() if g in graphs] if op not in holes else []
            if inside:
                holes[op] = f"it calls {inside[0].where}, where an operator cannot run"
                changed = True


def _batches(model: Model, punched: Punched, config: Verify, kernels: KernelCache) -> tuple[list[Batch], list[str]]:
    interpreter = Interpreter(punched.model, config.rounding, kernels=kernels)
    if config.own is None:
        batches, _, notes = make_batches(interpreter, config)
        return batches, notes
    batches = []
    originals = {copy: graph for graph, copy in punched.graphs.items()}
    for graph in entry_points(punched.model):
        own = config.own_samples(originals[graph])
        count = len(own[0]) if own else 1
        more = [generate(t, count, config.seed, position=i) for i, t in enumerate(graph.inputs) if i >= len(own)]
        batches.append(Batch(graph, [*own, *more], resize=True))
    batches, _ = run_apart(interpreter, batches)
    return batches, []

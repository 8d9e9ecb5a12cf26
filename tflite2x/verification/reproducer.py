# SPDX-License-Identifier: Apache-2.0
"""A failed check on disk: the smallest sub-model around it, before and after, with inputs and expected outputs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import InputError, Tflite2xError
from tflite2x.interpreter import Interpreter
from tflite2x.ir.files import dumps, write_file
from tflite2x.rewrite.extract import extract
from tflite2x.verification.compare import compare
from tflite2x.verification.failure import Failure
from tflite2x.verification.locate import first_pair
from tflite2x.verification.pair import PairResult, verify
from tflite2x.verification.running import run_batches
from tflite2x.verification.structure import is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor

Array = NDArray[Any]
#: Samples kept.
_KEPT = 4

_README = """Reproducer of a failed check of tflite2x.

pass: {name}
what: {what}

before.tflite   the model before the pass, cut down to {operators} operators around the first tensor that differs
after.tflite    the same part after the pass
inputs.npz      {count} samples
expected.npz    what before.tflite computes from them
replay.json     how both were compared

Replay: tflite2x verify {folder}
    or: tflite2x verify before.tflite after.tflite --samples inputs.npz{adapt}
"""


def reproduce(failure: Failure, folder: str | os.PathLike[str], what: str = "") -> Path:
    """Write a reproducer.

    Args:
        failure: ``CheckFailedError.failure``.
        folder: Where to write; made when it does not exist.
        what: What went wrong, for the README.

    Returns:
        The folder, with ``before.tflite``, ``after.tflite``, ``inputs.npz``, ``expected.npz``, ``replay.json`` and
        ``README.txt``.

    Raises:
        FileAccessError: The folder cannot be written.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    before, after, inputs = _cut(failure) or _whole(failure)
    adapt = [(a.dtype, a.shape) for a in before.main.inputs] != [(b.dtype, b.shape) for b in after.main.inputs] or [
        a.dtype for a in before.main.outputs
    ] != [b.dtype for b in after.main.outputs]
    names = _name_interface(before)
    _name_interface(after)
    outputs = _outputs(before, inputs, failure)
    text = _README.format(
        name=failure.name,
        what=what,
        operators=sum(len(g.operators) for g in before.subgraphs),
        count=len(inputs[0]) if inputs else 1,
        folder=path,
        adapt=" --adapt" if adapt else "",
    )
    write_file(path / "before.tflite", [dumps(before)])
    write_file(path / "after.tflite", [dumps(after)])
    write_file(path / "inputs.npz", [_npz(names, inputs)])
    write_file(path / "expected.npz", [_npz([t.name or "" for t in before.main.outputs], outputs)])
    how = {"pass": failure.name, "what": what, "adapt": adapt, "rounding": failure.rounding}
    write_file(path / "replay.json", [json.dumps(how, indent=2).encode() + b"\n"])
    write_file(path / "README.txt", [text.encode()])
    return path


def replay(folder: str | os.PathLike[str]) -> PairResult:
    """Compare the two models of a reproducer once more.

    Args:
        folder: What ``reproduce`` returned.

    Raises:
        InputError: The folder holds no reproducer.
    """
    path = Path(folder)
    try:
        how = json.loads((path / "replay.json").read_bytes())
        adapt, rounding = bool(how["adapt"]), how["rounding"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} holds no reproducer: {error}",
            hint="Give the folder that --reproducer wrote, or two .tflite files.",
        ) from None
    names = (path / "before.tflite", path / "after.tflite")
    return verify(*names, samples=path / "inputs.npz", adapt=adapt, rounding=rounding)


def _outputs(model: Model, inputs: list[Array], failure: Failure) -> list[Array]:
    interpreter = Interpreter(model, rounding=failure.rounding)
    return interpreter.run_batch(inputs, resize=True) if inputs else [a[None] for a in interpreter.run([])]


def _npz(names: Sequence[str], arrays: Sequence[Array]) -> bytes:
    file = io.BytesIO()
    plain = [a.astype(np.bytes_) if a.dtype.kind == "O" else a for a in arrays]
    named: Any = dict(zip(names, plain, strict=True))
    np.savez(file, **named)
    return file.getvalue()


def _name_interface(model: Model) -> list[str]:
    """Give inputs and outputs names that hold for both models."""
    graph = model.main
    for kind, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for i, tensor in enumerate(tensors):
            tensor.name = f"{kind}_{i}"
    return [t.name or "" for t in graph.inputs]


def _cut(failure: Failure) -> tuple[Model, Model, list[Array]] | None:
    """Return both sub-models around the first tensor that differs, and inputs; None where that is not possible."""
    if not failure.before[1].inputs:
        return None
    try:
        old, new = failure.traces(failure.before[1], failure.after[1])
        pair = failure.pair or first_pair(old, new, failure.tensors)
        if pair is None or pair[0].producer is None or pair[1].producer is None:
            return None
        first, counterpart = pair
        equal = _equal_pairs(failure, old, new)
        back = {b: a for a, b in equal.items()}
        # What either model computes the tensor from, and both have.
        ahead = _frontier(first, set(equal) - {first}), _frontier(counterpart, set(back) - {failure.tensors.get(first)})
        inputs = list(dict.fromkeys([*ahead[0], *(back[t] for t in ahead[1])]))
        counterparts = [equal[t] for t in inputs]
        before = extract(counterpart.subgraph, counterparts, [counterpart])
        after = extract(first.subgraph, inputs, [first])
        arrays = [old[t] for t in counterparts]
        if first in new and counterpart in old and first.subgraph is failure.after[1].graph:
            arrays = _differing(arrays, [old[counterpart]], [new[first]])
        arrays = [a[:_KEPT] for a in arrays]
        named = dict(zip(_name_interface(before), arrays, strict=True))
        _name_interface(after)
        if verify(before, after, samples=named, rounding=failure.rounding).equal:
            return None  # the difference needs what lies further ahead
    except Tflite2xError:
        return None
    return before, after, arrays


def _differing(inputs: Sequence[Array], expected: Sequence[Array], actual: Sequence[Array]) -> list[Array]:
    """Return the inputs of the samples that differ, or all of them when none does."""
    count = len(inputs[0]) if inputs else 0
    if any(len(a) != count for a in (*expected, *actual)):
        return list(inputs)
    pairs = list(zip(expected, actual, strict=True))
    places = [i for i in range(count) if any(not compare(a[i], b[i]).equal for a, b in pairs)]
    return [a[places] for a in inputs] if places else list(inputs)


def _equal_pairs(failure: Failure, old: dict[Tensor, Array], new: dict[Tensor, Array]) -> dict[Tensor, Tensor]:
    """Return the computed tensors that hold the same in both models, with their counterparts before the pass."""
    found = {}
    for tensor, value in new.items():
        counterpart = failure.tensors.get(tensor)
        if counterpart is None or counterpart not in old or tensor.is_constant or counterpart.is_constant:
            continue
        if compare(old[counterpart], value).equal:
            found[tensor] = counterpart
    return found


def _frontier(first: Tensor, known: set[Tensor]) -> list[Tensor]:
    """Return the nearest tensors in front of ``first`` that are known; inputs of the graph end the search."""
    found: dict[Tensor, None] = {}
    waiting = [first.producer]
    seen = set(waiting)
    while waiting:
        op = waiting.pop()
        for tensor in op.inputs if op is not None else ():
            if tensor is None or tensor.is_constant:
                continue
            if tensor in known:
                found[tensor] = None
            elif tensor.producer is not None and tensor.producer not in seen:
                seen.add(tensor.producer)
                waiting.append(tensor.producer)
    return list(found)


def _whole(failure: Failure) -> tuple[Model, Model, list[Array]]:
    """Return both models as they are, without other entry points."""
    models = []
    for model, batch in (failure.before, failure.after):
        copy = model.clone()
        graph = copy.subgraphs[batch.graph.index]
        models.append(_alone(copy, graph))
    inputs = failure.before[1].inputs
    if failure.failing is None and len(inputs) and not is_stateful(failure.before[0].subgraphs):
        (expected,), (actual,) = (
            run_batches(Interpreter(m, failure.rounding), [b]) for m, b in (failure.before, failure.after)
        )
        if len(expected) == len(actual):
            inputs = _differing(inputs, expected, actual)
    return models[0], models[1], [a[:_KEPT] for a in inputs]


def _alone(model: Model, graph: Subgraph) -> Model:
    for signature in model.signatures:
        model.remove_signature(signature)
    if graph is not model.main:
        model.set_subgraphs([graph, *(g for g in model.subgraphs if g is not graph)])
    return model

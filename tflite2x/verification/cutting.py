# SPDX-License-Identifier: Apache-2.0
"""What of two models shows a failed check: the smallest part around the first difference, or as much as it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.rewrite.extract import extract
from tflite2x.verification.compare import compare
from tflite2x.verification.failure import Failure
from tflite2x.verification.locate import first_pair
from tflite2x.verification.recording import Call, Recording, record, run
from tflite2x.verification.running import Batch

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor

Array = NDArray[Any]
#: Samples kept.
_KEPT = 4


@dataclasses.dataclass(slots=True)
class Part:
    """A part of two models.

    Attributes:
        recording: The part, with samples.
        extent: How much it is, as text.
        shows: Whether it shows the difference.
    """

    recording: Recording
    extent: str
    shows: bool


def smallest(failure: Failure) -> Part:
    """Return the smallest part found that shows the difference, or else the largest one that runs.

    The operators around the first tensor that differs are tried, then the model behind one entry point with few and
    with all samples, then everything.

    Raises:
        Tflite2xError: Not even everything runs.
    """
    ways: dict[Callable[[Failure], Recording | None], str] = {
        _around: "cut down to {} operators around the first tensor that differs",
        _few: "its {} operators and one of its entry points",
        _one_entry: "its {} operators and one of its entry points",
        _everything: "its {} operators and all of its entry points",
    }
    part: Part | None = None
    problem: Tflite2xError | None = None
    for way, extent in ways.items():
        try:
            recording = way(failure)
            if recording is None:
                continue
            number = sum(len(g.operators) for g in recording.before.subgraphs)
            part = Part(recording, extent.format(number), not recording.play().within(*failure.tolerance))
            if part.shows:
                return part
        except Tflite2xError as error:
            problem = error
    if part is None:
        assert problem is not None
        raise problem
    return part


def _around(failure: Failure) -> Recording | None:
    """Cut out what computes the first tensor that differs from tensors that both models have."""
    if not failure.before[1].inputs:
        return None
    old, new = failure.traces(failure.before[1], failure.after[1])
    pair = failure.pair or first_pair(old, new, failure.tensors, failure.same)
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
    arrays = [old[t] for t in counterparts], [new[t] for t in inputs]
    if first in new and counterpart in old and first.subgraph is failure.after[1].graph:
        expected = failure.expected(*pair, old[counterpart], new[first])
        if expected.value is not None:
            arrays = _pick(arrays, [expected.value], [expected.adapted(new[first])], failure.factor)
    arrays = _few_of(arrays, failure.factor)
    recording = Recording(before, after, [], failure.rounding)
    batches = Batch(before.main, arrays[0]), Batch(after.main, arrays[1])
    (outputs,) = record(before, after, [batches], {}, failure.rounding).calls[0].outputs
    try:
        (actual,) = run(after, [batches[1]], failure.rounding)[0]
    except Tflite2xError:
        actual = outputs  # that it does not run is the difference
    expectation = failure.expected(*pair, outputs, actual)
    recording.calls.append(Call(*batches, [outputs], [expectation]))
    return recording


def _equal_pairs(failure: Failure, old: dict[Tensor, Array], new: dict[Tensor, Array]) -> dict[Tensor, Tensor]:
    """Return the computed tensors that hold the same in both models, with their counterparts before the pass."""
    found = {}
    for tensor, value in new.items():
        counterpart = failure.tensors.get(tensor)
        if counterpart is None or counterpart not in old or tensor.is_constant or counterpart.is_constant:
            continue
        pair = tensor, counterpart, old[counterpart], value
        if failure.expected(*pair).value is not None and failure.same(*pair):
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


# ----------------------------------------------------------------------------------------------------------------------


def _few(failure: Failure) -> Recording | None:
    """Keep the model behind one entry point, with a few of the samples that differ."""
    recording = _one_entry(failure)
    if recording.stateful or not recording.calls[0].before.inputs:
        return None
    (call,) = recording.calls
    expected: list[Array] = []
    actual: list[Array] = []
    if failure.failing is None:
        (outputs,) = run(recording.after, [call.after], failure.rounding)
        for e, array in zip(call.expected, outputs, strict=True):
            if e.value is not None:
                adapted = e.adapted(array)
                expected.append(e.value[: len(adapted)])
                actual.append(adapted)
    arrays = _few_of(_pick((call.before.inputs, call.after.inputs), expected, actual, failure.factor), failure.factor)
    return _alone(failure, *arrays)


def _one_entry(failure: Failure) -> Recording:
    """Keep the model behind one entry point, with all samples."""
    return _alone(failure, failure.before[1].inputs, failure.after[1].inputs)


def _alone(failure: Failure, inputs: Sequence[Array], following: Sequence[Array]) -> Recording:
    """Return both models as they are, without other entry points."""
    (old, before), (new, after) = failure.before, failure.after
    models = _without_entries(old, before.graph), _without_entries(new, after.graph)
    batches = Batch(models[0].main, list(inputs)), Batch(models[1].main, list(following))
    links = {models[1].main: failure.links[after.graph]} if after.graph in failure.links else {}
    return record(*models, [batches], links, failure.rounding)


def _without_entries(model: Model, graph: Subgraph) -> Model:
    copy = model.clone()
    main = copy.subgraphs[graph.index]
    for signature in copy.signatures:
        copy.remove_signature(signature)
    if main is not copy.main:
        copy.set_subgraphs([main, *(g for g in copy.subgraphs if g is not main)])
    return copy


def _everything(failure: Failure) -> Recording | None:
    """Keep both models with all entry points and all samples, in the order of the calls."""
    if not failure.every:
        return None
    before, after = failure.before[0].clone(), failure.after[0].clone()
    batches = [
        (
            Batch(before.subgraphs[old.graph.index], list(old.inputs)),
            Batch(after.subgraphs[new.graph.index], list(new.inputs)),
        )
        for old, new in failure.every
    ]
    links = {after.subgraphs[g.index]: found for g, found in failure.links.items()}
    return record(before, after, batches, links, failure.rounding)


def _pick(
    inputs: tuple[Sequence[Array], Sequence[Array]], expected: Sequence[Array], actual: Sequence[Array], factor: int
) -> tuple[list[Array], list[Array]]:
    """Return the inputs before and after of the samples that differ, or all of them when none does."""
    count = len(inputs[1][0]) if inputs[1] else 0
    if any(len(a) != count for a in (*expected, *actual)):
        return list(inputs[0]), list(inputs[1])
    pairs = list(zip(expected, actual, strict=True))
    places = [i for i in range(count) if any(not compare(a[i], b[i]).equal for a, b in pairs)]
    return _take(inputs, places or list(range(count)), factor)


def _few_of(inputs: tuple[Sequence[Array], Sequence[Array]], factor: int) -> tuple[list[Array], list[Array]]:
    """Return the first few samples, at least one that the later model takes."""
    return _take(inputs, range(max(1, _KEPT // factor)), factor)


def _take(
    inputs: tuple[Sequence[Array], Sequence[Array]], places: Sequence[int], factor: int
) -> tuple[list[Array], list[Array]]:
    """Return samples of the later model by number, and those of the earlier one that they are made of."""
    old, new = list(inputs[0]), list(inputs[1])
    if len({len(a) for a in old}) > 1 or len({len(a) for a in new}) > 1:
        return old, new
    later = [i for i in places if not new or i < len(new[0])]
    earlier = [i * factor + k for i in later for k in range(factor) if not old or i * factor + k < len(old[0])]
    return [a[earlier] for a in old], [a[later] for a in new]

# SPDX-License-Identifier: Apache-2.0
"""``Pipeline``: passes in a row, with a report and a check between them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tflite2x.errors import PassError, PipelineError, Tflite2xError, VerificationError
from tflite2x.rewrite import sites
from tflite2x.rewrite.base import Pass
from tflite2x.rewrite.group import Group
from tflite2x.rewrite.interface import InterfaceRecord, SubgraphLinks
from tflite2x.rewrite.options import check_options, convert, describe, option_fields
from tflite2x.rewrite.report import PassReport, Report, Size, Verdict
from tflite2x.rewrite.result import Claim, PassResult
from tflite2x.rewrite.text import Item, format_pass, parse_items

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor

#: Key of the metadata entry that keeps the pipeline which made a model.
RECIPE = "tflite2x.recipe"

#: Called after each pass: (text of the pass, model as it is now, row of the report).
Callback = Callable[[str, "Model", PassReport], None]


@dataclasses.dataclass(slots=True)
class Step:
    """What a verifier gets to know about one pass.

    Attributes:
        name: Text of the pass.
        before: The model before the pass, as a copy.
        after: The model after it.
        result: What the pass says about itself.
        claim: What it claims.
        links: How the interface of each subgraph of ``after`` relates to ``before``.
        subgraphs: The subgraphs of ``after`` with their counterparts in ``before``.
        tensors: The tensors of ``after`` that were there before, with their counterparts in ``before``.
        repeat: Runs the pass again on a fresh copy of the model before it, at some of its places only.
    """

    name: str
    before: Model
    after: Model
    result: PassResult
    claim: Claim
    links: dict[Subgraph, SubgraphLinks]
    subgraphs: dict[Subgraph, Subgraph]
    tensors: dict[Tensor, Tensor]
    repeat: Callable[[Collection[str]], Step]


class Session(Protocol):
    """One run of a pipeline as a verifier sees it.

    Attributes:
        failure: What ``tflite2x.verification.reproduce`` needs when a check failed.
    """

    failure: Any

    def check(self, step: Step) -> Verdict:
        """Compare the model before and after a pass."""
        ...

    def finish(self, model: Model) -> Verdict | None:
        """Compare the last model with the very first one."""
        ...


class Verifier(Protocol):
    """What ``Pipeline.run(verify=...)`` accepts; ``tflite2x.Verify`` is one."""

    def start(self, model: Model) -> Session:
        """Begin with the model before the first pass."""
        ...


class CheckFailedError(VerificationError):
    """A pass broke the model.

    Attributes:
        report: Everything up to and including the pass that failed.
        failure: What the verifier knows about the failure, for ``tflite2x.verification.reproduce``.
    """

    report: Report
    failure: Any = None


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """Passes in a row.

    Attributes:
        passes: The passes; groups stand for their members.
    """

    passes: tuple[Pass, ...] = ()

    def __init__(self, passes: Sequence[Pass] = ()) -> None:
        for pass_ in passes:
            if not isinstance(pass_, Pass):
                hint = "Give objects, such as [Cleanup()]; Pipeline.parse reads texts."
                raise PipelineError(f"{pass_!r} is not a pass", where="Pipeline", hint=hint)
            check_options(pass_)
        object.__setattr__(self, "passes", tuple(passes))

    @classmethod
    def parse(cls, text: str, *, base: Path | None = None) -> Pipeline:
        """Make a pipeline from its text form, such as ``strip-float-io,xc-fc{threads=4},cleanup`` or ``@recipe.txt``.

        Args:
            text: The text; grammar in ``tflite2x.rewrite.text``.
            base: Folder that relative ``@`` paths start from; the current one when None.

        Raises:
            PipelineError: Grammar, unknown pass, unknown option, or wrong value; with a caret at the place.
        """
        return cls([build_pass(item) for item in parse_items(text, base=base)])

    def __str__(self) -> str:
        return ",".join(format_pass(p) for p in self.passes)

    def apply(self, model: Model) -> Iterator[PassResult]:
        """Run the passes without report and verification; yields the result of each."""
        walk = _walk(self.passes)
        result: PassResult | None = None
        while (step := _advance(walk, result)) is not None:
            result = step[1](model)
            yield result

    def run(
        self, model: Model, verify: Verifier | None = None, *, callback: Callback | None = None, record: bool = False
    ) -> Report:
        """Run the passes on ``model``, in place.

        Args:
            model: The model. When anything fails it is what it was before the call (in new objects).
            verify: Checks the model after each pass; None checks nothing.
            callback: Called after each pass.
            record: Keep the text of this pipeline in the model's metadata (``tflite2x.recipe``).

        Raises:
            CheckFailedError: A pass broke the model; the error carries the report.
            PassError: A pass failed or one of its conditions does not hold.
        """
        original = model.clone()
        try:
            return self._run(model, original, verify, callback, record)
        except BaseException:
            model.restore(original if verify is None else original.clone())  # what failed may refer to the copy
            raise

    def _run(
        self, model: Model, original: Model, verify: Verifier | None, callback: Callback | None, record: bool
    ) -> Report:
        report = Report(str(self))
        report.before = size = Size.of(model)
        started = time.perf_counter()
        session = verify.start(model) if verify is not None else None
        report.verify_ms += (time.perf_counter() - started) * 1e3 if session is not None else 0.0
        walk = _walk(self.passes)
        result: PassResult | None = None
        snapshot: Model | None = original
        while (step := _advance(walk, result)) is not None:
            group, pass_ = step
            made: Step | None = None
            if session is None:
                result, _, ms = _apply_pass(pass_, model)
            else:
                made, ms = make_step(pass_, model, snapshot)
                result = made.result
                snapshot = None if result.modified else made.before  # it is still what the model was
            after = Size.of(model) if result.modified else size
            row = PassReport(format_pass(pass_), group, result, size, after, ms)
            report.passes.append(row)
            report.ms += row.ms
            size = after
            if session is not None and made is not None:
                row.verdict = _timed(lambda made=made: session.check(made))  # type: ignore[misc]
                report.verify_ms += row.verdict.ms
                if not row.verdict.passed:
                    raise _failure(report, row, session)
            if callback is not None:
                callback(row.name, model, row)
        if record:
            _record(model, str(self))
            size = Size.of(model)
        report.after = size
        if session is not None:
            verdict = _timed(lambda: session.finish(model))
            report.verify_ms += verdict.ms if verdict is not None else 0.0
            report.total = verdict
            if verdict is not None and not verdict.passed:
                raise _failure(report, None, session)
        return report


def build_pass(item: Item) -> Pass:
    """Make the pass that an item of a pipeline text names, with its options converted to their types.

    Raises:
        PipelineError: Unknown pass, unknown option, or wrong value; with a caret at the place.
    """
    from tflite2x.rewrite.registry import find_pass

    try:
        cls = find_pass(item.name)
    except PipelineError as error:
        raise item.error(error.what, error.hint) from None
    fields = {key: (field, kind) for field, key, kind in option_fields(cls) if not field.metadata.get("body")}
    values: dict[str, Any] = {}
    for option in item.options:
        key = option.key.replace("_", "-")
        if key not in fields:
            known = ", ".join(fields) or "none"
            raise option_error(item, option.position, f"{cls.name} has no option '{option.key}'", f"Options: {known}.")
        field, kind = fields[key]
        if field.name in values:
            raise option_error(item, option.position, f"option '{option.key}' is given twice")
        try:
            values[field.name] = convert(option.value, kind)
        except ValueError:
            shown = option.value if isinstance(option.value, str) else " ".join(option.value)
            raise option_error(
                item, option.value_position, f"'{shown}' does not fit option '{key}'", f"It takes {describe(kind)}."
            ) from None
    body = next((f for f, _, _ in option_fields(cls) if f.metadata.get("body")), None)
    if item.body is not None:
        if body is None:
            raise item.error(f"{cls.name} takes no passes in parentheses")
        values[body.name] = tuple(build_pass(member) for member in item.body)
    elif body is not None:
        raise item.error(f"{cls.name} needs passes in parentheses", f"Such as {cls.name}(cleanup).")
    try:
        return cls(**values)
    except TypeError as error:  # a required option is missing
        raise item.error(f"{cls.name} cannot be made: {error}") from None
    except Tflite2xError as error:  # the pass checks its own options in __post_init__
        raise item.error(error.what, error.hint) from None
    except ValueError as error:
        raise item.error(str(error)) from None


def option_error(item: Item, position: int, what: str, hint: str = "") -> PipelineError:
    """Make an error that points at an option of an item."""
    return item.source.error(position, what, hint)


def _walk(passes: Sequence[Pass], group: str = "") -> Generator[tuple[str, Pass], PassResult, bool]:
    """Yield (group, pass) one by one, receive each result, and return whether anything changed."""
    modified = False
    for pass_ in passes:
        if not isinstance(pass_, Group):
            result = yield group, pass_
            modified |= result.modified
            continue
        label = format_pass(pass_)
        bound = pass_.rounds()
        for _ in range(bound):
            changed = yield from _walk(pass_.members(), label)
            modified |= changed
            if not changed or bound == 1:
                break
        else:
            names = ", ".join(format_pass(m) for m in pass_.members())
            raise PassError(
                f"after {bound} rounds the passes {names} still change the model: they undo each other's work",
                where=f"pass {label}",
                hint="Run one of them alone, or raise the limit.",
            )
    return modified


def _advance(walk: Generator[tuple[str, Pass], PassResult, bool], result: PassResult | None) -> tuple[str, Pass] | None:
    try:
        return next(walk) if result is None else walk.send(result)
    except StopIteration:
        return None


def _apply_pass(pass_: Pass, model: Model) -> tuple[PassResult, dict[Subgraph, SubgraphLinks], float]:
    """Run a pass; returns its result, how the interface changed, and the milliseconds that it took."""
    record = InterfaceRecord(model)
    started = time.perf_counter()
    result = pass_(model)
    ms = (time.perf_counter() - started) * 1e3
    try:
        links = record.resolve(model, result.interface)
    except PassError as error:
        raise error.at(f"pass {format_pass(pass_)}") from None
    return result, links, ms


def make_step(pass_: Pass, model: Model, snapshot: Model | None = None) -> tuple[Step, float]:
    """Run a pass on ``model`` and return what a verifier needs to know, and the milliseconds that the pass took.

    Args:
        pass_: The pass.
        model: The model, which changes.
        snapshot: A copy of it from before a pass that changed nothing; None to make one.
    """
    if snapshot is None or not _alike(snapshot, model):
        snapshot = model.clone()
    subgraphs = dict(zip(model.subgraphs, snapshot.subgraphs, strict=True))
    tensors = {
        new: old for graph, copy in subgraphs.items() for new, old in zip(graph.tensors, copy.tensors, strict=True)
    }
    result, links, ms = _apply_pass(pass_, model)

    copy = snapshot

    def repeat(places: Collection[str]) -> Step:
        with sites.only(places):
            return make_step(pass_, copy.clone())[0]

    return Step(format_pass(pass_), snapshot, model, result, result.claim, links, subgraphs, tensors, repeat), ms


def _alike(one: Model, other: Model) -> bool:
    """Whether two models have equal numbers of everything: not so if a pass removed something without saying it."""
    counts = [[(len(g.operators), len(g.tensors)) for g in model.subgraphs] for model in (one, other)]
    return counts[0] == counts[1]


def _timed(check: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    verdict = check()
    if verdict is not None:
        verdict.ms = (time.perf_counter() - started) * 1e3
    return verdict


def _failure(report: Report, row: PassReport | None, session: Session) -> CheckFailedError:
    verdict = row.verdict if row is not None else report.total
    reason = verdict.reason if verdict is not None else ""
    first = f"; the first tensor that differs: {verdict.first}" if verdict is not None and verdict.first else ""
    if verdict is not None and verdict.places:
        first += f"; what breaks it is the rewrite at {' together with that at '.join(verdict.places)}"
    culprit = (verdict.culprit if verdict is not None else "") or (row.name if row is not None else "")
    error = CheckFailedError(
        f"{reason}{first}",
        where=f"pass {culprit}" if culprit else f"pipeline {report.pipeline}",
        hint="Nothing is written. '--verify off' would skip the check.",
    )
    error.report = report
    error.failure = session.failure
    return error


def _record(model: Model, text: str) -> None:
    for entry in model.metadata:
        if entry.name == RECIPE:
            model.remove_metadata(entry)
            if entry.buffer not in model.used_buffers():
                model.remove_buffer(entry.buffer)
    model.add_metadata(RECIPE, text.encode())

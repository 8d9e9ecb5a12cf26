# SPDX-License-Identifier: Apache-2.0
"""Pipelines without verification: order, groups, fixed points, interface changes, conditions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import pytest

import tflite2x
from tests.verification.build import chain, two_inputs
from tflite2x import InterfaceChange, Pass, PassResult, Pipeline, Verify
from tflite2x.errors import PassError
from tflite2x.passes.fixpoint import Fixpoint
from tflite2x.verification.session import VerifySession

if TYPE_CHECKING:
    from tflite2x.ir import Model


@dataclasses.dataclass(frozen=True)
class Describe(Pass):
    """Sets the description, unless it is that already."""

    name: ClassVar[str] = "test-describe"
    text: str = "a"

    def run(self, model: Model) -> PassResult:
        changed = model.description != self.text
        model.description = self.text
        return PassResult(modified=changed)


@dataclasses.dataclass(frozen=True)
class CountDown(Pass):
    """Shortens the description by one character."""

    name: ClassVar[str] = "test-count-down"

    def run(self, model: Model) -> PassResult:
        result = PassResult()
        if model.description:
            model.description = model.description[1:]
            result.count("characters removed")
        return result


def test_fixpoint_stops() -> None:
    model = chain()
    model.description = "xxxx"
    report = Pipeline([Fixpoint((CountDown(),))]).run(model)
    assert model.description == ""
    assert [row.result.modified for row in report.passes] == [True] * 4 + [False]
    assert {row.group for row in report.passes} == {"fixpoint(test-count-down)"}
    assert "fixpoint(test-count-down):" in report.table()


def test_fixpoint_that_oscillates() -> None:
    model = chain()
    before = tflite2x.dumps(model)
    with pytest.raises(
        PassError, match=r"after 7 rounds the passes test-describe, test-describe\{text=b\} still change"
    ):
        Pipeline([Fixpoint((Describe(), Describe("b")), limit=7)]).run(model)
    assert tflite2x.dumps(model) == before


def test_group_called_alone() -> None:
    model = chain()
    model.description = "xx"
    result = Fixpoint((CountDown(),))(model)
    assert result.modified
    assert result.counts == {"characters removed": 2}


def test_conditions() -> None:
    @dataclasses.dataclass(frozen=True)
    class Strict(Describe):
        name: ClassVar[str] = "test-strict"

        def requires(self, model: Model) -> None:
            if not model.signatures:
                raise self.error("the model has no signature", where="signatures", hint="Add one.")

        def ensures(self, model: Model, result: PassResult) -> None:
            if model.description == "forbidden":
                raise self.error("the description is forbidden")

    with pytest.raises(PassError, match=r"pass test-strict, signatures: the model has no signature. Add one."):
        Pipeline([Strict()]).run(chain(signature=False))
    with pytest.raises(PassError, match="the description is forbidden"):
        Pipeline([Strict("forbidden")]).run(chain())
    Pipeline([Strict()]).run(chain())


@dataclasses.dataclass(frozen=True)
class Edit(Pass):
    """Runs a function."""

    name: ClassVar[str] = "test-edit"
    kind: str = ""

    def run(self, model: Model) -> PassResult:
        result = PassResult(modified=True)
        graph = model.main
        if self.kind == "new input":
            graph.set_inputs([*graph.inputs, graph.add_tensor("more", (1,), "int8")])
        elif self.kind == "stated new input":
            more = graph.add_tensor("more", (1,), "int8")
            graph.set_inputs([*graph.inputs, more])
            result.interface.append(InterfaceChange("input", None, more))
        elif self.kind == "dropped output":
            graph.set_outputs(graph.outputs[:1])
        elif self.kind == "stated drop":
            result.interface.append(InterfaceChange("output", graph.outputs[1], None))
            graph.set_outputs(graph.outputs[:1])
        elif self.kind == "stated move":
            result.interface += [InterfaceChange("output", t, t, moved=True) for t in graph.outputs]
            graph.set_outputs(graph.outputs[::-1])
        elif self.kind == "signature":
            entries = model.signatures[0].input_entries
            entries[0].tensor, entries[1].tensor = entries[1].tensor, entries[0].tensor
        return result


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("new input", "input 2 .'more'. is new and the pass does not say how"),
        ("dropped output", "output 1 .'difference'. is gone and the pass does not say so"),
        ("signature", "input 'left' of the signature was input 0 and is another one now"),
        ("stated new input", ""),
        ("stated drop", ""),
        ("stated move", ""),
    ],
)
def test_interface_changes_must_be_stated(kind: str, message: str) -> None:
    if not message:
        Pipeline([Edit(kind)]).run(two_inputs())
        return
    with pytest.raises(PassError, match=message):
        Pipeline([Edit(kind)]).run(two_inputs())


def test_run_must_return_a_result() -> None:
    class Forgetful(Describe):
        def run(self, model: Model) -> PassResult:
            return None  # type: ignore[return-value]

    with pytest.raises(PassError, match="returned NoneType instead of a PassResult"):
        Pipeline([Forgetful()]).run(chain())


def test_pipelines_are_values() -> None:
    a = Pipeline.parse("cleanup,strip-float-io{inputs=false}")
    assert a == Pipeline(list(a.passes))
    assert hash(a) == hash(Pipeline(a.passes))
    assert repr(a).startswith("Pipeline(passes=(Cleanup(), StripFloatIO(inputs=False, outputs=True))")


def test_deterministic() -> None:
    results = []
    for _ in range(2):
        model = chain()
        Pipeline.parse("strip-float-io,cleanup").run(model)
        results.append(tflite2x.dumps(model))
    assert results[0] == results[1]


def test_a_pass_that_fails_is_an_error_of_the_pass() -> None:
    class Crashes(Describe):
        def run(self, model: Model) -> PassResult:
            raise IndexError("list index out of range")

    with pytest.raises(PassError, match="pass test-describe: the pass failed on this model: IndexError: list index"):
        Pipeline([Crashes()]).run(chain())


def test_a_pass_that_changed_nothing_costs_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots: dict[object, None] = {}
    check = VerifySession.check
    monkeypatch.setattr(
        VerifySession, "check", lambda self, step: snapshots.update({step.before: None}) or check(self, step)
    )
    text = "fold-constants,fuse-pad,fuse-activation,remove-identities,strip-float-io,cleanup"
    report = Pipeline.parse(text).run(chain(), Verify())
    modified = [row.result.modified for row in report.passes]
    assert len(snapshots) == 1 + sum(modified[:-1])
    assert len(snapshots) < len(modified)

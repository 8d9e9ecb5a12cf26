# SPDX-License-Identifier: Apache-2.0
"""Models with operators that nobody can run: what passes change elsewhere is checked nevertheless."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain
from tests.verification.mutations import Break
from tests.verification.test_culprit import Shuffle
from tests.verification.test_state_and_subgraphs import BreakSubgraph, branches
from tflite2x import CheckFailedError, Pass, PassResult, Pipeline, Verify
from tflite2x.cli import main
from tflite2x.errors import UnsupportedError
from tflite2x.ir import Model
from tflite2x.rewrite.interface import InterfaceChange, Resized
from tflite2x.rewrite.report import Verdict
from tflite2x.verification import replay, reproduce

UNKNOWN = "SOMETHING_ELSE"


def holed(place: str, layers: int = 4) -> Model:
    """Return layers of FULLY_CONNECTED with an operator in front, between or behind them that nobody knows."""
    model = chain(layers, float_io=False)
    graph = model.main
    if place == "before":
        old = graph.inputs[0]
        given = graph.add_tensor("given", (1, 5), "int8", scale=0.1)
        graph.replace_input(old, given)
        graph.add_operator(UNKNOWN, [given], [old])
    elif place == "behind":
        new = graph.add_tensor("made", (1, 3), "int8", scale=0.1)
        last = graph.outputs[0]
        graph.add_operator(UNKNOWN, [last], [new])
        graph.replace_output(last, new)
    else:
        op = graph.operators[layers // 2]
        source = op.inputs[0]
        assert source is not None
        other = graph.add_tensor("other", source.shape, source.dtype, quantization=source.quantization)
        graph.add_operator(UNKNOWN, [source], [other])
        graph.replace_all_uses(source, other, keep=[o for o in graph.operators if o.name == UNKNOWN])
    return tflite2x.loads(tflite2x.dumps(model))


@pytest.mark.parametrize("place", ["before", "between", "behind"])
@pytest.mark.parametrize("every", ["pass", "end"])
def test_right_passes_are_checked_in_part(place: str, every: str) -> None:
    model = holed(place)
    unknown = next(op.where for op in model.main.operators if op.name == UNKNOWN)
    report = Pipeline([Shuffle(wrong=())]).run(model, Verify(every=every))  # type: ignore[arg-type]
    assert report.passes[0].verdict is not None
    assert report.passes[0].verdict.method in ("partial", "same computation")
    broken = Shuffle(wrong=(1,))
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([broken]).run(model, Verify(every=every))  # type: ignore[arg-type]
    verdict = caught.value.report.failed
    assert verdict is not None
    assert verdict.verdict is not None
    wrong = [op.where for op in model.main.operators if op.name == "FULLY_CONNECTED"][1]
    assert verdict.verdict.places == [wrong]
    assert verdict.verdict.first is not None
    assert verdict.verdict.first.operator == wrong
    assert verdict.verdict.checked == [wrong]
    assert [(n.where, "no kernel" in n.why) for n in verdict.verdict.not_run] == [(unknown, True)]


@pytest.mark.parametrize("place", ["before", "between", "behind"])
@pytest.mark.parametrize("kind", ["weight", "bias", "weight scale", "output scale", "activation"])
@pytest.mark.parametrize("layer", [0, 3])
def test_wrong_passes_are_caught(place: str, kind: str, layer: int, tmp_path: Path) -> None:
    model = holed(place)
    index = [op.index for op in model.main.operators if op.name == "FULLY_CONNECTED"][layer]
    op, user = model.main.operators[index], model.main.operators[index].outputs[0].consumers
    if kind == "output scale" and any(o.name == UNKNOWN for o in user):
        with pytest.raises(UnsupportedError, match="an operator cannot run, and the pass changed it"):
            Pipeline([Break(kind, index)]).run(model, Verify())
        return
    culprits = Break(kind, index).culprits(model)
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([Break(kind, index)]).run(model, Verify())
    first = caught.value.report.failed.verdict.first  # type: ignore[union-attr]
    assert first is not None
    assert first.operator in culprits
    assert op.name in str(caught.value)
    assert not replay(reproduce(caught.value.failure, tmp_path / "r")).equal


def test_dropped_operators_keep_their_numbers() -> None:
    model = holed("between")
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([Break("drop operator", 3)]).run(model, Verify())
    first = caught.value.report.failed.verdict.first  # type: ignore[union-attr]
    assert first is not None
    assert first.removed == ("subgraphs[0].operators[3] (FULLY_CONNECTED)",)


@dataclasses.dataclass(frozen=True)
class Touch(Pass):
    """Gives the operator that cannot run other options, or takes it away."""

    name: ClassVar[str] = "test-touch"
    drop: bool = False

    def run(self, model: Model) -> PassResult:
        op = next(o for o in model.main.operators if o.name == UNKNOWN)
        op.custom_options = b"other"
        if self.drop:
            (source,), (target,) = op.inputs, op.outputs
            assert source is not None
            model.main.replace_all_uses(target, source)
            model.main.remove_operator(op)
        return PassResult(modified=True)


@pytest.mark.parametrize(("drop", "what"), [(False, "changed it"), (True, "took it away")])
def test_what_cannot_run_must_stay_as_it_is(drop: bool, what: str) -> None:
    model = holed("between")
    before = tflite2x.dumps(model)
    with pytest.raises(UnsupportedError, match=rf"cannot be verified: .*{what}.*--verify off"):
        Pipeline([Touch(drop)]).run(model, Verify())
    assert tflite2x.dumps(model) == before


@dataclasses.dataclass(frozen=True)
class Twice(Pass):
    """Puts a second one behind the operator that cannot run."""

    name: ClassVar[str] = "test-twice"

    def run(self, model: Model) -> PassResult:
        graph = model.main
        old = graph.operators[-1].inputs[0]
        assert old is not None
        new = graph.add_tensor("again", old.shape, old.dtype, quantization=old.quantization)
        op = graph.add_operator(UNKNOWN, [old], [new])
        graph.replace_all_uses(old, new, keep=[op])
        return PassResult(modified=True)


def test_a_pass_that_adds_what_cannot_run_cannot_be_checked() -> None:
    with pytest.raises(UnsupportedError, match="an operator cannot run, and the pass added it"):
        Pipeline([Twice()]).run(holed("between"), Verify())


def test_the_usual_passes_work_around_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.tflite"
    tflite2x.save(holed("between"), path)
    report = tmp_path / "report.json"
    arguments = ["optimize", str(path), "-o", str(tmp_path / "o.tflite"), "--report", str(report)]
    assert main([*arguments, "--passes", "xc-fc,set-io-type{outputs=float32},cleanup", "-v"]) == 0
    text = capsys.readouterr().out
    assert "32 samples, in part" in text
    assert "what these operators compute was made up, because they cannot run" in text
    assert f"subgraphs[0].operators[2] ({UNKNOWN})" in text
    rows = json.loads(report.read_text())["passes"]
    assert [r["where"] for r in rows[0]["verification"]["not_run"]] == [f"subgraphs[0].operators[2] ({UNKNOWN})"]
    assert len(rows[0]["verification"]["checked"]) == 4
    assert rows[1]["verification"]["method"] == "partial"


def test_own_samples_go_to_the_inputs_that_are_left() -> None:
    samples = {"x": np.random.default_rng(0).integers(-128, 128, (6, 16)).astype(np.int8)}
    report = Pipeline.parse("xc-fc").run(holed("between"), Verify(samples))
    assert report.total is not None
    assert (report.total.method, report.total.samples) == ("partial", 6)
    with pytest.raises(CheckFailedError):
        Pipeline([Break("bias", 0)]).run(holed("between"), Verify(samples))


@pytest.mark.parametrize("index", [1, 2])
def test_called_subgraphs_are_checked_on_their_own(index: int) -> None:
    model = branches()
    inner = model.subgraphs[1]
    relu = inner.operators[-1]
    (out,) = relu.outputs
    strange = inner.add_tensor("strange", (1, 4), "float32")
    inner.add_operator(UNKNOWN, [out], [strange])
    inner.set_outputs([strange])
    Pipeline.parse("fold-constants,remove-identities,fuse-activation,cleanup").run(model.clone(), Verify())
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([BreakSubgraph(index)]).run(model, Verify())
    assert f"subgraphs[{index}].operators[" in str(caught.value)


def test_two_files_are_compared_in_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, same, other = (tmp_path / f"{name}.tflite" for name in ("one", "same", "other"))
    model = holed("between")
    tflite2x.save(model, one)
    Pipeline.parse("rename-tensors{short},strip-debug").run(model)
    tflite2x.save(model, same)
    assert main(["verify", str(one), str(same)]) == 0
    text = capsys.readouterr().out
    assert f"not run: subgraphs[0].operators[2] ({UNKNOWN})" in text
    assert "equal: both models compute the same expressions" in text
    Break("bias", 3).run(model)
    tflite2x.save(model, other)
    assert main(["verify", str(one), str(other)]) == 1
    text = capsys.readouterr().out
    assert "DIFFERENT" in text
    assert "subgraphs[0].operators[3] (FULLY_CONNECTED)" in text
    result = tflite2x.verify(one, other)
    assert not result.equal
    assert [n["where"] for n in result.to_dict()["not_run"]] == [f"subgraphs[0].operators[2] ({UNKNOWN})"]
    Touch().run(model)
    tflite2x.save(model, other)
    assert main(["verify", str(one), str(other)]) == 2


@dataclasses.dataclass(frozen=True)
class Nudge(Pass):
    """Adds to the last bias and claims nothing."""

    name: ClassVar[str] = "test-nudge"
    by: int = 3000

    def run(self, model: Model) -> PassResult:
        bias = [op for op in model.main.operators if op.name == "FULLY_CONNECTED"][-1].inputs[2]
        assert bias is not None
        bias.data = np.array(bias.data) + np.int32(self.by)
        result = PassResult(modified=True)
        result.claim = dataclasses.replace(result.claim, lsb=None)
        return result


def _total(model: Model, passes: list[Pass], config: Verify | None = None) -> Verdict:
    total = Pipeline(passes).run(model, config or Verify()).total
    assert total is not None
    assert total.passed
    return total


def _between(*spec: str) -> list[Pass]:
    """Nudge, then other passes, then nudge again."""
    return [Nudge(3000), *(p for text in spec for p in Pipeline.parse(text).passes), Nudge(3000)]


@pytest.mark.parametrize("every", ["pass", "end"])
@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_the_total_compares_the_first_model_with_the_last(place: str, every: str) -> None:
    config = Verify(every=every)  # type: ignore[arg-type]
    once = _total(holed(place), [Nudge(3000)], config)
    twice = _total(holed(place), [Nudge(3000), Nudge(3000)], config)
    at_once = _total(holed(place), [Nudge(6000)], config)
    assert once.worst_lsb is not None
    assert at_once.worst_lsb is not None
    assert once.worst_lsb < at_once.worst_lsb
    for total in (twice, at_once):
        assert (total.worst_lsb, total.share, total.samples, total.method) == (
            at_once.worst_lsb, at_once.share, 32, "partial",
        )  # fmt: skip
        assert total.distribution == at_once.distribution
        assert [n.where.split()[-1] for n in total.not_run] == [f"({UNKNOWN})"]
        assert [text.split()[-1] for text in total.checked] == ["(FULLY_CONNECTED)"]
        assert not any("one by one" in note for note in total.notes)
    # What is done and undone leaves nothing behind.
    gone = _total(holed(place), [Nudge(3000), Nudge(-3000)], config)
    assert gone.share == 0
    assert not gone.worst_lsb


@pytest.mark.parametrize("place", ["before", "between"])
@pytest.mark.parametrize(
    "spec",
    [
        "set-io-type{outputs=uint8}",
        "set-io-type{outputs=uint8},set-io-type{outputs=int8}",
        "set-io-type{outputs=float32}",
        "cleanup,rename-tensors{short}",
        "add-output-argmax",
    ],
)
def test_the_total_follows_interfaces(place: str, spec: str) -> None:
    """An interface that changes on the way changes neither samples nor differences."""
    plain = _total(holed(place), _between())
    total = _total(holed(place), _between(spec))
    assert not any("one by one" in note for note in total.notes)
    assert total.method == "partial"
    if "argmax" not in spec:
        assert (total.worst_lsb, total.share) == (plain.worst_lsb, plain.share)


def test_the_total_follows_coarser_inputs() -> None:
    """int16 inputs of which 8 bits are left: the samples are those that are left."""
    model = holed("between")
    Pipeline.parse("set-io-type{inputs=int16}").run(model)
    quantization = model.main.inputs[0].quantization
    assert quantization is not None
    quantization.scale = quantization.scale / np.float32(3)  # finer than what is behind it
    total = _total(model, _between("set-io-type{inputs=int8}"))
    assert total.worst_lsb
    assert not any("one by one" in note for note in total.notes)
    assert any("new samples from the first pass on" in note for note in total.notes)


@dataclasses.dataclass(frozen=True)
class Ask(Pass):
    """Says that only some values of the input are left."""

    name: ClassVar[str] = "test-ask"

    def run(self, model: Model) -> PassResult:
        (given,) = model.main.inputs
        return PassResult(modified=True, interface=[InterfaceChange("input", given, given, Resized(), "new")])


def test_where_interfaces_cannot_be_followed_the_total_is_the_worst_of_all_passes() -> None:
    once = _total(holed("between"), [Nudge(3000)])
    (other,) = Pipeline.parse("set-io-type{inputs=uint8}").passes
    total = _total(holed("between"), [Nudge(3000), other, Ask(), Nudge(3000)])
    assert any("one by one" in note and "do not add up" in note for note in total.notes)
    assert total.worst_lsb is not None
    assert once.worst_lsb is not None
    assert total.worst_lsb >= once.worst_lsb


def test_operators_that_go_and_come_are_followed() -> None:
    once = _total(holed("between"), [Nudge(3000)])
    total = _total(holed("between"), [Nudge(3000), *Pipeline.parse("xc-fc,remove-identities,cleanup").passes])
    assert total.worst_lsb is not None
    assert once.worst_lsb is not None
    assert abs(total.worst_lsb - once.worst_lsb) <= 4
    assert sum("XC_fc" in text for text in total.checked) == 4
    assert not any("one by one" in note for note in total.notes)

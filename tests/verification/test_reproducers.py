# SPDX-License-Identifier: Apache-2.0
"""Reproducers of passes that change the interface, of models with state, strings and several entry points.

Whatever a pass says about inputs and outputs, and wherever it breaks the model: what it leaves on disk replays.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain, two_inputs
from tests.verification.test_partial import holed
from tests.verification.test_state_and_subgraphs import BreakSubgraph, ForgetToAssign, branches, counter, loop
from tflite2x import CheckFailedError, Interpreter, Pass, PassResult, Pipeline, Verify
from tflite2x.cli import main
from tflite2x.ir import Model
from tflite2x.rewrite.interface import InterfaceChange
from tflite2x.schema.tables import AddOptions, GatherOptions, ReverseV2Options, SoftmaxOptions
from tflite2x.verification import replay, reproduce
from tflite2x.verification.locate import as_later

Every = Literal["pass", "end"]
IMAGES = ("cnn_int8", "mlp_uint8", "cnn_float")


@dataclasses.dataclass(frozen=True)
class Spoiled(Pass):
    """Does what another pass does, says what it says, and breaks something on the way."""

    name: ClassVar[str] = "test-spoiled"
    spec: str = ""
    damage: str = "weights"

    def run(self, model: Model) -> PassResult:
        (inner,) = Pipeline.parse(self.spec).passes
        inner.requires(model)
        result = inner.run(model)
        assert result.interface or "set-shape" in self.spec
        _DAMAGES[self.damage](model)
        return result


def _negate_weights(model: Model) -> None:
    """Take the negative of the last weights."""
    op = [o for o in model.main.operators if o.name in ("FULLY_CONNECTED", "CONV_2D")][-1]
    weights = op.inputs[1]
    assert weights is not None
    data = np.array(weights.data)
    weights.data = 255 - data if data.dtype == np.uint8 else -np.maximum(data, -127)


def _change_reshape(model: Model) -> None:
    op = next(o for o in model.main.operators if o.name == "RESHAPE")
    values = np.array(op.inputs[1].data)  # type: ignore[union-attr]
    values[-1] += 1
    op.set_input(1, model.main.add_constant("broken", values))


def _reverse(model: Model, axis: int) -> None:
    """Reverse the first output, or what its ARG_MAX reads: samples change places along the first axis."""
    graph = model.main
    out = graph.outputs[0]
    op = out.producer
    assert op is not None
    where = graph.add_constant("axis", np.array([axis], np.int32))
    if op.name == "ARG_MAX":
        source = op.inputs[0]
        assert source is not None
        turned = graph.add_tensor("turned", source.shape, source.dtype, quantization=source.quantization)
        graph.add_operator("REVERSE_V2", [source, where], [turned], ReverseV2Options(), before=op)
        op.set_input(0, turned)
        return
    inner = graph.add_tensor("in order", out.shape, out.dtype, quantization=out.quantization)
    op.set_outputs([inner])
    graph.add_operator("REVERSE_V2", [inner, where], [out], ReverseV2Options())


_DAMAGES: dict[str, Callable[[Model], None]] = {
    "weights": _negate_weights,
    "reshape": _change_reshape,
    "samples": lambda model: _reverse(model, 0),
    "values": lambda model: _reverse(model, -1),
}


def caught_by(pass_: Pass, model: Model, config: Verify | None = None) -> CheckFailedError:
    """Run a broken pass and return the error that says so."""
    before = tflite2x.dumps(model)
    with pytest.raises(CheckFailedError) as caught:
        Pipeline([pass_]).run(model, config or Verify())
    assert tflite2x.dumps(model) == before
    return caught.value


def replayed(error: CheckFailedError, folder: Path) -> Path:
    """Write the reproducer and check that it replays with the difference, also after it was moved."""
    made = reproduce(error.failure, folder / "made", error.what)
    moved = folder / "moved"
    shutil.move(made, moved)
    assert main(["verify", str(moved)]) == 1
    result = replay(moved)
    assert not result.equal
    assert result.share or result.failure or result.shapes
    # What the model before the pass computes is stored as well.
    assert not any("expected.npz" in note for note in result.notes)
    return moved


def load(models: Path, name: str) -> Model:
    return tflite2x.load(models / f"{name}.tflite")


def count(folder: Path, which: str = "after") -> int:
    return len(tflite2x.load(folder / f"{which}.tflite").main.operators)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("n", [2, 6])
@pytest.mark.parametrize("damage", ["weights", "samples", "values"])
def test_a_wrong_set_batch(models: Path, tmp_path: Path, name: str, n: int, damage: str) -> None:
    error = caught_by(Spoiled(f"set-batch{{n={n}}}", damage), load(models, name), Verify(samples=12))
    row = error.report.failed
    assert row is not None
    assert row.verdict is not None
    assert row.verdict.first is not None
    made = replayed(error, tmp_path)
    how = json.loads((made / "replay.json").read_text())
    assert how["calls"]
    with np.load(made / "inputs.npz") as before, np.load(made / "inputs_after.npz") as after:
        assert [len(a.shape) for a in before.values()] == [len(a.shape) for a in after.values()]
        assert [a.size for a in before.values()] == [a.size for a in after.values()]
    # The stored files can be used by hand: the later model does not compute what is expected of it.
    with np.load(made / "inputs_after.npz") as inputs, np.load(made / "expected_after.npz") as expected:
        (got,) = Interpreter(tflite2x.load(made / "after.tflite")).run_batch([inputs["input_0"]])
        assert got.shape == expected["output_0"].shape
        assert not np.array_equal(got, expected["output_0"])
    with np.load(made / "inputs.npz") as inputs, np.load(made / "expected.npz") as expected:
        (got,) = Interpreter(tflite2x.load(made / "before.tflite")).run_batch([inputs["input_0"]])
        np.testing.assert_array_equal(got, expected["output_0"])
    text = (made / "README.txt").read_text()
    assert "inputs_after.npz" in text
    assert "expected_after.npz" in text
    assert "--samples" not in text
    if damage == "samples":
        return
    number = count(made, "before")
    assert f"the model before the pass, cut down to {number} operators" in text


@pytest.mark.parametrize("name", IMAGES)
def test_reproducers_of_set_batch_are_small(models: Path, tmp_path: Path, name: str) -> None:
    """The first tensor that differs is named, and only what computes it is kept."""
    model = load(models, name)
    error = caught_by(Spoiled("set-batch{n=4}"), model, Verify(samples=8))
    last = [o for o in model.main.operators if o.name == "FULLY_CONNECTED"][-1]
    first = error.report.failed.verdict.first  # type: ignore[union-attr]
    assert first is not None
    assert first.operator == last.where
    made = replayed(error, tmp_path)
    assert [count(made, which) for which in ("before", "after")] == [1, 1]


def test_fewer_samples_than_the_new_batch_holds(models: Path, tmp_path: Path) -> None:
    for samples in (1, 3):
        error = caught_by(Spoiled("set-batch{n=8}"), load(models, "mlp_uint8"), Verify(samples=samples))
        replayed(error, tmp_path / str(samples))


@pytest.mark.parametrize("every", ["pass", "end"])
@pytest.mark.parametrize("spec", ["set-batch{n=2}", "set-shape{shape=[3 28 28 1]}"])
def test_a_wrong_reshape_behind_a_new_shape(models: Path, tmp_path: Path, spec: str, every: Every) -> None:
    error = caught_by(Spoiled(spec, "reshape"), load(models, "cnn_int8"), Verify(every=every))
    assert "RESHAPE" in str(error)
    made = replayed(error, tmp_path)
    assert "does not run" in (made / "replay.json").read_text()
    assert replay(made).failure


@pytest.mark.parametrize(("name", "shape"), [("kws_int8", "3 49 10 1"), ("kws_float", "2 49 10 1")])
@pytest.mark.parametrize("damage", ["weights", "values", "samples"])
def test_a_wrong_set_shape(models: Path, tmp_path: Path, name: str, shape: str, damage: str) -> None:
    """The model before has no open dimensions: it runs on inputs that its file does not declare."""
    replayed(caught_by(Spoiled(f"set-shape{{shape=[{shape}]}}", damage), load(models, name)), tmp_path)


_TYPES = [f"set-io-type{{{side}={kind}}}" for side in ("inputs", "outputs") for kind in ("int8", "uint8", "int16")]


@pytest.mark.parametrize("every", ["pass", "end"])
@pytest.mark.parametrize("damage", ["weights", "values"])
@pytest.mark.parametrize(
    "spec", [*_TYPES, "set-io-type{inputs=int8 outputs=int16}", "strip-float-io", "strip-float-io{inputs=false}",
             "strip-float-io{outputs=false}", "remove-output-softmax", "add-output-argmax",
             "add-output-argmax{index-type=int64}"]
)  # fmt: skip
def test_wrong_types_at_the_interface(models: Path, tmp_path: Path, spec: str, damage: str, every: Every) -> None:
    replayed(caught_by(Spoiled(spec, damage), load(models, "logistic_int8"), Verify(every=every)), tmp_path)


@pytest.mark.parametrize("damage", ["weights", "values"])
@pytest.mark.parametrize("kind", ["float32", "int8", "int16"])
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_wrong_types_in_place_of_integers(models: Path, tmp_path: Path, side: str, kind: str, damage: str) -> None:
    replayed(caught_by(Spoiled(f"set-io-type{{{side}={kind}}}", damage), load(models, "mlp_uint8")), tmp_path)


@dataclasses.dataclass(frozen=True)
class Rewire(Pass):
    """Reorders, drops or adds inputs and outputs, says so, and swaps the operands of SUB."""

    name: ClassVar[str] = "test-rewire"
    what: str = "swap"

    def run(self, model: Model) -> PassResult:
        graph, result = model.main, PassResult(modified=True)
        (a, b), (x, y) = graph.inputs, graph.outputs
        sub = next(o for o in graph.operators if o.name == "SUB")
        sub.set_inputs(sub.inputs[::-1])
        if self.what == "swap":
            graph.set_inputs([b, a])
            graph.set_outputs([y, x])
            result.interface += [InterfaceChange("input", t, t, moved=True) for t in (b, a)]
            result.interface += [InterfaceChange("output", t, t, moved=True) for t in (y, x)]
        elif self.what == "drop output":
            graph.set_outputs([y])
            result.interface.append(InterfaceChange("output", x, None))
        elif self.what == "drop input":
            add = next(o for o in graph.operators if o.name == "ADD")
            for op in (sub, add):
                op.set_inputs([a if t is b else t for t in op.inputs])
            graph.set_inputs([a])
            result.interface.append(InterfaceChange("input", b, None))
        elif self.what == "add output":
            more = graph.add_tensor("more", a.shape, a.dtype, quantization=a.quantization)
            graph.add_operator("RELU", [a], [more])
            graph.set_outputs([more, x, y])
            result.interface.append(InterfaceChange("output", None, more))
        elif self.what == "add input":
            more, there = (graph.add_tensor(n, a.shape, a.dtype, quantization=a.quantization) for n in ("m", "n"))
            graph.add_operator("RELU", [more], [there])
            graph.set_inputs([more, a, b])
            result.interface.append(InterfaceChange("input", None, more))
        return result


@pytest.mark.parametrize("what", ["swap", "drop output", "drop input", "add output", "add input"])
@pytest.mark.parametrize("every", ["pass", "end"])
def test_inputs_and_outputs_come_go_and_move(tmp_path: Path, what: str, every: Every) -> None:
    replayed(caught_by(Rewire(what), two_inputs(), Verify(every=every)), tmp_path)


@dataclasses.dataclass(frozen=True)
class WrongRead(Pass):
    """Breaks the second entry point: it returns the input, or one too much, or starts with something else."""

    name: ClassVar[str] = "test-wrong-read"
    what: str = "forget"

    def run(self, model: Model) -> PassResult:
        graph = model.subgraphs[1]
        add = next(o for o in graph.operators if o.name == "ADD")
        if self.what == "start":
            zero = next(t for t in model.subgraphs[2].tensors if t.is_constant)
            zero.data = np.array(zero.data) + np.float32(1)
        elif self.what == "forget":
            add.set_inputs([add.inputs[0], graph.add_constant("zero", np.zeros((1, 2), np.float32))])
        else:
            add.set_inputs([add.inputs[0], add.inputs[0]])
        return PassResult(modified=True)


@pytest.mark.parametrize("every", ["pass", "end"])
@pytest.mark.parametrize("pass_", [ForgetToAssign(), WrongRead("forget"), WrongRead("twice"), WrongRead("start")])
def test_state_and_several_signatures(tmp_path: Path, pass_: Pass, every: Every) -> None:
    """What one entry point leaves behind, another one reads: all of them are kept, in order."""
    made = replayed(caught_by(pass_, counter(), Verify(samples=8, every=every)), tmp_path)
    assert "keeps something between calls" in (made / "README.txt").read_text()


@pytest.mark.parametrize("index", [1, 2])
def test_called_subgraphs(tmp_path: Path, index: int) -> None:
    replayed(caught_by(BreakSubgraph(index), branches()), tmp_path / "branch")
    replayed(caught_by(BreakSubgraph(2), loop()), tmp_path / "loop")


def words(constant: bool = False) -> Model:
    """Two of three words; the first word is an output as well. Or no inputs at all."""
    model = Model.new()
    graph = model.main
    if constant:
        x = graph.add_constant("x", np.array([[1, 2, 3]], np.float32))
    else:
        x = graph.add_input("x", (1, 3), "string")
    index = graph.add_constant("index", np.array([2, 0], np.int32))
    y = graph.add_tensor("y", (1, 2), x.dtype)
    graph.add_operator("GATHER", [x, index], [y], GatherOptions(axis=1))
    graph.set_outputs([y])
    return model


@dataclasses.dataclass(frozen=True)
class WrongIndex(Pass):
    """Takes other words, and puts an output in front when asked."""

    name: ClassVar[str] = "test-wrong-index"
    output: bool = False

    def run(self, model: Model) -> PassResult:
        graph, result = model.main, PassResult(modified=True)
        index = next(t for t in graph.tensors if t.name == "index")
        index.data = np.array([1, 0], np.int32)
        if self.output:
            (x,), (y,) = graph.inputs, graph.outputs
            graph.set_outputs([x, y])
            result.interface.append(InterfaceChange("output", None, x))
        return result


@pytest.mark.parametrize("output", [False, True])
def test_strings(tmp_path: Path, output: bool) -> None:
    replayed(caught_by(WrongIndex(output), words()), tmp_path)


def test_models_without_inputs(tmp_path: Path) -> None:
    replayed(caught_by(WrongIndex(), words(constant=True)), tmp_path)


def test_one_tensor_in_and_out(tmp_path: Path) -> None:
    """An input that is an output too, and an output that stands there twice."""

    @dataclasses.dataclass(frozen=True)
    class Twice(Pass):
        name: ClassVar[str] = "test-twice"

        def run(self, model: Model) -> PassResult:
            op = model.main.operators[0]
            op.set_inputs([op.inputs[0], op.inputs[0]])
            return PassResult(modified=True)

    model = Model.new()
    graph = model.main
    a, b = (graph.add_input(n, (1, 2), "float32") for n in "ab")
    y = graph.add_tensor("y", (1, 2), "float32")
    graph.add_operator("ADD", [a, b], [y], AddOptions())
    graph.set_outputs([a, y, y, b])
    replayed(caught_by(Twice(), model), tmp_path)


@pytest.mark.parametrize("place", ["before", "between", "behind"])
@pytest.mark.parametrize("spec", ["set-io-type{outputs=float32}", "set-io-type{inputs=uint8 outputs=float32}"])
@pytest.mark.parametrize("damage", ["weights", "values"])
def test_models_that_run_in_part(tmp_path: Path, place: str, spec: str, damage: str) -> None:
    if damage == "values" and place == "behind" and "inputs" not in spec:
        return  # there is nothing to reverse: what computes the output cannot run
    replayed(caught_by(Spoiled(spec, damage), holed(place)), tmp_path)


def test_samples_of_open_shapes(tmp_path: Path) -> None:
    """Only samples of another length than the file declares show what is wrong."""

    @dataclasses.dataclass(frozen=True)
    class TooLong(Pass):
        name: ClassVar[str] = "test-too-long"

        def run(self, model: Model) -> PassResult:
            op = model.main.operators[0]
            op.set_input(1, model.main.add_constant("other", np.array([[1, 2], [3, 4]], np.float32)))
            return PassResult(modified=True)

    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 2), "float32", shape_signature=(-1, 2))
    y = graph.add_tensor("y", (1, 2), "float32", shape_signature=(-1, 2))
    graph.add_operator("ADD", [x, graph.add_constant("k", np.array([[1, 2]], np.float32))], [y], AddOptions())
    graph.set_outputs([y])
    replayed(caught_by(TooLong(), model), tmp_path)


def test_types_that_numpy_files_do_not_know(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Minus(Pass):
        name: ClassVar[str] = "test-minus"

        def run(self, model: Model) -> PassResult:
            graph = model.main
            (y,) = graph.outputs
            middle = graph.add_tensor("middle", (1, 4), "float32")
            cast = graph.operators[0]
            cast.set_outputs([middle])
            graph.add_operator("NEG", [middle], [y])
            return PassResult(modified=True)

    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "bfloat16")
    y = graph.add_tensor("y", (1, 4), "float32")
    graph.add_operator("CAST", [x], [y])
    graph.set_outputs([y])
    made = replayed(caught_by(Minus(), model), tmp_path)
    with np.load(made / "inputs.npz") as arrays:
        assert arrays["input_0"].dtype.kind == "V"


@pytest.mark.parametrize(
    ("shape", "reshape", "permute", "back"),
    [
        ((3, 4), (3, 4), (1, 0, 2), (3, 4)),
        ((6, 4), (2, 3, 4), (1, 0, 2, 3), (6, 4)),
        ((4, 5), (2, 2, 5), (2, 1, 0, 3), (4, 5)),
    ],
)
def test_samples_are_found_inside_of_tensors(
    shape: tuple[int, ...], reshape: tuple[int, ...], permute: tuple[int, ...], back: tuple[int, ...]
) -> None:
    """Two samples go along the first axis, or between the parts that it is made of."""
    rng = np.random.default_rng(0)
    old = rng.integers(-128, 128, (6, *shape)).astype(np.int8)
    grouped = old.reshape(3, 2, *reshape)  # [N, samples, ...]
    order = np.argsort(permute)
    place = int(order[0])  # where the samples go among the parts
    new = np.moveaxis(grouped, 1, 1 + place).reshape(3, -1, *shape[1:])
    held = as_later(old, new, 2)
    assert held is not None
    np.testing.assert_array_equal(held, new)
    other = new.copy()
    other[0, 0, 0] ^= 1
    found = as_later(old, other, 2)
    assert found is not None
    assert np.count_nonzero(found != other) == 1
    assert back == shape


def test_values_that_do_not_fit_are_not_compared() -> None:
    old = np.zeros((4, 3, 2), np.int8)
    assert as_later(old, np.zeros((2, 5, 2), np.int8), 2) is None
    assert as_later(old, np.zeros((2, 6, 2), np.int16), 2) is None
    assert as_later(old, np.zeros((2, 3, 2), np.int8)) is None
    assert as_later(np.zeros((4, 0, 2), np.int8), np.zeros((2, 0, 2), np.int8), 2) is None


# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(models: Path, tmp_path: Path) -> Path:
    error = caught_by(Spoiled("set-batch{n=2}"), load(models, "mlp_uint8"), Verify(samples=4))
    return replayed(error, tmp_path)


def test_what_is_expected_decides(made: Path) -> None:
    """A model that computes what is expected is equal, whatever the one before computes."""
    with np.load(made / "inputs_after.npz") as inputs:
        (got,) = Interpreter(tflite2x.load(made / "after.tflite")).run_batch([inputs["input_0"]])
    np.savez(made / "expected_after.npz", output_0=got)
    assert main(["verify", str(made)]) == 0
    with np.load(made / "expected.npz") as expected:
        other = expected["output_0"] + 1
    np.savez(made / "expected.npz", output_0=other)
    result = replay(made)
    assert result.equal
    assert any("before.tflite does not compute expected.npz any more" in note for note in result.notes)


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _other_arrays(path: Path) -> None:
    np.savez(path, something=np.zeros(3))


def _other_types(path: Path) -> None:
    np.savez(path, input_0=np.zeros((1, 2), np.complex64), output_0=np.zeros((1, 2), np.complex64))


def _unlink(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("name", ["inputs", "inputs_after", "expected", "expected_after"])
@pytest.mark.parametrize("spoil", [_cut_off, _other_arrays, _other_types, _unlink])
def test_damaged_arrays_are_one_error(
    made: Path, capsys: pytest.CaptureFixture[str], name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(made / f"{name}.npz")
    code = main(["verify", str(made)])
    text = capsys.readouterr()
    if spoil is _other_types and name.startswith("expected"):
        assert code == 1  # that is a difference
        return
    assert code == 2
    assert text.err.count("error:") == 1
    assert "should not happen" not in text.err
    assert str(made) in text.err or f"{name}.npz" in text.err


def _save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def _no_samples(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: a[:0] for name, a in arrays.items()}
    _save(path, found)


def _no_axis(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: np.asarray(a.flat[0]) for name, a in arrays.items()}
    _save(path, found)


def _one_sample_less(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: a[1:] for name, a in arrays.items()}
    _save(path, found)


def _other_shape(path: Path) -> None:
    with np.load(path) as arrays:
        found = {name: a.reshape(len(a), -1, 1, 1, 1, 1, 1) for name, a in arrays.items()}
    _save(path, found)


@pytest.mark.parametrize("name", ["inputs", "inputs_after", "expected", "expected_after"])
@pytest.mark.parametrize("spoil", [_no_samples, _no_axis, _one_sample_less, _other_shape])
@pytest.mark.parametrize("kind", ["two inputs", "batch"])
def test_arrays_of_other_shapes_are_no_crash(
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    name: str,
    spoil: Callable[[Path], None],
) -> None:
    if kind == "batch":
        error = caught_by(Spoiled("set-batch{n=2}"), load(models, "mlp_uint8"), Verify(samples=8))
    else:
        error = caught_by(Rewire("drop input"), two_inputs())
    made = replayed(error, tmp_path)
    capsys.readouterr()
    spoil(made / f"{name}.npz")
    code = main(["verify", str(made)])
    text = capsys.readouterr()
    assert code in (1, 2)
    assert text.err.count("error:") == (code == 2)
    assert "should not happen" not in text.err


@pytest.mark.parametrize(
    "change",
    [
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "before.tflite"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": 5}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "inputs.npz"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [[]]}]},
        {"calls": [[]]},
        {"calls": None},
        {"calls": []},
        {"calls": 3},
        {"calls": [{"subgraphs": [0, 7], "outputs": [{}]}]},
        {"calls": [{"subgraphs": [0], "outputs": [{}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": []}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "missing.tflite"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"adapter": "../../x"}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"samples": 0, "axis": 0}]}]},
        {"calls": [{"subgraphs": [0, 0], "outputs": [{"samples": 2, "axis": 9}]}]},
        {"rounding": "triple"},
        {"rounding": None},
    ],
)
def test_damaged_descriptions_are_one_error(
    made: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    path = made / "replay.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert main(["verify", str(made)]) == 2
    text = capsys.readouterr().err
    assert text.count("error:") == 1
    assert "should not happen" not in text


@pytest.mark.parametrize("name", ["before.tflite", "after.tflite", "replay.json"])
@pytest.mark.parametrize("spoil", [_cut_off, _unlink])
def test_damaged_files_are_one_error(
    made: Path, capsys: pytest.CaptureFixture[str], name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(made / name)
    assert main(["verify", str(made)]) == 2
    assert "should not happen" not in capsys.readouterr().err


@pytest.mark.parametrize("spoil", [_cut_off, _other_arrays, _other_types, _unlink])
def test_damaged_inputs_of_both_models_are_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None]
) -> None:
    made = replayed(caught_by(WrongIndex(), words()), tmp_path)
    assert "calls" not in json.loads((made / "replay.json").read_text())
    spoil(made / "inputs.npz")
    code = main(["verify", str(made)])
    text = capsys.readouterr().err
    if code != 1:  # the only array, whatever its name, may be meant
        assert code == 2
        assert text.count("error:") == 1
        assert "should not happen" not in text


def test_the_one_operator_is_kept_where_interfaces_are_equal(tmp_path: Path) -> None:
    """Two models with one interface are kept as two models: any pair of files can be compared."""
    from tests.verification.test_culprit import Shuffle

    made = replayed(caught_by(Shuffle((1,)), chain(3, float_io=False)), tmp_path)
    assert count(made) == 1
    assert not (made / "inputs_after.npz").exists()
    assert "--samples inputs.npz" in (made / "README.txt").read_text()


def test_an_output_that_means_something_else_is_not_to_blame(tmp_path: Path) -> None:
    """The output that lost its SOFTMAX differs from what it was, and rightly so; the second one does not."""

    @dataclasses.dataclass(frozen=True)
    class WrongSecond(Pass):
        name: ClassVar[str] = "test-wrong-second"

        def run(self, model: Model) -> PassResult:
            (inner,) = Pipeline.parse("remove-output-softmax").passes
            result = inner.run(model)
            op = model.main.outputs[1].producer
            assert op is not None
            op.set_inputs([op.inputs[0], op.inputs[0]])
            return result

    model = Model.new()
    graph = model.main
    x = graph.add_input("x", (1, 4), "int8", scale=0.1)
    k = graph.add_constant("k", np.array([[1, -2, 3, 4]], np.int8), scale=0.1)
    logits, softmax, other = (graph.add_tensor(n, (1, 4), "int8", scale=0.1) for n in ("logits", "softmax", "other"))
    assert softmax.quantization is not None
    softmax.quantization.scale, softmax.quantization.zero_point = np.array([1 / 256], np.float32), np.array([-128])
    graph.add_operator("ADD", [x, k], [logits], AddOptions(), version=2)
    graph.add_operator("SOFTMAX", [logits], [softmax], SoftmaxOptions(beta=1.0), version=2)
    probability = graph.add_tensor("probability", (1, 4), "float32")
    graph.add_operator("DEQUANTIZE", [softmax], [probability], version=2)
    graph.add_operator("ADD", [logits, k], [other], AddOptions(), version=2)
    graph.set_outputs([probability, other])
    error = caught_by(WrongSecond(), model)
    first = error.report.failed.verdict.first  # type: ignore[union-attr]
    assert first is not None
    assert first.tensor == "other"
    made = replayed(error, tmp_path)
    assert count(made) == 1

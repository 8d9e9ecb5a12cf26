# SPDX-License-Identifier: Apache-2.0
"""Reproducers of passes that change the interface, of models with state, strings and several entry points.

Whatever a pass says about inputs and outputs, and wherever it breaks the model: what it leaves on disk replays.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain, two_inputs
from tests.verification.spoiled import Rewire, Spoiled, WrongIndex, caught_by, count, load, replayed, words
from tests.verification.test_partial import holed
from tests.verification.test_state_and_subgraphs import BreakSubgraph, ForgetToAssign, branches, counter, loop
from tflite2x import Interpreter, Pass, PassResult, Pipeline, Verify
from tflite2x.ir import Model
from tflite2x.schema.tables import AddOptions, SoftmaxOptions
from tflite2x.verification import replay
from tflite2x.verification.locate import as_later

Every = Literal["pass", "end"]
IMAGES = ("cnn_int8", "mlp_uint8", "cnn_float")


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

# SPDX-License-Identifier: Apache-2.0
"""Passes that break a model behind what they say, and what a reproducer of that has to do."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import tflite2x
from tflite2x import CheckFailedError, Pass, PassResult, Pipeline, Verify
from tflite2x.cli import main
from tflite2x.ir import Model
from tflite2x.rewrite.interface import InterfaceChange
from tflite2x.schema.tables import GatherOptions, ReverseV2Options
from tflite2x.verification import replay, reproduce


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

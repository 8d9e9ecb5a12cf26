# SPDX-License-Identifier: Apache-2.0
"""Called subgraphs, several signatures, dynamic shapes, state: passes work where sound, the verifier follows."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

import tflite2x
from tests.verification.build import chain
from tflite2x import CheckFailedError, Pass, PassResult, Pipeline, Verify
from tflite2x.ir import Model
from tflite2x.schema.tables import (
    AddOptions,
    AssignVariableOptions,
    IfOptions,
    MulOptions,
    ReadVariableOptions,
    ReshapeOptions,
    VarHandleOptions,
    WhileOptions,
)


def branches() -> Model:
    """IF with two branches, each of which holds something to fold and to remove."""
    model = Model.new()
    g = model.main
    flag = g.add_input("flag", (), "bool")
    x = g.add_input("x", (1, 4), "float32")
    for name, factor in (("then", 2.0), ("else", 3.0)):
        inner = model.add_subgraph(name)
        a = inner.add_input("a", (1, 4), "float32")
        k = inner.add_constant("k", np.full((1, 4), factor, np.float32))
        negative = inner.add_tensor("negative", (1, 4), "float32")
        inner.add_operator("NEG", [k], [negative])
        product = inner.add_tensor("product", (1, 4), "float32")
        inner.add_operator("MUL", [a, negative], [product], MulOptions())
        same = inner.add_tensor("same", (1, 4), "float32")
        shape = inner.add_constant("shape", np.array([1, 4], np.int32))
        inner.add_operator("RESHAPE", [product, shape], [same], ReshapeOptions())
        b = inner.add_tensor("b", (1, 4), "float32")
        inner.add_operator("RELU", [same], [b])
        inner.set_outputs([b])
    y = g.add_tensor("y", (1, 4), "float32")
    g.add_operator("IF", [flag, x], [y], IfOptions(then_subgraph_index=1, else_subgraph_index=2))
    g.set_outputs([y])
    return model


def test_passes_work_inside_of_called_subgraphs() -> None:
    model = branches()
    text = "fold-constants,remove-identities,fuse-activation,cleanup"
    report = Pipeline.parse(text).run(model, Verify())
    for graph in model.subgraphs[1:]:
        (op,) = graph.operators
        assert op.name == "MUL"
        assert op.options.fused_activation_function.name == "RELU"
    assert report.total is not None
    assert report.total.passed
    assert report.total.samples >= 32


@dataclasses.dataclass(frozen=True)
class BreakSubgraph(Pass):
    """Changes a constant in a called subgraph."""

    name: ClassVar[str] = "test-break-subgraph"
    index: int = 1

    def run(self, model: Model) -> PassResult:
        for tensor in model.subgraphs[self.index].tensors:
            if tensor.is_constant and tensor.dtype.name == "FLOAT32":
                tensor.data = np.array(tensor.data) + 1
                return PassResult(modified=True)
        return PassResult()


@pytest.mark.parametrize("index", [1, 2])
def test_broken_branches_are_caught(index: int) -> None:
    with pytest.raises(CheckFailedError, match="claimed exact"):
        Pipeline([BreakSubgraph(index)]).run(branches(), Verify())


def loop() -> Model:
    """WHILE x[0] < 10: x = x + 1."""
    from tflite2x.schema.tables import LessOptions

    model = Model.new()
    g = model.main
    x = g.add_input("x", (1,), "float32")
    cond, body = model.add_subgraph("cond"), model.add_subgraph("body")
    a = cond.add_input("a", (1,), "float32")
    less = cond.add_tensor("less", (1,), "bool")
    cond.add_operator("LESS", [a, cond.add_constant("ten", np.array([10], np.float32))], [less], LessOptions())
    cond.set_outputs([less])
    b = body.add_input("b", (1,), "float32")
    more = body.add_tensor("more", (1,), "float32")
    body.add_operator("ADD", [b, body.add_constant("one", np.array([1.5], np.float32))], [more], AddOptions())
    body.set_outputs([more])
    y = g.add_tensor("y", (1,), "float32")
    g.add_operator("WHILE", [x], [y], WhileOptions(cond_subgraph_index=1, body_subgraph_index=2))
    g.set_outputs([y])
    return model


def test_loops_are_verified() -> None:
    Pipeline.parse("fold-constants,remove-identities,strip-debug,cleanup").run(loop(), Verify())
    with pytest.raises(CheckFailedError):
        Pipeline([BreakSubgraph(2)]).run(loop(), Verify())


def counter() -> Model:
    """A variable that sums up its inputs; two signatures with subgraphs of their own: add, and read."""
    model = Model.new()
    for name in ("add", "read"):
        g = model.main if name == "add" else model.add_subgraph(name)
        handle = g.add_tensor("handle", (), "resource")
        g.add_operator("VAR_HANDLE", [], [handle], VarHandleOptions(container="", shared_name="total"))
        x = g.add_input("x", (1, 2), "float32")
        old = g.add_tensor("old", (1, 2), "float32")
        g.add_operator("READ_VARIABLE", [handle], [old], ReadVariableOptions())
        y = g.add_tensor("y", (1, 2), "float32")
        g.add_operator("ADD", [x, old], [y], AddOptions())
        if name == "add":
            g.add_operator("ASSIGN_VARIABLE", [handle, y], [], AssignVariableOptions())
        g.set_outputs([y])
        model.add_signature(name, g, inputs={"x": x}, outputs={"y": y})
    start = model.add_subgraph("start")
    handle = start.add_tensor("handle", (), "resource")
    zero = start.add_constant("zero", np.zeros((1, 2), np.float32))
    start.add_operator("VAR_HANDLE", [], [handle], VarHandleOptions(container="", shared_name="total"))
    start.add_operator("ASSIGN_VARIABLE", [handle, zero], [], AssignVariableOptions())
    from tflite2x.schema.tables import CallOnceOptions

    model.main.add_operator("CALL_ONCE", [], [], CallOnceOptions(init_subgraph_index=2), index=0)
    return model


@dataclasses.dataclass(frozen=True)
class ForgetToAssign(Pass):
    """Drops the operator that keeps the state: only the second call shows it."""

    name: ClassVar[str] = "test-forget"

    def run(self, model: Model) -> PassResult:
        op = next(o for o in model.main.operators if o.name == "ASSIGN_VARIABLE")
        model.main.remove_operator(op)
        return PassResult(modified=True)


def test_state_needs_sequences_of_calls() -> None:
    report = Pipeline.parse("fold-constants,remove-identities,cleanup").run(counter(), Verify(samples=8))
    assert report.total is not None
    assert report.total.passed
    with pytest.raises(CheckFailedError):
        Pipeline([ForgetToAssign()]).run(counter(), Verify(samples=8))


def test_state_is_followed_on_samples_of_the_user() -> None:
    own = {t.name or "": np.ones((5, *t.shape), t.numpy_dtype) for g in counter().subgraphs for t in g.inputs}
    report = Pipeline.parse("fold-constants,remove-identities,cleanup").run(counter(), Verify(samples=own))
    assert report.total is not None
    assert report.total.passed
    with pytest.raises(CheckFailedError):
        Pipeline([ForgetToAssign()]).run(counter(), Verify(samples=own))


def test_second_signature_is_verified_as_well() -> None:
    @dataclasses.dataclass(frozen=True)
    class BreakRead(Pass):
        name: ClassVar[str] = "test-break-read"

        def run(self, model: Model) -> PassResult:
            add = next(o for o in model.subgraphs[1].operators if o.name == "ADD")
            add.set_inputs([add.inputs[0], add.inputs[0]])
            return PassResult(modified=True)

    with pytest.raises(CheckFailedError):
        Pipeline([BreakRead()]).run(counter(), Verify(samples=8))


def test_called_subgraphs_keep_their_interface() -> None:
    model = branches()
    model.add_signature(
        "inner",
        model.subgraphs[1],
        inputs={"a": model.subgraphs[1].inputs[0]},
        outputs={"b": model.subgraphs[1].outputs[0]},
    )
    report = Pipeline.parse("add-output-argmax").run(model, Verify())
    assert [t.dtype.name for t in model.subgraphs[1].outputs] == ["FLOAT32"]
    assert any("operators call subgraphs[1]" in reason for _, _, reason in report.left_alone())


def test_open_dimensions_are_tried() -> None:
    """A RESHAPE that is right for one sample only is caught by a batch of two."""

    @dataclasses.dataclass(frozen=True)
    class FixShape(Pass):
        name: ClassVar[str] = "test-fix-shape"

        def run(self, model: Model) -> PassResult:
            op = next(o for o in model.main.operators if o.name == "RESHAPE")
            op.set_input(1, model.main.add_constant("fixed", np.array([1, 8], np.int32)))
            return PassResult(modified=True)

    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 2, 4), "float32", shape_signature=(-1, 2, 4))
    flat = g.add_tensor("flat", (1, 8), "float32", shape_signature=(-1, 8))
    g.add_operator("RESHAPE", [x, g.add_constant("s", np.array([-1, 8], np.int32))], [flat], ReshapeOptions())
    y = g.add_tensor("y", (1, 8), "float32", shape_signature=(-1, 8))
    g.add_operator("NEG", [flat], [y])
    g.set_outputs([y])
    with pytest.raises(CheckFailedError, match="does not run any more"):
        Pipeline([FixShape()]).run(model, Verify())


def test_samples_are_the_same_everywhere() -> None:
    """Seeds decide the samples; a change would make reports incomparable."""
    from tflite2x.verification.samples import generate

    a = generate(chain(float_io=False).main.inputs[0], 8, 0)
    b = generate(chain(float_io=False).main.inputs[0], 8, 0)
    assert a.tobytes() == b.tobytes()
    assert generate(chain(float_io=False).main.inputs[0], 8, 1).tobytes() != a.tobytes()
    assert [int(a[0].min()), int(a[0].max()), int(a[1].min()), int(a[2].max())] == [-128, -128, 127, -3]
    assert (a[3] == 127).sum() == 1
    assert tflite2x.Verify(samples=1).count == 1

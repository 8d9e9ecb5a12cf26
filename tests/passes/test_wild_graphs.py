# SPDX-License-Identifier: Apache-2.0
"""Every pass on random graphs of images with calls, several outputs, open shapes, 16 bits and no elements at all.

What a pass claims must hold in the interpreter; where the interface stays, LiteRT must compute the same from both.
"""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_run
from tests.passes.wild_graphs import wild
from tflite2x import Pipeline, Verify
from tflite2x.errors import PassError
from tflite2x.ir import Model, Tensor
from tflite2x.schema.tables import AddOptions, SoftmaxOptions

SAME_INTERFACE = (
    "fold-constants", "dedupe-buffers", "remove-identities", "merge-requantize", "fuse-activation", "fuse-pad",
    "conv-to-fc", "bypass-reshape", "lower-op-versions", "strip-debug", "rename-tensors{short}", "cleanup",
)  # fmt: skip
OTHER_INTERFACE = (
    "strip-float-io", "set-io-type{inputs=int8 outputs=uint8}", "set-io-type{inputs=float32 outputs=float32}",
    "set-io-type{inputs=int16 outputs=int16}", "add-output-argmax", "remove-output-softmax", "xc-fc", "set-batch{n=3}",
)  # fmt: skip
TOGETHER = f"fixpoint({','.join(SAME_INTERFACE[:9])},cleanup)"


def samples(rng: np.random.Generator, tensor: Tensor, batch: int | None) -> np.ndarray:
    shape = tensor.shape if batch is None else (batch, *tensor.shape[1:])
    if tensor.numpy_dtype.kind == "b":
        return np.array(rng.random(shape) < 0.5)
    if tensor.numpy_dtype.kind == "f":
        return rng.normal(0, 3, shape).astype(np.float32)
    info = np.iinfo(tensor.numpy_dtype)
    return rng.integers(info.min, info.max, shape, endpoint=True).astype(tensor.numpy_dtype)


def litert_agrees(before: bytes, after: bytes, lsb: int, seed: int) -> None:
    """Compare two models in LiteRT, also with another batch where the file leaves it open."""
    rng = np.random.default_rng(seed)
    inputs = tflite2x.loads(before).main.inputs
    sizes: list[int | None] = [None, None]
    if all(t.shape_signature is not None and t.shape_signature[:1] == (-1,) for t in inputs):
        sizes.append(3)
    for batch in sizes:
        arrays = [samples(rng, t, batch) for t in inputs]
        try:
            want = litert_run(before, arrays)
        except (RuntimeError, ValueError):
            return  # LiteRT's own limits, such as shapes that are written down
        for a, b in zip(want, litert_run(after, arrays), strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            if lsb:
                continue
            if a.dtype.kind == "f":
                np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 * max(1.0, float(np.abs(a).max(initial=0))))
            else:
                np.testing.assert_array_equal(b, a)


def check(seed: int, text: str) -> None:
    model = wild(seed)
    before = tflite2x.dumps(model)
    try:
        report = Pipeline.parse(text).run(model, Verify(samples=6))
    except PassError as error:
        # Only this one asks for something that a model may not have: one batch, everywhere.
        if not text.startswith("set-batch") or "bug of the pass" in error.hint:
            raise
        return
    model.check()
    once = tflite2x.dumps(model)
    again: Model = tflite2x.loads(once)
    assert not Pipeline.parse(text).run(again).modified, "not idempotent"
    if report.modified and text not in OTHER_INTERFACE:
        litert_agrees(before, once, sum(row.result.claim.lsb or 0 for row in report.passes), seed)


@pytest.mark.parametrize("text", [*SAME_INTERFACE, *OTHER_INTERFACE, TOGETHER])
def test_claims_hold(text: str) -> None:
    for seed in range(10):
        check(seed, text)


def test_softmax_of_softmax_stays() -> None:
    """Taking away one of them leaves another at the output: the pass would go on at the next run."""
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 4), "float32")
    tensors = [x, *(g.add_tensor(f"t{i}", (1, 4), "float32") for i in range(3))]
    for code, a, b in zip(("NEG", "SOFTMAX", "SOFTMAX"), tensors, tensors[1:], strict=False):
        g.add_operator(code, [a], [b], SoftmaxOptions(beta=1.0) if code == "SOFTMAX" else None)
    g.set_outputs([tensors[-1]])
    report = Pipeline.parse("remove-output-softmax").run(model, Verify())
    assert not report.modified
    assert "the result of another SOFTMAX" in report.left_alone()[0][2]


def test_values_without_elements_are_not_folded() -> None:
    """LiteRT refuses constants without bytes."""
    model = Model.new()
    g = model.main
    x = g.add_input("x", (0, 4), "float32")
    negative, y = g.add_tensor("negative", (0, 4), "float32"), g.add_tensor("y", (0, 4), "float32")
    g.add_operator("NEG", [g.add_constant("k", np.zeros((0, 4), np.float32))], [negative])
    g.add_operator("ADD", [x, negative], [y], AddOptions())
    g.set_outputs([y])
    report = Pipeline.parse("fold-constants").run(model, Verify())
    assert not report.modified
    assert "has no elements" in report.left_alone()[0][2]
    with pytest.raises(PassError, match="their batch size is 0"):
        Pipeline.parse("set-batch{n=2}").run(model)


@pytest.mark.sweep
@pytest.mark.parametrize("text", [*SAME_INTERFACE, *OTHER_INTERFACE, TOGETHER])
def test_claims_hold_in_many_graphs(text: str) -> None:
    for seed in range(10, 300):
        check(seed, text)

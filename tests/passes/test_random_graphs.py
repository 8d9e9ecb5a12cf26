# SPDX-License-Identifier: Apache-2.0
"""Every pass on random graphs: its claim holds in the interpreter and, where the interface stays, in LiteRT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import tflite2x
from tests.oracle import litert_run
from tests.passes.random_graphs import Grower
from tflite2x import Pipeline, Verify
from tflite2x.ir import Model

SAME_INTERFACE = [
    "fold-constants", "dedupe-buffers", "remove-identities", "merge-requantize", "fuse-activation", "fuse-pad",
    "conv-to-fc", "bypass-reshape", "lower-op-versions", "strip-debug", "rename-tensors{short}", "cleanup",
]  # fmt: skip
OTHER_INTERFACE = [
    "strip-float-io", "set-io-type{inputs=int8 outputs=uint8}", "set-io-type{inputs=float32 outputs=float32}",
    "set-io-type{inputs=int16 outputs=int16}", "add-output-argmax", "xc-fc",
]  # fmt: skip
ALL = ",".join([*SAME_INTERFACE[:9], "cleanup"])

few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def grown(seed: int) -> Model:
    return Grower(seed).grow(4 + seed % 14)


def run(seed: int, text: str) -> tuple[bytes, Model, tflite2x.Report]:
    model = grown(seed)
    before = tflite2x.dumps(model)
    report = Pipeline.parse(text).run(model, Verify(samples=8))
    model.check()
    once = tflite2x.dumps(model)
    again = tflite2x.loads(once)
    assert not Pipeline.parse(text).run(again).modified, "not idempotent"
    assert tflite2x.dumps(again) == once
    return before, model, report


@pytest.mark.parametrize("text", [*SAME_INTERFACE, *OTHER_INTERFACE])
@few
@given(seed=st.integers(0, 10**6))
def test_claims_hold(text: str, seed: int) -> None:
    run(seed, text)


@few
@given(seed=st.integers(0, 10**6))
@example(seed=91)  # a changed operator that reads constants only
def test_together_and_in_litert(seed: int) -> None:
    before, model, report = run(seed, f"fixpoint({ALL})")
    lsb = sum(row.result.claim.lsb or 0 for row in report.passes)
    rng = np.random.default_rng(seed)
    inputs = []
    for t in tflite2x.loads(before).main.inputs:
        if t.numpy_dtype.kind == "f":
            inputs.append(rng.normal(0, 3, t.shape).astype(np.float32))
        else:
            info = np.iinfo(t.numpy_dtype)
            inputs.append(rng.integers(info.min, info.max, t.shape, endpoint=True).astype(t.numpy_dtype))
    for want, got in zip(litert_run(before, inputs), litert_run(tflite2x.dumps(model), inputs), strict=True):
        assert want.dtype == got.dtype
        if lsb == 0 and want.dtype.kind != "f":
            np.testing.assert_array_equal(got, want)
        elif lsb == 0:
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * max(1.0, float(np.abs(want).max())))


@few
@given(seed=st.integers(0, 10**6))
def test_order_of_the_interface_stays(seed: int) -> None:
    model = grown(seed)
    names = [[t.name for t in side] for side in (model.main.inputs, model.main.outputs)]
    Pipeline.parse("strip-float-io,cleanup").run(model, Verify(samples=4))
    assert [[t.name for t in side] for side in (model.main.inputs, model.main.outputs)] == names
    for signature in model.signatures:
        assert list(signature.inputs.values()) == list(model.main.inputs)
        assert list(signature.outputs.values()) == list(model.main.outputs)

# SPDX-License-Identifier: Apache-2.0
"""Mutation test of the verifier: every broken pass that changes an output is caught, with the right culprit.

Whether a mutation changes an output is decided without the verifier: the interpreter runs both models on random inputs
of its own (or one of them does not run at all).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.verification.mutations import Break, possible
from tflite2x import CheckFailedError, Interpreter, Pipeline, Verify
from tflite2x.errors import PassError, Tflite2xError
from tflite2x.ir import Model
from tflite2x.verification import reproduce, verify

NAMES = [
    "logistic_float", "logistic_int8", "mlp_float", "mlp_uint8", "cnn_int8", "dense_3d_int8", "dscnn_int8", "kws_int8",
    "cnn_float", "kws_float",
]  # fmt: skip


def changes_an_output(before: bytes, after: Model, seed: int) -> bool:
    """Decide on random inputs whether two models differ."""
    old = tflite2x.loads(before)
    rng = np.random.default_rng(seed)
    inputs = []
    for tensor in old.main.inputs:
        if tensor.numpy_dtype.kind == "f":
            inputs.append(rng.uniform(0, 1, (12, *tensor.shape)).astype(tensor.numpy_dtype))
        else:
            info = np.iinfo(tensor.numpy_dtype)
            inputs.append(
                rng.integers(info.min, info.max, (12, *tensor.shape), endpoint=True).astype(tensor.numpy_dtype)
            )
    want = Interpreter(old).run_batch(inputs)
    try:
        got = Interpreter(after).run_batch(inputs)
    except Tflite2xError:
        return True
    return any(a.tobytes() != b.tobytes() for a, b in zip(want, got, strict=True))


def check(path: Path, mutation: Break, folder: Path | None) -> str:
    """Run one broken pass; returns ``caught``, ``harmless`` or what is wrong with the verifier."""
    model = tflite2x.load(path)
    before = tflite2x.dumps(model)
    op = model.main.operators[mutation.index]
    place = op.where
    near = {op.where, *(user.where for t in op.outputs for user in t.consumers)}
    # Operators that share the weights change with them.
    near |= {user.where for t in op.inputs[1:] if t is not None and t.is_constant for user in t.consumers}
    broken = tflite2x.loads(before)
    try:
        mutation.run(broken)
        broken.check()
    except Tflite2xError:
        return "refused"
    differs = changes_an_output(before, broken, mutation.index)
    try:
        Pipeline([mutation]).run(model, Verify())
    except CheckFailedError as error:
        verdict = error.report.failed
        assert verdict is not None
        assert verdict.verdict is not None
        first = verdict.verdict.first
        if tflite2x.dumps(model) != before:
            return "the model was not restored"
        if "does not run any more" in verdict.verdict.reason:
            named = first.operator if first is not None else error.what
            found = place in named or (mutation.kind == "drop operator" and first is not None)
            # Without the dropped operator, its number belongs to the one behind it.
            found |= mutation.kind == "drop operator" and f".operators[{mutation.index}]" in error.what
            return "caught" if found else f"culprit not named: {error.what}"
        if first is None:
            return "no first tensor"
        if mutation.kind != "drop operator" and first.operator not in near:
            return f"culprit {first.operator}, not {place}"
        if folder is not None:
            made = reproduce(error.failure, folder, error.what)
            samples = dict(np.load(made / "inputs.npz"))
            if verify(made / "before.tflite", made / "after.tflite", samples=samples).equal:
                return "the reproducer does not replay"
            if len(tflite2x.load(made / "after.tflite").main.operators) > 3:
                return "the reproducer is not small"
        return "caught"
    except PassError as error:  # refused before anything ran: the interface means something else
        return "caught" if "does not say so" in error.what else f"PassError {error}"
    return "MISSED" if differs else "harmless"


def sweep(paths: list[Path], folder: Path, every: int) -> dict[str, int]:
    """Run every n-th mutation of the models and count what became of them."""
    counts: dict[str, int] = {}
    wrong = []
    for path in paths:
        mutations = list(possible(tflite2x.load(path)))
        for i, mutation in enumerate(mutations[::every]):
            found = check(path, mutation, folder if i % 4 == 0 else None)
            counts[found.split(" ")[0]] = counts.get(found.split(" ")[0], 0) + 1
            if found not in ("caught", "harmless", "refused"):
                wrong.append(f"{path.name}: {mutation}: {found}")
    assert not wrong, "\n".join(wrong)
    return counts


@pytest.mark.parametrize("name", NAMES)
def test_broken_passes_are_caught(models: Path, tmp_path: Path, name: str) -> None:
    counts = sweep([models / f"{name}.tflite"], tmp_path, 5)
    assert counts["caught"] >= 1


@pytest.mark.sweep
def test_broken_passes_over_everything(models: Path, corpus: Path, tmp_path: Path) -> None:
    paths = [models / f"{name}.tflite" for name in NAMES]
    index = json.loads((corpus / "index.json").read_text())
    small = [e for e in index if e["size"] < 100_000 and e["litert_ref"] == "ok" and 2 <= e["operators"] <= 40]
    paths += [corpus / e["path"] for e in small[::6]]
    runnable = []
    for path in paths:
        try:
            model = tflite2x.load(path)
            if any(t.dtype.name not in ("FLOAT32", "INT8", "UINT8", "INT16") for t in model.main.inputs):
                continue
            changes_an_output(tflite2x.dumps(model), model, 0)
        except Tflite2xError:
            continue
        runnable.append(path)
    counts = sweep(runnable, tmp_path, 1)
    print(f"\n{len(runnable)} models: {counts}")
    assert counts["caught"] >= 200

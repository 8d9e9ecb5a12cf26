# SPDX-License-Identifier: Apache-2.0
"""Mutation test of the verifier: every broken pass that changes an output is caught.

The operator that was broken and the rewrite that broke it must be named, and the reproducer must replay.

Whether a mutation changes an output is decided without the verifier: the interpreter runs both models on random inputs
of its own (or one of them does not run at all).
"""

from __future__ import annotations

import collections
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import tflite2x
from tests.verification.mutations import KINDS, Break, possible
from tflite2x import CheckFailedError, Interpreter, Pipeline, Verify
from tflite2x.errors import PassError, Tflite2xError
from tflite2x.ir import Model
from tflite2x.verification import replay, reproduce

NAMES = [
    "logistic_float", "logistic_int8", "mlp_float", "mlp_uint8", "cnn_int8", "dense_3d_int8", "dscnn_int8", "kws_int8",
    "cnn_float", "kws_float",
]  # fmt: skip
#: Operators of a reproducer, before and after the pass, at most.
SMALL = 4
_DEFAULT = Verify()


@dataclasses.dataclass
class Outcome:
    """What became of one mutation; a text where the verifier is wrong."""

    differs: bool = True
    caught: bool = False
    named: str = ""
    replayed: str = ""
    problem: str = ""
    operators: int = 0

    @property
    def wrong(self) -> str:
        return self.problem or self.named or self.replayed or ("MISSED" if self.differs and not self.caught else "")


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


def check(path: Path, mutation: Break, folder: Path, config: Verify) -> Outcome | None:
    """Run one broken pass; None when the graph itself refuses the mutation."""
    model = tflite2x.load(path)
    before = tflite2x.dumps(model)
    place = model.main.operators[mutation.index].where
    culprits = mutation.culprits(model)
    broken = tflite2x.loads(before)
    try:
        mutation.run(broken)
        broken.check()
    except Tflite2xError:
        return None
    outcome = Outcome(changes_an_output(before, broken, mutation.index))
    try:
        Pipeline([mutation]).run(model, config)
    except PassError as error:
        outcome.problem = str(error)
    except CheckFailedError as error:
        outcome.caught = True
        row = error.report.failed
        verdict = row.verdict if row is not None else None
        if verdict is None:
            outcome.problem = "no verdict"
            return outcome
        if tflite2x.dumps(model) != before:
            outcome.problem = "the model was not restored"
        first = verdict.first
        if verdict.places != [place]:
            outcome.named = f"rewrites named: {verdict.places}"
        elif first is None:
            outcome.named = f"no first tensor: {error.what}"
        elif mutation.kind == "drop operator":
            outcome.named = "" if first.removed == (place,) else f"{first} removed: {first.removed}"
        elif first.operator not in culprits or first.removed:
            outcome.named = f"culprit {first.operator}, not {place}; removed: {first.removed}"
        try:
            made = reproduce(error.failure, folder, error.what)
            if replay(made).equal:
                outcome.replayed = "the reproducer does not replay"
            sizes = [len(tflite2x.load(made / f"{name}.tflite").main.operators) for name in ("before", "after")]
            outcome.operators = max(sizes)
        except (Tflite2xError, AttributeError) as problem:
            outcome.replayed = f"no reproducer: {problem}"
    return outcome


def sweep(
    paths: list[Path], folder: Path, every: int, config: Verify = _DEFAULT
) -> dict[str, collections.Counter[str]]:
    """Run every n-th mutation of the models and count, by kind, what became of them."""
    table: dict[str, collections.Counter[str]] = {kind: collections.Counter() for kind in KINDS}
    wrong = []
    for path in paths:
        mutations = list(possible(tflite2x.load(path)))
        for mutation in mutations[::every]:
            outcome = check(path, mutation, folder, config)
            row = table[mutation.kind]
            row["tried"] += 1
            if outcome is None:
                row["refused"] += 1
                continue
            row["differ"] += outcome.differs or outcome.caught
            row["caught"] += outcome.caught
            row["named"] += outcome.caught and not outcome.named
            row["replayed"] += outcome.caught and not outcome.replayed
            row["small"] += outcome.caught and outcome.operators <= SMALL
            if outcome.wrong:
                wrong.append(f"{path.name}: {mutation}: {outcome.wrong}")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong)
    return table


@pytest.mark.parametrize("name", NAMES)
def test_broken_passes_are_caught(models: Path, tmp_path: Path, name: str) -> None:
    table = sweep([models / f"{name}.tflite"], tmp_path, 7)
    assert sum(row["replayed"] for row in table.values()) >= 1


@pytest.mark.parametrize("name", ["mlp_uint8", "dscnn_int8", "cnn_float"])
def test_broken_passes_are_caught_at_the_end(models: Path, tmp_path: Path, name: str) -> None:
    table = sweep([models / f"{name}.tflite"], tmp_path, 11, Verify(every="end"))
    assert sum(row["replayed"] for row in table.values()) >= 1


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
    table = sweep(runnable, tmp_path, 1)
    columns = ("tried", "refused", "differ", "caught", "named", "replayed", "small")
    total: collections.Counter[str] = sum(table.values(), collections.Counter())
    print(f"\n{len(runnable)} models\n{'kind of mutation':24}" + "".join(f"{c:>10}" for c in columns))
    for kind, row in (*table.items(), ("all", total)):
        print(f"{kind:24}" + "".join(f"{row[c]:10}" for c in columns))
    assert total["caught"] == total["named"] == total["replayed"] >= 200

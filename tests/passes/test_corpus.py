# SPDX-License-Identifier: Apache-2.0
"""The passes on real models: nothing crashes, every result loads in LiteRT and equals the original there."""

from __future__ import annotations

import collections
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.oracle import litert_interpreter
from tflite2x import Pipeline, Verify
from tflite2x.errors import Tflite2xError, UnsupportedError
from tflite2x.ir import Model
from tflite2x.verification.adapt import Trail, follow_inputs
from tflite2x.verification.align import align_interface
from tflite2x.verification.samples import generate_all

PIPELINES = {
    "tflite": "strip-float-io,cleanup",
    "everything": "strip-float-io,fold-constants,dedupe-buffers,remove-identities,merge-requantize,fuse-activation,"
    "fuse-pad,conv-to-fc,bypass-reshape,lower-op-versions,strip-debug,cleanup",
}
SAMPLES = 3


def entries(corpus: Path) -> Iterator[dict[str, Any]]:
    yield from json.loads((corpus / "index.json").read_text())


def litert(model: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Run samples one by one, each in the state of a new model."""
    results = []
    for k in range(len(inputs[0]) if inputs else 1):
        runner = litert_interpreter(model)
        for detail, array in zip(runner.get_input_details(), inputs, strict=True):
            if tuple(detail["shape"]) != array.shape[1:]:
                runner.resize_tensor_input(detail["index"], array.shape[1:])
        runner.allocate_tensors()
        for detail, array in zip(runner.get_input_details(), inputs, strict=True):
            runner.set_tensor(detail["index"], array[k])
        runner.invoke()
        results.append([runner.get_tensor(d["index"]) for d in runner.get_output_details()])
    return [np.stack(column) for column in zip(*results, strict=True)]


def compare_in_litert(before: Model, original: bytes, after: Model, lsb: int, floats: bool) -> str:
    """Return ``equal``, ``within its claim``, why LiteRT was not asked, or what is wrong."""
    # Through bytes, as a user would get it.
    written = tflite2x.dumps(after)
    samples = generate_all(before.main, SAMPLES, 0)
    try:
        want = litert(original, samples)
    except (RuntimeError, ValueError) as error:
        return f"not asked: {str(error)[:60]}"
    links = align_interface(before.main, after.main, adapt=True)
    got = litert(written, follow_inputs(samples, links, []))
    trail = Trail(want)
    trail.follow(links)
    found, _ = trail.compare(got)
    if found.equal:
        return "equal"
    if lsb == 0 and not floats:
        # Random numbers differ from run to run in some models, and memory that LiteRT leaves as it was, mostly.
        for model, inputs, first in ((original, samples, want), (written, follow_inputs(samples, links, []), got)) * 3:
            again, _ = Trail(first).compare(litert(model, inputs))
            if not again.equal:
                return "not asked: a model differs from itself"
    return "within its claim" if lsb or found.within(0, 1e-5) else f"DIFFERENT: {found}"


@pytest.mark.sweep
@pytest.mark.parametrize("name", PIPELINES)
def test_corpus(corpus: Path, name: str) -> None:
    counts: collections.Counter[str] = collections.Counter()
    done: collections.Counter[str] = collections.Counter()
    reasons: collections.Counter[str] = collections.Counter()
    saved = 0
    wrong: list[str] = []
    for entry in entries(corpus):
        path = corpus / entry["path"]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = tflite2x.load(path)
        except Tflite2xError:
            counts["unreadable"] += 1
            continue
        before, original = model.clone(), tflite2x.dumps(model)
        try:
            report = Pipeline.parse(PIPELINES[name]).run(model, Verify(samples=4))
        except UnsupportedError as error:
            counts["cannot be verified"] += 1
            reasons[error.what.split(":")[-1][:60]] += 1
            continue
        except Tflite2xError as error:
            wrong.append(f"{entry['path']}: {error}")
            continue
        for row in report.passes:
            for what, number in row.result.counts.items():
                done[f"{row.name}: {what}"] += number
            for left in row.result.left_alone:
                reasons[f"{row.name}: {left.reason[:50]}"] += 1
        assert report.before is not None
        assert report.after is not None
        saved += report.before.nbytes - report.after.nbytes
        if entry["litert_ref"] != "ok":
            counts["written; LiteRT cannot run the original"] += 1
            continue
        lsb = sum(row.result.claim.lsb or 0 for row in report.passes)
        floats = any(row.result.claim.relative for row in report.passes)
        try:
            found = compare_in_litert(before, original, model, lsb, floats)
        except Exception as error:
            found = f"BROKEN: {type(error).__name__}: {error}"
        counts[found.split(":")[0] + (", changed" if report.modified else "")] += 1
        if found.startswith(("DIFFERENT", "BROKEN")):
            wrong.append(f"{entry['path']}: {found}")
    print(f"\n{name}: {dict(counts)}; {saved:,} bytes saved")
    print("\n".join(f"  {number:7,} {what}" for what, number in done.most_common()))
    print("left alone, most frequent:")
    print("\n".join(f"  {number:7,} {what}" for what, number in reasons.most_common(25)))
    assert not wrong, f"{len(wrong)} models:\n" + "\n".join(wrong[:40])

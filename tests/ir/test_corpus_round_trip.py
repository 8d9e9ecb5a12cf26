# SPDX-License-Identifier: Apache-2.0
"""Loading and saving changes no field of any real model; judged by an independent reader and by LiteRT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.ir.object_api import differences, read
from tests.oracle import litert_interpreter


def index(corpus: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((corpus / "index.json").read_text())
    return entries


def check(path: Path) -> bytes:
    original = path.read_bytes()
    model = tflite2x.load(path)
    model.check()
    saved = tflite2x.dumps(model)
    found = list(differences(read(original), read(saved)))
    assert not found, f"{path}: {found[:5]}"
    assert tflite2x.dumps(tflite2x.loads(saved)) == saved, f"{path}: the second save differs"
    assert tflite2x.dumps(model.clone()) == saved, f"{path}: a clone is saved differently"
    assert_aligned(saved)
    return saved


def assert_aligned(data: bytes) -> None:
    """Buffer contents start at multiples of 16 bytes from the start of the file."""
    base = np.frombuffer(data, np.uint8).ctypes.data
    for i, buffer in enumerate(tflite2x.loads(data).buffers):
        if buffer.nbytes:
            start = np.frombuffer(buffer.data, np.uint8).ctypes.data - base
            assert start % 16 == 0, f"buffers[{i}] starts at byte {start}"


def litert_outputs(model: bytes, kind: str) -> list[Any] | None:
    """Run a model in LiteRT on inputs of one kind; None when it refuses the model or these inputs."""
    rng = np.random.default_rng(0)
    try:
        interpreter = litert_interpreter(model)
        for detail in interpreter.get_input_details():
            dtype, shape = np.dtype(detail["dtype"]), detail["shape"]
            if kind == "ones" or dtype.kind not in "fiu":
                value = np.full(shape, kind == "ones", dtype)
            elif dtype.kind == "f":
                value = rng.normal(size=shape).astype(dtype)
            else:
                value = rng.integers(0, 3, shape).astype(dtype)
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    except (ValueError, RuntimeError, TypeError):
        return None


def same(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and (a.tobytes() == b.tobytes() or (a == b).all()))


def run_both(path: Path, saved: bytes) -> bool:
    """Compare LiteRT's outputs before and after; False when it does not run the model."""
    for kind in ("random", "ones"):  # numbers that serve as indices must not be random
        before = litert_outputs(path.read_bytes(), kind)
        after = litert_outputs(saved, kind)
        assert (before is None) == (after is None), f"{path}: LiteRT runs only one of the two"
        if before is not None and after is not None:
            break
    else:
        return False
    assert len(before) == len(after)
    assert all(map(same, before, after)), f"{path}: LiteRT's outputs differ"
    return True


def test_fields_survive_in_a_part_of_the_corpus(corpus: Path) -> None:
    entries = index(corpus)
    for entry in entries[::12]:
        check(corpus / entry["path"])
    # Every rare thing that the index knows about, once.
    flags: dict[str, str] = {}
    for entry in entries:
        for flag in entry["flags"] or []:
            flags.setdefault(flag, entry["path"])
    for path in sorted(set(flags.values())):
        check(corpus / path)


def test_litert_computes_the_same_before_and_after(corpus: Path) -> None:
    entries = [e for e in index(corpus) if e["litert_ref"] == "ok" and e["size"] < 200_000]
    assert sum(run_both(corpus / e["path"], check(corpus / e["path"])) for e in entries[::25]) > 10


@pytest.mark.sweep
def test_the_whole_corpus(corpus: Path) -> None:
    entries = index(corpus)
    ran = 0
    for entry in entries:
        saved = check(corpus / entry["path"])
        if entry["litert_ref"] == "ok":
            ran += run_both(corpus / entry["path"], saved)
    print(f"{len(entries)} models equal field by field, {ran} run in LiteRT before and after with equal outputs")

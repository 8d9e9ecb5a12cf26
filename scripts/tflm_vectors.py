# SPDX-License-Identifier: Apache-2.0
"""Compare ``rounding="double"`` with TFLite Micro, or write what TFLite Micro computes as test vectors.

    python scripts/tflm_vectors.py compare --runner RUNNER [--cases 100] [--kind TEXT] [--first 0]
    python scripts/tflm_vectors.py models --runner RUNNER FOLDER...
    python scripts/tflm_vectors.py write --runner RUNNER tests/interpreter/tflm/vectors.npz

RUNNER is a program around TFLite Micro's ``MicroInterpreter`` with the reference kernels, built outside this repository
with TFLite Micro's default rounding. It is called as ``RUNNER MODEL INPUTS OUTPUTS``: it loads the model, fills its
inputs from the bytes of INPUTS, invokes, appends the bytes of the outputs to OUTPUTS, and repeats without a reset until
INPUTS is used up. It exits with another code than 0 where TFLite Micro refuses the model.

``compare`` makes one-operator models with random shapes, values and quantization (scales at and next to powers of two,
zero points at the ends of the type), runs each twice, and prints a line for every kind of operator: how many models
were equal bit for bit, differed, or were refused by either side, and how many differ under ``rounding="single"``.
Floats may differ by their rounding and count as equal within 1e-6 of the largest magnitude.
``models`` does so for all quantized models in folders. ``write`` keeps a few small cases of every kind, of those that
tell the two contracts apart first. A case is the same for the same kind, number, and versions of this script and NumPy.
"""

from __future__ import annotations

import argparse
import collections
import functools
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tflm_elementwise  # noqa: F401  (registers its kinds)
import tflm_shaping  # noqa: F401
import tflm_weighted  # noqa: F401
from sweep_interpreter import random_input
from tflm_case import KINDS, Array, Case, Maker

import tflite2x
from tflite2x.errors import Tflite2xError

#: Cases per kind in the vectors, the numbers tried for them, and the most output bytes of a case that is kept.
_KEPT, _TRIED, _LARGEST = 3, 40, 1500
#: Where the two contracts rarely differ, more numbers are tried, without TFLite Micro.
_RARE, _RARE_TRIED = ("ADD int16", "SUB int16", "MUL int16", "TANH int8", "SOFTMAX int16 int16"), 1000


class RefusedError(Exception):
    """TFLite Micro did not run the model."""


def run_micro(runner: str, case: Case) -> list[list[Array]]:
    """Return what TFLite Micro computes, for each run."""
    with tempfile.TemporaryDirectory() as folder:
        model, inputs, outputs = (Path(folder) / name for name in ("model", "inputs", "outputs"))
        model.write_bytes(tflite2x.dumps(case.model))
        inputs.write_bytes(b"".join(np.ascontiguousarray(a).tobytes() for run in case.runs for a in run))
        done = subprocess.run([runner, model, inputs, outputs], capture_output=True, text=True, check=False)
        if done.returncode:
            text = (done.stdout + done.stderr).strip().splitlines()
            raise RefusedError(text[0] if text else f"exit code {done.returncode}")
        data, at, results = outputs.read_bytes(), 0, []
    like = tflite2x.Interpreter(case.model, rounding="double").run(case.runs[0])
    for _ in case.runs:
        row = []
        for array in like:
            row.append(np.frombuffer(data, array.dtype, array.size, at).reshape(array.shape))
            at += array.nbytes
        results.append(row)
    if at != len(data):
        raise SystemExit(f"{runner} wrote {len(data)} bytes; {at} were expected")
    return results


def run_ours(case: Case, rounding: Any) -> list[list[Array]]:
    """Return what this interpreter computes, for each run."""
    engine = tflite2x.Interpreter(case.model, rounding=rounding)
    return [engine.run(inputs) for inputs in case.runs]


def same(ours: Sequence[Sequence[Array]], theirs: Sequence[Sequence[Array]]) -> bool:
    """Whether integers are equal, and floats nearly."""
    for a, b in ((a, b) for rows in zip(ours, theirs, strict=True) for a, b in zip(*rows, strict=True)):
        if a.dtype.kind != "f":
            if not np.array_equal(a, b):
                return False
        elif not np.allclose(a, b, rtol=0, atol=1e-6 * float(np.max(np.abs(b), initial=0.0)), equal_nan=True):
            return False
    return True


def judge(runner: str, case: Case) -> tuple[str, str, list[list[Array]]]:
    """Return ``equal`` or ``differs``, the same (or ``refuses``) for ``single``, and what TFLite Micro computes."""
    theirs = run_micro(runner, case)
    word = "equal" if same(run_ours(case, "double"), theirs) else "differs"
    try:
        return word, "equal" if same(run_ours(case, "single"), theirs) else "differs", theirs
    except Tflite2xError:
        return word, "refuses", theirs


def contracts_differ(kind: str, number: int) -> bool:
    """Whether this interpreter computes something else under the other contract."""
    case = make(kind, number)
    try:
        return not same(run_ours(case, "single"), run_ours(case, "double"))
    except Tflite2xError:
        return False


def make(kind: str, number: int) -> Case:
    """Return a case of a kind."""
    maker = Maker([number, zlib.crc32(kind.encode())])
    KINDS[kind](maker)
    return maker.case()


#: What is printed in one line: its name, and functions that make the cases (or raise, where this side refuses).
Row: TypeAlias = tuple[str, Iterable[Callable[[], Case]]]


def table(rows: Iterable[Row], runner: str) -> int:
    """Print a line for every kind; return how many cases differed."""
    total: collections.Counter[str] = collections.Counter()
    for name, cases in rows:
        found: collections.Counter[str] = collections.Counter()
        reasons: collections.Counter[str] = collections.Counter()
        for get in cases:
            try:
                word, single, theirs = judge(runner, get())
            except (RefusedError, Tflite2xError) as error:
                found["refused"] += 1
                reasons[str(error)] += 1
                continue
            found[word] += 1
            found["elements"] += sum(a.size for row in theirs for a in row)
            found[f"single {single}"] += single != "equal"
        total += found
        print(f"{name:44}", ", ".join(f"{n} {word}" for word, n in found.items() if n), *reasons.most_common(1))
    print("all:", ", ".join(f"{n} {word}" for word, n in total.items()))
    return total["differs"]


def random_cases(text: str, first: int, count: int) -> Iterator[Row]:
    """Yield each kind whose name contains a text, with its cases."""
    for kind in KINDS:
        if text in kind:
            yield kind, (functools.partial(make, kind, number) for number in range(first, first + count))


def files(folders: Sequence[Path]) -> Iterator[Row]:
    """Yield each quantized model of fixed shapes, with three runs of random inputs."""
    for path in sorted(p for folder in folders for p in folder.rglob("*.tflite")):
        try:
            model = tflite2x.load(path)
        except Tflite2xError as error:
            print(f"{path.name:44} not loaded: {error}")
            continue
        inputs = model.main.inputs
        if not any(t.quantization is not None and len(t.quantization.scale) for t in model.main.tensors):
            continue
        if any(n < 0 for t in inputs for n in t.shape) or any(t.dtype.name == "STRING" for t in inputs):
            continue
        rng = np.random.default_rng(0)
        case = Case(model, [[random_input(t, rng) for t in inputs] for _ in range(3)])
        yield path.name, [lambda case=case: case]


def write(runner: str, target: Path) -> None:
    """Write a few cases of every kind to one compressed file."""
    names, sizes, parts = [], [], []
    for kind in KINDS:
        kept: list[tuple[bool, int, Case, list[list[Array]]]] = []
        numbers = list(range(_TRIED))
        if kind in _RARE:
            numbers = [n for n in range(_RARE_TRIED) if n < _KEPT or contracts_differ(kind, n)]
        for number in numbers:
            try:
                case = make(kind, number)
                word, single, theirs = judge(runner, case)
            except (RefusedError, Tflite2xError):
                continue
            assert word == "equal", f"{kind} number {number} differs: compare first"
            if sum(a.nbytes for row in theirs for a in row) <= _LARGEST:
                kept.append((single != "differs", number, case, theirs))
        for _, _, case, theirs in sorted(kept, key=lambda row: row[:2])[:_KEPT]:
            names.append(kind)
            given = b"".join(a.tobytes() for run in case.runs for a in run)
            wanted = b"".join(a.tobytes() for run in theirs for a in run)
            data = tflite2x.dumps(case.model)
            sizes.append((len(case.runs), len(data), len(given), len(wanted)))
            parts += [data, given, wanted]
        print(f"{kind:44} {min(len(kept), _KEPT)} cases", flush=True)
    np.savez_compressed(
        target, names=np.array(names), sizes=np.array(sizes, np.int32), data=np.frombuffer(b"".join(parts), np.uint8)
    )
    print(f"{len(names)} cases of {len(set(names))} kinds, {target.stat().st_size} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("compare", "models", "write"))
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--runner", required=True, help="the program around TFLite Micro")
    parser.add_argument("--cases", type=int, default=100, help="random models per kind")
    parser.add_argument("--kind", default="", help="only kinds whose name contains this")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    args = parser.parse_intermixed_args()
    if args.action == "compare":
        return 1 if table(random_cases(args.kind, args.first, args.cases), args.runner) else 0
    if args.action == "models":
        return 1 if table(files(args.paths), args.runner) else 0
    if len(args.paths) != 1:
        parser.error("write needs one path")
    write(args.runner, args.paths[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())

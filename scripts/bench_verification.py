# SPDX-License-Identifier: Apache-2.0
"""What verification adds to a pipeline, in runs of the interpreter.

    python scripts/bench_verification.py [--corpus folder] [--pipeline TEXT] [MODEL ...]

For every model: the processor time of 40 runs of an interpreter, with preparing it and without, that which
verification with 32 samples (which prepares the models before and after) adds to each pipeline, and whether it is less.
With a corpus (or ``TFLITE2X_CORPUS``), its MLPerf Tiny models are measured as well, and then the pipelines without
verification on its largest model. Times are the smallest of several, because other processes disturb them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tflite2x
from tflite2x.rewrite.pipeline import Session, Step
from tflite2x.rewrite.report import Verdict
from tflite2x.verification.samples import generate_all

MODELS = Path(__file__).parent.parent / "models"
PIPELINES = ("strip-float-io,cleanup", "bypass-reshape,cleanup", "xc-fc,cleanup", "set-io-type{inputs=float32},cleanup")
RUNS, SAMPLES = 40, 32
T = TypeVar("T")


def cpu(function: Callable[[], object], repeat: int) -> float:
    """Return the smallest processor time of ``function`` in milliseconds."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times) * 1e3


class Clock:
    """A verifier that takes the time: the difference of two whole runs would drown in what the passes themselves do."""

    def __init__(self) -> None:
        self.ms = 0.0
        self.failure: Any = None
        self._session: Session | None = None
        self._copies: dict[tflite2x.Model, None] = {}

    def measure(self, pipeline: tflite2x.Pipeline, path: Path) -> float:
        """Return the milliseconds that checks take, with those of the copies that they compare with."""
        model = tflite2x.load(path)
        pipeline.run(model, self)
        # The first copy is made without verification as well, to go back to when a pass fails.
        return self.ms + (len(self._copies) - 1) * cpu(model.clone, 3)

    def start(self, model: tflite2x.Model) -> Session:
        self._session = self._timed(lambda: tflite2x.Verify(samples=SAMPLES).start(model))
        return self

    def check(self, step: Step) -> Verdict:
        session = self._session
        assert session is not None
        self._copies[step.before] = None
        return self._timed(lambda: session.check(step))

    def finish(self, model: tflite2x.Model) -> Verdict | None:
        session = self._session
        assert session is not None
        return self._timed(lambda: session.finish(model))

    def _timed(self, function: Callable[[], T]) -> T:
        start = time.process_time()
        try:
            return function()
        finally:
            self.ms += (time.process_time() - start) * 1e3


def measure(path: Path, pipelines: Sequence[str], repeat: int) -> list[tuple[bool, bool]]:
    """Print one line per pipeline that changes the model; return which cost less than runs, prepared ones as well."""
    model = tflite2x.load(path)
    inputs = [a[0] for a in generate_all(model.main, 1, 0)]
    interpreter = tflite2x.Interpreter(model)
    interpreter.run(inputs)
    runs = cpu(lambda: [interpreter.run(inputs) for _ in range(RUNS)], repeat)
    whole = cpu(lambda: [run(inputs) for run in [tflite2x.Interpreter(model).run] for _ in range(RUNS)], repeat)
    results = []
    for text in pipelines:
        pipeline = tflite2x.Pipeline.parse(text)
        if not any(row.result.modified for row in pipeline.run(tflite2x.load(path)).passes):
            continue
        added = min(Clock().measure(pipeline, path) for _ in range(repeat))
        results.append((added < whole, added < runs))
        verdict = {(True, True): "less", (True, False): "less only than with preparing"}.get(results[-1], "MORE")
        times = f"{RUNS} runs {whole:7.1f} ms, prepared {runs:7.1f} ms, verification {added:7.1f} ms"
        print(f"{path.stem:28} {text:38} {times}: {verdict}")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--corpus", type=Path, default=os.environ.get("TFLITE2X_CORPUS"))
    parser.add_argument("--pipeline", action="append")
    parser.add_argument("--repeat", type=int, default=8)
    args = parser.parse_args()
    pipelines, paths = args.pipeline or PIPELINES, args.models or sorted(MODELS.glob("*int8.tflite"))
    corpus = Path(args.corpus) if args.corpus else None
    if corpus is not None and not args.models:
        paths += sorted(corpus.glob("mlcommons+tiny/**/*int8.tflite"))
    results = [result for path in paths for result in measure(path, pipelines, args.repeat)]
    counts = [sum(column) for column in zip(*results, strict=True)]
    print(f"less than {RUNS} runs in {counts[0]} of {len(results)} cases, than {RUNS} prepared runs in {counts[1]}")
    if corpus is not None:
        largest = max(corpus.rglob("*.tflite"), key=lambda p: p.stat().st_size)
        for text in pipelines:
            pipeline, model = tflite2x.Pipeline.parse(text), tflite2x.load(largest)
            start = time.perf_counter()
            pipeline.run(model)
            took = (time.perf_counter() - start) * 1e3
            print(f"{largest.stem} ({largest.stat().st_size / 1e6:.0f} MB), {text} without verification: {took:.1f} ms")


if __name__ == "__main__":
    main()

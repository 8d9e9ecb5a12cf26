# SPDX-License-Identifier: Apache-2.0
"""Time of loading and saving against the generated object API that ships with ai-edge-litert, in one run.

    TFLITE2X_CORPUS=folder python scripts/bench_files.py [--limit N]

Every model is loaded and saved by both in turns; bytes are in memory, so that disks do not count. Prints the ratio of
the total times, of the model with the most operators, and the time of loading one small model.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

import tflite2x


def object_api(data: bytes) -> tuple[float, float]:
    """Return the seconds of unpacking and packing with the object API."""
    started = time.perf_counter()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    loaded = time.perf_counter()
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    builder.Output()
    return loaded - started, time.perf_counter() - loaded


def ours(data: bytes) -> tuple[float, float]:
    """Return the seconds of load and save with tflite2x."""
    started = time.perf_counter()
    model = tflite2x.loads(data)
    loaded = time.perf_counter()
    tflite2x.dumps(model)
    return loaded - started, time.perf_counter() - loaded


def best(run: Callable[[bytes], tuple[float, float]], data: bytes, repeat: int) -> tuple[float, float]:
    times = [run(data) for _ in range(repeat)]
    return min(t[0] for t in times), min(t[1] for t in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default=os.environ.get("TFLITE2X_CORPUS"))
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    if not args.corpus:
        parser.error("give --corpus or set TFLITE2X_CORPUS")
    root = Path(args.corpus)
    entries: list[dict[str, Any]] = json.loads((root / "index.json").read_text())[: args.limit]
    totals = {"object API": [0.0, 0.0], "tflite2x": [0.0, 0.0]}
    rows = []
    gc.disable()
    for entry in entries:
        data = (root / entry["path"]).read_bytes()
        row = {}
        for name, run in (("object API", object_api), ("tflite2x", ours)):
            row[name] = best(run, data, args.repeat)
            totals[name][0] += row[name][0]
            totals[name][1] += row[name][1]
        gc.collect()
        rows.append((entry["operators"] or 0, entry["size"], entry["path"], row))
    for name, (load, save) in totals.items():
        print(f"{name:10} load {load:8.3f} s  save {save:8.3f} s  ({len(entries)} models)")
    print(f"load + save in total: {sum(totals['object API']) / sum(totals['tflite2x']):.1f} times as fast")
    operators, _, path, row = max(rows, key=lambda r: r[0])
    print(f"most operators ({operators}, {path}): {sum(row['object API']) / sum(row['tflite2x']):.1f} times as fast")
    small = sorted((r for r in rows if r[1] < 20_000), key=lambda r: r[1])
    middle = small[len(small) // 2]
    print(f"a small model ({middle[1]} bytes, {middle[0]} operators): load {1e3 * middle[3]['tflite2x'][0]:.2f} ms")


if __name__ == "__main__":
    main()

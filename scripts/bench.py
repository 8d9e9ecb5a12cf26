# SPDX-License-Identifier: Apache-2.0
"""How fast the interpreter is: single thread, against LiteRT's reference kernels, optimized kernels and XNNPACK.

    TFLITE2X_CORPUS=folder python scripts/bench.py [--models 40] [--batch 64] [--seconds 0.3] [--json FILE]

Measures the CNNs of the corpus above one million multiply-adds: milliseconds for one sample, milliseconds per sample in
a batch, the share of operator kinds in our time, ten thousand images through the logistic regression of ``models/``,
and the peak memory of one run of the largest model.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

# One thread must be asked for before NumPy is there.
import numpy as np  # noqa: E402

import tflite2x  # noqa: E402
from tflite2x.interpreter.session import Session  # noqa: E402

RESOLVERS = {
    "reference": "BUILTIN_REF",
    "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "XNNPACK": "BUILTIN",
}
MODELS = Path(__file__).parent.parent / "models"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default=os.environ.get("TFLITE2X_CORPUS"))
    parser.add_argument("--models", type=int, default=40, help="at most so many CNNs, spread over their sizes")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=0.3, help="time for each measurement")
    parser.add_argument("--only", default="", help="only models whose path contains this")
    parser.add_argument("--json", help="write all numbers to this file")
    parser.add_argument("--memory", nargs=2, metavar=("ENGINE", "MODEL"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        print(json.dumps(measure_memory(*args.memory)))
        return 0
    result: dict[str, Any] = {"logistic": logistic(10_000)}
    if args.corpus:
        root = Path(args.corpus)
        chosen = choose(root, args.models, args.only)
        result["cnns"] = [measure(root, path, macs, args) for path, macs in chosen]
        summarize(result["cnns"], args.batch)
        result["memory"] = memory(root)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=1))
    return 0


def multiply_adds(model: tflite2x.Model) -> int:
    """Count the multiply-adds of convolutions and fully connected layers of the main subgraph."""
    total = 0
    for op in model.main.operators:
        if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"):
            weights, output = op.inputs[1], op.outputs[0]
            per_output = {"DEPTHWISE_CONV_2D": weights.shape[1:3], "FULLY_CONNECTED": weights.shape[1:]}
            total += abs(int(np.prod(output.shape) * np.prod(per_output.get(op.name, weights.shape[1:]))))
    return total


def choose(root: Path, count: int, only: str) -> list[tuple[str, int]]:
    """Return CNNs above one million multiply-adds, spread over the sizes, without copies."""
    found = {}
    for entry in json.loads((root / "index.json").read_text()):
        names = {o.split("|")[0] for o in entry["ops"]}
        if entry["litert_ref"] != "ok" or entry["note"] or only not in entry["path"]:
            continue
        if not names & {"CONV_2D", "DEPTHWISE_CONV_2D"} or names & {"WHILE", "CALL_ONCE"}:
            continue
        model = tflite2x.load(root / entry["path"])
        macs = multiply_adds(model)
        kinds = tuple(op.name for op in model.main.operators)
        if macs >= 1_000_000:
            found.setdefault((macs, kinds), (entry["path"], macs))
    models = sorted(found.values(), key=lambda item: item[1])
    print(f"{len(models)} different CNNs above one million multiply-adds")
    if len(models) > count:
        models = [models[round(i)] for i in np.linspace(0, len(models) - 1, count)]
    return models


def clock(function: Callable[[], object], seconds: float, least: int = 3) -> float:
    """Return the median processor time of a call in seconds, after one call to warm up unless it takes long.

    With one thread that is the time of a machine that has nothing else to do.
    """
    times: list[float] = []
    while len(times) < least + 1 or sum(times) < seconds:
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
        if sum(times) > 20 * seconds:
            break
    return float(np.median(times[1:] or times))


def random_inputs(model: tflite2x.Model, rng: np.random.Generator, samples: int | None) -> list[Any]:
    lead = () if samples is None else (samples,)
    values = []
    for tensor in model.main.inputs:
        shape, name = (*lead, *(max(n, 1) for n in tensor.shape)), tensor.dtype.name.lower()
        if name.startswith("float"):
            values.append(rng.standard_normal(shape).astype(name))
        else:
            info = np.iinfo(name)
            low, high = (info.min, info.max) if info.bits <= 16 else (0, 4)
            values.append(rng.integers(low, high, shape).astype(name))
    return values


def litert(source: str | bytes, resolver: str, inputs: list[Any]) -> Callable[[], object]:
    """Return a function that runs LiteRT once, with setting inputs and getting outputs."""
    from ai_edge_litert import interpreter as module

    keywords = {"model_content": source} if isinstance(source, bytes) else {"model_path": source}
    engine = module.Interpreter(
        **keywords, experimental_op_resolver_type=module.OpResolverType[resolver], num_threads=1
    )
    engine.allocate_tensors()
    details, results = engine.get_input_details(), engine.get_output_details()

    def run() -> object:
        for detail, value in zip(details, inputs, strict=True):
            engine.set_tensor(detail["index"], value)
        engine.invoke()
        return [engine.get_tensor(d["index"]) for d in results]

    return run


def measure(root: Path, path: str, macs: int, args: argparse.Namespace) -> dict[str, Any]:
    model = tflite2x.load(root / path)
    rng = np.random.default_rng(0)
    one = random_inputs(model, rng, None)
    row: dict[str, Any] = {"path": path, "macs": macs}
    for name, resolver in RESOLVERS.items():
        row[name] = clock(litert(str(root / path), resolver, one), args.seconds)
    engine = tflite2x.Interpreter(model)
    row["ours"] = clock(lambda: engine.run(one), args.seconds)
    many = random_inputs(model, rng, args.batch)
    row["batch"] = clock(lambda: engine.run_batch(many), args.seconds, least=1) / args.batch
    few = [value[:8] for value in many]  # the shares of operators are the same, and the largest models take minutes
    row["profile"] = {"one": profile(model, one, None), "batch": profile(model, few, len(few[0]))}
    columns = "  ".join(f"{1e3 * row[name]:9.3f}" for name in (*RESOLVERS, "ours", "batch"))
    print(f"{macs / 1e6:9.1f}M  {columns}  {path[-70:]}", flush=True)
    return row


def profile(model: tflite2x.Model, inputs: list[Any], samples: int | None) -> dict[str, float]:
    """Return the seconds that each kind of operator takes in one run."""
    session = Session("single")
    plan = session.plan(model.main)
    arrays = inputs if samples else [np.asarray(value)[None] for value in inputs]
    seconds: collections.Counter[str] = collections.Counter()
    for turn in range(2):
        session.begin(samples or 1)
        values: dict[Any, Any] = dict(zip(model.main.inputs, arrays, strict=True))
        with np.errstate(all="ignore"):
            for step in plan.steps:
                operands = [None if t is None else values.get(t) for t in step.op.inputs]
                operands = [
                    plan.constant(slot) if a is None and slot >= 0 else a
                    for a, slot in zip(operands, step.inputs, strict=True)
                ]
                start = time.perf_counter()
                outputs = step.execute(session, operands)
                if turn:  # the first turn warms up
                    seconds[step.op.name] += time.perf_counter() - start
                values.update(zip(step.op.outputs, outputs, strict=True))
    return dict(seconds)


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def summarize(rows: list[dict[str, Any]], batch: int) -> None:
    print(f"\n{len(rows)} CNNs, geometric means (above 1: this interpreter is faster)")
    for name in RESOLVERS:
        single = geometric_mean([row[name] / row["ours"] for row in rows])
        many = geometric_mean([row[name] / row["batch"] for row in rows])
        print(
            f"  LiteRT {name:9} time / our time: one sample {single:6.2f}, per sample in batches of {batch} {many:6.2f}"
        )
    for kind in ("one", "batch"):
        total: collections.Counter[str] = collections.Counter()
        for row in rows:
            whole = sum(row["profile"][kind].values())
            total.update({name: value / whole for name, value in row["profile"][kind].items()})
        shares = ", ".join(f"{name} {100 * value / len(rows):.0f}%" for name, value in total.most_common(8))
        print(f"  where our time goes ({kind}): {shares}")


def logistic(count: int) -> dict[str, float]:
    """Classify ``count`` images with the quantized logistic regression, as the notebook of the first users does."""
    path = MODELS / "logistic_int8.tflite"
    images = np.load(MODELS / "digits_eval.npz")["x"]
    images = np.resize(images, (count, *images.shape[1:])).astype(np.float32)[:, None]
    model = tflite2x.load(path)
    engine = tflite2x.Interpreter(model)
    start = time.process_time()
    engine.run([images[0]])
    prepared = time.process_time() - start
    start = time.process_time()
    ours = engine.run_batch([images])[0].reshape(count, -1).argmax(axis=1)
    seconds = {"preparing": prepared, "ours": time.process_time() - start}
    image = np.empty_like(images[0])
    run = litert(str(path), "BUILTIN_REF", [image])
    start = time.process_time()
    theirs = np.empty(count, np.int64)
    for i in range(count):
        image[...] = images[i]
        theirs[i] = np.argmax(run()[0])  # type: ignore[index]
    seconds["LiteRT loop"] = time.process_time() - start
    assert np.array_equal(ours, theirs), "the classes differ"
    print(f"logistic regression, {count} images: " + ", ".join(f"{k} {v:.3f} s" for k, v in seconds.items()))
    return seconds


def memory(root: Path) -> dict[str, Any]:
    """Compare the memory of one run: of the whole process for the largest model, and of its tensors against the arena.

    Models that are measured against the arena: the largest, and the largest whose tensors are all in one arena.
    """
    entries = [e for e in json.loads((root / "index.json").read_text()) if e["litert_ref"] == "ok" and not e["note"]]
    paths = [e["path"] for e in sorted(entries, key=lambda e: -e["size"])]
    result: dict[str, Any] = {"path": paths[0], "arena": []}
    for engine in ("tflite2x", "litert"):
        command = [sys.executable, __file__, "--memory", engine, str(root / paths[0])]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        result[engine] = json.loads(output.splitlines()[-1])
    ours, theirs = result["tflite2x"], result["litert"]
    print(f"memory on top of imports, {paths[0][-60:]}: tflite2x {ours:.1f} MB, LiteRT {theirs:.1f} MB")
    for path in paths:
        whole, arena = arena_bytes(str(root / path))
        result["arena"].append({"path": path, "arena": arena, "arrays": array_bytes(str(root / path))})
        row = result["arena"][-1]
        beyond = "" if whole else " and tensors of dynamic size or of other subgraphs"
        print(
            f"peak of one run, {path[-60:]}: arrays of tflite2x {row['arrays'] / 1e6:.3f} MB, "
            f"LiteRT's arena {arena / 1e6:.3f} MB{beyond}"
        )
        if whole:
            break
    return result


def arena_bytes(path: str) -> tuple[bool, int]:
    """Return whether all tensors that LiteRT computes lie in one arena, and the bytes from first to last."""
    from ai_edge_litert import interpreter as module

    model = tflite2x.load(path)
    engine = module.Interpreter(
        model_path=path, experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF, num_threads=1
    )
    engine.allocate_tensors()
    spans = []
    whole = len(model.subgraphs) == 1
    for tensor in model.main.tensors:
        if tensor.is_constant or not (tensor.producer or tensor.is_input):
            continue
        try:
            view = engine.tensor(tensor.index)()
        except ValueError:  # of dynamic size: not there before the run
            whole = False
            continue
        spans.append((view.__array_interface__["data"][0], view.nbytes))
        del view
    first, last = min(spans)[0], max(a + n for a, n in spans)
    return whole and last - first <= 4 * sum(n for _, n in spans), last - first


def array_bytes(path: str) -> int:
    """Return the most bytes that arrays of one run take at a time, once everything is prepared."""
    import tracemalloc

    model = tflite2x.load(path)
    inputs, engine = random_inputs(model, np.random.default_rng(0), None), tflite2x.Interpreter(model)
    engine.run(inputs)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    engine.run(inputs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - before


def measure_memory(engine: str, path: str) -> float:
    """Return by how many megabytes this process grows at most when it prepares and runs a model (Linux)."""
    model = tflite2x.load(path)
    inputs = random_inputs(model, np.random.default_rng(0), None)
    if engine == "litert":
        import ai_edge_litert.interpreter  # noqa: F401 - not part of what is measured
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    if engine == "litert":
        litert(path, "BUILTIN_REF", inputs)()
    else:
        tflite2x.Interpreter(model).run(inputs)
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    """Return a number of kilobytes from /proc/self/status."""
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith(name + ":"):
            return int(text.split()[1])
    raise KeyError(name)


if __name__ == "__main__":
    sys.exit(main())

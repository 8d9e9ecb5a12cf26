# SPDX-License-Identifier: Apache-2.0
"""Run every model of a corpus with tflite2x and with LiteRT's reference kernels, and compare all tensors.

    TFLITE2X_CORPUS=folder python scripts/sweep_interpreter.py [--path TEXT] [--jobs 2] [--json FILE] [--all]

Workers are subprocesses, because LiteRT may crash; a dead worker is replaced. A row is ``ok`` when all integer outputs
are equal and float outputs differ by at most ``--tolerance`` of the largest magnitude. Otherwise the row names the
first operator whose result differs. With ``--isolate`` each operator also gets the inputs that LiteRT computed, so that
differences do not travel on, and the worst ones are listed by operator. A folder without ``index.json`` is searched for
models.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default=os.environ.get("TFLITE2X_CORPUS"))
    parser.add_argument("--path", default="", help="only models whose path contains this")
    parser.add_argument("--op", default="", help="only models that contain this operator")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0, help="only the first models")
    parser.add_argument("--every", type=int, default=1, help="only every n-th model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=3e-5, help="of float outputs; rounding adds up on the way")
    parser.add_argument("--rounding", default="single", choices=("single", "double"))
    parser.add_argument("--timeout", type=float, default=300, help="seconds per model")
    parser.add_argument("--isolate", action="store_true", help="feed every operator with LiteRT's values")
    parser.add_argument("--batch", type=int, default=0, help="also compare a batch of so many samples with single runs")
    parser.add_argument("--all", action="store_true", help="also print the rows that are ok")
    parser.add_argument("--json", help="write all rows to this file")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(args)
    if not args.corpus:
        parser.error("give --corpus or set TFLITE2X_CORPUS")
    root = Path(args.corpus)
    index = root / "index.json"
    if index.exists():
        entries = [e for e in json.loads(index.read_text()) if e["litert_ref"] == "ok"]
    else:
        entries = [{"path": str(p.relative_to(root)), "ops": []} for p in sorted(root.rglob("*.tflite"))]
    entries = [e for e in entries if args.path in e["path"]]
    if args.op:
        entries = [e for e in entries if any(o.split("|")[0].removeprefix("CUSTOM:") == args.op for o in e["ops"])]
    entries = entries[:: args.every]
    if args.limit:
        entries = entries[: args.limit]
    rows = sweep(root, entries, args)
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1))
    return summarize(rows)


def sweep(root: Path, entries: list[dict[str, Any]], args: argparse.Namespace) -> list[dict[str, Any]]:
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()
    for entry in entries:
        waiting.put(entry)
    rows: list[dict[str, Any]] = []
    lock = threading.Lock()

    def supervise() -> None:
        worker: Worker | None = None
        while True:
            try:
                entry = waiting.get_nowait()
            except queue.Empty:
                break
            worker = worker or Worker(args)
            row = worker.ask(str(root / entry["path"]))
            if row["status"] in ("crash", "timeout"):
                worker = None
            row["path"] = entry["path"]
            with lock:
                rows.append(row)
                if args.all or row["status"] != "ok":
                    print(line(row), flush=True)
        if worker:
            worker.close()

    threads = [threading.Thread(target=supervise) for _ in range(args.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return rows


def line(row: dict[str, Any]) -> str:
    worst = f"{row['float']:.1e}" if row.get("float") else "-"
    return f"{row['status']:9} {worst:>8} {row.get('seconds', 0):6.2f}s {row['path']}  {row.get('detail', '')}"


def summarize(rows: list[dict[str, Any]]) -> int:
    counts = collections.Counter(row["status"] for row in rows)
    print(f"\n{len(rows)} models: " + ", ".join(f"{n} {status}" for status, n in counts.most_common()))
    blame = collections.Counter((row["status"], row.get("op", "?")) for row in rows if row["status"] != "ok")
    for (status, op), n in blame.most_common():
        print(f"  {n:4} {status:9} {op}")
    floats = sorted(row["float"] for row in rows if row["status"] == "ok" and row.get("float"))
    if floats:
        print(f"float outputs of models that are ok: median {floats[len(floats) // 2]:.1e}, worst {floats[-1]:.1e}")
    batches = [row["batch"] for row in rows if "batch" in row]
    if batches:
        equal = sum(difference == 0 for difference in batches)
        print(f"batches: {equal} of {len(batches)} equal single runs bit for bit, worst difference {max(batches):.1e}")
    isolated: dict[str, float] = {}
    for row in rows:
        for op, value in row.get("isolated", {}).items():
            isolated[op] = max(value, isolated.get(op, 0.0))
    for op, value in sorted(isolated.items(), key=lambda item: -item[1]):
        print(f"  worst difference of one operator: {value:.1e} {op}")
    return 0 if set(counts) <= {"ok"} else 1


class Worker:
    """A subprocess that compares one model after the other."""

    def __init__(self, args: argparse.Namespace) -> None:
        command = [sys.executable, __file__, "--worker", "--seed", str(args.seed), "--tolerance", str(args.tolerance)]
        command += ["--rounding", args.rounding]
        command += ["--isolate"] if args.isolate else []
        command += ["--batch", str(args.batch)]
        self.timeout = args.timeout
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, path: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(path + "\n")
        self.process.stdin.flush()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.process.kill()

        timer = threading.Timer(self.timeout, expire)
        timer.start()
        stage = "start"
        try:
            for text in self.process.stdout:
                message = json.loads(text)
                if "stage" not in message:
                    return dict(message)
                stage = message["stage"]
        finally:
            timer.cancel()
        status = "timeout" if expired.is_set() else "crash"
        return {"status": status, "op": stage, "detail": f"while in {stage}"}

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def work(args: argparse.Namespace) -> int:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LiteRT prints to stdout

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    for path in sys.stdin:
        try:
            row = compare(path.rstrip("\n"), args, say)
        except Exception as error:  # a script's last resort: the row says what happened
            row = {"status": "error", "op": type(error).__name__, "detail": f"{type(error).__name__}: {error}"[:300]}
        say(row)
    return 0


def compare(path: str, args: argparse.Namespace, say: Any) -> dict[str, Any]:
    import numpy as np

    import tflite2x
    from tflite2x.errors import Tflite2xError

    say({"stage": "load"})
    started = time.perf_counter()
    model = tflite2x.load(path)
    stateful = any(t.is_variable for g in model.subgraphs for t in g.tensors)
    stateful |= any(op.name in ("ASSIGN_VARIABLE", "WHILE") for g in model.subgraphs for op in g.operators)
    rng = np.random.default_rng(args.seed)
    runs = [[random_input(t, rng) for t in model.main.inputs] for _ in range(2 if stateful else 1)]
    say({"stage": "litert"})
    try:
        expected = litert_trace(path, model, runs)
    except Exception as error:
        if "quantized_dimension" in str(error):
            path = repair(model)
        elif "out of bound" in str(error):
            runs = [[np.zeros_like(value) for value in run] for run in runs]
        try:
            expected = litert_trace(path, model, runs)
        except Exception as error:
            return {"status": "litert", "op": "LiteRT", "detail": f"{type(error).__name__}: {error}"[:300]}
    say({"stage": "tflite2x"})
    row: dict[str, Any] = {"status": "ok", "float": 0.0, "detail": ""}
    try:
        interpreter = tflite2x.Interpreter(model, rounding=args.rounding)
        for number, (inputs, want) in enumerate(zip(runs, expected, strict=True)):
            trace = interpreter.trace(inputs)
            judge(model, trace, want, row, args.tolerance, number)
        if args.isolate:
            row["isolated"] = isolate(model, runs[0], expected[0], args.rounding)
        if args.batch:
            check_batch(interpreter, runs[0], rng, args, row)
    except Tflite2xError as error:
        row = {
            "status": "refused",
            "op": blamed(str(error)),
            "detail": f"{type(error).__name__}: {error}"[-250:],
        }
    row["seconds"] = time.perf_counter() - started
    return row


def check_batch(interpreter: Any, first: list[Any], rng: Any, args: argparse.Namespace, row: dict[str, Any]) -> None:
    """Compare one batch with single runs that start from the same state."""
    import numpy as np

    samples = [first] + [[rng.permuted(v.reshape(-1)).reshape(v.shape) for v in first] for _ in range(args.batch - 1)]
    if not first:
        return
    interpreter.reset()
    together = interpreter.run_batch([np.stack(column) for column in zip(*samples, strict=True)])
    for i, sample in enumerate(samples):
        interpreter.reset()
        for output, single in zip(together, interpreter.run(sample), strict=True):
            difference = distance(output[i], single)
            row["batch"] = max(row.get("batch", 0.0), difference)
            if row["status"] == "ok" and not difference <= (args.tolerance if np_kind(single) in "fc" else 0):
                row.update(status="batch", op="run_batch", detail=f"sample {i} of a batch differs by {difference:.3g}")


def repair(model: Any) -> bytes:
    """Return the model with quantized dimensions that LiteRT accepts; they mean nothing where there is one scale."""
    import tflite2x

    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.quantization is not None and not 0 <= tensor.quantization.quantized_dimension < len(tensor.shape):
                tensor.quantization.quantized_dimension = 0
    return tflite2x.dumps(model)


def blamed(text: str) -> str:
    """Return the operator that an error message names."""
    start = text.find("subgraphs[")
    end = text.find(")", start)
    return text[text.find("(", start) + 1 : end] if 0 <= start < end else "?"


def judge(model: Any, trace: Any, want: dict[int, Any], row: dict[str, Any], tolerance: float, number: int) -> None:
    """Compare outputs; where they differ, find the first operator whose result differs."""
    bad = False
    for tensor in model.main.outputs:
        if tensor.index not in want:
            continue
        value = trace.get(tensor, tensor.data)
        difference = distance(value, want[tensor.index])
        if np_kind(value) in "fc":
            row["float"] = max(row["float"], difference)
            bad |= not difference <= tolerance
        else:
            bad |= difference != 0
    first = ""
    for op in model.main.operators:
        for tensor in op.outputs:
            if tensor not in trace or tensor.index not in want or first:
                continue
            difference = distance(trace[tensor], want[tensor.index])
            # Differences of nearly equal floats magnify rounding; --isolate says what each operator adds.
            limit = 100 * tolerance if np_kind(trace[tensor]) in "fc" else 0
            if not difference <= limit:
                first = f"{op.where} -> {tensor.name!r} {tensor.dtype.name}: {difference:.3g}"
                first_op = f"{op.name} {op.inputs[0].dtype.name if op.inputs and op.inputs[0] else ''}"
    if (bad or first) and row["status"] == "ok":
        row["status"] = "differs" if bad else "inside"
        row["op"] = first_op if first else "?"
        row["detail"] = f"run {number}: {first}"


def np_kind(value: Any) -> str:
    return str(value.dtype.kind)


def distance(ours: Any, theirs: Any) -> float:
    """Return the largest difference; of floats relative to the largest magnitude. Infinite where shapes differ."""
    import numpy as np

    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        return float("inf")
    if ours.dtype.kind not in "iufcb" or theirs.dtype.kind not in "iufcb":
        return float(not np.array_equal(ours.astype(str), theirs.astype(str)))
    if ours.dtype.kind in "iub":
        gap = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        return float(gap.max(initial=0))
    a, b = ours.astype(np.complex128), theirs.astype(np.complex128)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    finite = np.isfinite(b)
    scale = np.abs(b[finite]).max(initial=0) or 1.0
    gap = np.where(same, 0, np.abs(a - b))
    return float(np.nan_to_num(gap.max() / scale, nan=np.inf))


def random_input(tensor: Any, rng: Any) -> Any:
    """Make a value that suits the type: the full range of quantized types, small whole numbers for indices."""
    import numpy as np

    shape = tuple(max(n, 1) if n < 0 else n for n in tensor.shape)
    name = tensor.dtype.name
    if name in ("INT8", "UINT8", "INT16"):
        info = np.iinfo(name.lower())
        return rng.integers(info.min, info.max + 1, shape).astype(info.dtype)
    if name.startswith(("INT", "UINT")):
        return rng.integers(0, 4, shape).astype({"INT4": "int8"}.get(name, name.lower()))
    if name == "BOOL":
        return rng.integers(0, 2, shape).astype(bool)
    if name == "STRING":
        words = np.array([b"the", b"quick", b"brown", b"fox"], object)
        return words[rng.integers(0, 4, shape)]
    return rng.standard_normal(shape).astype(name.lower())


def litert_trace(path: str | bytes, model: Any, runs: list[list[Any]]) -> list[dict[int, Any]]:
    """Return every tensor that LiteRT shows, by index, for each run."""
    from ai_edge_litert import interpreter as litert

    def make(**source: Any) -> Any:
        made = litert.Interpreter(
            **source,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        made.allocate_tensors()
        return made

    interpreter = make(model_content=path) if isinstance(path, bytes) else make(model_path=path)
    traces = []
    for inputs in runs:
        for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        found = {}
        for tensor in model.main.tensors:
            if tensor.dtype.name in ("INT4", "UINT4", "INT2", "RESOURCE", "VARIANT"):
                continue
            if tensor.producer and tensor.producer.name == "WHILE" and not tensor.consumers and not tensor.is_output:
                continue  # LiteRT does not fill what nobody reads
            try:
                found[tensor.index] = interpreter.get_tensor(tensor.index)
            except ValueError:
                continue  # never computed, or freed
        traces.append(found)
    return traces


def isolate(model: Any, inputs: list[Any], want: dict[int, Any], rounding: Any) -> dict[str, float]:
    """Run each operator of the main subgraph on LiteRT's values; return the worst difference by operator kind."""
    import numpy as np

    from tflite2x.interpreter.session import Session

    session = Session(rounding)
    plan = session.plan(model.main)
    values = {t.index: v for t, v in zip(model.main.inputs, inputs, strict=True)} | want
    result: dict[str, float] = {}
    with np.errstate(all="ignore"):
        for step in plan.steps:
            if any(t is not None and t.is_variable for t in step.op.inputs):
                continue
            args = [None if t is None else values.get(t.index, t.data) for t in step.op.inputs]
            if any(t is not None and a is None for a, t in zip(args, step.op.inputs, strict=True)):
                continue
            args = [None if a is None else np.asarray(a)[None] for a in args]
            outputs = step.execute(session, args)
            for tensor, array in zip(step.op.outputs, outputs, strict=True):
                if tensor.index in want:
                    key = f"{step.op.name} {tensor.dtype.name}"
                    result[key] = max(result.get(key, 0.0), distance(array[0], want[tensor.index]))
    return result


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Load, strip and save a model of 2.5 GB, and compare time and memory with copying the file.

    python scripts/large_file.py [--gigabytes 2.5] [--folder DIR]

Prints the anonymous memory (pages that no file backs) at its peak, and the time as a ratio to ``cp`` in the same run.
"""

from __future__ import annotations

import argparse
import mmap
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import tflite2x
from tflite2x.schema.tables import DequantizeOptions, FullyConnectedOptions, QuantizeOptions


def anonymous_kib() -> int:
    """Return this process's anonymous memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise SystemExit("this script reads /proc/self/status, which this system does not have")


class Peak:
    """Samples the anonymous memory while the body runs."""

    def __enter__(self) -> Peak:
        self.start = self.value = anonymous_kib()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.done.wait(0.01):
            self.value = max(self.value, anonymous_kib())

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


def make(path: Path, size: float, layers: int = 10) -> None:
    """Write a chain of fully connected layers with a float interface; the weights come from a mapped file."""
    columns = 65536
    rows = int(size * 1e9 / layers / columns)
    raw = path.with_suffix(".weights")
    with open(raw, "wb") as file:
        block = bytes(range(256)) * (1 << 12)
        for _ in range(-(-layers * rows * columns // len(block))):
            file.write(block)
    with open(raw, "rb") as file:
        weights = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    model = tflite2x.Model.new("large")
    g = model.main
    x = g.add_input("x", (1, columns), "float32")
    q = g.add_tensor("q", (1, columns), "int8", scale=0.1)
    g.add_operator("QUANTIZE", [x], [q], QuantizeOptions())
    outputs = []
    for i in range(layers):
        w = g.add_tensor(f"w{i}", (rows, columns), "int8", scale=0.01)
        w.buffer = model.add_buffer(weights[i * rows * columns : (i + 1) * rows * columns])
        y = g.add_tensor(f"y{i}", (1, rows), "int8", scale=0.1)
        f = g.add_tensor(f"f{i}", (1, rows), "float32")
        g.add_operator("FULLY_CONNECTED", [q, w, None], [y], FullyConnectedOptions())
        g.add_operator("DEQUANTIZE", [y], [f], DequantizeOptions())
        outputs.append(f)
    g.set_outputs(outputs)
    tflite2x.save(model, path)
    raw.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.5)
    parser.add_argument("--folder", type=Path, default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        source, target, copied = (Path(folder) / n for n in ("large.tflite", "stripped.tflite", "copied.tflite"))
        make(source, args.gigabytes)
        print(f"{source.name}: {source.stat().st_size / 1e9:.2f} GB")
        times = {"cp": [], "tflite2x": []}
        with Peak() as peak:
            for _ in range(2):
                for name in times:
                    started = time.perf_counter()
                    if name == "cp":
                        subprocess.run(["cp", source, copied], check=True)
                        subprocess.run(["sync", copied], check=True)
                        copied.unlink()
                    else:
                        model = tflite2x.load(source)
                        tflite2x.Pipeline.parse("strip-float-io").run(model)
                        tflite2x.save(model, target)
                    times[name].append(time.perf_counter() - started)
        again = tflite2x.load(target)
        kinds = sorted({op.name for op in again.main.operators})
        print(f"stripped: {len(again.main.operators)} operators of {kinds}, {target.stat().st_size / 1e9:.2f} GB")
        print(f"anonymous memory: {peak.value / 1024:.0f} MiB at the peak, {peak.start / 1024:.0f} MiB before")
        best = {name: min(values) for name, values in times.items()}
        print(f"cp + sync {best['cp']:.2f} s, load + strip + save {best['tflite2x']:.2f} s,"
              f" ratio {best['tflite2x'] / best['cp']:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()

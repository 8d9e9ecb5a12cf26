# SPDX-License-Identifier: Apache-2.0
"""Compare the two ways of choosing XC_fc's parameters on every fully connected layer of a folder of models.

For each layer: the proved bound and the differing accumulators of both lowerings, and the share of outputs that differ
from TFLite on random inputs. Every bound is also tested on these inputs, and shown by its witness where it has one.

    python scripts/sweep_xc_fc.py FOLDER [--samples 100000] [--outputs N] [--rounding single] [--full] [--json FILE]
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tflite2x
from tflite2x.errors import Tflite2xError, UnsupportedError
from tflite2x.interpreter.kernel import Rounding
from tflite2x.interpreter.output_stage import FixedPointStage
from tflite2x.interpreter.real_stage import RealStage
from tflite2x.xs3 import Layer, layer_of, lower_2021, lower_best, prove
from tflite2x.xs3.kernel import Accumulator, FullyConnected

LOWERINGS: dict[str, Any] = {"2021": lambda layer, _rounding: lower_2021(layer), "best": lower_best}
#: Outputs computed at a time.
CHUNK = 1 << 17


def layers(folder: Path, skipped: collections.Counter[str]) -> Iterator[tuple[str, Layer]]:
    """Yield each distinct layer once, with its model's name; count why operators do not qualify."""
    seen = set()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".tflite", ".bin", ".lite")):
        try:
            model = tflite2x.load(path)
        except Tflite2xError:
            continue
        as_fully_connected(model)
        for graph in model.subgraphs:
            for op in graph.operators:
                if op.name != "FULLY_CONNECTED":
                    continue
                try:
                    layer = layer_of(op)
                except UnsupportedError as error:
                    skipped[error.what.split("(")[0]] += 1
                    continue
                parts = (layer.weights, layer.bias, layer.multipliers, layer.input_zero_point, layer.output_zero_point)
                key = hashlib.sha256(b"".join(np.asarray(p).tobytes() for p in parts)).hexdigest()
                if key not in seen:
                    seen.add(key)
                    yield f"{path.relative_to(folder)}:{op.index}", layer


def as_fully_connected(model: tflite2x.Model) -> None:
    """Turn convolutions that cover their whole input into FULLY_CONNECTED, as the pipeline does before `xc-fc`."""
    from tflite2x.rewrite.registry import find_pass

    try:
        find_pass("conv-to-fc")()(model)
    except Tflite2xError as error:
        print(f"conv-to-fc: {error}", file=sys.stderr)


def mismatches(layer: Layer, constants: dict[str, Any], samples: int, rounding: Rounding) -> dict[str, tuple[int, int]]:
    """Return, per lowering, how many outputs of random inputs differ and by how much at most.

    The sums of products are shared; from them the outputs are computed by the last steps of the interpreter's
    FULLY_CONNECTED and of the XC_fc kernel.
    """
    rng = np.random.default_rng(0)
    sums = Accumulator(layer.weights)
    kernels = {name: FullyConnected(*pair) for name, pair in constants.items()}
    stage = tflite_stage(layer, rounding)
    result = dict.fromkeys(constants, (0, 0))
    step = max(1, min(CHUNK // max(layer.weights.shape), samples))
    for first in range(0, samples, step):
        x = rng.integers(-128, 128, (min(step, samples - first), layer.weights.shape[1]), np.int8)
        acc = sums.as_floats(x)
        expected, found = np.empty(acc.shape, np.int8), np.empty(acc.shape, np.int8)
        stage(acc, expected)
        for name, kernel in kernels.items():
            kernel.finish(acc, found)
            different = found != expected
            if different.any():
                count, worst = result[name]
                gap = np.abs(found[different].astype(int) - expected[different])
                result[name] = count + gap.size, max(worst, int(gap.max()))
    return result


def tflite_stage(layer: Layer, rounding: Rounding) -> Any:
    """Return the last step of the interpreter's FULLY_CONNECTED: sums of products to outputs."""
    low, high = layer.activation
    common: dict[str, Any] = {
        "bias": layer.constant,
        "bound": 128.0 * np.abs(layer.weights.astype(np.float64)).sum(axis=1),
        "zero_point": layer.output_zero_point,
        "low": low,
        "high": high,
        "dtype": np.dtype(np.int8),
    }
    if rounding == "single":
        return RealStage(multiplier=np.ascontiguousarray(layer.multipliers), **common)
    mantissa, shift = layer.fixed_point
    return FixedPointStage(mantissa=mantissa, shift=shift, **common)


def measure(name: str, layer: Layer, samples: int, rounding: Rounding) -> dict[str, Any]:
    """Lower, prove and sample one layer."""
    start = time.perf_counter()
    row: dict[str, Any] = {"layer": name, "shape": list(layer.weights.shape)}
    constants, proofs = {}, {}
    for key, lower in LOWERINGS.items():
        begin = time.perf_counter()
        try:
            weights, bso = lower(layer, rounding)
            proofs[key] = prove(layer, weights, bso, rounding)
            constants[key] = (weights, bso)
        except UnsupportedError as error:
            row[key] = {"refused": error.what}
        else:
            row[key] = {"seconds": time.perf_counter() - begin}
    for key, (count, worst) in mismatches(layer, constants, samples, rounding).items():
        proof = proofs[key]
        if worst > proof.bound:
            raise AssertionError(f"{name}, {key}: a sampled difference of {worst} is above the proved {proof.bound}")
        row[key] |= {
            "bound": proof.bound, "attained": proof.attained, "differing": proof.differing,
            "accumulators": proof.accumulators, "mismatches": count, "sampled_worst": worst,
        }  # fmt: skip
    row |= {"inputs": samples, "outputs": samples * layer.channels}
    row["seconds"] = time.perf_counter() - start
    return row


def show(rows: list[dict[str, Any]], skipped: collections.Counter[str]) -> bool:
    """Print the table; tell whether `best` is nowhere worse and halves the mismatches."""
    print(f"{'layer':60} {'size':>11}  bound      differing accumulators   mismatches per million")
    total: collections.Counter[str] = collections.Counter()
    good = True
    for row in rows:
        if any("refused" in row[k] for k in LOWERINGS):
            print(f"{row['layer'][-60:]:60} {'x'.join(map(str, row['shape'])):>11}  {row}")
            continue
        old, new = row["2021"], row["best"]
        rates = [1e6 * r["mismatches"] / row["outputs"] for r in (old, new)]
        print(
            f"{row['layer'][-60:]:60} {'x'.join(map(str, row['shape'])):>11}  {old['bound']} -> {new['bound']}  "
            f"{old['differing']:>9} -> {new['differing']:>9}  {rates[0]:8.0f} -> {rates[1]:8.0f}"
            f"{'' if new['attained'] else '  not known to be attained'}"
        )
        good &= new["bound"] <= old["bound"] and new["differing"] <= old["differing"]
        for key in LOWERINGS:
            total[f"differing {key}"] += row[key]["differing"]
            total[f"mismatches {key}"] += row[key]["mismatches"]
            total[f"bound {key} = {row[key]['bound']}"] += 1
        total["outputs"] += row["outputs"]
        total["layers with a million inputs"] += row["inputs"] >= 1_000_000
    print(f"\n{len(rows)} distinct layers")
    for what, count in sorted(total.items()):
        print(f"  {what}: {count}")
    for what in ("differing", "mismatches"):
        ratio = total[f"{what} best"] / max(1, total[f"{what} 2021"])
        print(f"  {what}, best / 2021: {ratio:.4f}")
        good &= what == "differing" or ratio <= 0.5
    for reason, count in skipped.most_common():
        print(f"  {count} times left alone: {reason}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=100_000, help="random inputs (a hundredth for known weights)")
    parser.add_argument("--full", action="store_true", help="as many random inputs for known weights, too")
    parser.add_argument("--outputs", type=int, default=1 << 62, help="at most so many sampled outputs per layer")
    parser.add_argument("--rounding", choices=["single", "double"], default="single")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    parser.add_argument("--limit", type=int, help="stop after this many layers")
    options = parser.parse_args()
    skipped: collections.Counter[str] = collections.Counter()
    rows: list[dict[str, Any]] = []
    seen: set[bytes] = set()
    for name, layer in layers(options.folder, skipped):
        samples = min(options.samples, max(1, options.outputs // layer.channels))
        if layer.weights.tobytes() in seen and not options.full:  # one step of many of an unrolled network
            samples = max(1, samples // 100)
        seen.add(layer.weights.tobytes())
        rows.append(measure(name, layer, samples, options.rounding))
        print(f"{len(rows)} {name} {layer.weights.shape} {rows[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
        if len(rows) == options.limit:
            break
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return 0 if show(rows, skipped) else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Time XC_fc: lowering and proof of large layers, and many images through the interpreter against LiteRT.

    python scripts/bench_xc_fc.py [MODEL.tflite ...] [--images 10000]

Each MODEL's largest fully connected layer is lowered and proved. The images, those of
``models/digits_eval.npz`` repeated, go through ``models/logistic_int8.tflite``:
in LiteRT as it is, and here with XC_fc in place of FULLY_CONNECTED.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tflite2x
from tflite2x.errors import UnsupportedError
from tflite2x.passes.strip_float_io import StripFloatIO
from tflite2x.passes.xc_fc import XcFc
from tflite2x.xs3 import Layer, layer_of, lower_best, prove

ROOT = Path(__file__).resolve().parent.parent


def best_of(count: int, function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the shortest processor time of several runs (all here is one thread), and the result."""
    times, result = [], None
    for _ in range(count):
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return min(times), result


def largest_layer(path: Path) -> Layer | None:
    """Return the largest layer of a model that XC_fc can replace."""
    found = []
    for graph in tflite2x.load(path).subgraphs:
        for op in graph.operators:
            if op.name == "FULLY_CONNECTED":
                try:
                    found.append(layer_of(op))
                except UnsupportedError as error:
                    print(f"{path.name}: {error}")
    return max(found, key=lambda layer: layer.weights.size, default=None)


def images(count: int) -> None:
    """Compare the interpreter on the XC_fc model with LiteRT on the quantized model."""
    from ai_edge_litert.interpreter import Interpreter as LiteRt
    from ai_edge_litert.interpreter import OpResolverType

    model = tflite2x.load(ROOT / "models" / "logistic_int8.tflite")
    StripFloatIO()(model)
    quantized = tflite2x.dumps(model)
    XcFc()(model)
    with np.load(ROOT / "models" / "digits_eval.npz") as data:
        real = data["x"][:, None]
    q = model.main.inputs[0].quantization
    assert q is not None
    codes = np.clip(np.rint(real / q.scale[0]) + q.zero_point[0], -128, 127).astype(np.int8)
    x = codes[np.arange(count) % len(codes)]  # the evaluation set, again and again
    interpreter = tflite2x.Interpreter(model)
    interpreter.run_batch([x[:1]])
    ours, outputs = best_of(3, lambda: interpreter.run_batch([x])[0])
    print(f"{count} images: XC_fc model, NumPy interpreter, one batch: {1e3 * ours:.1f} ms")
    for resolver in ("BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"):
        litert = LiteRt(model_content=quantized, experimental_op_resolver_type=OpResolverType[resolver], num_threads=1)
        litert.allocate_tensors()
        index, out = litert.get_input_details()[0]["index"], litert.get_output_details()[0]["index"]

        def run(litert: Any = litert, index: int = index, out: int = out) -> list[Any]:
            found = []
            for image in x:
                litert.set_tensor(index, image)
                litert.invoke()
                found.append(litert.get_tensor(out))
            return found

        theirs, expected = best_of(2, run)
        gap = np.abs(np.stack(expected).astype(int) - outputs)
        print(
            f"  LiteRT {resolver}, image by image: {1e3 * theirs:.1f} ms, ratio {theirs / ours:.1f}; "
            f"outputs differ by at most {gap.max()} in {100 * (gap > 0).mean():.4f} %"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    options = parser.parse_args()
    for path in options.models:
        layer = largest_layer(path)
        if layer is None:
            continue
        lowering, constants = best_of(3, lambda layer=layer: lower_best(layer))
        proving, proof = best_of(3, lambda layer=layer, constants=constants: prove(layer, *constants))
        size = " x ".join(map(str, layer.weights.shape))
        print(f"{path.name}, {size}: lowering {lowering:.3f} s, proof {proving:.3f} s, bound {proof.bound} LSB")
    if options.images:
        images(options.images)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Why does a convolution rewritten in C++ differ, when pooling and dense layers agree?

Interpreters show the quantization of convolution weights as (0.0, 0). It is not missing: there is one scale per output
channel, which does not fit into that pair. Who multiplies by 0 gets a constant, and who takes one scale for all gets
wrong channels.

    python scripts/seeds/cnn_convolution.py
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tflite2x.explain.diagnose import diagnose
from tflite2x.explain.diagnose_text import render
from tflite2x.export import export

MODELS = Path(__file__).resolve().parents[2] / "models"
Array = NDArray[Any]


def convolution(x: Array, op: tflite2x.Operator, scales: Array) -> Array:
    """A VALID convolution with stride 1 by hand; ``scales``: one weight scale per output channel."""
    source, weights, bias = op.inputs[0], op.inputs[1].data.astype(np.int64), op.inputs[2].data
    s_x, z_x = float(source.quantization.scale[0]), int(source.quantization.zero_point[0])
    s_y, z_y = float(op.outputs[0].quantization.scale[0]), int(op.outputs[0].quantization.zero_point[0])
    taps = weights.shape[1:3]
    windows = np.lib.stride_tricks.sliding_window_view(x[0].astype(np.int64) - z_x, taps, axis=(0, 1))
    acc = np.einsum("hwcij,oijc->hwo", windows, weights) + bias
    real = np.rint(acc * (s_x * scales.astype(np.float64) / s_y)) + z_y
    # The fused RELU clamps at the zero point: here that is the lowest int8.
    return np.clip(real, max(-128, z_y), 127).astype(np.int8)[None]


def main() -> None:
    model = tflite2x.load(MODELS / "cnn_int8.tflite")
    with np.load(MODELS / "digits_eval.npz") as file:
        images = file["x"]
    q = model.main.inputs[0].quantization
    samples = np.clip(np.rint(images / q.scale[0]) + q.zero_point[0], -128, 127).astype(np.int8)[..., None]
    image = samples[:1]
    trace = tflite2x.Interpreter(model).trace([image])

    print("== Layer by layer: quantization, with one scale per channel where there is one ==")
    for op in model.main.operators:
        for role, tensor in (("weights", op.inputs[1] if len(op.inputs) > 1 else None), ("output", op.outputs[0])):
            q = tensor.quantization if tensor is not None else None
            if q is not None and q.scale.size:
                scales = f"{q.scale[0]:.6g}" if q.scale.size == 1 else f"{q.scale.size}: {q.scale.min():.3g} ..."
                print(f"  {op.index} {op.name:16} {role:8} {list(tensor.shape)!s:17} scale {scales}")

    # Three convolutions by hand; a float multiplier may be one step away from TFLite's fixed-point one, rarely.
    for op in model.main.operators:
        if op.name == "CONV_2D":
            own = op.inputs[1].quantization.scale
            mine = convolution(trace.get(op.inputs[0], image), op, own)
            difference = np.abs(mine.astype(int) - trace[op.outputs[0]])
            assert difference.max() <= 1
            assert np.mean(difference > 0) < 0.001

    first = model.main.operators[0]
    wrong = {
        "the scale that the viewer shows, 0.0": (np.zeros(32, np.float32), "multiplier from wrong scales"),
        "the first channel's scale for all": (np.full(32, own_scale(first)[0]), "per-tensor scale"),
    }
    for what, (scales, name) in wrong.items():
        print(f"\n== {what} ==")
        # The bias disappears with a scale of 0, as everything else.
        found = diagnose(model, [image], {"op0": convolution(image, first, scales)})
        print(render(found))
        assert found.first is not None
        assert all(name in n.mistakes for n in found.first.named)

    folder = Path(tempfile.mkdtemp())
    try:
        export(model, folder, lang="c", test_vectors=64)
        if shutil.which("gcc") and shutil.which("make"):
            command = ["make", "-s", "-C", str(folder), "check"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            print(f"\nC export: {done.stdout.strip()}")
    finally:
        shutil.rmtree(folder)


def own_scale(op: tflite2x.Operator) -> Array:
    return np.asarray(op.inputs[1].quantization.scale)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""How is a quantized dense layer over a matrix computed, and why does the formula with all its terms saturate?

Somebody wrote down result = zero point + scales + x @ w.T - ..., with the parameters of the model, and got -128 and 127
nearly everywhere. The multiplier stands behind a plus sign. And numpy.matmul of two int8 arrays adds up in int8.

    python scripts/seeds/batched_dense.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tflite2x.explain.diagnose import diagnose
from tflite2x.explain.diagnose_text import render

MODELS = Path(__file__).resolve().parents[2] / "models"
Array = NDArray[Any]


def asked(x: Array, op: tflite2x.Operator, *, added: bool, wide: bool) -> Array:
    """The formula of the question: ``added`` keeps its plus sign, ``wide`` converts to int32 before multiplying."""
    source, weights = op.inputs[0], op.inputs[1]
    s_x, z_x = float(source.quantization.scale[0]), int(source.quantization.zero_point[0])
    s_w, z_w = float(weights.quantization.scale[0]), int(weights.quantization.zero_point[0])
    s_y, z_y = float(op.outputs[0].quantization.scale[0]), int(op.outputs[0].quantization.zero_point[0])
    w = weights.data
    product = x.astype(np.int32) @ w.astype(np.int32).T if wide else np.matmul(x, w.T).astype(np.int32)
    terms = (
        product
        - z_w * np.sum(x.astype(np.int32), axis=1, keepdims=True)
        - z_x * np.sum(w.astype(np.int32), axis=1)
        + w.shape[1] * z_x * z_w
    )
    scale = s_x * s_w / s_y
    return z_y + (scale + terms if added else scale * terms)


def to_int8(values: Array) -> Array:
    return np.clip(np.round(values), -128, 127).astype(np.int8)


def main() -> None:
    model = tflite2x.load(MODELS / "dense_3d_int8.tflite")
    (op,) = model.main.operators
    with np.load(MODELS / "dense_3d_eval.npz") as file:
        real = file["x"]
    q = model.main.inputs[0].quantization
    samples = np.clip(np.rint(real / q.scale[0]) + q.zero_point[0], -128, 127).astype(np.int8)
    sample = samples[0]

    print("== The formula as it was asked ==")
    found = diagnose(model, [sample[None]], {"op0": to_int8(asked(sample, op, added=True, wide=False))})
    print(render(found))
    assert found.first is not None
    # Far beyond the range, an added 0.0009 and no multiplier at all look alike: both are named, none with certainty.
    names = [n.mistakes for n in found.first.named]
    assert found.first.certainty == "ambiguous"
    assert ("multiplier added", "narrow sums") in names

    print("\n== Sums in 32 bits, and the values before rounding: now the added multiplier shows ==")
    found = diagnose(model, [sample[None]], {"op0": asked(sample, op, added=True, wide=True)})
    print(render(found))
    assert found.first is not None
    assert found.first.certainty == "certain"
    assert found.first.named[0].mistakes == ("multiplier added",)

    (expected,) = tflite2x.Interpreter(model).run_batch([samples[:, None]])
    mine = np.stack([to_int8(asked(s, op, added=False, wide=True)) for s in samples])
    assert np.array_equal(mine, expected[:, 0])
    print(f"\nmultiplied instead: all {expected.size} values of {len(samples)} matrices are equal")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Take a quantized logistic regression apart and rebuild it: in floats, in integers, and on an XS3 vector unit.

A notebook trains one dense layer with softmax on handwritten digits, converts it, reads every tensor, rebuilds the
outputs step by step, emulates XMOS's vector unit, compares accuracies, draws the weights, and strips the float
interface with scripts on JSON. scripts/make_models.py trains and converts (on scikit-learn's digits instead of MNIST);
here is the rest.

    python scripts/seeds/logistic_regression.py [FOLDER for the figures]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tflite2x.explain.evaluation import score
from tflite2x.explain.report import layer_errors, report
from tflite2x.xs3 import VPU, programs

SCRIPTS = Path(__file__).resolve().parents[1]
MODELS = SCRIPTS.parent / "models"
sys.path.insert(0, str(SCRIPTS))
from logistic_layer import errors, load, lowered, reconstructions  # noqa: E402

Array = NDArray[Any]


def main(folder: Path | None = None) -> None:
    # Run both models on all images, and take them apart: every tensor with its meaning. Nothing has to be guessed
    # from indices.
    n = load(MODELS, None)
    layer = n.layer
    rows = [
        score("float", n.float_outputs, n.labels),
        score("int8", n.quant_outputs, n.labels, n.float_outputs),
    ]
    scale = float(layer.weight_scales[0])
    print(f"weights: int8 with scale {scale:.6g}, {errors(n)['weights']:.2%} away from the float model's")
    assert layer.bias_scales is not None
    assert layer.bias_scales[0] == np.float32(layer.input_scale * scale)

    # In floats: dequantize everything. In integers: the input's zero point goes into the bias.
    ways = reconstructions(n)
    assert abs(ways["integers"] - ways["dequantized weights and image"]) < 1e-6
    steps = (n.pixels @ layer.weights.astype(np.int64).T + layer.constant) * layer.multipliers
    rebuilt = np.clip(np.trunc(steps + np.copysign(0.5, steps)) + layer.output_zero_point, -128, 127).astype(np.int8)
    assert np.array_equal(rebuilt, n.sums)
    probabilities = softmax((rebuilt.astype(float) - layer.output_zero_point) * layer.output_scale)
    largest = np.abs(probabilities - n.quant_outputs).max()
    assert largest < 2 / 256
    print(f"integers: all {rebuilt.size} logits equal; softmax of them within {largest:.4f} of the model's 8 bits")

    # On the XS3: the same layer as XC_fc, computed and proved, and through the vector unit's instructions.
    for way in lowered(n):
        difference = np.abs(way.sums.astype(int) - rebuilt)
        assert difference.max() <= way.proof.bound
        rows.append(score(f"XS3, {way.name}", way.sums, n.labels, rebuilt))
        print(f"XS3, {way.name}: at most {way.proof.bound} LSB over all inputs, {np.mean(difference > 0):.2%} here")
        padded = np.pad(n.pixels[0], (0, way.weights.shape[1] - len(n.pixels[0])))
        unit = VPU()
        assert np.array_equal(programs.fully_connected_8(unit, padded, way.weights, way.bso), way.sums[0])
        print(f"  {sum(unit.counts.values())} vector instructions for one image")
    for row in rows:
        agreement = "" if row.agreement is None else f", agrees with its reference on {row.agreement:.1%}"
        print(f"{row.name:24} {row.accuracy:.2%}{agreement}")
        assert row.accuracy is not None
        assert row.accuracy > 0.94

    # The model that goes on the chip: no float interface, nothing that nobody uses.
    model = tflite2x.load(MODELS / "logistic_int8.tflite")
    stripped = model.clone()
    tflite2x.Pipeline.parse("strip-float-io,cleanup").run(stripped, verify=tflite2x.Verify(samples=16, seed=0))
    names = [o.name for o in stripped.main.operators]
    print(f"stripped: {', '.join(names)}; {len(tflite2x.dumps(model))} -> {len(tflite2x.dumps(stripped))} bytes")
    assert names == ["RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert stripped.main.inputs[0].dtype == tflite2x.TensorType.INT8

    # The figures: weights as images, histograms, errors by layer.
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(folder or temporary) / "logistic_int8.html"
        page.write_text(report(model, layer_errors(model, {"x": n.images, "y": n.labels}, source="digits_eval.npz")))
        text = page.read_text()
        assert text.count("data:image/png;base64,") == 1  # ten tiles of 28 x 28
        print(f"figures: {page.name}, {len(text)} characters")


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

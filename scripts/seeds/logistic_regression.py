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
from tflite2x.xs3 import VPU, layer_of, lower_2021, lower_best, programs, prove

MODELS = Path(__file__).resolve().parents[2] / "models"
Array = NDArray[Any]


def main(folder: Path | None = None) -> None:
    reference = tflite2x.load(MODELS / "logistic_float.tflite")
    model = tflite2x.load(MODELS / "logistic_int8.tflite")
    with np.load(MODELS / "digits_eval.npz") as file:
        images, labels = file["x"], file["y"]

    # Both interpreters on all images, and what they say.
    (real,) = tflite2x.Interpreter(reference).run_batch([images[:, None]])
    (quantized,) = tflite2x.Interpreter(model).run_batch([images[:, None]])
    rows = [score("float", real[:, 0], labels), score("int8", quantized[:, 0], labels, real[:, 0])]

    # Take it apart: every tensor with its meaning. Nothing has to be guessed from indices.
    op = next(o for o in model.main.operators if o.name == "FULLY_CONNECTED")
    trace = {t: v[:, 0] for t, v in tflite2x.Interpreter(model).trace([images[:, None]], batched=True).items()}
    source, weights, bias, logits = op.inputs[0], op.inputs[1], op.inputs[2], op.outputs[0]
    s_x, z_x = one(source)
    s_w, _ = one(weights)
    s_b, _ = one(bias)
    s_y, z_y = one(logits)
    w_float = next(o for o in reference.main.operators if o.name == "FULLY_CONNECTED").inputs[1].data
    error = np.linalg.norm(weights.data - w_float / s_w) / np.linalg.norm(weights.data.astype(float))
    print(f"weights: int8 with scale {s_w:.6g}, {error:.2%} away from the float model's")
    assert s_b == np.float32(s_x * s_w)

    # In floats: dequantize everything.
    x = trace[source].astype(np.int64)
    logits_float = ((x - z_x) * s_x) @ (weights.data * s_w).T + bias.data * s_b
    # In integers: the input's zero point goes into the bias.
    folded = bias.data - z_x * weights.data.astype(np.int64).sum(axis=1)
    acc = x @ weights.data.astype(np.int64).T + folded
    assert np.allclose(acc * s_b, logits_float, rtol=1e-6, atol=1e-6)
    steps = acc * (s_x * s_w / s_y)
    rebuilt = np.clip(np.trunc(steps + np.copysign(0.5, steps)) + z_y, -128, 127).astype(np.int8)
    assert np.array_equal(rebuilt, trace[logits])
    probabilities = softmax((rebuilt.astype(float) - z_y) * s_y)
    largest = np.abs(probabilities - quantized[:, 0]).max()
    assert largest < 2 / 256
    print(f"integers: all {rebuilt.size} logits equal; softmax of them within {largest:.4f} of the model's 8 bits")

    # On the XS3: the same layer as XC_fc, computed and proved, and through the vector unit's instructions.
    layer = layer_of(op)
    for name, lowered in (("2021", lower_2021(layer)), ("best", lower_best(layer))):
        proof = prove(layer, *lowered)
        outputs = tflite2x.xs3.fully_connected_8(trace[source], *lowered)
        difference = np.abs(outputs.astype(int) - rebuilt)
        assert difference.max() <= proof.bound
        rows.append(score(f"XS3, {name} parameters", outputs, labels, rebuilt))
        print(f"XS3, {name} parameters: at most {proof.bound} LSB over all inputs, {np.mean(difference > 0):.2%} here")
        padded = np.pad(trace[source][0], (0, lowered[0].shape[1] - len(trace[source][0])))
        unit = VPU()
        assert np.array_equal(programs.fully_connected_8(unit, padded, *lowered), outputs[0])
        print(f"  {sum(unit.counts.values())} vector instructions for one image")
    for row in rows:
        agreement = "" if row.agreement is None else f", agrees with its reference on {row.agreement:.1%}"
        print(f"{row.name:24} {row.accuracy:.2%}{agreement}")
        assert row.accuracy is not None
        assert row.accuracy > 0.94

    # The model that goes on the chip: no float interface, nothing that nobody uses.
    stripped = model.clone()
    tflite2x.Pipeline.parse("strip-float-io,cleanup").run(stripped, verify=tflite2x.Verify(samples=16, seed=0))
    names = [o.name for o in stripped.main.operators]
    print(f"stripped: {', '.join(names)}; {len(tflite2x.dumps(model))} -> {len(tflite2x.dumps(stripped))} bytes")
    assert names == ["RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert stripped.main.inputs[0].dtype == tflite2x.TensorType.INT8

    # The figures: weights as images, histograms, errors by layer.
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(folder or temporary) / "logistic_int8.html"
        page.write_text(report(model, layer_errors(model, {"x": images, "y": labels}, source="digits_eval.npz")))
        text = page.read_text()
        assert text.count("data:image/png;base64,") == 1  # ten tiles of 28 x 28
        print(f"figures: {page.name}, {len(text)} characters")


def one(tensor: tflite2x.Tensor) -> tuple[float, int]:
    """Scale and zero point of a tensor that has one of each."""
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zero_point[0])


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

# SPDX-License-Identifier: Apache-2.0
"""A logistic regression from float to the xcore.ai vector unit, step by step, with numbers and figures.

Takes a float model, its quantized version and evaluation data (all three in ``models/``), and shows

1. how far weights, bias, sums and outputs of the quantized model are from the float ones;
2. the quantized layer computed again: with real numbers, with integers, and by the vector unit in bands of 16 rows and
   chunks of 32 columns, the way XMOS's first notebook did it in 2019 (offset in the bias, VLSAT, VLMUL, VDEPTH8);
3. the same layer as XC_fc, with the parameters of 2021 and the best ones;
4. a table of accuracies, and figures of weights and quantization errors as SVG.

    python scripts/logistic_regression.py [-o FOLDER] [--samples N]

The models in ``models/`` are trained on scikit-learn's 8x8 digits. With the models and data that
``scripts/make_models.py --mnist FILE.npz`` writes, this is the original task.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.linalg import norm
from numpy.typing import NDArray
from svg_figures import diverging, grey, histograms, images

import tflite2x
from tflite2x.xs3 import VPU, Layer, fully_connected_8, layer_of, lower_2021, lower_best, programs, prove

Array = NDArray[Any]
ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Notebook:
    """Both models, the data, and what the models make of it.

    Attributes:
        layer: The quantized layer as arrays.
        weights: float32 weights ``[classes, inputs]``.
        bias: float32 bias.
        images: float32 ``[N, 28, 28]``.
        labels: int64 ``[N]``.
        float_outputs: Probabilities of the float model.
        quant_outputs: Probabilities of the quantized model, as real numbers.
        pixels: int8 ``[N, inputs]``: the quantized images.
        float_sums: What the float layer computes before the softmax.
        sums: int8: what the quantized layer computes before the softmax.
    """

    layer: Layer
    weights: Array
    bias: Array
    images: Array
    labels: Array
    float_outputs: Array
    quant_outputs: Array
    pixels: Array
    float_sums: Array
    sums: Array


def load(folder: Path, samples: int | None) -> Notebook:
    """Run both models on the data and pick out the tensors of interest."""
    with np.load(folder / "digits_eval.npz") as data:
        x, y = data["x"][:samples], data["y"][:samples]
    traces, layers, outputs = [], [], []
    for name in ("logistic_float", "logistic_int8"):
        model = tflite2x.load(folder / f"{name}.tflite")
        trace = tflite2x.Interpreter(model).trace([x[:, None]], batched=True)
        traces.append(trace)
        layers.append(next(op for op in model.main.operators if op.name == "FULLY_CONNECTED"))
        outputs.append(trace[model.main.outputs[0]].reshape(len(x), -1))
    (float_op, quant_op), (float_trace, trace) = layers, traces
    _, weights, bias = float_op.inputs
    assert weights is not None
    assert bias is not None
    source = quant_op.inputs[0]
    assert source is not None
    return Notebook(
        layer=layer_of(quant_op),
        weights=np.asarray(weights.data),
        bias=np.asarray(bias.data),
        images=x,
        labels=y,
        float_outputs=outputs[0],
        quant_outputs=outputs[1],
        pixels=trace[source].reshape(len(x), -1),
        float_sums=float_trace[float_op.outputs[0]].reshape(len(x), -1),
        sums=trace[quant_op.outputs[0]].reshape(len(x), -1),
    )


def errors(n: Notebook) -> dict[str, float]:
    """Return relative errors of the quantized model's parts."""
    layer = n.layer
    assert layer.bias is not None
    bias_scale = layer.input_scale * layer.weight_scales
    sums = layer.output_scale * (n.sums.astype(np.float64) - layer.output_zero_point)
    pixels = layer.input_scale * (n.pixels.astype(np.float64) - layer.input_zero_point)
    flat = n.images.reshape(len(n.images), -1)

    def relative(value: Array, reference: Array) -> float:
        return float(norm(value - reference) / norm(reference))

    outputs = norm(n.quant_outputs - n.float_outputs, axis=1) / norm(n.float_outputs, axis=1)
    return {
        "images": relative(pixels, flat),
        "weights": relative(layer.weights * layer.weight_scales[:, None], n.weights),
        "bias": relative(layer.bias * bias_scale, n.bias),
        "sums (before the softmax)": relative(sums, n.float_sums),
        "outputs, mean over samples": float(outputs.mean()),
    }


def reconstructions(n: Notebook) -> dict[str, float]:
    """Compute the sums of the first image in other ways; return their distance from the float model's."""
    layer, x = n.layer, n.pixels[0]
    assert layer.bias is not None
    scale = layer.input_scale * layer.weight_scales
    real = layer.weights * layer.weight_scales[:, None]
    pixels = layer.input_scale * (x.astype(np.float64) - layer.input_zero_point)
    integers = layer.weights.astype(np.int64) @ x + layer.constant
    matrix = programs.prepare_matrix(layer.weights)
    unit = programs.xs3_matmul(VPU(), matrix, x)[: layer.channels] + layer.constant
    ways = {
        "float weights, float image": n.weights @ n.images[0].ravel() + n.bias,
        "dequantized weights, float image": real @ n.images[0].ravel() + layer.bias * scale,
        "dequantized weights and image": real @ pixels + layer.bias * scale,
        "integers": integers * scale,
        "integers, by the vector unit": unit * scale,
    }
    return {name: float(norm(way - n.float_sums[0]) / norm(n.float_sums[0])) for name, way in ways.items()}


def notebook_layer(n: Notebook) -> tuple[Array, VPU]:
    """Compute the layer as the notebook of 2019 did, one image at a time on the vector unit.

    The output's zero point is part of the bias. VLSAT takes the sums to 16 bits, eight more than the output has, VLMUL
    scales them, and VDEPTH8 keeps the upper eight.
    """
    layer = n.layer
    vpu = VPU(revision="2023-02")  # the notebook rounds where VLMUL of 2020 cuts off
    multiplier = layer.multipliers
    exponent = 1 - np.ceil(np.log2(multiplier)).astype(int)
    scale = np.rint(2.0**14 * multiplier * 2.0**exponent).astype(int)
    exponent, scale = np.where(scale == 2**15, exponent - 1, exponent) - 8, np.where(scale == 2**15, 2**14, scale)
    bias = layer.constant + np.rint(layer.output_zero_point / multiplier).astype(np.int64)

    def lanes(values: Array, dtype: Any) -> Array:
        return np.pad(values, (0, 16 - len(values))).astype(dtype)

    matrix, shifts, factors = programs.prepare_matrix(layer.weights), lanes(exponent, np.uint16), lanes(scale, np.int16)
    high, low = lanes(bias >> 16, np.int16), lanes(bias & 0xFFFF, np.uint16)
    sums = np.zeros((len(n.pixels), 16), np.int8)
    for x, out in zip(n.pixels, sums, strict=True):
        vpu.VSETC(8)
        vpu.VLDD(high)
        vpu.VLDR(low)
        padded = np.pad(x, (0, matrix.shape[2] - x.size))
        for start in range(0, padded.size, 32):
            vpu.VLDC(padded[start : start + 32])
            for row in matrix[0, :, start : start + 32]:
                vpu.VLMACCR(row)
        vpu.VSETC(16)
        vpu.VLSAT(shifts)
        vpu.VLMUL(factors)
        vpu.VDEPTH8()
        vpu.VSTRPV(out, 0xFFFF)
    return sums[:, : layer.channels], vpu


def table(n: Notebook) -> list[tuple[str, float, float, str]]:
    """Return, per way of computing: accuracy, agreement with the quantized model's sums, remark."""
    layer = n.layer
    unit, vpu = notebook_layer(n)
    count = vpu.instructions // len(n.pixels)
    rows: list[tuple[str, Array, str]] = [
        ("float", n.float_outputs, ""),
        ("quantized (TFLite)", n.sums, ""),
        ("vector unit, as in 2019", unit, f"{count} vector instructions per image"),
    ]
    for name, lower in (("XC_fc, parameters of 2021", lower_2021), ("XC_fc, best parameters", lower_best)):
        weights, bso = lower(layer)
        proof = prove(layer, weights, bso)
        remark = f"proved: at most {proof.bound} LSB from TFLite, on {100 * proof.share:.4f} % of all sums"
        rows.append((name, fully_connected_8(n.pixels, weights, bso), remark))
    return [
        (
            name,
            float((values.argmax(axis=1) == n.labels).mean()),
            float((values == n.sums).mean()) if values.dtype == np.int8 else float("nan"),
            remark,
        )
        for name, values, remark in rows
    ]


def figures(n: Notebook) -> dict[str, str]:
    """Draw the figures; file name -> SVG."""
    layer, side = n.layer, n.images.shape[1]
    picture, pixels = n.images[0], n.pixels[0].reshape(side, side)
    back = layer.input_scale * (pixels.astype(np.float64) - layer.input_zero_point)
    inputs = [
        ("float input", grey(picture, 0, 1)),
        ("int8 input", grey(pixels, -128, 127)),
        ("float from int8", grey(back, 0, 1)),
        ("difference x 255", grey(np.abs(back - picture) * 255, 0, 1)),
    ]
    weights = layer.weights.reshape(-1, side, side)
    gaps = np.abs(layer.weights - n.weights / layer.weight_scales[:, None])
    titles = [f"digit {i}" for i in range(len(weights))]
    return {
        "input.svg": images(inputs, columns=4, title="An input and its quantization"),
        "weights.svg": images(
            [(t, diverging(w, 127)) for t, w in zip(titles, weights, strict=True)],
            columns=5,
            title="int8 weights, blue negative, red positive",
        ),
        "weight_errors.svg": histograms(
            list(zip(titles, gaps, strict=True)), columns=5, title="Quantization errors of the weights", unit="steps"
        ),
        "output_errors.svg": histograms(
            [("outputs", np.abs(n.quant_outputs - n.float_outputs).ravel() * 256)],
            columns=1,
            title="Errors of the probabilities",
            unit="/ 256",
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="folder with models and data")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/logistic_regression"), help="for the figures")
    parser.add_argument("--samples", type=int, help="use the first N images")
    options = parser.parse_args()
    n = load(options.models, options.samples)
    print("Relative errors of the quantized model:")
    for name, error in errors(n).items():
        print(f"  {name:36} {error:.4e}")
    print("Sums of one image, computed in other ways, against the float model:")
    for name, error in reconstructions(n).items():
        print(f"  {name:36} {error:.4e}")
    print(f"{'Accuracy on ' + str(len(n.labels)) + ' images:':38} accuracy  equal to TFLite")
    for name, accuracy, equal, remark in table(n):
        same = "" if np.isnan(equal) else f"{100 * equal:.2f} %"
        print(f"  {name:36} {100 * accuracy:6.2f} %  {same:>15}  {remark}".rstrip())
    options.output.mkdir(parents=True, exist_ok=True)
    for file, text in figures(n).items():
        (options.output / file).write_text(text)
        print(f"wrote {options.output / file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
import sys
from pathlib import Path
from typing import Any

import numpy as np
from logistic_layer import Notebook, errors, load, lowered, notebook_layer, reconstructions
from numpy.typing import NDArray
from svg_figures import diverging, grey, histograms, images

Array = NDArray[Any]
ROOT = Path(__file__).resolve().parent.parent


def table(n: Notebook) -> list[tuple[str, float, float, str]]:
    """Return, per way of computing: accuracy, agreement with the quantized model's sums, remark."""
    unit, vpu = notebook_layer(n)
    count = vpu.instructions // len(n.pixels)
    rows: list[tuple[str, Array, str]] = [
        ("float", n.float_outputs, ""),
        ("quantized (TFLite)", n.sums, ""),
        ("vector unit, as in 2019", unit, f"{count} vector instructions per image"),
    ]
    for way in lowered(n):
        remark = f"proved: at most {way.proof.bound} LSB from TFLite, on {100 * way.proof.share:.4f} % of all sums"
        rows.append((f"XC_fc, {way.name}", way.sums, remark))
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

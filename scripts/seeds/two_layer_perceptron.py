# SPDX-License-Identifier: Apache-2.0
"""Why does a two-layer perceptron rewritten in NumPy give other digits than TensorFlow Lite?

The author of a notebook rebuilt a quantized perceptron by hand, before a port to Rust. It answered
[160 132 139 162 68 145 85 200 16 28] where TensorFlow Lite answered [138 106 149 160 174 152 141 146 169 207]; printing
the first layer next to tensor 8 did not tell why.

    python scripts/seeds/two_layer_perceptron.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tflite2x.explain.diagnose import diagnose, diagnose_arrays
from tflite2x.explain.diagnose_text import render

MODELS = Path(__file__).resolve().parents[2] / "models"
Array = NDArray[Any]

#: Printed in the notebook: the author's first layer, and tensor 8 of TensorFlow Lite (with its fused RELU).
PEEK = [-87, -100, 119, -106, -73, -127, -101, -112, -76, 5, -92, -120, 115, -81, -81, -54, -82, -128, -80, -74, -70,
        -91, 117, -110, -66, 82, -52, -105]  # fmt: skip
TENSOR_8 = [-87, -100, -128, -106, -73, -127, -101, -112, -76, 5, -92, -120, -128, -81, -81, -54, -82, -128, -80, -74,
            -70, -91, -128, -110, -66, -128, -52, -105]  # fmt: skip


def main() -> None:
    from_the_printed_numbers()
    from_the_model()
    exact()


def from_the_printed_numbers() -> None:
    """The two rows alone, without the model: patterns, so likely and not certain."""
    peek, expected = np.array(PEEK), np.array(TENSOR_8, np.int8)
    print("== The notebook's rows: tensor 8 against peek ==")
    found = diagnose_arrays(expected, peek, zero_point=-128)
    print(render(found))
    assert found.first is not None
    assert [n.mistakes for n in found.first.named] == [("wrap-around",)]

    print("\n== ... and against what the notebook feeds to its second layer, numpy.maximum(peek, 0) ==")
    found = diagnose_arrays(expected, np.maximum(peek, 0), zero_point=-128)
    print(render(found))
    assert found.first is not None
    assert [n.mistakes for n in found.first.named] == [("relu at zero", "wrap-around")]


def layer(x: Array, op: tflite2x.Operator, lowest: int) -> Array:
    """A fully connected layer in the notebook's way: a real multiplier, and a clamp that starts at ``lowest``."""
    source, weights, bias = op.inputs
    s_x, z_x = source.quantization.scale[0], int(source.quantization.zero_point[0])
    s_y, z_y = op.outputs[0].quantization.scale[0], int(op.outputs[0].quantization.zero_point[0])
    acc = (x.astype(np.int32) - z_x) @ weights.data.astype(np.int32).T + bias.data
    scale = float(s_x) * float(weights.quantization.scale[0]) / float(s_y)
    steps = scale * acc
    rounded = np.trunc(steps + np.copysign(0.5, steps))  # halves away from zero
    return np.clip(rounded + z_y, lowest, 127).astype(np.int64).astype(np.int8)


def manual_model(image: Array, model: tflite2x.Model, *, right: bool) -> dict[str, Array]:
    """The notebook's model; ``right`` mends its two mistakes."""
    first, second = model.main.operators[2:4]
    x = (image.astype(np.int32) - 128).astype(np.int8).reshape(-1, 784)
    hidden = layer(x, first, -128 if right else -228)  # -228: the notebook's typing error, so that the cast wraps
    # Real zero is the zero point, -128: the clamp of int8 is the RELU already, and one at 0 cuts off half of the range.
    active = hidden if right else np.maximum(hidden, 0)
    output = layer(active, second, -128 if right else -228)
    return {"tensor8": active, "tensor9": output, "tensor10": (output.astype(np.int32) + 128).astype(np.uint8)}


def evaluation_images() -> Array:
    with np.load(MODELS / "digits_eval.npz") as file:
        return np.rint(file["x"] * 255).astype(np.uint8)


def from_the_model() -> None:
    """With the model and an input, the arithmetic decides: every value is made, and the names are certain."""
    model = tflite2x.load(MODELS / "mlp_uint8.tflite")
    image = evaluation_images()[150:151]
    mine = manual_model(image, model, right=False)
    print("\n== The same code on models/mlp_uint8.tflite ==")
    found = diagnose(model, [image], mine)
    print(render(found))
    first = found.first
    assert first is not None
    assert (first.index, first.certainty) == (8, "certain")
    assert {"relu at zero"} < set(first.named[0].mistakes)
    assert set(first.named[0].mistakes) - {"relu at zero"} <= {"wrap-around", "clamp bounds"}
    assert first.named[0].explained == first.values

    print("\n== Another image, of which only the ten answers are known ==")
    image = evaluation_images()[:1]
    found = diagnose(model, [image], {"tensor10": manual_model(image, model, right=False)["tensor10"]})
    print(render(found))
    assert found.first is not None
    assert [n.mistakes for n in found.first.named] == [("relu at zero", "wrap-around")]


def exact() -> None:
    """Both mended, the NumPy model equals the interpreter (and so TensorFlow Lite) on every image."""
    model = tflite2x.load(MODELS / "mlp_uint8.tflite")
    images = evaluation_images()
    (expected,) = tflite2x.Interpreter(model).run_batch([images[:, None]])
    mine = manual_model(images, model, right=True)["tensor10"]
    assert np.array_equal(mine, expected[:, 0])
    print(f"\nmended: all {expected.size} values of {len(images)} images are equal")


if __name__ == "__main__":
    main()

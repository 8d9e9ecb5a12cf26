# SPDX-License-Identifier: Apache-2.0
"""Which quantization parameters belong to which layer, and what is missing in this integer forward pass?

A network of one dense layer, with a float interface around an int8 core. The tensors come as a flat list; the asker
took the parameters of tensor 4 (the bias) for those of the output, fed x / scale + zero point without rounding, added
zero points that are subtracted, and shifted right without rounding.

    python scripts/seeds/float_interface_dense.py
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


def parameters(op: tflite2x.Operator) -> dict[str, tuple[float, int]]:
    """The operator knows its tensors by role; their order in the file means nothing."""
    roles = ("input", "weights", "bias")
    tensors = {**dict(zip(roles, op.inputs, strict=False)), "output": op.outputs[0]}
    return {
        role: (float(t.quantization.scale[0]), int(t.quantization.zero_point[0])) for role, t in tensors.items() if t
    }


def dense(x: Array, op: tflite2x.Operator, mistake: str = "") -> Array:
    """The dense layer, with one of the asker's mistakes in it."""
    q = parameters(op)
    (s_x, z_x), (s_w, _), (s_y, z_y) = q["input"], q["weights"], q["output"]
    z_x = -z_x if mistake == "zero point added" else z_x
    acc = (x.astype(np.int64) - z_x) @ op.inputs[1].data.astype(np.int64).T + op.inputs[2].data
    if mistake == "output scale left out":
        s_y = 1.0  # M = s_input * s_kernel: the asker read s_output from the bias
    if mistake == "output zero point left out":
        z_y = 0
    steps = acc * (s_x * s_w / s_y)
    rounded = np.floor(steps) if mistake == "shifted without rounding" else np.trunc(steps + np.copysign(0.5, steps))
    return np.clip(rounded + z_y, -128, 127).astype(np.int8)


#: The asker's mistakes in the dense layer, and the names that diagnose gives them.
MISTAKES = {
    "zero point added": "input zero point added",
    "output scale left out": "multiplier from wrong scales",
    "output zero point left out": "output zero point forgotten",
    "shifted without rounding": "floor",
}


def main() -> None:
    model = tflite2x.load(MODELS / "logistic_int8.tflite")
    print("== Which parameters belong to which layer ==")
    for op in model.main.operators:
        for role, tensor in [*((f"input {i}", t) for i, t in enumerate(op.inputs)), ("output", op.outputs[0])]:
            q = tensor.quantization if tensor is not None else None
            text = "no quantization" if q is None or not q.scale.size else f"scale {q.scale[0]:.9g} zero {q.zero_point}"
            print(f"  {op.index} {op.name:16} {role:8} tensor {tensor.index:2}  {text}")
    op = model.main.operators[2]
    q = parameters(op)
    assert q["bias"][0] == np.float32(q["input"][0] * q["weights"][0])  # the bias has no scale of its own

    with np.load(MODELS / "digits_eval.npz") as file:
        images = file["x"]
    image = images[:1]
    trace = {t.index: v for t, v in tflite2x.Interpreter(model).trace([image]).items()}

    print("\n== x / scale + zero point, not rounded ==")
    scale, zero = q["input"]
    # A step is 1 / 255 here, as in the images; shifted grey values show what happens to those in between.
    grey = image * np.float32(0.77)
    found = diagnose(model, [grey], {"tensor4": grey / np.float32(scale) + zero})
    print(render(found))
    assert found.first is not None
    assert (found.first.certainty, found.first.named[0].mistakes) == ("certain", ("not rounded",))

    for mistake, name in MISTAKES.items():
        print(f"\n== dense layer: {mistake} ==")
        found = diagnose(model, [image], {"tensor6": dense(trace[5], op, mistake)})
        print(render(found))
        assert found.first is not None
        assert any(n.mistakes == (name,) for n in found.first.named)

    expected = tflite2x.Interpreter(model).trace([images[:, None]], batched=True)
    values = {t.index: v for t, v in expected.items()}
    mine = dense(values[5][:, 0], op)
    assert np.array_equal(mine, values[6][:, 0])
    print(f"\nwithout them: all {mine.size} values of {len(images)} images are equal")


if __name__ == "__main__":
    main()

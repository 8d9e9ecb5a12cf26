# SPDX-License-Identifier: Apache-2.0
"""The step of an int8 LSTM as lines of NumPy."""

from __future__ import annotations

from tflite2x.program.numpy_steps import Lines, prints
from tflite2x.program.steps_lstm import Lstm


@prints(Lstm)
def _lstm(step: Lstm) -> Lines:
    x, old = (v.name for v in step.inputs)
    time_first = step.x_time > 1 or step.time == 1
    shape = (step.time, step.batch, step.depth) if time_first else (step.batch, step.time, step.depth)
    turned = "" if time_first else ".swapaxes(0, 1)"
    clip = [f"    c = np.clip(c, -{step.cell_clip}, {step.cell_clip})"] if step.cell_clip else []
    return Lines(
        [
            f"x = {x}.astype(np.int64).reshape{shape}{turned}",
            f"weights, left = {step.weights.name}.astype(np.int64), {step.recurrent.name}.astype(np.int64)",
            f"scale = {step.mantissa.name}[..., None, None].astype(np.int64)",
            f"shift = {step.shift.name}[..., None, None]",
            f"h, c = np.split({old}.astype(np.int64), 2, axis=1)",
            "results = []",
            "for rows in x:",
            f"    total = np.stack([rows @ w.T for w in weights]) + {step.bias.name}[:, None]",
            f"    below = np.stack([h @ w.T for w in left]) + {step.recurrent_bias.name}[:, None]",
            "    total = clamp_16(requantize(total, scale[0], shift[0]))",
            "    e = clamp_16(clamp_16(requantize(below, scale[1], shift[1])) + total)",
            "    kept = rounding_divide(logistic_16(e[1]) * c, 15).astype(np.int16).astype(np.int64)",
            f"    more = rounding_divide(logistic_16(e[0]) * tanh_16(e[2], 3), {30 + step.cell_exponent})",
            "    c = clamp_16(kept + more.astype(np.int16).astype(np.int64))",
            *clip,
            f"    product = logistic_16(e[3]) * tanh_16(c, {15 + step.cell_exponent})",
            f"    h = np.clip(requantize(product, {step.h_mantissa}, {step.h_shift}) + {step.h_zero}, -128, 127)",
            "    results.append(h)",
            f"results = np.stack(results){turned}.reshape(-1)",
            f"{step.output.name} = np.concatenate([np.concatenate([h, c], axis=1).reshape(-1), results])"
            ".astype(np.int16)",
        ],
        ("requantize", "clamp_16", "logistic_16", "tanh_16"),
    )

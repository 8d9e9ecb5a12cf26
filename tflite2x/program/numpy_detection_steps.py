# SPDX-License-Identifier: Apache-2.0
"""Steps of TFLite_Detection_PostProcess as lines of NumPy."""

from __future__ import annotations

from tflite2x.program import steps_detection as d
from tflite2x.program.numpy_steps import Lines, prints, shape_text


def _real(name: str, zero: float, scale: float) -> str:
    return f"({name}.astype(np.float32) - np.float32({zero!r})) * np.float32({scale!r})"


@prints(d.DetectionBoxes)
def _boxes(step: d.DetectionBoxes) -> Lines:
    encodings, anchors = (v.name for v in step.inputs)
    return Lines(
        [
            f"e = ({_real(encodings, step.e_zero, step.e_scale)}).reshape({step.number}, {step.width})[:, :4]",
            f"e = e.astype(np.float64) / [{step.y!r}, {step.x!r}, {step.h!r}, {step.w!r}]",
            f"matrix = ({_real(anchors, step.a_zero, step.a_scale)}).astype(np.float64)",
            "middle = (e[:, :2] * matrix[:, 2:] + matrix[:, :2]).astype(np.float32)",
            "half = (0.5 * np.exp(e[:, 2:]) * matrix[:, 2:]).astype(np.float32)",
            f"{step.output.name} = np.concatenate([middle - half, middle + half], axis=1)",
        ]
    )


@prints(d.DetectionChoice)
def _choice(step: d.DetectionChoice) -> Lines:
    boxes, scores = (v.name for v in step.inputs)
    real = _real(scores, step.zero, step.scale)
    head = [f"rows = ({real}).reshape({step.number}, {step.columns})[:, {step.first}:]"]
    end = [
        f"{step.output.name} = np.zeros({shape_text(step.output)}, np.float32)",
        f"{step.output.name}[0] = len(kept)",
        "for i, (place, k, v) in enumerate(kept):",
        f"    {step.output.name}[[1 + i, {1 + step.size} + i, {1 + 2 * step.size} + i]] = place, k, v",
    ]
    if step.regular:
        chosen = [
            "kept = []",
            f"for k in range({step.classes}):",
            f"    kept += [(i, k, rows[i, k]) for i in suppress({boxes}, rows[:, k], {step.least!r}, "
            f"{step.overlap!r}, {step.per_class})]",
            f"kept = sorted(kept, key=lambda found: -found[2])[:{step.size}]",
        ]
    else:
        chosen = [
            f"kept = suppress({boxes}, rows.max(axis=1), {step.least!r}, {step.overlap!r}, {step.size})",
            "kept = [(i, rows[i].argmax(), rows[i].max()) for i in kept]",
        ]
    return Lines([*head, *chosen, *end], ("suppress",))


@prints(d.DetectionPart)
def _part(step: d.DetectionPart) -> Lines:
    boxes, choice = (v.name for v in step.inputs)
    out, size = step.output.name, step.size
    if step.part == 3:
        return Lines([f"{out} = {choice}[:1].reshape({shape_text(step.output)})"])
    if step.part:
        text = f"{choice}[{1 + step.part * size} : {1 + (step.part + 1) * size}]"
        return Lines([f"{out} = {text}.reshape({shape_text(step.output)})"])
    return Lines(
        [
            f"rows = {boxes}[{choice}[1 : {1 + size}].astype(np.int64)]",
            f"rows[int({choice}[0]):] = 0",
            f"{out} = rows.reshape({shape_text(step.output)})",
        ]
    )

# SPDX-License-Identifier: Apache-2.0
"""Lowering of TFLite_Detection_PostProcess, for exports."""

from __future__ import annotations

import numpy as np

from tflite2x.interpreter.kernel import TensorSpec
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import Step
from tflite2x.program.steps_detection import DetectionBoxes, DetectionChoice, DetectionPart
from tflite2x.program.values import Value
from tflite2x.schema import flexbuffers


def _affine(spec: TensorSpec) -> tuple[float, float]:
    return (float(spec.z), float(np.float32(spec.s))) if spec.dtype.kind != "f" else (0.0, 1.0)


@lowers("TFLite_Detection_PostProcess", exported=("FLOAT32", "UINT8"))
def detection(work: Work) -> list[Step]:
    """Decoded boxes, the choice among them, and its four parts."""
    found = flexbuffers.decode(work.op.custom_options or b"")
    if not isinstance(found, dict):
        raise work.ctx.unsupported("the custom options are no map")
    size, width = int(found.get("max_detections", 0)), int(found.get("max_classes_per_detection", 0))
    regular = bool(found.get("use_regular_nms", False))
    encodings, scores, anchors = (work.input(i) for i in range(3))
    number, columns = scores.shape[1:]
    classes = int(found.get("num_classes", 0))
    if width != 1 or size < 1 or not 0 <= columns - classes <= 1 or encodings.shape[:2] != (1, number):
        raise work.ctx.unsupported(f"{size} detections with {width} classes each of {columns} columns for {classes}")
    shapes = ((1, size, 4), (1, size), (1, size), (1,))
    if anchors.shape != (number, 4):
        raise work.ctx.unsupported(f"anchors of shape {anchors.shape} for {number} boxes")
    e, score, a = (_affine(work.ctx.input(i)) for i in range(3))
    names = work.lowering.names
    boxes = Value(names(f"{work.label}_boxes"), (number, 4), "float32")
    choice = Value(names(f"{work.label}_choice"), (1 + 3 * size + number,), "float32")
    scales = {k: float(np.float32(found.get(f"{k}_scale", 0))) for k in "yxhw"}
    return [
        DetectionBoxes(
            inputs=(encodings, anchors), output=boxes, origin=work.origin, number=number, width=encodings.shape[2],
            e_zero=e[0], e_scale=e[1], a_zero=a[0], a_scale=a[1], **scales,
        ),
        DetectionChoice(
            inputs=(boxes, scores), output=choice, origin=work.origin, number=number, columns=columns,
            first=columns - classes, classes=classes, regular=int(regular),
            per_class=min(int(found.get("detections_per_class", 100)), size), size=size, zero=score[0], scale=score[1],
            least=float(np.float32(found.get("nms_score_threshold", 0))),
            overlap=float(np.float32(found.get("nms_iou_threshold", 0))),
        ),
        *(
            DetectionPart(inputs=(boxes, choice), output=work.output(i, s), origin=work.origin, part=i, size=size)
            for i, s in enumerate(shapes)
        ),
    ]  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Steps of TFLite_Detection_PostProcess; the formulas are those of the interpreter's kernel."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tflite2x.program.steps_float import Float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DetectionBoxes(Float):
    """Corners y1, x1, y2, x2 of boxes from centres and sizes relative to anchors, [number, 4]; float64 inside.

    ::

        centre = e[:2] / scale[:2] * a[2:] + a[:2],  half = 0.5 * exp(e[2:] / scale[2:]) * a[2:]

    Attributes:
        number: Number of boxes.
        width: Numbers per encoded box, of which four are read.
        e_zero: Zero point of the encodings, as float32; 0 for floats.
        e_scale: Their scale; 1 for floats.
        a_zero: The same for the anchors.
        a_scale: The same for the anchors.
        y: Scale of the encoded y.
        x: Scale of the encoded x.
        h: Scale of the encoded height.
        w: Scale of the encoded width.
    """

    kind: ClassVar[str] = "detection_boxes"
    number: int
    width: int
    e_zero: float
    e_scale: float
    a_zero: float
    a_scale: float
    y: float
    x: float
    h: float
    w: float

    @property
    def inexact(self) -> bool:
        """Yes: it calls exp."""
        return True


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DetectionChoice(Float):
    """Boxes by falling score that do not overlap a better one: float32 [1 + 3 * size + number].

    The result holds the number of detections, then their boxes, classes and scores, then scratch memory.

    Attributes:
        number: Number of boxes.
        columns: Scores per box.
        first: Column of the first class.
        classes: Number of classes.
        regular: 1: every class alone, then the best of all; 0: the best class of each box.
        per_class: Most detections per class, for ``regular``.
        size: Most detections.
        zero: Zero point of the scores, as float32; 0 for floats.
        scale: Their scale; 1 for floats.
        least: Lowest score that counts.
        overlap: Overlap (intersection over union) from which on a box is dropped.
    """

    kind: ClassVar[str] = "detection_choice"
    number: int
    columns: int
    first: int
    classes: int
    regular: int
    per_class: int
    size: int
    zero: float
    scale: float
    least: float
    overlap: float


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DetectionPart(Float):
    """One of the results: boxes (part 0), classes (1), scores (2) or the number of detections (3); unused places are 0.

    Attributes:
        part: Which.
        size: Most detections.
    """

    kind: ClassVar[str] = "detection_part"
    part: int
    size: int

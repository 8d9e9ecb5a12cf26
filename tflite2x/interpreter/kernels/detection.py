# SPDX-License-Identifier: Apache-2.0
"""The custom operator ``TFLite_Detection_PostProcess``: from box encodings and class scores to detections.

Source: LiteRT kernels detection_postprocess.cc.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, TensorSpec
from tflite2x.interpreter.kernels.layout import given, single_sample
from tflite2x.interpreter.kernels.options import read_options
from tflite2x.interpreter.registry import kernel
from tflite2x.interpreter.stdheap import partial_sort
from tflite2x.schema.enums import TensorType


@dataclasses.dataclass(frozen=True, slots=True)
class _Options:
    """The operator's flexbuffer, by the names used there."""

    max_detections: int
    max_classes_per_detection: int
    detections_per_class: int
    use_regular_nms: bool
    nms_score_threshold: np.float32
    nms_iou_threshold: np.float32
    num_classes: int
    scales: Array  # y, x, h, w


@kernel("TFLite_Detection_PostProcess", types=("uint8 x uint8 x uint8 -> float32", "float32 x float32 x float32"))
def detection_postprocess(ctx: KernelContext) -> Run:
    """TFLite_Detection_PostProcess: decode boxes, choose by score and overlap, return boxes, classes, scores, number.

    The fast form looks at the best class of each box only, the regular form treats each class alone. Places behind the
    number of detections are zero; LiteRT's fast form leaves them unwritten.
    """
    options = _read_options(ctx)
    specs = [ctx.input(i) for i in range(3)]
    for spec in specs[:2]:
        if spec.type not in (TensorType.UINT8, TensorType.FLOAT32):
            raise ctx.unsupported(f"type {spec.type.name} of {spec.name!r}", hint="LiteRT takes uint8 and float32.")
    if not 0 < options.nms_iou_threshold <= 1 or options.max_detections < 0:
        raise ctx.unsupported("nms_iou_threshold must be in (0, 1] and max_detections not negative")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        arrays = [given(a) for a in inputs]
        single_sample(*arrays)
        encodings, predictions, anchors = (_real(a[0], spec) for a, spec in zip(arrays, specs, strict=True))
        number, classes = predictions.shape[1:] if predictions.ndim == 3 else (0, 0)
        fits = encodings.ndim == 3 and encodings.shape[:2] == (1, number) and encodings.shape[2] >= 4
        if not fits or predictions.shape[0] != 1 or anchors.shape != (number, 4):
            shapes = [list(a.shape[1:]) for a in arrays]
            raise ctx.execution_error(f"shapes {shapes} of encodings, predictions and anchors do not fit together")
        if not 0 <= classes - options.num_classes <= 1:
            raise ctx.execution_error(f"{classes} columns of scores for {options.num_classes} classes")
        boxes = _decode(encodings[0, :, :4], anchors, options.scales)
        if np.any(boxes[:, :2] > boxes[:, 2:]):
            raise ctx.execution_error("a decoded box has a negative size")
        scores = predictions[0][:, classes - options.num_classes :]
        choose = _regular if options.use_regular_nms else _fast
        places, chosen, values, count = choose(boxes, scores, options)
        size = options.max_detections * options.max_classes_per_detection
        results = [np.zeros((1, 1, size, 4), np.float32), *(np.zeros((1, 1, size), np.float32) for _ in range(2))]
        for result, found in zip(results, (boxes[places], chosen, values), strict=True):
            result[0, 0, : len(places)] = found
        return [*results, np.full((1, 1), count, np.float32)]

    return run


def _read_options(ctx: KernelContext) -> _Options:
    found = read_options(ctx)
    scales = np.array([found.get(f"{name}_scale", 0) for name in "yxhw"], np.float32)
    return _Options(
        max_detections=int(found.get("max_detections", 0)),
        max_classes_per_detection=int(found.get("max_classes_per_detection", 0)),
        detections_per_class=int(found.get("detections_per_class", 100)),
        use_regular_nms=bool(found.get("use_regular_nms", False)),
        nms_score_threshold=np.float32(found.get("nms_score_threshold", 0)),
        nms_iou_threshold=np.float32(found.get("nms_iou_threshold", 0)),
        num_classes=int(found.get("num_classes", 0)),
        scales=scales,
    )


def _real(array: Array, spec: TensorSpec) -> Array:
    if spec.type == TensorType.FLOAT32:
        return array
    return (array.astype(np.float32) - np.float32(spec.z)) * np.float32(spec.s if spec.is_quantized else 0)


def _decode(encodings: Array, anchors: Array, scales: Array) -> Array:
    """Return corners [y1, x1, y2, x2] from centres and sizes [y, x, h, w] relative to anchors; float64 inside."""
    relative, anchor = encodings.astype(np.float64) / scales.astype(np.float64), anchors.astype(np.float64)
    with np.errstate(over="ignore"):
        centre = (relative[:, :2] * anchor[:, 2:] + anchor[:, :2]).astype(np.float32)
        half = (0.5 * np.exp(relative[:, 2:]) * anchor[:, 2:]).astype(np.float32)
    return np.concatenate([centre - half, centre + half], 1)


Found = tuple[Array, Array, Array, int]


def _fast(boxes: Array, scores: Array, options: _Options) -> Found:
    """Choose boxes by their best class, then name the best classes of each chosen box."""
    chosen = _suppress(boxes, scores.max(1, initial=-np.inf), options, options.max_detections)
    wanted = min(options.max_classes_per_detection, options.num_classes)
    width = options.max_classes_per_detection
    places = np.repeat(chosen, width)
    classes, values = np.zeros(len(places), np.float32), np.zeros(len(places), np.float32)
    for i, box in enumerate(chosen):
        best = [int(np.argmax(scores[box]))]
        if wanted > 1:
            row = scores[box]
            best = list(range(len(row)))
            partial_sort(best, wanted, lambda c, row=row: -row[c])  # type: ignore[misc]
        classes[i * width : i * width + wanted] = best[:wanted]
        values[i * width : i * width + wanted] = scores[box][best[:wanted]]
    return places, classes, values, len(chosen)


def _regular(boxes: Array, scores: Array, options: _Options) -> Found:
    """Choose boxes in each class alone, then the best of all; of equal scores the lower class comes first."""
    limit = min(options.detections_per_class, options.max_detections)
    chosen = [_suppress(boxes, scores[:, c], options, limit) for c in range(options.num_classes)]
    places = np.concatenate([np.zeros(0, np.intp), *chosen])
    classes = np.repeat(np.arange(options.num_classes), [len(c) for c in chosen])
    values = scores[places, classes]
    order = np.argsort(-values, kind="stable")[: options.max_detections]
    return places[order], classes[order].astype(np.float32), values[order], len(order)


def _suppress(boxes: Array, scores: Array, options: _Options, limit: int) -> Array:
    """Return at most ``limit`` boxes by falling score (first of equals first) that do not overlap a better one."""
    kept = np.flatnonzero(scores >= options.nms_score_threshold)
    rest = kept[np.argsort(-scores[kept], kind="stable")]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    chosen: list[int] = []
    while rest.size and len(chosen) < limit:
        best, rest = rest[0], rest[1:]
        chosen.append(int(best))
        size = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        common = np.maximum(size[:, 0], np.float32(0)) * np.maximum(size[:, 1], np.float32(0))
        with np.errstate(all="ignore"):
            ious = common / (area[best] + area[rest] - common)
        overlaps = (ious > options.nms_iou_threshold) & (area[best] > 0) & (area[rest] > 0)
        rest = rest[~overlaps]
    return np.array(chosen, np.intp)

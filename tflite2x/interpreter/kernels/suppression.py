# SPDX-License-Identifier: Apache-2.0
"""Non-maximum suppression: NON_MAX_SUPPRESSION_V4 and V5.

Sources: LiteRT kernels non_max_suppression.cc and internal/reference/non_max_suppression.h. Boxes are visited one after
the other, because each choice decides about the next; the overlaps of one box with all chosen ones are one array
operation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.layout import given, integer, single_sample
from tflite2x.interpreter.registry import kernel
from tflite2x.interpreter.stdheap import pop_heap, push_heap

Boxes = Array | Sequence[int]
_BLOCK = 128  # boxes that are compared with each other at a time


@kernel("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", types=("float32 -> int32",))
def non_max_suppression(ctx: KernelContext) -> Run:
    """NON_MAX_SUPPRESSION_V4 and V5: choose boxes by score, leave out those that overlap a chosen one too much.

    V5 (six inputs) also lowers the scores of boxes that overlap (soft suppression with sigma) and returns scores.
    Boxes are two opposite corners [y1, x1, y2, x2]. Boxes of equal score come in the order of C++'s priority queue, as
    LiteRT gives them. The soft factors use NumPy's float32 exp, which may differ from C's in the last bit.
    """
    soft = len(ctx.inputs) == 6
    for i in range(6 if soft else 5):
        ctx.input(i)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        arrays = [given(a) for a in inputs]
        single_sample(*arrays)
        boxes, scores = arrays[0][0], arrays[1][0]
        if boxes.ndim != 2 or boxes.shape[1:] != (4,) or scores.shape != boxes.shape[:1]:
            raise ctx.execution_error(f"boxes of shape {list(boxes.shape)} with scores of shape {list(scores.shape)}")
        limit = integer(ctx, arrays[2], "maximum output size")
        overlap, threshold, *sigma = (float(a[0]) for a in arrays[3:])
        if limit < 0 or (soft and sigma[0] < 0):
            raise ctx.execution_error("the maximum output size and sigma must not be negative")
        chosen, kept = _choose(boxes, scores, limit, overlap, threshold, sigma[0] if soft else 0.0)
        indices = np.zeros((1, limit), np.int32)
        indices[0, : len(chosen)] = chosen
        number = np.array([len(chosen)], np.int32)
        if not soft:
            return [indices, number]
        values = np.zeros((1, limit), np.float32)
        values[0, : len(kept)] = kept
        return [indices, values, number]

    return run


def _choose(
    boxes: Array, scores: Array, limit: int, overlap: float, threshold: float, sigma: float
) -> tuple[list[int], list[float]]:
    """Return the indices of the chosen boxes and their scores.

    As in LiteRT, a chosen box goes back into the queue and is then suppressed by itself; one without area is not, and
    can be chosen again.
    """
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    area = (high[:, 0] - low[:, 0]) * (high[:, 1] - low[:, 1])
    scale = np.float32(-0.5 / sigma) if sigma > 0 else np.float32(0)
    candidates = np.flatnonzero(scores > np.float32(threshold))
    distinct = len(np.unique(scores[candidates])) == len(candidates)
    if sigma <= 0 and overlap <= 1 and distinct and bool(np.all((area > 0) & np.isfinite(area))):
        chosen = _choose_in_order(candidates[np.argsort(-scores[candidates])], low, high, area, limit, overlap)
        return chosen, scores[chosen].tolist()
    queue: list[tuple[float, int, int]] = []  # score, box, number of chosen boxes it was compared with
    for i in candidates:
        queue.append((float(scores[i]), int(i), 0))
        push_heap(queue, _first)
    size = min(len(queue), limit)
    chosen = []
    kept: list[float] = []
    while len(chosen) < size and queue:
        pop_heap(queue, _first)
        original, box, begin = queue.pop()
        score, suppressed = original, False
        if len(chosen) > begin:
            ious = _overlaps(low, high, area, [box], chosen[begin:][::-1])[0]
            hard = np.flatnonzero(ious >= np.float32(overlap))
            stop = int(hard[0]) if hard.size else len(ious)
            suppressed = bool(hard.size)
            if sigma > 0:
                factors = np.exp(scale * ious[:stop] * ious[:stop])
                trail = np.multiply.accumulate(np.concatenate([[np.float32(score)], factors]), dtype=np.float32)[1:]
                below = np.flatnonzero(trail <= np.float32(threshold))
                if below.size:
                    score, suppressed = float(trail[below[0]]), False
                elif trail.size:
                    score = float(trail[-1])
        if suppressed:
            continue
        entry = (score, box, len(chosen))
        if score == original:
            chosen.append(box)
            kept.append(score)
        if score > threshold:
            queue.append(entry)
            push_heap(queue, _first)
    return chosen, kept


def _choose_in_order(order: Array, low: Array, high: Array, area: Array, limit: int, overlap: float) -> list[int]:
    """Return the chosen boxes where scores are distinct, so that no queue has to tell which of equal ones is next."""
    chosen: list[int] = []
    for begin in range(0, len(order), _BLOCK):
        block = order[begin : begin + _BLOCK]
        block = block[np.all(_overlaps(low, high, area, block, chosen) < np.float32(overlap), axis=1)]
        clash = _overlaps(low, high, area, block, block) >= np.float32(overlap)
        dropped = np.zeros(len(block), np.bool_)
        for i, box in enumerate(block):
            if dropped[i]:
                continue
            if len(chosen) >= limit:
                return chosen
            chosen.append(int(box))
            dropped |= clash[i]
    return chosen


def _first(entry: tuple[float, int, int]) -> float:
    return entry[0]


def _overlaps(low: Array, high: Array, area: Array, some: Boxes, others: Boxes) -> Array:
    """Return intersection over union of each with each box, float32; 0 where a box has no area."""
    a, b = np.asarray(some, np.intp)[:, None], np.asarray(others, np.intp)[None]
    size = np.minimum(high[a], high[b]) - np.maximum(low[a], low[b])
    common = np.maximum(size[..., 0], np.float32(0)) * np.maximum(size[..., 1], np.float32(0))
    with np.errstate(all="ignore"):
        ious = common / (area[a] + area[b] - common)
    return np.where((area[a] <= 0) | (area[b] <= 0), np.float32(0), ious)

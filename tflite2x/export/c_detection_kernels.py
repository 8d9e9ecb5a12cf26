# SPDX-License-Identifier: Apache-2.0
"""TFLite_Detection_PostProcess in C, as text; see :mod:`tflite2x.export.c_kernels`."""

from __future__ import annotations

_BOXES = """
/* Corners from centres and sizes relative to anchors. */
static void $F(const $X *e, const $X2 *a, $Y *y, const $F_params *p)
{
    const float scales[4] = {p->y, p->x, p->h, p->w};
    for (int32_t i = 0; i < p->number; i++, e += p->width, a += 4, y += 4) {
        double anchor[4], relative[4];
        for (int32_t k = 0; k < 4; k++) {
            const float code = ((float)e[k] - p->e_zero) * p->e_scale;
            const float real = ((float)a[k] - p->a_zero) * p->a_scale;
            anchor[k] = real;
            relative[k] = (double)code / (double)scales[k];
        }
        for (int32_t k = 0; k < 2; k++) {
            const float middle = to_float(relative[k] * anchor[k + 2] + anchor[k]);
            const float half = to_float(0.5 * exp_of(relative[k + 2]) * anchor[k + 2]);
            y[k] = middle - half;
            y[k + 2] = middle + half;
        }
    }
}
"""

_OVERLAP = """
/* Whether two boxes share more than a part of their common area. */
static int overlapping(const float *a, const float *b, float most)
{
    const float area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1]);
    const float height = (a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    const float width = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    const float common = (height > 0.0f ? height : 0.0f) * (width > 0.0f ? width : 0.0f);
    return area_a > 0.0f && area_b > 0.0f && common / (area_a + area_b - common) > most;
}
"""

_CHOICE = """
/* y: the number of detections; their boxes, classes and scores; memory for the scores that are left. */
static void $F(const $X *boxes, const $X2 *scores, $Y *y, const $F_params *p)
{
    float *places = y + 1, *kinds = places + p->size, *values = kinds + p->size, *left = values + p->size;
    const int32_t most = p->regular ? p->per_class : p->size;
    int32_t count = 0;
    for (int32_t i = 0; i < 1 + 3 * p->size; i++) {
        y[i] = 0.0f;
    }
    for (int32_t round = 0; round < (p->regular ? p->classes : 1); round++) {
        for (int32_t i = 0; i < p->number; i++) {
            const $X2 *row = scores + i * p->columns + p->first;
            left[i] = ((float)row[round] - p->zero) * p->scale;
            for (int32_t c = 1; c < p->classes && !p->regular; c++) { /* the best class of the box */
                const float score = ((float)row[c] - p->zero) * p->scale;
                left[i] = score > left[i] ? score : left[i];
            }
        }
        for (int32_t n = 0; n < most; n++) {
            int32_t best = -1, kind = round;
            for (int32_t i = 0; i < p->number; i++) {
                if (left[i] >= p->least && (best < 0 || left[i] > left[best])) {
                    best = i;
                }
            }
            if (best < 0) {
                break;
            }
            const float value = left[best];
            const $X2 *row = scores + best * p->columns + p->first;
            while (!p->regular && ((float)row[kind] - p->zero) * p->scale != value) {
                kind++;
            }
            int32_t at = count; /* behind all that are as good */
            while (at > 0 && values[at - 1] < value) {
                at--;
            }
            count = count < p->size ? count + 1 : count;
            for (int32_t i = count - 1; i > at; i--) {
                places[i] = places[i - 1];
                kinds[i] = kinds[i - 1];
                values[i] = values[i - 1];
            }
            if (at < p->size) {
                places[at] = (float)best;
                kinds[at] = (float)kind;
                values[at] = value;
            }
            for (int32_t i = 0; i < p->number; i++) {
                if (i == best || overlapping(boxes + best * 4, boxes + i * 4, p->overlap)) {
                    left[i] = 0.0f / 0.0f; /* less than nothing */
                }
            }
        }
    }
    y[0] = (float)count;
}
"""

_PART = """
static void $F(const $X *boxes, const $X2 *choice, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < (p->part == 3 ? 1 : p->size); i++) {
        if (p->part != 0) {
            y[i] = p->part == 3 ? choice[0] : choice[1 + p->part * p->size + i];
            continue;
        }
        for (int32_t k = 0; k < 4; k++) {
            y[i * 4 + k] = (float)i < choice[0] ? boxes[(int32_t)choice[1 + i] * 4 + k] : 0.0f;
        }
    }
}
"""

HELPERS: dict[str, str] = {"overlapping": _OVERLAP}

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "detection_boxes": (_BOXES, ("to_float", "exp_of")),
    "detection_choice": (_CHOICE, ("overlapping",)),
    "detection_part": (_PART, ()),
}

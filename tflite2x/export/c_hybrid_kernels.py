# SPDX-License-Identifier: Apache-2.0
"""Layers with integer weights and float32 activations in C, as text; see :mod:`tflite2x.export.c_kernels`."""

from __future__ import annotations

from tflite2x.export.c_loops import DEPTHWISE_TAPS, TAPS

_SYMMETRIC = """
/* Per row: the scale, its inverse, and the zero point, which is 0. */
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += 3) {
        float extent = 0.0f;
        for (int32_t k = 0; k < p->depth; k++) {
            const float magnitude = x[k] < 0.0f ? -x[k] : x[k];
            extent = magnitude > extent ? magnitude : extent;
        }
        y[0] = extent == 0.0f ? 1.0f : extent / 127.0f;
        y[1] = 127.0f / (extent == 0.0f ? 1.0f : extent);
        y[2] = 0.0f;
    }
}
"""

_ASYMMETRIC = """
/* Per row: the scale, its inverse, and the zero point, from the end of the range that is nearer to a whole number. */
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += 3) {
        float low = 0.0f, high = 0.0f;
        for (int32_t k = 0; k < p->depth; k++) {
            low = x[k] < low ? x[k] : low;
            high = x[k] > high ? x[k] : high;
        }
        const float range = high - low;
        const double step = low == high ? 1.0 : range / 255.0;
        const double from_low = -128.0 - low / step, from_high = 127.0 - high / step;
        const double zero = 128.0 - low / step < 127.0 + high / step ? from_low : from_high;
        y[0] = (float)step;
        y[1] = 1.0f / y[0];
        y[2] = low == high ? 0.0f : zero <= -128.0 ? -128.0f : zero >= 127.0 ? 127.0f
               : (float)(int32_t)(zero + (zero < 0.0 ? -0.5 : 0.5));
    }
}
"""

_QUANTIZE = """
static void $F(const $X *x, const $X2 *scales, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth, scales += 3) {
        for (int32_t k = 0; k < p->depth; k++) {
            const float product = x[k] * scales[1]; /* infinity / infinity is no number */
            const float steps = product == product ? limit(product, -1024.0f, 1024.0f) : 0.0f;
            float whole = (float)(int32_t)(steps + (steps < 0.0f ? -0.5f : 0.5f));
            if (k >= p->whole) { /* LiteRT's way to round the last elements */
                const float rest = steps - (float)(int32_t)steps;
                whole = (float)(int32_t)steps + (rest >= 0.5f ? 1.0f : rest <= -0.5f ? -1.0f : 0.0f);
            }
            y[k] = ($Y)(limit(whole + scales[2], (float)p->low, 127.0f) - scales[2]);
        }
    }
}
"""

_FULLY_CONNECTED = """
static void $F(const $X *x, const $X2 *scales, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++) {
        const float scale = scales[row * 3];
        for (int32_t o = 0; o < p->units; o++) {
            int32_t acc = 0;
            for (int32_t k = 0; k < p->depth; k++) {
                acc += x[row * p->depth + k] * p->weights[o * p->depth + k];
            }
            const float factor = scale * p->scale[o], value = (float)acc * factor;
            y[row * p->units + o] = limit(value + p->bias[o], p->low, p->high);
        }
    }
}
"""

_STORE = """const float scale = scales[b * 3], factor = scale * p->scale[o];
                    const float value = p->joined ? (float)acc * factor : (float)acc * p->scale[o] * scale;
                    *y++ = limit(value + p->bias[o], p->low, p->high);"""


def _convolution(text: str, each: str) -> str:
    text = text.replace("(const $X *x, $Y *y", "(const $X *x, const $X2 *scales, $Y *y")
    return text.replace("$BEGIN", "int32_t acc = 0;").replace("$EACH", each).replace("$END", _STORE)


#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "row_scales": (_SYMMETRIC, ()),
    "row_scales_asymmetric": (_ASYMMETRIC, ()),
    "quantize_rows": (_QUANTIZE, ("limit",)),
    "hybrid_fully_connected": (_FULLY_CONNECTED, ("limit",)),
    "hybrid_conv_2d": (_convolution(TAPS, "acc += pixel[c] * w[c];"), ("limit",)),
    "hybrid_depthwise_conv_2d": (_convolution(DEPTHWISE_TAPS, "acc += value * weight;"), ("limit",)),
}

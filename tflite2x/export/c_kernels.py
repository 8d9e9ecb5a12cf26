# SPDX-License-Identifier: Apache-2.0
"""The functions of generated C code, as text.

``$F`` stands for the function's name, ``$X``, ``$X2``, ``$W`` and ``$Y`` for the types of inputs, weights and output.
Every function gets its parameters as a constant structure whose members are the fields of the step
(:mod:`tflite2x.program.steps`).
"""

from __future__ import annotations

from tflite2x.export import c_detection_kernels, c_float_kernels, c_lstm_kernels, c_more_kernels, c_plain_kernels
from tflite2x.export.c_loops import DEPTHWISE_TAPS, ELEMENTWISE, POOL, REDUCE, TAPS, TRANSPOSED_TAPS

_FINISH = {
    "": ("int32_t", "requantize(acc, p->mantissa[o], p->shift[o])"),
    "_real": ("int32_t", "rescale(acc, p->mantissa[o], p->shift[o])"),
    "_wide": ("int64_t", "rescale_wide(acc, p->mantissa[o], p->shift[o])"),
}

_FULLY_CONNECTED = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t o = 0; o < p->units; o++) {
            $A acc = p->bias[o];
            for (int32_t k = 0; k < p->depth; k++) {
                acc += (x[row * p->depth + k] - p->x_zero) * (p->weights[o * p->depth + k] - p->w_zero);
            }
            y[row * p->units + o] = ($Y)clamp($R + p->y_zero, p->low, p->high);
        }
    }
}
"""

_START = "$A acc = p->bias[o];"
_STORE = "*y++ = ($Y)clamp($R + p->y_zero, p->low, p->high);"
_CONV_2D = (
    TAPS.replace("$BEGIN", _START)
    .replace("$EACH", "acc += (pixel[c] - p->x_zero) * (w[c] - p->w_zero);")
    .replace("$END", _STORE)
)
_DEPTHWISE = (
    DEPTHWISE_TAPS.replace("$BEGIN", _START)
    .replace("$EACH", "acc += (value - p->x_zero) * (weight - p->w_zero);")
    .replace("$END", _STORE)
)
_TRANSPOSE_CONV = (
    TRANSPOSED_TAPS.replace("$BEGIN", _START)
    .replace("$EACH", "acc += (pixel[c] - p->x_zero) * (w[c] - p->w_zero);")
    .replace("$END", _STORE)
)


def _pool(begin: str, each: str, end: str) -> str:
    text = POOL.replace("$VALUE", "int32_t").replace("$BEGIN", begin).replace("$EACH", each)
    return text.replace("$END", f"($Y)clamp({end}, p->low, p->high)")


_ELEMENTWISE = ELEMENTWISE.replace("$VALUE", "int32_t")


_ADD = """const int32_t l = requantize((left - p->a_zero) * (1 << p->left_shift), p->a_mantissa, p->a_shift);
            const int32_t r = requantize((right - p->b_zero) * (1 << p->left_shift), p->b_mantissa, p->b_shift);
            const int32_t sum = requantize(l + p->b_sign * r, p->y_mantissa, p->y_shift);
            *y++ = ($Y)clamp(sum + p->y_zero, p->low, p->high);"""

_MUL = """const int32_t product = (left - p->a_zero) * (right - p->b_zero);
            *y++ = ($Y)clamp(requantize(product, p->mantissa, p->shift) + p->y_zero, p->low, p->high);"""

_SQUARED_DIFFERENCE = """const int32_t d = requantize((left - p->a_zero) * (1 << 7), p->a_mantissa, p->a_shift)
                              - requantize((right - p->b_zero) * (1 << 7), p->b_mantissa, p->b_shift);
            *y++ = ($Y)clamp(requantize(d * d, p->y_mantissa, p->y_shift) + p->y_zero, p->low, p->high);"""

_PRELU = """const int32_t v = left - p->a_zero;
            const int32_t result = v >= 0 ? requantize(v, p->mantissa, p->shift)
                                          : requantize(v * (right - p->b_zero), p->negative_mantissa,
                                                       p->negative_shift);
            *y++ = ($Y)clamp(result + p->y_zero, p->low, p->high);"""

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        f"{name}{suffix}": (
            text.replace("$A", kind).replace("$R", result), ("clamp", result.split("(")[0]),
        )
        for name, text in (
            ("fully_connected", _FULLY_CONNECTED), ("conv_2d", _CONV_2D), ("depthwise_conv_2d", _DEPTHWISE),
            ("transpose_conv", _TRANSPOSE_CONV),
        )
        for suffix, (kind, result) in _FINISH.items()
    },
    "xc_fc": ("""
/* XC_fc of XMOS's xcore.ai as a reference function: y[units] from x[depth], weights [units][width], bso [][7][16]. */
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t o = 0; o < p->units; o++) {
        const int16_t *bso = p->bso + o / 16 * (7 * 16) + o % 16;
        int64_t acc = (int64_t)bso[0] * 65536 + (uint16_t)bso[16];
        for (int32_t k = 0; k < p->depth; k++) {
            acc += p->weights[o * p->width + k] * x[k];
        }
        acc = acc < -INT32_MAX ? -INT32_MAX : acc > INT32_MAX ? INT32_MAX : acc;
        int64_t v = round_shift(acc, bso[2 * 16]);
        v = v < -32767 ? -32767 : v > 32767 ? 32767 : v;
        v = round_shift(v * bso[3 * 16] + (int32_t)bso[4 * 16] * bso[5 * 16], bso[6 * 16]);
        y[o] = ($Y)(v < -128 ? -128 : v > 127 ? 127 : v);
    }
}
""", ("round_shift",)),
    "max_pool_2d": (
        _pool("int32_t acc = INT32_MIN;", "acc = v > acc ? v : acc;", "acc"), ("clamp",),
    ),
    "average_pool_2d": (
        _pool(
            "int32_t acc = 0, count = 0;",
            "acc += v;\n                            count++;",
            "(acc > 0 ? acc + count / 2 : acc - count / 2) / count",
        ),
        ("clamp",),
    ),
    "add": (_ELEMENTWISE.replace("$EACH", _ADD), ("clamp", "requantize")),
    "multiply": (_ELEMENTWISE.replace("$EACH", _MUL), ("clamp", "requantize")),
    "squared_difference": (_ELEMENTWISE.replace("$EACH", _SQUARED_DIFFERENCE), ("clamp", "requantize")),
    "prelu": (_ELEMENTWISE.replace("$EACH", _PRELU), ("clamp", "requantize")),
    "maximum": (_ELEMENTWISE.replace("$EACH", "*y++ = ($Y)(left > right ? left : right);"), ()),
    "minimum": (_ELEMENTWISE.replace("$EACH", "*y++ = ($Y)(left < right ? left : right);"), ()),
    "add_powers": (
        _ELEMENTWISE.replace(
            "$EACH",
            "const int32_t sum = rounding_divide(left, p->a_shift) + p->b_sign * rounding_divide(right, p->b_shift);\n"
            "            *y++ = ($Y)clamp(clamp(sum, INT16_MIN, INT16_MAX), p->low, p->high);",
        ),
        ("clamp", "rounding_divide"),
    ),
    "reduce_extreme": (
        REDUCE.replace("$BEGIN", "$X acc = x[start];")
        .replace("$EACH", "acc = (p->sign > 0 ? x[at] > acc : x[at] < acc) ? x[at] : acc;")
        .replace("$END", "acc"),
        (),
    ),
    **c_more_kernels.KERNELS,
    **c_plain_kernels.KERNELS,
    **c_detection_kernels.KERNELS,
    **c_lstm_kernels.KERNELS,
    "requantize_all": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = ($Y)clamp(requantize(x[i] - p->x_zero, p->mantissa, p->shift) + p->y_zero, p->low, p->high);
    }
}
""", ("clamp", "requantize")),
    "lookup": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = p->table[x[i] - p->x_min];
    }
}
""", ()),
    "quantize_float": ("""
/* Between float32 and integers. */
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        const float steps = x[i] / p->scale;
        int32_t whole = INT32_MIN; /* what does not fit becomes the lowest value, as x86 converts */
        if (steps > -2147483648.0f && steps < 2147483648.0f) {
            whole = (int32_t)steps;
            const float rest = steps - (float)whole;
            whole += rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0; /* halves away from zero */
        }
        y[i] = ($Y)clamp((int32_t)((uint32_t)whole + (uint32_t)p->y_zero), p->low, p->high);
    }
}
""", ("clamp",)),
    "dequantize_float": ("""
/* Between float32 and integers. */
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = (float)(p->scale * (double)(x[i] - p->x_zero));
    }
}
""", ()),
    "softmax": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t largest = x[0], bits = 0;
        for (int32_t i = 1; i < p->depth; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        uint32_t total = 0; /* 12 integer bits */
        for (int32_t i = 0; i < p->depth; i++) {
            total += (uint32_t)rounding_divide(p->exponentials[largest - x[i]], 12);
        }
        while (bits < 32 && total >> bits != 0) {
            bits++;
        }
        /* 1 / total, scaled into (1/2, 1] */
        const int32_t factor = one_over_one_plus_x((int32_t)((total << (32 - bits)) - 0x80000000u));
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t below = largest - x[i];
            const int32_t product = high_mul(p->exponentials[below], factor);
            const int32_t result = rounding_divide(product, bits + 11 - p->out_bits) + p->low;
            y[i] = ($Y)(below > p->reach ? p->low : clamp(result, p->low, p->high));
        }
    }
}
""", ("clamp", "rounding_divide", "high_mul", "one_over_one_plus_x")),
    "mean": (
        REDUCE.replace("$BEGIN", "int32_t acc = -p->elements * p->x_zero;").replace("$EACH", "acc += x[at];").replace(
            "$END", "($Y)clamp(requantize(acc, p->mantissa, p->shift) + p->y_zero, p->low, p->high)"
        ),
        ("clamp", "requantize"),
    ),
    "arg_max": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->outer; i++) {
        for (int32_t j = 0; j < p->inner; j++) {
            const $X *first = x + i * p->length * p->inner + j;
            int32_t best = 0;
            for (int32_t k = 1; k < p->length; k++) {
                if (p->sign > 0 ? first[k * p->inner] > first[best * p->inner]
                                : first[k * p->inner] < first[best * p->inner]) {
                    best = k;
                }
            }
            *y++ = best;
        }
    }
}
""", ()),
    "resize_bilinear": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    const int32_t *top = p->rows, *bottom = top + p->out_h, *dy = bottom + p->out_h;
    const int32_t *left = p->columns, *right = left + p->out_w, *dx = right + p->out_w;
    for (int32_t b = 0; b < p->batch; b++, x += p->in_h * p->in_w * p->channels) {
        for (int32_t i = 0; i < p->out_h; i++) {
            for (int32_t j = 0; j < p->out_w; j++) {
                for (int32_t c = 0; c < p->channels; c++) {
                    const int64_t a = x[(top[i] * p->in_w + left[j]) * p->channels + c];
                    const int64_t d = x[(top[i] * p->in_w + right[j]) * p->channels + c];
                    const int64_t e = x[(bottom[i] * p->in_w + left[j]) * p->channels + c];
                    const int64_t f = x[(bottom[i] * p->in_w + right[j]) * p->channels + c];
                    const int64_t acc = (a * (1024 - dy[i]) + e * dy[i]) * (1024 - dx[j])
                                        + (d * (1024 - dy[i]) + f * dy[i]) * dx[j];
                    *y++ = ($Y)(acc < 0 ? -((-acc + (1 << 19)) >> 20) : (acc + (1 << 19)) >> 20);
                }
            }
        }
    }
}
""", ()),
    "fill": ("""
static void $F($Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = ($Y)p->value;
    }
}
""", ()),
    "copy": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = x[i];
    }
}
""", ()),
    "copy_block": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    int32_t at[8] = {0}, i = p->x_offset, j = p->y_offset;
    for (;;) {
        y[j] = x[i];
        int32_t d = p->rank - 1; /* the next place of the loops */
        for (; d >= 0; d--) {
            i += p->x_stride[d];
            j += p->y_stride[d];
            if (++at[d] < p->count[d]) {
                break;
            }
            i -= at[d] * p->x_stride[d];
            j -= at[d] * p->y_stride[d];
            at[d] = 0;
        }
        if (d < 0) {
            return;
        }
    }
}
""", ()),
    "copy_indexed": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    int32_t at[8] = {0};
    for (;;) {
        int32_t i = 0, j = p->y_offset, start = 0;
        for (int32_t d = 0; d < p->rank; start += p->count[d], d++) {
            i += p->index[start + at[d]];
            j += at[d] * p->y_stride[d];
        }
        y[j] = x[i];
        int32_t d = p->rank - 1; /* the next place of the loops */
        while (d >= 0 && ++at[d] == p->count[d]) {
            at[d--] = 0;
        }
        if (d < 0) {
            return;
        }
    }
}
""", ()),
    **c_float_kernels.KERNELS,
}  # fmt: skip

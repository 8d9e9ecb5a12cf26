# SPDX-License-Identifier: Apache-2.0
"""An int8 LSTM in C, as text; see :mod:`tflite2x.export.c_kernels`."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "clamp_16": """
static int32_t clamp_16(int32_t x)
{
    return x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x;
}
""",
    "high_mul_16": """
/* a * b / 2^15, rounded half up. */
static int32_t high_mul_16(int32_t a, int32_t b)
{
    const int32_t product = (a * b + (1 << 14)) >> 15;
    return product > INT16_MAX ? INT16_MAX : product;
}
""",
    "exp_16": """
/* e^a for a <= 0 with so many integer bits; 15 fractional bits (gemmlowp exp_on_negative_values). */
static int32_t exp_16(int32_t a, int32_t integer_bits)
{
    static const int32_t factors[7] = {25520, 19875, 12055, 4435, 600, 11, 0}; /* e^-(2^k), k from -2 on */
    const int32_t fraction = 15 - integer_bits, quarter = 1 << (fraction - 2);
    const int32_t reduced = (a & (quarter - 1)) - quarter, rest = reduced - a;
    const int32_t x = clamp_16(reduced * (1 << integer_bits)) + (1 << 12);
    const int32_t x2 = high_mul_16(x, x), x3 = high_mul_16(x2, x), x4 = high_mul_16(x2, x2);
    const int32_t higher = rounding_divide(high_mul_16(rounding_divide(x4, 2) + x3, 10923) + x2, 1);
    int32_t result = clamp_16(28918 + high_mul_16(28918, x + higher));
    for (int32_t k = -2; k < integer_bits && k < 5; k++) {
        if ((rest >> (fraction + k) & 1) != 0) {
            result = high_mul_16(result, factors[k + 2]);
        }
    }
    if (integer_bits > 5 && a < -(1 << (fraction + 5))) {
        result = 0;
    }
    return a == 0 ? INT16_MAX : result;
}
""",
    "newton_16": """
/* 2 / (1 + a) with 13 fractional bits, for a in [0, 1] with 15. */
static int32_t newton_16(int32_t a)
{
    const int32_t half = (a + (1 << 15)) >> 1;
    int32_t x = 23130 + high_mul_16(half, -15420);
    for (int k = 0; k < 3; k++) {
        x += clamp_16(high_mul_16(x, (1 << 13) - high_mul_16(half, x)) * 4);
    }
    return x;
}
""",
    "logistic_16": """
/* 1 / (1 + e^-a) for a with 3 integer bits; 15 fractional bits. */
static int32_t logistic_16(int32_t a)
{
    const int32_t positive = clamp_16(newton_16(exp_16(a < 0 ? a : -a, 3)) * 2);
    return a == 0 ? 1 << 14 : a > 0 ? positive : INT16_MAX - positive;
}
""",
    "tanh_16": """
/* tanh(a) for a with so many integer bits; 15 fractional bits. */
static int32_t tanh_16(int32_t a, int32_t integer_bits)
{
    const int32_t positive = clamp_16((newton_16(exp_16(a < 0 ? a : -a, integer_bits + 1)) - (1 << 13)) * 4);
    return a == 0 ? 0 : a > 0 ? positive : -positive;
}
""",
}

NEEDS: dict[str, tuple[str, ...]] = {
    "exp_16": ("clamp_16", "high_mul_16", "rounding_divide"),
    "newton_16": ("clamp_16", "high_mul_16"),
    "logistic_16": ("clamp_16", "newton_16", "exp_16"),
    "tanh_16": ("clamp_16", "newton_16", "exp_16"),
}

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lstm": ("""
/* y: h and c of every row of the batch, then all h. */
static void $F(const $X *x, const $X2 *old, $Y *y, const $F_params *p)
{
    const int32_t n = p->units;
    $Y *results = y + 2 * p->batch * n;
    for (int32_t i = 0; i < 2 * p->batch * n; i++) {
        y[i] = old[i];
    }
    for (int32_t t = 0; t < p->time; t++) {
        for (int32_t b = 0; b < p->batch; b++) {
            const int32_t place = b * p->x_batch + t * p->x_time;
            const $X *row = x + place * p->depth;
            $Y *h = y + 2 * b * n, *c = h + n, *result = results + place * n;
            for (int32_t u = 0; u < n; u++) {
                int32_t gate[4];
                for (int32_t g = 0; g < 4; g++) {
                    const $W *w = p->weights + (g * n + u) * p->depth, *r = p->recurrent + (g * n + u) * n;
                    int32_t total = p->bias[g * n + u], below = p->recurrent_bias[g * n + u];
                    for (int32_t k = 0; k < p->depth; k++) {
                        total += w[k] * row[k];
                    }
                    for (int32_t k = 0; k < n; k++) {
                        below += r[k] * h[k];
                    }
                    gate[g] = clamp_16(clamp_16(requantize(below, p->mantissa[4 + g], p->shift[4 + g]))
                                       + clamp_16(requantize(total, p->mantissa[g], p->shift[g])));
                }
                const int32_t update = logistic_16(gate[0]) * tanh_16(gate[2], 3);
                int32_t next = (int16_t)rounding_divide(logistic_16(gate[1]) * c[u], 15)
                               + (int16_t)rounding_divide(update, 30 + p->cell_exponent);
                next = clamp_16(next);
                if (p->cell_clip > 0) {
                    next = clamp(next, -p->cell_clip, p->cell_clip);
                }
                c[u] = ($Y)next;
                const int32_t product = logistic_16(gate[3]) * tanh_16(next, 15 + p->cell_exponent);
                result[u] = ($Y)clamp(requantize(product, p->h_mantissa, p->h_shift) + p->h_zero, -128, 127);
            }
            for (int32_t u = 0; u < n; u++) {
                h[u] = result[u]; /* all gates have read the old one */
            }
        }
    }
}
""", ("clamp", "clamp_16", "requantize", "rounding_divide", "logistic_16", "tanh_16")),
}  # fmt: skip

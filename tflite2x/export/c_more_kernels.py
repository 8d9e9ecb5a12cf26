# SPDX-License-Identifier: Apache-2.0
"""More functions of generated C code, as text: matrices, windows of the past, int16 functions."""

from __future__ import annotations

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "batch_matmul": ("""
static void $F(const $X *a, const $X2 *b, $Y *y, const $F_params *p)
{
    for (int32_t m = 0; m < p->matrices; m++) {
        for (int32_t i = 0; i < p->rows; i++) {
            for (int32_t j = 0; j < p->columns; j++) {
                const $X *row = a + p->a_at[m] * p->rows * p->depth + i * p->a_row;
                const $X2 *column = b + p->b_at[m] * p->depth * p->columns + j * p->b_column;
                int32_t acc = 0;
                for (int32_t k = 0; k < p->depth; k++) {
                    acc += (row[k * p->a_depth] - p->a_zero) * (column[k * p->b_depth] - p->b_zero);
                }
                *y++ = ($Y)clamp(requantize(acc, p->mantissa, p->shift) + p->y_zero, p->low, p->high);
            }
        }
    }
}
""", ("clamp", "requantize")),
    "svdf_update": ("""
static void $F(const $X *x, const $X2 *old, $Y *state, const $F_params *p)
{
    for (int32_t b = 0; b < p->batch; b++) {
        for (int32_t f = 0; f < p->filters; f++, old += p->memory, state += p->memory) {
            int32_t acc = 0;
            for (int32_t k = 0; k < p->depth; k++) {
                acc += (x[b * p->depth + k] - p->x_zero) * p->weights[f * p->depth + k];
            }
            for (int32_t m = 0; m < p->memory - 1; m++) {
                state[m] = old[m + 1];
            }
            state[p->memory - 1] = ($Y)clamp(requantize(acc, p->mantissa, p->shift), p->low, p->high);
        }
    }
}
""", ("clamp", "requantize")),
    "svdf_output": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t b = 0; b < p->batch; b++) {
        for (int32_t u = 0; u < p->units; u++) {
            uint32_t acc = (uint32_t)p->bias[u]; /* wraps */
            for (int32_t k = 0; k < p->rank * p->memory; k++) {
                acc += (uint32_t)(*x++ * p->weights[u * p->rank * p->memory + k]);
            }
            *y++ = ($Y)clamp(requantize((int32_t)acc, p->mantissa, p->shift) + p->y_zero, p->low, p->high);
        }
    }
}
""", ("clamp", "requantize")),
    "interpolate": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = ($Y)interpolate_16(p->table, x[i]);
    }
}
""", ("interpolate_16",)),
    "softmax_16": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t largest = x[0], total = 0, bits = 0;
        for (int32_t i = 1; i < p->depth; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        for (int32_t i = 0; i < p->depth; i++) {
            const int32_t below = requantize(x[i] - largest, p->mantissa, p->shift) + 32767;
            y[i] = ($Y)interpolate_16(p->exponential, clamp(below, -32768, 32767));
            total += y[i];
        }
        while (total >> bits != 0) {
            bits++;
        }
        const int64_t shifted = ((int64_t)total * ((int64_t)1 << (31 - bits)) + (1 << 13)) >> 14;
        const int32_t at = clamp((int32_t)shifted - (1 << 15) - (1 << 16), -32768, 32767);
        const int64_t factor = interpolate_16(p->reciprocal, at);
        for (int32_t i = 0; i < p->depth; i++) {
            y[i] = ($Y)clamp((int32_t)((y[i] * factor + ((int64_t)1 << (bits - 2))) >> (bits - 1)), 0, 32767);
        }
    }
}
""", ("clamp", "requantize", "interpolate_16")),
    "sigmoid_16": ("""
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        const int32_t v = (x[i] * p->multiplier + p->rounding) >> p->shift, magnitude = v < 0 ? -v : v;
        const int32_t index = magnitude >> p->bits, part = magnitude & ((1 << p->bits) - 1);
        int32_t result = p->beyond;
        if (index < 255) {
            result = p->table[index] * (1 << p->bits) + part * (p->table[index + 1] - p->table[index]);
        }
        result -= p->offset;
        y[i] = ($Y)(((v < 0 ? p->mirror - result - 1 : result) + p->half) >> p->down);
    }
}
""", ()),
}  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Loops of generated C code, as text: what integer and float functions have in common.

``$BEGIN``, ``$EACH`` and ``$END`` stand for what happens before, in and after the innermost loop; the other names are
those of :mod:`tflite2x.export.c_kernels`.
"""

from __future__ import annotations

#: Convolution: per output ``o``, over all channels ``c`` of all taps inside of the input.
TAPS = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    const int32_t ins = p->in_c / p->groups, outs = p->out_c / p->groups;
    for (int32_t b = 0; b < p->batch; b++) {
        for (int32_t row = 0; row < p->out_h; row++) {
            for (int32_t column = 0; column < p->out_w; column++) {
                for (int32_t o = 0; o < p->out_c; o++) {
                    $BEGIN
                    for (int32_t i = 0; i < p->kernel_h; i++) {
                        const int32_t in_row = row * p->stride_h - p->pad_top + i * p->dilation_h;
                        for (int32_t j = 0; j < p->kernel_w; j++) {
                            const int32_t in_column = column * p->stride_w - p->pad_left + j * p->dilation_w;
                            if (in_row < 0 || in_row >= p->in_h || in_column < 0 || in_column >= p->in_w) {
                                continue; /* outside of the input nothing is added */
                            }
                            const $X *pixel = x + ((b * p->in_h + in_row) * p->in_w + in_column) * p->in_c
                                              + o / outs * ins;
                            const $W *w = p->weights + ((o * p->kernel_h + i) * p->kernel_w + j) * ins;
                            for (int32_t c = 0; c < ins; c++) {
                                $EACH
                            }
                        }
                    }
                    $END
                }
            }
        }
    }
}
"""

#: Depthwise convolution: per output ``o``, over all taps inside of the input.
DEPTHWISE_TAPS = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    const int32_t outs = p->out_c / p->in_c;
    for (int32_t b = 0; b < p->batch; b++) {
        for (int32_t row = 0; row < p->out_h; row++) {
            for (int32_t column = 0; column < p->out_w; column++) {
                for (int32_t o = 0; o < p->out_c; o++) {
                    $BEGIN
                    for (int32_t i = 0; i < p->kernel_h; i++) {
                        const int32_t in_row = row * p->stride_h - p->pad_top + i * p->dilation_h;
                        for (int32_t j = 0; j < p->kernel_w; j++) {
                            const int32_t in_column = column * p->stride_w - p->pad_left + j * p->dilation_w;
                            if (in_row < 0 || in_row >= p->in_h || in_column < 0 || in_column >= p->in_w) {
                                continue; /* outside of the input nothing is added */
                            }
                            const $X value = x[((b * p->in_h + in_row) * p->in_w + in_column) * p->in_c + o / outs];
                            const $W weight = p->weights[(i * p->kernel_w + j) * p->out_c + o];
                            $EACH
                        }
                    }
                    $END
                }
            }
        }
    }
}
"""

#: Transposed convolution: per output ``o``, over all channels ``c`` of the input pixels that reach it.
TRANSPOSED_TAPS = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t b = 0; b < p->batch; b++) {
        for (int32_t row = 0; row < p->out_h; row++) {
            for (int32_t column = 0; column < p->out_w; column++) {
                for (int32_t o = 0; o < p->out_c; o++) {
                    $BEGIN
                    for (int32_t in_row = 0; in_row < p->in_h; in_row++) {
                        const int32_t i = row + p->pad_top - in_row * p->stride_h;
                        if (i < 0 || i >= p->kernel_h) {
                            continue; /* this input row does not reach here */
                        }
                        for (int32_t in_column = 0; in_column < p->in_w; in_column++) {
                            const int32_t j = column + p->pad_left - in_column * p->stride_w;
                            if (j < 0 || j >= p->kernel_w) {
                                continue;
                            }
                            const $X *pixel = x + ((b * p->in_h + in_row) * p->in_w + in_column) * p->in_c;
                            const $W *w = p->weights + ((o * p->kernel_h + i) * p->kernel_w + j) * p->in_c;
                            for (int32_t c = 0; c < p->in_c; c++) {
                                $EACH
                            }
                        }
                    }
                    $END
                }
            }
        }
    }
}
"""

#: Pooling: over all values ``v`` of a window.
POOL = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t b = 0; b < p->batch; b++) {
        for (int32_t row = 0; row < p->out_h; row++) {
            for (int32_t column = 0; column < p->out_w; column++) {
                for (int32_t c = 0; c < p->channels; c++) {
                    $BEGIN
                    for (int32_t i = 0; i < p->kernel_h; i++) {
                        const int32_t in_row = row * p->stride_h - p->pad_top + i;
                        for (int32_t j = 0; j < p->kernel_w; j++) {
                            const int32_t in_column = column * p->stride_w - p->pad_left + j;
                            if (in_row < 0 || in_row >= p->in_h || in_column < 0 || in_column >= p->in_w) {
                                continue; /* what lies outside does not count */
                            }
                            const $VALUE v = x[((b * p->in_h + in_row) * p->in_w + in_column) * p->channels + c];
                            $EACH
                        }
                    }
                    *y++ = $END;
                }
            }
        }
    }
}
"""

#: A function of two inputs that broadcast, ``left`` and ``right``.
ELEMENTWISE = """
static void $F(const $X *a, const $X2 *b, $Y *y, const $F_params *p)
{
    int32_t at[8] = {0}, i = 0, j = 0;
    for (;;) {
        const int32_t n = p->count[p->rank - 1];
        const int32_t a_step = p->a_stride[p->rank - 1], b_step = p->b_stride[p->rank - 1];
        for (int32_t k = 0; k < n; k++) {
            const $VALUE left = a[i + k * a_step], right = b[j + k * b_step];
            $EACH
        }
        int32_t d = p->rank - 2; /* the next place of the outer loops */
        for (; d >= 0; d--) {
            i += p->a_stride[d];
            j += p->b_stride[d];
            if (++at[d] < p->count[d]) {
                break;
            }
            i -= at[d] * p->a_stride[d];
            j -= at[d] * p->b_stride[d];
            at[d] = 0;
        }
        if (d < 0) {
            return;
        }
    }
}
"""

#: A reduction: over all values ``x[at]`` that become one.
REDUCE = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    const int32_t *counts = p->kept, *strides = p->kept + p->kept_rank;
    const int32_t *inner_counts = p->reduced, *inner_strides = p->reduced + p->reduced_rank;
    int32_t outer = 1, inner = 1;
    for (int32_t d = 0; d < p->kept_rank; d++) {
        outer *= counts[d];
    }
    for (int32_t d = 0; d < p->reduced_rank; d++) {
        inner *= inner_counts[d];
    }
    for (int32_t i = 0; i < outer; i++) {
        int32_t start = 0;
        for (int32_t d = p->kept_rank - 1, rest = i; d >= 0; rest /= counts[d], d--) {
            start += rest % counts[d] * strides[d];
        }
        $BEGIN
        for (int32_t j = 0; j < inner; j++) {
            int32_t at = start;
            for (int32_t d = p->reduced_rank - 1, rest = j; d >= 0; rest /= inner_counts[d], d--) {
                at += rest % inner_counts[d] * inner_strides[d];
            }
            $EACH
        }
        y[i] = $END;
    }
}
"""

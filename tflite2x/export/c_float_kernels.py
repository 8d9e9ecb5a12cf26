# SPDX-License-Identifier: Apache-2.0
"""The functions of generated C code that compute in float, as text; see :mod:`tflite2x.export.c_kernels`."""

from __future__ import annotations

from tflite2x.export import c_hybrid_kernels
from tflite2x.export.c_loops import DEPTHWISE_TAPS, ELEMENTWISE, POOL, REDUCE, TAPS, TRANSPOSED_TAPS

_FULLY_CONNECTED = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t o = 0; o < p->units; o++) {
            float acc = 0.0f;
            for (int32_t k = 0; k < p->depth; k++) {
                acc += x[row * p->depth + k] * p->weights[o * p->depth + k];
            }
            y[row * p->units + o] = limit(acc + p->bias[o], p->low, p->high);
        }
    }
}
"""

_BEGIN = "float acc = 0.0f;"
_STORE = "*y++ = limit(acc + p->bias[o], p->low, p->high);"
_CONV_2D = TAPS.replace("$BEGIN", _BEGIN).replace("$EACH", "acc += pixel[c] * w[c];").replace("$END", _STORE)
_DEPTHWISE = DEPTHWISE_TAPS.replace("$BEGIN", _BEGIN).replace("$EACH", "acc += value * weight;").replace("$END", _STORE)

_TRANSPOSE_CONV = (
    TRANSPOSED_TAPS.replace("$BEGIN", _BEGIN).replace("$EACH", "acc += pixel[c] * w[c];").replace("$END", _STORE)
)

_UNARY = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        const float v = x[i];
        y[i] = $EACH;
    }
}
"""

_SOFTMAX = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        float largest = x[0], total = 0.0f;
        for (int32_t i = 1; i < p->depth; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        for (int32_t i = 0; i < p->depth; i++) {
            y[i] = to_float(exp_of((x[i] - largest) * p->beta));
            total += y[i];
        }
        for (int32_t i = 0; i < p->depth; i++) {
            y[i] = y[i] / total;
        }
    }
}
"""

_LOG_SOFTMAX = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        float largest = x[0], total = 0.0f;
        for (int32_t i = 1; i < p->depth; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        for (int32_t i = 0; i < p->depth; i++) {
            y[i] = x[i] - largest;
            total += to_float(exp_of(y[i]));
        }
        const float logarithm = to_float(log_of(total));
        for (int32_t i = 0; i < p->depth; i++) {
            y[i] = y[i] - logarithm;
        }
    }
}
"""

_NORMALIZE = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        float total = 0.0f;
        for (int32_t i = 0; i < p->depth; i++) {
            const float square = x[i] * x[i];
            total += square;
        }
        const float norm = sqrt_of(total), divisor = norm < 1e-6f ? 1e-6f : norm;
        for (int32_t i = 0; i < p->depth; i++) {
            y[i] = x[i] / divisor;
        }
    }
}
"""

_RESIZE = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    const int32_t *top = p->rows, *bottom = top + p->out_h, *left = p->columns, *right = left + p->out_w;
    for (int32_t b = 0; b < p->batch; b++, x += p->in_h * p->in_w * p->channels) {
        for (int32_t i = 0; i < p->out_h; i++) {
            for (int32_t j = 0; j < p->out_w; j++) {
                const $X *a = x + (top[i] * p->in_w + left[j]) * p->channels;
                const $X *d = x + (top[i] * p->in_w + right[j]) * p->channels;
                const $X *e = x + (bottom[i] * p->in_w + left[j]) * p->channels;
                const $X *f = x + (bottom[i] * p->in_w + right[j]) * p->channels;
                const float dy = p->dy[i], dx = p->dx[j];
                for (int32_t c = 0; c < p->channels; c++) {
                    float acc = a[c] * (1.0f - dy) * (1.0f - dx);
                    acc += e[c] * dy * (1.0f - dx);
                    acc += d[c] * (1.0f - dy) * dx;
                    acc += f[c] * dy * dx;
                    *y++ = ($Y)(acc + p->half);
                }
            }
        }
    }
}
"""

_ARG_MAX = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->outer; i++) {
        for (int32_t j = 0; j < p->inner; j++) {
            const $X *first = x + i * p->length * p->inner + j;
            float best = first[0];
            *y = 0;
            for (int32_t k = 1; k < p->length; k++) {
                const float v = first[k * p->inner];
                if ((p->sign > 0 ? v > best : v < best) || (best != best && v == v)) { /* NaN loses */
                    best = v;
                    *y = k;
                }
            }
            y++;
        }
    }
}
"""

_BATCH_MATMUL = """
static void $F(const $X *a, const $X2 *b, $Y *y, const $F_params *p)
{
    for (int32_t m = 0; m < p->matrices; m++) {
        for (int32_t i = 0; i < p->rows; i++) {
            for (int32_t j = 0; j < p->columns; j++) {
                const $X *row = a + p->a_at[m] * p->rows * p->depth + i * p->a_row;
                const $X2 *column = b + p->b_at[m] * p->depth * p->columns + j * p->b_column;
                float acc = 0.0f;
                for (int32_t k = 0; k < p->depth; k++) {
                    acc += row[k * p->a_depth] * column[k * p->b_depth];
                }
                *y++ = acc;
            }
        }
    }
}
"""

#: Operation -> expression of ``v``, and the helpers that it calls.
_UNARIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "clamp": ("limit(v, p->low, p->high)", ("limit",)),
    "leaky_relu": ("v >= 0.0f ? v : v * p->alpha", ()),
    "logistic": ("logistic_of(v)", ("logistic_of",)),
    "tanh": ("to_float(tanh_of(v))", ("to_float", "tanh_of")),
    "elu": ("v < 0.0f ? to_float(exp_minus_1(v)) : v", ("to_float", "exp_minus_1")),
    "hard_swish": ("v * limit(v + 3.0f, 0.0f, 6.0f) / 6.0f", ("limit",)),
    "gelu": ("0.5f * v * to_float(erfc_of(v * -0.70710678f))", ("to_float", "erfc_of")),
    "gelu_tanh": (
        "0.5f * v * (1.0f + to_float(tanh_of(0.7978846f * (v + 0.044715f * v * v * v))))", ("to_float", "tanh_of"),
    ),
    "exp": ("to_float(exp_of(v))", ("to_float", "exp_of")),
    "log": ("to_float(log_of(v))", ("to_float", "log_of")),
    "sqrt": ("sqrt_of(v)", ("sqrt_of",)),
    "rsqrt": ("1.0f / sqrt_of(v)", ("sqrt_of",)),
    "square": ("v * v", ()),
    "abs": ("v < 0.0f ? -v : v", ()),
    "neg": ("-v", ()),
    "floor": ("floor_of(v)", ("floor_of",)),
    "ceil": ("-floor_of(-v)", ("floor_of",)),
    "round": ("round_of(v)", ("round_of",)),
    "sign": ("v > 0.0f ? 1.0f : v < 0.0f ? -1.0f : v", ()),
}  # fmt: skip

#: Operation -> expression of ``left`` and ``right``, and the helpers that it calls.
_BINARIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "add": ("limit(left + right, p->low, p->high)", ("limit",)),
    "sub": ("limit(left - right, p->low, p->high)", ("limit",)),
    "mul": ("limit(left * right, p->low, p->high)", ("limit",)),
    "div": ("limit(left / right, p->low, p->high)", ("limit",)),
    "maximum": ("left > right ? left : right", ()),
    "minimum": ("left < right ? left : right", ()),
    "squared_difference": ("(left - right) * (left - right)", ()),
    "prelu": ("left >= 0.0f ? left : left * right", ()),
    "pow": ("to_float(pow_of(left, right))", ("to_float", "pow_of")),
}

#: Operation -> first value, what happens to each value ``v``, and the result.
_REDUCTIONS: dict[str, tuple[str, str, str]] = {
    "sum": ("0.0f", "acc += v;", "acc"),
    "mean": ("0.0f", "acc += v;", "acc / (float)p->elements"),
    "prod": ("1.0f", "acc *= v;", "acc"),
    "max": ("x[start]", "acc = v > acc || acc != acc ? v : acc;", "acc"),
    "min": ("x[start]", "acc = v < acc || acc != acc ? v : acc;", "acc"),
}


def _pool(begin: str, each: str, end: str) -> str:
    text = POOL.replace("$VALUE", "float").replace("$BEGIN", begin).replace("$EACH", each)
    return text.replace("$END", end)


def _reduction(start: str, each: str, result: str) -> str:
    text = REDUCE.replace("$BEGIN", f"float acc = {start};").replace(
        "$EACH", f"const float v = x[at];\n{' ' * 12}{each}"
    )
    return text.replace("$END", result)


#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "float_fully_connected": (_FULLY_CONNECTED, ("limit",)),
    "float_conv_2d": (_CONV_2D, ("limit",)),
    "float_depthwise_conv_2d": (_DEPTHWISE, ("limit",)),
    "float_transpose_conv": (_TRANSPOSE_CONV, ("limit",)),
    "float_max_pool_2d": (
        _pool("float acc = -3.4028234663852886e38f;", "acc = v > acc ? v : acc;", "limit(acc, p->low, p->high)"),
        ("limit",),
    ),
    "float_average_pool_2d": (
        _pool(
            "float acc = 0.0f;\n                    int32_t count = 0;",
            "acc += v;\n                            count++;", "limit(acc / (float)count, p->low, p->high)",
        ),
        ("limit",),
    ),
    "float_arg_max": (_ARG_MAX, ()),
    "float_softmax": (_SOFTMAX, ("to_float", "exp_of")),
    "float_log_softmax": (_LOG_SOFTMAX, ("to_float", "exp_of", "log_of")),
    "float_l2_normalization": (_NORMALIZE, ("sqrt_of",)),
    "float_resize_bilinear": (_RESIZE, ()),
    "float_batch_matmul": (_BATCH_MATMUL, ()),
    **{f"float_{name}": (_UNARY.replace("$EACH", text), needs) for name, (text, needs) in _UNARIES.items()},
    **{
        f"float_{name}": (ELEMENTWISE.replace("$VALUE", "float").replace("$EACH", f"*y++ = {text};"), needs)
        for name, (text, needs) in _BINARIES.items()
    },
    **c_hybrid_kernels.KERNELS,
    **{f"float_reduce_{name}": (_reduction(*texts), ()) for name, texts in _REDUCTIONS.items()},
}  # fmt: skip

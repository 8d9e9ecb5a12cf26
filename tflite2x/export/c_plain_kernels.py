# SPDX-License-Identifier: Apache-2.0
"""Functions of generated C code on numbers without a scale, as text; see :mod:`tflite2x.export.c_kernels`."""

from __future__ import annotations

from tflite2x.export.c_loops import ELEMENTWISE

_WRAPPING = {"add": "+", "sub": "-", "mul": "*"}
_COMPARING = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
    "and": "&&", "or": "||",
}  # fmt: skip

_SELECT = """
static void $F(const $X *c, const $X2 *a, const $Y *b, $Y *y, const $F_params *p)
{
    int32_t at[8] = {0};
    for (;;) {
        int32_t i = 0, j = 0, k = 0;
        for (int32_t d = 0; d < p->rank; d++) {
            i += at[d] * p->c_stride[d];
            j += at[d] * p->a_stride[d];
            k += at[d] * p->b_stride[d];
        }
        *y++ = c[i] ? a[j] : b[k];
        int32_t d = p->rank - 1; /* the next place of the loops */
        while (d >= 0 && ++at[d] == p->count[d]) {
            at[d--] = 0;
        }
        if (d < 0) {
            return;
        }
    }
}
"""

_CAST = """
static void $F(const $X *x, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->size; i++) {
        $EACH
    }
}
"""

_SATURATE = "y[i] = !(x[i] < p->above) ? $MAX : x[i] < p->low ? $MIN : ($Y)x[i]; /* NaN is the highest */"
_WRAPPED = "*y++ = ($Y)((uint64_t)left $SIGN (uint64_t)right);"

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        f"plain_{name}": (ELEMENTWISE.replace("$VALUE", "$X").replace("$EACH", _WRAPPED.replace("$SIGN", sign)), ())
        for name, sign in _WRAPPING.items()
    },
    **{
        f"plain_{name}": (ELEMENTWISE.replace("$VALUE", "$X").replace("$EACH", f"*y++ = ($Y)(left {sign} right);"), ())
        for name, sign in _COMPARING.items()
    },
    "select": (_SELECT, ()),
    "cast_wrap": (_CAST.replace("$EACH", "y[i] = ($Y)x[i];"), ()),
    "cast_truth": (_CAST.replace("$EACH", "y[i] = ($Y)(x[i] != 0);"), ()),
    "cast_saturate": (_CAST.replace("$EACH", _SATURATE), ()),
    "gather_nd": ("""
static void $F(const $X *x, const $X2 *index, $Y *y, const $F_params *p)
{
    for (int32_t i = 0; i < p->places; i++) {
        int32_t place = 0;
        for (int32_t d = 0; d < p->depth; d++) {
            const $X2 at = *index++, inside = at < p->lengths[d] ? at : ($X2)(p->lengths[d] - 1);
            place = place * p->lengths[d] + (int32_t)(inside < 0 ? 0 : inside);
        }
        for (int32_t k = 0; k < p->inner; k++) {
            *y++ = x[place * p->inner + k];
        }
    }
}
""", ()),
    "gather": ("""
static void $F(const $X *x, const $X2 *index, $Y *y, const $F_params *p)
{
    for (int32_t o = 0; o < p->outer; o++) {
        for (int32_t i = 0; i < p->places; i++) {
            const $X2 inside = index[i] < p->length ? index[i] : ($X2)(p->length - 1);
            const $X *entry = x + (o * p->length + (int32_t)(inside < 0 ? 0 : inside)) * p->inner;
            for (int32_t k = 0; k < p->inner; k++) {
                *y++ = entry[k];
            }
        }
    }
}
""", ()),
}  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Functions of generated Rust code on numbers without a scale, as text; see :mod:`tflite2x.export.rust_kernels`."""

from __future__ import annotations

from tflite2x.export.rust_loops import ELEMENTWISE

_WRAPPING = ("add", "sub", "mul")
_COMPARING = {
    "equal": "left == right", "not_equal": "left != right", "less": "left < right", "less_equal": "left <= right",
    "greater": "left > right", "greater_equal": "left >= right", "and": "left != 0 && right != 0",
    "or": "left != 0 || right != 0",
}  # fmt: skip

_SELECT = """
pub fn $F(c: &[$X], a: &[$X2], b: &[$Y], y: &mut [$Y], p: &$P) {
    let mut at = [0i32; 8];
    let at = &mut at[..p.count.len()];
    for result in y.iter_mut() {
        *result = if c[place(at, p.c_stride) as usize] != 0 {
            a[place(at, p.a_stride) as usize]
        } else {
            b[place(at, p.b_stride) as usize]
        };
        advance(at, p.count);
    }
}
"""

_CAST = """
pub fn $F(x: &[$X], y: &mut [$Y], _: &$P) {
    for (x, y) in x.iter().zip(y) {
        *y = $EACH;
    }
}
"""


def _elementwise(text: str) -> tuple[str, tuple[str, ...]]:
    values = ELEMENTWISE.replace("$LEFT", "a[place(at, p.a_stride) as usize]")
    values = values.replace("$RIGHT", "b[place(at, p.b_stride) as usize]")
    return values.replace("$EACH", f"*result = {text};"), ("advance", "place")


#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"plain_{name}": _elementwise(f"left.wrapping_{name}(right)") for name in _WRAPPING},
    **{f"plain_{name}": _elementwise(f"({text}) as $Y") for name, text in _COMPARING.items()},
    "select": (_SELECT, ("advance", "place")),
    "cast_wrap": (_CAST.replace("$EACH", "*x as $Y"), ()),
    "cast_truth": (_CAST.replace("$EACH", "(*x != 0 as $X) as $Y"), ()),
    "cast_saturate": (_CAST.replace("$EACH", "if x.is_nan() { $Y::MAX } else { *x as $Y }"), ()),
    "gather_nd": ("""
pub fn $F(x: &[$X], index: &[$X2], y: &mut [$Y], p: &$P) {
    let inner = p.inner as usize;
    for (position, row) in index.chunks_exact(p.depth as usize).zip(y.chunks_exact_mut(inner)) {
        let mut place = 0;
        for (at, length) in position.iter().zip(p.lengths) {
            place = place * *length as usize + (*at).clamp(0, *length as $X2 - 1) as usize;
        }
        row.copy_from_slice(&x[place * inner..(place + 1) * inner]);
    }
}
""", ()),
    "gather": ("""
pub fn $F(x: &[$X], index: &[$X2], y: &mut [$Y], p: &$P) {
    let (length, inner) = (p.length as usize, p.inner as usize);
    for (table, rows) in x.chunks_exact(length * inner).zip(y.chunks_exact_mut(index.len() * inner)) {
        for (i, row) in index.iter().zip(rows.chunks_exact_mut(inner)) {
            let inside = (*i).clamp(0, p.length as $X2 - 1) as usize;
            row.copy_from_slice(&table[inside * inner..(inside + 1) * inner]);
        }
    }
}
""", ()),
}  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""The functions of generated Rust code that compute in f32, as text; see :mod:`tflite2x.export.rust_kernels`."""

from __future__ import annotations

from tflite2x.export import rust_hybrid_kernels
from tflite2x.export.rust_loops import ELEMENTWISE, PLACES, POOL, REDUCE, TRANSPOSED_TAPS, WINDOW

_FULLY_CONNECTED = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (depth, units) = (p.depth as usize, p.units as usize);
    for (row, out) in x.chunks_exact(depth).zip(y.chunks_exact_mut(units)) {
        for (o, weights) in p.weights.chunks_exact(depth).enumerate() {
            let mut acc = 0.0;
            for (x, w) in row.iter().zip(weights) {
                acc += x * w;
            }
            out[o] = limit(acc + p.bias[o], p.low, p.high);
        }
    }
}
"""

_HEAD = PLACES.replace("$BEGIN", "let mut acc = 0.0;")
_STORE = "*result = limit(acc + p.bias[o], p.low, p.high);"

_CONV_2D = f"""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {{
    let (ins, outs) = ((p.in_c / p.groups) as usize, (p.out_c / p.groups) as usize);
{_HEAD}{WINDOW}                    let pixel = ((b * p.in_h + in_row) * p.in_w + in_column) * p.in_c;
                    let first = pixel as usize + o / outs * ins;
                    let weight = ((o as i32 * p.kernel_h + i) * p.kernel_w + j) as usize * ins;
                    for (x, w) in x[first..first + ins].iter().zip(&p.weights[weight..weight + ins]) {{
                        acc += x * w;
                    }}
                }}
            }}
            {_STORE}
        }}
    }}
}}
"""

_DEPTHWISE = f"""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {{
    let outs = (p.out_c / p.in_c) as usize;
{_HEAD}{WINDOW}                    let pixel = (((b * p.in_h + in_row) * p.in_w + in_column) * p.in_c) as usize;
                    let weight = p.weights[((i * p.kernel_w + j) * p.out_c) as usize + o];
                    acc += x[pixel + o / outs] * weight;
                }}
            }}
            {_STORE}
        }}
    }}
}}
"""

_TRANSPOSE_CONV = (
    TRANSPOSED_TAPS.replace("$BEGIN", "let mut acc = 0.0;").replace("$EACH", "acc += x * w;").replace("$END", _STORE)
)

_UNARY = """
pub fn $F(x: &[$X], y: &mut [$Y], $UNUSED: &$P) {
    for (v, y) in x.iter().zip(y) {
        let v = *v;
        *y = $EACH;
    }
}
"""

_SOFTMAX = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let depth = p.depth as usize;
    for (x, y) in x.chunks_exact(depth).zip(y.chunks_exact_mut(depth)) {
        let (mut largest, mut total) = (x[0], 0.0);
        for v in x {
            largest = if *v > largest { *v } else { largest };
        }
        for (v, y) in x.iter().zip(y.iter_mut()) {
            *y = exp_of(f64::from((v - largest) * p.beta)) as f32;
            total += *y;
        }
        for y in y {
            *y /= total;
        }
    }
}
"""

_LOG_SOFTMAX = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let depth = p.depth as usize;
    for (x, y) in x.chunks_exact(depth).zip(y.chunks_exact_mut(depth)) {
        let (mut largest, mut total) = (x[0], 0.0f32);
        for v in x {
            largest = if *v > largest { *v } else { largest };
        }
        for (v, y) in x.iter().zip(y.iter_mut()) {
            *y = v - largest;
            total += exp_of(f64::from(*y)) as f32;
        }
        let logarithm = log_of(f64::from(total)) as f32;
        for y in y {
            *y -= logarithm;
        }
    }
}
"""

_NORMALIZE = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let depth = p.depth as usize;
    for (x, y) in x.chunks_exact(depth).zip(y.chunks_exact_mut(depth)) {
        let mut total = 0.0;
        for v in x {
            total += v * v;
        }
        let norm = sqrt_of(total);
        let divisor = if norm < 1e-6 { 1e-6 } else { norm };
        for (v, y) in x.iter().zip(y) {
            *y = v / divisor;
        }
    }
}
"""

_RESIZE = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (rows, columns) = (p.out_h as usize, p.out_w as usize);
    let (in_w, channels) = (p.in_w as usize, p.channels as usize);
    for (index, result) in y.iter_mut().enumerate() {
        let (c, place) = (index % channels, index / channels);
        let (j, i, b) = (place % columns, place / columns % rows, place / columns / rows);
        let image = &x[b * p.in_h as usize * in_w * channels..];
        let at = |row: i32, column: i32| $VALUE(image[(row as usize * in_w + column as usize) * channels + c]);
        let (top, bottom, dy) = (p.rows[i], p.rows[rows + i], p.dy[i]);
        let (left, right, dx) = (p.columns[j], p.columns[columns + j], p.dx[j]);
        let mut acc = at(top, left) * (1.0 - dy) * (1.0 - dx);
        acc += at(bottom, left) * dy * (1.0 - dx);
        acc += at(top, right) * (1.0 - dy) * dx;
        acc += at(bottom, right) * dy * dx;
        *result = (acc + p.half) as $Y;
    }
}
"""

_ARG_MAX = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (length, inner) = (p.length as usize, p.inner as usize);
    for (index, result) in y.iter_mut().enumerate() {
        let first = index / inner * length * inner + index % inner;
        let mut best = x[first];
        *result = 0;
        for k in 1..length {
            let v = x[first + k * inner];
            let better = if p.sign > 0 { v > best } else { v < best };
            if better || (best.is_nan() && !v.is_nan()) {
                best = v; // NaN loses
                *result = k as $Y;
            }
        }
    }
}
"""

_BATCH_MATMUL = """
pub fn $F(a: &[$X], b: &[$X2], y: &mut [$Y], p: &$P) {
    let (rows, depth, columns) = (p.rows as usize, p.depth as usize, p.columns as usize);
    for (index, result) in y.iter_mut().enumerate() {
        let (m, i, j) = (index / columns / rows, index / columns % rows, index % columns);
        let row = &a[p.a_at[m] as usize * rows * depth + i * p.a_row as usize..];
        let column = &b[p.b_at[m] as usize * depth * columns + j * p.b_column as usize..];
        let mut acc = 0.0;
        for k in 0..depth {
            acc += row[k * p.a_depth as usize] * column[k * p.b_depth as usize];
        }
        *result = acc;
    }
}
"""

_SELECT = "if {} {{ {} }} else {{ {} }}"
#: Operation -> expression of ``v``, and the helpers that it calls.
_UNARIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "clamp": ("limit(v, p.low, p.high)", ("limit",)),
    "leaky_relu": (_SELECT.format("v >= 0.0", "v", "v * p.alpha"), ()),
    "logistic": ("logistic_of(v)", ("logistic_of",)),
    "tanh": ("tanh_of(f64::from(v)) as f32", ("tanh_of",)),
    "elu": (_SELECT.format("v < 0.0", "exp_minus_1(f64::from(v)) as f32", "v"), ("exp_minus_1",)),
    "hard_swish": ("v * limit(v + 3.0, 0.0, 6.0) / 6.0", ("limit",)),
    "gelu": ("0.5 * v * erfc_of(f64::from(v * -0.70710678)) as f32", ("erfc_of",)),
    "gelu_tanh": (
        "0.5 * v * (1.0 + tanh_of(f64::from(0.7978846 * (v + 0.044715 * v * v * v))) as f32)", ("tanh_of",),
    ),
    "exp": ("exp_of(f64::from(v)) as f32", ("exp_of",)),
    "log": ("log_of(f64::from(v)) as f32", ("log_of",)),
    "sqrt": ("sqrt_of(v)", ("sqrt_of",)),
    "rsqrt": ("1.0 / sqrt_of(v)", ("sqrt_of",)),
    "square": ("v * v", ()),
    "abs": (_SELECT.format("v < 0.0", "-v", "v"), ()),
    "neg": ("-v", ()),
    "floor": ("floor_of(v)", ("floor_of",)),
    "ceil": ("-floor_of(-v)", ("floor_of",)),
    "round": ("round_of(v)", ("round_of",)),
    "sign": ("if v > 0.0 { 1.0 } else if v < 0.0 { -1.0 } else { v }", ()),
}  # fmt: skip

#: Operation -> expression of ``left`` and ``right``, and the helpers that it calls.
_BINARIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "add": ("limit(left + right, p.low, p.high)", ("limit",)),
    "sub": ("limit(left - right, p.low, p.high)", ("limit",)),
    "mul": ("limit(left * right, p.low, p.high)", ("limit",)),
    "div": ("limit(left / right, p.low, p.high)", ("limit",)),
    "maximum": (_SELECT.format("left > right", "left", "right"), ()),
    "minimum": (_SELECT.format("left < right", "left", "right"), ()),
    "squared_difference": ("(left - right) * (left - right)", ()),
    "prelu": (_SELECT.format("left >= 0.0", "left", "left * right"), ()),
    "pow": ("pow_of(f64::from(left), f64::from(right)) as f32", ("pow_of",)),
}

#: Operation -> first value, what happens to each value ``v``, and the result.
_REDUCTIONS: dict[str, tuple[str, str, str]] = {
    "sum": ("0.0f32", "acc += v;", "acc"),
    "mean": ("0.0f32", "acc += v;", "acc / p.elements as f32"),
    "prod": ("1.0f32", "acc *= v;", "acc"),
    "max": ("x[start as usize]", "acc = if v > acc || acc.is_nan() { v } else { acc };", "acc"),
    "min": ("x[start as usize]", "acc = if v < acc || acc.is_nan() { v } else { acc };", "acc"),
}


def _pool(begin: str, each: str, end: str) -> str:
    return POOL.replace("$BEGIN", begin).replace("$EACH", each).replace("$END", end)


def _reduction(start: str, each: str, result: str) -> str:
    text = REDUCE.replace("$BEGIN", f"let mut acc = {start};")
    return text.replace("$EACH", f"let v = x[at];\n            {each}").replace("$END", result)


def _elementwise(text: str) -> str:
    values = ELEMENTWISE.replace("$LEFT", "a[place(at, p.a_stride) as usize]")
    return values.replace("$RIGHT", "b[place(at, p.b_stride) as usize]").replace("$EACH", f"*result = {text};")


def _unary(text: str) -> str:
    return _UNARY.replace("$UNUSED", "p" if "p." in text else "_").replace("$EACH", text)


#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "float_fully_connected": (_FULLY_CONNECTED, ("limit",)),
    "float_conv_2d": (_CONV_2D, ("limit",)),
    "float_depthwise_conv_2d": (_DEPTHWISE, ("limit",)),
    "float_transpose_conv": (_TRANSPOSE_CONV, ("limit",)),
    "float_max_pool_2d": (
        _pool(
            "let mut acc = f32::MIN;", "acc = if x[pixel + c] > acc { x[pixel + c] } else { acc };",
            "limit(acc, p.low, p.high)",
        ),
        ("limit",),
    ),
    "float_average_pool_2d": (
        _pool(
            "let (mut acc, mut count) = (0.0, 0);", "acc += x[pixel + c];\n                    count += 1;",
            "limit(acc / count as f32, p.low, p.high)",
        ),
        ("limit",),
    ),
    "float_arg_max": (_ARG_MAX, ()),
    "float_softmax": (_SOFTMAX, ("exp_of",)),
    "float_log_softmax": (_LOG_SOFTMAX, ("exp_of", "log_of")),
    "float_l2_normalization": (_NORMALIZE, ("sqrt_of",)),
    "float_resize_bilinear": (_RESIZE.replace("$VALUE", "f32::from"), ()),
    "float_batch_matmul": (_BATCH_MATMUL, ()),
    **{f"float_{name}": (_unary(text), needs) for name, (text, needs) in _UNARIES.items()},
    **{
        f"float_{name}": (_elementwise(text), (*needs, "advance", "place"))
        for name, (text, needs) in _BINARIES.items()
    },
    **rust_hybrid_kernels.KERNELS,
    **{f"float_reduce_{name}": (_reduction(*texts), ("advance", "place")) for name, texts in _REDUCTIONS.items()},
}  # fmt: skip

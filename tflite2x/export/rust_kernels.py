# SPDX-License-Identifier: Apache-2.0
"""The functions of generated Rust code, as text.

``$F`` stands for the function's name, ``$P`` for its parameter structure, ``$X`` and ``$Y`` for the types of input and
output. The fields of the structure are those of the step (:mod:`tflite2x.program.steps`).
"""

from __future__ import annotations

from tflite2x.export import (
    rust_detection_kernels,
    rust_float_kernels,
    rust_lstm_kernels,
    rust_more_kernels,
    rust_plain_kernels,
)
from tflite2x.export.rust_float_helpers import HELPERS as _FLOAT_HELPERS
from tflite2x.export.rust_float_helpers import NEEDS as _FLOAT_NEEDS
from tflite2x.export.rust_loops import ELEMENTWISE, PLACES, POOL, REDUCE, TRANSPOSED_TAPS, WINDOW

HELPERS: dict[str, str] = {
    "high_mul": """
/// a * b / 2^31, rounded half up (gemmlowp SaturatingRoundingDoublingHighMul).
fn high_mul(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b) + (1 << 30)) >> 31).min(i64::from(i32::MAX)) as i32
}
""",
    "rounding_divide": """
/// x / 2^exponent, rounded half away from zero (gemmlowp RoundingDivideByPOT).
fn rounding_divide(x: i32, exponent: i32) -> i32 {
    let half = (1i64 << exponent) >> 1;
    let magnitude = (i64::from(x).abs() + half) >> exponent;
    (if x < 0 { -magnitude } else { magnitude }) as i32
}
""",
    "requantize": """
/// x * mantissa * 2^(shift - 31), rounded twice (MultiplyByQuantizedMultiplier).
fn requantize(x: i32, mantissa: i32, shift: i32) -> i32 {
    let (left, right) = if shift > 0 { (shift, 0) } else { (0, -shift) };
    rounding_divide(high_mul((i64::from(x) << left) as i32, mantissa), right)
}
""",
    "rescale": """
/// x * mantissa / 2^shift, rounded half away from zero: equal to LiteRT's round(x * m) with a float64 m.
fn rescale(x: i32, mantissa: i64, shift: i32) -> i32 {
    let magnitude = (i64::from(x).abs() * mantissa + (1i64 << (shift - 1))) >> shift;
    (if x < 0 { -magnitude } else { magnitude }) as i32
}
""",
    "rescale_wide": """
/// x * mantissa / 2^shift, rounded half up.
fn rescale_wide(x: i64, mantissa: i32, shift: i32) -> i32 {
    ((x * i64::from(mantissa) + (1i64 << (shift - 1))) >> shift) as i32
}
""",
    "round_shift": """
/// x / 2^shift, rounded half up.
fn round_shift(x: i64, shift: i16) -> i64 {
    (x + ((1i64 << shift) >> 1)) >> shift
}
""",
    "saturating_double": """
/// x * 2^bits, saturated.
fn saturating_double(x: i32, bits: i32) -> i32 {
    (i64::from(x) << bits).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}
""",
    "one_over_one_plus_x": """
/// 1 / (1 + a) for a in [0, 1], all with 31 fractional bits (gemmlowp: Newton-Raphson).
fn one_over_one_plus_x(a: i32) -> i32 {
    let half = ((i64::from(a) + (1i64 << 31)) >> 1) as i32;
    let mut x = 1515870810 + high_mul(half, -1010580540);
    for _ in 0..3 {
        x += saturating_double(high_mul(x, (1 << 29) - high_mul(half, x)), 2);
    }
    saturating_double(x, 1)
}
""",
    "advance": """
/// Go to the next place of nested loops; false after the last one.
fn advance(at: &mut [i32], count: &[i32]) -> bool {
    for d in (0..count.len()).rev() {
        at[d] += 1;
        if at[d] < count[d] {
            return true;
        }
        at[d] = 0;
    }
    false
}
""",
    "place": """
/// Position of a place in nested loops.
fn place(at: &[i32], stride: &[i32]) -> i32 {
    at.iter().zip(stride).map(|(a, s)| a * s).sum()
}
""",
    "interpolate_16": """
/// An int16 value in a table of 513: 9 bits of index, 7 bits of linear interpolation.
fn interpolate_16(table: &[i16], x: i32) -> i32 {
    let at = (256 + (x >> 7)) as usize;
    let (low, high) = (i32::from(table[at]), i32::from(table[at + 1]));
    low + (((high - low) * (x & 127) + 64) >> 7)
}
""",
    **_FLOAT_HELPERS,
    **rust_detection_kernels.HELPERS,
    **rust_lstm_kernels.HELPERS,
}

NEEDS: dict[str, tuple[str, ...]] = {
    "requantize": ("high_mul", "rounding_divide"),
    "one_over_one_plus_x": ("high_mul", "saturating_double"),
    **_FLOAT_NEEDS,
    **rust_lstm_kernels.NEEDS,
}

_FINISH = {
    "": ("i32", "requantize(acc, p.mantissa[o], p.shift[o])"),
    "_real": ("i32", "rescale(acc, p.mantissa[o], p.shift[o])"),
    "_wide": ("i64", "rescale_wide(acc, p.mantissa[o], p.shift[o])"),
}

_FULLY_CONNECTED = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (depth, units) = (p.depth as usize, p.units as usize);
    for (row, out) in x.chunks_exact(depth).zip(y.chunks_exact_mut(units)) {
        for (o, weights) in p.weights.chunks_exact(depth).enumerate() {
            let mut acc = p.bias[o];
            for (x, w) in row.iter().zip(weights) {
                acc += $A::from((i32::from(*x) - p.x_zero) * (i32::from(*w) - p.w_zero));
            }
            out[o] = ($R + p.y_zero).clamp(p.low, p.high) as $Y;
        }
    }
}
"""

_START = "let mut acc = p.bias[o];"

_CONV_2D = (
    """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (ins, outs) = ((p.in_c / p.groups) as usize, (p.out_c / p.groups) as usize);
"""
    + PLACES.replace("$BEGIN", _START)
    + WINDOW
    + """                    let pixel = ((b * p.in_h + in_row) * p.in_w + in_column) * p.in_c;
                    let first = pixel as usize + o / outs * ins;
                    let weight = ((o as i32 * p.kernel_h + i) * p.kernel_w + j) as usize * ins;
                    for (x, w) in x[first..first + ins].iter().zip(&p.weights[weight..weight + ins]) {
                        acc += $A::from((i32::from(*x) - p.x_zero) * (i32::from(*w) - p.w_zero));
                    }
                }
            }
            *result = ($R + p.y_zero).clamp(p.low, p.high) as $Y;
        }
    }
}
"""
)

_DEPTHWISE = (
    """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let outs = (p.out_c / p.in_c) as usize;
"""
    + PLACES.replace("$BEGIN", _START)
    + WINDOW
    + """                    let pixel = (((b * p.in_h + in_row) * p.in_w + in_column) * p.in_c) as usize;
                    let weight = p.weights[((i * p.kernel_w + j) * p.out_c) as usize + o];
                    acc += $A::from((i32::from(x[pixel + o / outs]) - p.x_zero) * (i32::from(weight) - p.w_zero));
                }
            }
            *result = ($R + p.y_zero).clamp(p.low, p.high) as $Y;
        }
    }
}
"""
)

_TRANSPOSE_CONV = (
    TRANSPOSED_TAPS.replace("$BEGIN", _START)
    .replace("$EACH", "acc += $A::from((i32::from(*x) - p.x_zero) * (i32::from(*w) - p.w_zero));")
    .replace("$END", "*result = ($R + p.y_zero).clamp(p.low, p.high) as $Y;")
)


def _pool(begin: str, each: str, end: str) -> str:
    text = POOL.replace("$BEGIN", begin).replace("$EACH", each)
    return text.replace("$END", f"{end}.clamp(p.low, p.high) as $Y")


_ELEMENTWISE = ELEMENTWISE.replace("$LEFT", "i32::from(a[place(at, p.a_stride) as usize])").replace(
    "$RIGHT", "i32::from(b[place(at, p.b_stride) as usize])"
)


_ADD = """let l = requantize((left - p.a_zero) << p.left_shift, p.a_mantissa, p.a_shift);
        let r = requantize((right - p.b_zero) << p.left_shift, p.b_mantissa, p.b_shift);
        let sum = requantize(l + p.b_sign * r, p.y_mantissa, p.y_shift);
        *result = (sum + p.y_zero).clamp(p.low, p.high) as $Y;"""

_MUL = """let product = (left - p.a_zero) * (right - p.b_zero);
        *result = (requantize(product, p.mantissa, p.shift) + p.y_zero).clamp(p.low, p.high) as $Y;"""

_SQUARED_DIFFERENCE = """let d = requantize((left - p.a_zero) << 7, p.a_mantissa, p.a_shift)
            - requantize((right - p.b_zero) << 7, p.b_mantissa, p.b_shift);
        *result = (requantize(d * d, p.y_mantissa, p.y_shift) + p.y_zero).clamp(p.low, p.high) as $Y;"""

_PRELU = """let v = left - p.a_zero;
        let scaled = if v >= 0 {
            requantize(v, p.mantissa, p.shift)
        } else {
            requantize(v * (right - p.b_zero), p.negative_mantissa, p.negative_shift)
        };
        *result = (scaled + p.y_zero).clamp(p.low, p.high) as $Y;"""

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        f"{name}{suffix}": (text.replace("$A", kind).replace("$R", result), (result.split("(")[0],))
        for name, text in (
            ("fully_connected", _FULLY_CONNECTED), ("conv_2d", _CONV_2D), ("depthwise_conv_2d", _DEPTHWISE),
            ("transpose_conv", _TRANSPOSE_CONV),
        )
        for suffix, (kind, result) in _FINISH.items()
    },
    "xc_fc": ("""
/// XC_fc of XMOS's xcore.ai as a reference function: y[units] from x[depth], weights [units][width], bso [][7][16].
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (o, (result, weights)) in y.iter_mut().zip(p.weights.chunks_exact(p.width as usize)).enumerate() {
        let bso = |row: usize| p.bso[o / 16 * (7 * 16) + row * 16 + o % 16];
        let mut acc = i64::from(bso(0)) * 65536 + i64::from(bso(1) as u16);
        for (x, w) in x.iter().zip(weights) {
            acc += i64::from(i32::from(*x) * i32::from(*w));
        }
        let acc = acc.clamp(-i64::from(i32::MAX), i64::from(i32::MAX));
        let v = round_shift(acc, bso(2)).clamp(-32767, 32767);
        let product = v * i64::from(bso(3)) + i64::from(bso(4)) * i64::from(bso(5));
        *result = round_shift(product, bso(6)).clamp(-128, 127) as $Y;
    }
}
""", ("round_shift",)),
    "max_pool_2d": (
        _pool("let mut acc = i32::MIN;", "acc = acc.max(i32::from(x[pixel + c]));", "acc"), (),
    ),
    "average_pool_2d": (
        _pool(
            "let (mut acc, mut count) = (0i32, 0i32);",
            "acc += i32::from(x[pixel + c]);\n                    count += 1;",
            "((if acc > 0 { acc + count / 2 } else { acc - count / 2 }) / count)",
        ),
        (),
    ),
    "add": (_ELEMENTWISE.replace("$EACH", _ADD), ("requantize", "advance", "place")),
    "multiply": (_ELEMENTWISE.replace("$EACH", _MUL), ("requantize", "advance", "place")),
    "squared_difference": (_ELEMENTWISE.replace("$EACH", _SQUARED_DIFFERENCE), ("requantize", "advance", "place")),
    "prelu": (_ELEMENTWISE.replace("$EACH", _PRELU), ("requantize", "advance", "place")),
    "maximum": (_ELEMENTWISE.replace("$EACH", "*result = left.max(right) as $Y;"), ("advance", "place")),
    "minimum": (_ELEMENTWISE.replace("$EACH", "*result = left.min(right) as $Y;"), ("advance", "place")),
    "add_powers": (
        _ELEMENTWISE.replace(
            "$EACH",
            "let sum = rounding_divide(left, p.a_shift) + p.b_sign * rounding_divide(right, p.b_shift);\n"
            "        *result = sum.clamp(-32768, 32767).clamp(p.low, p.high) as $Y;",
        ),
        ("rounding_divide", "advance", "place"),
    ),
    "reduce_extreme": (
        REDUCE.replace("$BEGIN", "let mut acc = x[start as usize];")
        .replace("$EACH", "acc = if p.sign > 0 { acc.max(x[at]) } else { acc.min(x[at]) };")
        .replace("$END", "acc"),
        ("advance", "place"),
    ),
    **rust_more_kernels.KERNELS,
    **rust_plain_kernels.KERNELS,
    **rust_detection_kernels.KERNELS,
    **rust_lstm_kernels.KERNELS,
    "requantize_all": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.iter().zip(y) {
        let result = requantize($WIDE - p.x_zero, p.mantissa, p.shift) + p.y_zero;
        *y = result.clamp(p.low, p.high) as $Y;
    }
}
""", ("requantize",)),
    "lookup": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.iter().zip(y) {
        *y = p.table[(i32::from(*x) - p.x_min) as usize];
    }
}
""", ()),
    "quantize_float": ("""
/// Between float32 and integers.
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.iter().zip(y) {
        let steps = *x / p.scale;
        let mut whole = i32::MIN; // what does not fit becomes the lowest value, as x86 converts
        if steps > -2147483648.0 && steps < 2147483648.0 {
            whole = steps as i32;
            let rest = steps - whole as f32;
            whole += if rest >= 0.5 { 1 } else if rest <= -0.5 { -1 } else { 0 }; // halves away from zero
        }
        *y = whole.wrapping_add(p.y_zero).clamp(p.low, p.high) as $Y;
    }
}
""", ()),
    "dequantize_float": ("""
/// Between float32 and integers.
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.iter().zip(y) {
        *y = (p.scale * f64::from(i32::from(*x) - p.x_zero)) as $Y;
    }
}
""", ()),
    "softmax": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let depth = p.depth as usize;
    for (row, out) in x.chunks_exact(depth).zip(y.chunks_exact_mut(depth)) {
        let largest = row.iter().copied().map(i32::from).max().unwrap_or(0);
        let mut total = 0u32; // 12 integer bits
        for x in row {
            let below = largest - i32::from(*x);
            total = total.wrapping_add(rounding_divide(p.exponentials[below as usize], 12) as u32);
        }
        let bits = 32 - total.leading_zeros() as i32;
        let factor = one_over_one_plus_x(((total << (32 - bits)) - 0x8000_0000) as i32); // 1 / total in (1/2, 1]
        for (x, y) in row.iter().zip(out) {
            let below = largest - i32::from(*x);
            let product = high_mul(p.exponentials[below as usize], factor);
            let result = rounding_divide(product, bits + 11 - p.out_bits) + p.low;
            *y = (if below > p.reach { p.low } else { result.clamp(p.low, p.high) }) as $Y;
        }
    }
}
""", ("rounding_divide", "high_mul", "one_over_one_plus_x")),
    "mean": (
        REDUCE.replace("$BEGIN", "let mut acc = -p.elements * p.x_zero;")
        .replace("$EACH", "acc += i32::from(x[at]);")
        .replace("$END", "(requantize(acc, p.mantissa, p.shift) + p.y_zero).clamp(p.low, p.high) as $Y"),
        ("requantize", "advance", "place"),
    ),
    "arg_max": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (length, inner) = (p.length as usize, p.inner as usize);
    for (index, result) in y.iter_mut().enumerate() {
        let first = index / inner * length * inner + index % inner;
        let mut best = 0;
        for k in 1..length {
            let (candidate, present) = (x[first + k * inner], x[first + best * inner]);
            if (p.sign > 0 && candidate > present) || (p.sign < 0 && candidate < present) {
                best = k;
            }
        }
        *result = best as $Y;
    }
}
""", ()),
    "resize_bilinear": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (rows, columns) = (p.out_h as usize, p.out_w as usize);
    let (in_w, channels) = (p.in_w as usize, p.channels as usize);
    for (index, result) in y.iter_mut().enumerate() {
        let (c, place) = (index % channels, index / channels);
        let (j, i, b) = (place % columns, place / columns % rows, place / columns / rows);
        let image = &x[b * p.in_h as usize * in_w * channels..];
        let at = |row: i32, column: i32| i64::from(image[(row as usize * in_w + column as usize) * channels + c]);
        let (top, bottom, dy) = (p.rows[i], p.rows[rows + i], i64::from(p.rows[2 * rows + i]));
        let (left, right) = (p.columns[j], p.columns[columns + j]);
        let dx = i64::from(p.columns[2 * columns + j]);
        let acc = (at(top, left) * (1024 - dy) + at(bottom, left) * dy) * (1024 - dx)
            + (at(top, right) * (1024 - dy) + at(bottom, right) * dy) * dx;
        let magnitude = (acc.abs() + (1 << 19)) >> 20;
        *result = (if acc < 0 { -magnitude } else { magnitude }) as $Y;
    }
}
""", ()),
    "fill": ("""
pub fn $F(y: &mut [$Y], p: &$P) {
    y.fill(p.value as $Y);
}
""", ()),
    "copy": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let size = p.size as usize;
    y[..size].copy_from_slice(&x[..size]);
}
""", ()),
    "copy_block": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let mut at = [0i32; 8];
    let at = &mut at[..p.count.len()];
    loop {
        y[(p.y_offset + place(at, p.y_stride)) as usize] = x[(p.x_offset + place(at, p.x_stride)) as usize];
        if !advance(at, p.count) {
            return;
        }
    }
}
""", ("advance", "place")),
    "copy_indexed": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let mut at = [0i32; 8];
    let at = &mut at[..p.count.len()];
    loop {
        let (mut from, mut start) = (0, 0);
        for (place, count) in at.iter().zip(p.count) {
            from += p.index[(start + place) as usize];
            start += count;
        }
        y[(p.y_offset + place(at, p.y_stride)) as usize] = x[from as usize];
        if !advance(at, p.count) {
            return;
        }
    }
}
""", ("advance", "place")),
    **rust_float_kernels.KERNELS,
}  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Functions of real numbers in Rust, as text: core has none. They compute in f64 and are rounded to f32 once.

The formulas are those of :mod:`tflite2x.export.c_float_helpers`, operation by operation, and so are the results.
"""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "limit": """
fn limit(x: f32, low: f32, high: f32) -> f32 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}
""",
    "exp_of": """
/// e^x = 2^n * e^r with |r| <= log(2) / 2, and the series of e^r.
fn exp_of(x: f64) -> f64 {
    if !(-709.0..=709.0).contains(&x) {
        return if x > 0.0 { f64::INFINITY } else if x < 0.0 { 0.0 } else { x };
    }
    let n = (x * 1.4426950408889634 + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
    let r = (x - f64::from(n) * 6.93147180369123816490e-01) - f64::from(n) * 1.90821492927058770002e-10;
    let mut sum = 1.0;
    for k in (1..15).rev() {
        sum = 1.0 + r * sum / f64::from(k);
    }
    sum * f64::from_bits(((n + 1023) as u64) << 52)
}
""",
    "exp_minus_1": """
/// e^x - 1 for x <= 0, also near zero.
fn exp_minus_1(x: f64) -> f64 {
    if x < -0.01 {
        return exp_of(x) - 1.0;
    }
    let mut sum = 1.0;
    for k in (2..8).rev() {
        sum = 1.0 + x * sum / f64::from(k);
    }
    x * sum
}
""",
    "log_of": """
/// log(m * 2^n) = n * log(2) + 2 * artanh((m - 1) / (m + 1)) with m in [sqrt(1/2), sqrt(2)).
fn log_of(x: f64) -> f64 {
    if !(x > 0.0 && x <= 1e300) {
        return if x > 0.0 { x } else if x == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    }
    let bits = x.to_bits();
    let mut n = (bits >> 52) as i32 - 1022;
    let mut m = f64::from_bits((bits & 0xF_FFFF_FFFF_FFFF) | (1022 << 52));
    if m < 0.7071067811865476 {
        m *= 2.0;
        n -= 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let mut sum = 0.0;
    for k in (0..12).rev() {
        sum = sum * s * s + 1.0 / f64::from(2 * k + 1);
    }
    f64::from(n) * 0.6931471805599453 + 2.0 * s * sum
}
""",
    "sqrt_of": """
/// Newton's method from half of the exponent; rounded to f32 it is exact.
fn sqrt_of(x: f32) -> f32 {
    if !(x > 0.0 && x <= f32::MAX) {
        return if x < 0.0 { f32::NAN } else { x };
    }
    let square = f64::from(x);
    let mut root = f64::from_bits((square.to_bits() >> 1) + (1023 << 51));
    for _ in 0..6 {
        root = 0.5 * (root + square / root);
    }
    root as f32
}
""",
    "tanh_of": """
fn tanh_of(x: f64) -> f64 {
    let a = if x < 0.0 { -x } else { x };
    if a < 0.0078125 {
        return x - x * x * x / 3.0 + 2.0 * x * x * x * x * x / 15.0;
    }
    let e = exp_of(2.0 * if a > 20.0 { 20.0 } else { a });
    let t = if a > 20.0 { 1.0 } else { (e - 1.0) / (e + 1.0) };
    if x < 0.0 {
        -t
    } else {
        t
    }
}
""",
    "erfc_of": """
/// 1 - erf(x): the series of erf near zero, the continued fraction of erfc beyond.
fn erfc_of(x: f64) -> f64 {
    let a = if x < 0.0 { -x } else { x };
    let tail = if a > 26.0 {
        0.0
    } else if a < 3.0 {
        let (mut term, mut sum) = (a, a);
        for k in 1..80 {
            term *= 2.0 * a * a / f64::from(2 * k + 1);
            sum += term;
        }
        1.0 - 1.1283791670955126 * exp_of(-a * a) * sum
    } else {
        let mut below = a;
        for k in (1..61).rev() {
            below = a + 0.5 * f64::from(k) / below;
        }
        0.5641895835477563 * exp_of(-a * a) / below
    };
    if x < 0.0 {
        2.0 - tail
    } else {
        tail
    }
}
""",
    "pow_of": """
fn pow_of(x: f64, y: f64) -> f64 {
    if x == 1.0 || y == 0.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let (a, size) = (if x < 0.0 { -x } else { x }, if y < 0.0 { -y } else { y });
    let whole = size >= 9007199254740992.0 || size == (size as i64) as f64;
    let odd = size < 9007199254740992.0 && whole && (size as i64) & 1 != 0;
    if x < 0.0 && !whole {
        return f64::NAN;
    }
    let result = if a == 0.0 {
        if y < 0.0 { f64::INFINITY } else { 0.0 }
    } else if a == 1.0 {
        1.0
    } else {
        exp_of(y * log_of(a))
    };
    if x < 0.0 && odd {
        -result
    } else {
        result
    }
}
""",
    "floor_of": """
fn floor_of(x: f32) -> f32 {
    if !(x > -8388608.0 && x < 8388608.0) {
        return x;
    }
    let whole = (x as i32) as f32;
    if whole > x {
        whole - 1.0
    } else {
        whole
    }
}
""",
    "round_of": """
/// Halves to even.
fn round_of(x: f32) -> f32 {
    if !(x > -8388608.0 && x < 8388608.0) {
        return x;
    }
    let (whole, odd) = ((x as i32) as f32, (x as i32) & 1 != 0);
    let rest = x - whole;
    if rest > 0.5 || (rest == 0.5 && odd) {
        whole + 1.0
    } else if rest < -0.5 || (rest == -0.5 && odd) {
        whole - 1.0
    } else {
        whole
    }
}
""",
    "logistic_of": """
fn logistic_of(x: f32) -> f32 {
    if x < -9.0 {
        return exp_of(f64::from(x)) as f32;
    }
    1.0 / (1.0 + exp_of(f64::from(-x)) as f32)
}
""",
}

NEEDS: dict[str, tuple[str, ...]] = {
    "exp_minus_1": ("exp_of",),
    "tanh_of": ("exp_of",),
    "erfc_of": ("exp_of",),
    "pow_of": ("exp_of", "log_of"),
    "logistic_of": ("exp_of",),
}

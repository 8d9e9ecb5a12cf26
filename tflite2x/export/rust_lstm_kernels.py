# SPDX-License-Identifier: Apache-2.0
"""An int8 LSTM in Rust, as text; see :mod:`tflite2x.export.rust_kernels`."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "clamp_16": """
fn clamp_16(x: i32) -> i32 {
    x.clamp(-32768, 32767)
}
""",
    "high_mul_16": """
/// a * b / 2^15, rounded half up.
fn high_mul_16(a: i32, b: i32) -> i32 {
    ((a * b + (1 << 14)) >> 15).min(32767)
}
""",
    "exp_16": """
/// e^a for a <= 0 with so many integer bits; 15 fractional bits (gemmlowp exp_on_negative_values).
fn exp_16(a: i32, integer_bits: i32) -> i32 {
    let factors = [25520, 19875, 12055, 4435, 600, 11, 0]; // e^-(2^k), k from -2 on
    let fraction = 15 - integer_bits;
    let quarter = 1 << (fraction - 2);
    let reduced = (a & (quarter - 1)) - quarter;
    let rest = reduced - a;
    let x = clamp_16(reduced << integer_bits) + (1 << 12);
    let x2 = high_mul_16(x, x);
    let (x3, x4) = (high_mul_16(x2, x), high_mul_16(x2, x2));
    let higher = rounding_divide(high_mul_16(rounding_divide(x4, 2) + x3, 10923) + x2, 1);
    let mut result = clamp_16(28918 + high_mul_16(28918, x + higher));
    for k in -2..integer_bits.min(5) {
        if rest >> (fraction + k) & 1 != 0 {
            result = high_mul_16(result, factors[(k + 2) as usize]);
        }
    }
    if integer_bits > 5 && a < -(1 << (fraction + 5)) {
        result = 0;
    }
    if a == 0 {
        32767
    } else {
        result
    }
}
""",
    "newton_16": """
/// 2 / (1 + a) with 13 fractional bits, for a in [0, 1] with 15.
fn newton_16(a: i32) -> i32 {
    let half = (a + (1 << 15)) >> 1;
    let mut x = 23130 + high_mul_16(half, -15420);
    for _ in 0..3 {
        x += clamp_16(high_mul_16(x, (1 << 13) - high_mul_16(half, x)) * 4);
    }
    x
}
""",
    "logistic_16": """
/// 1 / (1 + e^-a) for a with 3 integer bits; 15 fractional bits.
fn logistic_16(a: i32) -> i32 {
    let positive = clamp_16(newton_16(exp_16(-a.abs(), 3)) * 2);
    match a {
        0 => 1 << 14,
        1.. => positive,
        _ => 32767 - positive,
    }
}
""",
    "tanh_16": """
/// tanh(a) for a with so many integer bits; 15 fractional bits.
fn tanh_16(a: i32, integer_bits: i32) -> i32 {
    a.signum() * clamp_16((newton_16(exp_16(-a.abs(), integer_bits + 1)) - (1 << 13)) * 4)
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
/// y: h and c of every row of the batch, then all h.
pub fn $F(x: &[$X], old: &[$X2], y: &mut [$Y], p: &$P) {
    let (n, depth) = (p.units as usize, p.depth as usize);
    y[..old.len()].copy_from_slice(old);
    let (states, results) = y.split_at_mut(old.len());
    for t in 0..p.time as usize {
        for (b, state) in states.chunks_exact_mut(2 * n).enumerate() {
            let place = b * p.x_batch as usize + t * p.x_time as usize;
            let (row, result) = (&x[place * depth..][..depth], &mut results[place * n..][..n]);
            let (h, c) = state.split_at_mut(n);
            for (u, result) in result.iter_mut().enumerate() {
                let mut gate = [0i32; 4];
                for (g, gate) in gate.iter_mut().enumerate() {
                    let at = g * n + u;
                    let (mut total, mut below) = (p.bias[at], p.recurrent_bias[at]);
                    for (w, v) in p.weights[at * depth..][..depth].iter().zip(row) {
                        total += i32::from(*w) * i32::from(*v);
                    }
                    for (w, v) in p.recurrent[at * n..][..n].iter().zip(h.iter()) {
                        below += i32::from(*w) * i32::from(*v);
                    }
                    *gate = clamp_16(
                        clamp_16(requantize(below, p.mantissa[4 + g], p.shift[4 + g]))
                            + clamp_16(requantize(total, p.mantissa[g], p.shift[g])),
                    );
                }
                let update = logistic_16(gate[0]) * tanh_16(gate[2], 3);
                let kept = rounding_divide(logistic_16(gate[1]) * i32::from(c[u]), 15) as i16;
                let added = rounding_divide(update, 30 + p.cell_exponent) as i16;
                let mut next = clamp_16(i32::from(kept) + i32::from(added));
                if p.cell_clip > 0 {
                    next = next.clamp(-p.cell_clip, p.cell_clip);
                }
                c[u] = next as $Y;
                let product = logistic_16(gate[3]) * tanh_16(next, 15 + p.cell_exponent);
                *result = (requantize(product, p.h_mantissa, p.h_shift) + p.h_zero).clamp(-128, 127) as $Y;
            }
            h.copy_from_slice(result); // all gates have read the old one
        }
    }
}
""", ("clamp_16", "requantize", "rounding_divide", "logistic_16", "tanh_16")),
}  # fmt: skip

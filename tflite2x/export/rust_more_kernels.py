# SPDX-License-Identifier: Apache-2.0
"""More functions of generated Rust code, as text: matrices, windows of the past, int16 functions."""

from __future__ import annotations

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "batch_matmul": ("""
pub fn $F(a: &[$X], b: &[$X2], y: &mut [$Y], p: &$P) {
    let (rows, depth, columns) = (p.rows as usize, p.depth as usize, p.columns as usize);
    for (index, result) in y.iter_mut().enumerate() {
        let (m, i, j) = (index / columns / rows, index / columns % rows, index % columns);
        let row = &a[p.a_at[m] as usize * rows * depth + i * p.a_row as usize..];
        let column = &b[p.b_at[m] as usize * depth * columns + j * p.b_column as usize..];
        let mut acc = 0;
        for k in 0..depth {
            let (left, right) = (row[k * p.a_depth as usize], column[k * p.b_depth as usize]);
            acc += (i32::from(left) - p.a_zero) * (i32::from(right) - p.b_zero);
        }
        *result = (requantize(acc, p.mantissa, p.shift) + p.y_zero).clamp(p.low, p.high) as $Y;
    }
}
""", ("requantize",)),
    "svdf_update": ("""
pub fn $F(x: &[$X], old: &[$X2], state: &mut [$Y], p: &$P) {
    let (depth, memory, filters) = (p.depth as usize, p.memory as usize, p.filters as usize);
    for (index, (old, state)) in old.chunks_exact(memory).zip(state.chunks_exact_mut(memory)).enumerate() {
        let (row, f) = (&x[index / filters * depth..], index % filters);
        let mut acc = 0;
        for (x, w) in row.iter().zip(&p.weights[f * depth..(f + 1) * depth]) {
            acc += (i32::from(*x) - p.x_zero) * i32::from(*w);
        }
        state[..memory - 1].copy_from_slice(&old[1..]);
        state[memory - 1] = requantize(acc, p.mantissa, p.shift).clamp(p.low, p.high) as $Y;
    }
}
""", ("requantize",)),
    "svdf_output": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (units, length) = (p.units as usize, (p.rank * p.memory) as usize);
    for (index, (window, result)) in x.chunks_exact(length).zip(y).enumerate() {
        let u = index % units;
        let mut acc = p.bias[u];
        for (x, w) in window.iter().zip(&p.weights[u * length..(u + 1) * length]) {
            acc = acc.wrapping_add(i32::from(*x) * i32::from(*w));
        }
        *result = (requantize(acc, p.mantissa, p.shift) + p.y_zero).clamp(p.low, p.high) as $Y;
    }
}
""", ("requantize",)),
    "interpolate": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.iter().zip(y) {
        *y = interpolate_16(p.table, i32::from(*x)) as $Y;
    }
}
""", ("interpolate_16",)),
    "softmax_16": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let depth = p.depth as usize;
    for (x, y) in x.chunks_exact(depth).zip(y.chunks_exact_mut(depth)) {
        let largest = x.iter().fold(i32::MIN, |most, v| most.max(i32::from(*v)));
        let mut total = 0;
        for (v, y) in x.iter().zip(y.iter_mut()) {
            let below = requantize(i32::from(*v) - largest, p.mantissa, p.shift) + 32767;
            *y = interpolate_16(p.exponential, below.clamp(-32768, 32767)) as $Y;
            total += i32::from(*y);
        }
        let bits = 32 - total.leading_zeros();
        let shifted = ((i64::from(total) << (31 - bits)) + (1 << 13)) >> 14;
        let at = (shifted as i32 - (1 << 15) - (1 << 16)).clamp(-32768, 32767);
        let factor = i64::from(interpolate_16(p.reciprocal, at));
        for y in y {
            *y = ((i64::from(*y) * factor + (1i64 << (bits - 2))) >> (bits - 1)).clamp(0, 32767) as $Y;
        }
    }
}
""", ("requantize", "interpolate_16")),
    "sigmoid_16": ("""
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.iter().zip(y) {
        let v = (i32::from(*x) * p.multiplier + p.rounding) >> p.shift;
        let (index, part) = ((v.abs() >> p.bits) as usize, v.abs() & ((1 << p.bits) - 1));
        let mut result = p.beyond;
        if index < 255 {
            result = (p.table[index] << p.bits) + part * (p.table[index + 1] - p.table[index]);
        }
        result -= p.offset;
        let turned = if v < 0 { p.mirror - result - 1 } else { result };
        *y = ((turned + p.half) >> p.down) as $Y;
    }
}
""", ()),
}  # fmt: skip

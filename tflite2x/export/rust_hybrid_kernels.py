# SPDX-License-Identifier: Apache-2.0
"""Layers with integer weights and f32 activations in Rust, as text; see :mod:`tflite2x.export.rust_kernels`."""

from __future__ import annotations

from tflite2x.export.rust_loops import PLACES, WINDOW

_SYMMETRIC = """
/// Per row: the scale, its inverse, and the zero point, which is 0.
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.chunks_exact(p.depth as usize).zip(y.chunks_exact_mut(3)) {
        let mut extent = 0.0;
        for v in x {
            let magnitude = if *v < 0.0 { -*v } else { *v };
            extent = if magnitude > extent { magnitude } else { extent };
        }
        y[0] = if extent == 0.0 { 1.0 } else { extent / 127.0 };
        y[1] = 127.0 / if extent == 0.0 { 1.0 } else { extent };
        y[2] = 0.0;
    }
}
"""

_ASYMMETRIC = """
/// Per row: the scale, its inverse, and the zero point, from the end of the range that is nearer to a whole number.
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    for (x, y) in x.chunks_exact(p.depth as usize).zip(y.chunks_exact_mut(3)) {
        let (mut low, mut high) = (0.0f32, 0.0f32);
        for v in x {
            low = if *v < low { *v } else { low };
            high = if *v > high { *v } else { high };
        }
        let step = if low == high { 1.0 } else { f64::from(high - low) / 255.0 };
        let (below, above) = (f64::from(low) / step, f64::from(high) / step);
        let zero = if 128.0 - below < 127.0 + above { -128.0 - below } else { 127.0 - above };
        y[0] = step as f32;
        y[1] = 1.0 / y[0];
        y[2] = if low == high {
            0.0
        } else if zero <= -128.0 {
            -128.0
        } else if zero >= 127.0 {
            127.0
        } else {
            ((zero + if zero < 0.0 { -0.5 } else { 0.5 }) as i32) as f32
        };
    }
}
"""

_QUANTIZE = """
pub fn $F(x: &[$X], scales: &[$X2], y: &mut [$Y], p: &$P) {
    let (depth, last) = (p.depth as usize, p.whole as usize);
    for ((x, y), scales) in x.chunks_exact(depth).zip(y.chunks_exact_mut(depth)).zip(scales.chunks_exact(3)) {
        for (k, (v, y)) in x.iter().zip(y).enumerate() {
            let steps = limit(v * scales[1], -1024.0, 1024.0);
            let mut whole = ((steps + if steps < 0.0 { -0.5 } else { 0.5 }) as i32) as f32;
            if k >= last {
                // LiteRT's way to round the last elements
                let rest = steps - (steps as i32) as f32;
                let more = if rest >= 0.5 { 1.0 } else if rest <= -0.5 { -1.0 } else { 0.0 };
                whole = (steps as i32) as f32 + more;
            }
            *y = (limit(whole + scales[2], p.low as f32, 127.0) - scales[2]) as $Y;
        }
    }
}
"""

_FULLY_CONNECTED = """
pub fn $F(x: &[$X], scales: &[$X2], y: &mut [$Y], p: &$P) {
    let (depth, units) = (p.depth as usize, p.units as usize);
    for ((row, out), scales) in x.chunks_exact(depth).zip(y.chunks_exact_mut(units)).zip(scales.chunks_exact(3)) {
        for (o, weights) in p.weights.chunks_exact(depth).enumerate() {
            let mut acc = 0i32;
            for (x, w) in row.iter().zip(weights) {
                acc += i32::from(*x) * i32::from(*w);
            }
            out[o] = limit(acc as f32 * (scales[0] * p.scale[o]) + p.bias[o], p.low, p.high);
        }
    }
}
"""

_HEAD = PLACES.replace("$BEGIN", "let mut acc = 0i32;")
_TAIL = """                }
            }
            let scale = scales[b as usize * 3];
            let joined = acc as f32 * (scale * p.scale[o]);
            let value = if p.joined != 0 { joined } else { acc as f32 * p.scale[o] * scale };
            *result = limit(value + p.bias[o], p.low, p.high);
        }
    }
}
"""

_CONV_2D = f"""
pub fn $F(x: &[$X], scales: &[$X2], y: &mut [$Y], p: &$P) {{
    let (ins, outs) = ((p.in_c / p.groups) as usize, (p.out_c / p.groups) as usize);
{_HEAD}{WINDOW}                    let pixel = ((b * p.in_h + in_row) * p.in_w + in_column) * p.in_c;
                    let first = pixel as usize + o / outs * ins;
                    let weight = ((o as i32 * p.kernel_h + i) * p.kernel_w + j) as usize * ins;
                    for (x, w) in x[first..first + ins].iter().zip(&p.weights[weight..weight + ins]) {{
                        acc += i32::from(*x) * i32::from(*w);
                    }}
{_TAIL}"""

_DEPTHWISE = f"""
pub fn $F(x: &[$X], scales: &[$X2], y: &mut [$Y], p: &$P) {{
    let outs = (p.out_c / p.in_c) as usize;
{_HEAD}{WINDOW}                    let pixel = (((b * p.in_h + in_row) * p.in_w + in_column) * p.in_c) as usize;
                    let weight = p.weights[((i * p.kernel_w + j) * p.out_c) as usize + o];
                    acc += i32::from(x[pixel + o / outs]) * i32::from(weight);
{_TAIL}"""

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "row_scales": (_SYMMETRIC, ()),
    "row_scales_asymmetric": (_ASYMMETRIC, ()),
    "quantize_rows": (_QUANTIZE, ("limit",)),
    "hybrid_fully_connected": (_FULLY_CONNECTED, ("limit",)),
    "hybrid_conv_2d": (_CONV_2D, ("limit",)),
    "hybrid_depthwise_conv_2d": (_DEPTHWISE, ("limit",)),
}

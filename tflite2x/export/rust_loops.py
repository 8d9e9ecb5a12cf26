# SPDX-License-Identifier: Apache-2.0
"""Loops of generated Rust code, as text: what integer and float functions have in common.

``$BEGIN``, ``$EACH`` and ``$END`` stand for what happens before, in and after the innermost loop; the other names are
those of :mod:`tflite2x.export.rust_kernels`.
"""

from __future__ import annotations

#: All taps of a convolution inside of the input.
WINDOW = """            for i in 0..p.kernel_h {
                let in_row = row * p.stride_h - p.pad_top + i * p.dilation_h;
                for j in 0..p.kernel_w {
                    let in_column = column * p.stride_w - p.pad_left + j * p.dilation_w;
                    if in_row < 0 || in_row >= p.in_h || in_column < 0 || in_column >= p.in_w {
                        continue; // outside of the input nothing is added
                    }
"""

#: All outputs of a convolution.
PLACES = """    let places = p.out_h * p.out_w;
    for (index, out) in y.chunks_exact_mut(p.out_c as usize).enumerate() {
        let (b, place) = (index as i32 / places, index as i32 % places);
        let (row, column) = (place / p.out_w, place % p.out_w);
        for (o, result) in out.iter_mut().enumerate() {
            $BEGIN
"""

#: Transposed convolution: over all channels ``x`` and weights ``w`` of the input pixels that reach an output.
TRANSPOSED_TAPS = (
    """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let ins = p.in_c as usize;
"""
    + PLACES
    + """            for in_row in 0..p.in_h {
                let i = row + p.pad_top - in_row * p.stride_h;
                if i < 0 || i >= p.kernel_h {
                    continue; // this input row does not reach here
                }
                for in_column in 0..p.in_w {
                    let j = column + p.pad_left - in_column * p.stride_w;
                    if j < 0 || j >= p.kernel_w {
                        continue;
                    }
                    let first = ((b * p.in_h + in_row) * p.in_w + in_column) as usize * ins;
                    let weight = ((o as i32 * p.kernel_h + i) * p.kernel_w + j) as usize * ins;
                    for (x, w) in x[first..first + ins].iter().zip(&p.weights[weight..weight + ins]) {
                        $EACH
                    }
                }
            }
            $END
        }
    }
}
"""
)

#: Pooling: over all values of a window.
POOL = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let places = p.out_h * p.out_w;
    for (index, out) in y.chunks_exact_mut(p.channels as usize).enumerate() {
        let (b, place) = (index as i32 / places, index as i32 % places);
        let (row, column) = (place / p.out_w, place % p.out_w);
        for (c, result) in out.iter_mut().enumerate() {
            $BEGIN
            for i in 0..p.kernel_h {
                let in_row = row * p.stride_h - p.pad_top + i;
                for j in 0..p.kernel_w {
                    let in_column = column * p.stride_w - p.pad_left + j;
                    if in_row < 0 || in_row >= p.in_h || in_column < 0 || in_column >= p.in_w {
                        continue; // what lies outside does not count
                    }
                    let pixel = (((b * p.in_h + in_row) * p.in_w + in_column) * p.channels) as usize;
                    $EACH
                }
            }
            *result = $END;
        }
    }
}
"""

#: A function of two inputs that broadcast, ``left`` and ``right``.
ELEMENTWISE = """
pub fn $F(a: &[$X], b: &[$X2], y: &mut [$Y], p: &$P) {
    let mut at = [0i32; 8];
    let at = &mut at[..p.count.len()];
    for result in y.iter_mut() {
        let left = $LEFT;
        let right = $RIGHT;
        $EACH
        advance(at, p.count);
    }
}
"""

#: A reduction: over all values ``x[at]`` that become one.
REDUCE = """
pub fn $F(x: &[$X], y: &mut [$Y], p: &$P) {
    let (count, stride) = p.kept.split_at(p.kept_rank as usize);
    let (inner_count, inner_stride) = p.reduced.split_at(p.reduced_rank as usize);
    let (mut at, mut inner) = ([0i32; 8], [0i32; 8]);
    let (at, inner) = (&mut at[..count.len()], &mut inner[..inner_count.len()]);
    for result in y.iter_mut() {
        let start = place(at, stride);
        $BEGIN
        loop {
            let at = (start + place(inner, inner_stride)) as usize;
            $EACH
            if !advance(inner, inner_count) {
                break;
            }
        }
        *result = $END;
        advance(at, count);
    }
}
"""

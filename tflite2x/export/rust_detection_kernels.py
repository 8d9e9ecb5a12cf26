# SPDX-License-Identifier: Apache-2.0
"""TFLite_Detection_PostProcess in Rust, as text; see :mod:`tflite2x.export.rust_kernels`."""

from __future__ import annotations

_BOXES = """
/// Corners from centres and sizes relative to anchors.
pub fn $F(e: &[$X], a: &[$X2], y: &mut [$Y], p: &$P) {
    let scales = [p.y, p.x, p.h, p.w];
    for ((e, a), y) in e.chunks_exact(p.width as usize).zip(a.chunks_exact(4)).zip(y.chunks_exact_mut(4)) {
        let (mut anchor, mut relative) = ([0f64; 4], [0f64; 4]);
        for k in 0..4 {
            anchor[k] = f64::from((a[k] as f32 - p.a_zero) * p.a_scale);
            relative[k] = f64::from((e[k] as f32 - p.e_zero) * p.e_scale) / f64::from(scales[k]);
        }
        for k in 0..2 {
            let middle = (relative[k] * anchor[k + 2] + anchor[k]) as f32;
            let half = (0.5 * exp_of(relative[k + 2]) * anchor[k + 2]) as f32;
            y[k] = middle - half;
            y[k + 2] = middle + half;
        }
    }
}
"""

_OVERLAP = """
/// Whether two boxes share more than a part of their common area.
fn overlapping(a: &[f32], b: &[f32], most: f32) -> bool {
    let (area_a, area_b) = ((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]));
    let height = (if a[2] < b[2] { a[2] } else { b[2] }) - (if a[0] > b[0] { a[0] } else { b[0] });
    let width = (if a[3] < b[3] { a[3] } else { b[3] }) - (if a[1] > b[1] { a[1] } else { b[1] });
    let common = (if height > 0.0 { height } else { 0.0 }) * (if width > 0.0 { width } else { 0.0 });
    area_a > 0.0 && area_b > 0.0 && common / (area_a + area_b - common) > most
}
"""

_CHOICE = """
/// y: the number of detections; their boxes, classes and scores; memory for the scores that are left.
pub fn $F(boxes: &[$X], scores: &[$X2], y: &mut [$Y], p: &$P) {
    let (size, regular, classes) = (p.size as usize, p.regular != 0, p.classes as usize);
    y[..1 + 3 * size].fill(0.0);
    let (head, rest) = y.split_at_mut(1);
    let (places, rest) = rest.split_at_mut(size);
    let (kinds, rest) = rest.split_at_mut(size);
    let (values, left) = rest.split_at_mut(size);
    let real = |i: usize, c: usize| (scores[i * p.columns as usize + p.first as usize + c] as f32 - p.zero) * p.scale;
    let mut count = 0;
    for round in 0..if regular { classes } else { 1 } {
        for (i, left) in left.iter_mut().enumerate() {
            *left = real(i, round);
            for c in 1..if regular { 1 } else { classes } {
                let score = real(i, c); // the best class of the box
                *left = if score > *left { score } else { *left };
            }
        }
        for _ in 0..if regular { p.per_class as usize } else { size } {
            let mut found = None;
            for (i, score) in left.iter().enumerate() {
                if *score >= p.least && found.map_or(true, |best: usize| *score > left[best]) {
                    found = Some(i);
                }
            }
            let Some(best) = found else { break };
            let (value, mut kind) = (left[best], round);
            while !regular && real(best, kind) != value {
                kind += 1;
            }
            let mut at = count; // behind all that are as good
            while at > 0 && values[at - 1] < value {
                at -= 1;
            }
            count = if count < size { count + 1 } else { count };
            for i in (at + 1..count).rev() {
                places[i] = places[i - 1];
                kinds[i] = kinds[i - 1];
                values[i] = values[i - 1];
            }
            if at < size {
                places[at] = best as f32;
                kinds[at] = kind as f32;
                values[at] = value;
            }
            for (i, score) in left.iter_mut().enumerate() {
                if i == best || overlapping(&boxes[best * 4..], &boxes[i * 4..], p.overlap) {
                    *score = f32::NAN; // less than nothing
                }
            }
        }
    }
    head[0] = count as f32;
}
"""

_PART = """
pub fn $F(boxes: &[$X], choice: &[$X2], y: &mut [$Y], p: &$P) {
    let (part, size) = (p.part as usize, p.size as usize);
    if part == 3 {
        y[0] = choice[0];
    } else if part != 0 {
        y.copy_from_slice(&choice[1 + part * size..1 + (part + 1) * size]);
    } else {
        y.fill(0.0);
        for (row, place) in y.chunks_exact_mut(4).zip(&choice[1..]).take(choice[0] as usize) {
            let first = *place as usize * 4;
            row.copy_from_slice(&boxes[first..first + 4]);
        }
    }
}
"""

HELPERS: dict[str, str] = {"overlapping": _OVERLAP}

#: Function -> its text, and the helpers that it calls.
KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "detection_boxes": (_BOXES, ("exp_of",)),
    "detection_choice": (_CHOICE, ("overlapping",)),
    "detection_part": (_PART, ()),
}

# SPDX-License-Identifier: Apache-2.0
"""Figures without a plotting library: arrays as images, and histograms, as SVG text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.explain.page.pictures import png

Array = NDArray[Any]
TEXT = 'font-family="sans-serif" font-size="11" fill="#222"'


def grey(values: Array, low: float, high: float) -> Array:
    """Colour values from black (``low``) to white (``high``)."""
    shade = np.clip((values - low) / max(high - low, 1e-30) * 255, 0, 255).astype(np.uint8)
    return np.repeat(shade[..., None], 3, axis=-1)


def diverging(values: Array, limit: float) -> Array:
    """Colour values from blue (``-limit``) over white (0) to red (``limit``)."""
    share = np.clip(values / max(limit, 1e-30), -1, 1)
    fade = 1 - np.abs(share)
    red, blue = np.where(share >= 0, 1.0, fade), np.where(share <= 0, 1.0, fade)
    return np.asarray(np.rint(np.stack([red, fade, blue], axis=-1) * 255), np.uint8)


def images(items: Sequence[tuple[str, Array]], *, columns: int, title: str, size: int = 112) -> str:
    """Draw pictures (title, uint8 ``[h, w, 3]``) in a grid."""
    rows = -(-len(items) // columns)
    width, height = columns * (size + 12) + 12, rows * (size + 28) + 40
    parts = [f'<text x="12" y="22" {TEXT} font-weight="bold">{title}</text>']
    for i, (name, pixels) in enumerate(items):
        x, y = 12 + i % columns * (size + 12), 40 + i // columns * (size + 28)
        data = base64.b64encode(png(pixels)).decode()
        parts.append(f'<text x="{x}" y="{y + 6}" {TEXT}>{name}</text>')
        parts.append(
            f'<image x="{x}" y="{y + 12}" width="{size}" height="{size}" style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{data}"/>'
        )
    return _document(width, height, parts)


def histograms(items: Sequence[tuple[str, Array]], *, columns: int, title: str, unit: str, bins: int = 20) -> str:
    """Draw histograms (title, values) in a grid; all share the horizontal axis."""
    high = max(float(np.max(values)) for _, values in items) or 1.0
    low = min(0.0, *(float(np.min(values)) for _, values in items))
    size, tall = 130, 80
    rows = -(-len(items) // columns)
    width, height = columns * (size + 16) + 16, rows * (tall + 46) + 40
    parts = [f'<text x="16" y="22" {TEXT} font-weight="bold">{title}</text>']
    for i, (name, values) in enumerate(items):
        counts, _ = np.histogram(values, bins=bins, range=(low, high))
        x, y = 16 + i % columns * (size + 16), 46 + i // columns * (tall + 46)
        bar = size / bins
        parts.append(f'<text x="{x}" y="{y}" {TEXT}>{name}</text>')
        for k, count in enumerate(counts.tolist()):
            length = tall * count / max(1, counts.max())
            parts.append(
                f'<rect x="{x + k * bar:.1f}" y="{y + 6 + tall - length:.1f}" width="{bar - 0.5:.1f}" '
                f'height="{length:.1f}" fill="#4472a8"/>'
            )
        parts.append(f'<line x1="{x}" y1="{y + 6 + tall}" x2="{x + size}" y2="{y + 6 + tall}" stroke="#222"/>')
        parts.append(f'<text x="{x}" y="{y + tall + 20}" {TEXT}>{low:.3g}</text>')
        parts.append(f'<text x="{x + size}" y="{y + tall + 20}" {TEXT} text-anchor="end">{high:.3g} {unit}</text>')
    return _document(width, height, parts)


def _document(width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#fff"/>', *parts, "</svg>", ""])

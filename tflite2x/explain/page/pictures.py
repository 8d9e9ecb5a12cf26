# SPDX-License-Identifier: Apache-2.0
"""Weights as pictures: tiles of filters in a PNG of the standard library's making, histograms and bars in SVG."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from html import escape

import numpy as np

from tflite2x.interpreter.kernel import Array

#: Pixels of the longest side of a picture.
_SIDE = 420
#: At most so many filters are shown.
_TILES = 128


def weight_png(values: Array, axis: int) -> str:
    """Return weights as a PNG in a data address: negative blue, zero white, positive red.

    Args:
        values: At least two dimensions. The filters lie along ``axis``; what belongs to one of them becomes a tile,
            square if its length is a square number.
        axis: The dimension of output channels.
    """
    channels = np.moveaxis(values, axis, 0)[:_TILES]
    flat = channels.reshape(len(channels), -1).astype(np.float64)
    finite = np.isfinite(flat)
    limit = float(np.max(np.abs(flat), initial=0.0, where=finite)) or 1.0
    flat = np.where(finite, flat, 0.0)
    # Depthwise filters are [1, height, width, channels]: each tile is one image.
    shape = channels.shape[2:] if values.ndim == 4 and axis == 3 else channels.shape[1:]
    tiles = _tiles(flat / limit, shape)
    picture = _lay_out(tiles)
    step = max(1, math.ceil(max(picture.shape) / _SIDE))
    picture = picture[::step, ::step]
    zoom = max(1, min(6, _SIDE // max(picture.shape)))
    picture = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return "data:image/png;base64," + base64.b64encode(png(_colours(picture))).decode()


def _tiles(flat: Array, shape: tuple[int, ...]) -> Array:
    """Return [filters, height, width]."""
    count, length = flat.shape
    if len(shape) == 3 and shape[0] * shape[1] > 1:  # height, width, inputs: channels side by side
        h, w, c = shape
        shown = min(c, 8)
        part = flat.reshape(count, h, w, c)[..., :shown]
        return part.transpose(0, 1, 3, 2).reshape(count, h, shown * w)
    if len(shape) == 2:
        return flat.reshape(count, *shape)
    side = math.isqrt(length)
    if side * side == length and side > 1:
        return flat.reshape(count, side, side)
    return flat.reshape(count, 1, length)


def _lay_out(tiles: Array) -> Array:
    """Put tiles into a grid with one empty line (NaN) between them."""
    count, h, w = tiles.shape
    columns = 1 if h == 1 else max(1, min(count, round(math.sqrt(count * (h + 1) / (w + 1) * 2.5))))
    rows = math.ceil(count / columns)
    gap = 0 if h == 1 else 1
    sheet = np.full((rows * columns, h + gap, w + gap), np.nan)
    sheet[:count, :h, :w] = tiles
    grid = sheet.reshape(rows, columns, h + gap, w + gap).transpose(0, 2, 1, 3)
    return np.asarray(grid.reshape(rows * (h + gap), columns * (w + gap)))


def _colours(picture: Array) -> Array:
    """Map -1 ... 1 to blue, white, red; NaN to grey."""
    v = np.clip(np.nan_to_num(picture), -1, 1)
    fade = np.sqrt(np.abs(v))[..., None]
    tone = np.where(v[..., None] < 0, np.array([33, 102, 172]), np.array([178, 24, 43]))
    rgb = 255 * (1 - fade) + tone * fade
    rgb[np.isnan(picture)] = 225
    return np.asarray(rgb, np.uint8)


def png(rgb: Array) -> bytes:
    """Encode [height, width, 3] uint8 as a PNG file (PNG specification, filter 0)."""
    height, width, _ = rgb.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), rgb.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def histogram_svg(values: Array, title: str, bins: int = 64) -> str:
    """Return the distribution of values as SVG bars."""
    flat = values.reshape(-1)
    flat = flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat
    if not flat.size:
        return ""
    counts, edges = np.histogram(flat.astype(np.float64), bins=bins)
    width, height = 260, 90
    top = float(counts.max()) or 1.0
    step = width / bins
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{height - height * n / top:.1f}" width="{step:.1f}" '
        f'height="{height * n / top:.1f}"/>'
        for i, n in enumerate(counts)
        if n
    )
    return (
        f'<svg class="bars" role="img" aria-label="{escape(title)}" width="{width}" height="{height + 16}">{bars}'
        f'<text x="0" y="{height + 13}">{edges[0]:.4g}</text>'
        f'<text class="end" x="{width}" y="{height + 13}">{edges[-1]:.4g}</text></svg>'
    )


def line_svg(values: Sequence[float], title: str) -> str:
    """Return values (such as the scales of channels) as a small line, from 0 up."""
    width, height = 120, 26
    top = max(values) or 1.0
    step = width / max(1, len(values) - 1)
    points = " ".join(f"{i * step:.1f},{height - (height - 2) * v / top:.1f}" for i, v in enumerate(values))
    return (
        f'<svg class="line" role="img" aria-label="{escape(title)}" width="{width}" height="{height}">'
        f'<polyline points="{points}"/></svg>'
    )


def bar(share: float) -> str:
    """Return a share as a horizontal bar."""
    width = 100 * min(1.0, max(0.0, share))
    return (
        '<svg class="share" role="img" aria-hidden="true" width="100" height="10"><rect class="back" width="100" '
        f'height="10"/><rect width="{width:.1f}" height="10"/></svg>'
    )

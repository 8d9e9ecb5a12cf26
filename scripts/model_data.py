# SPDX-License-Identifier: Apache-2.0
"""Data that the models in ``models/`` are trained on: digits, synthetic sounds, random matrices.

Everything here is a function of a seed. Nothing is downloaded.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DIGITS_SOURCE = (
    "scikit-learn's bundled handwritten digits (E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, "
    "UCI Machine Learning Repository, 1998, doi 10.24432/C50P49, CC BY 4.0): 1,797 images of 8x8, resized to 28x28 by "
    "bilinear interpolation, split at random into 1,437 for training and 360 for evaluation. This is NOT MNIST; "
    "use --mnist FILE.npz for that."
)
SOUNDS = ("silence", "hum", "rise", "fall", "trill", "clicks", "knock", "two-tone")
SOUNDS_SOURCE = (
    "synthetic one-second sounds at 8 kHz in noise, eight classes (" + ", ".join(SOUNDS) + "), as 49 x 10 logarithmic "
    "mel energies (window 40 ms, hop 20 ms) in 8 bits. Made up: they stand in for speech commands."
)
MATRICES_SOURCE = "random integers from -10 to 9, as in the question that the model comes from; no labels"


@dataclasses.dataclass(frozen=True)
class Data:
    """Training and evaluation arrays of one task.

    Attributes:
        x_train: float32 [N, ...].
        y_train: Labels int64 [N], or empty when there is nothing to learn.
        x_test: float32 [M, ...], the evaluation set.
        y_test: Labels int64 [M], or empty.
        source: Where the data comes from, for the manifest.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    source: str


def resize_bilinear(images: Array, size: int) -> Array:
    """Resize ``images`` [N, h, w] to [N, size, size] with aligned pixel centres and clamped borders."""

    def weights(length: int) -> Array:
        position = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.minimum(position.astype(int), length - 2)
        matrix = np.zeros((size, length))
        matrix[np.arange(size), low] = 1 - (position - low)
        matrix[np.arange(size), low + 1] = position - low
        return matrix

    _, height, width = images.shape
    return np.einsum("ah,nhw,bw->nab", weights(height), images, weights(width))


def digits(seed: int) -> Data:
    """Handwritten digits from scikit-learn as float32 [N, 28, 28] in 0..1, in steps of 1/255."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(resize_bilinear(bunch.images, 28) * (255 / 16)).astype(np.uint8)
    order = np.random.default_rng(seed).permutation(len(pixels))
    test, train = order[:360], order[360:]
    labels = bunch.target.astype(np.int64)
    scaled = pixels.astype(np.float32) / np.float32(255)
    return Data(scaled[train], labels[train], scaled[test], labels[test], DIGITS_SOURCE)


def mnist(path: Path) -> Data:
    """The real MNIST from a file like Keras' ``mnist.npz``; evaluation on the first 360 test images."""
    with np.load(path) as file:
        x_train, x_test = (file[k].astype(np.float32) / np.float32(255) for k in ("x_train", "x_test"))
        y_train, y_test = (file[k].astype(np.int64) for k in ("y_train", "y_test"))
    return Data(x_train, y_train, x_test[:360], y_test[:360], f"MNIST ({path.name}), first 360 test images to evaluate")


def _waveforms(labels: Array, rng: np.random.Generator, rate: int = 8000) -> Array:
    """One second of sound per label, [N, rate]."""
    n = len(labels)
    time = np.arange(rate) / rate

    def draw(low: float, high: float) -> Array:
        return rng.uniform(low, high, (n, 1))

    start, length, pitch = draw(0.05, 0.4), draw(0.35, 0.55), draw(250, 900)
    local = np.clip((time - start) / length, 0, 1)
    inside = (time >= start) & (time < start + length)
    envelope = np.where(inside, np.sin(np.pi * local) ** 0.5, 0)
    glide = draw(1.3, 2.5)

    def tone(frequency: Array) -> Array:
        return np.sin(2 * np.pi * np.cumsum(np.broadcast_to(frequency, (n, rate)), axis=1) / rate)

    beats = np.sin(2 * np.pi * draw(6, 14) * time)
    burst = np.maximum(beats, 0) ** 30
    noise = rng.normal(size=(n, rate))
    sounds = np.stack(
        [
            np.zeros((n, rate)),
            envelope * (tone(pitch) + 0.5 * tone(2 * pitch) + 0.25 * tone(3 * pitch)),
            envelope * tone(pitch * glide**local),
            envelope * tone(pitch * glide ** (1 - local)),
            envelope * tone(pitch * 1.15**beats),
            1.5 * inside * burst * noise,
            2.0 * np.where(inside, np.exp(-25 * local), 0) * (tone(pitch / 2) + 0.5 * noise),
            envelope * tone(np.where(local < 0.5, pitch, pitch * glide)),
        ]
    )
    return sounds[labels, np.arange(n)] * draw(0.22, 1.0) + rng.normal(size=(n, rate)) * draw(0.02, 0.28)


def _mel_energies(sound: Array, rate: int = 8000, bands: int = 10) -> Array:
    """Logarithmic mel energies of one-second sounds, float32 [N, 49, bands] in 0..1, in steps of 1/255."""
    window, hop = rate // 25, rate // 50
    frames = np.lib.stride_tricks.sliding_window_view(sound, window, axis=1)[:, ::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), axis=2)) ** 2
    mel = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    frequency = np.fft.rfftfreq(window, 1 / rate)[:, None]
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    energy = np.log10(power @ np.clip(np.minimum(rising, falling), 0, None) + 1e-3)
    eight_bits = np.rint(np.clip((energy + 1) / 6, 0, 1) * 255)
    result: Array = eight_bits.astype(np.float32) / np.float32(255)
    return result


def sounds(seed: int) -> Data:
    """Synthetic keywords: 2,400 for training and 240 for evaluation, float32 [N, 49, 10, 1]."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(2640) % len(SOUNDS))
    # In pieces: all the frames of all the sounds at once would need gigabytes.
    features = np.concatenate([_mel_energies(_waveforms(part, rng)) for part in np.split(labels, 22)])[..., None]
    return Data(features[:2400], labels[:2400], features[2400:], labels[2400:], SOUNDS_SOURCE)


def matrices(seed: int) -> Data:
    """Random integer matrices, float32 [N, 16, 48]."""
    values = np.random.default_rng(seed).integers(-10, 10, (74, 16, 48)).astype(np.float32)
    none = np.empty(0, np.int64)
    return Data(values[:10], none, values[10:], none, MATRICES_SOURCE)

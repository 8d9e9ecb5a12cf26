# SPDX-License-Identifier: Apache-2.0
"""The custom operators ``AudioSpectrogram`` and ``Mfcc``, which LiteRT registers itself.

Sources: LiteRT audio_spectrogram.cc, internal/spectrogram.cc, mfcc.cc, internal/mfcc.cc, internal/mfcc_dct.cc and
internal/mfcc_mel_filterbank.cc. Everything is computed in float64 and rounded to float32 once, as there; results differ
by the order of the additions of the transforms, about 1e-7 of the largest value.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.kernels.layout import given
from tflite2x.interpreter.kernels.options import read_options
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import TensorType

Float64 = NDArray[np.float64]

#: The logarithm of a band sees no less than this.
_FLOOR = 1e-12


@kernel("AudioSpectrogram", types=("float32",))
def audio_spectrogram(ctx: KernelContext) -> Run:
    """AudioSpectrogram: magnitudes of the spectra of windows that follow one another.

    Takes samples [time, channels], returns [channels, windows, 1 + length / 2], where length is the window's rounded up
    to a power of two. Options: window_size, stride, magnitude_squared.
    """
    options = read_options(ctx)
    window, stride = int(options.get("window_size", 0)), int(options.get("stride", 0))
    squared = bool(options.get("magnitude_squared", False))
    if window < 2 or stride < 1:
        raise ctx.unsupported(f"window_size {window} and stride {stride}", "They must be at least 2 and 1.")
    x_spec = ctx.input(0)
    if x_spec.type != TensorType.FLOAT32 or len(x_spec.shape) != 2:
        raise ctx.unsupported(
            f"input {x_spec.type.name} of shape {list(x_spec.shape)}", "It must be float32 of rank 2."
        )
    length = 1 << (window - 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        signal = given(inputs[0]).swapaxes(1, 2)  # [N, channels, time]
        if signal.shape[2] < window:
            return [np.zeros((*signal.shape[:2], 0, 1 + length // 2), np.float32)]
        windows = np.lib.stride_tricks.sliding_window_view(signal, window, axis=2)[:, :, ::stride]
        spectrum = np.fft.rfft(windows * hann, length)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        return [power if squared else np.sqrt(power)]

    return run


@kernel("Mfcc", types=("float32 x int32 -> float32",))
def mfcc(ctx: KernelContext) -> Run:
    """Mfcc: the cosine transform of the logarithms of mel bands.

    Takes squared magnitudes [channels, windows, bins] and the sample rate, returns [channels, windows, coefficients].
    Options: lower_frequency_limit, upper_frequency_limit, filterbank_channel_count, dct_coefficient_count. All outputs
    are 0 where the upper limit lies above the highest bin, as in LiteRT.
    """
    options = read_options(ctx)
    # LiteRT reads the limits as integers, too.
    low, high, bands, count = (
        int(options.get(name, 0))
        for name in (
            "lower_frequency_limit", "upper_frequency_limit", "filterbank_channel_count", "dct_coefficient_count"
        )
    )  # fmt: skip
    if not 0 <= low < high or not 1 <= count <= bands:
        raise ctx.unsupported(f"{count} coefficients of {bands} bands from {low} to {high} Hz")
    x_spec, rate_spec = ctx.input(0), ctx.input(1)
    if x_spec.type != TensorType.FLOAT32 or rate_spec.type != TensorType.INT32 or len(x_spec.shape) != 3:
        raise ctx.unsupported(
            f"inputs {x_spec.type.name} of shape {list(x_spec.shape)} and {rate_spec.type.name}",
            "They must be float32 of rank 3, and int32.",
        )
    angles = np.arange(count)[:, None] * (np.pi / bands) * (np.arange(bands) + 0.5)
    cosines = np.sqrt(2.0 / bands) * np.cos(angles)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, rate = given(inputs[0]), uniform(given(inputs[1])).reshape(-1)
        if rate.size != 1 or rate[0] <= 0 or x.shape[-1] < 2:
            raise ctx.execution_error(f"sample rate {rate.tolist()} for {x.shape[-1]} bins")
        filters = _mel_filters(x.shape[-1], int(rate[0]), bands, low, high)
        if filters is None:
            return [np.zeros((*x.shape[:-1], count), np.float32)]
        with np.errstate(invalid="ignore"):  # a negative square has no root
            mel = np.sqrt(x.astype(np.float64)) @ filters
        return [(np.log(np.maximum(mel, _FLOOR)) @ cosines.T).astype(np.float32)]

    return run


@functools.lru_cache(maxsize=16)
def _mel_filters(bins: int, rate: int, bands: int, low: int, high: int) -> Float64 | None:
    """Return the triangular filters [bins, bands], or None where the upper limit lies above the last bin."""
    spacing = (_mel(high) - _mel(low)) / (bands + 1)
    centers = _mel(low) + spacing * np.arange(1, bands + 2)
    width = 0.5 * rate / (bins - 1)
    first, last = int(1.5 + low / width), int(high / width)
    if last >= bins:
        return None
    places = np.arange(first, last + 1)
    mel = _mel(np.asarray(places * width, np.float64))
    # The band on whose falling side a bin lies; -1 in front of the first center.
    band = np.searchsorted(centers[:bands], mel, side="left") - 1
    start = np.concatenate([_mel(low).reshape(1), centers[:-1]])[band + 1]
    falling = (centers[band + 1] - mel) / (centers[band + 1] - start)
    filters = np.zeros((bins, bands))
    inside = band >= 0
    filters[places[inside], band[inside]] = falling[inside]
    rising = band + 1 < bands
    filters[places[rising], band[rising] + 1] = 1 - falling[rising]
    return filters


def _mel(frequency: float | Float64) -> Float64:
    return np.asarray(1127.0 * np.log1p(np.asarray(frequency) / 700.0))

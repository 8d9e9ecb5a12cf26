# SPDX-License-Identifier: Apache-2.0
"""The parameters that XMOS's converter of January 2021 chose, byte for byte.

All of it is float64; scales are the float32 values of the file, widened. The 16-bit stage between the two shifts holds
at least +-256 output steps, so it cannot saturate before the output does, whatever the zero point.
"""

from __future__ import annotations

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.xs3.layer import Float64, Layer
from tflite2x.xs3.layout import GROUP, INT32_MAX, INT32_MIN, Int8, Int16, Int64, Parameters, groups, pack, pad_weights


def lower_2021(layer: Layer) -> tuple[Int8, Int16]:
    """Lower a layer with the 2021 formulas.

    Returns:
        Padded weights int8 ``[C_out, P]`` and the BSO block int16 ``[G, 7, 16]``, channels that do not exist included:
        those have shift1 0, scale 0, shift2 21 and the offset of the layer.

    Raises:
        UnsupportedError: A multiplier above about 2**15 would need a negative second shift, one below about 2**-37 a
            first shift above 31.
    """
    return pad_weights(layer.weights), pack(parameters_2021(layer))


def parameters_2021(layer: Layer) -> Parameters:
    """Return the 2021 parameters of all ``16 * G`` channels, see :func:`lower_2021`."""
    padding = groups(layer.channels) * GROUP - layer.channels
    exponent, scale = _multiplier(_bias_scales(layer) / layer.output_scale, layer)
    exponent, scale = (np.pad(np.broadcast_to(a, layer.channels), (0, padding)) for a in (exponent, scale))
    shift1, shift2 = np.maximum(exponent, 0), 21 + np.minimum(exponent, 0)
    for bad, what in ((shift2 < 0, f"large that its second shift would be {shift2.min()}"),
                      (shift1 > 31, f"small that its first shift would be {shift1.max()}")):  # fmt: skip
        if np.any(bad):
            where = int(np.flatnonzero(bad)[0])
            raise UnsupportedError(
                f"the multiplier of channel {where} is so {what}",
                where=layer.name,
                hint="XC_fc shifts to the right by 0 to 31.",
            )
    # The sum saturates at int32; the proof refuses the layers where that changes anything.
    bias = np.clip(np.pad(layer.constant, (0, padding)), INT32_MIN, INT32_MAX)
    raw = layer.output_zero_point * np.exp2(shift2)
    offset_scale = np.round(np.sqrt(np.abs(raw)))
    offset = np.round(np.divide(raw, offset_scale, out=np.zeros_like(raw), where=offset_scale > 0))
    return Parameters(
        bias=bias,
        shift1=shift1,
        scale=scale,
        offset_scale=offset_scale.astype(np.int64),
        offset=offset.astype(np.int64),
        shift2=shift2,
    )


def _bias_scales(layer: Layer) -> Float64:
    if layer.bias is not None and layer.bias_scales is not None:
        return layer.bias_scales
    return layer.input_scale * layer.weight_scales


def _multiplier(multiplier: Float64, layer: Layer) -> tuple[Int64, Int64]:
    """Return exponents (the seven extra bits of the 16-bit stage taken off) and scales in [2**14, 2**15)."""
    if not np.all(np.isfinite(multiplier) & (multiplier > 0)):
        raise UnsupportedError("the bias has a scale that is not a positive number", where=layer.name)
    exponent = 1 - np.ceil(np.log2(multiplier)).astype(np.int64)
    scale = np.round(16384.0 * multiplier * np.exp2(exponent)).astype(np.int64)
    full = scale == 1 << 15
    return np.where(full, exponent - 1, exponent) - 7, np.where(full, 1 << 14, scale)

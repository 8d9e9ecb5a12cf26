# SPDX-License-Identifier: Apache-2.0
"""A logistic regression in pieces: what its models compute, and its layer computed again in other ways."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.linalg import norm
from numpy.typing import NDArray

import tflite2x
from tflite2x.xs3 import VPU, Layer, Proof, fully_connected_8, layer_of, lower_2021, lower_best, programs, prove

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Notebook:
    """Both models, the data, and what the models make of it.

    Attributes:
        layer: The quantized layer as arrays.
        weights: float32 weights ``[classes, inputs]``.
        bias: float32 bias.
        images: float32 ``[N, 28, 28]``.
        labels: int64 ``[N]``.
        float_outputs: Probabilities of the float model.
        quant_outputs: Probabilities of the quantized model, as real numbers.
        pixels: int8 ``[N, inputs]``: the quantized images.
        float_sums: What the float layer computes before the softmax.
        sums: int8: what the quantized layer computes before the softmax.
    """

    layer: Layer
    weights: Array
    bias: Array
    images: Array
    labels: Array
    float_outputs: Array
    quant_outputs: Array
    pixels: Array
    float_sums: Array
    sums: Array


def load(folder: Path, samples: int | None) -> Notebook:
    """Run both models on the data and pick out the tensors of interest."""
    with np.load(folder / "digits_eval.npz") as data:
        x, y = data["x"][:samples], data["y"][:samples]
    traces, layers, outputs = [], [], []
    for name in ("logistic_float", "logistic_int8"):
        model = tflite2x.load(folder / f"{name}.tflite")
        trace = tflite2x.Interpreter(model).trace([x[:, None]], batched=True)
        traces.append(trace)
        layers.append(next(op for op in model.main.operators if op.name == "FULLY_CONNECTED"))
        outputs.append(trace[model.main.outputs[0]].reshape(len(x), -1))
    (float_op, quant_op), (float_trace, trace) = layers, traces
    _, weights, bias = float_op.inputs
    assert weights is not None
    assert bias is not None
    source = quant_op.inputs[0]
    assert source is not None
    return Notebook(
        layer=layer_of(quant_op),
        weights=np.asarray(weights.data),
        bias=np.asarray(bias.data),
        images=x,
        labels=y,
        float_outputs=outputs[0],
        quant_outputs=outputs[1],
        pixels=trace[source].reshape(len(x), -1),
        float_sums=float_trace[float_op.outputs[0]].reshape(len(x), -1),
        sums=trace[quant_op.outputs[0]].reshape(len(x), -1),
    )


def errors(n: Notebook) -> dict[str, float]:
    """Return relative errors of the quantized model's parts."""
    layer = n.layer
    assert layer.bias is not None
    bias_scale = layer.input_scale * layer.weight_scales
    sums = layer.output_scale * (n.sums.astype(np.float64) - layer.output_zero_point)
    pixels = layer.input_scale * (n.pixels.astype(np.float64) - layer.input_zero_point)
    flat = n.images.reshape(len(n.images), -1)

    def relative(value: Array, reference: Array) -> float:
        return float(norm(value - reference) / norm(reference))

    outputs = norm(n.quant_outputs - n.float_outputs, axis=1) / norm(n.float_outputs, axis=1)
    return {
        "images": relative(pixels, flat),
        "weights": relative(layer.weights * layer.weight_scales[:, None], n.weights),
        "bias": relative(layer.bias * bias_scale, n.bias),
        "sums (before the softmax)": relative(sums, n.float_sums),
        "outputs, mean over samples": float(outputs.mean()),
    }


def reconstructions(n: Notebook) -> dict[str, float]:
    """Compute the sums of the first image in other ways; return their distance from the float model's."""
    layer, x = n.layer, n.pixels[0]
    assert layer.bias is not None
    scale = layer.input_scale * layer.weight_scales
    real = layer.weights * layer.weight_scales[:, None]
    pixels = layer.input_scale * (x.astype(np.float64) - layer.input_zero_point)
    integers = layer.weights.astype(np.int64) @ x + layer.constant
    matrix = programs.prepare_matrix(layer.weights)
    unit = programs.xs3_matmul(VPU(), matrix, x)[: layer.channels] + layer.constant
    ways = {
        "float weights, float image": n.weights @ n.images[0].ravel() + n.bias,
        "dequantized weights, float image": real @ n.images[0].ravel() + layer.bias * scale,
        "dequantized weights and image": real @ pixels + layer.bias * scale,
        "integers": integers * scale,
        "integers, by the vector unit": unit * scale,
    }
    return {name: float(norm(way - n.float_sums[0]) / norm(n.float_sums[0])) for name, way in ways.items()}


def notebook_layer(n: Notebook) -> tuple[Array, VPU]:
    """Compute the layer as the notebook of 2019 did, one image at a time on the vector unit.

    The output's zero point is part of the bias. VLSAT takes the sums to 16 bits, eight more than the output has, VLMUL
    scales them, and VDEPTH8 keeps the upper eight.
    """
    layer = n.layer
    vpu = VPU(revision="2023-02")  # the notebook rounds where VLMUL of 2020 cuts off
    multiplier = layer.multipliers
    exponent = 1 - np.ceil(np.log2(multiplier)).astype(int)
    scale = np.rint(2.0**14 * multiplier * 2.0**exponent).astype(int)
    exponent, scale = np.where(scale == 2**15, exponent - 1, exponent) - 8, np.where(scale == 2**15, 2**14, scale)
    bias = layer.constant + np.rint(layer.output_zero_point / multiplier).astype(np.int64)

    def lanes(values: Array, dtype: Any) -> Array:
        return np.pad(values, (0, 16 - len(values))).astype(dtype)

    matrix, shifts, factors = programs.prepare_matrix(layer.weights), lanes(exponent, np.uint16), lanes(scale, np.int16)
    high, low = lanes(bias >> 16, np.int16), lanes(bias & 0xFFFF, np.uint16)
    sums = np.zeros((len(n.pixels), 16), np.int8)
    for x, out in zip(n.pixels, sums, strict=True):
        vpu.VSETC(8)
        vpu.VLDD(high)
        vpu.VLDR(low)
        padded = np.pad(x, (0, matrix.shape[2] - x.size))
        for start in range(0, padded.size, 32):
            vpu.VLDC(padded[start : start + 32])
            for row in matrix[0, :, start : start + 32]:
                vpu.VLMACCR(row)
        vpu.VSETC(16)
        vpu.VLSAT(shifts)
        vpu.VLMUL(factors)
        vpu.VDEPTH8()
        vpu.VSTRPV(out, 0xFFFF)
    return sums[:, : layer.channels], vpu


@dataclasses.dataclass(frozen=True)
class Lowered:
    """The layer as XC_fc.

    Attributes:
        name: How the parameters were chosen.
        weights: Weights, padded with columns of zeros.
        bso: The other parameters.
        proof: How far it can be from TFLite over all inputs.
        sums: What it computes for the images.
    """

    name: str
    weights: Array
    bso: Array
    proof: Proof
    sums: Array


def lowered(n: Notebook) -> list[Lowered]:
    """Return the layer as XC_fc with the parameters of 2021 and with the best ones, each with its proof."""
    found = []
    for name, lower in (("parameters of 2021", lower_2021), ("best parameters", lower_best)):
        weights, bso = lower(n.layer)
        sums = fully_connected_8(n.pixels, weights, bso)
        found.append(Lowered(name, weights, bso, prove(n.layer, weights, bso), sums))
    return found

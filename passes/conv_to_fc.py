# SPDX-License-Identifier: Apache-2.0
"""Turn a CONV_2D that is a matrix product into FULLY_CONNECTED.

::

    x [N, 4, 4, 8] -> CONV_2D, kernel [16, 4, 4, 8], VALID -> y [N, 1, 1, 16]
        ==>
    x -> RESHAPE [N, 128] -> FULLY_CONNECTED, weights [16, 128] -> RESHAPE -> y [N, 1, 1, 16]

Done where the kernel covers its input, so that there is one output position, which includes a 1x1 kernel on a 1x1
input. ``bypass-reshape`` and ``remove-identities`` may take the RESHAPE operators away.

Claim: at most 1 LSB for integers: the sums are the same, but LiteRT's reference kernels scale them in different ways
(CONV_2D with a fixed-point multiplier, FULLY_CONNECTED in floating point). Floats are added in another order: within
1e-5 of the largest magnitude.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tflite2x.ir.dtypes import type_name
from tflite2x.passes.fuse_pad import same_padding, window
from tflite2x.rewrite.result import Claim
from tflite2x.rewrite.rule import PatternPass
from tflite2x.schema.enums import Padding, TensorType
from tflite2x.schema.tables import FullyConnectedOptions, ReshapeOptions

if TYPE_CHECKING:
    from tflite2x.rewrite.builder import Builder
    from tflite2x.rewrite.matcher import Match

#: Types of (input, weights) -> version of FULLY_CONNECTED; with several scales another one.
_VERSIONS = {("FLOAT32", "FLOAT32"): 1, ("UINT8", "UINT8"): 1, ("INT8", "INT8"): 4, ("INT16", "INT8"): 7}


@dataclasses.dataclass(frozen=True)
class ConvToFc(PatternPass):
    """Turn a CONV_2D that is a matrix product into FULLY_CONNECTED."""

    name: ClassVar[str] = "conv-to-fc"

    def pattern(self, p: Any, x: Any, weights: Any, bias: Any) -> Any:
        """CONV_2D with constant weights."""
        return p.CONV_2D(p.where(x, rank=4), p.constant(weights), p.optional(bias), op="conv", out="y")

    def check(self, m: Match) -> None:
        """Refuse convolutions with more than one position."""
        x, y, weights = m.x, m.y, m.weights
        signature = x.shape_signature or x.shape
        m.require(all(d > 0 for d in (*x.shape, *signature[1:])), f"the shape of '{x.name}' is dynamic")
        m.require(tuple(y.shape[1:3]) == (1, 1), f"the output is {y.shape[1]} x {y.shape[2]}, not 1 x 1")
        m.require(
            weights.shape[3] == x.shape[3],
            f"the kernel has {weights.shape[3]} channels and '{x.name}' has {x.shape[3]} (grouped convolution)",
        )
        kinds = (type_name(x.dtype).upper(), type_name(weights.dtype).upper())
        m.require(
            kinds in _VERSIONS, f"no FULLY_CONNECTED for {kinds[0].lower()} values and {kinds[1].lower()} weights"
        )
        if kinds != ("INT8", "INT8"):
            scales = weights.quantization.scale.size if weights.quantization is not None else 0
            m.require(scales <= 1, f"no FULLY_CONNECTED for {kinds[0].lower()} values and weights with {scales} scales")
        for axis, (kernel, stride, dilation) in zip((1, 2), window(m.conv), strict=True):
            m.require(kernel == 1 or dilation == 1, f"the kernel is dilated by {dilation}")
            m.require(
                kernel == x.shape[axis], f"the kernel is {kernel} long and '{x.name}' {x.shape[axis]} (axis {axis})"
            )
            added = same_padding(x.shape[axis], kernel, stride, dilation)
            m.require(m.conv.options.padding == Padding.VALID or added == (0, 0), f"padding SAME adds {added}")

    def claim(self, m: Match) -> Claim:
        """Sums are scaled by another kernel; floats are added in another order."""
        if m.x.dtype == TensorType.FLOAT32:
            return Claim(0, "floats are added in another order", relative=1e-5)
        return Claim(1, "CONV_2D and FULLY_CONNECTED scale sums in different ways")

    def rewrite(self, m: Match, b: Builder) -> Any:
        """Flatten, multiply, and give the result its four dimensions back."""
        depth = int(np.prod(m.x.shape[1:]))
        count = m.weights.shape[0]
        batch = m.x.shape[0]
        open_batch = m.x.shape_signature is not None and m.x.shape_signature[0] < 0
        flat = b.tensor(m.x, shape=(batch, depth))
        product = b.tensor(m.y, shape=(batch, count))
        if open_batch:
            flat.shape_signature, product.shape_signature = (-1, depth), (-1, count)
        shape = b.constant(np.array([-1, depth], np.int32), "shape")
        flattened = b.RESHAPE(m.x, shape, like=flat, options=ReshapeOptions(new_shape=[-1, depth]))
        weights = b.constant(
            np.asarray(m.weights.data).reshape(count, depth),
            m.weights.name or "weights",
            dtype=m.weights.dtype,
            quantization=m.weights.quantization,
        )
        version = _VERSIONS[m.x.dtype.name, m.weights.dtype.name]
        if m.bias is None:
            version = max(version, 6)
        settings = m.conv.options
        options = FullyConnectedOptions(
            fused_activation_function=settings.fused_activation_function,
            quantized_bias_type=settings.quantized_bias_type,
        )
        if m.x.dtype == TensorType.INT16 and settings.quantized_bias_type != TensorType.FLOAT32:
            version = max(version, 11)
        inputs = (flattened, weights, m.bias)
        multiplied = b.FULLY_CONNECTED(*inputs, like=product, options=options, version=version)
        result = b.RESHAPE(
            multiplied,
            b.constant(np.array([-1, 1, 1, count], np.int32), "shape"),
            like=m.y,
            options=ReshapeOptions(new_shape=[-1, 1, 1, count]),
        )
        for stand_in in (flat, product):
            b.graph.remove_tensor(stand_in)
        return result

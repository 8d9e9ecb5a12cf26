# SPDX-License-Identifier: Apache-2.0
"""RFFT2D, COMPLEX_ABS, REAL, IMAG, BUCKETIZE and DILATE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.elementwise import check_types, one, option, quiet, type_name
from tflite2x.interpreter.kernel import Array, KernelContext, Run, room, uniform
from tflite2x.interpreter.registry import kernel


@kernel("RFFT2D", types=("float32 -> complex64",))
def rfft2d(ctx: KernelContext) -> Run:
    """RFFT2D over the last two dimensions (LiteRT rfft2d.cc), in float64; the input is cropped or padded with zeros.

    LiteRT handles lengths that are powers of two only; here any length works. A width of 1 is wrong in LiteRT, whose
    routine needs two columns, and right here.
    """
    if type_name(ctx.input(0)) != "float32":
        raise ctx.unsupported(f"RFFT2D of {type_name(ctx.input(0))}")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, length = inputs[0], inputs[1]
        assert x is not None
        assert length is not None
        sizes = [int(n) for n in uniform(length).reshape(-1)]
        if len(sizes) != 2 or min(sizes) < 1 or x.ndim < 3:
            raise ctx.execution_error(f"RFFT2D with lengths {sizes} of an input of rank {x.ndim - 1}")
        with np.errstate(all="ignore"):
            spectrum = np.fft.rfft2(x.astype(np.float64), sizes)
            return [spectrum.astype(np.complex64)]

    return run


@kernel("COMPLEX_ABS", "REAL", "IMAG", types=("complex64 -> float32", "complex128 -> float64"))
def complex_part(ctx: KernelContext) -> Run:
    """COMPLEX_ABS, REAL and IMAG (LiteRT complex_support.cc)."""
    check_types(ctx, ("complex64", "complex128"), output=False)
    if ctx.name == "COMPLEX_ABS":
        return one(quiet(lambda x: np.abs(x.astype(np.complex128)).astype(x.real.dtype)))
    real = ctx.name == "REAL"
    return one(lambda x: (x.real if real else x.imag).copy())


@kernel("BUCKETIZE", types=("float32", "float64", "int32", "int64"))
def bucketize(ctx: KernelContext) -> Run:
    """BUCKETIZE (LiteRT bucketize.cc): the number of boundaries that are not above the value, compared as floats."""
    check_types(ctx, ("float32", "float64", "int32", "int64"), output=False)
    boundaries = np.asarray(option(ctx, "boundaries", ()), np.float32).reshape(-1)
    if np.any(np.diff(boundaries) < 0):
        raise ctx.unsupported("BUCKETIZE with boundaries that are not sorted")
    compared = np.float64 if type_name(ctx.input(0)) == "float64" else np.float32
    limits = boundaries.astype(compared)
    return one(lambda x: np.searchsorted(limits, x.astype(compared), side="right").astype(np.int32))


@kernel("DILATE", types=("every type of at least 8 bits",))
def dilate(ctx: KernelContext) -> Run:
    """DILATE (LiteRT dilate.cc): put ``dilation - 1`` padding values between neighbours of each dimension."""

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, dilations, padding = inputs[0], inputs[1], inputs[2]
        assert x is not None
        assert dilations is not None
        assert padding is not None
        steps = [int(d) for d in uniform(dilations).reshape(-1)]
        if len(steps) != x.ndim - 1 or min(steps, default=1) < 1:
            raise ctx.execution_error(f"DILATE by {steps} of an input of rank {x.ndim - 1}")
        samples = max(len(x), len(padding))
        shape = (samples, *((n - 1) * d + 1 if n else 0 for n, d in zip(x.shape[1:], steps, strict=True)))
        result = np.empty(room(shape, x.dtype), x.dtype)
        result[...] = padding.reshape(len(padding), *((1,) * (x.ndim - 1)))
        result[(slice(None), *(slice(None, None, d) for d in steps))] = x
        return [result]

    return run

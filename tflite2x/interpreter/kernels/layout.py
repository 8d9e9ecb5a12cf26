# SPDX-License-Identifier: Apache-2.0
"""Shared by the kernels that move data: axes, sizes and the sample axis. Declares no kernel itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, SampleDependent, TensorSpec, room, uniform

#: For ``types`` of kernels that copy elements without looking at them: what LiteRT takes. The kernels take more.
MOVED = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")
#: The same, for kernels of LiteRT that take neither float16 nor bool.
PLAIN = ("float32", "int8", "uint8", "int16", "int32", "int64")


def given(array: Array | None) -> Array:
    """Return an input that ``prepare`` has already found to be present."""
    assert array is not None
    return array


def sample_count(*arrays: Array) -> int:
    """Return the length of the sample axis that the arrays have in common: N, or 1 when none depends on the sample."""
    return max(len(a) for a in arrays)


def over_samples(array: Array, count: int) -> Array:
    """Repeat a value that does not depend on the sample, as a read-only view with ``count`` samples."""
    return array if len(array) == count else np.broadcast_to(array, (count, *array.shape[1:]))


def single_sample(*arrays: Array) -> None:
    """Ask the plan for one sample at a time, because the shape of the result depends on the values."""
    if sample_count(*arrays) > 1:
        raise SampleDependent


def integers(array: Array) -> list[int]:
    """Return the elements of a small input that says how to compute, the same for every sample."""
    return [int(v) for v in uniform(array).reshape(-1)]


def integer(ctx: KernelContext, array: Array, what: str) -> int:
    """Return the only element of an input that says how to compute."""
    values = uniform(array)
    if values.size != 1:
        raise ctx.execution_error(f"{what} has {values.size} elements instead of one")
    return int(values.reshape(-1)[0])


def one_element(ctx: KernelContext, array: Array, what: str) -> Array:
    """Return a one-element input as a vector with one value per sample."""
    if array.size != len(array):
        raise ctx.execution_error(f"{what} has {array[0].size} elements instead of one")
    return array.reshape(len(array))


def find_axis(ctx: KernelContext, axis: int, rank: int, what: str = "axis") -> int:
    """Return an axis counted without the sample axis, in [0, rank); negative axes count from the end."""
    if not -rank <= axis < rank:
        raise ctx.execution_error(f"{what} {axis} is outside of a tensor of rank {rank}")
    return axis + rank if axis < 0 else axis


def at(axis: int, index: object, rank: int) -> tuple[object, ...]:
    """Return the index expression that applies ``index`` to one axis (without the sample axis) and takes all others."""
    return (slice(None),) * (axis + 1) + (index,) + (slice(None),) * (rank - axis - 1)


def check_in_range(ctx: KernelContext, indices: Array, size: int, what: str = "index") -> None:
    """Refuse indices outside of [0, size), as LiteRT does: negative indices do not count from the end."""
    if indices.size == 0:
        return
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= size:
        bad = low if low < 0 else high
        raise ctx.execution_error(f"{what} {bad} is outside of [0, {size})")


def legacy_quantization(spec: TensorSpec) -> tuple[float, int]:
    """Return what LiteRT's ``TfLiteTensor.params`` holds: (0, 0) for a tensor that is not quantized per tensor."""
    return (spec.s, spec.z) if spec.scale.size == 1 else (0.0, 0)


def require_same_quantization(ctx: KernelContext, *specs: TensorSpec) -> None:
    """Refuse operators that copy stored integers between tensors whose scale or zero point differ, as LiteRT does."""
    first, *others = specs
    for other in others:
        if legacy_quantization(first) != legacy_quantization(other):
            raise ctx.unsupported(
                f"{ctx.name} copies stored values, but {first.name!r} and {other.name!r} differ in scale or zero point",
                hint="Put a QUANTIZE between them, or give both the same scale and zero point.",
            )


def owned(ctx: KernelContext, index: int = 0) -> Callable[[Array], Array]:
    """Return what makes a view of an input safe to hand out.

    That is a copy if the input is a variable, because variables change in place later.
    """
    spec = ctx.input(index)
    return np.array if spec.is_variable else _same


def _same(array: Array) -> Array:
    return array


def zeros(shape: Sequence[int], like: Array) -> Array:
    """Return zeros of the type of ``like``; empty strings where the elements are strings."""
    if like.dtype == object:
        return np.full(room(shape, like.dtype), b"", object)
    return np.zeros(room(shape, like.dtype), like.dtype)


def constant(value: Array) -> Run:
    """Return a kernel's second step whose single output never changes."""
    value.flags.writeable = False
    return lambda inputs: [value]

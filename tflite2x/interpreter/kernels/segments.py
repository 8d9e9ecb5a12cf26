# SPDX-License-Identifier: Apache-2.0
"""Operators that combine the entries of one segment: SEGMENT_SUM and UNSORTED_SEGMENT_{SUM,PROD,MAX,MIN}.

Sources: LiteRT kernels segment_sum.cc, unsorted_segment.cc and internal/reference/reference_ops.h. Entries are combined
in the order of the data; int32 sums and products wrap around. SEGMENT_SUM is not among LiteRT's reference kernels; its
only implementation is the one checked against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, room, uniform
from tflite2x.interpreter.kernels.layout import given, integer, sample_count
from tflite2x.interpreter.kernels.scattering import combine_at
from tflite2x.interpreter.registry import kernel


@kernel("SEGMENT_SUM", types=("float32", "int32"), verified="LiteRT BUILTIN (BUILTIN_REF has none)")
def segment_sum(ctx: KernelContext) -> Run:
    """SEGMENT_SUM: segment numbers along the first dimension begin at 0 and go up by 0 or 1."""
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        x, ids = given(inputs[0]), uniform(given(inputs[1]))
        if x.ndim < 2 or ids.shape != x.shape[1:2]:
            raise ctx.execution_error(f"segments of shape {list(ids.shape)} for data of shape {list(x.shape[1:])}")
        steps = np.diff(ids.astype(np.int64), prepend=0)
        if ids.size and (ids[0] != 0 or steps.min() < 0 or steps.max() > 1):
            raise ctx.execution_error(f"segment numbers {ids.tolist()} do not begin at 0 and go up by 0 or 1")
        result = np.zeros((len(x), int(ids[-1]) + 1 if ids.size else 0, *x.shape[2:]), x.dtype)
        combine_at(np.add, result, ids[None], x)
        return [result]

    return run


def _unsorted(name: str, combine: np.ufunc, start: str) -> None:
    """Declare one UNSORTED_SEGMENT operator. ``start`` is ``0``, ``1``, ``lowest`` or ``highest``."""

    def prepare(ctx: KernelContext) -> Run:
        for i in range(3):
            ctx.input(i)
        dtype = ctx.input(0).dtype
        limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        initial = {"0": 0, "1": 1, "lowest": limits.min, "highest": limits.max}[start]

        def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
            x, ids = given(inputs[0]), given(inputs[1])
            number = integer(ctx, given(inputs[2]), "number of segments")
            prefix = ids.shape[1:]
            if number < 0 or x.shape[1 : ids.ndim] != prefix:
                raise ctx.execution_error(
                    f"{number} segments of shape {list(prefix)} for data of shape {list(x.shape[1:])}"
                )
            if ids.size and int(ids.max()) >= number:
                raise ctx.execution_error(f"segment number {int(ids.max())} is not below {number}")
            rest = x.shape[ids.ndim :]
            count = sample_count(x, ids)
            entries = math.prod(prefix)
            # One more segment takes the entries with negative numbers, which do not count.
            result = np.full(room((count, number + 1, *rest), np.dtype(dtype)), initial, dtype)
            place = np.where(ids < 0, number, ids).reshape(len(ids), entries)
            with np.errstate(all="ignore"):
                combine_at(combine, result, place, x.reshape(len(x), entries, *rest))
            return [result[:, :number]]

        return run

    prepare.__doc__ = f"{name}: entries whose number is negative are left out; an empty segment holds {start}."
    kernel(name, types=("float32", "int32"))(prepare)


_unsorted("UNSORTED_SEGMENT_SUM", np.add, "0")
_unsorted("UNSORTED_SEGMENT_PROD", np.multiply, "1")
# C++ std::max(a, b) and std::min(a, b) keep a when b is NaN, and a is never NaN here: NaN does not count.
_unsorted("UNSORTED_SEGMENT_MAX", np.fmax, "lowest")
_unsorted("UNSORTED_SEGMENT_MIN", np.fmin, "highest")

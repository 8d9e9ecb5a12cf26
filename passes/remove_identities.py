# SPDX-License-Identifier: Apache-2.0
"""Remove operators that do nothing, and pairs that undo each other.

::

    x -> RESHAPE (same shape) -> y                x -> RESHAPE -> RESHAPE -> y     (one RESHAPE)
    x -> TRANSPOSE (0, 1, 2) -> y                 x -> TRANSPOSE -> TRANSPOSE (the inverse) -> y
    x -> PAD, MIRROR_PAD, PADV2 (nothing) -> y    x -> DEQUANTIZE -> QUANTIZE (equal parameters) -> y
    x -> SLICE, STRIDED_SLICE (everything) -> y
    x -> CAST (same type) -> y                             ==>     x = y
    x -> QUANTIZE (equal parameters) -> y

An operator between an input and an output of the graph stays: one tensor would have to be both.

Claim: exact.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tflite2x.passes._common import per_tensor, same_quantization
from tflite2x.rewrite import sites
from tflite2x.rewrite.interface import describe_type
from tflite2x.rewrite.rule import PatternPass
from tflite2x.schema.tables import StridedSliceOptions

if TYPE_CHECKING:
    from tflite2x.ir import Tensor
    from tflite2x.rewrite.builder import Builder
    from tflite2x.rewrite.matcher import Match


@dataclasses.dataclass(frozen=True)
class RemoveIdentities(PatternPass):
    """Remove operators that do nothing, and pairs that undo each other."""

    name: ClassVar[str] = "remove-identities"

    def pattern(self, p: Any, x: Any, others: Any) -> Any:
        """One operator that may do nothing."""
        kinds = ("RESHAPE", "TRANSPOSE", "PAD", "PADV2", "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "CAST", "QUANTIZE")
        return p.any_of(*kinds)(x, p.rest(others), op="single", out="y")

    def two_reshapes(self, p: Any, x: Any, others: Any, inner: Any) -> Any:
        """RESHAPE of RESHAPE."""
        return p.RESHAPE(p.RESHAPE(x, p.rest(inner), op="first"), p.rest(others), op="second", out="y")

    def two_transposes(self, p: Any, x: Any, one: Any, two: Any) -> Any:
        """TRANSPOSE of TRANSPOSE."""
        return p.TRANSPOSE(p.TRANSPOSE(x, p.constant(one)), p.constant(two), op="transposes", out="y")

    def there_and_back(self, p: Any, x: Any) -> Any:
        """QUANTIZE of DEQUANTIZE."""
        return p.QUANTIZE(p.DEQUANTIZE(x), op="back", out="y")

    def patterns(self) -> list[Any]:
        """Pairs first."""
        return [self.two_reshapes, self.two_transposes, self.there_and_back, self.pattern]

    def check(self, m: Match) -> None:
        """Refuse operators that do something."""
        x, y = m.x, m.y
        if "second" in m.bound:
            m.require(_is_free(m.second.inputs), "the shape of the second RESHAPE is computed")
            m.require(not _is_open(x) or not _is_open(y), "both shapes are dynamic")
            return
        if "transposes" in m.bound:
            first, second = np.asarray(m.one.data), np.asarray(m.two.data)
            m.require(first.shape == second.shape == (len(x.shape),), "a permutation has another length")
            order = first[second]
            m.require(np.array_equal(order, np.arange(len(order))), f"together they transpose by {order.tolist()}")
        m.require(x.dtype == y.dtype, f"it makes {describe_type(y)} from {describe_type(x)}")
        m.require(tuple(x.shape) == tuple(y.shape), f"it makes shape {list(y.shape)} from {list(x.shape)}")
        m.require(
            same_quantization(x.quantization, y.quantization), f"it makes {describe_type(y)} from {describe_type(x)}"
        )
        if "back" in m.bound:
            m.require(per_tensor(x.quantization), f"'{x.name}' has no single scale")
        if "single" in m.bound:
            reason = something(m.single.name, m.others, m.single.options, x)
            m.require(not reason, reason)

    def describe(self, m: Match) -> str:
        """Say what went."""
        if "second" in m.bound:
            return f"one RESHAPE instead of two ({sites.place(m.first)} goes)"
        return "removed: it does nothing" if "single" in m.bound else "removed with the operator before it: they cancel"

    def rewrite(self, m: Match, b: Builder) -> Any:
        """Use what went in."""
        if "second" in m.bound:
            return b.copy(m.second, m.x, *m.others)
        return m.x


def something(kind: str, others: tuple[Tensor | None, ...], options: Any, x: Tensor) -> str:
    """Say what an operator does to its input, shapes and types being equal; empty when it does nothing."""
    constants = [None if t is None else t.data for t in others]
    if any(t is not None and a is None for t, a in zip(others, constants, strict=True)):
        return f"{kind} depends on values that are computed"
    values = [np.asarray(a) for a in constants if a is not None]
    rank = len(x.shape)
    shapes = {"TRANSPOSE": [(rank,)], "SLICE": [(rank,)] * 2, "STRIDED_SLICE": [(rank,)] * 3}
    wanted_shapes = shapes.get(kind, [(rank, 2)] if "PAD" in kind else [])
    if [v.shape for v in values[: len(wanted_shapes)]] != wanted_shapes:
        return f"its constants have shapes {[list(v.shape) for v in values]}, for {rank} dimensions"
    if kind == "RESHAPE":
        wanted = values[0] if values else np.asarray(options.new_shape if options is not None else ())
        # With a dynamic input the shape given must follow it.
        if _is_open(x) and not _follows(x, wanted):
            return f"it fixes the dynamic shape of '{x.name}' to {wanted.tolist()}"
    if kind == "TRANSPOSE" and not np.array_equal(values[0], np.arange(len(values[0]))):
        return f"it transposes by {values[0].tolist()}"
    if kind in ("PAD", "PADV2", "MIRROR_PAD") and values[0].any():
        return f"it pads by {values[0].tolist()}"
    if kind == "SLICE" and (values[0].any() or (_is_open(x) and (values[1] >= 0).any())):
        return f"it slices from {values[0].tolist()}"
    if kind == "STRIDED_SLICE":
        return _strided_slice(values, options, x)
    return ""


def _strided_slice(values: list[Any], options: Any, x: Tensor) -> str:
    begin, end, strides = values
    options = options if options is not None else StridedSliceOptions()
    if (strides != 1).any():
        return f"it has strides {strides.tolist()}"
    if options.ellipsis_mask or options.new_axis_mask or options.shrink_axis_mask or options.offset:
        return "it has an ellipsis, a new axis, a dropped axis or an offset"
    for i, (b, e) in enumerate(zip(begin.tolist(), end.tolist(), strict=True)):
        starts = options.begin_mask >> i & 1 or b == 0 or b <= -x.shape[i]
        stops = options.end_mask >> i & 1 or (e >= x.shape[i] and not _is_open(x))
        if not (starts and stops):
            return f"it takes [{b}:{e}] of axis {i}"
    return ""


def _is_open(tensor: Tensor) -> bool:
    return tensor.shape_signature is not None and any(d < 0 for d in tensor.shape_signature)


def _follows(x: Tensor, wanted: Any) -> bool:
    """Whether a shape with one -1 at the place of the only open dimension gives back the shape of ``x``."""
    signature = np.asarray(x.shape_signature)
    return wanted.shape == signature.shape and int((signature < 0).sum()) == 1 and bool((wanted == signature).all())


def _is_free(inputs: tuple[Tensor | None, ...]) -> bool:
    return all(t is None or t.is_constant for t in inputs[1:])

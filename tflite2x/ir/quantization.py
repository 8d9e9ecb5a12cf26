# SPDX-License-Identifier: Apache-2.0
"""Quantization: how the integers of a tensor stand for real numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tflite2x.schema.tables import CustomQuantization

if TYPE_CHECKING:
    from tflite2x.ir.tensor import Tensor


@dataclasses.dataclass(eq=False)
class BlockQuantization:
    """Scales for blocks of elements, kept in tensors of their own.

    Attributes:
        scales: The tensor with the scales.
        zero_points: The tensor with the zero points; a number when the file's index names no tensor (-1: none).
        block_size: Elements that share one scale.
        axes: The quantized dimensions of a multi-axis quantization; None for a blockwise one.
        extras: What the file says beyond the values.
    """

    scales: Tensor | int
    zero_points: Tensor | int
    block_size: int
    axes: Sequence[int] | None = None
    multi_axis: bool = False
    extras: Any = dataclasses.field(default=None, repr=False)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in ("scales", "zero_points") and not isinstance(value, int):
            value._aside = True

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors referred to."""
        return [t for t in (self.scales, self.zero_points) if not isinstance(t, int)]


class Quantization:
    """real = scale * (quantized - zero_point).

    Attributes:
        scale: float32 array: empty, one value, or one for each slice along ``quantized_dimension``.
        zero_point: int64 array, as long as ``scale``.
        quantized_dimension: The axis of per-channel scales.
        min: Smallest real values seen (information only), or None.
        max: Largest real values seen (information only), or None.
        details: Blockwise, multi-axis or custom parameters, or None.
    """

    __slots__ = ("absent", "details", "details_type", "extras", "max", "min", "quantized_dimension", "scale",
                 "zero_point")  # fmt: skip

    def __init__(
        self,
        scale: ArrayLike = (),
        zero_point: ArrayLike = (),
        quantized_dimension: int = 0,
        *,
        min: ArrayLike | None = None,
        max: ArrayLike | None = None,
        details: BlockQuantization | CustomQuantization | None = None,
    ) -> None:
        self.scale: NDArray[np.float32] = np.atleast_1d(np.asarray(scale, np.float32))
        self.zero_point: NDArray[np.int64] = np.atleast_1d(np.asarray(zero_point, np.int64))
        self.quantized_dimension = quantized_dimension
        self.min: NDArray[np.float32] | None = None if min is None else np.atleast_1d(np.asarray(min, np.float32))
        self.max: NDArray[np.float32] | None = None if max is None else np.atleast_1d(np.asarray(max, np.float32))
        self.details: BlockQuantization | CustomQuantization | None = details
        self.details_type = 0
        #: fields among scale and zero_point that the file leaves out (an empty vector is something else)
        self.absent: frozenset[str] = frozenset()
        self.extras: Any = None

    @property
    def is_per_channel(self) -> bool:
        """Whether there is more than one scale."""
        return self.scale.size > 1

    def clone(self) -> Quantization:
        """Return a copy that shares read-only arrays and the tensors of block details."""
        new = Quantization.__new__(Quantization)
        for name in self.__slots__:
            value = getattr(self, name)
            # An edit of the copy in place must not reach the original.
            writeable = isinstance(value, np.ndarray) and value.flags.writeable
            setattr(new, name, value.copy() if writeable else value)
        if isinstance(self.details, BlockQuantization):
            new.details = dataclasses.replace(self.details)
        return new

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantization):
            return NotImplemented
        return (
            self.scale.tobytes() == other.scale.tobytes()
            and np.array_equal(self.zero_point, other.zero_point)
            and (self.quantized_dimension == other.quantized_dimension or not self.is_per_channel)
            and self.details is other.details
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.is_per_channel:
            return f"<Quantization of {self.scale.size} channels along axis {self.quantized_dimension}>"
        scale = self.scale[0] if self.scale.size else None
        return f"Quantization(scale={scale}, zero_point={self.zero_point[0] if self.zero_point.size else None})"

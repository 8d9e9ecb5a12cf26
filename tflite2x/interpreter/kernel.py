# SPDX-License-Identifier: Apache-2.0
"""What a kernel is: the contract between the execution plan and the arithmetic.

A kernel comes in two steps, so that constants are prepared once per model and never again:

1. ``prepare(ctx)`` looks at the operator (options, types, quantization, constants), refuses what it cannot do with
   ``raise ctx.unsupported(...)``, and returns a function ``run``.
2. ``run(inputs)`` computes. Every array that goes in or out has one leading *sample axis*: its length is N for values
   that depend on the sample, or 1 for values that do not (constants, and everything computed from constants only).
   A kernel therefore handles a batch by ordinary broadcasting along axis 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import ExecutionError, UnsupportedError

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Subgraph
    from tflite2x.schema.enums import TensorType

Array = NDArray[Any]
Rounding = Literal["single", "double"]
#: The second step of a kernel. ``None`` stands for an optional input that is absent.
Run = Callable[[Sequence[Array | None]], Sequence[Array]]
T = TypeVar("T")
#: Bytes of the largest array that operators make of a shape that is not that of an input.
LARGEST = 1 << 32


@dataclasses.dataclass(frozen=True, slots=True)
class TensorSpec:
    """What is known about a tensor before the model runs.

    Attributes:
        name: Name in the model, for messages.
        type: Type in the model. INT4, UINT4 and INT2 values live in int8 or uint8 arrays at run time, one per element.
        dtype: NumPy type of the arrays at run time. Strings are object arrays of ``bytes``.
        shape: Static shape without the sample axis. With dynamic shapes it may be wrong: ``run`` must use the shapes
            of the arrays it gets.
        scale: float32 scales; empty when the tensor is not quantized, one value per channel along ``axis`` otherwise.
        zero_point: int64 zero points, as long as ``scale``.
        axis: The quantized dimension.
        const: The value without the sample axis (read-only), or None when it is computed at run time.
        is_variable: The tensor is state: its array is writable, has the full sample axis, and is changed in place.
        quantization: The IR's ``Quantization`` for what is not covered above (blockwise details, min, max), or None.
    """

    name: str
    type: TensorType
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int = 0
    const: Array | None = None
    is_variable: bool = False
    quantization: Any = None

    @property
    def is_quantized(self) -> bool:
        """Whether the tensor has at least one scale."""
        return self.scale.size > 0

    @property
    def s(self) -> float:
        """The per-tensor scale: the float32 value of the file, widened to float64."""
        return float(self.scale[0])

    @property
    def z(self) -> int:
        """The per-tensor zero point; 0 when there is none."""
        return int(self.zero_point[0]) if self.zero_point.size else 0


class Runtime(Protocol):
    """What the execution plan offers to operators that need more than their inputs."""

    #: Resource variables and hash tables by key; lives as long as the interpreter, cleared by ``reset()``.
    resources: dict[Any, Any]
    #: N: how many samples the present run has.
    samples: int

    def call(self, subgraph: Subgraph, inputs: Sequence[Array]) -> list[Array]:
        """Run ``subgraph`` on arrays with a sample axis and return its outputs, with a sample axis."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class KernelContext:
    """One operator as ``prepare`` sees it.

    Attributes:
        op: The operator in the graph.
        inputs: One spec per input; None for an optional input that is absent.
        outputs: One spec per output.
        intermediates: Specs of the operator's intermediate tensors (quantized LSTM).
        rounding: ``single`` follows LiteRT's reference kernels, ``double`` TFLite Micro (gemmlowp).
        runtime: Subgraph calls and resources.
    """

    op: Operator
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]
    intermediates: tuple[TensorSpec | None, ...]
    rounding: Rounding
    runtime: Runtime

    @property
    def options(self) -> Any:
        """The operator's options dataclass, or None when the file has none."""
        return self.op.options

    def options_or_default(self, table: Callable[[], T]) -> T:
        """Return the operator's options; those of the schema's defaults when the file has none, like LiteRT."""
        return table() if self.op.options is None else self.op.options

    @property
    def name(self) -> str:
        """Name of the operator kind, such as ``CONV_2D`` or the custom code."""
        return self.op.name

    def input(self, index: int) -> TensorSpec:
        """Return the spec of a required input; refuse the operator when it is absent."""
        spec = self.inputs[index] if index < len(self.inputs) else None
        if spec is None:
            raise self.unsupported(f"input {index} is missing")
        return spec

    def optional(self, index: int) -> TensorSpec | None:
        """Return the spec of an optional input, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def unsupported(self, what: str, hint: str = "") -> UnsupportedError:
        """Make the error for something that this kernel cannot do; the caller raises it."""
        return UnsupportedError(what, where=self.op.where, hint=hint)

    def execution_error(self, what: str, hint: str = "") -> ExecutionError:
        """Make the error for values that this kernel cannot compute with; the caller raises it."""
        return ExecutionError(what, where=self.op.where, hint=hint)


class SampleDependent(Exception):  # noqa: N818 - a request to the plan, not a failure
    """The result's shape or the control flow differs between samples: the plan runs this operator sample by sample."""


def uniform(array: Array) -> Array:
    """Return the value without the sample axis when it is the same for every sample.

    For inputs that say *how* to compute (shapes, axes, paddings, begin and size).

    Raises:
        SampleDependent: Samples differ; the plan repeats the operator one sample at a time.
    """
    first: Array = array[0, ...]  # an array also where the value is a scalar
    if len(array) > 1 and not np.array_equal(array, np.broadcast_to(first, array.shape)):
        raise SampleDependent
    return first


def room(shape: Sequence[int], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Return ``shape`` if an array of it has a size that a model can mean.

    For shapes that come from values and options: a damaged one must not take the machine's memory.

    Raises:
        ExecutionError: The array would have more than ``LARGEST`` bytes.
    """
    size = math.prod(shape) * dtype.itemsize
    if size > LARGEST:
        raise ExecutionError(
            f"an array of shape {list(shape)} would take {size / 1e9:.3g} GB",
            hint="A shape, padding, dilation or size that the operator reads is wrong, or the batch is too large.",
        )
    return tuple(shape)


def align_ranks(*arrays: Array) -> list[Array]:
    """Insert axes behind the sample axis so that all arrays have one rank and broadcast as TFLite does."""
    rank = max(a.ndim for a in arrays)
    return [a.reshape(a.shape[:1] + (1,) * (rank - a.ndim) + a.shape[1:]) for a in arrays]

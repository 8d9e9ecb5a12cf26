# SPDX-License-Identifier: Apache-2.0
"""Every tensor of a run, layer by layer: ``tflite2x trace``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite2x.errors import InputError
from tflite2x.interpreter.kernel import Array, Rounding
from tflite2x.ir.dtypes import integer_range, tensor_type, type_name

if TYPE_CHECKING:
    from tflite2x.interpreter.inputs import Inputs
    from tflite2x.ir import Model, Tensor

#: Name of the array in an ``.npz`` file that describes the others.
NOTES = "__tflite2x_trace__"


@dataclasses.dataclass(frozen=True)
class TensorTrace:
    """One tensor with its values.

    Attributes:
        subgraph: Index of its subgraph.
        index: Index in the subgraph.
        name: Name in the model.
        kind: ``input``, ``output`` or ``computed``.
        operator: Name of the operator that computes it, such as ``CONV_2D``; empty for inputs.
        position: Index of that operator; -1 for inputs.
        type: Element type, such as ``int8``.
        shape: Shape of the values, with the sample axis if there is one.
        batched: Whether there is a sample axis.
        scales: float32 scales; empty when not quantized.
        zero_points: As many zero points.
        axis: Quantized dimension without the sample axis; None when there is one scale or none.
        values: The values.
    """

    subgraph: int
    index: int
    name: str
    kind: str
    operator: str
    position: int
    type: str
    shape: tuple[int, ...]
    batched: bool
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None
    values: Array

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind in "biuf"

    @property
    def is_quantized(self) -> bool:
        """Whether the values are quantized integers, with scales that fit their shape."""
        if not self.scales or self.values.dtype.kind not in "iu":
            return False
        axis = -1 if self.axis is None else self.axis + self.batched
        fits = 0 <= axis < self.values.ndim and self.values.shape[axis] == len(self.scales)
        return len(self.scales) == 1 or fits

    @property
    def range(self) -> tuple[float, float] | None:
        """Lowest and highest value; None for tensors without numbers."""
        if not self.values.size or not self.is_numeric:
            return None
        return float(self.values.min()), float(self.values.max())

    @property
    def real_range(self) -> tuple[float, float] | None:
        """Lowest and highest real value that the values stand for."""
        if self.range is None or not self.is_quantized:
            return self.range
        real = self.real()
        return float(real.min()), float(real.max())

    @property
    def saturated(self) -> float | None:
        """Share of values at the ends of the integer type; None for tensors that are not quantized."""
        if not self.is_quantized or not self.values.size:
            return None
        low, high = integer_range(tensor_type(self.type))
        return float(np.mean((self.values == low) | (self.values == high)))

    def real(self) -> Array:
        """Return the real numbers that the values stand for, as float64."""
        if not self.is_quantized:
            return self.values.astype(np.float64)
        scale, zero = np.array(self.scales, np.float64), np.array(self.zero_points, np.float64)
        if scale.size > 1 and self.axis is not None:
            shape = [1] * self.values.ndim
            shape[self.axis + self.batched] = scale.size
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        with np.errstate(all="ignore"):  # scales may be infinite
            return np.asarray((self.values.astype(np.float64) - zero) * scale)

    def summary(self) -> dict[str, Any]:
        """Return everything but the values, as plain values for JSON."""
        from tflite2x.explain.plain import plain

        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "values"}
        extra = {"range": self.range, "real_range": self.real_range, "saturated": self.saturated}
        result: dict[str, Any] = plain({**fields, **extra})
        return result


def trace(
    model: Model, inputs: Inputs, *, batched: bool = False, rounding: Rounding = "single", resize: bool = False
) -> list[TensorTrace]:
    """Run a model and return every tensor that was an input or was computed, in the order of computation.

    Args:
        model: The model.
        inputs: As for ``Interpreter.run``, or ``run_batch`` with ``batched``.
        batched: Arrays have a sample axis.
        rounding: The rounding contract.
        resize: Accept other shapes than those that the file fixes.

    Raises:
        InputError: The inputs do not fit.
        UnsupportedError: An operator has no kernel.
    """
    from tflite2x.interpreter import Interpreter

    values = Interpreter(model, rounding).trace(inputs, batched=batched, resize=resize)
    return [describe(tensor, value, batched) for tensor, value in values.items()]


def describe(tensor: Tensor, values: Array, batched: bool = False) -> TensorTrace:
    """Describe one tensor with its values."""
    from tflite2x.interpreter.specs import tensor_spec

    spec = tensor_spec(tensor)
    op = tensor.producer
    return TensorTrace(
        subgraph=tensor.subgraph.index,
        index=tensor.index,
        name=tensor.name or "",
        kind="input" if tensor.is_input else "output" if tensor.is_output else "computed",
        operator="" if op is None else op.name,
        position=-1 if op is None else op.index,
        type=type_name(tensor.dtype),
        shape=tuple(values.shape),
        batched=batched,
        scales=tuple(float(s) for s in spec.scale),
        zero_points=tuple(int(z) for z in spec.zero_point),
        axis=spec.axis if spec.scale.size > 1 else None,
        values=values,
    )


def to_arrays(tensors: list[TensorTrace]) -> dict[str, Array]:
    """Return what an ``.npz`` file of a trace holds: arrays by tensor name, and a description of them.

    Names that are missing or occur twice become ``tensor<index>``.
    """
    count: dict[str, int] = {}
    for tensor in tensors:
        count[tensor.name] = count.get(tensor.name, 0) + 1
    arrays: dict[str, Array] = {}
    notes = []
    for tensor in tensors:
        place = f"tensor{tensor.index}" if tensor.subgraph == 0 else f"subgraph{tensor.subgraph}_tensor{tensor.index}"
        name = tensor.name if tensor.name and count[tensor.name] == 1 else place
        arrays[name] = tensor.values
        notes.append({**tensor.summary(), "array": name})
    text = json.dumps({"version": 1, "tensors": notes})
    arrays[NOTES] = np.frombuffer(text.encode(), np.uint8)
    return arrays


def from_arrays(arrays: Mapping[str, Array]) -> list[TensorTrace]:
    """Return the trace that an ``.npz`` file holds.

    Raises:
        InputError: The arrays are not a trace.
    """
    if NOTES not in arrays:
        raise InputError("not a trace", hint="Write one with 'tflite2x trace MODEL --input X -o trace.npz'.")
    try:
        notes = json.loads(np.asarray(arrays[NOTES], np.uint8).tobytes())["tensors"]
        names = {f.name for f in dataclasses.fields(TensorTrace)} - {"values"}
        found = []
        for note in notes:
            fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in note.items() if k in names}
            found.append(TensorTrace(**fields, values=arrays[note["array"]]))
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the description of the trace is damaged ({error})") from None

# SPDX-License-Identifier: Apache-2.0
"""One-operator models with random quantization, for comparing with TFLite Micro (scripts/tflm_vectors.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tflite2x.ir import Tensor
from tflite2x.schema.enums import ActivationFunctionType

Array = NDArray[Any]

#: The operator kinds that can be made, by the name of the kind ("CONV_2D int8"): filled by :func:`kind`.
KINDS: dict[str, Callable[[Maker], None]] = {}

ACTIVATIONS = (
    ActivationFunctionType.NONE,
    ActivationFunctionType.NONE,
    ActivationFunctionType.RELU,
    ActivationFunctionType.RELU6,
    ActivationFunctionType.RELU_N1_TO_1,
)
#: Factors next to a power of two, where a multiplier's mantissa rounds up to 1 or just does not.
_NEAR = (1.0, 1 + 2.0**-23, 1 - 2.0**-24, 1 - 2.0**-23, 1 + 2.0**-12, 1 - 2.0**-12)


@dataclasses.dataclass
class Case:
    """A model and the inputs of several runs in a row.

    Attributes:
        model: The model.
        runs: One list of input arrays per run.
    """

    model: tflite2x.Model
    runs: list[list[Array]]


class Maker:
    """Makes one model from a random generator.

    Args:
        seed: Of all choices; the same seed and kind give the same case.
        runs: How many times the model will be run.
    """

    def __init__(self, seed: int | Sequence[int], runs: int = 2) -> None:
        self.rng = np.random.default_rng(seed)
        self.model = tflite2x.Model.new()
        self.graph = self.model.main
        self._runs = runs
        self._values: list[list[Array]] = []

    def one_of(self, *values: Any) -> Any:
        """Return one of the values."""
        return values[int(self.rng.integers(len(values)))]

    def size(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``."""
        return int(self.rng.integers(low, high, endpoint=True))

    def shape(self, low: int, high: int, largest: int = 5) -> tuple[int, ...]:
        """Return a shape of rank ``low`` to ``high``."""
        return tuple(self.size(1, largest) for _ in range(self.size(low, high)))

    def scale(self, low: float = 1e-3, high: float = 0.5) -> float:
        """Return a float32 scale: often a power of two or its neighbour, otherwise anything in the range."""
        value = float(np.exp(self.rng.uniform(np.log(low), np.log(high))))
        if self.rng.random() < 0.4:
            value = 2.0 ** round(np.log2(value)) * float(self.rng.choice(_NEAR))
        return float(np.float32(value))

    def zero_point(self, dtype: str) -> int:
        """Return a zero point, often an end of the range; 0 for int16."""
        if dtype != "int8":
            return 0
        return int(self.rng.choice([-128, 127, 0, self.rng.integers(-128, 128)]))

    def quantization(self, dtype: str, low: float = 1e-3, high: float = 0.5) -> dict[str, Any]:
        """Return the scale and zero point of a tensor; nothing for types that are not quantized."""
        if dtype not in ("int8", "int16"):
            return {}
        return {"scale": self.scale(low, high), "zero_point": self.zero_point(dtype)}

    def integers(self, shape: Sequence[int], dtype: str, low: int | None = None, high: int | None = None) -> Array:
        """Return integers; of the whole type unless bounded, now and then mostly its ends."""
        info = np.iinfo(dtype)
        bottom, top = info.min if low is None else low, info.max if high is None else high
        values = self.rng.integers(bottom, top, tuple(shape), dtype=dtype, endpoint=True)
        if low is None and self.rng.random() < 0.2:
            ends = self.rng.choice(np.array([info.min, info.max], dtype), tuple(shape))
            values = np.where(self.rng.random(tuple(shape)) < 0.8, ends, values)
        return values

    def floats(self, shape: Sequence[int]) -> Array:
        """Return float32 values of many sizes."""
        size = 10.0 ** self.rng.uniform(-2, 2)
        return (self.rng.standard_normal(tuple(shape)) * size).astype(np.float32)

    def values(self, shape: Sequence[int], dtype: str) -> Array:
        """Return values of a type."""
        if dtype == "float32":
            return self.floats(shape)
        if dtype == "bool":
            return self.rng.integers(0, 2, tuple(shape)).astype(np.bool_)
        if dtype in ("int32", "int64"):
            return self.integers(shape, dtype, -1000, 1000)
        return self.integers(shape, dtype)

    def input(self, shape: Sequence[int], dtype: str, **quantization: Any) -> Tensor:
        """Add an input and draw its values."""
        return self.given([self.values(shape, dtype) for _ in range(self._runs)], **quantization)

    def given(self, values: Sequence[Array], **quantization: Any) -> Tensor:
        """Add an input with these values, one for each run."""
        self._values.append(list(values))
        name = f"x{len(self._values) - 1}"
        return self.graph.add_input(name, values[0].shape, values[0].dtype.name, **quantization)

    def at_least(self, lowest: int) -> None:
        """Raise all values of the last input to ``lowest``."""
        self._values[-1] = [np.maximum(value, lowest).astype(value.dtype) for value in self._values[-1]]

    def constant(self, name: str, array: Any, **rest: Any) -> Tensor:
        """Add a constant."""
        return self.graph.add_constant(name, np.asarray(array), **rest)

    def output(self, dtype: str, name: str = "y", **quantization: Any) -> Tensor:
        """Add an output; :meth:`case` finds its shape."""
        return self.graph.add_tensor(name, (1,), dtype, **quantization)

    def operator(self, op: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], options: Any = None) -> Any:
        """Add the operator and make its outputs those of the model."""
        added = self.graph.add_operator(op, list(inputs), list(outputs), options)
        self.graph.set_outputs(list(outputs))
        return added

    def case(self) -> Case:
        """Return the model, with the output shapes that this interpreter computes, and its runs."""
        runs = [list(row) for row in zip(*self._values, strict=True)]
        results = tflite2x.Interpreter(self.model, rounding="double").run(runs[0])
        for tensor, value in zip(self.graph.outputs, results, strict=True):
            tensor.shape = value.shape
        return Case(self.model, runs)


def kind(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function that fills a :class:`Maker`, for each ``OPERATOR type``; it takes both words, too."""

    def register(fill: Callable[..., None]) -> Callable[..., None]:
        for name in names:
            op, *words = name.split()
            KINDS[name] = lambda make, op=op, words=words: fill(make, op, *words)  # type: ignore[misc]
        return fill

    return register


def kinds(op: str, *variants: str) -> tuple[str, ...]:
    """Return ``OPERATOR variant`` for every variant."""
    return tuple(f"{op} {variant}" for variant in variants)

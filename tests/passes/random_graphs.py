# SPDX-License-Identifier: Apache-2.0
"""Random graphs on which passes find something to do, and traps next to it."""

from __future__ import annotations

import numpy as np

from tflite2x.ir import Model, Tensor
from tflite2x.schema.enums import ActivationFunctionType as Act
from tflite2x.schema.tables import (
    AddOptions,
    ConcatenationOptions,
    FullyConnectedOptions,
    ReshapeOptions,
    SliceOptions,
    TransposeOptions,
)

Rng = np.random.Generator


class Grower:
    """Grows a graph operator by operator; every tensor has two dimensions."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.model = Model.new()
        self.g = self.model.main
        self.pool: list[Tensor] = []
        self.count = 0

    def grow(self, steps: int) -> Model:
        """Add inputs and operators, then choose outputs."""
        for _ in range(int(self.rng.integers(1, 4))):
            kind = self.rng.choice(["float32", "int8", "uint8"])
            self.pool.append(self._tensor(self._shape(), kind, as_input=True))
        for _ in range(steps):
            makers = (
                self.quantize, self.dequantize, self.requantize, self.reshape, self.transpose, self.dense, self.add,
                self.activation, self.slice, self.join, self.constant, self.dead, self.activation, self.requantize,
                self.dense, self.quantize,
            )  # fmt: skip
            makers[int(self.rng.integers(len(makers)))]()
        computed = [t for t in self.pool if t.producer is not None]
        ends = [t for t in computed if not t.uses] or computed[-1:]
        extra = [t for t in computed if t.uses and self.rng.random() < 0.1]
        if not ends:
            self.pool = list(self.g.inputs)
            self.dequantize(force=True)
            ends = [self.pool[-1]]
        outputs = list(dict.fromkeys([*ends[: int(self.rng.integers(1, 4))], *extra]))
        self.g.set_outputs(outputs)
        if self.rng.random() < 0.7:
            self.model.add_signature(
                "main",
                self.g,
                inputs={f"x{i}": t for i, t in enumerate(self.g.inputs)},
                outputs={f"y{i}": t for i, t in enumerate(outputs)},
            )
        return self.model

    # --- operators ---

    def quantize(self) -> None:
        x = self._pick("FLOAT32")
        if x is not None:
            self._op("QUANTIZE", [x], self._tensor(x.shape, self.rng.choice(["int8", "uint8"])))

    def dequantize(self, *, force: bool = False) -> None:
        x = self._pick("INT8", "UINT8")
        if x is not None:
            self._op("DEQUANTIZE", [x], self._tensor(x.shape, "float32"), version=2)
        elif force:
            x = self.g.inputs[0]
            self._op("NEG", [x], self._tensor(x.shape, "float32"))

    def requantize(self) -> None:
        x = self._pick("INT8", "UINT8")
        if x is None:
            return
        same = self.rng.random() < 0.4
        y = self._like(x) if same else self._tensor(x.shape, self.rng.choice(["int8", "uint8"]))
        self._op("QUANTIZE", [x], y)

    def reshape(self) -> None:
        x = self._pick("INT8", "FLOAT32")
        if x is None:
            return
        size = x.num_elements
        rows = int(self.rng.choice([d for d in range(1, size + 1) if size % d == 0]))
        shape = x.shape if self.rng.random() < 0.3 else (rows, size // rows)
        written = [shape[0], -1] if self.rng.random() < 0.5 else list(shape)
        options = ReshapeOptions(new_shape=written)
        self._op("RESHAPE", [x, self._constant(np.array(written, np.int32))], self._like(x, shape), options)

    def transpose(self) -> None:
        x = self._pick("INT8", "FLOAT32")
        if x is None:
            return
        order = [0, 1] if self.rng.random() < 0.3 else [1, 0]
        shape = tuple(x.shape[i] for i in order)
        version = 2 if x.dtype.name == "INT8" else 1
        self._op(
            "TRANSPOSE", [x, self._constant(np.array(order, np.int32))], self._like(x, shape), TransposeOptions(),
            version=version,
        )  # fmt: skip

    def dense(self) -> None:
        x = self._pick("INT8", "FLOAT32")
        if x is None:
            return
        units, depth = int(self.rng.integers(1, 6)), x.shape[1]
        quantized = x.dtype.name == "INT8"
        if quantized:
            values = self.rng.integers(-127, 128, (units, depth)).astype(np.int8)
            scale = np.float32(self.rng.uniform(0.005, 0.02))
            w = self._constant(values, scale=scale)
            assert x.quantization is not None
            bias = self.rng.integers(-500, 500, units).astype(np.int32)
            b = self._constant(bias, scale=scale * x.quantization.scale[0])
        else:
            w = self._constant(self.rng.normal(0, 1, (units, depth)).astype(np.float32))
            b = self._constant(self.rng.normal(0, 1, units).astype(np.float32))
        y = self._tensor((x.shape[0], units), "int8" if quantized else "float32")
        act = Act.RELU if self.rng.random() < 0.3 else Act.NONE
        version = int(self.rng.choice([4, 9])) if quantized else 1
        self._op("FULLY_CONNECTED", [x, w, b], y, FullyConnectedOptions(fused_activation_function=act), version=version)

    def add(self) -> None:
        x = self._pick("INT8", "FLOAT32")
        if x is None:
            return
        partners = [t for t in self.pool if t.dtype == x.dtype and t.shape == x.shape]
        other = partners[int(self.rng.integers(len(partners)))]
        y = self._tensor(x.shape, x.dtype.name.lower())
        self._op("ADD", [x, other], y, AddOptions(), version=2 if x.dtype.name == "INT8" else 1)

    def activation(self) -> None:
        x = self._pick("INT8", "FLOAT32")
        if x is None:
            return
        y = self._like(x) if self.rng.random() < 0.7 else self._tensor(x.shape, x.dtype.name.lower())
        self._op(self.rng.choice(["RELU", "RELU6"]), [x], y, version=2 if x.dtype.name == "INT8" else 1)

    def slice(self) -> None:
        x = self._pick("INT8", "FLOAT32")
        if x is None:
            return
        begin = 0 if self.rng.random() < 0.5 or x.shape[1] < 2 else 1
        size = np.array([-1, x.shape[1] - begin], np.int32)
        inputs = [x, self._constant(np.array([0, begin], np.int32)), self._constant(size)]
        y = self._like(x, (x.shape[0], x.shape[1] - begin))
        self._op("SLICE", inputs, y, SliceOptions(), version=2 if x.dtype.name == "INT8" else 1)

    def join(self) -> None:
        x = self._pick("INT8", "FLOAT32")
        if x is not None:
            y = self._like(x, (2 * x.shape[0], x.shape[1]))
            version = 2 if x.dtype.name == "INT8" else 1
            self._op("CONCATENATION", [x, x], y, ConcatenationOptions(axis=0), version=version)

    def constant(self) -> None:
        """Add something that can be folded, and put it to use."""
        k = self._constant(self.rng.normal(0, 1, (1, 4)).astype(np.float32))
        y = self._tensor((1, 4), "float32")
        self._op(self.rng.choice(["NEG", "ABS", "EXP"]), [k], y)

    def dead(self) -> None:
        """Add an operator that nobody reads."""
        x = self._pick("FLOAT32")
        if x is not None:
            y = self._tensor(x.shape, "float32")
            self.g.add_operator("NEG", [x], [y])

    # --- tensors ---

    def _op(self, code: str, inputs: list[Tensor], out: Tensor, options: object = None, version: int = 1) -> None:
        self.g.add_operator(str(code), inputs, [out], options, version=version)
        self.pool.append(out)

    def _pick(self, *kinds: str) -> Tensor | None:
        found = [t for t in self.pool if t.dtype.name in kinds]
        free = [t for t in found if not t.uses]
        if free and self.rng.random() < 0.7:
            return free[-1]  # chains are where rewrites happen
        return found[int(self.rng.integers(len(found)))] if found else None

    def _shape(self) -> tuple[int, int]:
        return int(self.rng.integers(1, 4)), int(self.rng.integers(1, 7))

    def _name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def _tensor(self, shape: tuple[int, ...], kind: str, *, as_input: bool = False) -> Tensor:
        make = self.g.add_input if as_input else self.g.add_tensor
        if kind == "float32":
            return make(self._name(), shape, "float32")
        zero = int(self.rng.integers(-20, 20)) + (128 if kind == "uint8" else 0)
        scale = float(self.rng.choice([0.05, 0.1, 0.1, 0.2]))
        return make(self._name(), shape, str(kind), scale=scale, zero_point=zero)

    def _like(self, x: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
        return self.g.add_tensor(
            self._name(), x.shape if shape is None else shape, x.dtype, quantization=x.quantization
        )

    def _constant(self, values: np.ndarray, **quantization: object) -> Tensor:
        return self.g.add_constant(self._name(), values, **quantization)

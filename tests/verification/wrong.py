# SPDX-License-Identifier: Apache-2.0
"""Passes that are wrong on purpose."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tflite2x.rewrite import Claim, Pass, PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator


def weighted(model: Model) -> Operator:
    """Return the last operator that reads constant weights of at least two dimensions."""
    return next(
        op
        for op in reversed(model.main.operators)
        if len(op.inputs) > 1 and op.inputs[1] is not None and op.inputs[1].is_constant and len(op.inputs[1].shape) > 1
    )


@dataclasses.dataclass(frozen=True)
class OneWeight(Pass):
    """Flips the sign of the largest weight."""

    name: ClassVar[str] = "test-one-weight"
    claim: Claim = Claim()  # noqa: RUF009 - frozen
    says: bool = True

    def run(self, model: Model) -> PassResult:
        weights = weighted(model).inputs[1]
        assert weights is not None
        data = np.array(weights.data)
        place = np.unravel_index(np.argmax(np.abs(data.astype(np.int64))), data.shape)
        data[place] = -max(-127, int(data[place]))
        weights.data = data
        result = PassResult(claim=self.claim)
        if self.says:
            result.count("weights changed")
        return result


@dataclasses.dataclass(frozen=True)
class OneScale(Pass):
    """Doubles the scale of the first weights, in place."""

    name: ClassVar[str] = "test-one-scale"

    def run(self, model: Model) -> PassResult:
        weights = weighted(model).inputs[1]
        assert weights is not None
        assert weights.quantization is not None
        weights.quantization.scale = weights.quantization.scale * np.float32(2)
        result = PassResult()
        result.count("scales changed")
        return result


@dataclasses.dataclass(frozen=True)
class SwapInputs(Pass):
    """Swaps the two inputs of the first operator that has two computed ones."""

    name: ClassVar[str] = "test-swap-inputs"

    def run(self, model: Model) -> PassResult:
        result = PassResult()
        op = next(
            o for o in model.main.operators if len(o.inputs) == 2 and not any(t.is_constant for t in o.inputs if t)
        )
        op.set_inputs(op.inputs[::-1])
        result.replace(op, "inputs swapped")
        return result


@dataclasses.dataclass(frozen=True)
class SwapInterface(Pass):
    """Swaps the inputs of the model and says nothing."""

    name: ClassVar[str] = "test-swap-interface"

    def run(self, model: Model) -> PassResult:
        model.main.set_inputs(model.main.inputs[::-1])
        return PassResult(modified=True)


@dataclasses.dataclass(frozen=True)
class OutputScale(Pass):
    """Doubles the scale of the output: the integers stay, their meaning does not."""

    name: ClassVar[str] = "test-output-scale"

    def run(self, model: Model) -> PassResult:
        quantization = model.main.outputs[0].quantization
        assert quantization is not None
        quantization.scale = quantization.scale * np.float32(2)
        return PassResult(modified=True)


@dataclasses.dataclass(frozen=True)
class Harmless(Pass):
    """Changes nothing that is computed."""

    name: ClassVar[str] = "test-harmless"

    def run(self, model: Model) -> PassResult:
        model.description = "harmless"
        return PassResult(modified=True)

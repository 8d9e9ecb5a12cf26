# SPDX-License-Identifier: Apache-2.0
"""The operators between values that are known and a value that differs, computed with any mistakes in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import Tflite2xError
from tflite2x.explain.diagnosis.exact import ExactOperator
from tflite2x.explain.diagnosis.mistakes import Mistake
from tflite2x.explain.diagnosis.models import OperatorModel, candidates, model_of
from tflite2x.explain.diagnosis.recipe import EXACT, Recipe
from tflite2x.interpreter.kernel import Array, Rounding
from tflite2x.interpreter.specs import constant_value

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Tensor

#: The scope of a mistake that is made in every operator where it can be made.
EVERYWHERE = -1
#: Results of first parts of the segment that are kept.
_KEPT = 48


@dataclasses.dataclass(frozen=True, slots=True)
class Guess:
    """A mistake and where it is made.

    Attributes:
        scope: Position of the operator in the segment, or EVERYWHERE.
        mistake: What is done wrong.
    """

    scope: int
    mistake: Mistake


class Segment:
    """Operators in order, the last of which computes the tensor that differs.

    Args:
        ops: The operators.
        known: Values that go in, with a sample axis. Constants are found in the model.
        target: The tensor that differs.
        rounding: The rounding contract.

    Attributes:
        models: One model per operator.
        exact: Exact values of all tensors that the segment computes.
    """

    def __init__(self, ops: Sequence[Operator], known: Mapping[Tensor, Array], target: Tensor, rounding: Rounding):
        self.ops, self.target = tuple(ops), target
        self._known = dict(known)
        self._constants: dict[Tensor, Array] = {}
        self._prefixes: dict[tuple[Recipe, ...], dict[Tensor, Array]] = {}
        self.exact: dict[Tensor, Array] = {}
        self.models: list[OperatorModel] = []
        for op in self.ops:
            exact = ExactOperator(op, rounding)
            inputs = self._inputs(op, self.exact)
            self.exact.update(zip(op.outputs, exact.run(inputs), strict=True))
            self.models.append(model_of(exact, inputs))
        self._places = [self._mistakes(i) for i in range(len(self.ops))]

    @property
    def expected(self) -> Array:
        """The exact value of the target."""
        return self.exact[self.target]

    @property
    def cost(self) -> int:
        """A measure of the work of one evaluation."""
        return sum(m.cost + int(np.prod(m.exact.op.outputs[0].shape)) * 8 + 60_000 for m in self.models)

    def _mistakes(self, position: int) -> list[Mistake]:
        return candidates(self.models[position]) if len(self.ops[position].outputs) == 1 else []

    def guesses(self) -> list[Guess]:
        """Return every mistake in every operator, and those that can be made in several operators in all of them."""
        found = [Guess(i, m) for i, place in enumerate(self._places) for m in place if not m.twin]
        if len(self.ops) > 1:
            counts: dict[Mistake, int] = {}
            for guess in found:
                counts[guess.mistake] = counts.get(guess.mistake, 0) + 1
            found += [Guess(EVERYWHERE, m) for m, n in counts.items() if n > 1]
        return found

    def recipes(self, guesses: Sequence[Guess], base: Recipe = EXACT) -> list[Recipe]:
        """Return one recipe per operator; ``base`` is the last one's before the guesses."""
        recipes = [EXACT] * len(self.ops)
        recipes[-1] = base
        for guess in guesses:
            for i in range(len(self.ops)):
                if guess.scope == i or (guess.scope == EVERYWHERE and guess.mistake in self._places[i]):
                    recipes[i] = guess.mistake.apply(recipes[i])
        return recipes

    def evaluate(self, guesses: Sequence[Guess], base: Recipe = EXACT, select: Array | None = None) -> Array | None:
        """Compute the target with mistakes; None where that cannot be done, or has another shape.

        Args:
            guesses: The mistakes.
            base: Recipe of the last operator before the guesses.
            select: Flat indices of the values wanted; all by default.

        Returns:
            float64: the values selected, or [N, ...].
        """
        recipes = self.recipes(guesses, base)
        last = len(self.ops) - 1
        first, changed = self._resume(recipes)
        try:
            for i in range(first, last + 1):
                op, model, recipe = self.ops[i], self.models[i], recipes[i]
                dirty = any(t in changed for t in op.inputs if t is not None)
                if recipe == EXACT and not dirty:
                    continue
                inputs = self._inputs(op, {**self.exact, **changed})
                if i == last and select is not None:
                    return model.steps(inputs, recipe, select).result
                if len(op.outputs) > 1:
                    changed.update(zip(op.outputs, model.exact.run(self._typed(op, inputs)), strict=True))
                    continue
                result = model.run(inputs, recipe)
                if not np.array_equal(result, self.exact[op.outputs[0]]):
                    changed[op.outputs[0]] = result
                if i < last:
                    self._remember(recipes[: i + 1], changed)
        except Tflite2xError:
            return None
        result = np.asarray(changed.get(self.target, self.expected), np.float64)
        if result.shape != self.expected.shape:  # a mistake in values that are shapes
            return None
        return result if select is None else result.reshape(-1)[select]

    def _resume(self, recipes: Sequence[Recipe]) -> tuple[int, dict[Tensor, Array]]:
        """Return where to go on from what was computed with the same recipes before, and the values up to there."""
        for i in range(len(recipes) - 1, 0, -1):
            found = self._prefixes.get(tuple(recipes[:i]))
            if found is not None:
                return i, dict(found)
        return 0, {}

    def _remember(self, recipes: Sequence[Recipe], changed: Mapping[Tensor, Array]) -> None:
        if len(self._prefixes) >= _KEPT:
            self._prefixes.pop(next(iter(self._prefixes)))
        self._prefixes[tuple(recipes)] = dict(changed)

    def steps(self, guesses: Sequence[Guess], select: Array, base: Recipe = EXACT) -> dict[str, Array]:
        """Return the steps of the last operator for some values, with mistakes."""
        recipes = self.recipes(guesses, base)
        changed: dict[Tensor, Array] = {}
        for op, model, recipe in zip(self.ops[:-1], self.models[:-1], recipes[:-1], strict=True):
            inputs = self._inputs(op, {**self.exact, **changed})
            if (recipe != EXACT or any(t in changed for t in op.inputs if t is not None)) and len(op.outputs) == 1:
                changed[op.outputs[0]] = model.run(inputs, recipe)
        inputs = self._inputs(self.ops[-1], {**self.exact, **changed})
        recipe = recipes[-1]
        # An exact recipe takes short cuts: this one is as exact, and shows its steps.
        steps = self.models[-1].steps(inputs, recipe.changed(order="") if recipe == EXACT else recipe, select)
        return {**steps.values, "result": steps.result}

    def _inputs(self, op: Operator, computed: Mapping[Tensor, Array]) -> list[Array | None]:
        return [None if t is None else self._value(t, computed) for t in op.inputs]

    def _value(self, tensor: Tensor, computed: Mapping[Tensor, Array]) -> Array:
        if tensor in computed:
            return computed[tensor]
        if tensor in self._known:
            return self._known[tensor]
        if tensor not in self._constants:
            value = constant_value(tensor)
            assert value is not None, tensor.where
            self._constants[tensor] = value[None]
        return self._constants[tensor]

    @staticmethod
    def _typed(op: Operator, inputs: Sequence[Array | None]) -> list[Array | None]:
        return [
            a if a is None or t is None else np.rint(a).astype(t.numpy_dtype) if t.numpy_dtype.kind in "iu" else a
            for a, t in zip(inputs, op.inputs, strict=True)
        ]

# SPDX-License-Identifier: Apache-2.0
"""Checking a pass where it rewrote, instead of running the whole model again.

The values of all tensors before the pass are known. First the operators that the pass changed run, on the values that
their inputs had before. When they compute exactly what their outputs held, and the inputs of the model hold what they
held, then by induction over the operators, all other tensors hold what they held as well. Where something else comes
out, what lies behind it runs again, and only there values may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.interpreter import Interpreter
from tflite2x.verification.compare import equal
from tflite2x.verification.running import Batch
from tflite2x.verification.structure import Changes, is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Tensor
    from tflite2x.rewrite.pipeline import Step

Array = NDArray[Any]


class Local:
    """What the changed operators of one pass compute, and what follows from it.

    Args:
        step: The pass.
        changes: The operators that it changed.
        interpreter: Runs the model after the pass.

    Attributes:
        computed: For each batch, what the changed operators compute from the values before the pass, also where
            another changed operator computes something else now.
    """

    def __init__(self, step: Step, changes: Changes, interpreter: Interpreter) -> None:
        self.step, self.changes, self.interpreter = step, changes, interpreter
        self.computed: list[dict[Tensor, Array]] = []
        self._again: list[Operator] = []

    def outputs(self, before: Sequence[Batch], after: Sequence[Batch]) -> list[list[Array]] | None:
        """Return the outputs of the model after the pass; None when they do not follow from the values before it.

        None as well when something fails: then the model as a whole is to say it, with the right names.

        Args:
            before: Samples before the pass with the values of tensors, by tensors of the model as it is now.
            after: Samples after the pass; gets the values of tensors.
        """
        graphs = self.step.after.subgraphs
        if is_stateful(graphs) or any(op.calls for graph in graphs for op in graph.operators):
            return None
        results = []
        try:
            for old, new in zip(before, after, strict=True):
                outputs = self._outputs(old, new)
                if outputs is None:
                    return None
                results.append(outputs)
        except Tflite2xError:
            return None
        return results

    def found(self, batch: int) -> dict[Tensor, Array]:
        """Return what changed operators computed for a batch; empty where they did not run apart."""
        return self.computed[batch] if batch < len(self.computed) else {}

    def _outputs(self, old: Batch, new: Batch) -> list[Array] | None:
        if not old.values or old.count != new.count:
            return None
        values = dict(old.values)
        differing: set[Tensor] = set()
        for tensor, array in zip(new.graph.inputs, new.inputs, strict=True):
            known = values.get(tensor)
            if known is not None and not equal(known, array):  # only changed operators read an input that is new
                differing.add(tensor)
            values[tensor] = array
        changed = [op for op in self.changes.operators if op.subgraph is new.graph]
        if any(not op.outputs for op in changed):
            return None
        fresh = self.interpreter.run_operators(changed, values, apart=True) if changed else {}
        stale = {t for t, a in fresh.items() if t in values and not equal(values[t], a)} | differing
        self.computed.append({} if differing else fresh)
        values.update(fresh)
        if stale:
            again = self._behind(new, stale)
            if again and set(again) <= set(self._again):
                again = self._again  # planned already, for another batch
            if again:
                self._again = again
                values.update(self.interpreter.run_operators(again, values))
        outputs = [values.get(t) for t in new.graph.outputs]
        if any(a is None for a in outputs):
            return None
        new.values = {t: values[t] for t in new.graph.tensors if t in values}
        return [a for a in outputs if a is not None]

    @staticmethod
    def _behind(new: Batch, stale: set[Tensor]) -> list[Operator]:
        """Return the operators that follow from tensors which hold something else, in order."""
        stale, found = set(stale), []
        for op in new.graph.operators:
            if any(t in stale for t in op.inputs):
                found.append(op)
                stale.update(op.outputs)
        return found

# SPDX-License-Identifier: Apache-2.0
"""Checking a pass where it rewrote, instead of running the whole model again.

The values of all tensors before the pass are known. The operators that the pass changed run, in order, on the values
that their inputs had before. When they compute exactly what their outputs held, and the inputs of the model hold what
they held, then by induction over the operators, all other tensors hold what they held as well. Where something else
comes out, the operators that read it run again, on what they read now, and so on until values agree once more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import Tflite2xError
from tflite2x.interpreter import Interpreter
from tflite2x.verification.compare import Comparison, compare, equal
from tflite2x.verification.running import Batch
from tflite2x.verification.structure import Changes, is_stateful

if TYPE_CHECKING:
    from tflite2x.ir import Operator, Tensor
    from tflite2x.rewrite.pipeline import Step

Array = NDArray[Any]

#: Bytes of inputs and outputs up to which it is faster to run an operator once on two sets of values than twice.
_SMALL = 1 << 14


@dataclasses.dataclass(frozen=True, slots=True)
class Computed:
    """What a changed operator computes from the values before the pass.

    Attributes:
        value: With a sample axis.
        against: How it differs from what its counterpart computed, without the distribution; None without counterpart.
    """

    value: Array
    against: Comparison | None


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
        self.step, self.interpreter = step, interpreter
        self.computed: list[dict[Tensor, Computed]] = []
        self._changed = set(changes.operators)

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

    def found(self, batch: int) -> dict[Tensor, Computed]:
        """Return what changed operators computed for a batch; empty where they did not run apart."""
        return self.computed[batch] if batch < len(self.computed) else {}

    def _outputs(self, old: Batch, new: Batch) -> list[Array] | None:
        if not old.values or old.count != new.count:
            return None
        given = dict(zip(new.graph.inputs, new.inputs, strict=True))
        # An input without a known value is new, and only changed operators read it.
        before = {**given, **old.values}
        stale = {t for t, array in given.items() if not equal(before[t], array)}
        now, apart = {**before, **given}, not stale
        fresh: dict[Tensor, Computed] = {}
        run = self.interpreter.run_operator
        for op in new.graph.operators:
            changed, follows = op in self._changed, any(t in stale for t in op.inputs)
            if not changed and not follows:
                continue
            if not op.outputs:
                return None
            alone = found = None
            if changed and apart and follows:
                alone, found = self._run_both(op, before, now, new.count)
            elif changed and apart:
                alone = found = run(op, before, new.count)
            else:
                found = run(op, now, new.count)
            for tensor, array in found.items():
                known = before.get(tensor)
                if alone is not None:
                    own = alone[tensor]
                    against = None if known is None else compare(known, own, distribution=False)
                    fresh[tensor] = Computed(own, against)
                    known = before.setdefault(tensor, own)  # a tensor that is new
                    if found is alone and (against is None or against.equal):
                        now[tensor] = known
                        continue
                now[tensor] = array
                if known is None or found is alone or not equal(known, array):
                    stale.add(tensor)
        self.computed.append(fresh)
        outputs = [now.get(t) for t in new.graph.outputs]
        if any(a is None for a in outputs):
            return None
        new.values = {t: now[t] for t in new.graph.tensors if t in now}
        return [a for a in outputs if a is not None]

    def _run_both(
        self, op: Operator, before: Mapping[Tensor, Array], now: Mapping[Tensor, Array], count: int
    ) -> tuple[dict[Tensor, Array], dict[Tensor, Array]]:
        """Run an operator on two sets of values; in one go where they are small."""
        run = self.interpreter.run_operator
        read = [t for t in dict.fromkeys(op.inputs) if t is not None and not t.is_constant]
        large = count * sum(t.nbytes for t in (*read, *op.outputs)) > _SMALL
        if large or any(t not in before or t not in now or before[t].shape != now[t].shape for t in read):
            return run(op, before, count), run(op, now, count)
        both = run(op, {t: np.concatenate([before[t], now[t]]) for t in read}, 2 * count)
        return {t: a[:count] for t, a in both.items()}, {t: a[count:] for t, a in both.items()}

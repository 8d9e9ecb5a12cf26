# SPDX-License-Identifier: Apache-2.0
"""Why somebody's own implementation of a model gives other numbers: ``tflite2x diagnose``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.explain.diagnosis.findings import Diagnosis, Example, Finding, Named
from tflite2x.explain.diagnosis.matching import equal_values, fit_shape, match_arrays
from tflite2x.explain.diagnosis.plain_findings import pattern_finding, shape_finding
from tflite2x.explain.diagnosis.walk import Walk
from tflite2x.interpreter.kernel import Array, Rounding

if TYPE_CHECKING:
    from tflite2x.interpreter.inputs import Inputs
    from tflite2x.ir import Model

__all__ = ["Diagnosis", "Example", "Finding", "Named", "diagnose", "diagnose_arrays"]


def diagnose(
    model: Model,
    inputs: Inputs,
    mine: Mapping[str, Array],
    *,
    batched: bool = False,
    rounding: Rounding = "single",
    real_inputs: Sequence[Array] | None = None,
) -> Diagnosis:
    """Compare values of somebody's own implementation with the exact ones, and name the mistakes that explain them.

    Args:
        model: The model.
        inputs: The inputs, as for ``Interpreter.run`` (``run_batch`` with ``batched``).
        mine: Arrays by tensor name, index or operator (see ``diagnosis.matching``). Integers may come in any numeric
            type. More tensors say more: without them, the mistake may be in any operator before.
        batched: Arrays have a sample axis.
        rounding: The contract to compare with.
        real_inputs: The real numbers that ``inputs`` were quantized from, in model order: mistakes in quantizing the
            input can be named then.

    Raises:
        InputError: No array stands for a tensor of the model, or inputs do not fit.
        UnsupportedError: An operator has no kernel.
    """
    from tflite2x.explain.diagnosis.entry import with_real_inputs
    from tflite2x.interpreter import Interpreter

    if real_inputs is not None:
        model, inputs = with_real_inputs(model, real_inputs)
    trace = Interpreter(model, rounding).trace(inputs, batched=batched)
    exact = {t: v if batched else v[None] for t, v in trace.items()}
    sources = {id(t) for t in model.main.inputs}
    single = {t: v if batched else v[0, ...] for t, v in exact.items() if t.subgraph is model.main}
    matched, unmatched = match_arrays(mine, single)
    with np.errstate(all="ignore"):  # overflow and NaN are what some mistakes come to
        return Walk(model, exact, matched, rounding, sources, tuple(unmatched)).diagnosis()


def diagnose_arrays(expected: Array, mine: Array, *, zero_point: int | None = None) -> Diagnosis:
    """Compare two arrays without a model: patterns only, hence never certain.

    Args:
        expected: The right values.
        mine: The others.
        zero_point: The tensor's zero point, where it is known.
    """
    fitted = fit_shape(np.asarray(mine), np.asarray(expected))
    if fitted is None:
        return Diagnosis((shape_finding(np.asarray(expected), np.asarray(mine), "", None, "", ()),))
    expected = np.asarray(expected)
    if equal_values(expected, fitted).all():
        return Diagnosis((), ("the array",))
    return Diagnosis((pattern_finding(expected, fitted, "", None, "", (), zero_point),))

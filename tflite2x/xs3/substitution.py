# SPDX-License-Identifier: Apache-2.0
"""One FULLY_CONNECTED to one XC_fc: constants, proofs against both TFLites, and the place of the fused activation."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import TYPE_CHECKING, Literal

import numpy as np

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.kernel import Rounding
from tflite2x.schema.enums import ActivationFunctionType
from tflite2x.xs3.extraction import layer_of
from tflite2x.xs3.layer import Layer
from tflite2x.xs3.layout import Int8, Int16
from tflite2x.xs3.lowering_2021 import lower_2021
from tflite2x.xs3.lowering_best import lower_best
from tflite2x.xs3.proof import Proof, Prover
from tflite2x.xs3.reach import Rows

if TYPE_CHECKING:
    from tflite2x.ir import Operator

#: How the parameters are chosen.
Params = Literal["best", "2021"]
ROUNDINGS: tuple[Rounding, Rounding] = ("single", "double")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Substitution:
    """What replaces a FULLY_CONNECTED.

    Attributes:
        layer: The layer, without its fused activation where ``clamp`` names one.
        weights: int8 ``[C_out, P]``.
        bso: int16 ``[G, 7, 16]``.
        proofs: What holds against LiteRT (``single``) and TFLite Micro (``double``). Where nothing can be proved
            against one of them, only the other is there.
        unproved: Why nothing can be proved against one of them; empty otherwise.
        clamp: Operator that has to follow, such as ``RELU``; None when the parameters hold the activation.
    """

    layer: Layer
    weights: Int8
    bso: Int16
    proofs: dict[Rounding, Proof]
    unproved: str = ""
    clamp: str | None = None

    @property
    def bound(self) -> int:
        """The largest difference from TFLite over all inputs and both contracts, in output steps."""
        return max(p.bound for p in self.proofs.values())


def substitute(
    op: Operator,
    params: Params = "best",
    rounding: Rounding = "single",
    max_lsb: int = 1,
    known: dict[Hashable, Substitution] | None = None,
) -> Substitution:
    """Lower an operator and prove the result.

    A fused activation is folded into the parameters where the result stays within ``max_lsb``: because the output's
    type clamps at the same place, because the 16-bit stage can be made to saturate there, or because no input gets
    there. Otherwise an operator for it has to follow; it clamps equal values at equal places, so the bound holds.

    Args:
        op: The operator.
        params: ``best``, or ``2021`` for XMOS's formulas.
        rounding: Which TFLite the parameters are chosen for.
        max_lsb: Largest difference to look for.
        known: What equal layers were lowered to with these arguments; gets the result. Unrolled recurrent networks
            repeat a layer many times.

    Raises:
        UnsupportedError: XC_fc cannot replace the operator, or nothing can be proved; the message is the reason.
    """
    layer = layer_of(op)
    if known is None:
        return _substitute(op, layer, params, rounding, max_lsb)
    key = (_key(layer), None if op.options is None else int(op.options.fused_activation_function))
    if key not in known:
        known[key] = _substitute(op, layer, params, rounding, max_lsb)
    return known[key]


def _substitute(op: Operator, layer: Layer, params: Params, rounding: Rounding, max_lsb: int) -> Substitution:
    rows = Rows(layer.weights)
    folded = _lower(layer, rows, params, rounding)
    if layer.activation == (-128, 127) or folded.bound <= max_lsb:
        return folded
    activation = ActivationFunctionType(op.options.fused_activation_function)
    apart = _lower(dataclasses.replace(layer, activation=(-128, 127)), rows, params, rounding)
    return dataclasses.replace(apart, clamp=activation.name)


def _key(layer: Layer) -> Hashable:
    """Return what tells layers apart that compute something else; their names do not."""
    values = (getattr(layer, field.name) for field in dataclasses.fields(layer) if field.name != "name")
    return tuple((v.shape, v.tobytes()) if isinstance(v, np.ndarray) else v for v in values)


def _lower(layer: Layer, rows: Rows, params: Params, rounding: Rounding) -> Substitution:
    weights, bso = lower_best(layer, rounding) if params == "best" else lower_2021(layer)
    prover = Prover(layer, weights, bso, rows)
    proofs: dict[Rounding, Proof] = {rounding: prover.prove(rounding)}
    other = ROUNDINGS[rounding == "single"]
    unproved = ""
    try:
        proofs[other] = prover.prove(other)
    except UnsupportedError as error:
        # A left shift of TFLite Micro can overflow where LiteRT's float64 does not.
        unproved = error.what
    return Substitution(layer, weights, bso, dict(sorted(proofs.items(), reverse=True)), unproved)

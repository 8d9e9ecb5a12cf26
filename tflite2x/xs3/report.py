# SPDX-License-Identifier: Apache-2.0
"""What can be proved about the fully connected layers of a model, as data and as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.kernel import Rounding
from tflite2x.xs3.proof import Proof
from tflite2x.xs3.substitution import Params, Substitution, substitute

if TYPE_CHECKING:
    from tflite2x.ir import Model

#: Whose arithmetic a contract is.
PEERS: dict[Rounding, str] = {"single": "LiteRT", "double": "TFLite Micro"}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LayerReport:
    """One FULLY_CONNECTED.

    Attributes:
        where: The operator.
        found: What would replace it; None when nothing can.
        reason: Why nothing can, or why it is not accepted; empty otherwise.
    """

    where: str
    found: Substitution | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        data: dict[str, Any] = {"operator": self.where, "accepted": not self.reason, "reason": self.reason}
        if self.found is not None:
            channels, columns = self.found.layer.weights.shape
            data |= {
                "channels": channels,
                "inputs": columns,
                "bound": self.found.bound,
                "clamp": self.found.clamp,
                "proofs": {rounding: _proof_dict(proof) for rounding, proof in self.found.proofs.items()},
            }
        return data


def prove_model(
    model: Model, params: Params = "best", rounding: Rounding = "single", max_lsb: int = 1
) -> list[LayerReport]:
    """Lower and prove every FULLY_CONNECTED of a model; the model stays as it is.

    Args:
        model: The model.
        params: How parameters are chosen.
        rounding: Which TFLite they are chosen for; the proof always covers both.
        max_lsb: Largest difference that is accepted.
    """
    reports = []
    known: dict[Hashable, Substitution] = {}
    for graph in model.subgraphs:
        for op in graph.operators:
            if op.name != "FULLY_CONNECTED":
                continue
            try:
                found = substitute(op, params, rounding, max_lsb, known)
            except UnsupportedError as error:
                reports.append(LayerReport(op.where, None, error.what))
                continue
            reason = found.unproved
            if found.bound > max_lsb:
                reason = f"it can differ from TFLite by {found.bound} LSB, more than {max_lsb}"
            reports.append(LayerReport(op.where, found, reason))
    return reports


def _proof_dict(proof: Proof) -> dict[str, Any]:
    witness = None
    if proof.witness is not None:
        witness = {
            "channel": proof.witness.channel,
            "input": proof.witness.x.tolist(),
            "tflite": proof.witness.tflite,
            "xc_fc": proof.witness.xc,
        }
    return {
        "bound": proof.bound,
        "attained": proof.attained,
        "differing_accumulators": proof.differing,
        "accumulators": proof.accumulators,
        "exact_count": proof.exact,
        "channel_bounds": proof.channel_bound.tolist(),
        "witness": witness,
    }


def rows(report: LayerReport) -> list[list[str]]:
    """Return the table's rows of one layer: one for each contract."""
    if report.found is None:
        return []
    channels, columns = report.found.layer.weights.shape
    lines: list[list[str]] = []
    for rounding, proof in report.found.proofs.items():
        witness = "-"
        if proof.witness is not None:
            witness = f"channel {proof.witness.channel}: {proof.witness.xc} for {proof.witness.tflite}"
        lines.append(
            [
                report.where if not lines else "",
                f"{channels} x {columns}" if not lines else "",
                PEERS[rounding],
                f"{proof.bound} LSB",
                {True: "yes", None: "not known", False: "no"}[proof.attained],
                f"{'' if proof.exact else '<= '}{proof.differing:,}",
                f"{100 * proof.share:.4f} %",
                witness,
            ]
        )
    return lines


HEADER = ("operator", "size", "against", "bound", "attained", "differing sums", "share", "shown by")

# SPDX-License-Identifier: Apache-2.0
"""What a pipeline did, as data, as a table, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any, Literal

from tflite2x.rewrite.result import PassResult

if TYPE_CHECKING:
    from tflite2x.ir import Model

#: How a verdict was reached: both models compute the same expressions of the same operators, so that there is nothing
#: to run; both ran on samples; both ran on samples without operators that cannot run; or nothing was checked.
Method = Literal["same computation", "samples", "partial", "not checked"]


def plain(value: Any) -> Any:
    """Return a value that JSON can express: infinities and NaN become texts."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """How large a model is.

    Attributes:
        operators: Operators in all subgraphs.
        tensors: Tensors in all subgraphs.
        nbytes: Length of the file that the model makes.
    """

    operators: int
    tensors: int
    nbytes: int

    @classmethod
    def of(cls, model: Model) -> Size:
        """Measure a model."""
        from tflite2x.ir import file_size

        return cls(
            sum(len(g.operators) for g in model.subgraphs),
            sum(len(g.tensors) for g in model.subgraphs),
            file_size(model),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """The first tensor that differs between two models.

    Attributes:
        tensor: Name of the tensor (in the model before).
        operator: Place of the operator that computes it in the model after.
        worst: The largest difference, in LSB or relative, as ``unit`` says.
        unit: ``LSB``, or ``relative`` to the largest magnitude of the tensor.
        share: Share of elements that differ, 0 to 1.
        sample: Which sample shows the largest difference.
        before: Value before at the element with the largest difference.
        after: Value after at that element.
        note: What differs instead of values, such as the shape, or that the operator does not run any more; ``worst``
            is None then.
        removed: Places in the model before of operators that took part in computing the tensor and are gone.
    """

    tensor: str
    operator: str
    worst: float | None
    unit: str
    share: float
    sample: int = 0
    before: float = 0.0
    after: float = 0.0
    note: str = ""
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"tensor '{self.tensor}' computed by {self.operator}: "
        if self.worst is None:
            text += self.note
        else:
            amount = f"{self.worst:g} LSB" if self.unit == "LSB" else f"{self.worst:.3g} relative"
            text += (
                f"up to {amount}, {self.share:.2%} of the values differ (sample {self.sample}: {self.before:g} before, "
                f"{self.after:g} after)"
            )
        if self.removed:
            text += (
                f"; before, {', '.join(self.removed)} took part, which {'is' if len(self.removed) == 1 else 'are'} gone"
            )
        return text


@dataclasses.dataclass(frozen=True, slots=True)
class NotRun:
    """An operator that cannot run: its place in the model before the pass, and why."""

    where: str
    why: str


@dataclasses.dataclass(slots=True)
class Verdict:
    """What the verifier found for one step.

    Attributes:
        passed: Whether the claim held.
        method: How this was found out.
        samples: How many samples ran.
        worst_lsb: Largest difference of a quantized or integer output, in LSB; None without such outputs.
        worst_relative: Largest difference of a float output relative to its largest magnitude; None without such
            outputs.
        share: Share of output values that differ, 0 to 1.
        distribution: Number of integer output values by difference in LSB.
        operator_lsb: For a claim per operator: the largest difference of a replaced operator that was given equal
            inputs.
        culprit: Text of the pass that broke the model, when it is not the one that was just checked.
        places: The rewrites of the pass that suffice to break the model, when it says where it rewrote and can be run
            again at some of these places only.
        first: The first tensor that differs, when the claim failed.
        reason: Why the claim failed, or why nothing was checked.
        notes: Further remarks, such as samples that had to be restricted.
        checked: For a partial check: places after the pass of the operators that it changed, which all ran.
        not_run: For a partial check: the operators that cannot run. What they compute was made up, equally for both
            models, and what they read was compared.
        ms: Time that the check took.
    """

    passed: bool = True
    method: Method = "samples"
    samples: int = 0
    worst_lsb: float | None = None
    worst_relative: float | None = None
    share: float = 0.0
    distribution: dict[str, int] = dataclasses.field(default_factory=dict)
    operator_lsb: float | None = None
    culprit: str = ""
    places: list[str] = dataclasses.field(default_factory=list)
    first: Difference | None = None
    reason: str = ""
    notes: list[str] = dataclasses.field(default_factory=list)
    checked: list[str] = dataclasses.field(default_factory=list)
    not_run: list[NotRun] = dataclasses.field(default_factory=list)
    ms: float = 0.0

    def difference_text(self) -> str:
        """Return the worst difference as one short text."""
        if self.method == "not checked":
            return "-"
        if self.method == "same computation" and self.passed:
            return "0"
        parts = []
        if self.worst_lsb is not None:
            alone = "" if self.operator_lsb in (None, self.worst_lsb) else f" ({self.operator_lsb:g} per operator)"
            parts.append(f"{self.worst_lsb:g} LSB{alone}")
        if self.worst_relative is not None and (self.worst_relative or self.worst_lsb is None):
            parts.append(f"{self.worst_relative:.2g} rel")
        return ", ".join(parts) or "0"


@dataclasses.dataclass(slots=True)
class PassReport:
    """One row of the report: one pass.

    Attributes:
        name: Text of the pass with its options.
        group: Text of the group that it ran in, or empty.
        result: What it did.
        before: Size before.
        after: Size after.
        ms: Time that the pass took, without verification.
        verdict: What the verifier found; None without verification.
    """

    name: str
    group: str
    result: PassResult
    before: Size
    after: Size
    ms: float
    verdict: Verdict | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values for JSON."""
        return {
            "pass": self.name,
            "group": self.group or None,
            **self.result.to_dict(),
            "before": dataclasses.asdict(self.before),
            "after": dataclasses.asdict(self.after),
            "ms": round(self.ms, 3),
            "verification": dataclasses.asdict(self.verdict) if self.verdict is not None else None,
        }


@dataclasses.dataclass(slots=True)
class Report:
    """Everything that a pipeline did.

    Attributes:
        pipeline: Text of the pipeline.
        passes: One row per pass that ran.
        total: The last model compared with the very first one; None without verification.
        before: Size before the first pass.
        after: Size after the last one.
        ms: Time of all passes without verification.
        verify_ms: Time of all verification.
    """

    pipeline: str
    passes: list[PassReport] = dataclasses.field(default_factory=list)
    total: Verdict | None = None
    before: Size | None = None
    after: Size | None = None
    ms: float = 0.0
    verify_ms: float = 0.0

    @property
    def modified(self) -> bool:
        """Whether any pass changed the model."""
        return any(row.result.modified for row in self.passes)

    @property
    def failed(self) -> PassReport | None:
        """The first row whose check failed, or None."""
        return next((row for row in self.passes if row.verdict is not None and not row.verdict.passed), None)

    def left_alone(self) -> list[tuple[str, str, str]]:
        """Return what was left alone: (pass, place, reason), each once."""
        seen = {(row.name, left.where, left.reason): None for row in self.passes for left in row.result.left_alone}
        return list(seen)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON. Fields are those of the dataclasses of this module."""
        return {
            "pipeline": self.pipeline,
            "passes": [row.to_dict() for row in self.passes],
            "total": {
                "before": dataclasses.asdict(self.before) if self.before is not None else None,
                "after": dataclasses.asdict(self.after) if self.after is not None else None,
                "ms": round(self.ms, 3),
                "verify_ms": round(self.verify_ms, 3),
                "verification": dataclasses.asdict(self.total) if self.total is not None else None,
            },
        }

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(plain(self.to_dict()), indent=2, allow_nan=False, default=str) + "\n"

    def table(self, *, details: bool = True) -> str:
        """Return the report as a text table, followed by what was left alone and why.

        Args:
            details: Say where each pass rewrote as well.
        """
        from tflite2x.rewrite.table import render_report

        return render_report(self, details=details)

# SPDX-License-Identifier: Apache-2.0
"""The report of a pipeline as a text table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite2x.rewrite.report import PassReport, Report, Size, Verdict

_HEAD = ("pass", "operators", "tensors", "bytes", "claim", "worst", "differ", "how", "ms")
_RIGHT = {1, 2, 3, 5, 6, 8}


def align(rows: Sequence[Sequence[str]], right: set[int]) -> list[str]:
    """Set rows of cells into columns; columns in ``right`` are flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = (c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        lines.append("  ".join(cells).rstrip())
    return lines


def change(before: float, after: float) -> str:
    """Return ``12 -> 9``, or one number when nothing changed."""
    return f"{after:,}" if before == after else f"{before:,} -> {after:,}"


def _verdict_cells(verdict: Verdict | None) -> tuple[str, str, str]:
    if verdict is None:
        return "-", "-", "-"
    if verdict.method == "not checked":
        return "-", "-", "not checked"
    kinds = {"samples": f"{verdict.samples} samples", "partial": f"{verdict.samples} samples, in part"}
    how = kinds.get(verdict.method, verdict.method)
    return verdict.difference_text(), f"{verdict.share:.2%}", how if verdict.passed else f"FAILED, {how}"


def _sizes(before: Size, after: Size) -> tuple[str, str, str]:
    return (
        change(before.operators, after.operators),
        change(before.tensors, after.tensors),
        change(before.nbytes, after.nbytes),
    )


def _row(row: PassReport) -> tuple[str, ...]:
    claim = row.result.claim
    said = "exact" if claim.is_exact else "none" if claim.lsb is None else f"{claim.lsb} LSB"
    said = f"{claim.relative:g} rel" if claim.relative and not claim.lsb else said
    sizes = _sizes(row.before, row.after) if row.result.modified else ("", "", "")
    name = f"  {row.name}" if row.group else row.name
    return (name, *sizes, said if row.result.modified else "no change", *_verdict_cells(row.verdict), f"{row.ms:.1f}")


def render_report(report: Report, *, details: bool) -> str:
    """Render the table, what each pass did (with ``details`` also where), and what was left alone and why."""
    rows: list[tuple[str, ...]] = [_HEAD]
    group = ""
    for row in report.passes:
        if row.group and row.group != group:
            rows.append((f"{row.group}:", *[""] * (len(_HEAD) - 1)))
        group = row.group
        rows.append(_row(row))
    if report.before is not None and report.after is not None:
        rows.append(
            ("total", *_sizes(report.before, report.after), "", *_verdict_cells(report.total), f"{report.ms:.1f}")
        )
    lines = align(rows, _RIGHT)
    lines.insert(1, "-" * max(map(len, lines)))
    for row in report.passes:
        done = ", ".join(f"{number} {what}" for what, number in row.result.counts.items())
        if done:
            lines.append(f"{row.name}: {done}")
        lines += [f"  {replaced.where}: {replaced.what}" for replaced in row.result.replaced if details]
        if row.verdict is not None:
            lines += [f"  note: {note}" for note in row.verdict.notes]
            lines += [f"  checked: {where}" for where in row.verdict.checked if details]
    missing = {n.where: n.why for row in report.passes if row.verdict for n in row.verdict.not_run}
    if missing:
        lines.append("checked in part; what these operators compute was made up, because they cannot run:")
        lines += [f"  {where}: {why}" for where, why in missing.items()]
    left = report.left_alone()
    if left:
        lines.append("left alone:")
        lines += [f"  {name}: {where}: {reason}" for name, where, reason in left]
    if report.verify_ms:
        lines.append(f"verification took {report.verify_ms:,.0f} ms")
    return "\n".join(lines) + "\n"

# SPDX-License-Identifier: Apache-2.0
"""Print what ``tflite2x.explain.diagnose`` found, for people."""

from __future__ import annotations

from tflite2x.explain.diagnose import Diagnosis, Example, Finding, Named
from tflite2x.explain.plain import printable, table

_NAME_WIDTH = 60
_HEADS = {
    "certain": "CERTAIN",
    "likely": "LIKELY (it makes every value, but a chance hit, or a second mistake behind it, cannot be ruled out)",
    "ambiguous": "ONE OF THESE (all of them make every value exactly; this input cannot tell them apart)",
    "partial": "IN PART (the best there is, it does not make every value)",
    "none": "NOTHING KNOWN FITS",
    "shape": "THE SHAPE DIFFERS",
}

_ALONE = "POSSIBLY (it makes every value, but so few of them differ that much else would, too)"


def render(diagnosis: Diagnosis) -> str:
    """Return the text that ``tflite2x diagnose`` prints."""
    parts = []
    if diagnosis.unmatched:
        parts.append(f"no tensor of the model for {', '.join(printable(n) for n in diagnosis.unmatched)}")
    if diagnosis.equal:
        parts.append(f"as expected: {_names(diagnosis.equal)}")
    parts += [_finding(f, i == 0) for i, f in enumerate(diagnosis.findings)]
    if diagnosis.follows:
        parts.append(f"different, but right for what goes in: {_names(diagnosis.follows)}")
    if not diagnosis.findings:
        parts.append("no difference")
    return "\n\n".join(parts)


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(printable(n, _NAME_WIDTH) for n in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _finding(finding: Finding, first: bool) -> str:
    head = "first difference" if first else "another difference, from what goes in there"
    what = "the arrays" if finding.index is None else f"tensor {finding.index} {printable(finding.tensor, _NAME_WIDTH)}"
    lines = [f"{head}: {what} {list(finding.shape)}" + (f", {finding.operator}" if finding.operator else "")]
    if finding.between:
        more = f" and {len(finding.between) - 3} more" if len(finding.between) > 3 else ""
        lines.append(f"  not given: the results of {', '.join(finding.between[:3])}{more}")
    if finding.certainty != "shape" and finding.differing:
        lines.append(
            f"  {finding.differing:,} of {finding.values:,} values differ, by up to {_number(finding.largest)}"
        )
    if finding.note:
        lines.append(f"  {finding.note}")
    lines.append("")
    alone = finding.certainty == "ambiguous" and len(finding.named) == 1
    lines.append(f"  {_ALONE if alone else _HEADS[finding.certainty]}")
    if finding.common:
        lines.append(f"  in all of them: {' + '.join(finding.common)}")
    if finding.certainty == "none":
        lines.append(f"  {finding.tried:,} mistakes and combinations were tried")
    lines += [line for named in finding.named for line in _named(named, finding)]
    if finding.examples:
        lines += ["", *("  " + line for line in _examples(finding).splitlines())]
    return "\n".join(lines)


def _named(named: Named, finding: Finding) -> list[str]:
    lines = _wrapped(f"  * {' + '.join(named.mistakes)}: {'; '.join(named.titles)}")
    lines.append(
        f"      makes {named.explained:,} of {finding.values:,} values, {named.fixed:,} of the {finding.differing:,} "
        "that differ"
    )
    for text in (*named.remedies, *(f"or: {way}" for way in named.ways[:3])):
        lines += _wrapped(f"      {text}")
    return lines


def _wrapped(text: str, width: int = 118) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)


def _examples(finding: Finding) -> str:
    """A few values with both computations, one step per column."""
    rows: list[list[str]] = []
    steps = [s for s in finding.examples[0].exact if s != "result"]
    for example in finding.examples:
        index = "[" + ", ".join(map(str, example.index)) + "]"
        rows.append([index, "expected", *_steps(example.exact, steps), _number(example.expected)])
        if example.wrong:
            wrong = list(example.wrong)
            aligned = steps if wrong[:-1] == steps else [s for s in wrong if s != "result"]
            rows.append(["", "with the mistake", *_steps(example.wrong, aligned, len(steps)), _shown(example)])
        rows.append(["", "yours", *[""] * len(steps), _number(example.mine)])
    return table(["index", "", *steps, "value"], rows, right=range(2, 3 + len(steps)))


def _shown(example: Example) -> str:
    return _number(example.wrong.get("result", example.mine))


def _steps(values: dict[str, float], names: list[str], width: int | None = None) -> list[str]:
    cells = [_number(values[n]) if n in values else "" for n in names]
    width = len(names) if width is None else width
    return [*cells, *[""] * (width - len(cells))][:width]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"

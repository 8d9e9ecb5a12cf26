# SPDX-License-Identifier: Apache-2.0
"""``tflite2x verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite2x.cli.choices import Oracle

if TYPE_CHECKING:
    from tflite2x.verification import PairResult


def _tolerance(value: float) -> float:
    """Refuse what no difference can be compared with."""
    if not value >= 0:
        raise typer.BadParameter(f"{value:g} is no tolerance: give a number from 0 on.")
    return value


def verify(
    first: Annotated[
        Path, typer.Argument(metavar="A", help="A .tflite file, or the folder of a reproducer.", show_default=False)
    ],
    second: Annotated[
        Path | None, typer.Argument(metavar="[B]", help="Another .tflite file.", show_default=False)
    ] = None,
    samples: Annotated[
        str, typer.Option("--samples", metavar="N|FILE", help="Number of samples, or an .npz file with your own.")
    ] = "32",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random samples.")] = 0,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Convert where the interfaces have other types, as the tensors declare.")
    ] = False,
    max_lsb: Annotated[
        float,
        typer.Option(
            "--max-lsb", metavar="N", callback=_tolerance, help="Accept integer outputs that differ by up to N."
        ),
    ] = 0,
    max_relative: Annotated[
        float,
        typer.Option(
            "--max-relative",
            metavar="R",
            callback=_tolerance,
            help="Accept float outputs that differ by up to R of the largest.",
        ),
    ] = 0.0,
    oracle: Annotated[
        Oracle | None,
        typer.Option(
            "--oracle", help="Run LiteRT beside the interpreter and say whether they agree.", show_default=False
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Compare what two models compute on the same samples; exit code 1 when they differ.

    The folder of a reproducer brings its samples along, and what the later model should compute from them where the
    models have other interfaces; only the tolerances and --json apply to it. The fields of the JSON are those of
    tflite2x.verification.pair.PairResult, which documents them, and "passed".
    """
    from tflite2x.errors import InputError
    from tflite2x.verification import replay
    from tflite2x.verification import verify as compare

    if second is None and first.is_file():
        raise InputError("there is nothing to compare it with", where=str(first), hint="Give a second .tflite file.")
    result = (
        replay(first)
        if second is None
        else compare(
            first,
            second,
            samples=parse_samples(samples),
            seed=seed,
            adapt=adapt,
            oracle="litert" if oracle is not None else None,
        )
    )
    passed = result.within(max_lsb, max_relative)
    if json:
        import json as encoder

        print(encoder.dumps({"passed": passed, **result.to_dict()}, indent=2))
    else:
        print(render(result, passed))
    if not passed:
        raise typer.Exit(1)


def parse_samples(text: str) -> Any:
    """Return the value of ``--samples``: a number, or a path as text."""
    from tflite2x.errors import InputError

    if text.lstrip("+-").isdigit():
        return int(text)
    if not text.endswith((".npz", ".npy")):
        raise InputError(f"--samples {text} is neither a number nor an .npz file")
    return text


def render(result: PairResult, passed: bool) -> str:
    """Render the result as a few lines."""
    lines = [f"adapter: {text}" for text in result.adapters]
    lines += [f"note: {note}" for note in result.notes]
    lines += [f"not run: {n.where}: {n.why}" for n in result.not_run]
    if result.equal and not result.samples:
        return "\n".join([*lines, "equal: both models compute the same expressions"])
    if result.equal:
        return "\n".join([*lines, f"equal on {result.samples} samples, bit for bit"])
    if result.failure:
        lines.append(f"DIFFERENT: the second model does not run: {result.failure}")
        return "\n".join([*lines, f"first difference: {result.first}"] if result.first is not None else lines)
    amounts = []
    if result.worst_lsb:
        amounts.append(f"{result.worst_lsb:g} LSB")
    if result.worst_relative:
        amounts.append(f"{result.worst_relative:.3g} of the largest magnitude")
    amount = result.shapes or " and ".join(amounts) or "bits that stand for the same numbers"
    lines.append(
        f"{'within the limits' if passed else 'DIFFERENT'}: up to {amount}, {result.share:.2%} of the values on "
        f"{result.samples} samples"
    )
    if result.distribution:
        lines.append("LSB: " + ", ".join(f"{name}: {number:,}" for name, number in result.distribution.items()))
    if result.first is not None:
        lines.append(f"first difference: {result.first}")
    return "\n".join(lines)

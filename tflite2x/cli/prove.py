# SPDX-License-Identifier: Apache-2.0
"""``tflite2x prove``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite2x.cli.choices import RoundingChoice

if TYPE_CHECKING:
    from tflite2x.ir import Model
    from tflite2x.xs3.report import LayerReport


class ParamsChoice(enum.StrEnum):
    """How the parameters of XC_fc are chosen."""

    BEST = "best"
    XMOS = "2021"


def prove(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    params: Annotated[
        ParamsChoice, typer.Option(help="best: fewest differences; 2021: XMOS's formulas.")
    ] = ParamsChoice.BEST,
    rounding: Annotated[
        RoundingChoice, typer.Option(help="What best aims at. single: LiteRT; double: TFLite Micro.")
    ] = RoundingChoice.SINGLE,
    max_lsb: Annotated[int, typer.Option("--max-lsb", min=0, metavar="N", help="Largest difference accepted.")] = 1,
    passes: Annotated[
        str, typer.Option("--passes", "-p", metavar="SPEC", help="Run these passes before.")
    ] = "conv-to-fc,bypass-reshape",
    samples: Annotated[
        int, typer.Option("--samples", min=0, metavar="N", help="Samples for the measured difference of the model.")
    ] = 200,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs, with the inputs found.")] = False,
) -> None:
    """Prove, over all int8 inputs, how far XC_fc can be from TFLite in every fully connected layer.

    Beside the proved bounds stands what is measured on the whole model, where differences of one layer go through the
    next ones. The exit code is 1 when a layer can differ by more than --max-lsb.
    """
    from tflite2x.ir import load
    from tflite2x.rewrite.pipeline import Pipeline
    from tflite2x.xs3.report import prove_model

    loaded = load(model)
    Pipeline.parse(passes).run(loaded, None)
    reports = prove_model(loaded, params.value, rounding.value, max_lsb)
    measured = None
    if samples and any(not r.reason for r in reports):
        measured = _measure(loaded, params.value, rounding.value, max_lsb, samples)
    if json:
        import json as encoder

        print(encoder.dumps({"layers": [r.to_dict() for r in reports], "measured": measured}))
    else:
        print(render(reports, measured))
    if any(r.found is not None and r.found.bound > max_lsb for r in reports):
        raise typer.Exit(1)


def _measure(model: Model, params: Any, rounding: Any, max_lsb: int, samples: int) -> dict[str, Any]:
    """Compare the whole model with and without XC_fc on random samples."""
    from tflite2x.errors import UnsupportedError
    from tflite2x.passes.xc_fc import XcFc
    from tflite2x.verification import verify

    replaced = model.clone()
    XcFc(params=params, rounding=rounding, max_lsb=max_lsb)(replaced)
    try:
        result = verify(model, replaced, samples=samples, rounding=rounding)
    except UnsupportedError as error:
        return {"error": str(error)}
    return {
        "samples": result.samples,
        "worst_lsb": result.worst_lsb,
        "worst_relative": result.worst_relative,
        "share": result.share,
    }


def render(reports: list[LayerReport], measured: dict[str, Any] | None) -> str:
    """Render the reports as a table and a few lines."""
    from tflite2x.explain.plain import table
    from tflite2x.xs3.report import HEADER, rows

    parts = []
    cells = [row for report in reports for row in rows(report)]
    if cells:
        parts.append(table(HEADER, cells, right=(1, 5, 6)))
    parts += [f"{r.where}: followed by {r.found.clamp}" for r in reports if r.found is not None and r.found.clamp]
    parts += [f"{r.where}: left alone, {r.reason}" for r in reports if r.reason]
    if not reports:
        parts.append("no FULLY_CONNECTED")
    if measured is not None:
        parts.append(_measured_line(measured))
    return "\n".join(parts)


def _measured_line(measured: dict[str, Any]) -> str:
    if "error" in measured:
        return f"whole model: not measured, {measured['error']}"
    amounts = []
    if measured["worst_lsb"]:
        amounts.append(f"{measured['worst_lsb']:g} LSB")
    if measured["worst_relative"]:
        amounts.append(f"{measured['worst_relative']:.3g} of the largest magnitude")
    if not amounts:
        return f"whole model: equal on {measured['samples']} samples"
    return (
        f"whole model: up to {' and '.join(amounts)} in {measured['share']:.2%} of the outputs, measured on "
        f"{measured['samples']} samples"
    )

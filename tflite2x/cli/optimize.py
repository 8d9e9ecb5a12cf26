# SPDX-License-Identifier: Apache-2.0
"""``tflite2x optimize``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tflite2x.cli.choices import Oracle

if TYPE_CHECKING:
    from tflite2x.rewrite.report import Report
    from tflite2x.verification import Verify


class Target(enum.StrEnum):
    """What the result is for."""

    XCORE = "xcore"
    TFLITE = "tflite"


class When(enum.StrEnum):
    """When the model is checked."""

    EACH = "each"
    END = "end"
    OFF = "off"


def optimize(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; MODEL.TARGET.tflite beside MODEL by default.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        Target, typer.Option("--target", "-t", help="xcore: custom operators of xcore.ai; tflite: builtin ones only.")
    ] = Target.XCORE,
    passes: Annotated[
        str | None,
        typer.Option(
            "--passes",
            "-p",
            metavar="SPEC",
            show_default=False,
            help="Run these passes instead of the target's, such as 'strip-float-io,xc-fc{threads=4},cleanup', or "
            "@FILE to read them.",
        ),
    ] = None,
    verify: Annotated[
        When,
        typer.Option(
            "--verify",
            help="Compare with the model before: after each pass, at the end, or never. Where operators cannot run "
            "(without a kernel, for example), all else is compared, and the report lists them.",
        ),
    ] = When.EACH,
    samples: Annotated[
        str, typer.Option("--samples", metavar="N|FILE", help="Number of samples, or an .npz file with your own.")
    ] = "32",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random samples.")] = 0,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE", help="Write the report as JSON, also when a check fails.", show_default=False
        ),
    ] = None,
    oracle: Annotated[
        Oracle | None,
        typer.Option(
            "--oracle", help="Run LiteRT beside the interpreter and say whether they agree.", show_default=False
        ),
    ] = None,
    reproducer: Annotated[
        Path | None,
        typer.Option(
            "--reproducer",
            metavar="DIR",
            help="When a check fails, write the smallest sub-model that shows it, with inputs, for 'tflite2x verify'.",
            show_default=False,
        ),
    ] = None,
    drop_unknown: Annotated[
        bool,
        typer.Option(
            "--drop-unknown", help="Write the model without fields newer than this version, instead of refusing."
        ),
    ] = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the passes in the metadata of the result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print what every pass did where, and why not.")] = (
        False
    ),
) -> None:
    """Rewrite a model for a target, compare it with the original after every pass, and write the result.

    When a check fails, nothing is written, the pass and the first tensor that differs are named, and the exit code
    is 1. The fields of the JSON report are those of the dataclasses in tflite2x.rewrite.report, which document them.
    """
    from tflite2x.ir import load, save
    from tflite2x.ir.saving import refuse_unknown
    from tflite2x.rewrite.pipeline import CheckFailedError, Pipeline
    from tflite2x.rewrite.targets import TARGETS

    pipeline = Pipeline.parse(passes if passes is not None else TARGETS[target.value])
    config = _config(verify, samples, seed, oracle)
    destination = output if output is not None else _beside(model, "custom" if passes is not None else target.value)
    _check_report_path(report, model, destination)
    loaded = load(model)
    if not drop_unknown:
        refuse_unknown(loaded)
    try:
        found = _run(pipeline, loaded, config, record)
    except CheckFailedError as error:
        _write_report(report, error.report)
        if not quiet:
            print(error.report.table(details=True), end="")
        if reproducer is not None and error.failure is not None:
            from tflite2x.verification import reproduce

            print(f"reproducer: {reproduce(error.failure, reproducer, error.what)}")
        elif reproducer is not None:
            print("no reproducer: no samples of a single pass show what is wrong")
        raise
    save(loaded, destination, drop_unknown=drop_unknown)
    _write_report(report, found)
    if not quiet:
        print(found.table(details=verbose), end="")
        print(f"wrote {destination}")


def _config(verify: When, samples: str, seed: int, oracle: Oracle | None) -> Verify | None:
    from tflite2x.cli.verify import parse_samples
    from tflite2x.verification import Verify

    if verify is When.OFF:
        return None
    return Verify(
        parse_samples(samples),
        seed,
        every="end" if verify is When.END else "pass",
        oracle="litert" if oracle is not None else None,
    )


def _beside(model: Path, kind: str) -> Path:
    """Return ``model.xcore.tflite`` for ``model.tflite``."""
    if not model.name:  # the folder "." or "/", which cannot be loaded
        return model
    return model.with_name(f"{model.name.removesuffix('.tflite')}.{kind}.tflite")


def _check_report_path(report: Path | None, model: Path, destination: Path) -> None:
    """Refuse a report in the place of a model, and one that cannot be written, before any work is done."""
    from tflite2x.errors import FileAccessError, InputError

    if report is None:
        return
    for path, what in ((model, "the model"), (destination, "the result")):
        if report.resolve() == path.resolve():
            raise InputError(f"the report would replace {what}", where=str(report), hint="Give --report another file.")
    if not report.absolute().parent.is_dir():
        raise FileAccessError("cannot be written: there is no such folder", where=str(report))


def _run(pipeline: Any, model: Any, config: Verify | None, record: bool) -> Report:
    from tflite2x.cli.progress import Progress

    with Progress("optimizing", total=None) as progress:
        found: Report = pipeline.run(
            model,
            config,
            record=record,
            callback=lambda name, _model, _row: progress.step(label=f"{name} done, passes:"),
        )
    return found


def _write_report(path: Path | None, report: Report) -> None:
    if path is not None:
        from tflite2x.ir.files import write_file

        write_file(path, [report.to_json().encode()])

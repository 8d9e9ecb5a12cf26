# SPDX-License-Identifier: Apache-2.0
"""``tflite2x report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page, an .html file.")] = Path(
        "report.html"
    ),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Samples for the error of every layer: an .npz file with x [N, ...] and, for the accuracy, labels y.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="OTHER",
            help="Measure errors against this model (such as the float original) instead of the same network in real "
            "numbers.",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", metavar="N", help="Use at most N samples.", min=1)] = 32,
) -> None:
    """Write one page about a model: graph, sizes, operators, quantization, weights, and errors where data is given.

    The page needs no network and has no scripts.
    """
    from tflite2x.cli.arrays import read_arrays
    from tflite2x.errors import InputError
    from tflite2x.explain.report import layer_errors
    from tflite2x.explain.report import report as render
    from tflite2x.ir import load
    from tflite2x.ir.files import write_file

    if output.resolve() in [p.resolve() for p in (model, against, data) if p is not None]:
        raise InputError("the page would replace a file that it is made from", where=str(output))
    loaded = load(model)
    errors = None
    if data is not None:
        arrays = read_arrays(data)
        content = arrays if isinstance(arrays, dict) else {"x": arrays}
        other = None if against is None else load(against)
        errors = layer_errors(loaded, content, source=data.name, other=other, samples=samples)
    elif against is not None:
        raise InputError("--against without --data", hint="Give samples with --data.")
    write_file(output, [render(loaded, errors).encode()])
    print(f"wrote {output}")

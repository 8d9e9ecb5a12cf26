# SPDX-License-Identifier: Apache-2.0
"""``tflite2x export``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from tflite2x.cli.choices import Rounding, RoundingChoice


class Language(enum.StrEnum):
    """The languages of ``tflite2x.export.LANGUAGES``."""

    C = "c"
    RUST = "rust"
    NUMPY = "numpy"


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The .tflite file.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the files.", show_default=False)
    ],
    lang: Annotated[Language, typer.Option(help="C99, a Cargo package without std, or one NumPy file.")] = Language.C,
    arrays: Annotated[
        bool, typer.Option("--arrays", help="Write only the parameters with their quantization.")
    ] = False,
    vectors: Annotated[int, typer.Option(metavar="N", min=0, help="Number of test vectors.")] = 16,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the test vectors.")] = 0,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Prefix of names and files; the model's by default.", show_default=False)
    ] = "",
    rounding: Rounding = RoundingChoice.SINGLE,
) -> None:
    """Write the model as source code without dependencies, and test vectors with a checking program.

    A quantized model becomes integer-only code that equals the interpreter bit for bit; float32 stays at its interface,
    if it has one. A float model becomes float32 code that adds in the order of LiteRT's reference kernels and equals
    them bit for bit (but for the last place of exp and its kin); the checking program says how near it is to the
    interpreter. Operators that cannot be exported are listed, and nothing is written.
    """
    from tflite2x.export import export as write
    from tflite2x.ir import load

    files = write(
        load(model), output, lang=lang.value, arrays=arrays, test_vectors=vectors, seed=seed, name=name,
        rounding=rounding.value,
    )  # fmt: skip
    for file in files:
        print(f"{file}  {file.stat().st_size} bytes")

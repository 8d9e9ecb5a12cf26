# SPDX-License-Identifier: Apache-2.0
"""The export: everything is made in memory first, so that what cannot be exported writes nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tflite2x.errors import InputError, UnsupportedError
from tflite2x.export import c, numpy_file, parameters, rust, vectors
from tflite2x.export.folder import write_all
from tflite2x.export.writing import TYPES, Source
from tflite2x.interpreter.kernel import Rounding
from tflite2x.ir import dumps
from tflite2x.program import Value, lower
from tflite2x.program.values import identifier

if TYPE_CHECKING:
    from tflite2x.ir import Model

LANGUAGES = ("c", "rust", "numpy")
_WRITERS = {"c": c.files, "rust": rust.files, "numpy": numpy_file.files}


def export(
    model: Model,
    folder: str | os.PathLike[str],
    *,
    lang: str = "c",
    arrays: bool = False,
    test_vectors: int = 16,
    seed: int = 0,
    rounding: Rounding = "single",
    name: str = "",
) -> list[Path]:
    """Write a model as source code that depends on nothing and computes the same.

    Integer operators become integer-only code. Float32 operators become float32 code that adds in the order of LiteRT's
    reference kernels, without a mathematical library. The head of every file says which of them it holds.

    Args:
        model: The model; its main subgraph is exported.
        folder: Where the files go; made if needed. Files of the same names are replaced, all of them or none.
        lang: ``c`` (C99), ``rust`` (a Cargo package; the library is ``no_std``) or ``numpy`` (one file).
        arrays: Write only the parameters with their quantization.
        test_vectors: Number of test vectors; 0 writes none. There may be fewer where float32 results are rounded to
            integers inside of the model: see :func:`tflite2x.export.vectors.make`.
        seed: Seed of the test vectors.
        rounding: ``single`` as LiteRT's reference kernels, ``double`` as TFLite Micro.
        name: Prefix of names and files; by default that of the model's file.

    Returns:
        The files written.

    Raises:
        UnsupportedError: Operators that cannot be exported: one error that lists all of them; nothing was written.
        InputError: A language or number that there is not.
        FileAccessError: A file cannot be written; nothing was changed.
    """
    if lang not in LANGUAGES:
        raise InputError(f"the language is {lang!r}", hint=f"Choose one of {', '.join(LANGUAGES)}.")
    if test_vectors < 0:
        raise InputError(f"{test_vectors} test vectors are asked for", hint="Ask for 0 or more.")
    path = model.path
    name = identifier(name or (path.stem if path is not None else "model"))
    source = Source(path.name if path is not None else "a model in memory", _checksum(model))
    if arrays:
        return write_all(Path(folder), parameters.files(model, lang, name, source))
    program = lower(model, rounding, name)
    if not program.inputs or not program.outputs:
        raise UnsupportedError("a model without inputs or outputs", where=source.model, hint="Nothing was written.")
    for value in (*program.inputs, *program.outputs):
        if value.dtype not in TYPES or (isinstance(value, Value) and value.size == 0):
            raise UnsupportedError(
                f"{value.name} has type {value.dtype} and shape {list(value.shape)}", where=source.model,
                hint="Nothing was written.",
            )  # fmt: skip
    files = _WRITERS[lang](program, source)
    if test_vectors:
        files["vectors.bin"] = vectors.pack(*vectors.make(model, program, source, test_vectors, seed, rounding))
    return write_all(Path(folder), files)


def _checksum(model: Model) -> str:
    data = model.path.read_bytes() if model.path is not None and model.path.is_file() else dumps(model)
    return hashlib.sha256(data).hexdigest()

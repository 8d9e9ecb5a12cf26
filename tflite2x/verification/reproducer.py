# SPDX-License-Identifier: Apache-2.0
"""A failed check on disk: the smallest sub-model around it, before and after, with inputs and expected outputs."""

from __future__ import annotations

import os
from pathlib import Path

from tflite2x.errors import Tflite2xError
from tflite2x.ir.files import write_file
from tflite2x.verification.cutting import Part, smallest
from tflite2x.verification.failure import Failure
from tflite2x.verification.pair import PairResult, verify
from tflite2x.verification.recording_files import read, read_description, write
from tflite2x.verification.running import CALLS

_README = """Reproducer of a failed check of tflite2x.

pass: {name}
what: {what}

before.tflite        the model before the pass, {extent}
after.tflite         the same part after the pass
inputs.npz           {count} samples
expected.npz         what before.tflite computes from them
{more}replay.json          how both were compared
{remarks}
Replay: tflite2x verify {folder}
"""

_OWN = """inputs_after.npz     the same samples as after.tflite takes them
expected_after.npz   what after.tflite should compute from them: expected.npz in the terms of its interface
"""

_ADAPTERS = "*output_*_adapter.tflite"
_ADAPTER = """output_*_adapter.tflite   what is applied to an output of after.tflite before it is compared
"""


def reproduce(failure: Failure, folder: str | os.PathLike[str], what: str = "") -> Path:
    """Write a reproducer.

    Where both models have one interface, they are compared with each other. Where the pass changed the interface, and
    for models with state or several entry points, each has inputs of its own, and the later one is compared with what
    is stored.

    Args:
        failure: ``CheckFailedError.failure``.
        folder: Where to write; made when it does not exist. What an earlier reproducer left there goes.
        what: What went wrong, for the README.

    Returns:
        The folder, with ``before.tflite``, ``after.tflite``, ``inputs.npz``, ``expected.npz``, ``replay.json`` and
        ``README.txt``; also with ``inputs_after.npz``, ``expected_after.npz`` and ``output_*_adapter.tflite`` where the
        models have inputs of their own.

    Raises:
        FileAccessError: The folder cannot be written.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    part = smallest(failure)
    recording, plain = part.recording, part.recording.plain
    for pattern in ("inputs_after.npz", "expected_after.npz", _ADAPTERS):
        for old in path.glob(pattern):
            old.unlink()
    write(recording, path, {"pass": failure.name, "what": what})
    text = _README.format(
        name=failure.name,
        what=what,
        extent=part.extent,
        count=sum(call.before.count for call in recording.calls),
        more="" if plain else _OWN + (_ADAPTER if list(path.glob(_ADAPTERS)) else ""),
        remarks=_remarks(part),
        folder=path,
    )
    if plain:
        text += "    or: tflite2x verify before.tflite after.tflite --samples inputs.npz\n"
    write_file(path / "README.txt", [text.encode()])
    return path


def replay(folder: str | os.PathLike[str]) -> PairResult:
    """Compare the two models of a reproducer once more.

    Args:
        folder: What ``reproduce`` returned.

    Raises:
        InputError: The folder holds no reproducer, or its files do not belong together.
        Tflite2xError: A file cannot be read, or the model before the pass does not run.
    """
    path = Path(folder)
    how = read_description(path)
    if "calls" in how:
        try:
            return read(path, how).play()
        except Tflite2xError as error:
            raise (error if str(path) in str(error) else error.at(str(path))) from None
    names = path / "before.tflite", path / "after.tflite"
    return verify(*names, samples=path / "inputs.npz", rounding=how["rounding"])


def _remarks(part: Part) -> str:
    lines = []
    if part.recording.stateful:
        lines.append(
            f"The model keeps something between calls: it is called with all samples {CALLS} times in a row, each time "
            "in another order,\nand all outputs stand one behind the other."
        )
    if not part.shows:
        lines.append(
            "Its outputs do not show the difference: it is within the model, at the tensor named above, or in what\n"
            "the files declare."
        )
    return "".join(f"\n{line}\n" for line in lines)

# SPDX-License-Identifier: Apache-2.0
"""Recordings on disk: models, inputs and expected values as files, and ``replay.json`` that says how they belong.

Arrays are called ``input_0`` and ``output_0`` by position; with several calls, ``call_0_input_0``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import InputError
from tflite2x.ir.files import dumps, load, write_file
from tflite2x.rewrite.interface import Adapter, Rebatch, Relation
from tflite2x.schema.enums import TensorType
from tflite2x.verification.adapt import Expectation
from tflite2x.verification.recording import Call, Recording
from tflite2x.verification.running import Batch
from tflite2x.verification.samples import read_arrays

if TYPE_CHECKING:
    from tflite2x.ir import Model, Tensor

Array = NDArray[Any]
DESCRIPTION = "replay.json"


def write(recording: Recording, path: Path, about: Mapping[str, str]) -> None:
    """Write a recording.

    Args:
        recording: The recording; its inputs and outputs get names that hold for both models.
        path: The folder, which exists.
        about: What else ``replay.json`` says.

    Raises:
        FileAccessError: The folder cannot be written.
    """
    plain = recording.plain
    for model in (recording.before, recording.after):
        _name_interface(model, recording)
    write_file(path / "before.tflite", [dumps(recording.before)])
    write_file(path / "after.tflite", [dumps(recording.after)])
    prefixes = _prefixes(len(recording.calls))
    tables: dict[str, dict[str, Array]] = {n: {} for n in ("inputs", "expected", "inputs_after", "expected_after")}
    calls = []
    for prefix, call in zip(prefixes, recording.calls, strict=True):
        tables["inputs"] |= _named(f"{prefix}input", call.before.inputs)
        tables["inputs_after"] |= _named(f"{prefix}input", call.after.inputs)
        tables["expected"] |= _named(f"{prefix}output", call.outputs)
        tables["expected_after"] |= _named(f"{prefix}output", [e.value for e in call.expected])
        outputs = [_describe(e, path, f"{prefix}output_{i}") for i, e in enumerate(call.expected)]
        calls.append({"subgraphs": [call.before.graph.index, call.after.graph.index], "outputs": outputs})
    how: dict[str, Any] = {**about, "rounding": recording.rounding}
    if plain:
        how["how"] = "both models run on inputs.npz and are compared"
    else:
        how["how"] = "after.tflite runs on inputs_after.npz and is compared with expected_after.npz"
        how["calls"] = calls
    for name, arrays in tables.items():
        if not (plain and name.endswith("_after")):
            write_file(path / f"{name}.npz", [_npz(arrays)])
    write_file(path / DESCRIPTION, [json.dumps(how, indent=2).encode() + b"\n"])


def read_description(path: Path) -> dict[str, Any]:
    """Return what ``replay.json`` says.

    Raises:
        InputError: The folder holds no reproducer.
    """
    try:
        how = json.loads((path / DESCRIPTION).read_bytes())
        if how["rounding"] not in ("single", "double"):
            raise ValueError(f"rounding is {how['rounding']!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} holds no reproducer: {error}",
            hint="Give the folder that --reproducer wrote, or two .tflite files.",
        ) from None
    found: dict[str, Any] = how
    return found


def read(path: Path, how: Mapping[str, Any]) -> Recording:
    """Read a recording whose models have inputs of their own.

    Args:
        path: The folder.
        how: What ``replay.json`` says; it has ``calls``.

    Raises:
        InputError: The files do not belong together.
        Tflite2xError: A file cannot be read.
    """
    recording = Recording(load(path / "before.tflite"), load(path / "after.tflite"), [], how["rounding"])
    tables = {
        name: read_arrays(path / f"{name}.npz") for name in ("inputs", "expected", "inputs_after", "expected_after")
    }
    try:
        calls = list(how["calls"])
        if not calls:
            raise ValueError("there is no call")
        for prefix, call in zip(_prefixes(len(calls)), calls, strict=True):
            graphs = [
                m.subgraphs[i] for m, i in zip((recording.before, recording.after), call["subgraphs"], strict=True)
            ]
            before, after = (
                Batch(graph, _pick(path, name, tables[name], f"{prefix}input", graph.inputs))
                for graph, name in zip(graphs, ("inputs", "inputs_after"), strict=True)
            )
            outputs = _pick(path, "expected", tables["expected"], f"{prefix}output", graphs[0].outputs)
            expected = []
            for i, (tensor, entry) in enumerate(zip(graphs[1].outputs, call["outputs"], strict=True)):
                if not entry.get("known", True):
                    expected.append(Expectation(None))
                    continue
                source = _pick(path, "expected_after", tables["expected_after"], f"{prefix}output", [tensor], i)
                expected.append(Expectation(source[0], _relation(path, entry, tensor)))
            recording.calls.append(Call(before, after, outputs, expected))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"{path / DESCRIPTION} is damaged: {error}", hint="Write the reproducer again.") from None
    return recording


# ----------------------------------------------------------------------------------------------------------------------


def _prefixes(calls: int) -> list[str]:
    return [""] if calls == 1 else [f"call_{i}_" for i in range(calls)]


def _named(kind: str, arrays: Sequence[Array | None]) -> dict[str, Array]:
    return {f"{kind}_{i}": a for i, a in enumerate(arrays) if a is not None}


def _name_interface(model: Model, recording: Recording) -> None:
    """Give inputs and outputs names that hold for both models; a tensor that is both is an input by name."""
    for call in recording.calls:
        graph = (call.before if model is recording.before else call.after).graph
        for kind, tensors in (("output", graph.outputs), ("input", graph.inputs)):
            for i, tensor in reversed(list(enumerate(tensors))):
                tensor.name = f"{kind}_{i}"


def _npz(arrays: Mapping[str, Array]) -> bytes:
    file = io.BytesIO()
    plain: Any = {n: a.astype(np.bytes_) if a.dtype.kind == "O" else a for n, a in arrays.items()}
    np.savez(file, **plain)
    return file.getvalue()


def _pick(
    path: Path, name: str, arrays: Mapping[str, Array], kind: str, tensors: Sequence[Tensor], first: int = 0
) -> list[Array]:
    """Return the arrays of tensors, as the interpreter holds them."""
    found = []
    for i, tensor in enumerate(tensors, start=first):
        array = arrays.get(f"{kind}_{i}")
        if array is None:
            raise InputError(f"it holds no array '{kind}_{i}'", where=str(path / f"{name}.npz"))
        if tensor.dtype == TensorType.STRING:
            array = np.array([bytes(s) for s in array.flat], object).reshape(array.shape)
        elif array.dtype.kind == "V" and array.dtype.itemsize == tensor.numpy_dtype.itemsize:
            array = array.view(tensor.numpy_dtype)  # types that .npz files do not know
        if not array.ndim or not len(array):
            raise InputError(f"the array '{kind}_{i}' holds no samples", where=str(path / f"{name}.npz"))
        found.append(array)
    return found


def _describe(expected: Expectation, path: Path, name: str) -> dict[str, Any]:
    """Say how an output of the later model is compared; writes the adapter that comes first."""
    if expected.value is None:
        return {"known": False}
    described: dict[str, Any] = {}
    for relation in expected.pending:
        if isinstance(relation, Adapter):
            file = f"{name}_adapter.tflite"
            write_file(path / file, [dumps(relation.model)])
            described = {"adapter": file, "text": relation.text}
        elif isinstance(relation, Rebatch):
            described = {"samples": relation.factor, "axis": relation.axis}
    return described


def _relation(path: Path, entry: Mapping[str, Any], tensor: Tensor) -> tuple[Relation, ...]:
    """Return what ``_describe`` said."""
    if "adapter" in entry:
        if Path(entry["adapter"]).name != entry["adapter"]:
            raise ValueError(f"{entry['adapter']!r} is no file of the folder")
        model = load(path / entry["adapter"])
        if (len(model.main.inputs), len(model.main.outputs)) != (1, 1):
            raise ValueError(f"{entry['adapter']} has not one input and one output")
        return (Adapter(model, str(entry.get("text", ""))),)
    if "samples" in entry:
        factor, axis = int(entry["samples"]), int(entry["axis"])
        if factor < 1 or not 0 <= axis < len(tensor.shape):
            raise ValueError(f"{factor} samples along axis {axis}")
        return (Rebatch(factor, axis),)
    return ()

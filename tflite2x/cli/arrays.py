# SPDX-License-Identifier: Apache-2.0
"""Arrays from and to ``.npy`` and ``.npz`` files, and their way to the inputs of a model."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import FileAccessError, InputError
from tflite2x.ir.dtypes import type_name

if TYPE_CHECKING:
    from tflite2x.ir import Model, Subgraph, Tensor

Array = NDArray[Any]

#: What NumPy, zipfile and zlib raise for files that are not what they seem.
_DAMAGED = (
    ValueError,
    EOFError,
    KeyError,
    SyntaxError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_arrays(path: Path) -> Array | dict[str, Array]:
    """Read a file: the array of an ``.npy`` file, or the arrays of an ``.npz`` file by name, in the file's order.

    Raises:
        FileAccessError: The file cannot be read.
        InputError: It is neither, or is damaged, or holds Python objects.
    """
    try:
        # Opened here, because NumPy forgets to close damaged files.
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old headers: the arrays in them are whole
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise FileAccessError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except _DAMAGED as error:
        raise InputError(
            f"not an .npy or .npz file of numbers or strings ({_first_line(error)})",
            where=str(path),
            hint="Write it with numpy.save or numpy.savez.",
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of an ``.npz`` file; the same arrays always give the same bytes.

    ``numpy.savez`` takes names as keyword arguments, so that some of them cannot be used, and notes the time.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, npy_bytes(array, name))
    return buffer.getvalue()


def npy_bytes(array: Array, name: str = "") -> bytes:
    """Return the bytes of an ``.npy`` file.

    Strings become arrays of fixed width, bfloat16 and float8, which NumPy cannot name in a file, become float32.

    Raises:
        InputError: A string ends with a NUL byte, which arrays of fixed width cannot hold.
    """
    if array.dtype == object:
        fixed = array.astype(np.bytes_)
        if not np.array_equal(fixed.astype(object), array):
            raise InputError(f"output {name!r} has strings that end with a NUL byte, which .npy files cannot hold")
        array = fixed
    if array.dtype.kind == "V":
        array = array.astype(np.float32)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def entry(model: Model, signature: str | None) -> tuple[Subgraph, dict[str, Tensor]]:
    """Return the subgraph to run and the names that signatures give to its inputs."""
    if signature is None:
        own = [s for s in model.signatures if s.subgraph is model.main]
        return model.main, own[0].inputs if len(own) == 1 else {}
    for candidate in model.signatures:
        if candidate.key == signature:
            return candidate.subgraph, candidate.inputs
    listing = ", ".join(repr(s.key) for s in model.signatures) or "none"
    raise InputError(f"the model has no signature {signature!r}", hint=f"Signatures: {listing}.")


def as_samples(array: Array, tensor: Tensor) -> Array:
    """Give samples [N, ...] the axes of length 1 that the model wants in each of them, such as its batch axis."""

    def lengths(shape: tuple[int, ...]) -> list[int]:
        return [n for n in shape if n != 1]

    if array.ndim and lengths(array.shape[1:]) == lengths(tensor.shape):
        return array.reshape(len(array), *tensor.shape)
    return array


def arrange(files: Sequence[str], tensors: Sequence[Tensor], names: Mapping[str, Tensor]) -> list[Array]:
    """Read the files given with ``--input`` and return one array per input tensor, in model order.

    A word is a file, or ``NAME=FILE``. Arrays of an ``.npz`` file go to the inputs that they are named after; names
    that the model lacks are passed over when every input has an array. If no name fits, the array ``x`` of an
    evaluation set goes to the only input, or as many arrays as there are inputs go to them in the file's order.

    Args:
        files: The words.
        tensors: The model's inputs.
        names: Further names of inputs, from a signature.

    Raises:
        FileAccessError: A file cannot be read.
        InputError: An array is missing, is given twice, or has nowhere to go.
    """
    targets = {**{t.name: t for t in tensors if t.name is not None}, **names}
    named: dict[Tensor, Array] = {}
    in_order: list[Array] = []
    for word in files:
        found = _named(word, targets, tensors)
        if isinstance(found, list):
            in_order += found
            continue
        for tensor, array in found.items():
            if tensor in named:
                raise InputError(f"input {tensor.name!r} is given twice", where=word)
            named[tensor] = array
    if named and in_order:
        raise InputError("some inputs are given by name and some by order", hint="Use --input NAME=FILE for all.")
    if named:
        missing = [repr(t.name) for t in tensors if t not in named]
        if missing:
            raise InputError(f"no array for input {', '.join(missing)}", hint=_listing(tensors, names))
        return [named[t] for t in tensors]
    if len(in_order) != len(tensors):
        raise InputError(f"{len(in_order)} arrays for {len(tensors)} inputs", hint=_listing(tensors, names))
    return in_order


def _named(word: str, targets: Mapping[str, Tensor], tensors: Sequence[Tensor]) -> dict[Tensor, Array] | list[Array]:
    """Read the file of one word; return arrays by input, or in order when they have no names."""
    name, equals, rest = word.partition("=")
    if equals and not Path(word).exists():
        if name not in targets:
            raise InputError(f"the model has no input {name!r}", where=word, hint=_listing(tensors, targets))
        content = read_arrays(Path(rest))
        if isinstance(content, dict) and len(content) != 1:
            raise InputError(f"{len(content)} arrays for one input", where=rest, hint="Give an .npy file.")
        return {targets[name]: next(iter(content.values())) if isinstance(content, dict) else content}
    content = read_arrays(Path(word))
    if not isinstance(content, dict):
        return [content]
    fitting = {targets[key]: array for key, array in content.items() if key in targets}
    if fitting:
        return fitting
    if len(tensors) == 1 and "x" in content:
        return {tensors[0]: content["x"]}
    if len(content) == len(tensors):
        return list(content.values())
    arrays = ", ".join(map(repr, content)) or "none"
    raise InputError(
        f"no array has the name of an input; arrays: {arrays}", where=word, hint=_listing(tensors, targets)
    )


def _listing(tensors: Sequence[Tensor], names: Mapping[str, Tensor]) -> str:
    parts = []
    for tensor in tensors:
        other = [repr(n) for n, t in names.items() if t is tensor and n != tensor.name]
        parts.append(" or ".join([repr(tensor.name), *other]) + f" {type_name(tensor.dtype)} {list(tensor.shape)}")
    return f"Inputs: {', '.join(parts) or 'none'}."


def fit_type(array: Array, dtype: np.dtype[Any]) -> Array:
    """Convert an array to the type of an input where that changes no value; float64 may be rounded to float32.

    What cannot be converted is returned as it is: the interpreter says what is wrong with it.
    """
    if array.dtype == dtype or array.dtype.kind not in "biuf" or dtype.kind not in "biuf":
        return array
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast = array.astype(dtype)
        same = array.dtype.kind == dtype.kind == "f" or np.array_equal(cast.astype(array.dtype), array)
    return cast if same else array

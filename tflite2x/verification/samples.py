# SPDX-License-Identifier: Apache-2.0
"""Inputs to compare models on: structured ones, seeded random ones, and the user's own."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import FileAccessError, InputError
from tflite2x.interpreter.real import quantize
from tflite2x.ir.dtypes import integer_range
from tflite2x.schema.enums import BuiltinOperator as Op
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Subgraph, Tensor

Array = NDArray[Any]

#: Values that are not indices or lengths may have the full range of their type: operators that only compute.
_ARITHMETIC = {
    Op.ADD, Op.SUB, Op.MUL, Op.MAXIMUM, Op.MINIMUM, Op.EQUAL, Op.NOT_EQUAL, Op.GREATER, Op.GREATER_EQUAL, Op.LESS,
    Op.LESS_EQUAL, Op.CAST, Op.SQUARED_DIFFERENCE, Op.NEG, Op.ABS, Op.RESHAPE, Op.CONCATENATION, Op.SUM, Op.REDUCE_MAX,
    Op.REDUCE_MIN, Op.BITWISE_XOR, Op.SELECT, Op.SELECT_V2, Op.EXPAND_DIMS, Op.SQUEEZE, Op.TRANSPOSE,
}  # fmt: skip
#: Where an operator reads indices, and which input they point into: (index input, data input, axis).
_INDEXED = {Op.GATHER: (1, 0), Op.EMBEDDING_LOOKUP: (0, 1)}
#: Random integers that are neither quantized nor plain numbers stay below this: they may be lengths or axes.
_SMALL = 4
#: Fractions of the range that random samples cover in turn: full noise saturates deep networks, small noise does not.
_AMPLITUDES = (1.0, 1.0, 0.5, 0.25, 0.1)
#: All samples are in memory at once.
_MOST_BYTES = 1 << 32


def generate(tensor: Tensor, count: int, seed: int, *, position: int = 0, restricted: bool = False) -> Array:
    """Make samples for one input.

    The first ones are structured: all minimum, all maximum, zero point, one-hot (the maximum at one place, zero points
    elsewhere); with few samples at most every second one is. The others are random over the range of the type.

    Args:
        tensor: The input.
        count: Number of samples.
        seed: Seed; the same seed gives the same samples everywhere.
        position: Position among the inputs, so that inputs differ from each other.
        restricted: Keep integers that may be indices or lengths to 0 and 1.

    Returns:
        An array [count, *shape] of the tensor's run-time type.
    """
    shape = tuple(1 if d < 0 else d for d in tensor.shape)
    rng = np.random.default_rng([seed, position, zlib.crc32(str((shape, int(tensor.dtype))).encode())])
    if tensor.dtype == TensorType.STRING:
        return _strings(rng, (count, *shape))
    if tensor.dtype == TensorType.BOOL:
        values = rng.integers(0, 2, (count, *shape)).astype(np.bool_)
        values[: min(2, count)] = np.arange(min(2, count)).reshape((-1,) + (1,) * len(shape)).astype(np.bool_)
        return values
    dtype = tensor.numpy_dtype
    low, high, rest = _range(tensor, restricted)
    structured = _structured(shape, low, high, rest, min(4, count // 2) if count > 1 else 0)
    values = np.empty((count, *shape), dtype)
    for i, sample in enumerate(structured):
        values[i] = sample
    first = len(structured)
    if count > first:
        values[first:] = _random(rng, (count - first, *shape), dtype, low, high, rest)
    return values


def _structured(shape: tuple[int, ...], low: Any, high: Any, rest: Any, count: int) -> list[Array]:
    one_hot = np.full(shape, rest)
    if one_hot.size:
        one_hot.flat[one_hot.size // 2] = high
    return [np.full(shape, low), np.full(shape, high), np.full(shape, rest), one_hot][:count]


def _random(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], low: Any, high: Any, rest: Any
) -> Array:
    """Return random samples [N, ...]; they cover other fractions of the range in turn."""
    if dtype.kind == "c":
        return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    kind = np.float32 if dtype.itemsize <= 2 or dtype == np.float32 else np.float64
    turns = np.resize(_AMPLITUDES, shape[0]).reshape(-1, *(1,) * (len(shape) - 1))
    values: Array = rng.random(shape, kind)
    # In place: what large arrays cost is the memory.
    if dtype.kind not in "iu":
        values *= kind(high - low)
        values += kind(low - rest)
        values *= turns.astype(kind)
        values += kind(rest)
        return values
    bottom = np.trunc(rest - turns * (float(rest) - float(low)))
    top = np.trunc(rest + turns * (float(high) - float(rest)))
    values *= (top - bottom + 1).astype(kind)
    np.floor(values, out=values)
    values += bottom.astype(kind)
    # Whole numbers of 64 bits may round up beyond their range.
    return np.clip(values, low, np.nextafter(kind(float(high) + 1), kind(0)), out=values)


def _range(tensor: Tensor, restricted: bool) -> tuple[Any, Any, Any]:
    """Return the smallest and largest value and the one that stands for zero."""
    dtype = tensor.numpy_dtype
    quantization = tensor.quantization
    if dtype.kind in "iu":
        low, high = integer_range(tensor.dtype)
        if quantization is not None and quantization.scale.size:
            zero = int(quantization.zero_point[0]) if quantization.zero_point.size else 0
            return low, high, min(max(zero, low), high)
        return _integer_range(tensor, restricted, low, high)
    for op in tensor.consumers:
        target = op.outputs[0].quantization if op.opcode == Op.QUANTIZE else None
        if target is not None and target.scale.size == 1 and target.zero_point.size == 1:
            scale, zero = float(target.scale[0]), int(target.zero_point[0])
            info = np.iinfo(op.outputs[0].numpy_dtype)
            ends = scale * (int(info.min) - zero), scale * (int(info.max) - zero)
            margin = 0.02 * (ends[1] - ends[0])  # some values beyond the range, which saturate
            return ends[0] - margin, ends[1] + margin, 0.0
    limits = [x for x in (quantization.min, quantization.max) if x is not None and x.size] if quantization else []
    if len(limits) == 2 and limits[0][0] < limits[1][0]:
        bottom, top = float(limits[0][0]), float(limits[1][0])
        return bottom, top, min(max(0.0, bottom), top)
    return -2.0, 2.0, 0.0


def _integer_range(tensor: Tensor, restricted: bool, low: int, high: int) -> tuple[int, int, int]:
    """Return the range of an integer input without quantization: it may hold indices or lengths."""
    if restricted:
        return 0, 1, 0
    if tensor.consumers and all(op.opcode in _ARITHMETIC for op in tensor.consumers):
        return max(low, -(2**40)), min(high, 2**40), 0
    bound = None
    for op, position in tensor.uses:
        indexed = _INDEXED.get(op.opcode)  # type: ignore[call-overload]
        if indexed is not None and position == indexed[0]:
            data = op.inputs[indexed[1]]
            axis = getattr(op.options, "axis", 0) or 0
            if data is not None and data.shape:
                length = data.shape[axis]
                bound = length if bound is None else min(bound, length)
    return 0, max(0, min(high, (bound if bound is not None and bound > 0 else _SMALL) - 1)), 0


def _strings(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    words = np.array([b"", b"a", b"hello world", "grün".encode(), b"0", b"-1.5", b"two words"], object)
    values: Array = words[rng.integers(0, len(words), shape)]
    return values


def generate_all(graph: Subgraph, count: int, seed: int, *, restricted: bool = False) -> list[Array]:
    """Make samples for every input of a subgraph.

    Args:
        graph: The subgraph.
        count: Number of samples.
        seed: Seed.
        restricted: Keep integers that may be indices or lengths to 0 and 1.

    Raises:
        InputError: The samples would fill the memory.
    """
    nbytes = count * sum(max(1, abs(math.prod(t.shape))) * _itemsize(t) for t in graph.inputs)
    if nbytes > _MOST_BYTES:
        raise InputError(
            f"{count} samples of all inputs are {nbytes:.1e} bytes", where=graph.where, hint="Ask for fewer."
        )
    return [
        generate(tensor, count, seed, position=position, restricted=restricted)
        for position, tensor in enumerate(graph.inputs)
    ]


def _itemsize(tensor: Tensor) -> int:
    return 8 if tensor.dtype == TensorType.STRING else tensor.numpy_dtype.itemsize


def has_open_shape(graph: Subgraph) -> bool:
    """Whether the file leaves a dimension of an input open."""
    return any(d < 0 for t in graph.inputs for d in (t.shape_signature or ()))


def stretch(array: Array, tensor: Tensor, length: int) -> Array:
    """Repeat the samples of an input along its open dimensions up to ``length``; the repeated values are rolled."""
    signature = tensor.shape_signature or ()
    if len(signature) != len(tensor.shape):
        return array
    for axis, dimension in enumerate(signature, start=1):
        if dimension < 0 and array.shape[axis]:  # nothing can be repeated
            parts = [np.roll(array, i, axis=0) for i in range(-(-length // max(1, array.shape[axis])))]
            array = np.concatenate(parts, axis=axis).take(np.arange(length), axis=axis)
    return array


def from_user(
    source: str | os.PathLike[str] | Mapping[str, Array], graph: Subgraph, names: Mapping[str, Tensor]
) -> list[Array]:
    """Return the user's samples, one array [N, *shape] per input of ``graph``.

    Args:
        source: An ``.npz`` or ``.npy`` file, or arrays by name. Names are those of tensors or of the signature's
            inputs; with a single input, the array named ``inputs``, ``x`` or the only array will do.
        graph: The subgraph whose inputs are asked for.
        names: Further names of inputs, from a signature.

    Raises:
        FileAccessError: The file cannot be read.
        InputError: An input is missing, or has another shape or type.
    """
    arrays, where = _read(source)
    found = []
    for position, tensor in enumerate(graph.inputs):
        aliases = [n for n in (tensor.name, *(n for n, t in names.items() if t is tensor)) if n]
        name = next((n for n in aliases if n in arrays), None)
        if name is None and len(graph.inputs) == 1:
            name = next((n for n in ("inputs", "input", "x", "images") if n in arrays), None)
            name = name or (next(iter(arrays)) if len(arrays) == 1 else None)
        if name is None:
            listing = ", ".join(map(repr, arrays)) or "nothing"
            raise InputError(
                f"no samples for input {position} {aliases}", where=where, hint=f"The file holds {listing}."
            )
        found.append(_fit(np.asarray(arrays[name]), tensor, f"{where}: array '{name}'"))
    counts = {len(a) for a in found}
    if len(counts) > 1 or counts == {0}:
        raise InputError(f"the arrays hold {sorted(counts)} samples", where=where, hint="All need the same number.")
    return found


def _read(source: str | os.PathLike[str] | Mapping[str, Array]) -> tuple[Mapping[str, Array], str]:
    return (source, "samples") if isinstance(source, Mapping) else (read_arrays(source), str(Path(source)))


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Return the arrays of an ``.npz`` file by name; that of an ``.npy`` file is called ``inputs``.

    Raises:
        FileAccessError: The file cannot be read.
    """
    try:
        with open(path, "rb") as file:  # NumPy does not close files that are damaged
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"inputs": loaded}
            return {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise FileAccessError(f"cannot read the samples: {error.strerror or error}", where=str(path)) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FileAccessError("this is no .npz or .npy file, or it is damaged", where=str(path)) from error


def _fit(array: Array, tensor: Tensor, where: str) -> Array:
    """Return the array as [N, *shape] of the tensor's type; real numbers are quantized as QUANTIZE would."""
    shape = tuple(tensor.shape)
    if not array.ndim or _lengths(array.shape[1:]) != _lengths(shape):
        open_axes = tensor.shape_signature is not None and any(d < 0 for d in tensor.shape_signature)
        if not (open_axes and array.ndim == len(shape) + 1):
            raise InputError(f"shape {list(array.shape)} does not fit [N, {', '.join(map(str, shape))}]", where=where)
    else:
        array = array.reshape(len(array), *shape)  # axes of length 1, such as the batch axis, may be left out
    if tensor.dtype == TensorType.STRING:
        flat = [s.encode() if isinstance(s, str) else bytes(s) for s in array.flat]
        return np.array(flat, object).reshape(array.shape)
    dtype = tensor.numpy_dtype
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "biuf" + ("c" if dtype.kind == "c" else ""):
        raise InputError(f"values of type {array.dtype} do not fit {dtype}", where=where)
    if array.dtype.kind == "f" and dtype.kind in "iub" and not np.isfinite(array).all():
        raise InputError(f"NaN or infinity does not fit {dtype}", where=where)
    quantization = tensor.quantization
    if array.dtype.kind == "f" and dtype.kind in "iu" and quantization is not None and quantization.scale.size == 1:
        return quantize(array, tensor)
    converted: Array = array.astype(dtype)
    if dtype.kind in "iub" and not np.array_equal(converted.astype(np.float64), array.astype(np.float64)):
        raise InputError(f"values of type {array.dtype} do not fit {dtype}", where=where)
    return converted


def _lengths(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]

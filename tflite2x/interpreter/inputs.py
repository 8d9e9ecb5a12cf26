# SPDX-License-Identifier: Apache-2.0
"""Checking and converting the arrays that a caller gives to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tflite2x.errors import InputError
from tflite2x.interpreter.kernel import Array
from tflite2x.ir.dtypes import integer_range, is_packed, numpy_dtype, type_name
from tflite2x.schema.enums import TensorType

if TYPE_CHECKING:
    from tflite2x.ir import Tensor

Inputs = Sequence[ArrayLike] | Mapping[str, ArrayLike]


def arrange(inputs: Inputs, tensors: Sequence[Tensor], names: Mapping[str, Tensor]) -> list[ArrayLike]:
    """Return one value per input tensor, in model order.

    Args:
        inputs: Values in model order, or by name.
        tensors: The model's inputs.
        names: Further names of inputs, from a signature.

    Raises:
        InputError: A value is missing, or there is one too many.
    """
    listing = ", ".join(f"{t.name!r} {describe(t)}" for t in tensors) or "none"
    if not isinstance(inputs, Mapping):
        if isinstance(inputs, np.ndarray):
            raise InputError("the inputs are a single array", hint="Pass a list with one array per input: [array].")
        if not isinstance(inputs, Sequence) or isinstance(inputs, str | bytes):
            raise InputError(f"the inputs are a {type(inputs).__name__}, not a list or a dict of arrays")
        if len(inputs) != len(tensors):
            raise InputError(f"{len(inputs)} inputs given, the model has {len(tensors)}", hint=f"Inputs: {listing}.")
        return list(inputs)
    by_name: dict[str, list[int]] = {}
    for index, tensor in enumerate(tensors):
        aliases = [name for name, target in names.items() if target is tensor]
        for name in {*aliases, *([tensor.name] if tensor.name is not None else [])}:
            by_name.setdefault(name, []).append(index)
    values: dict[int, ArrayLike] = {}
    for name, value in inputs.items():
        indices = by_name.get(name, [])
        if not indices:
            raise InputError(f"the model has no input {name!r}", hint=f"Inputs: {listing}.")
        if len(indices) > 1:
            raise InputError(f"{len(indices)} inputs are named {name!r}", hint="Pass a list in model order.")
        if indices[0] in values:
            raise InputError(f"input {indices[0]} ({name!r}) is given twice, under two names")
        values[indices[0]] = value
    missing = [repr(t.name) for i, t in enumerate(tensors) if i not in values]
    if missing:
        raise InputError(f"no value for input {', '.join(missing)}", hint=f"Inputs: {listing}.")
    return [values[i] for i in range(len(tensors))]


def convert(value: ArrayLike, tensor: Tensor, index: int, *, batched: bool, resize: bool) -> Array:
    """Return ``value`` as a read-only array with a sample axis, of the type and shape that the input asks for.

    Args:
        value: Array, nested list or scalar; with ``batched``, its first axis counts samples.
        tensor: The input.
        index: Its number, for messages.
        batched: Whether ``value`` has a sample axis.
        resize: Accept other lengths than those which the file fixes.

    Raises:
        InputError: Wrong shape, or a type that cannot be converted without loss.
    """
    where = f"inputs[{index}] ({tensor.name!r})"
    array = _typed(value, tensor, where)
    if batched and array.ndim == 0:
        raise InputError("a scalar has no sample axis", where=where, hint="run_batch wants shape (samples, ...).")
    shape = array.shape[1:] if batched else array.shape
    _check_shape(shape, tensor, where, batched=batched, resize=resize)
    view = array.view() if batched else array[None]
    view.flags.writeable = False
    return view


def _typed(value: ArrayLike, tensor: Tensor, where: str) -> Array:
    wanted = numpy_dtype(tensor.dtype)
    if tensor.dtype == TensorType.STRING:
        return _strings(value, where)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"the value is not a rectangular array: {error}", where=where) from error
    if array.dtype != wanted:
        array = _cast(array, wanted, where, exact=isinstance(value, np.ndarray | np.generic))
    if is_packed(tensor.dtype) and array.size:
        low, high = integer_range(tensor.dtype)
        if array.min() < low or array.max() > high:
            raise InputError(f"values outside of [{low}, {high}] do not fit {tensor.dtype.name}", where=where)
    return array


def _cast(array: Array, wanted: np.dtype[Any], where: str, *, exact: bool) -> Array:
    """Cast where no value can change. Python numbers have no type of their own: their values decide."""
    if np.can_cast(array.dtype, wanted, "safe"):
        return array.astype(wanted)
    if not exact and array.dtype.kind in "iufb" and wanted.kind in "iufc":
        with np.errstate(all="ignore"):
            cast = array.astype(wanted)
        if wanted.kind in "fc" or (array.dtype.kind in "iub" and np.array_equal(cast, array)):
            return cast
    raise InputError(
        f"values of type {array.dtype} cannot become {wanted} without loss",
        where=where,
        hint=f"Quantize or convert them yourself, for example with .astype(np.{wanted}).",
    )


def _strings(value: ArrayLike, where: str) -> Array:
    array = np.asarray(value, dtype=object)
    result = np.empty(array.shape, object)
    for position in np.ndindex(array.shape):
        item = array[position]
        if isinstance(item, str):
            item = item.encode()
        if not isinstance(item, bytes):
            raise InputError(f"{item!r} is not a string", where=where, hint="Pass str or bytes.")
        result[position] = item
    return result


def describe(tensor: Tensor) -> str:
    """Return type and shape for messages, such as ``int8 [1, ?, 16]``."""
    dims = ", ".join("?" if free else str(n) for n, free in zip(tensor.shape, _free(tensor), strict=True))
    return f"{type_name(tensor.dtype)} [{dims}]"


def _free(tensor: Tensor) -> list[bool]:
    signature = tensor.shape_signature
    if signature is None or len(signature) != len(tensor.shape):
        signature = tensor.shape
    return [n < 0 or s < 0 for n, s in zip(tensor.shape, signature, strict=True)]


def _check_shape(shape: tuple[int, ...], tensor: Tensor, where: str, *, batched: bool, resize: bool) -> None:
    if resize:
        return
    wanted = describe(tensor)
    hint = ""
    if batched and len(shape) == len(tensor.shape) - 1:
        hint = "run_batch wants one more axis in front, which counts samples."
    elif not batched and len(shape) == len(tensor.shape) + 1:
        hint = "run_batch takes arrays with a sample axis."
    if len(shape) != len(tensor.shape):
        raise InputError(f"{len(shape)} dimensions {shape}, the input is {wanted}", where=where, hint=hint)
    if any(n != m and not free for n, m, free in zip(shape, tensor.shape, _free(tensor), strict=True)):
        hint = "Pass resize=True to run the model with another shape."
        raise InputError(f"shape {shape} does not fit, the input is {wanted}", where=where, hint=hint)

# SPDX-License-Identifier: Apache-2.0
"""Element types: from TFLite to NumPy, and how constants are packed into bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import GraphError, UnsupportedError
from tflite2x.schema.enums import TensorType

_NUMPY: dict[int, np.dtype[Any]] = {
    TensorType.FLOAT32: np.dtype(np.float32),
    TensorType.FLOAT16: np.dtype(np.float16),
    TensorType.INT32: np.dtype(np.int32),
    TensorType.UINT8: np.dtype(np.uint8),
    TensorType.INT64: np.dtype(np.int64),
    TensorType.STRING: np.dtype(object),
    TensorType.BOOL: np.dtype(np.bool_),
    TensorType.INT16: np.dtype(np.int16),
    TensorType.COMPLEX64: np.dtype(np.complex64),
    TensorType.INT8: np.dtype(np.int8),
    TensorType.FLOAT64: np.dtype(np.float64),
    TensorType.COMPLEX128: np.dtype(np.complex128),
    TensorType.UINT64: np.dtype(np.uint64),
    TensorType.RESOURCE: np.dtype(np.int32),
    TensorType.VARIANT: np.dtype(object),
    TensorType.UINT32: np.dtype(np.uint32),
    TensorType.UINT16: np.dtype(np.uint16),
    # Types of less than a byte live in one byte per element once they are unpacked.
    TensorType.INT4: np.dtype(np.int8),
    TensorType.INT2: np.dtype(np.int8),
    TensorType.UINT4: np.dtype(np.uint8),
}
#: Types that NumPy lacks: their names in ml_dtypes.
_ML_DTYPES: dict[int, str] = {
    TensorType.BFLOAT16: "bfloat16",
    TensorType.FLOAT8_E4M3FN: "float8_e4m3fn",
    TensorType.FLOAT8_E5M2: "float8_e5m2",
}
_BITS: dict[int, int] = {TensorType.INT4: 4, TensorType.UINT4: 4, TensorType.INT2: 2}


def tensor_type(value: TensorType | int | str) -> TensorType:
    """Return the TensorType for a member, a number, or a name in any case such as ``int8``.

    Raises:
        GraphError: There is no such type.
    """
    if isinstance(value, str):
        try:
            return TensorType[value.upper()]
        except KeyError:
            raise GraphError(f"no element type {value!r}", hint=f"One of {', '.join(_names())}.") from None
    try:
        return TensorType(value)
    except ValueError:
        raise GraphError(f"no element type {value!r}", hint=f"One of {', '.join(_names())}.") from None


def type_name(type_: TensorType | int) -> str:
    """Return the name of an element type in lower case, also for types that this version does not know."""
    return type_.name.lower() if isinstance(type_, TensorType) else f"type {int(type_)}"


def _names() -> list[str]:
    return [t.name.lower() for t in TensorType]


def numpy_dtype(type_: TensorType | int) -> np.dtype[Any]:
    """Return the NumPy type of the unpacked elements.

    Raises:
        UnsupportedError: The type needs ml_dtypes, which is not installed, or is newer than this version.
    """
    dtype = _NUMPY.get(type_)
    if dtype is not None:
        return dtype
    name = _ML_DTYPES.get(type_)
    if name is None:
        raise UnsupportedError(f"element type {int(type_)} is newer than this version of tflite2x")
    try:
        import ml_dtypes
    except ImportError:
        raise UnsupportedError(
            f"element type {TensorType(type_).name} needs ml_dtypes", hint="pip install 'tflite2x[dtypes]'."
        ) from None
    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found


def integer_range(type_: TensorType | int) -> tuple[int, int]:
    """Return the lowest and highest value of an integer type, also of those below 8 bits."""
    dtype = numpy_dtype(type_)
    bits = _BITS.get(type_, 8 * dtype.itemsize)
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)


def is_packed(type_: TensorType | int) -> bool:
    """Return whether several elements of a type share a byte in buffers."""
    return type_ in _BITS


def element_type(array: NDArray[Any]) -> TensorType:
    """Return the TensorType that an array's elements have by themselves.

    Raises:
        GraphError: TFLite has no such type.
    """
    if array.dtype == object or array.dtype.kind in "SU":
        return TensorType.STRING
    name = array.dtype.name.upper()
    if name in TensorType.__members__:
        return TensorType[name]
    raise GraphError(f"TFLite has no element type for {array.dtype}", hint="Convert the array first.")


def byte_size(type_: TensorType | int, count: int) -> int | None:
    """Return how many bytes ``count`` elements take in a buffer; None when that depends on the values."""
    if type_ in (TensorType.STRING, TensorType.VARIANT, TensorType.RESOURCE):
        return None
    bits = _BITS.get(type_)
    if bits:
        return (count * bits + 7) // 8
    if type_ == TensorType.BFLOAT16:
        return 2 * count
    if type_ in _ML_DTYPES:
        return count
    return count * int(numpy_dtype(type_).itemsize)


def unpack(data: memoryview, type_: TensorType | int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Turn the bytes of a buffer into a read-only array.

    Args:
        data: The bytes.
        type_: Element type.
        shape: Shape without unknown dimensions.

    Raises:
        GraphError: The bytes are fewer than the shape needs.
    """
    if any(d < 0 for d in shape):
        raise GraphError(f"a constant of shape {list(shape)} has an unknown dimension")
    count = math.prod(shape)
    if type_ == TensorType.STRING:
        from tflite2x.ir.strings import unpack_strings

        return unpack_strings(data, shape)
    if type_ in (TensorType.VARIANT, TensorType.RESOURCE):
        raise UnsupportedError(f"a constant of type {TensorType(type_).name} has no values")
    needed = byte_size(type_, count)
    assert needed is not None
    if len(data) < needed:
        name = TensorType(type_).name
        raise GraphError(f"{len(data)} bytes of data, shape {list(shape)} of {name} needs {needed}")
    bits = _BITS.get(type_)
    if bits:
        array = _unpack_bits(np.frombuffer(data, np.uint8, needed), bits, count, type_ != TensorType.UINT4)
    else:
        array = np.frombuffer(data, numpy_dtype(type_).newbyteorder("<"), count)
    try:
        array = array.reshape(shape)
    except ValueError as e:  # more dimensions, or more elements beside a 0, than NumPy can express
        raise GraphError(f"a constant of shape {list(shape)}: {e}") from None
    array.flags.writeable = False
    return array


def _unpack_bits(packed: NDArray[np.uint8], bits: int, count: int, signed: bool) -> NDArray[Any]:
    """Split bytes into elements, the lowest bits first (LiteRT portable_tensor_utils, UnpackPackedIntToInt8)."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    fields = (packed[:, None] >> shifts).reshape(-1)[:count] & ((1 << bits) - 1)
    if not signed:
        return fields.astype(np.uint8)
    sign = 1 << (bits - 1)
    return ((fields.astype(np.int8) ^ sign) - sign).astype(np.int8)


def pack(array: NDArray[Any], type_: TensorType) -> bytes | memoryview:
    """Turn an array into the bytes of a buffer; a view of the array where its memory already has the layout.

    Raises:
        GraphError: The array's elements are not of the type, or do not fit into it.
    """
    if type_ == TensorType.STRING:
        from tflite2x.ir.strings import pack_strings

        return pack_strings(array)
    dtype = numpy_dtype(type_)
    if array.dtype != dtype:
        raise GraphError(
            f"an array of {array.dtype} for a tensor of {type_.name}", hint=f"Convert it: array.astype('{dtype.name}')."
        )
    bits = _BITS.get(type_)
    if bits:
        return _pack_bits(array, bits, type_)
    contiguous = np.ascontiguousarray(array, dtype.newbyteorder("<"))
    return memoryview(contiguous.reshape(-1).view(np.uint8))  # type: ignore[arg-type,unused-ignore]


def _pack_bits(array: NDArray[Any], bits: int, type_: TensorType) -> bytes:
    low, high = (0, (1 << bits) - 1) if type_ == TensorType.UINT4 else (-(1 << bits - 1), (1 << bits - 1) - 1)
    if array.size and (array.min() < low or array.max() > high):
        raise GraphError(f"values from {array.min()} to {array.max()} do not fit into {type_.name} ({low} to {high})")
    per_byte = 8 // bits
    fields = np.zeros(-(-array.size // per_byte) * per_byte, np.uint8)
    fields[: array.size] = array.reshape(-1).astype(np.uint8) & ((1 << bits) - 1)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    packed: NDArray[np.uint8] = np.bitwise_or.reduce(fields.reshape(-1, per_byte) << shifts, axis=1)
    return packed.tobytes()

# SPDX-License-Identifier: Apache-2.0
"""What steps read and write: values computed at run time, and constants."""

from __future__ import annotations

import dataclasses
import keyword
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite2x.interpreter.kernel import TensorSpec

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
    """A tensor that is computed at run time.

    Attributes:
        name: Identifier in generated code; unique in its program.
        shape: Static shape.
        dtype: NumPy name of the element type, such as ``int8``.
        spec: What the interpreter knows about the tensor: its name in the model, scale and zero point.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    spec: TensorSpec | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Const:
    """An array of constants.

    Attributes:
        name: Identifier in generated code; unique in its program.
        data: The values, with their shape and type.
        note: What it is, in a few words.
    """

    name: str
    data: Array
    note: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.data.shape

    @property
    def dtype(self) -> str:
        """NumPy name of the element type."""
        return self.data.dtype.name

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self.data.size)


#: Generated functions are named after their types.
_LIKE_FUNCTION = re.compile(r"_(u?int\d+|float\d+|params|run)$")


class Names:
    """Hands out identifiers that are valid in C, Rust and Python and differ from each other."""

    def __init__(self) -> None:
        self._taken: set[str] = set(_USED)

    def __call__(self, wish: str) -> str:
        """Return ``wish`` as an unused identifier."""
        base = identifier(wish)
        if _LIKE_FUNCTION.search(base):
            base += "_"
        name, count = base, 2
        while name in self._taken:
            name, count = f"{base}_{count}", count + 1
        self._taken.add(name)
        return name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words that C, Rust or Python keep for themselves.
_RESERVED = _words("""
    auto char const default double enum extern float goto int long register short signed sizeof static struct switch
    typedef union unsigned void volatile restrict inline as box crate dyn fn impl let loop match mod move mut priv pub
    ref self super trait type typeof unsafe unsized use virtual where yield abstract become final macro override try
    gen input output std core alloc test proc_macro
""")
#: Names that generated code uses itself.
_USED = _words("""
    above acc advance array at base64 below bias bias_hi bias_lo bits bottom c clamp clamp_16 columns count differs
    dx dy e erfc_of exp_16 exp_minus_1 exp_of exponentials extent factor first floor_of g gelu_of h half high
    high_mul high_mul_16 i interpolate_16 j k kept left limit log_of logistic_16 logistic_of low main mask matrix
    mean middle more n negative newton_16 np offset offset_scale one one_over_one_plus_x out overlapping p padded
    part place positive pow_of power_of_two product requantize rescale rescale_wide rest result results right
    round_of round_shift rounding_divide rows run safe saturating_double scale scratch shift shift1 shift2 sqrt_of
    start steps suppress table tanh_16 tanh_of tap taps there to_float top total v vectors weights whole whole_of
    wide window windows wrap x y zero zlib
""") | {f"{word}_{i}" for word in ("output", "buffer", "step", "expected") for i in range(1000)}


def identifier(text: str) -> str:
    """Turn any text into a lower-case identifier of C, Rust and Python of at most 48 characters."""
    name = re.sub(r"[^0-9a-z]+", "_", text.lower().encode("ascii", "ignore").decode()).strip("_")[:48].strip("_")
    if not name or name[0].isdigit():
        name = f"m_{name}".rstrip("_")
    return f"{name}_" if keyword.iskeyword(name) or name in _RESERVED else name


def fits(dtype: str) -> tuple[int, int]:
    """Return the lowest and highest value of an integer type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)

# SPDX-License-Identifier: Apache-2.0
"""Which tensor of the model an array of somebody's own implementation stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.errors import InputError
from tflite2x.interpreter.kernel import Array

if TYPE_CHECKING:
    from tflite2x.ir import Tensor


def match_arrays(mine: Mapping[str, Array], tensors: Mapping[Tensor, Array]) -> tuple[dict[Tensor, Array], list[str]]:
    """Give every array its tensor.

    Names decide, then what is left of names without special characters, then numbers (``8``, ``tensor8``: the index
    that LiteRT shows; ``op2``: the output of that operator), then what is the only tensor with as many elements.

    Args:
        mine: Arrays by name, as in an ``.npz`` file.
        tensors: The model's computed tensors and inputs, with their values.

    Returns:
        Arrays by tensor, not reshaped yet; and the names that could not be matched.

    Raises:
        InputError: Two arrays stand for one tensor, or none stands for any.
    """
    found: dict[Tensor, Array] = {}
    names: dict[Tensor, str] = {}
    left = []
    for name, array in mine.items():
        if name.startswith("__") or np.asarray(array).dtype.kind not in "biuf":
            continue  # the description in a trace, or a note of the user's own
        tensor = _by_name(name, tensors)
        if tensor is None:
            left.append(name)
            continue
        if tensor in found:
            raise InputError(f"{names[tensor]!r} and {name!r} both stand for tensor {tensor.name!r}")
        found[tensor], names[tensor] = np.asarray(array), name
    unmatched = []
    for name in left:
        sizes = [t for t, value in tensors.items() if value.size == mine[name].size and t not in found]
        exact = [t for t in sizes if tensors[t].shape == mine[name].shape]
        choice = sizes if len(sizes) == 1 else exact if len(exact) == 1 else _last_output(sizes, mine)
        if len(choice) == 1:
            found[choice[0]] = np.asarray(mine[name])
        else:
            unmatched.append(name)
    if not found:
        listing = ", ".join(f"{t.index} {t.name!r} {list(t.shape)}" for t in list(tensors)[:12])
        raise InputError(
            f"none of the arrays {', '.join(map(repr, mine)) or '(there are none)'} stands for a tensor of the model",
            hint=f"Name them after tensors, or tensor<index>: {listing}.",
        )
    return found, unmatched


def _last_output(tensors: list[Tensor], mine: Mapping[str, Array]) -> list[Tensor]:
    """A lone array without a telling name is the model's output."""
    outputs = [t for t in tensors if t.is_output]
    return outputs if len(mine) == 1 and len(outputs) == 1 else []


def _by_name(name: str, tensors: Mapping[Tensor, Array]) -> Tensor | None:
    exact = [t for t in tensors if t.name == name]
    if len(exact) == 1:
        return exact[0]
    plain = [t for t in tensors if _plain(t.name) == _plain(name)]
    if len(plain) == 1:
        return plain[0]
    number = re.fullmatch(r"(?:arr_|tensor|t|#)?[ _]?(\d+)", name.strip().lower())
    if number and not name.startswith("arr_"):
        index = int(number[1])
        return next((t for t in tensors if t.index == index), None)
    operator = re.fullmatch(r"(?:op|operator|layer)[ _]?(\d+)", name.strip().lower())
    if operator:
        made = [t for t in tensors if t.producer is not None and t.producer.index == int(operator[1])]
        return made[0] if len(made) == 1 else None
    return None


def _plain(name: str | None) -> str:
    return re.sub(r"[^a-z0-9]+", "_", (name or "").lower()).strip("_")


def fit_shape(array: Array, expected: Array) -> Array | None:
    """Give an array the shape of the expected value when that changes no order; None when it cannot have it.

    Axes of length 1 may be missing, and arrays may be flat.
    """

    def lengths(shape: tuple[int, ...]) -> list[int]:
        return [n for n in shape if n != 1]

    if array.size != expected.size:
        return None
    if lengths(array.shape) == lengths(expected.shape) or array.ndim == 1:
        return array.reshape(expected.shape)
    return None


def equal_values(a: Array, b: Array) -> Array:
    """Return where two arrays hold the same numbers; NaN counts as equal to NaN."""
    same = np.asarray(a == b)
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        same |= np.isnan(a) & np.isnan(b)
    return same


def gaps(a: Array, b: Array) -> Array:
    """Return how far numbers are apart (float64): 0 where they are equal, infinite where only one is a number."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    gap = np.where(np.isnan(gap), np.inf, gap)
    return np.where(equal_values(a, b), 0.0, gap)


def permutations(array: Array, expected: Array) -> list[tuple[tuple[int, ...], Array]]:
    """Return the ways to bring the axes of an array into the order of the expected value: channels moved, or reversed.

    Args:
        array: An array whose shape does not fit.
        expected: The expected value with its axes of length 1.

    Returns:
        Orders of axes with the array in that order.
    """
    import itertools

    core = array.reshape([n for n in array.shape if n != 1])
    wanted = [n for n in expected.shape if n != 1]
    if sorted(core.shape) != sorted(wanted) or core.ndim > 5:
        return []
    orders = [p for p in itertools.permutations(range(core.ndim)) if [core.shape[i] for i in p] == wanted]
    return [(p, core.transpose(p).reshape(expected.shape)) for p in orders]

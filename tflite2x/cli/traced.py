# SPDX-License-Identifier: Apache-2.0
"""Inputs of the commands that look at every tensor: from files to arrays that the interpreter takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite2x.cli.arrays import Array
    from tflite2x.ir import Model


def inputs_of(
    model: Model, files: Sequence[str], *, batch: bool = False, real: bool = False
) -> tuple[list[Array], list[Array] | None]:
    """Read the inputs of a model.

    Args:
        model: The model.
        files: Words of ``--input``.
        batch: Arrays have a sample axis.
        real: Quantize real numbers.

    Returns:
        Arrays in model order; and with ``real`` the real numbers that they come from.

    Raises:
        InputError: With ``batch``, an array has no axis of samples.
    """
    from tflite2x.cli.arrays import arrange, as_samples, entry, fit_type
    from tflite2x.errors import InputError
    from tflite2x.explain.samples import quantize

    graph, names = entry(model, None)
    given = arrange(files, graph.inputs, names)
    arrays, reals = [], []
    for value, tensor in zip(given, graph.inputs, strict=True):
        array = fit_type(quantize(value, tensor) if real else value, tensor.numpy_dtype)
        if batch:
            if array.ndim < 1 or as_samples(array, tensor).ndim <= len(tensor.shape):
                raise InputError(
                    f"an array of shape {list(array.shape)} has no axis of samples in front of {list(tensor.shape)}",
                    where=f"input {tensor.name!r}",
                    hint="Leave --batch out for one sample." if array.size == math.prod(tensor.shape) else "",
                )
            array, value = as_samples(array, tensor), as_samples(value, tensor)
        elif array.shape != tensor.shape and array.size == math.prod(tensor.shape):
            # A sample without the axes of length 1, such as one of an evaluation set.
            array, value = array.reshape(tensor.shape), value.reshape(tensor.shape)
        arrays.append(array)
        reals.append(value)
    return arrays, reals if real else None

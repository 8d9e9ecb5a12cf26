# SPDX-License-Identifier: Apache-2.0
"""A recipe: every choice that somebody who computes a quantized operator makes, rightly or wrongly."""

from __future__ import annotations

import dataclasses

#: What a choice is when it is made as TFLite makes it.
OWN = "own"


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """How an operator is computed. The defaults are exact; every other value is a mistake that people make.

    Attributes:
        input_layout: ``NCHW``: the memory of the input is read in that order; ``is NCHW``: it is in that order;
            ``swapped``: height and width swapped.
        input_shift: Added to the input's integers (-128 or 128: uint8 taken as int8, or the other way round).
        input_zero: Zero point that is subtracted from the input: ``none``, ``added``, ``output`` (the output's).
        padding: What the input's integers are outside of the image: ``skip`` adds nothing to the sum (exact), ``zero
            point``, ``zero``.
        weights_layout: ``transposed``, ``flipped``, ``swapped``, ``HWIO``, ``OIHW``, ``CHW``.
        weights_zero: Zero point of the weights: ``none``, or ``input`` (the input's).
        sum_bits: Width of the sum of products: 32, or 16 or 8, where it wraps.
        bias: ``none``, ``after`` (unscaled, after the multiplier), ``input``, ``weights``, ``real`` (taken as if it
            had the scale of the input, of the weights, or 1).
        multiplier: ``none``, ``added``, ``no output``, ``no input``, ``no weights``, ``inverse``, ``zero``,
            ``swapped`` (input and output scale).
        channels: One multiplier for all channels: ``first``, ``last``, ``mean``, ``max``.
        rounding: ``floor``, ``truncate``, ``truncate sum`` (with the zero point in), ``even``, ``even sum``, ``away``,
            ``up``, ``ceil``, ``fixed floor``, ``float32``, ``single``, ``double``, ``none``.
        average: Rounding of an average: ``truncate``, ``floor``, ``even``, ``up``, ``ceil``.
        count: Number of elements in an average: ``all`` counts the padding.
        output_zero: Zero point that is added to the output: ``none``, ``subtracted``, ``input`` (the input's).
        activation: ``none``; ``zero``: from 0 on; ``zero6``: from 0 to 6; ``unshifted``: the bounds without zero point;
            ``inside``: bounds that are those of the type do not clamp.
        bounds: Lowest and highest value after the activation, instead of the type's.
        cast: ``wrap``, or ``none`` (values may leave the type).
        order: ``cast first``: the activation comes after the cast.
        output_shift: Added to the output's integers, -128 or 128.
        output_layout: ``NCHW``: the memory of the output is in that order.
    """

    input_layout: str = OWN
    input_shift: int = 0
    input_zero: str = OWN
    padding: str = "skip"
    weights_layout: str = OWN
    weights_zero: str = OWN
    sum_bits: int = 32
    bias: str = OWN
    multiplier: str = OWN
    channels: str = OWN
    rounding: str = OWN
    average: str = OWN
    count: str = OWN
    output_zero: str = OWN
    activation: str = OWN
    bounds: tuple[int, int] | None = None
    cast: str = "saturate"
    order: str = OWN
    output_shift: int = 0
    output_layout: str = OWN

    def changed(self, **changes: object) -> Recipe:
        """Return a copy with other choices."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


EXACT = Recipe()
#: Choices that shape the sum, and so what can be computed once for many recipes.
SUM_FIELDS = (
    "input_layout", "input_shift", "input_zero", "padding", "weights_layout", "weights_zero", "sum_bits",
)  # fmt: skip
#: Choices that come after the sum in every operator that ends with a quantized output.
OUTPUT_FIELDS = frozenset(
    ("rounding", "output_zero", "activation", "bounds", "cast", "order", "output_shift", "output_layout")
)

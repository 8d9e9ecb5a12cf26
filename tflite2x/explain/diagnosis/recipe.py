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
        input_shift: Added to the input's integers (-128 or 128: uint8 taken as int8, or the other way round; -1 or 1:
            another zero point).
        input_zero: Zero point that is subtracted from the input: ``none``, ``added``, ``output`` (the output's).
        padding: What the input's integers are outside of the image: ``skip`` adds nothing to the sum (exact), ``zero
            point``, ``zero``.
        weights_layout: ``transposed``, ``flipped``, ``swapped``, ``HWIO``, ``HWOI``, ``OIHW``, ``CHW``.
        weights_zero: Zero point of the weights: ``none``, ``added``, ``128``, ``bits`` (the bits are read as int8), or
            ``input`` (the input's).
        sum_bits: Width of the sum of products: 32 (whatever the operator has), or 16 or 8, where it wraps.
        accumulator: Width of the sum with its bias where it has 64 bits: ``wrap``, ``clamp``: 32 bits.
        bias: ``none``, ``after`` (unscaled, after the multiplier), ``input``, ``weights``, ``real`` (taken as if it
            had the scale of the input, of the weights, or 1), ``int32`` (cut to 32 bits).
        multiplier: ``none``, ``added``, ``no output``, ``no input``, ``no weights``, ``inverse``, ``zero``,
            ``swapped`` (input and output scale), ``inputs swapped``, ``first input`` (for both inputs).
        headroom: The left shift in front of quantized sums: ``none``, ``inputs`` or ``output`` (only there).
        channels: One multiplier for all channels: ``first``, ``last``, ``mean``, ``max``.
        rounding: ``floor``, ``truncate``, ``truncate sum`` (with the zero point in), ``even``, ``even sum``, ``away``,
            ``up``, ``ceil``, ``fixed floor``, ``float32``, ``single``, ``double``, ``none``; where sums have 64 bits
            ``narrow single``, ``narrow double`` (31-bit multipliers); ``wide`` (16-bit multipliers).
        average: Rounding of an average: ``truncate``, ``floor``, ``even``, ``up``, ``ceil``; ``twice``: the average is
            an integer before it is rescaled.
        count: Number of elements in an average: ``all`` counts the padding; ``none`` does not divide.
        curve: How a curve such as an exponential is computed: ``real`` in float64, ``other`` as under the other
            rounding contract.
        unit: What real 1 is in the output, instead of 1 / scale.
        beta: ``none``: SOFTMAX's factor is left out.
        axis: What an operator runs along: ``all`` elements, or ``first`` (the outermost axis).
        slope: Below zero: ``none`` (nothing is left), ``identity``, ``everywhere`` (also above zero), ``unscaled``
            (integers without their scale), ``zero point`` (theirs is not subtracted), ``integer`` (its own sign).
        rescale: Inputs with other scales than the output: ``none`` leaves their integers, ``zero points`` corrects
            only these, ``first`` takes the first input's scale for all.
        operands: ``reversed``: the inputs are taken in the other order.
        activations: How floats meet integer weights: ``real`` (not quantized), ``other`` (symmetric instead of
            asymmetric, or the other way round), ``truncate``, ``truncate
            quotient``, ``floor``, ``128`` (another range).
        row_scale: ``tensor``: one scale for all rows of such activations.
        shifts: Shifts of the XS3 vector unit that do not round: ``first``, ``second``, ``both``.
        middle: Its saturation to 16 bits between them: ``none``, ``wrap``.
        offset: ``none``: its offset is not added.
        halves: Its bias: ``signed`` (the lower half is), ``swapped``.
        folded: Zero points that its parameters hold already are used again: ``input``, ``output``.
        columns: ``unpadded``: its weights are read without the padding of their rows.
        output_zero: Zero point that is added to the output: ``none``, ``subtracted``, ``input`` (the input's), ``high``
            and ``low`` (off by one).
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
    accumulator: str = OWN
    bias: str = OWN
    multiplier: str = OWN
    headroom: str = OWN
    channels: str = OWN
    rounding: str = OWN
    average: str = OWN
    count: str = OWN
    curve: str = OWN
    unit: float = 0.0
    beta: str = OWN
    axis: str = OWN
    slope: str = OWN
    rescale: str = OWN
    operands: str = OWN
    activations: str = OWN
    row_scale: str = OWN
    shifts: str = OWN
    middle: str = OWN
    offset: str = OWN
    halves: str = OWN
    folded: str = OWN
    columns: str = OWN
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

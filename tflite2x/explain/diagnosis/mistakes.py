# SPDX-License-Identifier: Apache-2.0
"""The mistakes that people make, as changes to the exact recipe."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

from tflite2x.explain.diagnosis.recipe import Recipe


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One way to go wrong. Several ways may have one key: the key is what the mistake is called.

    Attributes:
        key: Name of the mistake; stable, for programs.
        title: What was done, as a clause.
        remedy: What TFLite does instead, as a sentence.
        changes: Fields of ``Recipe`` with their wrong values.
        twin: This is another mistake's way of combining with others (for example another order of steps), and is only
            tried together with one.
    """

    key: str
    title: str
    remedy: str
    changes: tuple[tuple[str, object], ...]
    twin: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """The choices that this mistake makes otherwise."""
        return frozenset(name for name, _ in self.changes)

    def apply(self, recipe: Recipe) -> Recipe:
        """Return ``recipe`` with this mistake in it."""
        return _applied(self, recipe)


@functools.lru_cache(maxsize=1 << 14)
def _applied(mistake: Mistake, recipe: Recipe) -> Recipe:
    return recipe.changed(**dict(mistake.changes))


def _mistake(key: str, title: str, remedy: str, *, twin: bool = False, **changes: object) -> Mistake:
    return Mistake(key, title, remedy, tuple(changes.items()), twin)


_SATURATE = "Clamp to the range of the type before the cast."
_RELU = "Real zero is the zero point: a fused RELU clamps at the output's zero point, not at the integer 0."
_INPUT_ZERO = "Subtract the input's zero point from every input integer before multiplying."
_OUTPUT_ZERO = "Add the output's zero point after the rounding."
_MULTIPLIER = "Multiply the sum by (input scale * weight scale / output scale)."
_PER_CHANNEL = "Weights have one scale per output channel here, so every channel has a multiplier of its own."
_ROUND = "Round to the nearest integer, halves away from zero, and add the zero point afterwards."
_CONTRACT = "Both are in use, by other runtimes: LiteRT's kernels and TFLite Micro's differ for some operators."
_BIAS = "The bias is an int32 in units of input scale * weight scale: add it to the sum, before the multiplier."
_LAYOUT = "Tensors are NHWC: the channel is the fastest index."
_WEIGHTS = "FULLY_CONNECTED holds weights as [outputs, inputs], CONV_2D as [outputs, height, width, inputs], "
_WEIGHTS += "DEPTHWISE_CONV_2D as [1, height, width, channels]; filters are not flipped."
_PADDING = "Padding stands for real zeros: pad with the input's zero point, or skip what lies outside."
_AVERAGE = "Divide the sum by the number of elements inside of the image, and round halves away from zero."
_SHIFT = "int8 and uint8 integers of one real number differ by 128, and so do their zero points: shift both or none."
_TYPES = "Products and sums need 32 bits: convert to int32 before multiplying."
_WHOLE = "Quantized values are integers: round before going on."

MISTAKES: tuple[Mistake, ...] = (
    _mistake("wrap-around", "the cast wraps around instead of saturating", _SATURATE, cast="wrap"),
    _mistake("wrap-around", "the cast wraps around instead of saturating, before the activation", _SATURATE,
             cast="wrap", order="cast first"),
    _mistake("wrap-around", "the cast wraps around instead of saturating where the activation does not clamp",
             _SATURATE, cast="wrap", activation="inside"),
    _mistake("clamp bounds", "clamped to -127 ... 127", _SATURATE, bounds=(-127, 127)),
    _mistake("clamp bounds", "clamped to 0 ... 255 and cast to the type", _SATURATE, bounds=(0, 255), cast="wrap"),
    _mistake("clamp bounds", "clamped to -128 ... 127 and cast to the type", _SATURATE, bounds=(-128, 127),
             cast="wrap"),
    _mistake("activation forgotten", "the fused activation is left out", _RELU, activation="none"),
    _mistake("relu at zero", "the fused activation clamps at the integer 0 instead of the zero point", _RELU,
             activation="zero"),
    _mistake("relu at zero", "the fused RELU6 clamps to the integers 0 ... 6", _RELU, activation="zero6"),
    _mistake("relu at zero", "the fused activation's bounds are scaled, but the zero point is not added", _RELU,
             activation="unshifted"),
    _mistake("input zero point forgotten", "the input's zero point is not subtracted", _INPUT_ZERO, input_zero="none"),
    _mistake("input zero point forgotten", "the input's zero point is not subtracted, but padded with", _INPUT_ZERO,
             input_zero="none", padding="zero point"),
    _mistake("input zero point added", "the input's zero point is added instead of subtracted", _INPUT_ZERO,
             input_zero="added"),
    _mistake("input zero point added", "the input's zero point is added instead of subtracted, also in the padding",
             _INPUT_ZERO, input_zero="added", padding="zero point"),
    _mistake("zero point of the wrong tensor", "the output's zero point is subtracted from the input", _INPUT_ZERO,
             input_zero="output"),
    _mistake("zero point of the wrong tensor", "the output's zero point is subtracted from the input, which is padded "
             "with its own", _INPUT_ZERO, input_zero="output", padding="zero point"),
    _mistake("zero point of the wrong tensor", "the first input's zero point is subtracted from both inputs",
             _INPUT_ZERO, input_zero="first"),
    _mistake("zero point of the wrong tensor", "the input's zero point is added to the output", _OUTPUT_ZERO,
             output_zero="input"),
    _mistake("zero point of the wrong tensor", "the input's zero point is subtracted from the weights, too",
             "Weights have a zero point of their own, which is 0 for int8.", weights_zero="input"),
    _mistake("output zero point forgotten", "the output's zero point is not added", _OUTPUT_ZERO, output_zero="none"),
    _mistake("output zero point subtracted", "the output's zero point is subtracted instead of added", _OUTPUT_ZERO,
             output_zero="subtracted"),
    _mistake("weights zero point forgotten", "the weights' zero point is not subtracted",
             "uint8 weights have a zero point: subtract it from every weight.", weights_zero="none"),
    _mistake("multiplier added", "the multiplier is added to the sum instead of multiplied with it", _MULTIPLIER,
             multiplier="added"),
    _mistake("multiplier forgotten", "the sum is not multiplied by the multiplier", _MULTIPLIER, multiplier="none"),
    _mistake("multiplier from wrong scales", "the multiplier is not divided by the output's scale", _MULTIPLIER,
             multiplier="no output"),
    _mistake("multiplier from wrong scales", "the multiplier lacks the input's scale", _MULTIPLIER,
             multiplier="no input"),
    _mistake("multiplier from wrong scales", "the multiplier lacks the weights' scale", _MULTIPLIER,
             multiplier="no weights"),
    _mistake("multiplier from wrong scales", "the sum is divided by the multiplier", _MULTIPLIER, multiplier="inverse"),
    _mistake("multiplier from wrong scales", "the scales of input and output are swapped", _MULTIPLIER,
             multiplier="swapped"),
    _mistake("multiplier from wrong scales", "the scales of the two inputs are swapped", _MULTIPLIER,
             multiplier="inputs swapped"),
    _mistake("multiplier from wrong scales", "the weights' scale is taken as 0, as viewers show it for weights with a "
             "scale per channel", _PER_CHANNEL, multiplier="zero"),
    _mistake("per-tensor scale", "the first channel's scale is used for all channels", _PER_CHANNEL, channels="first"),
    _mistake("per-tensor scale", "the last channel's scale is used for all channels", _PER_CHANNEL, channels="last"),
    _mistake("per-tensor scale", "the mean of the channels' scales is used for all channels", _PER_CHANNEL,
             channels="mean"),
    _mistake("per-tensor scale", "the largest of the channels' scales is used for all channels", _PER_CHANNEL,
             channels="max"),
    _mistake("truncation", "truncated towards zero instead of rounded", _ROUND, rounding="truncate"),
    _mistake("truncation", "truncated towards zero with the zero point added before", _ROUND, rounding="truncate sum"),
    _mistake("floor", "rounded down (a plain right shift) instead of to the nearest", _ROUND, rounding="floor"),
    _mistake("floor", "rounded down in fixed point (a right shift of the product)", _ROUND, rounding="fixed floor"),
    _mistake("ceil", "rounded up instead of to the nearest", _ROUND, rounding="ceil"),
    _mistake("round half even", "halves are rounded to even (numpy.round, numpy.rint, Python's round)", _ROUND,
             rounding="even"),
    _mistake("round half even", "halves are rounded to even with the zero point added before", _ROUND,
             rounding="even sum"),
    _mistake("round half up", "halves are rounded up (floor of x + 1/2)", _ROUND, rounding="up"),
    _mistake("real multiplier", "the multiplier is a real number, halves rounded away from zero", _CONTRACT,
             rounding="away"),
    _mistake("real multiplier", "the multiplication is done in float32", _CONTRACT, rounding="float32"),
    _mistake("single rounding", "a fixed-point multiplier with one rounding, half up", _CONTRACT, rounding="single"),
    _mistake("double rounding", "a fixed-point multiplier with gemmlowp's two roundings", _CONTRACT,
             rounding="double"),
    _mistake("bias forgotten", "the bias is not added", _BIAS, bias="none"),
    _mistake("bias in the wrong scale", "the bias is added after the multiplier, unscaled", _BIAS, bias="after"),
    _mistake("bias in the wrong scale", "the bias is taken in units of the input's scale", _BIAS, bias="input"),
    _mistake("bias in the wrong scale", "the bias is taken in units of the weights' scale", _BIAS, bias="weights"),
    _mistake("bias in the wrong scale", "the bias is taken as real numbers", _BIAS, bias="real"),
    _mistake("bias subtracted", "the bias is subtracted instead of added", _BIAS, bias="subtracted"),
    _mistake("weights layout", "the weights' memory is read as [inputs, outputs]", _WEIGHTS,
             weights_layout="transposed"),
    _mistake("weights layout", "the weights' memory is read as [height, width, inputs, outputs]", _WEIGHTS,
             weights_layout="HWIO"),
    _mistake("weights layout", "the weights' memory is read as [outputs, inputs, height, width]", _WEIGHTS,
             weights_layout="OIHW"),
    _mistake("weights layout", "the weights' memory is read as [channels, height, width]", _WEIGHTS,
             weights_layout="CHW"),
    _mistake("weights layout", "the filters are flipped (convolution instead of correlation)", _WEIGHTS,
             weights_layout="flipped"),
    _mistake("weights layout", "height and width of the filters are swapped", _WEIGHTS, weights_layout="swapped"),
    _mistake("NCHW", "the input's memory is read as NCHW", _LAYOUT, input_layout="NCHW"),
    _mistake("NCHW", "the input's memory is in NCHW order, and is read as NHWC", _LAYOUT, input_layout="is NCHW"),
    _mistake("NCHW", "the output's memory is in NCHW order", _LAYOUT, output_layout="NCHW"),
    _mistake("height and width", "height and width of the input are swapped", _LAYOUT, input_layout="swapped"),
    _mistake("padding with zero", "padded with the integer 0 instead of the input's zero point", _PADDING,
             padding="zero"),
    _mistake("average rounding", "the average is truncated", _AVERAGE, average="truncate"),
    _mistake("average rounding", "the average of the integers, zero point in, is truncated", _AVERAGE,
             average="truncate sum"),
    _mistake("average rounding", "the average of the integers, zero point in, is rounded to even", _AVERAGE,
             average="even sum"),
    _mistake("average rounding", "the average is rounded down", _AVERAGE, average="floor"),
    _mistake("average rounding", "the average's halves are rounded to even", _AVERAGE, average="even"),
    _mistake("average rounding", "the average's halves are rounded up", _AVERAGE, average="up"),
    _mistake("average rounding", "the average is rounded up", _AVERAGE, average="ceil"),
    _mistake("average counts the padding", "the average is divided by the size of the window, padding included",
             _AVERAGE, count="all"),
    _mistake("average counts the padding", "the zero points of the padding are added up and counted", _AVERAGE,
             count="all", padding="zero point"),
    _mistake("shift by 128", "the input is 128 too high (uint8 where int8 is meant)", _SHIFT, input_shift=128),
    _mistake("shift by 128", "the input is 128 too low (int8 where uint8 is meant)", _SHIFT, input_shift=-128),
    _mistake("shift by 128", "the output is 128 too high (uint8 where int8 is meant)", _SHIFT, output_shift=128),
    _mistake("shift by 128", "the output is 128 too low (int8 where uint8 is meant)", _SHIFT, output_shift=-128),
    _mistake("shift by 128", "the output's bits are read as the unsigned type", _SHIFT, output_shift=256),
    _mistake("narrow sums", "products are added up in 8 bits (numpy.matmul of int8 arrays)", _TYPES, sum_bits=8),
    _mistake("narrow sums", "products are added up in 16 bits", _TYPES, sum_bits=16),
    _mistake("not rounded", "the result is not rounded to integers", _WHOLE, rounding="none", cast="none"),
)  # fmt: skip


def keys(mistakes: Iterable[Mistake]) -> tuple[str, ...]:
    """Return the names of mistakes, sorted."""
    return tuple(sorted({m.key for m in mistakes}))

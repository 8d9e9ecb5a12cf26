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
_MULTIPLIER = (
    "Multiply by (input scale * weight scale / output scale); without weights, by (input scale / output scale)."
)
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

_HEADROOM = (
    "Both inputs are shifted left by 20 bits (15 for int16) before their multipliers, and the output's multiplier "
)
_HEADROOM += "takes the shift back."
_WIDE = "int16 activations: with an int64 bias, or none, sums have 64 bits, and the multiplier is reduced to 16 bits."
_WEIGHTS_ZERO = "uint8 weights have a zero point: subtract it from every weight."
_CURVE = "LiteRT's SOFTMAX and HARD_SWISH of integers are fixed-point arithmetic (gemmlowp); its "
_CURVE += "LOGISTIC and TANH of 8 bits "
_CURVE += "round float32 values into a table; TFLite Micro's int8 ones are fixed point, too."
_UNIT = "Real 1 is 1 / scale steps above the zero point: 256 steps for the scale 1/256, of which 255 fit."
_SLOPE = (
    "Below the zero point, multiply by alpha, with (input scale * alpha scale / output scale), and with alpha's zero "
)
_SLOPE += "point subtracted from its integers; from the zero point on, by (input scale / output scale)."
_JOIN = "Inputs whose scale or zero point is not the output's are requantized one by one before they are joined."
_HYBRID = (
    "The float activations of every row (FULLY_CONNECTED) or image are quantized to int8 at run time, symmetrically to "
)
_HYBRID += (
    "-127 ... 127 or, with asymmetric_quantize_inputs or other scales per channel, to -128 ... 127; sums are integers."
)
_VECTOR = (
    "XC_fc: y = sat8(rnd(sat16(rnd(bias + sum(weights * x), shift1)) * scale + offset_scale * offset, shift2)), with "
)
_VECTOR += "rnd(v, s) = floor(v / 2**s + 1/2), zero points folded into bias and offset."

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
    _mistake("clamp bounds", "clamped to -32767 ... 32767", _SATURATE, bounds=(-32767, 32767)),
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
    _mistake("zero point off by one", "the input's zero point is taken one too high", _INPUT_ZERO, input_shift=-1),
    _mistake("zero point off by one", "the input's zero point is taken one too low", _INPUT_ZERO, input_shift=1),
    _mistake("zero point off by one", "the output's zero point is taken one too high", _OUTPUT_ZERO,
             output_zero="high"),
    _mistake("zero point off by one", "the output's zero point is taken one too low", _OUTPUT_ZERO, output_zero="low"),
    _mistake("output zero point forgotten", "the output's zero point is not added", _OUTPUT_ZERO, output_zero="none"),
    _mistake("output zero point subtracted", "the output's zero point is subtracted instead of added", _OUTPUT_ZERO,
             output_zero="subtracted"),
    _mistake("weights zero point forgotten", "the weights' zero point is not subtracted",
             "uint8 weights have a zero point: subtract it from every weight.", weights_zero="none"),
    _mistake("weights zero point forgotten",
             "the weights' bits are read as int8, and their zero point is not subtracted",
             "uint8 weights are unsigned, and have a zero point.", weights_zero="bits"),
    _mistake("weights zero point added", "the weights' zero point is added instead of subtracted", _WEIGHTS_ZERO,
             weights_zero="added"),
    _mistake("weights zero point of 128", "128 is subtracted from the weights instead of their zero point",
             _WEIGHTS_ZERO,
             weights_zero="128"),
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
    _mistake("one multiplier for both inputs", "the first input's scale is used for both inputs",
             "Each input has a multiplier of its own: (its scale / twice the larger of both scales).",
             multiplier="first input"),
    _mistake("left shift forgotten", "the inputs are not shifted left before their multipliers", _HEADROOM,
             headroom="none"),
    _mistake("left shift forgotten", "the inputs are shifted left, but the output's multiplier does not take it back",
             _HEADROOM, headroom="inputs"),
    _mistake("left shift forgotten", "the output's multiplier takes back a shift that the inputs did not get",
             _HEADROOM,
             headroom="output"),
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
    _mistake("31-bit multiplier", "the multiplier keeps 31 bits, with one rounding", _WIDE, rounding="narrow single"),
    _mistake("31-bit multiplier", "the multiplier keeps 31 bits, with gemmlowp's two roundings", _WIDE,
             rounding="narrow double"),
    _mistake("16-bit multiplier", "the multiplier is reduced to 16 bits, as in 64-bit requantization", _CONTRACT,
             rounding="wide"),
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
    _mistake("weights layout", "the weights' memory is read as [height, width, outputs, inputs]", _WEIGHTS,
             weights_layout="HWOI"),
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
    _mistake("average rounding", "the average is rounded to an integer before it is rescaled", _AVERAGE,
             average="twice"),
    _mistake("sum not divided", "the sum is not divided by the number of elements", _AVERAGE, count="none"),
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
    _mistake("narrow sums", "sums are kept in 32 bits, and wrap around", _WIDE, accumulator="wrap"),
    _mistake("narrow sums", "sums are kept in 32 bits, and saturate", _WIDE, accumulator="clamp"),
    _mistake("narrow sums", "the 64-bit bias is cut to 32 bits", _WIDE, bias="int32"),
    _mistake("computed in floats", "computed in floating point, then quantized", _CURVE, curve="real"),
    _mistake("other contract", "computed as under the other rounding contract (LiteRT, TFLite Micro)", _CURVE,
             curve="other"),
    _mistake("output scale", "multiplied by 255 instead of divided by the output's scale", _UNIT, unit=255.0),
    _mistake("output scale", "multiplied by 127 instead of divided by the output's scale", _UNIT, unit=127.0),
    _mistake("output scale", "multiplied by 32767 instead of divided by the output's scale", _UNIT, unit=32767.0),
    _mistake("beta forgotten", "the differences are not multiplied by beta", "SOFTMAX is exp(beta * x) / sum.",
             beta="none"),
    _mistake("wrong axis", "computed over all elements at once", "SOFTMAX runs along the last axis.", axis="all"),
    _mistake("wrong axis", "joined one after the other in memory, as along the first axis",
             "CONCATENATION joins along the axis in its options.", axis="first"),
    _mistake("slope forgotten", "what is below zero becomes zero, as with RELU", _SLOPE, slope="none"),
    _mistake("slope forgotten", "what is below zero is not multiplied by alpha", _SLOPE, slope="identity"),
    _mistake("slope everywhere", "what is above zero is multiplied by alpha, too", _SLOPE, slope="everywhere"),
    _mistake("slope in the wrong scale", "alpha's integers are used without its scale", _SLOPE, slope="unscaled"),
    _mistake("slope zero point forgotten", "alpha's zero point is not subtracted", _SLOPE, slope="zero point"),
    _mistake("sign of the integer", "the slope is used below the integer 0 instead of below the zero point", _SLOPE,
             slope="integer"),
    _mistake("inputs not rescaled", "the inputs' integers are joined as they are", _JOIN, rescale="none"),
    _mistake("inputs not rescaled", "only the zero points of the inputs are brought to the output's", _JOIN,
             rescale="zero points"),
    _mistake("one multiplier for both inputs", "the first input's scale and zero point are used for all inputs", _JOIN,
             rescale="first"),
    _mistake("order of the inputs", "the inputs are taken in the opposite order",
             "The order of an operator's inputs is that of the model.", operands="reversed"),
    _mistake("activations not quantized", "the weights are dequantized, and the activations stay floats", _HYBRID,
             activations="real"),
    _mistake("symmetry of the activations",
             "the activations are quantized asymmetrically instead of symmetrically, or the "
             "other way round", _HYBRID, activations="other"),
    _mistake("one scale for all rows", "one scale for the activations of the whole tensor", _HYBRID,
             row_scale="tensor"),
    _mistake("truncation", "the activations are truncated when they are quantized", _HYBRID, activations="truncate"),
    _mistake("truncation", "the activations are divided by their scale and truncated", _HYBRID,
             activations="truncate quotient"),
    _mistake("floor", "the activations are rounded down when they are quantized", _HYBRID, activations="floor"),
    _mistake("range of the activations", "the activations are scaled to 128 steps instead of 127", _HYBRID,
             activations="128"),
    _mistake("floor", "the first shift does not round", _VECTOR, shifts="first"),
    _mistake("floor", "the second shift does not round", _VECTOR, shifts="second"),
    _mistake("floor", "neither shift rounds", _VECTOR, shifts="both"),
    _mistake("16-bit saturation forgotten", "the shifted sum is not saturated to 16 bits", _VECTOR, middle="none"),
    _mistake("16-bit saturation forgotten", "the shifted sum wraps around in 16 bits", _VECTOR, middle="wrap"),
    _mistake("offset forgotten", "the offset is not added", _VECTOR, offset="none"),
    _mistake("halves of the bias", "the lower half of the bias is read as signed", _VECTOR, halves="signed"),
    _mistake("halves of the bias", "the halves of the bias are swapped", _VECTOR, halves="swapped"),
    _mistake("zero points folded twice", "the input's zero point is subtracted, which the bias holds already", _VECTOR,
             folded="input"),
    _mistake("zero points folded twice", "the output's zero point is added, which the offset holds already", _VECTOR,
             folded="output"),
    _mistake("weights layout", "the rows of the weights are read without their padding", _VECTOR, columns="unpadded"),
    _mistake("not rounded", "the result is not rounded to integers", _WHOLE, rounding="none", cast="none"),
)  # fmt: skip


def keys(mistakes: Iterable[Mistake]) -> tuple[str, ...]:
    """Return the names of mistakes, sorted."""
    return tuple(sorted({m.key for m in mistakes}))

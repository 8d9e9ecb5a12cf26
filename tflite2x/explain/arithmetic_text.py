# SPDX-License-Identifier: Apache-2.0
"""Explanations as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from tflite2x.explain.arithmetic import Explanation, Operand
from tflite2x.explain.inspect import QuantizationInfo
from tflite2x.explain.plain import printable, says, table
from tflite2x.program.formulas import Channel, Facts

_BOUNDS = {"RELU": "real 0", "RELU6": "real 0 and 6", "RELU_N1_TO_1": "real -1 and 1"}


def render(explanations: Sequence[Explanation], channels: int | None = 4) -> str:
    """Return explanations as text.

    Args:
        explanations: What to print.
        channels: Print at most so many rows of per-channel numbers; None prints all.
    """
    return "\n".join(_operator(e, channels) for e in explanations)


def _operator(e: Explanation, channels: int | None) -> str:
    place = f"operator {e.index}" if e.subgraph == 0 else f"subgraph {e.subgraph}, operator {e.index}"
    lines = [f"{place}: {printable(e.operator)}", *_operands([*e.inputs, *e.outputs])]
    options = ", ".join(f"{k} {v}" for k, v in e.options.items() if says(k, v))
    if options:
        lines.append(f"  options: {printable(options)}")
    if e.reason is not None:
        lines.append(f"  no integer form: {printable(e.reason)}")
    for step in e.steps:
        lines += _step(step, e, channels)
    return "\n".join(lines) + "\n"


def _operands(operands: Sequence[Operand]) -> list[str]:
    rows = [
        [
            f"  {o.role}", str(o.index), f"{o.type} {o.shape}", "constant" if o.constant else "",
            _quantization(o.quantization), printable(o.name, 48),
        ]
        for o in operands
    ]  # fmt: skip
    header = ["", "tensor", "type and shape", "", "quantization", "name"]
    return table(header, rows, right=[1]).splitlines()


def _quantization(q: QuantizationInfo | None) -> str:
    if q is None:
        return "-"
    zeros = sorted(set(q.zero_points))
    if len(q.scales) == 1:
        return f"scale {q.scales[0]:.9g}, zero point {q.zero_points[0]}"
    span = f"{min(q.scales):.6g} .. {max(q.scales):.6g}"
    return f"{len(q.scales)} scales {span} along axis {q.axis}, zero point {', '.join(map(str, zeros[:3]))}"


def _step(step: Facts, e: Explanation, channels: int | None) -> list[str]:
    lines = [f"  {step.function}", *(f"    {line}" for line in step.formulas)]
    numbers = ", ".join(f"{k} {_number(v)}" for k, v in step.numbers.items() if k not in ("low", "high"))
    if numbers:
        lines += _wrap(f"numbers: {numbers}")
    for m in step.multipliers:
        lines.append(f"    multiplier {m.name}: {m.value:.10g} = {m.mantissa} * 2**{m.shift - 31} (shift {m.shift})")
    if step.clamp is not None:
        lines.append(f"    clamp: {step.clamp[0]} .. {step.clamp[1]}{_why(step, e)}")
    if step.rounding is not None:
        lines += _wrap(f"rounding: {step.rounding}")
    if step.accumulator is not None:
        low, high = step.accumulator
        bits = max(abs(low), abs(high)).bit_length() + 1
        lines.append(f"    accumulator: {low} .. {high} over all inputs ({bits} bits with the sign)")
    return lines + _channels(step.channels, channels)


def _why(step: Facts, e: Explanation) -> str:
    """Say where the clamp comes from."""
    activation = e.options.get("fused_activation_function")
    bound = _BOUNDS.get(str(activation)) or _BOUNDS.get(e.operator)
    if bound is not None and e.operator == "SVDF":
        return f": the range of the type; the integer SVDF does not apply its fused {activation}"
    if bound is None:
        return f": the range of {e.outputs[0].type}"
    zero = step.numbers.get("y_zero")
    if zero is None and e.outputs[0].quantization is not None:
        zero = e.outputs[0].quantization.zero_points[0]
    name = activation if str(activation) in _BOUNDS else e.operator
    return f": {name} clamps at {bound}, and real 0 is the zero point {zero}, not 0"


def _number(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _wrap(text: str, width: int = 112) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="      ")


def _channels(channels: Sequence[Channel], most: int | None) -> list[str]:
    if not channels:
        return []
    shown = channels if most is None or len(channels) <= most + 1 else channels[:most]
    header = ["channel", "weight scale", "weight sum", "bias", "folded bias", "multiplier", "mantissa", "shift",
              "acc lowest", "acc highest"]  # fmt: skip
    rows = [
        [
            str(c.channel), f"{c.weight_scale:.9g}", str(c.weight_sum), str(c.bias), str(c.folded_bias),
            f"{c.multiplier:.10g}", str(c.mantissa), str(c.shift), str(c.lowest), str(c.highest),
        ]
        for c in shown
    ]  # fmt: skip
    lines = [f"    {line}" for line in table(header, rows, right=range(len(header))).splitlines()]
    if len(shown) < len(channels):
        lines.append(f"    ... {len(channels) - len(shown)} more channels: --op shows all")
    return lines

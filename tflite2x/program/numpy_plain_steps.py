# SPDX-License-Identifier: Apache-2.0
"""Steps on numbers without a scale as lines of NumPy."""

from __future__ import annotations

from tflite2x.program import steps_plain as s
from tflite2x.program.numpy_steps import Lines, prints, shape_text
from tflite2x.program.values import fits

_OPERATIONS = {
    "add": "{a} + {b}", "sub": "{a} - {b}", "mul": "{a} * {b}", "equal": "{a} == {b}", "not_equal": "{a} != {b}",
    "less": "{a} < {b}", "less_equal": "{a} <= {b}", "greater": "{a} > {b}", "greater_equal": "{a} >= {b}",
    "and": "{a} & {b}", "or": "{a} | {b}",
}  # fmt: skip


@prints(s.Plain)
def _plain(step: s.Plain) -> Lines:
    text = _OPERATIONS[step.operation].format(a=step.inputs[0].name, b=step.inputs[1].name)
    return Lines([f"{step.output.name} = np.asarray({text}).reshape({shape_text(step.output)})"])


@prints(s.Select)
def _select(step: s.Select) -> Lines:
    c, a, b = (v for v in step.inputs)
    spread = ""
    if len(c.shape) == 1 and len(step.output.shape) > 1 and c.shape[0] == step.output.shape[0]:
        spread = f".reshape({(-1, *(1,) * (len(step.output.shape) - 1))})" if "SELECT_V2" not in step.origin else ""
    return Lines(
        [f"{step.output.name} = np.where({c.name}{spread}, {a.name}, {b.name}).reshape({shape_text(step.output)})"]
    )


@prints(s.Cast)
def _cast(step: s.Cast) -> Lines:
    x, out = step.inputs[0].name, step.output
    if step.mode == "truth":
        return Lines([f"{out.name} = {x} != 0"])
    if step.mode == "wrap":
        return Lines([f"{out.name} = {x}.astype(np.{out.dtype})"])
    low, high = fits(out.dtype)
    return Lines(
        [
            f"wide = {x}.astype(np.float64)",
            f"above, below = ~(wide < {step.above!r}), wide < {step.low!r}  # NaN counts as above",
            f"y = np.trunc(np.where(above | below, 0, wide)).astype(np.{out.dtype})",
            f"{out.name} = np.where(above, {high}, np.where(below, {low}, y)).astype(np.{out.dtype})",
        ]
    )


@prints(s.Gather)
def _gather(step: s.Gather) -> Lines:
    x, index = step.inputs[0].name, step.inputs[1].name
    return Lines(
        [
            f"at = np.clip({index}.reshape(-1), 0, {step.length - 1})",
            f"{step.output.name} = {x}.reshape({(step.outer, step.length, step.inner)})[:, at]"
            f".reshape({shape_text(step.output)})",
        ]
    )


@prints(s.GatherNd)
def _gather_nd(step: s.GatherNd) -> Lines:
    x, index = step.inputs[0], step.inputs[1].name
    return Lines(
        [
            f"at = np.clip({index}.reshape(-1, {step.depth}), 0, {step.lengths.name} - 1)",
            f"{step.output.name} = {x.name}[tuple(at.T)].reshape({shape_text(step.output)})",
        ]
    )

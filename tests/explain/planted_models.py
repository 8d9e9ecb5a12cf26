# SPDX-License-Identifier: Apache-2.0
"""Random models of one layer, with quantization like a converter's, and places in real networks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import tflite2x
from tests.explain.planted import OPERATORS, PLANTS, NotPossible, compute
from tflite2x.explain.diagnose import Diagnosis, diagnose
from tflite2x.schema.tables import (
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Pool2DOptions,
    QuantizeOptions,
)

if TYPE_CHECKING:
    from tflite2x.ir import Model

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model with an input, and the operator in which something is planted."""

    model: Model
    x: Array
    operator: int
    text: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a planted mistake.

    Attributes:
        plants: What was planted.
        text: In which model.
        certainty: What ``diagnose`` said.
        named: Whether the right names are among those it gave.
        wrong: Whether it gave other names with certainty.
        names: All that it named.
    """

    plants: tuple[str, ...]
    text: str
    certainty: str
    named: bool
    wrong: bool
    names: tuple[tuple[str, ...], ...]


def random_case(rng: np.random.Generator, kind: str) -> Case:
    """Make a model of one operator; half of them have scales that are powers of two, where ties are frequent."""
    model = tflite2x.Model.new()
    g = model.main
    neat = rng.random() < 0.5

    def scale(low: float, high: float) -> float:
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        return float(2.0 ** np.round(np.log2(value))) if neat else float(np.float32(value))

    def zero() -> int:
        return int(rng.choice([-128, *rng.integers(-100, 100, 3)]))

    s_x, z_x, z_y = scale(0.004, 0.2), zero(), zero()
    activation = int(rng.choice([0, 1, 1, 3]))
    if kind == "QUANTIZE":
        x = g.add_input("x", (1, 60), "float32")
        y = g.add_tensor("y", (1, 60), "int8", scale=s_x, zero_point=z_y)
        g.add_operator(kind, [x], [y], QuantizeOptions())
        g.set_outputs([y])
        steps = rng.integers(-300, 300, (1, 60)) / 2 if neat else rng.uniform(-150, 150, (1, 60))
        return Case(model, (steps * s_x).astype(np.float32), 0, kind)
    values = rng.integers(-128, 128, (1, 9, 7, 6), dtype=np.int8)
    if kind == "AVERAGE_POOL_2D":
        x = g.add_input("x", values.shape, "int8", scale=s_x, zero_point=z_x)
        options = Pool2DOptions(
            padding=int(rng.integers(2)), stride_w=2, stride_h=2, filter_width=int(rng.integers(2, 4)), filter_height=2,
            fused_activation_function=activation,
        )  # fmt: skip
        high = 5 if options.padding == 0 else 4
        wide = 4 if options.padding == 0 else (7 - options.filter_width) // 2 + 1
        y = g.add_tensor("y", (1, high, wide, 6), "int8", scale=s_x, zero_point=z_x)
        g.add_operator(kind, [x], [y], options)
        g.set_outputs([y])
        return Case(model, values, 0, kind)
    if kind == "FULLY_CONNECTED":
        values = values.reshape(9, 42)
        shape, outputs, axis = (16, 42), 16, 0
    elif kind == "CONV_2D":
        shape, outputs, axis = (10, 3, 3, 6), 10, 0
    else:
        shape, outputs, axis = (1, 3, 3, 12), 12, 3
    w = np.clip(np.rint(rng.normal(0, 50, shape)), -127, 127).astype(np.int8)
    per_channel = kind != "FULLY_CONNECTED" or rng.random() < 0.3
    s_w = [scale(0.001, 0.02) for _ in range(outputs)] if per_channel else [scale(0.001, 0.02)]
    depth = w.size // outputs
    spread = s_x * 90 * float(np.mean(s_w)) * 50 * np.sqrt(depth)
    s_y = float(np.float32(spread / rng.uniform(40, 90)))
    s_y = float(2.0 ** np.round(np.log2(s_y))) if neat else s_y
    x = g.add_input("x", values.shape, "int8", scale=s_x, zero_point=z_x)
    weights = g.add_constant("w", w, scale=s_w, zero_point=[0] * len(s_w), quantized_dimension=axis)
    bias_scale = [s_x * s for s in s_w]
    b = np.rint(rng.normal(0, 30, outputs) * s_y / np.array(bias_scale)).astype(np.int32)
    bias = g.add_constant("b", b, scale=bias_scale, zero_point=[0] * len(s_w)) if rng.random() < 0.9 else None
    options: Any
    if kind == "FULLY_CONNECTED":
        options, y_shape = FullyConnectedOptions(fused_activation_function=activation), (9, outputs)
    else:
        stride, padding = int(rng.integers(1, 3)), int(rng.choice([0, 0, 1]))
        sizes = [-(-n // stride) if padding == 0 else (n - 3) // stride + 1 for n in (9, 7)]
        y_shape = (1, *sizes, outputs)
        common = {"padding": padding, "stride_w": stride, "stride_h": stride, "fused_activation_function": activation}
        options = Conv2DOptions(**common) if kind == "CONV_2D" else DepthwiseConv2DOptions(**common, depth_multiplier=2)
    y = g.add_tensor("y", y_shape, "int8", scale=s_y, zero_point=z_y)
    g.add_operator(kind, [x, weights, bias], [y], options)
    g.set_outputs([y])
    return Case(model, values, 0, kind)


def planted(case: Case, plants: frozenset[str], *, output_only: bool = False) -> Outcome | None:
    """Plant mistakes, let ``diagnose`` look, and judge; None where they are not possible or change nothing.

    Args:
        case: The model, its input, and the operator.
        plants: What to plant.
        output_only: Give ``diagnose`` the model's output instead of the operator's own.
    """
    graph = case.model.main
    op = graph.operators[case.operator]
    trace = tflite2x.Interpreter(case.model).trace([case.x])
    source, target = op.inputs[0], op.outputs[0]
    assert source is not None
    try:
        mine = compute(op, trace.get(source, case.x), plants)
    except NotPossible:
        return None
    if np.array_equal(mine, trace[target]):
        return None
    arrays = {f"tensor{target.index}": mine}
    if output_only:
        if np.any(mine != np.clip(np.rint(mine), -128, 127)):
            return None
        result = _rest(case, target, mine.astype(np.int8))
        final = graph.outputs[0]
        if np.array_equal(result, trace[final]):
            return None
        arrays = {f"tensor{final.index}": result}
    return judge(case, plants, diagnose(case.model, [case.x], arrays))


def all_matter(case: Case, plants: frozenset[str]) -> bool:
    """Whether every one of several mistakes changes the result of the others: what is hidden cannot be found."""
    op = case.model.main.operators[case.operator]
    try:
        together = compute(op, case.x, plants)
        return all(not np.array_equal(together, compute(op, case.x, plants - {p})) for p in plants)
    except NotPossible:
        return False


def judge(case: Case, plants: frozenset[str], diagnosis: Diagnosis) -> Outcome:
    """Compare what was planted with what was named."""
    first = diagnosis.first
    assert first is not None
    names = tuple(n.mistakes for n in first.named)
    right = tuple(sorted({PLANTS[p] for p in plants}))
    named = right in names and first.certainty in ("certain", "likely", "ambiguous")
    wrong = first.certainty == "certain" and right not in names
    return Outcome(tuple(sorted(plants)), case.text, first.certainty, named, wrong, names)


def _rest(case: Case, tensor: Any, value: Array) -> Array:
    """Run what comes behind ``tensor``."""
    from tflite2x.rewrite.extract import extract

    graph = case.model.main
    if tensor is graph.outputs[0]:
        return value
    rest = extract(graph, [tensor], [graph.outputs[0]])
    return np.asarray(tflite2x.Interpreter(rest).run([value.reshape(tensor.shape)])[0])


def places(model: Model) -> list[int]:
    """Return the operators of a model in which something can be planted."""
    return [
        op.index
        for op in model.main.operators
        if op.name in OPERATORS and (op.name != "QUANTIZE" or op.inputs[0].dtype.name == "FLOAT32")
    ]

# SPDX-License-Identifier: Apache-2.0
"""The models of operators behind diagnose equal the kernels when nothing is wrong, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite2x
from tests.interpreter.one_operator import Value, one_operator
from tflite2x.explain.diagnose import diagnose
from tflite2x.explain.diagnosis.exact import ExactOperator
from tflite2x.explain.diagnosis.mistakes import MISTAKES
from tflite2x.explain.diagnosis.models import candidates, model_of
from tflite2x.explain.diagnosis.recipe import EXACT, Recipe
from tflite2x.explain.diagnosis.simple import Simple
from tflite2x.schema.tables import (
    AddOptions,
    ConcatenationOptions,
    DequantizeOptions,
    LeakyReluOptions,
    MulOptions,
    PadOptions,
    Pool2DOptions,
    QuantizeOptions,
    ReducerOptions,
    ReshapeOptions,
    SoftmaxOptions,
    SubOptions,
)

Q = {"scale": 0.05, "zero_point": -11}
R = {"scale": 0.031, "zero_point": 20}
S = {"scale": 0.043, "zero_point": 3}
Q8, R8 = {"scale": 0.05, "zero_point": 117}, {"scale": 0.071, "zero_point": 140}
W, QUARTER = {"scale": 0.0021}, {"scale": 0.2, "zero_point": 12}
UNIT = {"scale": 1 / 256, "zero_point": -128}


def int8(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    return rng.integers(-128, 128, shape, dtype=np.int8)


def cases() -> list[tuple[str, Any, list[Value], tuple[Any, ...]]]:
    rng = np.random.default_rng(0)
    image, other = int8(rng, 1, 7, 6, 4), int8(rng, 1, 7, 6, 4)
    short = rng.integers(-32768, 32768, (1, 7, 6, 4)).astype(np.int16)
    pool = Pool2DOptions(padding=0, stride_w=2, stride_h=2, filter_width=3, filter_height=3)
    return [
        ("ADD", AddOptions(fused_activation_function=1), [v(image, Q), v(other, R)], ("int8", image.shape, S)),
        ("SUB", SubOptions(), [v(image, Q), v(other[:, :1], R)], ("int8", image.shape, S)),
        ("MUL", MulOptions(fused_activation_function=3), [v(image, Q), v(other, R)], ("int8", image.shape, S)),
        ("AVERAGE_POOL_2D", pool, [v(image, Q)], ("int8", (1, 4, 3, 4), Q)),
        ("MAX_POOL_2D", pool, [v(image, Q)], ("int8", (1, 4, 3, 4), Q)),
        ("QUANTIZE", QuantizeOptions(), [v(image, Q)], ("int8", image.shape, R)),
        ("QUANTIZE", QuantizeOptions(), [v(image, Q)], ("uint8", image.shape, {"scale": 0.05, "zero_point": 117})),
        ("QUANTIZE", QuantizeOptions(), [v(rng.normal(0, 4, (3, 5)).astype(np.float32), {})], ("int8", (3, 5), Q)),
        ("DEQUANTIZE", DequantizeOptions(), [v(image, Q)], ("float32", image.shape)),
        ("RESHAPE", ReshapeOptions(), [v(image, Q), c(np.array([1, 168], np.int32))], ("int8", (1, 168), Q)),
        ("MEAN", ReducerOptions(), [v(image, Q), c(np.array([1, 2], np.int32))], ("int8", (1, 4), R)),
        ("SUM", ReducerOptions(), [v(image[:, :3], Q), c(np.array([1], np.int32))], ("int8", (1, 6, 4), QUARTER)),
        ("SOFTMAX", SoftmaxOptions(beta=0.7), [v(image, Q)], ("int8", image.shape, UNIT)),
        ("SOFTMAX", SoftmaxOptions(beta=1.0), [v(short, W)], ("int16", image.shape, {"scale": 2.0**-15})),
        ("LOGISTIC", None, [v(image, Q)], ("int8", image.shape, UNIT)),
        ("TANH", None, [v(image, Q)], ("int8", image.shape, {"scale": 1 / 128, "zero_point": 0})),
        ("HARD_SWISH", None, [v(image, Q)], ("int8", image.shape, S)),
        ("RELU", None, [v(image, Q)], ("int8", image.shape, S)),
        ("RELU6", None, [v(image, Q)], ("int8", image.shape, R)),
        ("LEAKY_RELU", LeakyReluOptions(alpha=0.3), [v(image, Q)], ("int8", image.shape, S)),
        ("PRELU", None, [v(image, Q), c4(other[0, :1, :1], R)], ("int8", image.shape, S)),
        ("CONCATENATION", ConcatenationOptions(axis=3), [v(image.view(np.uint8), Q8), v(other.view(np.uint8), R8)],
         ("uint8", (1, 7, 6, 8), R8)),
        ("CONCATENATION", ConcatenationOptions(axis=2), [v(image, Q), v(other, Q)], ("int8", (1, 7, 12, 4), Q)),
        ("ADD", AddOptions(), [v(short, W), v(short[::-1], {"scale": 0.003})],
         ("int16", image.shape, {"scale": 0.0041})),
        ("PAD", PadOptions(), [v(image, Q), c(np.array([[0, 0], [1, 1], [0, 2], [0, 0]], np.int32))],
         ("int8", (1, 9, 8, 4), Q)),
    ]  # fmt: skip


def v(array: np.ndarray[Any, Any], quantization: dict[str, Any]) -> Value:
    return Value(array, quantization=quantization)


def c4(array: np.ndarray[Any, Any], quantization: dict[str, Any]) -> Value:
    return Value(array, constant=True, quantization=quantization)


def c(array: np.ndarray[Any, Any]) -> Value:
    return Value(array, constant=True)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_the_model_equals_the_kernel(case: tuple[str, Any, list[Value], tuple[Any, ...]]) -> None:
    name, options, values, output = case
    model = one_operator(name, options, values, [output])
    op = model.main.operators[0]
    exact = ExactOperator(op, "single")
    inputs = [value.array[None] for value in values]
    (expected,) = exact.run(inputs)
    twin = model_of(exact, inputs)
    assert (type(twin) is Simple) == (name == "RESHAPE"), "no special model, or one that does not equal the kernel"
    # A value that means the same, so that no short cut to the kernel is taken.
    same = EXACT.changed(order="activation first")
    np.testing.assert_array_equal(twin.run(inputs, same), expected.astype(np.float64))
    if expected.dtype.kind in "iu":
        select = np.arange(0, expected.size, 3)
        np.testing.assert_array_equal(twin.steps(inputs, same, select).result, expected.reshape(-1)[select])


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_every_mistake_that_an_operator_knows_can_be_made_and_found(
    case: tuple[str, Any, list[Value], tuple[Any, ...]],
) -> None:
    name, options, values, output = case
    model = one_operator(name, options, values, [output])
    exact = ExactOperator(model.main.operators[0], "single")
    inputs = [value.array[None] for value in values]
    (expected,) = exact.run(inputs)
    twin = model_of(exact, inputs)
    live = [value.array for value in values if not value.constant]
    names = []
    for mistake in candidates(twin):
        mine = twin.run(inputs, mistake.apply(EXACT))[0]
        if np.array_equal(mine, expected[0]):
            continue
        found = diagnose(model, live, {"out0": mine}).first
        assert found is not None
        assert (mistake.key,) in [n.mistakes for n in found.named], (mistake, found.named)
        names.append(mistake.key)
    assert names


def test_mean_is_close_and_its_rounding_is_named() -> None:
    rng = np.random.default_rng(1)
    x = int8(rng, 1, 6, 5, 40)
    values = [v(x, Q), c(np.array([1, 2], np.int32))]
    model = one_operator("MEAN", ReducerOptions(), values, [("int8", (1, 40), Q)])
    for plant, mine in (
        ("average rounding", np.trunc(x.astype(int).mean(axis=(1, 2)))),
        ("average rounding", np.floor(x.astype(int).mean(axis=(1, 2)))),
        ("output zero point forgotten", tflite2x.Interpreter(model).run([x])[0].astype(int) + 11),
    ):
        found = diagnose(model, [x], {"out0": mine}).first
        assert found is not None
        assert (plant,) in [n.mistakes for n in found.named], found


def test_float_layers_are_judged_within_the_precision_of_float32(models: Path) -> None:
    model = tflite2x.load(models / "cnn_float.tflite")
    with np.load(models / "digits_eval.npz") as file:
        image = file["x"][:1, ..., None]
    conv, dense = model.main.operators[2], model.main.operators[6]
    trace = tflite2x.Interpreter(model).trace([image])
    x, w, b = trace[conv.inputs[0]].astype(np.float64), conv.inputs[1].data, conv.inputs[2].data
    windows = np.lib.stride_tricks.sliding_window_view(x[0], (3, 3), axis=(0, 1))
    sums = np.einsum("hwcij,oijc->hwo", windows, w)[None]
    exact = np.maximum(sums + b, 0).astype(np.float32)
    assert diagnose(model, [image], {"op2": exact}).equal
    flipped = np.einsum("hwcij,oijc->hwo", windows, w[:, ::-1, ::-1])[None]
    for mine, name in (
        (np.maximum(sums, 0), "bias forgotten"),
        (sums + b, "activation forgotten"),
        (np.maximum(flipped + b, 0), "weights layout"),
    ):
        found = diagnose(model, [image], {"op2": mine.astype(np.float32)}).first
        assert found is not None
        assert (found.certainty, found.named[0].mistakes) == ("certain", (name,))
    # Flattened in the order of channels first, seen behind the dense layer.
    flat = trace[model.main.operators[4].outputs[0]].transpose(0, 3, 1, 2).reshape(1, -1).astype(np.float64)
    mine = np.maximum(flat @ dense.inputs[1].data.T.astype(np.float64) + dense.inputs[2].data, 0)
    given = {"op4": trace[model.main.operators[4].outputs[0]], "op6": mine.astype(np.float32)}
    found = diagnose(model, [image], given).first
    assert found is not None
    assert ("NCHW",) in [n.mistakes for n in found.named]


def test_the_catalogue_is_sound() -> None:
    fields = set(Recipe.__dataclass_fields__)
    ways = set()
    for mistake in MISTAKES:
        assert mistake.fields <= fields
        assert mistake.apply(EXACT) != EXACT
        assert mistake.changes not in ways, mistake
        ways.add(mistake.changes)
        assert mistake.title
        assert mistake.remedy.endswith((".", ","))
    # Everything that the issue lists has a name.
    assert {m.key for m in MISTAKES} >= {
        "wrap-around", "clamp bounds", "relu at zero", "input zero point forgotten", "input zero point added",
        "zero point of the wrong tensor", "multiplier added", "multiplier forgotten", "multiplier from wrong scales",
        "per-tensor scale", "truncation", "floor", "round half even", "single rounding", "double rounding",
        "bias forgotten", "bias in the wrong scale", "weights layout", "NCHW", "padding with zero", "average rounding",
        "shift by 128", "not rounded",
    }  # fmt: skip

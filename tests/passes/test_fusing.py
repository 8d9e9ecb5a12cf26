# SPDX-License-Identifier: Apache-2.0
"""fuse-activation, fuse-pad, conv-to-fc, bypass-reshape and merge-requantize, against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

import tflite2x
from tests.passes.helpers import conv, int8, names, oracle_agrees, reasons, run
from tflite2x import Pipeline
from tflite2x.ir import Model
from tflite2x.schema.enums import Padding, TensorType
from tflite2x.schema.tables import AddOptions, Conv2DOptions, FullyConnectedOptions, ReshapeOptions


def activated(kind: str, *, quantized: bool, scale: float = 0.5) -> Model:
    model = conv(quantized=quantized)
    g = model.main
    t = g.outputs[0]
    y = int8(g, "act", t.shape, scale, -2) if quantized else g.add_tensor("act", t.shape, "float32")
    g.add_operator(kind, [t], [y], version=2 if quantized else 1)
    g.set_outputs([y])
    return model


@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_fuse_activation(kind: str, quantized: bool) -> None:
    if kind == "RELU_N1_TO_1" and quantized:
        pytest.skip("LiteRT has no such kernel")
    model = activated(kind, quantized=quantized)
    before = tflite2x.dumps(model)
    report = run(model, "fuse-activation,cleanup")
    assert names(model) == ["CONV_2D"]
    assert model.main.operators[0].options.fused_activation_function.name == kind
    assert model.main.outputs[0].name == "act"
    assert report.total is not None
    assert report.total.passed
    oracle_agrees(before, tflite2x.dumps(model))


def test_fuse_activation_refuses_another_scale() -> None:
    model = activated("RELU", quantized=True, scale=0.25)
    report = run(model, "fuse-activation")
    assert names(model) == ["CONV_2D", "RELU"]
    assert reasons(report) == [
        "the activation requantizes from int8 (scale 0.5, zero point -2) to int8 (scale 0.25, zero point -2)"
    ]


def test_fuse_activation_refuses_when_others_read_it() -> None:
    model = activated("RELU", quantized=True)
    g = model.main
    t = g.operators[0].outputs[0]
    more = int8(g, "more", t.shape, 0.5, -2)
    g.add_operator("ADD", [t, t], [more], AddOptions(), version=2)
    g.set_outputs([*g.outputs, more])
    from tflite2x.passes.fuse_activation import FuseActivation

    (candidate,) = FuseActivation().candidates(model)
    assert not candidate.replaced
    assert candidate.reason == "'y' inside of the match is read by subgraphs[0].operators[2] (ADD) as well"


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize(
    ("stride", "pad", "out", "fused"),
    [
        (1, [[0, 0], [1, 1], [1, 1], [0, 0]], 8, True),
        (2, [[0, 0], [0, 1], [0, 1], [0, 0]], 4, True),
        (2, [[0, 0], [1, 1], [1, 1], [0, 0]], 4, False),
        (1, [[0, 0], [2, 0], [1, 1], [0, 0]], 8, False),
    ],
)
def test_fuse_pad(depthwise: bool, quantized: bool, stride: int, pad: list[list[int]], out: int, fused: bool) -> None:
    channels = 3 if depthwise else 4
    model = conv(
        kernel=(1, 3, 3, 3) if depthwise else (4, 3, 3, 3),
        out=(1, out, out, channels),
        quantized=quantized,
        depthwise=depthwise,
        pad=pad,
        stride_h=stride,
        stride_w=stride,
    )
    before = tflite2x.dumps(model)
    report = run(model, "fuse-pad,cleanup")
    assert ("PAD" not in names(model)) == fused
    if not fused:
        assert "padding SAME would add" in reasons(report)[0]
    oracle_agrees(before, tflite2x.dumps(model))


@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize(("size", "padding"), [(3, Padding.VALID), (1, Padding.SAME), (4, Padding.VALID)])
def test_conv_to_fc(quantized: bool, size: int, padding: Padding) -> None:
    model = conv((2, size, size, 3), (4, size, size, 3), (2, 1, 1, 4), quantized=quantized, padding=padding)
    before = tflite2x.dumps(model)
    run(model, "conv-to-fc,cleanup")
    assert names(model) == ["RESHAPE", "FULLY_CONNECTED", "RESHAPE"]
    oracle_agrees(before, tflite2x.dumps(model), lsb=1)
    converted = tflite2x.dumps(model)
    run(model, "bypass-reshape,cleanup")
    assert names(model) == ["FULLY_CONNECTED", "RESHAPE"]
    oracle_agrees(converted, tflite2x.dumps(model))


def test_conv_to_fc_refuses_more_positions() -> None:
    model = conv()
    assert reasons(run(model, "conv-to-fc")) == ["the output is 6 x 6, not 1 x 1"]


def test_bypass_reshape_refuses_other_rows() -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (2, 3, 4), "float32")
    flat = g.add_tensor("flat", (3, 8), "float32")
    y = g.add_tensor("y", (3, 5), "float32")
    shape = g.add_constant("shape", np.array([3, 8], np.int32))
    g.add_operator("RESHAPE", [x, shape], [flat], ReshapeOptions())
    w = g.add_constant("w", np.ones((5, 8), np.float32))
    g.add_operator("FULLY_CONNECTED", [flat, w, None], [y], FullyConnectedOptions())
    g.set_outputs([y])
    before = tflite2x.dumps(model)
    run(model, "bypass-reshape,cleanup")  # 24 values are 3 rows of 8, in any shape
    assert names(model) == ["FULLY_CONNECTED"]
    oracle_agrees(before, tflite2x.dumps(model))
    model = tflite2x.loads(before)
    model.main.operators[1].options.keep_num_dims = True
    assert names(model) == ["RESHAPE", "FULLY_CONNECTED"]
    assert not run(model, "bypass-reshape").modified


def requantized(middle: tuple[str, float, int], last: tuple[str, float, int], source: str = "int8") -> Model:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 64), source, **({"scale": 0.1, "zero_point": 4} if source != "float32" else {}))
    for name, (dtype, scale, zero_point) in (("middle", middle), ("y", last)):
        y = g.add_tensor(name, (1, 64), dtype, scale=scale, zero_point=zero_point)
        g.add_operator("QUANTIZE", [x], [y])
        x = y
    g.set_outputs([x])
    return model


@pytest.mark.parametrize("source", ["int8", "float32"])
@pytest.mark.parametrize(
    ("middle", "last", "lsb"),
    [
        (("int8", 0.2, 0), ("int8", 0.2, 0), 1),
        (("int8", 0.5, 0), ("int8", 0.1, 3), 3),
        (("uint8", 0.3, 128), ("int8", 0.3, 0), 1),
    ],
)
def test_merge_requantize(source: str, middle: tuple[str, float, int], last: tuple[str, float, int], lsb: int) -> None:
    model = requantized(middle, last, source)
    before = tflite2x.dumps(model)
    report = run(model, "merge-requantize,cleanup", samples=64)
    assert names(model) == ["QUANTIZE"]
    assert report.passes[0].result.claim.lsb == lsb
    oracle_agrees(before, tflite2x.dumps(model), lsb=lsb)


def test_merge_requantize_refuses_saturation() -> None:
    model = requantized(("int8", 0.01, 0), ("int8", 0.2, 0))
    report = run(model, "merge-requantize")
    assert names(model) == ["QUANTIZE", "QUANTIZE"]
    assert reasons(report) == ["'middle' holds -1.28 to 1.27 only, 'y' could be -13.2 to 12.3"]


def test_a_long_chain_becomes_one() -> None:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 8), "int8", scale=0.1)
    for i in range(6):
        y = int8(g, f"q{i}", (1, 8), 0.1 + i / 100)
        g.add_operator("QUANTIZE", [x], [y])
        x = y
    g.set_outputs([x])
    run(model, "merge-requantize")
    assert names(model) == ["QUANTIZE"]


def quantize_chain(*kinds: tuple[str, float, int]) -> Model:
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 16), kinds[0][0], scale=kinds[0][1], zero_point=kinds[0][2])
    for i, (kind, scale, zero) in enumerate(kinds[1:]):
        y = g.add_tensor(f"t{i + 1}", (1, 16), kind, scale=scale, zero_point=zero)
        g.add_operator("QUANTIZE", [x], [y])
        x = y
    g.set_outputs([x])
    return model


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ((("int16", 0.1 / 256, 0), ("int8", 0.1, 0), ("uint8", 0.1, 128)), "no QUANTIZE from int16 to uint8"),
        ((("int32", 1e-3, 0), ("int8", 0.1, 0), ("uint8", 0.1, 128)), "no QUANTIZE from int32 to uint8"),
        ((("int32", 1e-3, 0), ("int16", 0.1 / 256, 0), ("int8", 0.1, 0)), "'t1' needs 2.56 times that"),
    ],
)
def test_merge_requantize_refuses_what_one_operator_cannot_do(
    kinds: tuple[tuple[str, float, int], ...], why: str
) -> None:
    """Merged, runtimes would refuse the model, or the wrap-around of the first operator would be gone."""
    model = quantize_chain(*kinds)
    report = run(model, "merge-requantize")
    assert names(model) == ["QUANTIZE", "QUANTIZE"]
    assert why in reasons(report)[0]


@pytest.mark.parametrize(("bias", "option", "version"), [("int32", "INT32", 11), ("int64", "FLOAT32", 7)])
def test_conv_to_fc_keeps_the_type_of_the_bias(bias: str, option: str, version: int) -> None:
    """Without the option LiteRT reads an int32 bias of a 16x8 layer as int64."""
    rng = np.random.default_rng(5)
    model = Model.new()
    g = model.main
    x = g.add_input("x", (2, 2, 2, 4), "int16", scale=0.02)
    w = g.add_constant("w", rng.integers(-100, 100, (3, 2, 2, 4)).astype(np.int8), scale=0.01)
    b = g.add_constant("b", rng.integers(-500, 500, 3).astype(bias), scale=0.0002)
    y = g.add_tensor("y", (2, 1, 1, 3), "int16", scale=0.2)
    options = Conv2DOptions(
        stride_w=1, stride_h=1, padding=Padding.VALID, quantized_bias_type=TensorType[option]
    )  # fmt: skip
    g.add_operator("CONV_2D", [x, w, b], [y], options, version=8)
    g.set_outputs([y])
    before = tflite2x.dumps(model)
    run(model, "conv-to-fc")
    fc = model.main.operators[1]
    assert (fc.name, fc.version, fc.options.quantized_bias_type) == ("FULLY_CONNECTED", version, TensorType[option])
    oracle_agrees(before, tflite2x.dumps(model), lsb=1)


def test_other_users_stand_in_the_report() -> None:
    """A whole match that others need the inside of is something left alone, not something not found."""
    model = activated("RELU", quantized=True)
    g = model.main
    g.set_outputs([*g.outputs, g.operators[0].outputs[0]])
    report = run(model, "fuse-activation")
    assert "inside of the match is an output of the graph" in reasons(report)[0]


def test_reasons_name_places_of_the_model_that_was_given() -> None:
    """Rewrites move operators; what is said about later ones still speaks of the file that the user has."""
    model = Model.new()
    g = model.main
    x = g.add_input("x", (1, 8), "float32")
    for i in range(3):
        y, z = g.add_tensor(f"y{i}", (1, 8), "float32"), g.add_tensor(f"z{i}", (1, 8), "float32")
        g.add_operator("ADD", [x, x], [y], AddOptions())
        g.add_operator("RELU", [y], [z])
        x = z
    g.set_outputs([x])
    found = Pipeline.parse("fuse-activation").passes[0].candidates(model)
    assert [(c.where, c.reason) for c in found] == [
        (f"subgraphs[0].operators[{2 * i + 1}] (RELU)", f"fused into subgraphs[0].operators[{2 * i}] (ADD)")
        for i in range(3)
    ]
